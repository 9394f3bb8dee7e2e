"""What all other packages share. Standard library and msgspec only: no torch, no numpy, no I/O on import."""
