"""VR networks: masks over a spectrogram whose bands each have a sample rate and a resolution of their own."""
