"""Words that every other package uses. Standard library and msgspec only: no torch, no numpy, no I/O on import."""
