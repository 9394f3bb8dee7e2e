"""The parts of the frozen build. `build_dsu.py` is the recipe that puts them together."""
