"""VR: networks that give a mask for the spectrogram of a song."""
