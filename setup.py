"""`python setup.py build_exe`, for those who expect it. The recipe is build_dsu.py, which gets all other arguments."""

from __future__ import annotations

import sys

import build_dsu

COMMAND = "build_exe"


def main(words: list[str]) -> int:
    if words[:1] != [COMMAND]:
        sys.stderr.write(
            f"This project is frozen, not installed: use `python setup.py {COMMAND}` or `python3 run.py build`.\n"
        )
        return 2
    return build_dsu.main(words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
