"""VR and MDX-Net models: their files, and the numbers without which a file is useless.

A `.pth` or `.onnx` file does not say what spectrum its network takes. That comes from, in this order, the fields of a
request, a file NAME.json beside it, or the table of known files (configs/vr_mdx/parameters.json), by the hash of the
file's last bytes or else by its name. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.errors import ConfigInvalid, ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.core.requests import AudioSeparatorLoad, AudioSeparatorSeparate
from utils.core.typed import decode
from utils.store.folders import ModelFolders, configs_folder
from utils.store.hashes import remembered_tail_md5
from utils.store.installed import public_details, require_installed
from utils.store.plain_files import Warn, files_in, ignore, open_file, size_of
from utils.store.records import ModelRecord
from utils.store.registry import Registry

WORKER = "audio-separator"
USUAL_COMPENSATION = 1.035

PAIRS = {
    "Vocals": "Instrumental",
    "Instrumental": "Vocals",
    "lead_only": "backing_only",
    "backing_only": "lead_only",
    "Primary Stem": "Secondary Stem",
}
NO = "No "

Count = Annotated[int, Meta(gt=0, le=1 << 20)]
LARGEST_GAIN = 1000.0
LARGEST_BYTES = 1 << 20  # of a file of numbers


@dataclass(frozen=True)
class VrParameters:
    """What a VR network needs besides its weights."""

    bands: str | Mapping[str, Any]  # the name of a file of band parameters, or the content of such a file
    capacity: tuple[int, int] | None = None  # of networks from version 5.1 on


@dataclass(frozen=True)
class MdxParameters:
    """What an MDX network needs besides its weights."""

    n_fft: int
    bins: int
    frames: int
    compensation: float  # the gain of the stem with which stem and rest add up to the song


@dataclass(frozen=True)
class AudioSeparatorSource:
    """A model whose file is there and whose numbers are known. `record` is what the registry knows of it, if anything."""

    name: str
    path: Path
    stems: tuple[str, str]
    parameters: VrParameters | MdxParameters
    record: ModelRecord | None
    identifier: str

    @property
    def family(self) -> str:
        return AUDIO_SEPARATOR_SUFFIXES[self.path.suffix]

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def traits(self) -> object:
        """What changes the result and is not in the file."""
        return (self.stems, self.parameters)


class ModelFields(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a model, with the names that requests, files beside models and public tables use."""

    primary_stem: str | None = None
    secondary_stem: str | None = None
    vr_model_param: str | dict[str, Any] | None = None
    nout: Count | None = None
    nout_lstm: Count | None = None
    mdx_n_fft_scale_set: Count | None = None
    mdx_dim_f_set: Count | None = None
    mdx_dim_t_set: Annotated[int, Meta(ge=1, le=16)] | None = None
    compensate: Annotated[float, Meta(gt=0, le=LARGEST_GAIN)] | None = None

    @property
    def describe_network(self) -> bool:
        """Whether they include what a network needs, and not only names of stems and the like."""
        return self.vr_model_param is not None or self.mdx_n_fft_scale_set is not None


NO_FIELDS = ModelFields()


def resolve_audio_separator(
    name: str, *, registry: Registry, folders: ModelFolders, fields: ModelFields = NO_FIELDS, offline: bool = False
) -> AudioSeparatorSource:
    """The model called `name`, from the registry or the models directory.

    Raises `UnknownModel`, `ModelNotInstalled` or `ConfigInvalid`, with what to do about it.
    """
    record, found = registry.find(name, WORKER), found_models(folders)
    if name in found and (record is None or name != record.name):
        return own_audio_separator(found[name], fields)
    if record is None:
        raise registry.unknown(name, [*registry.names(WORKER), *found])
    (path,) = require_installed(record, folders, offline=offline).values()
    return _source(path, fields, record)


def requested_audio_separator(
    request: AudioSeparatorLoad | AudioSeparatorSeparate,
    registry: Registry,
    folders: ModelFolders,
    *,
    offline: bool = False,
) -> AudioSeparatorSource:
    """The model that a request names: below the directory that it names, by a path of its own, or by name."""
    name = request.model or ""
    fields = ModelFields(
        **{field.name: getattr(request, field.name, None) for field in msgspec.structs.fields(ModelFields)}
    )
    folder = Path(request.model_file_dir).expanduser() if request.model_file_dir else None
    path = folder / name if folder is not None else Path(name).expanduser()
    if folder is not None or path.is_absolute() or path.is_file():
        return own_audio_separator(path, fields)
    return resolve_audio_separator(name, registry=registry, folders=folders, fields=fields, offline=offline)


def own_audio_separator(path: Path, fields: ModelFields = NO_FIELDS) -> AudioSeparatorSource:
    """The model in a file. Raises `ModelNotInstalled` or `ConfigInvalid`."""
    if not path.is_file():
        raise ModelNotInstalled(f"There is no model `{path}`.", field="model")
    if path.suffix not in AUDIO_SEPARATOR_SUFFIXES:
        raise ConfigInvalid(
            f"`{path.name}` is neither a VR network (`.pth`) nor an MDX network (`.onnx`).", field="model"
        )
    return _source(path, fields, None)


def list_audio_separator(
    registry: Registry, folders: ModelFolders, name: str | None = None, warn: Warn = ignore
) -> list[ModelDetails]:
    """All models, or just the one called `name`: those of the registry in its order, then the user's own."""
    public = registry.names(WORKER)
    own = {other: path for other, path in found_models(folders, warn).items() if other not in public}
    if name is None:
        listed = [public_details(registry.get(each, WORKER), folders) for each in public]
        return listed + [_found_details(path) for path in own.values()]
    if name in own:
        return [_found_details(own[name])]
    record = registry.find(name, WORKER)
    if record is None:
        raise registry.unknown(name, [*public, *own])
    return [public_details(record, folders)]


def found_models(folders: ModelFolders, warn: Warn = ignore) -> dict[str, Path]:
    """The user's own files in the models directory, by name."""
    found: dict[str, Path] = {}
    for folder in (folders.folder(WORKER), *folders.elsewhere(WORKER)):
        for path in files_in(folder, warn):
            if path.suffix in AUDIO_SEPARATOR_SUFFIXES and size_of(path) is not None:
                found.setdefault(path.name, path)
    return found


def other_stem(primary: str) -> str:
    """The name of what is left of a song without the primary stem."""
    if primary in PAIRS:
        return PAIRS[primary]
    return primary.replace(NO, "") if NO in primary else f"{NO}{primary}"


# Numbers ------------------------------------------------------------------------------------------------------------


class _KnownFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files, by hash or by name, and their numbers."""

    fields: ModelFields
    names: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()


@cache
def _table() -> tuple[_KnownFiles, ...]:
    path = configs_folder() / "vr_mdx" / "parameters.json"
    try:
        return decode(path.read_bytes(), tuple[_KnownFiles, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigInvalid(f"The table of known models `{path}` cannot be read: {error}.") from error


def is_published(path: Path) -> bool | None:
    """Whether the last bytes of a file are those of the published one of this name; None if those are not known."""
    rows = [row for row in _table() if path.name in row.names]
    if any(remembered_tail_md5(path) in row.hashes for row in rows):
        return True
    return False if any(len(row.hashes) >= len(row.names) for row in rows) else None


def _source(path: Path, requested: ModelFields, record: ModelRecord | None) -> AudioSeparatorSource:
    """The model in a file. What the request says takes precedence over what is known about the file."""
    known = NO_FIELDS if requested.describe_network else _beside(path) or _known(path)
    given = {name: value for name, value in msgspec.structs.asdict(requested).items() if value is not None}
    fields = msgspec.structs.replace(known, **given)
    primary = fields.primary_stem or "Vocals"
    stems = (primary, fields.secondary_stem or other_stem(primary))
    parameters = _parameters(path, fields)
    return AudioSeparatorSource(
        name=record.name if record is not None else path.name,
        path=path,
        stems=stems,
        parameters=parameters,
        record=record,
        identifier=f"{path.resolve()}@{path.stat().st_mtime_ns}:{(stems, parameters)}",
    )


def _beside(path: Path) -> ModelFields | None:
    """What a file beside the model says: NAME.json, or NAME.pth.json."""
    for beside in (path.with_suffix(".json"), path.with_name(f"{path.name}.json")):
        if beside.is_file():
            try:
                with open_file(beside) as file:
                    content = file.read(LARGEST_BYTES + 1)
                if len(content) > LARGEST_BYTES:
                    raise ConfigInvalid(f"`{beside.name}`, next to the model, is too large for a file of numbers.")
                return decode(content, ModelFields)
            except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise ConfigInvalid(f"`{beside.name}`, next to the model, is malformed: {error}.") from error
    return None


def _known(path: Path) -> ModelFields:
    """What the table says about the file, found by its hash or else by its name."""
    digest = remembered_tail_md5(path)
    rows = _table()
    return next(
        (row.fields for row in rows if digest in row.hashes),
        next((row.fields for row in rows if path.name in row.names), NO_FIELDS),
    )


def _parameters(path: Path, fields: ModelFields) -> VrParameters | MdxParameters:
    kind = AUDIO_SEPARATOR_SUFFIXES.get(path.suffix)
    if kind == "vr" and fields.vr_model_param is not None:
        is_from_5_1 = fields.nout is not None and fields.nout_lstm is not None
        return VrParameters(
            bands=fields.vr_model_param,
            capacity=(fields.nout or 0, fields.nout_lstm or 0) if is_from_5_1 else None,
        )
    if kind == "mdx" and fields.mdx_n_fft_scale_set and fields.mdx_dim_f_set and fields.mdx_dim_t_set:
        return MdxParameters(
            n_fft=fields.mdx_n_fft_scale_set,
            bins=fields.mdx_dim_f_set,
            frames=2**fields.mdx_dim_t_set,
            compensation=fields.compensate or USUAL_COMPENSATION,
        )
    needed = (
        '"vr_model_param" (such as "4band_v3") and "primary_stem", with "nout" and "nout_lstm" from version 5.1 on'
        if kind == "vr"
        else '"mdx_n_fft_scale_set", "mdx_dim_f_set", "mdx_dim_t_set", "compensate" and "primary_stem"'
    )
    raise ConfigInvalid(
        f"`{path.name}` is not a known model, so the spectrum that its network takes is unknown.",
        hint=f"Set {needed}, in the request or in `{path.stem}.json` next to the model.",
        field="model",
    )


def _found_details(path: Path) -> ModelDetails:
    stems: Iterable[str] = ()
    problem = ""
    try:
        stems = own_audio_separator(path).stems
    except ConfigInvalid as error:
        problem = error.message
    except OSError as error:
        problem = f"`{path.name}` cannot be read: {error.strerror}."
    return ModelDetails(
        name=path.name,
        type=AUDIO_SEPARATOR_SUFFIXES[path.suffix],
        stems=list(stems),
        description=problem or f"Your own, `{path.name}`.",
        installed=True,
        size_bytes=size_of(path),
        sdr=None,
        license=None,
    )
