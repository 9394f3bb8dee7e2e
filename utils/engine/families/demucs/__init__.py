"""Demucs: bags of networks of the demucs package."""
