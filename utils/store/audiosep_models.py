"""The files of a network that separates what a text describes: the network, CLAP for the text, RoBERTa's vocabulary.

Each part is the one that a request names, or else that of the public model in the models directory. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from utils.core.catalogue import DEFAULT_AUDIOSEP
from utils.core.errors import ConfigInvalid, ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.store.folders import ModelFolders, configs_folder
from utils.store.installed import public_details, require_installed
from utils.store.records import ModelRecord
from utils.store.registry import Registry

WORKER = "audiosep"
SIZES = "config.json"
VOCABULARY = ("vocab.json", "merges.txt")
TOKENIZER = "tokenizer.json"  # has the content of both


@dataclass(frozen=True)
class NamedParts:
    """What a request names: a model, and parts to use instead of the model's."""

    model: str | None = None
    config: Path | None = None
    checkpoint: Path | None = None
    clap: Path | None = None
    roberta: Path | None = None

    @property
    def any(self) -> bool:
        return self != NamedParts()


@dataclass(frozen=True)
class AudioSepSource:
    """A network whose parts are all there. `record` is that of the public model, None if a part of it was replaced."""

    name: str
    config: Path
    checkpoint: Path
    clap: Path
    roberta: Path
    stems: tuple[str, ...]
    record: ModelRecord | None

    @property
    def family(self) -> str:
        return "audiosep"

    @property
    def files(self) -> tuple[Path, ...]:
        tokens = [self.roberta / name for name in (*VOCABULARY, TOKENIZER)]
        return (self.checkpoint, self.config, self.clap, self.roberta / SIZES, *filter(Path.is_file, tokens))

    @property
    def traits(self) -> object:
        """Nothing but its files changes the result."""
        return None

    @property
    def identifier(self) -> str:
        """The current state of the files."""
        return "+".join(f"{path.resolve()}@{path.stat().st_mtime_ns}" for path in self.files)


def resolve_audiosep(
    named: NamedParts, *, registry: Registry, folders: ModelFolders, offline: bool = False
) -> AudioSepSource:
    """The parts of a network. Raises `UnknownModel`, `ModelNotInstalled` or `ConfigInvalid`, with what to do about it."""
    record = registry.get(named.model or DEFAULT_AUDIOSEP, WORKER)
    if record.config is None or len(record.files) < 3:
        raise ConfigInvalid(
            f"In the list of models, `{record.name}` must have a configuration and files for three parts."
        )
    config = named.config or configs_folder() / record.config
    if not config.is_file():
        raise ConfigInvalid(f"There is no configuration `{config}`.", field="config_path")
    for path, field, what in (
        (named.checkpoint, "checkpoint_path", "the network that separates"),
        (named.clap, "clap_checkpoint_path", "the CLAP checkpoint"),
    ):
        if path is not None and not path.is_file():
            raise ModelNotInstalled(
                f"There is no file `{path}`.",
                hint=f"`{field}` names {what}; without it, the one in the models directory is used.",
                field=field,
            )
    network, clap, *tokens = record.files
    parts = ((named.checkpoint, [network]), (named.clap, [clap]), (named.roberta, tokens))
    own = tuple(file for given, files in parts if given is None for file in files)
    paths = require_installed(msgspec.structs.replace(record, files=own), folders, offline=offline) if own else {}
    checkpoint = named.checkpoint or paths[network.name]
    roberta = named.roberta or paths[SIZES].parent
    _require_roberta(roberta)
    return AudioSepSource(
        name=record.name if named.checkpoint is None else checkpoint.stem,
        config=config,
        checkpoint=checkpoint,
        clap=named.clap or paths[clap.name],
        roberta=roberta,
        stems=record.stems,
        record=record if len(own) == len(record.files) else None,
    )


def list_audiosep(registry: Registry, folders: ModelFolders, name: str | None = None) -> list[ModelDetails]:
    """All models, or just the one called `name`."""
    names = registry.names(WORKER) if name is None else [name]
    return [public_details(registry.get(each, WORKER), folders) for each in names]


def _require_roberta(folder: Path) -> None:
    """The transformer's sizes, and its tokens in either form."""
    needed = (SIZES,) if (folder / TOKENIZER).is_file() else (SIZES, *VOCABULARY)
    missing = [f"`{name}`" for name in needed if not (folder / name).is_file()]
    if missing:
        raise ModelNotInstalled(
            f"The folder `{folder}` lacks {', '.join(missing)} of roberta-base.",
            hint="Put them there, or leave `roberta_dir` out to use the folder in the models directory, which "
            f'{{"cmd":"download_model","model":"{DEFAULT_AUDIOSEP}"}} fills.',
            field="roberta_dir",
        )
