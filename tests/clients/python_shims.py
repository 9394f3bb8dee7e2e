"""What the tests of compatible modules share: small models, a song, programs that import them under their own names."""

import ast
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import dsu_client
import soundfile
from python_workers import RATE, ROOT, song

from tools.fixtures.models import make_models
from tools.fixtures.networks import write_network


def small_models(folder):
    """A models directory with small models of every family, and `target`, a network of one stem."""
    make_models(folder, ["demucs", "bsroformer", "audio-separator"])
    write_network(folder / "bsroformer", "mel_band_roformer", name="target", stems=["vocals", "other"], target="vocals")
    return folder


def write_track(folder, name="song.wav", seconds=2.0):
    """A stereo song of 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / name, song(seconds).T, RATE)
    return folder / name


def plain_signature(call):
    """Names, and defaults of plain types; another default is only there."""
    rows = list(inspect.signature(call).parameters.values())
    plain = (str, int, float, dict, list, type(None))
    return [(row.name, row.default if isinstance(row.default, plain) else "…") for row in rows if row.name != "self"]


def signature_in_source(module, name, method):
    """The same of a method in the source of a package that is installed without what it needs."""
    package = importlib.util.find_spec(module.partition(".")[0])
    path = Path(package.submodule_search_locations[0]).joinpath(*module.split(".")[1:]).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    made = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    found = next(node for node in made.body if isinstance(node, ast.FunctionDef) and node.name == method)
    names = [argument.arg for argument in found.args.args][1:]
    defaults = [_value(default) for default in found.args.defaults]
    return list(zip(names, ["…"] * (len(names) - len(defaults)) + defaults, strict=True))


def _value(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return "…"


def program(folder, *words, **variables):
    """Python with the installed packages before all others, and this client."""
    path = os.pathsep.join([str(folder), str(Path(dsu_client.__file__).parents[1])])
    env = {**os.environ, "PYTHONPATH": path, "DSU_HOME": str(ROOT), "DSU_OFFLINE": "1", **variables}
    return subprocess.run([sys.executable, *map(str, words)], env=env, capture_output=True, text=True, check=False)
