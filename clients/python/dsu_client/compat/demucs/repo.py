"""The error that demucs raises for models."""


class ModelLoadingError(RuntimeError):
    """The model does not exist or cannot be loaded; its message names models that are like it."""
