"""For people at a terminal: the same engines behind arguments and a progress bar instead of JSON."""
