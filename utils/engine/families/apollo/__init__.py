"""Apollo: restores what lossy compression took."""
