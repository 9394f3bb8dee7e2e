"""AudioSep: separates what a text describes."""
