"""One folder per family of models: how its models are found and loaded, and how they process a song."""
