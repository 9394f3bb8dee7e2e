"""`get_model`: a model as programs hold it, a name and what is known of it. The worker has the network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from dsu_client.compat.configuration import list_of, number_of
from dsu_client.compat.host import with_models, worker
from dsu_client.errors import ModelError

from .apply import BagOfModels
from .repo import ModelLoadingError

DEFAULT_MODEL = "htdemucs"
SOURCES = ["drums", "bass", "other", "vocals"]
# How many networks the published bags have, and the seconds of their segments where they are not those of htdemucs.
MEMBERS = dict.fromkeys(("htdemucs_ft", "mdx", "mdx_extra", "mdx_q", "mdx_extra_q", "repro_mdx_a"), 4)
SEGMENT_S = 7.8
LONG_SEGMENT_S = 44.0


def get_model(name: str, repo: Path | None = None) -> BagOfModels:
    """Load a model in the worker, or raise `ModelLoadingError`."""
    return load_for(None, name, repo)


def load_for(device: object, name: str, repo: Path | None) -> BagOfModels:
    """`get_model` on a device that is known already."""
    check_repo(repo)
    try:
        return load(name, repo, device)
    except ModelError as error:
        raise ModelLoadingError(str(error)) from error


def load(name: str, repo: Path | None, device: object) -> BagOfModels:
    """Load a model in the worker of a device; its errors are those of the client."""
    where = worker(device)
    if repo is None:
        reply = with_models(where, [name], lambda: where.load_model(family="demucs", model=name))
    else:
        reply = where.load_model(family="demucs", model=name, repo=str(repo))
    members, segment = _described(name, repo)
    return BagOfModels(name, repo, reply["stems"], members, segment).to(device)


def check_repo(repo: Path | None) -> None:
    """End the program where the folder of models is none, as demucs does."""
    if repo is not None and not Path(repo).is_dir():
        fatal(f"{repo} must exist and be a directory.")


def fatal(*words: object) -> NoReturn:
    """Say what is wrong and end the program."""
    sys.stderr.write(f"error: {' '.join(map(str, words))}\n")
    sys.exit(1)


def _described(name: str, repo: Path | None) -> tuple[int, float]:
    """The number of networks in a bag, and the seconds of a segment."""
    bag = Path(repo) / f"{name}.yaml" if repo is not None else None
    if bag is None or not bag.is_file():
        return MEMBERS.get(name, 1), SEGMENT_S if name.startswith("htdemucs") or repo else LONG_SEGMENT_S
    text = bag.read_text(encoding="utf-8")
    segment = number_of(text, "segment")
    return max(1, len(list_of(text, "models"))), SEGMENT_S if segment is None else segment
