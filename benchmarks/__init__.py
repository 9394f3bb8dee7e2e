"""Benchmarks. Each program writes its own sections of RESULTS.md; no figure is typed by hand."""
