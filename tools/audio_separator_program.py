"""The program of the audio-separator package, without what it imports in vain.

Run by the Python of the environment of peers: `python -m tools.audio_separator_program WORDS`.
"""

from __future__ import annotations

import importlib
import sys
import types

# What it imports for layers and checkpoints that no model here has: a compiler and gigabytes less to install.
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
    sys.argv[0] = "audio-separator"
    importlib.import_module("audio_separator.utils.cli").main()
