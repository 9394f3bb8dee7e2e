"""`python setup.py build_exe`, for those who expect it; `pip install .` gets an explanation.

The recipe is build_dsu.py, which gets all other arguments.
"""

from __future__ import annotations

import sys

import build_dsu

COMMAND = "build_exe"
# pip shows this as the only output of setup.py. docs/building.md has the reasons.
ADVICE = (
    "DSU is not installed with pip. Start its programs with `python3 run.py worker NAME`, or build programs that need no "
    "Python with `python3 run.py build`. To drive DSU from Python, `pip install ./clients/python`.\n"
)


def main(words: list[str]) -> int:
    if words[:1] != [COMMAND]:
        sys.stderr.write(ADVICE)
        return 2
    return build_dsu.main(words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
