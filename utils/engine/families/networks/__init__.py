"""The separation networks of `models/`: BS-RoFormer and relatives, SCNet, MDX23C and more."""
