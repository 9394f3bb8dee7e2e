"""The doctor: whether this machine can do the work, found out before the first song."""
