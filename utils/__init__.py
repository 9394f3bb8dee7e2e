"""The shared runtime of every worker. The version lives here and nowhere else."""

__version__ = "0.1.0"
PROTOCOL_VERSION = 1
