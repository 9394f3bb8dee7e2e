"""Shared by the tests of recipes: an engine with tiny models of every family, recipes, and the same steps through files."""

from pathlib import Path

import numpy as np
import soundfile

from utils.core.job import Job
from utils.core.recipe_checks import check_recipe
from utils.core.recipes import read_recipe
from utils.core.requests import DsuSeparate, ListModels
from utils.core.settings import Settings
from utils.engine.programs import make_engine

RATE = 44100


class RecipeCase:
    """One engine, and a folder to work in."""

    def __init__(self, models, folder, **settings):
        self.folder = folder
        self.engine = make_engine("dsu", Settings(models_dir=models, device="cpu", threads=1, **settings))
        self.engine.start()
        self._count = 0

    def out(self):
        self._count += 1
        return str(self.folder / f"out{self._count}")

    def request(self, song, steps, outputs, **fields):
        fields = {"output": self.out(), "pcm_type": "FLOAT", "clip": "none", **fields}
        recipe = {"steps": steps, "outputs": outputs, **fields.pop("document", {})}
        return DsuSeparate(input=str(song), recipe=recipe, **fields)

    def run(self, song, steps, outputs, job=None, **fields):
        """Run a recipe; returns the reply and the outputs (channels, samples) by name."""
        done = self.engine.separate(self.request(song, steps, outputs, **fields), job or Job())
        return done, {name: samples(path) for name, path in done.paths.items()}

    def alone(self, song, **step):
        """What one step gives of a file, as float WAV files: the path of each stem."""
        models = self.engine.list_models(ListModels(details=True)).details
        recipe = read_recipe({"steps": {"step": step}, "outputs": {"x": "step.rest"}}, "alone")
        request = check_recipe(recipe, models).uses["step"].request
        fields = {name: getattr(request, name) for name in request.__struct_fields__}
        fields |= {"input": str(song), "pcm_type": "FLOAT", "clip": "none"}
        place = "output_dir" if "output_dir" in fields and type(request).__name__ == "AudioSepSeparate" else "output"
        done = self.engine.separate(type(request)(**{**fields, place: self.out()}), Job())
        return {name: Path(path) for name, path in done.paths.items()}


def samples(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def write(path, sound, rate=RATE):
    soundfile.write(path, sound.T, rate, subtype="FLOAT")
    return path


def sdr_db(reference, estimate):
    noise = np.sum((reference.astype(np.float64) - estimate) ** 2)
    return np.inf if noise == 0 else 10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / noise)
