"""The path of a song: read a track, cut it into chunks, run networks over them, overlap-add, and stream the result."""
