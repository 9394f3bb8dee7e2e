"""Small programs and helpers for the demonstration, the tests and the benchmarks. Nothing in `utils` imports them."""
