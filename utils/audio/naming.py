"""File names from titles and templates. Pure.

Nothing here can leave the folder it is joined to, whatever a track or stem is called, and every name is one that
Linux, macOS and Windows accept.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from utils.core.errors import InvalidRequest, did_you_mean, nearest

FIELDS = ("track", "stem", "model", "index")
MAX_NAME_BYTES = 150

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)
_CONTROL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_FALLBACK = "_"


def safe_name(text: str) -> str:
    """`text` as one file or folder name: close to the original, never empty, at most 150 bytes."""
    text = unicodedata.normalize("NFC", "".join(map(_safe_character, text)))
    text = _trimmed(_cut(text.strip(), MAX_NAME_BYTES - 1))
    if _RESERVED.match(text):
        text = "_" + text
    return text or _FALLBACK


def _safe_character(character: str) -> str:
    if unicodedata.category(character) in _CONTROL_CATEGORIES or _FORBIDDEN.match(character):
        return "_"
    return character


def _trimmed(text: str) -> str:
    """Without what Windows drops at the end, and without a name that means a folder."""
    return text.rstrip(". ")


def _cut(text: str, max_bytes: int) -> str:
    """The longest beginning that fits, never half a character."""
    return text.encode("utf-8")[: max(max_bytes, 0)].decode("utf-8", "ignore")


def expand_template(template: str, *, track: str, stem: str, model: str, index: int) -> Path:
    """The relative path, without an extension, that `template` gives: `{track}/{stem}` and the like."""
    values = {"track": safe_name(track), "stem": safe_name(stem), "model": safe_name(model), "index": str(index)}
    components = [part for part in template.replace("\\", "/").split("/") if part != "."]
    if not components or any(part.strip() in ("", "..") for part in components):
        raise _invalid(f"The name template '{template}' must name a file inside the output directory.")
    return Path(PurePosixPath(*(safe_name(_fill(part, values)) for part in components)))


def _fill(component: str, values: Mapping[str, str]) -> str:
    """The component with its fields replaced; a track that makes it too long is cut, so that the stem stays."""
    pieces = _parse(component)
    overflow = len(_join(pieces, values).encode("utf-8")) - (MAX_NAME_BYTES - 1)
    if overflow <= 0:
        return _join(pieces, values)
    count = sum(field == "track" for _, field in pieces) or 1
    kept = len(values["track"].encode("utf-8")) - -(-overflow // count)
    return _join(pieces, {**values, "track": _cut(values["track"], kept)})


def _join(pieces: Sequence[tuple[str, str | None]], values: Mapping[str, str]) -> str:
    return "".join(literal + (values[field] if field else "") for literal, field in pieces)


def _parse(component: str) -> list[tuple[str, str | None]]:
    try:
        parsed = list(string.Formatter().parse(component))
    except ValueError as error:
        raise _invalid(
            f"The name template has an unmatched brace in '{component}'; write {{{{ for a plain one."
        ) from error
    for _, field, spec, conversion in parsed:
        if field is not None and field not in FIELDS:
            near = nearest(field, FIELDS)
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise _invalid(
                f"The name template has an unknown field '{{{field}}}'; the known ones are {known}.{did_you_mean(near)}"
            )
        if spec or conversion:
            raise _invalid(f"The field '{{{field}}}' of the name template takes no format.")
    return [(literal, field) for literal, field, _, _ in parsed]


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, field="name_template")


def lay_out(
    template: str, stems: Sequence[str], *, track: str, model: str, index: int, extension: str
) -> dict[str, Path]:
    """The relative path of each stem's file. Two stems in one file are refused."""
    suffix = "." + extension.removeprefix(".")
    paths: dict[str, Path] = {}
    taken: dict[str, str] = {}
    for stem in stems:
        path = expand_template(template, track=track, stem=stem, model=model, index=index)
        path = path.with_name(path.name + suffix)
        other = taken.setdefault(path.as_posix().casefold(), stem)
        if other != stem or stem in paths:
            raise _invalid(
                f"The name template '{template}' gives the stems '{other}' and '{stem}' the same file '{path.as_posix()}'; "
                "use {stem} in it."
            )
        paths[stem] = path
    return paths
