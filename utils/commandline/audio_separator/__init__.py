"""`dsu-audio-separator` for people: what the audio-separator package's own program does, with the engines of DSU."""
