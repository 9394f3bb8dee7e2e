"""AudioSep: separates sounds described by text."""
