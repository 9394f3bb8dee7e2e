"""MDX: networks that predict the spectrogram of one stem."""
