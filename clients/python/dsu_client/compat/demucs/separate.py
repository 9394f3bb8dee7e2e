"""The command line of demucs, done by the program dsu-demucs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from dsu_client.locate import clean_environment, find_program


def main(opts: Sequence[str] | None = None) -> None:
    """Run the program with these arguments, or those of this process; ends this one where it fails."""
    words = list(sys.argv[1:] if opts is None else opts)
    sys.stdout.flush()
    done = subprocess.run([*find_program("demucs"), *words], env=clean_environment(), check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
