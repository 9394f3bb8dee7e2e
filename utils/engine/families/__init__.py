"""One folder for each family of models: how its models are found and loaded, and how a song goes through them."""
