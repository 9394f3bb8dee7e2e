"""The parts of the demucs package that programs call, on DSU. `dsu_client.compat.install` gives it the name `demucs`."""

__version__ = "4.1.0"
__all__ = ["__version__"]
