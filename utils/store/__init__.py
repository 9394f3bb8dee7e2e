"""Where models come from: the registry, the models directory, downloads, and safe reading of checkpoints."""
