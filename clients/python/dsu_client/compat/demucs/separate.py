"""The command line of demucs, done by the program dsu-demucs."""

from __future__ import annotations

from collections.abc import Sequence

from dsu_client.compat.host import run_program


def main(opts: Sequence[str] | None = None) -> None:
    """Run the program with these arguments, or those of this process; ends this one where it fails."""
    run_program("demucs", opts)


if __name__ == "__main__":
    main()
