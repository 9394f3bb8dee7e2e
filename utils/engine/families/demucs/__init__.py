"""Demucs: bags of networks from the demucs package."""
