"""Titles, covers and other tags: read from any input and written to any output, through mutagen, or FFmpeg for Matroska.

In between, tags are plain values: known field names with their texts, and one cover. A stem keeps the tags of its
source, and says which stem it is and what made it (`STEM`, `DSU_MODEL`, `DSU_VERSION`). A file with broken tags is
treated as one without tags.
"""

# mypy: allow-untyped-calls
# (mutagen claims to be typed, but annotates only a part of itself)

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import av
from av.stream import Disposition

from utils.audio.paths import os_path, shown
from utils.audio.tag_bounds import LARGE, SMALL, BoundedFile, TagBounds, TagsRefused, TagsTooLarge
from utils.core import isolation
from utils.core.errors import OutputNotWritable
from utils.core.requests import AudioFormat

if TYPE_CHECKING:
    import mutagen

Found = TypeVar("Found")

_MAX_COVER_BYTES = 16 << 20
_MAX_TEXT = 1 << 16
_FRONT_COVER = 3
_FREEFORM = "----:com.apple.iTunes:"
_PICTURE = "metadata_block_picture"
_MATROSKA = b"\x1a\x45\xdf\xa3"
_OWN_MARKS = {"STEM", "DSU_VERSION"}


@dataclass(frozen=True)
class Cover:
    """A picture. `mime` is usually `image/jpeg` or `image/png`."""

    data: bytes
    mime: str


@dataclass(frozen=True)
class Tags:
    """The tags of a file: texts by field (the names in `FIELDS`), and the cover."""

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cover: Cover | None = None


@dataclass(frozen=True)
class TagSet:
    """The tags that all stems of a separation share; the name of each stem is added when it is written."""

    source: Tags | None
    model: str
    version: str


# field: (Vorbis comment, ID3 frame, MP4 atom, ASF attribute, APEv2 key, what FFmpeg calls it in Matroska)
FIELDS: dict[str, tuple[str, str, str, str, str, str]] = {
    "title": ("title", "TIT2", "\xa9nam", "Title", "Title", "title"),
    "artist": ("artist", "TPE1", "\xa9ART", "Author", "Artist", "artist"),
    "album": ("album", "TALB", "\xa9alb", "WM/AlbumTitle", "Album", "album"),
    "albumartist": ("albumartist", "TPE2", "aART", "WM/AlbumArtist", "Album Artist", "album_artist"),
    "composer": ("composer", "TCOM", "\xa9wrt", "WM/Composer", "Composer", "composer"),
    "date": ("date", "TDRC", "\xa9day", "WM/Year", "Year", "date"),
    "genre": ("genre", "TCON", "\xa9gen", "WM/Genre", "Genre", "genre"),
    "tracknumber": ("tracknumber", "TRCK", "trkn", "WM/TrackNumber", "Track", "track"),
    "discnumber": ("discnumber", "TPOS", "disk", "WM/PartOfSet", "Disc", "disc"),
    "bpm": ("bpm", "TBPM", "tmpo", "WM/BeatsPerMinute", "BPM", "bpm"),
    "key": ("initialkey", "TKEY", _FREEFORM + "initialkey", "WM/InitialKey", "InitialKey", "initial_key"),
    "isrc": ("isrc", "TSRC", _FREEFORM + "ISRC", "WM/ISRC", "ISRC", "isrc"),
    "comment": ("comment", "COMM", "\xa9cmt", "Description", "Comment", "comment"),
}


def read_tags(path: Path) -> Tags | None:
    """The tags of an audio file; None if it has none that are known and readable. Large ones are read in a child process.

    Raises `TagsRefused` if reading them could cost more than any music's tags are worth.
    """
    found = _found(find_tags, path)
    if found is None:
        return None
    texts, cover = found
    return Tags({name: tuple(values) for name, values in texts.items()}, cover and Cover(*cover))


def is_own_stem(path: Path) -> bool:
    """Whether a file says that it is a stem and that DSU made it. Only tags are read, of files that could have them."""
    if path.suffix[1:].lower() not in get_args(AudioFormat) or not path.is_file():
        return False
    try:
        return _found(find_ownership, path) is True
    except TagsRefused:
        return False


def _found(find: Callable[[Path, TagBounds], Any], path: Path) -> Any:
    """What one of the two functions below returns, here or in a child process."""
    try:
        return find(path, SMALL)
    except TagsTooLarge:
        try:
            found, refusal = isolation.call(find_in_large, find.__name__, os_path(path))
        except isolation.Broken as broken:
            raise TagsRefused(f"reading them {broken}") from broken
        if refusal is not None:
            raise TagsRefused(refusal) from None
        return found


def find_in_large(name: str, path: str) -> tuple[Any, str | None]:
    """What a function finds in the tags of a file, or why they are not read. For a child process, so all of it is plain."""
    find = {"find_tags": find_tags, "find_ownership": find_ownership}[name]
    try:
        return find(Path(path), LARGE), None
    except TagsRefused as refusal:
        return None, str(refusal)


def find_tags(path: Path, bounds: TagBounds) -> tuple[Mapping[str, tuple[str, ...]], tuple[bytes, str] | None] | None:
    """The texts and the cover, if there are any."""
    tags = _read(path, _tags_of, _matroska_tags, bounds)
    if tags is None or not (tags.texts or tags.cover):
        return None
    return tags.texts, (tags.cover.data, tags.cover.mime) if tags.cover is not None else None


def find_ownership(path: Path, bounds: TagBounds) -> bool:
    """Whether they say that it is a stem of ours."""
    return _read(path, _has_own_tags, lambda found: _named(found).keys() >= _OWN_MARKS, bounds) is True


def _read(
    path: Path,
    find: Callable[[mutagen.FileType], Found],
    find_in_matroska: Callable[[av.container.InputContainer], Found],
    bounds: TagBounds,
) -> Found | None:
    """What is found in the tags of a file; None if it is broken."""
    import mutagen

    try:
        with BoundedFile(path, bounds) as file:
            try:
                if file.read(len(_MATROSKA)) == _MATROSKA:
                    file.seek(0)
                    with av.open(cast(Any, file), format="matroska") as container:
                        return find_in_matroska(container)
                file.seek(0)
                audio = mutagen.File(file)
                return None if audio is None else find(audio)
            finally:
                if file.refusal is not None:
                    raise file.refusal
    except TagsRefused:
        raise
    except Exception:  # noqa: BLE001 - broken tags make mutagen's parsers fail in any way
        return None


def _has_own_tags(audio: mutagen.FileType) -> bool:
    tags = audio.tags
    return tags is not None and all(any(key in tags for key in _own_keys(name)) for name in _OWN_MARKS)


def _own_keys(name: str) -> tuple[str, ...]:
    """What a tag of ours is called in ID3, in MP4 and in Vorbis comments."""
    return (f"TXXX:{name}", _FREEFORM + name, name)


def _tags_of(audio: mutagen.FileType) -> Tags | None:
    from mutagen.apev2 import APEv2
    from mutagen.asf import ASFTags
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    match audio.tags:
        case None:
            return None
        case ID3() as tags:
            pictures = ((frame.data, frame.mime, frame.type) for frame in tags.getall("APIC"))
            return Tags(_collected(lambda names: _id3_texts(tags, names[1])), _front_cover(pictures))
        case MP4Tags() as tags:
            return Tags(_collected(lambda names: _mp4_texts(tags.get(names[2], []))), _mp4_cover(tags))
        case ASFTags() as tags:
            return Tags(_collected(lambda names: [str(value) for value in tags.get(names[3], [])]))
        case APEv2() as tags:
            return Tags(_collected(lambda names: list(tags[names[4]]) if names[4] in tags else []))
        case tags:
            return Tags(_collected(lambda names: tags.get(names[0], [])), _vorbis_cover(audio))


def _collected(texts_of: Callable[[tuple[str, ...]], Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The texts of each field that has any, as plain text."""
    found = {}
    for name, names in FIELDS.items():
        texts = (shown(text).replace("\0", " ").strip()[:_MAX_TEXT] for text in texts_of(names))
        found[name] = tuple(text for text in texts if text)
    return {name: texts for name, texts in found.items() if texts}


def _id3_texts(tags: Any, frame_id: str) -> list[str]:
    frames = tags.getall(frame_id)
    if frame_id == "COMM":  # comments with a description hold data of programs
        frames = [frame for frame in frames if not frame.desc]
    return [str(text) for frame in frames[:1] for text in frame.text]


def _mp4_texts(values: Iterable[Any]) -> list[str]:
    texts = []
    for value in values:
        match value:
            case (int(number), int(total)):
                texts.append(f"{number}/{total}" if total else str(number) if number else "")
            case bytes():
                texts.append(bytes(value).decode("utf-8", "replace"))
            case _:
                texts.append(str(value))
    return texts


def _mp4_cover(tags: Any) -> Cover | None:
    from mutagen.mp4 import AtomDataType

    def mime(picture: Any) -> str:
        return "image/png" if picture.imageformat == AtomDataType.PNG else "image/jpeg"

    return _front_cover((bytes(picture), mime(picture), _FRONT_COVER) for picture in tags.get("covr", []))


def _vorbis_cover(audio: Any) -> Cover | None:
    from mutagen.flac import Picture

    pictures = list(getattr(audio, "pictures", []))
    pictures += [Picture(base64.b64decode(text)) for text in audio.tags.get(_PICTURE, [])]
    return _front_cover((picture.data, picture.mime, picture.type) for picture in pictures)


def _matroska_tags(container: av.container.InputContainer) -> Tags:
    texts = _named(container)
    pictures = []
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:  # its one packet comes before all others
            kind = "image/png" if stream.codec_context.name == "png" else "image/jpeg"
            pictures.append((bytes(next(container.demux(stream))), kind, _FRONT_COVER))
            break
    return Tags(
        _collected(lambda names: [texts[key]] if (key := names[5].upper()) in texts else []), _front_cover(pictures)
    )


def _named(container: av.container.InputContainer) -> dict[str, str]:
    """The texts of a Matroska file, by names in upper case."""
    return {name.upper(): text for name, text in container.metadata.items()}


def _front_cover(pictures: Iterable[tuple[bytes, str, int]]) -> Cover | None:
    """The front cover, or else the first picture."""
    usable = [picture for picture in pictures if 0 < len(picture[0]) <= _MAX_COVER_BYTES]
    if not usable:
        return None
    data, mime, _ = min(usable, key=lambda picture: picture[2] != _FRONT_COVER)
    return Cover(bytes(data), mime)


# Writing ------------------------------------------------------------------------------------------------------------


def write_tags(path: Path, kind: AudioFormat, tags: Tags | None, *, stem: str, model: str, version: str) -> bool:
    """Add tags to a finished file without touching its samples. False if this file cannot have any (RF64).

    Raises `OSError` if the disk refuses, `OutputNotWritable` if mutagen does.
    """
    import mutagen

    if kind == "wav":
        with open(os_path(path), "rb") as file:  # noqa: PTH123 - a Path would undo the extended form
            if file.read(4) != b"RIFF":
                return False
    own = {"STEM": stem, "DSU_MODEL": model, "DSU_VERSION": version}
    by_kind = {"wav": _set_id3, "aiff": _set_id3, "mp3": _set_id3, "m4a": _set_mp4, "stem.m4a": _set_mp4}
    set_tags = by_kind.get(kind, _set_comments)
    try:
        audio = _opened(os_path(path), kind)
        if audio.tags is None:
            audio.add_tags()
        set_tags(audio, tags or Tags(), {name: text for name, text in own.items() if text})
        audio.save()
    except mutagen.MutagenError as error:
        if isinstance(error.__cause__ or error.__context__, OSError):
            raise OSError(*(error.__cause__ or error.__context__ or error).args[:2]) from error
        raise OutputNotWritable(f"The tags of '{shown(path)}' cannot be written ({error}).", field="output") from error
    return True


def matroska_texts(tags: TagSet, stems: Sequence[str]) -> dict[str, str]:
    """The tags of a Matroska file with these stems, for FFmpeg to write; several values of a field become one."""
    source = tags.source.texts if tags.source is not None else {}
    own = {"STEM": ", ".join(stems), "DSU_MODEL": tags.model, "DSU_VERSION": tags.version}
    return {**{FIELDS[name][5]: "; ".join(texts) for name, texts in source.items()}, **own}


def _opened(path: str, kind: AudioFormat) -> Any:
    """The file as mutagen opens it. The class is given, since a temporary name has no suffix."""
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC
    from mutagen.mp3 import MP3
    from mutagen.mp4 import MP4
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE

    classes: dict[AudioFormat, Callable[[str], Any]] = {
        "wav": WAVE,
        "aiff": AIFF,
        "mp3": MP3,
        "flac": FLAC,
        "ogg": OggVorbis,
        "opus": OggOpus,
        "m4a": MP4,
        "stem.m4a": MP4,
    }
    return classes[kind](path)


def _set_id3(audio: Any, tags: Tags, own: Mapping[str, str]) -> None:
    from mutagen import id3

    for name, texts in tags.texts.items():
        frame_id = FIELDS[name][1]
        extra = {"lang": "eng", "desc": ""} if frame_id == "COMM" else {}
        audio.tags.add(id3.Frames[frame_id](encoding=id3.Encoding.UTF8, text=list(texts), **extra))
    for name, text in own.items():
        audio.tags.add(id3.TXXX(encoding=id3.Encoding.UTF8, desc=name, text=[text]))
    if tags.cover is not None:
        cover = tags.cover
        audio.tags.add(id3.APIC(encoding=id3.Encoding.LATIN1, mime=cover.mime, type=_FRONT_COVER, data=cover.data))


def _set_comments(audio: Any, tags: Tags, own: Mapping[str, str]) -> None:
    """Vorbis comments, of FLAC, Ogg Vorbis and Opus."""
    from mutagen.flac import Picture

    for name, texts in tags.texts.items():
        audio[FIELDS[name][0]] = list(texts)
    for name, text in own.items():
        audio[name] = [text]
    if tags.cover is not None:
        picture = Picture()
        picture.data, picture.mime, picture.type = tags.cover.data, tags.cover.mime, _FRONT_COVER
        if hasattr(audio, "add_picture"):
            audio.add_picture(picture)
        else:
            audio[_PICTURE] = [base64.b64encode(picture.write()).decode("ascii")]


def _set_mp4(audio: Any, tags: Tags, own: Mapping[str, str]) -> None:
    from mutagen.mp4 import MP4Cover, MP4FreeForm

    for name, texts in tags.texts.items():
        values = _mp4_values(FIELDS[name][2], texts)
        if values:
            audio[FIELDS[name][2]] = values
    for name, text in own.items():
        audio[_FREEFORM + name] = [MP4FreeForm(text.encode("utf-8"))]
    if tags.cover is not None:
        form = MP4Cover.FORMAT_PNG if tags.cover.mime == "image/png" else MP4Cover.FORMAT_JPEG
        audio["covr"] = [MP4Cover(tags.cover.data, form)]


def _mp4_values(atom: str, texts: tuple[str, ...]) -> list[Any]:
    """Texts in the form that the atom needs. A number that cannot be read is left out."""
    from mutagen.mp4 import MP4FreeForm

    numbers = [int(number) for number in re.findall(r"\d{1,5}", texts[0])]
    numbers = [min(number, 0xFFFF) for number in numbers]
    if atom in ("trkn", "disk"):
        return [(numbers[0], numbers[1] if len(numbers) > 1 else 0)] if numbers else []
    if atom == "tmpo":
        return numbers[:1]
    if atom.startswith(_FREEFORM):
        return [MP4FreeForm(text.encode("utf-8")) for text in texts]
    return list(texts)
