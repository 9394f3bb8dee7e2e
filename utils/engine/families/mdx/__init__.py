"""MDX: networks that give the spectrogram of one stem."""
