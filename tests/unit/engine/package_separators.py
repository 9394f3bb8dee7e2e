"""The separation classes of the audio-separator package, to compare ours with: whole songs, in memory.

Of the package's program, with its lists and downloads, nothing is imported. librosa, which brings a compiler along, comes from
the environment of that program.
"""

import functools
import importlib
import importlib.util
import logging
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np

from tools.peers import peers_packages

SMALLEST_KIB = 31191
ARCHITECTURES = "audio_separator.separator.architectures"
UNUSED = ("audioread", "pydub", "six", "onnx", "onnx2torch")  # what is imported and not called here


@functools.cache
def separator_class(module, name):
    folder = Path(importlib.util.find_spec("audio_separator").origin).parent
    hollow = ModuleType("audio_separator.separator")
    hollow.__path__ = [str(folder / "separator")]
    librosa()
    stand_ins = {name: stand_in(name) for name in UNUSED}
    before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules.update(stand_ins | {"audio_separator.separator": hollow})
        try:
            found = getattr(importlib.import_module(f"{ARCHITECTURES}.{module}"), name)
        finally:
            for other in [other for other in sys.modules if other.startswith("audio_separator")]:
                del sys.modules[other]
            for other in stand_ins:
                del sys.modules[other]
            sys.modules.update(before)
    found._detect_roformer_model = lambda self: False  # it would import the whole program
    return found


@functools.cache
def librosa():
    sys.path.append(str(peers_packages()))  # last: what both have is ours
    return importlib.import_module("librosa")


def stand_in(name):
    module = ModuleType(name)
    module.PY2 = False  # six
    module.AudioSegment = None  # pydub
    return module


# The separators ------------------------------------------------------------------------------------------------------


def common_config(path, model_data):
    logger = logging.getLogger("audio-separator")
    logger.setLevel(logging.ERROR)
    return {
        "logger": logger,
        "log_level": logging.ERROR,
        "torch_device": "cpu",
        "model_name": path.stem,
        "model_path": str(path),
        "model_data": model_data,
        "output_dir": str(path.parent),
        "output_format": "wav",
        "normalization_threshold": 0.9,
        "amplification_threshold": 0.0,
        "sample_rate": 44100,
        "invert_using_spec": False,
        "onnx_execution_provider": ["CPUExecutionProvider"],
    }


def vr_separator(path, model_data, **options):
    """The package's separator for a VR network."""
    kind = separator_class("vr_separator", "VRSeparator")
    separator = kind(common_config(path, model_data), {"window_size": 320, **options})
    separator.wav_subtype = "FLOAT"
    return separator


def vr_stems(separator, song, *, net=None):
    """The primary and the secondary stem of a song's file, (2, channels, samples). `net` replaces its network."""
    if net is not None:
        separator.model_run = net
    else:
        separator._ensure_model_loaded(SMALLEST_KIB)
    separator.audio_file_path = str(song)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spectra = separator.inference_vr(separator.loading_mix(), "cpu", separator.aggressiveness)
        return np.stack([separator.spec_to_wav(np.nan_to_num(part, posinf=0.0, neginf=0.0)) for part in spectra])


def mdx_separator(path, model_data, **options):
    """The package's separator for an MDX network, which it runs with the number of frames in its file."""
    kind = separator_class("mdx_separator", "MDXSeparator")
    defaults = {"segment_size": 2 ** model_data["mdx_dim_t_set"], "overlap": 0.25, "hop_length": 1024}
    return kind(common_config(path, model_data), {**defaults, "enable_denoise": False, "batch_size": 1, **options})


def mdx_stems(separator, song):
    """The primary and the secondary stem of a song (2, samples), as loud as the package makes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peak = np.abs(song).max()
        mix = song * (0.9 / peak) if peak > 0.9 else song
        primary = separator.demix(mix) * peak
    return np.stack([primary, mix - primary * separator.compensate])


def package_function(name):
    """A function of the package's module for spectra."""
    return sys_module_of(separator_class("vr_separator", "VRSeparator"), "spec_utils", name)


def sys_module_of(kind, module, name):
    """What the file of a class has imported."""
    return getattr(kind.separate.__globals__[module], name)
