"""VR: networks that predict a mask for the spectrogram of a song."""
