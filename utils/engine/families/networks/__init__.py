"""The networks of `models/` that separate: BS-RoFormer and its kin, SCNet, MDX23C and more."""
