"""The manifest: what is to be separated, and how. All rows are read and checked before anything starts, and all faults are told together.

A source is a folder, a glob, a song, a list of songs (`.txt`), or a table (`.csv`, `.jsonl`, `.parquet`) with a column `input`. Any other column is a
field of the protocol's `separate`; `output` names the folder of the row's stems. Rows go by one at a time, however many there are.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from utils.cluster.storage import FoundSong, Options, found_of, open_place, protocol_of, said
from utils.core.catalogue import DEFAULT_NETWORK, NAMES_MODELS, FamilyName, family_of
from utils.core.errors import DsuError, InvalidRequest, did_you_mean, nearest
from utils.core.many_files import AUDIO_EXTENSIONS, VIDEO_EXTENSIONS
from utils.core.replies import ModelDetails
from utils.serving import messages
from utils.serving.commands.dsu import GROUP

SONGS = AUDIO_EXTENSIONS | VIDEO_EXTENSIONS
TABLES = (".csv", ".jsonl", ".ndjson", ".parquet", ".txt", ".m3u", ".m3u8")
INPUT, OUTPUT = "input", "output"
# What the batch says itself for every song.
OWN = frozenset(
    {
        *(
            "cmd",
            "id",
            "strict",
            "debug",
            "inputs",
            "output_dir",
            "overwrite",
            "resume",
            "progress",
            "stream",
            "start_at",
            "share",
            "shares",
        ),
        *("jobs", "report_theme", "report_scale"),
    }
)
AT_ONCE = 512  # rows that are looked for together
LOOKS = 32  # questions to a store at the same time
WORTH_LISTING = 4  # songs of one folder, from which on it is listed
LONGEST_ROW_BYTES = 1 << 20


class ManifestRow(NamedTuple):
    """A row as it was read: where, the song, the folder for its stems if it is named, and the fields of the request."""

    place: str
    url: str
    name: str | None
    fields: dict[str, Any]


class Checked(NamedTuple):
    """A row that can be done."""

    place: str
    found: FoundSong
    name: str
    fields: dict[str, Any]


class Fault(NamedTuple):
    """What is wrong with a row or a source."""

    place: str
    message: str


# Reading ------------------------------------------------------------------------------------------------------------


def rows(sources: Iterable[str], options: Options, leave_out: str | None = None) -> Iterator[ManifestRow | Fault]:
    """All rows of all sources, in order. Folders and patterns have nothing of `leave_out`, the output."""
    if leave_out is not None:
        fs, path = open_place(leave_out, options)
        leave_out = str(fs.unstrip_protocol(path)).rstrip("/")
    for source in sources:
        try:
            yield from _rows_of(source, options, leave_out)
        except Exception as error:  # noqa: BLE001 - the edge to file systems: whatever they raise is a fault of the source
            yield Fault(source, f"It cannot be read: {error.message if isinstance(error, DsuError) else said(error)}")


def _rows_of(source: str, options: Options, leave_out: str | None) -> Iterator[ManifestRow | Fault]:
    fs, path = open_place(source, options)
    suffix = PurePosixPath(path).suffix.lower()
    if any(mark in path for mark in "*?[") and not fs.exists(path):
        urls = sorted(str(fs.unstrip_protocol(name)) for name in fs.glob(path) if _is_song(name))
        found = [url for url in urls if leave_out is None or not url.startswith(f"{leave_out}/")]
        if not found:
            yield Fault(source, "No audio file matches.")
        yield from (ManifestRow(source, url, None, {}) for url in found)
    elif fs.isdir(path) and str(fs.unstrip_protocol(path)).rstrip("/") == leave_out:
        yield Fault(source, "The songs lie where the stems would: choose another --out.")
    elif fs.isdir(path):
        yield from _songs_below(source, fs, path.rstrip("/"), leave_out)
    elif suffix in TABLES:
        read = READERS.get(suffix, _list)
        how = (
            {"mode": "rb"} if read in (_json_lines, _parquet) else {"mode": "r", "encoding": "utf-8-sig", "newline": ""}
        )
        with fs.open(path, **how) as file:
            for row in read(source, file):
                yield row._replace(url=_beside(row.url, fs, path)) if isinstance(row, ManifestRow) else row
    else:
        yield ManifestRow(source, str(fs.unstrip_protocol(path)), None, {})


def _songs_below(source: str, fs: Any, root: str, leave_out: str | None) -> Iterator[ManifestRow | Fault]:
    """A folder's songs in order, with names as the folders are. Hidden folders, links to folders and the output are left out."""
    is_empty = True
    for path in _files_below(fs, root, leave_out):
        is_empty = False
        inside = PurePosixPath(path).relative_to(root)
        yield ManifestRow(source, str(fs.unstrip_protocol(path)), str(inside.with_suffix("")), {})
    if is_empty:
        yield Fault(source, "There is no audio file in this folder.")


def _files_below(fs: Any, folder: str, leave_out: str | None) -> Iterator[str]:
    for entry in sorted(fs.ls(folder, detail=True), key=lambda each: str(each["name"])):
        path = str(entry["name"])
        if entry["type"] == "file" and _is_song(path):
            yield path
        is_folder = entry["type"] == "directory" and not entry.get("islink")
        if is_folder and not PurePosixPath(path).name.startswith(".") and str(fs.unstrip_protocol(path)) != leave_out:
            yield from _files_below(fs, path, leave_out)


def _is_song(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix[1:].lower() in SONGS and not path.name.startswith(".")


def _csv(source: str, file: Any) -> Iterator[ManifestRow | Fault]:
    table = csv.DictReader(file, strict=True)
    if INPUT not in (table.fieldnames or ()):
        yield _no_column(source, table.fieldnames or ())
        return
    lines = iter(table)
    while True:
        try:
            values: dict[Any, Any] | None = next(lines, None)
        except (csv.Error, UnicodeDecodeError) as error:
            yield Fault(
                f"{source}, line {table.line_num}", f"The line is not CSV in UTF-8: {error}. What follows was not read."
            )
            return
        if values is None:
            return
        place = f"{source}, line {table.line_num}"
        if None in values:
            yield Fault(place, "The line has more values than the table has columns. Quote values with commas.")
        else:
            yield _row(place, {name: _unquoted(text) for name, text in values.items() if text})


def _unquoted(text: str) -> Any:
    """A value of a CSV: an object or a list of JSON as such, all else as text, which the protocol understands."""
    if text[:1] in "{[":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _json_lines(source: str, file: Any) -> Iterator[ManifestRow | Fault]:
    for number in itertools.count(1):
        line = file.readline(LONGEST_ROW_BYTES)
        if not line:
            return
        place = f"{source}, line {number}"
        if not line.strip():
            continue
        if len(line) == LONGEST_ROW_BYTES and not line.endswith(b"\n"):
            yield Fault(place, f"The line is longer than {LONGEST_ROW_BYTES} bytes. What follows was not read.")
            return
        try:
            yield _row(place, messages.parse(line.rstrip(b"\n")))
        except DsuError as error:
            yield Fault(place, error.message)


def _parquet(source: str, file: Any) -> Iterator[ManifestRow | Fault]:
    from pyarrow import parquet

    table = parquet.ParquetFile(file)
    if INPUT not in table.schema_arrow.names:
        yield _no_column(source, table.schema_arrow.names)
        return
    number = 0
    for batch in table.iter_batches(batch_size=1024):
        for values in batch.to_pylist():
            number += 1
            yield _row(f"{source}, row {number}", {name: value for name, value in values.items() if value is not None})


def _list(source: str, file: Any) -> Iterator[ManifestRow | Fault]:
    for number, text in enumerate(file, 1):
        url = text.strip()
        if url and not url.startswith("#"):
            yield ManifestRow(f"{source}, line {number}", url, None, {})


READERS: dict[str, Callable[[str, Any], Iterator[ManifestRow | Fault]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}


def _no_column(source: str, names: Iterable[str]) -> Fault:
    near = nearest(INPUT, names) or [name for name in names if name.lower() in ("path", "file", "url", "song", "track")]
    return Fault(source, f"The table has no column `{INPUT}`, which names the song of each row.{did_you_mean(near)}")


def _row(place: str, values: Mapping[str, Any]) -> ManifestRow | Fault:
    fields = dict(values)
    url, name = fields.pop(INPUT, None), fields.pop(OUTPUT, None)
    if not isinstance(url, str) or not url.strip():
        return Fault(place, f"`{INPUT}` must name a song.")
    if name is not None and not isinstance(name, str):
        return Fault(place, f"`{OUTPUT}` must be the name of a folder.")
    return ManifestRow(place, url.strip(), name, fields)


def _beside(url: str, fs: Any, manifest: str) -> str:
    """Songs with relative names lie beside the manifest that names them."""
    if "://" in url or PurePosixPath(url).is_absolute() or Path(url).is_absolute():
        return url
    return str(fs.unstrip_protocol(f"{manifest.rpartition('/')[0]}/{url}"))


# Checking -----------------------------------------------------------------------------------------------------------


class KnownModels:
    """The models and recipes that rows may name."""

    def __init__(self, details: Iterable[ModelDetails], recipes: Iterable[str]) -> None:
        self._models = {model.name: model for model in details}
        for model in list(self._models.values()):
            for alias in model.aliases or ():
                self._models.setdefault(alias, model)
        self._recipes = frozenset(recipes)
        self.licences = {name: model.license for name, model in self._models.items()}

    def family_of(self, model: str | None) -> FamilyName | None:
        found = self._models.get(model or "")
        return None if found is None else family_of(found.type)

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raise `InvalidRequest` for a name that nobody knows."""
        recipe, model = fields.get("recipe"), fields.get("model")
        if isinstance(recipe, str) and not _is_file(recipe) and recipe not in self._recipes:
            raise InvalidRequest(f"There is no recipe `{recipe}`.{did_you_mean(nearest(recipe, self._recipes))}")
        if isinstance(model, str) and model not in self._models and not _is_file(model) and "family" not in fields:
            raise InvalidRequest(f"There is no model `{model}`.{did_you_mean(nearest(model, self._models))}")


def _is_file(name: str) -> bool:
    return (
        "/" in name or "\\" in name or Path(name).suffix in (".yaml", ".yml", ".json", ".onnx", ".pth", ".ckpt", ".th")
    )


def request_of(fields: Mapping[str, Any], common: Mapping[str, Any], models: KnownModels) -> dict[str, Any]:
    """The fields of a row's request, with those of the command line where it says nothing. Raises `DsuError`."""
    own = {name: value for name, value in fields.items() if value is not None and value != ""}
    named = own.keys() & set(NAMES_MODELS)
    merged = {**{name: value for name, value in common.items() if not (named and name in NAMES_MODELS)}, **own}
    for name in merged:
        if name in OWN:
            raise InvalidRequest(f"`{name}` is for the batch to say. Leave out this column.", field=name)
    if not any(merged.get(name) for name in NAMES_MODELS):
        merged["model"] = DEFAULT_NETWORK
    models.check(merged)
    form, narrowed = GROUP.commands["separate"].form_of(merged, models)
    decoded = messages.decode({**narrowed, "input": "song", "output_dir": "stems"}, form.request, strict=True)
    form.check(decoded.request)
    # As the worker reads them, so that `"8"` in a table and 8 in another are the same settings.
    told: dict[str, Any] = msgspec.to_builtins(decoded.request)
    return {name: told.get(name, value) for name, value in merged.items()}


def checked(
    found: Iterable[ManifestRow | Fault], common: Mapping[str, Any], models: KnownModels, options: Options
) -> Iterator[Checked | Fault]:
    """Each row, checked. Songs are looked for many at a time."""
    known: dict[str, dict[str, Any] | str] = {}  # most rows have the settings of others
    with ThreadPoolExecutor(LOOKS, thread_name_prefix="dsu-look") as pool:
        for batch in _batched(found, AT_ONCE):
            places = _look({row.url for row in batch if isinstance(row, ManifestRow)}, options, pool)
            for row in batch:
                yield row if isinstance(row, Fault) else _checked(row, common, models, places, known)


def _checked(
    row: ManifestRow,
    common: Mapping[str, Any],
    models: KnownModels,
    places: Mapping[str, FoundSong | str],
    known: dict[str, dict[str, Any] | str],
) -> Checked | Fault:
    settings = json.dumps(row.fields, sort_keys=True, default=str)
    if settings not in known:
        if len(known) > 10_000:
            known.clear()
        try:
            known[settings] = request_of(row.fields, common, models)
        except DsuError as error:
            known[settings] = error.message
    request, place = known[settings], places[row.url]
    faults = [each for each in (request, place) if isinstance(each, str)]
    name = row.name if row.name is not None else PurePosixPath(row.url.replace("\\", "/")).stem
    parts = PurePosixPath(name).parts
    if not parts or name.startswith(("/", "\\")) or any(part in (".", "..", ".dsu") for part in parts) or "\0" in name:
        faults.append(f"`{name}` cannot be the name of a folder below the output.")
    if faults or isinstance(request, str) or isinstance(place, str):
        return Fault(row.place, " ".join(faults))
    return Checked(row.place, place, PurePosixPath(name).as_posix(), request)


def _look(urls: Iterable[str], options: Options, pool: ThreadPoolExecutor) -> dict[str, FoundSong | str]:
    """What is at these places, or why it cannot be read. Folders with several of them are listed once."""
    folders: dict[str, list[str]] = {}
    for url in urls:
        folders.setdefault(url.rpartition("/")[0], []).append(url)

    def of_folder(folder: str, songs: list[str]) -> dict[str, FoundSong | str]:
        listed: dict[str, FoundSong] = {}
        if len(songs) >= WORTH_LISTING and protocol_of(folder) != "file":
            try:
                fs, path = open_place(folder, options)
                listed = {
                    info["name"]: found_of(fs, info) for info in fs.ls(path, detail=True) if info["type"] == "file"
                }
            except Exception:  # noqa: BLE001 - a folder that may not be listed may have songs that may be read
                listed = {}
        return {song: _at(song, listed, options) for song in songs}

    found: dict[str, FoundSong | str] = {}
    for part in pool.map(lambda item: of_folder(*item), folders.items()):
        found |= part
    return found


def _at(url: str, listed: Mapping[str, FoundSong], options: Options) -> FoundSong | str:
    try:
        fs, path = open_place(url, options)
        if path in listed:
            return listed[path]
        info = fs.info(path)
    except FileNotFoundError:
        return f"There is no file `{url}`."
    except DsuError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - the edge to file systems
        return f"`{url}` cannot be read: {said(error)}. Check the rights and the credentials."
    if info["type"] != "file":
        return f"`{url}` is not a file."
    return found_of(fs, info)


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
