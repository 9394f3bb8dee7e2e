"""Names of output files, from titles and templates. Pure.

Whatever a track or a stem is called, its path stays inside the folder that it is joined to, and every name is valid
on Linux, macOS and Windows.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from utils.core.errors import InvalidRequest, did_you_mean, nearest

FIELDS = ("track", "stem", "model", "index")
MAX_NAME_BYTES = 150

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)
_CONTROL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_INVISIBLE = "Cf"  # such as marks that turn the direction of text around, which make a name look like another
# Between letters of some scripts, such as Persian, and in emoji, these show; elsewhere they cannot be seen either.
_JOINERS = "\u200c\u200d"
_JOINED = r"[\u0250-\u200b\u200e-\U0010ffff]"
_STRAY_JOINER = re.compile(rf"(?<!{_JOINED})[{_JOINERS}]|[{_JOINERS}](?!{_JOINED})")
_FALLBACK = "_"


def safe_name(text: str) -> str:
    """`text` as the name of one file or folder: close to the original, never empty, at most 150 bytes."""
    safe = (
        "_" if unicodedata.category(character) in _CONTROL_CATEGORIES or _FORBIDDEN.match(character) else character
        for character in text
        if unicodedata.category(character) != _INVISIBLE or character in _JOINERS
    )
    text = unicodedata.normalize("NFC", _STRAY_JOINER.sub("", "".join(safe))).strip()
    text = _cut(text, MAX_NAME_BYTES - 1).rstrip(". " + _JOINERS)  # Windows drops them, and `..` is a folder
    if _RESERVED.match(text):
        text = "_" + text
    return text or _FALLBACK


def _cut(text: str, max_bytes: int) -> str:
    """The longest prefix that fits, without half a character."""
    return text.encode("utf-8")[: max(max_bytes, 0)].decode("utf-8", "ignore")


def expand_template(template: str, *, track: str, stem: str, model: str, index: int) -> Path:
    """The relative path, without an extension, of a template such as `{track}/{stem}`."""
    values = {"track": safe_name(track), "stem": safe_name(stem), "model": safe_name(model), "index": str(index)}
    components = [part for part in template.replace("\\", "/").split("/") if part != "."]
    if not components or any(part.strip() in ("", "..") for part in components):
        raise _invalid(f"The name template '{template}' must name a file inside the output directory.")
    return Path(PurePosixPath(*(safe_name(_fill(part, values)) for part in components)))


def _fill(component: str, values: Mapping[str, str]) -> str:
    """The component with its fields replaced. If it gets too long, the track is cut and the stem is kept."""
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
            f"The name template has an unmatched brace in '{component}'; write {{{{ for a literal one."
        ) from error
    for _, field, spec, conversion in parsed:
        if field is not None and field not in FIELDS:
            near = nearest(field, FIELDS)
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise _invalid(
                f"The name template has an unknown field '{{{field}}}'; the fields are {known}.{did_you_mean(near)}"
            )
        if spec or conversion:
            raise _invalid(f"The field '{{{field}}}' of the name template cannot have a format.")
    return [(literal, field) for literal, field, _, _ in parsed]


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, field="name_template")


def lay_out(
    templates: Iterable[tuple[str, str]], *, track: str, model: str, index: int, extension: str | Mapping[str, str]
) -> dict[str, Path]:
    """The relative path of each stem's file, from stems with their templates and one extension, or one for each stem.

    Raises `InvalidRequest` if two stems would have the same file.
    """
    paths: dict[str, Path] = {}
    taken: dict[str, str] = {}
    for stem, template in templates:
        path = expand_template(template, track=track, stem=stem, model=model, index=index)
        own = extension if isinstance(extension, str) else extension[stem]
        path = path.with_name(f"{path.name}.{own.removeprefix('.')}")
        other = taken.setdefault(path.as_posix().casefold(), stem)
        if other != stem or stem in paths:
            raise _invalid(
                f"The name template '{template}' gives the stems '{other}' and '{stem}' the same file '{path.as_posix()}'; "
                "use {stem} in it."
            )
        paths[stem] = path
    return paths
