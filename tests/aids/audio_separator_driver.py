"""Runs the real audio-separator program: a line of JSON with its arguments in, a line with what it did out.

This file is run by the Python of an environment that has the program (see `audio_separator_peer.py`), once for many cases,
because its imports take seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import sys
import traceback
import types


def run(argv: list[str], folder: str, models: str) -> dict[str, object]:
    """The exit status of one run, and what it wrote to both streams."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("audio_separator"):
            logging.getLogger(name).handlers.clear()
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["audio-separator", *argv]
    os.chdir(folder)
    os.environ["AUDIO_SEPARATOR_MODEL_DIR"] = models
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            importlib.import_module("audio_separator.utils.cli").main()
            status: object = 0
        except SystemExit as end:
            status = end.code
        except BaseException:  # noqa: BLE001  as the interpreter would end
            traceback.print_exc()
            status = 1
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


# What the program imports for layers and checkpoints that no model here has: a compiler and gigabytes less to install.
HOLLOW = {
    "torchvision": (),
    "torchvision.ops": ("roi_align",),
    "diffq": ("DiffQuantizer", "UniformQuantizer", "restore_quantized_state"),
}


def hollow_modules() -> None:
    for name, contents in HOLLOW.items():
        module = types.ModuleType(name)
        vars(module).update(dict.fromkeys(contents))
        sys.modules[name] = module
        folder, _, own = name.rpartition(".")
        if folder:
            setattr(sys.modules[folder], own, module)


if __name__ == "__main__":
    hollow_modules()
    # It builds a large network before it reads the one that is meant, and throws it away.
    vars(importlib.import_module("audio_separator.separator.architectures.demucs_separator"))["HDemucs"] = dict
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(run(**json.loads(line))) + "\n")
        answers.flush()
