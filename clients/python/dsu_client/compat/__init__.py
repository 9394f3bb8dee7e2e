"""Modules with the names and calls of other packages, which hand the work to DSU. Those that return samples need NumPy."""
