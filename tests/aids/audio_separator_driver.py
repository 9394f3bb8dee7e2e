"""Runs the real audio-separator program, or calls its classes: a line of JSON with arguments in, a line with what came out.

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
from typing import Any

from tools.audio_separator_program import hollow_modules


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


def separator(options: dict[str, object]) -> object:
    return importlib.import_module("audio_separator.separator").Separator(log_level=logging.ERROR, **options)


def call(
    song: str, model: str | list[str] | None, options: dict[str, object], names: dict[str, str] | None = None
) -> dict[str, object]:
    """What a `Separator` tells of a model, and the files that it has made of a song."""
    made = separator(options)
    made.load_model(*([] if model is None else [model]))
    instance = made.model_instance
    stems = None if instance is None else [instance.primary_stem_name, instance.secondary_stem_name]
    return {"stems": stems, "name": made.model_friendly_name, "files": made.separate(song, names)}


def listed(models: str) -> dict[str, object]:
    made = separator({"model_file_dir": models, "info_only": True})
    return {
        "files": made.list_supported_model_files(),
        "simple": made.get_simplified_model_list(),
        "presets": made.list_ensemble_presets(),
    }


def answer(**request: Any) -> dict[str, object]:
    if "argv" in request:
        return run(**request)
    try:
        return listed(request["listed"]) if "listed" in request else call(**request)
    except Exception:  # noqa: BLE001  the test tells what it was
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    hollow_modules()
    # It builds a large network before it reads the one that is meant, and throws it away.
    vars(importlib.import_module("audio_separator.separator.architectures.demucs_separator"))["HDemucs"] = dict
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(answer(**json.loads(line))) + "\n")
        answers.flush()
