"""The command line of audio-separator, done by the program dsu-audio-separator."""

from __future__ import annotations

from dsu_client.compat.host import run_program


def main() -> None:
    """Run the program with the arguments of this process; ends this one where it fails."""
    run_program("audio-separator", None)


if __name__ == "__main__":
    main()
