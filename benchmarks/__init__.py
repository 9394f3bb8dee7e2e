"""Measurements of real worker processes. Each program writes its own section of RESULTS.md; no figure is typed by hand."""
