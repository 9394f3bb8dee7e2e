"""Reads any audio file as a stream of blocks, and writes stems to files that appear complete or not at all."""
