"""Make a models directory of small networks with random weights, for programs that must run where no models are.

Each worker gets at least two models of each of its kinds, in the formats and places of real ones, so that
`--models-dir FOLDER` and a model's name are enough; Apollo and AudioSep are named by their files, as they usually are.
What is there already is left alone. What comes out of these networks is not a separation.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from utils.core.bootstrap import use_utf8

DEMUCS = ("tiny", "tiny_ft", "tiny_bag")
NETWORKS = ("bs_roformer", "mel_band_roformer", "scnet", "mdx23c")
VR = ("tiny_vr_vocals", "tiny_vr_instrumental")
MDX = ("tiny_mdx_vocals", "tiny_mdx_instrumental")
PRIMARY_STEMS = ("Vocals", "Instrumental")  # of the two VR and of the two MDX networks
APOLLO = ("tiny_apollo_a", "tiny_apollo_b")
AUDIOSEP = ("tiny_audiosep_a", "tiny_audiosep_b")


class Model(NamedTuple):
    """A model that was made: its name, and the fields by which `load_model`, `separate` or `apollo` name it."""

    name: str
    load: dict[str, str]


class Group(NamedTuple):
    """Models that are made together: which they are in a models directory, and what writes them into one."""

    models: Callable[[Path], list[Model]]
    files: tuple[str, ...]  # moved into place last: where they all are, the group is whole
    write: Callable[[Path], None]


# What is in a models directory ----------------------------------------------------------------------------------------


def _by_name(names: Iterable[str]) -> Callable[[Path], list[Model]]:
    models = [Model(name, {"model": name}) for name in names]
    return lambda _: models


def _apollo_models(folder: Path) -> list[Model]:
    files = {name: folder / "apollo" / name for name in APOLLO}
    return [
        Model(name, {"model_path": str(path.with_suffix(".ckpt")), "config_path": str(path.with_suffix(".yaml"))})
        for name, path in files.items()
    ]


def _audiosep_models(folder: Path) -> list[Model]:
    return [
        Model(
            name,
            {
                "config_path": str(folder / "audiosep" / name / "audiosep.yaml"),
                "checkpoint_path": str(folder / "audiosep" / name / "audiosep.ckpt"),
                "clap_checkpoint_path": str(folder / "audiosep" / name / "clap.pt"),
                "roberta_dir": str(folder / "audiosep" / name / "roberta"),
            },
        )
        for name in AUDIOSEP
    ]


# What writes it; torch is imported when something has to be written ---------------------------------------------------


def _write_demucs(folder: Path) -> None:
    from tools.make_checkpoint import make_repo  # noqa: PLC0415

    make_repo(folder / "demucs")


def _write_networks(folder: Path) -> None:
    from tools.make_network import write_network  # noqa: PLC0415

    for seed, kind in enumerate(NETWORKS, start=1):
        write_network(folder / "bsroformer", kind, name=f"tiny_{kind}", seed=seed)


def _write_vr(folder: Path) -> None:
    from tools.make_vr_mdx import make_vr  # noqa: PLC0415

    for seed, (name, stem) in enumerate(zip(VR, PRIMARY_STEMS, strict=True), start=1):
        make_vr(folder / "audio-separator", name, primary_stem=stem, seed=seed)


def _write_mdx(folder: Path) -> None:
    from tools.make_vr_mdx import make_mdx  # noqa: PLC0415

    for seed, (name, stem) in enumerate(zip(MDX, PRIMARY_STEMS, strict=True), start=1):
        make_mdx(folder / "audio-separator", name, primary_stem=stem, seed=seed)


def _write_apollo(folder: Path) -> None:
    from tools.make_network import write_network  # noqa: PLC0415

    for seed, name in enumerate(APOLLO, start=1):
        write_network(folder / "apollo", "apollo", name=name, seed=seed)


def _write_audiosep(folder: Path) -> None:
    from tools.make_audiosep import write_audiosep  # noqa: PLC0415

    for seed, name in enumerate(AUDIOSEP, start=1):
        write_audiosep(folder / "audiosep" / name, seed=10 * seed)


# The table: worker, kind, group. A worker of one kind has no name for it.
GROUPS: dict[str, dict[str, Group]] = {
    "demucs": {"": Group(_by_name(DEMUCS), tuple(f"demucs/{name}.yaml" for name in DEMUCS), _write_demucs)},
    "bsroformer": {
        "": Group(
            _by_name(f"tiny_{kind}" for kind in NETWORKS),
            tuple(f"bsroformer/tiny_{kind}.yaml" for kind in NETWORKS),
            _write_networks,
        )
    },
    "audio-separator": {
        "vr": Group(
            _by_name(f"{name}.pth" for name in VR), tuple(f"audio-separator/{name}.json" for name in VR), _write_vr
        ),
        "mdx": Group(
            _by_name(f"{name}.onnx" for name in MDX), tuple(f"audio-separator/{name}.json" for name in MDX), _write_mdx
        ),
        "apollo": Group(_apollo_models, tuple(f"apollo/{name}.yaml" for name in APOLLO), _write_apollo),
    },
    "audiosep": {
        "": Group(_audiosep_models, tuple(f"audiosep/{name}/audiosep.yaml" for name in AUDIOSEP), _write_audiosep)
    },
}


def make_models(folder: Path, workers: Iterable[str] = tuple(GROUPS)) -> dict[str, Any]:
    """Fill a models directory for these workers; what is in it, as the program prints it."""
    folder = folder.expanduser().absolute()
    made: dict[str, Any] = {}
    for worker in workers:
        entries: dict[str, list[dict[str, Any]]] = {}
        for kind, group in GROUPS[worker].items():
            if not all((folder / file).is_file() for file in group.files):
                _make(folder, group)
            entries[kind] = [{"name": model.name, "load": dict(model.load)} for model in group.models(folder)]
        made[worker] = entries.get("", entries)
    return {"folder": str(folder), "models": made}


def _make(folder: Path, group: Group) -> None:
    """Write a group aside and move its files into place: nobody ever sees half a file, and none is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as name:
        aside = Path(name)
        group.write(aside)
        last = [aside / file for file in group.files]
        written = [path for path in aside.rglob("*") if path.is_file()]
        for path in [*(path for path in written if path not in last), *last]:
            target = folder / path.relative_to(aside)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)  # noqa: PTH105 - overwrites on Windows too, if another process was faster


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tools.make_models", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the models directory to fill; made if need be")
    parser.add_argument(
        "--worker",
        action="append",
        choices=list(GROUPS),
        metavar="NAME",
        help=f"only the models of this worker: {', '.join(GROUPS)}; may be given several times",
    )
    options = parser.parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    try:
        made = make_models(options.folder, options.worker or tuple(GROUPS))
    except OSError as error:
        sys.stderr.write(
            f"The models cannot be written to `{options.folder}`: {error.strerror}. Name another folder.\n"
        )
        return 1
    sys.stdout.write(json.dumps(made, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
