"""Programs for users and maintainers: the demo, profiling, and checks of timings. Nothing in `utils` imports them."""
