"""Noise reduction by a recording of the noise. It has no network and no model."""
