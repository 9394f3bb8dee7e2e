"""Apollo: restores what lossy compression removed."""
