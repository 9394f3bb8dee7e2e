"""The parts of the audio-separator package that programs call, on DSU. `dsu_client.compat.install` gives it its name."""

__all__: list[str] = []
