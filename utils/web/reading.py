"""The child that reads songs for the server: what a file is, its samples as pictures, and files in other formats.

It opens what strangers have sent, so it is a process of its own with limits: a file that crashes a library ends the child, and
gets an error. Requests come as lines; each names one of `TASKS`.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import queue
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from utils import __version__
from utils.core import bootstrap
from utils.core.errors import DsuError, InputUnreadable
from utils.core.requests import JOINT_FORMATS, AudioFormat, SampleType
from utils.web.wav import PART, WavLayout, layout_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEMORY_BYTES = 4 << 30
BLOCK_FRAMES = 1 << 18
FFT = 2048
WINDOWS = 4  # for each column of a spectrogram, at most
LOWEST_DB = -90.0
LOWEST_HZ = 30.0
KEPT_PER_SECOND = 64  # columns of peaks: a thousandth of a stem
NOT_KEPT = (127, -127)  # no peaks are like this


def serve() -> int:
    """Answer lines until the input ends: with it ends whoever asked."""
    streams = bootstrap.claim_streams()
    _limit_memory()
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(streams.input_fd, lines), daemon=True).start()
    while True:
        request = msgspec.json.decode(lines.get())
        try:
            answer = {"answer": TASKS[request["do"]](**request["with"])}
        except DsuError as error:
            answer = {"error": _told(error)}
        except MemoryError:
            answer = {"error": _told(InputUnreadable("The song is too large to be read here."))}
        except Exception as error:  # noqa: BLE001 - what a file makes of a library is told, whatever it is
            text = f"Reading the song failed with {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            answer = {"error": _told(InputUnreadable(text))}
        data = memoryview(msgspec.json.encode({"id": request["id"], **answer}) + b"\n")
        while data:
            data = data[os.write(streams.output_fd, data) :]


def _read_lines(descriptor: int, lines: queue.SimpleQueue[bytes]) -> None:
    with open(descriptor, "rb") as pipe:
        for line in pipe:
            lines.put(line)
    os._exit(0)


def _told(error: DsuError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "field": error.field}


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):  # macOS refuses
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


# Songs --------------------------------------------------------------------------------------------------------------


def probe(path: str) -> dict[str, Any]:
    """What the header of a song says."""
    from utils.audio.reading import probe as probed

    info = probed(Path(path))
    duration_s = None if info.frames is None else info.frames / info.sample_rate
    return {"duration_s": duration_s, "sample_rate": info.sample_rate, "channels": info.channels}


def decode(
    path: str, target: str, sample_rate: int, channels: int, start_s: float, duration_s: float | None
) -> dict[str, Any]:
    """Write a song, or a part of it, as a WAV file of floats."""
    from utils.audio.float_wav import FloatWav
    from utils.audio.reading import open_audio

    part = Path(f"{target}.part")
    wav = FloatWav(part, sample_rate, channels)
    try:
        with open_audio(
            Path(path), sample_rate=sample_rate, channels=channels, start_s=start_s, duration_s=duration_s
        ) as reader:
            for block in reader:
                wav.write(block.T)
        wav.close()
        part.replace(target)
    finally:
        wav.abandon()
        part.unlink(missing_ok=True)
    return {}


def content(path: str) -> dict[str, Any]:
    """What identifies the content of a file on the server."""
    with open(path, "rb") as file:  # noqa: PTH123 - an absolute path
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


# Models and recipes ---------------------------------------------------------------------------------------------------


def identify(named: dict[str, Any], models_dir: str) -> dict[str, Any]:
    """What identifies the files of the models that a request names with these fields, and which public ones are not there."""
    from utils.core.settings import resolve
    from utils.store.identity import identity_of

    identity = identity_of(named, resolve({"models_dir": models_dir}))
    return {"identity": f"{__version__}-{identity.text}", "missing": identity.missing}


def check(text: str | None, recipe: dict[str, Any] | None, models_dir: str) -> dict[str, Any]:
    """What a recipe does. Raises the error with the place of what is wrong in it."""
    from utils.core.recipe_checks import check_recipe, described
    from utils.core.recipes import read_recipe
    from utils.store.listing import list_models
    from utils.store.network_config import parse_yaml

    content = recipe if text is None else parse_yaml(text.encode(), Path("recipe"))
    found = read_recipe(content, "recipe")
    details = described(check_recipe(found, list_models("dsu", Path(models_dir))))
    return {"recipe": msgspec.to_builtins(details), "document": found.document}


def show(name: str, models_dir: str) -> dict[str, Any]:
    """The document of a recipe, and the text that it was written in."""
    from utils.core.settings import resolve
    from utils.store.recipes import find_recipe, recipe_files

    settings = resolve({"models_dir": models_dir})
    document = find_recipe(name, settings).document
    return {"document": document, "text": recipe_files(settings)[name].read_text(encoding="utf-8")}


def formats() -> dict[str, Any]:
    """The sample types of each format; none of those that are lossy."""
    from utils.audio.formats import sample_types_of

    return {name: list(sample_types_of(name)) for name in get_args(AudioFormat)}


# Pictures -------------------------------------------------------------------------------------------------------------


def peaks(
    path: str, start_s: float, columns: int, per_second: int, ready: list[list[int]] | None, frames: int | None
) -> dict[str, Any]:
    """The lowest and highest sample of each column, of the mean of the channels, as pairs of int8: 127 is full scale.

    Of a stem that has, or will have, `frames` no sample is read twice: fine columns are kept beside it, and make the coarse ones.
    """
    import numpy as np

    layout = layout_of(Path(path))
    start = round(start_s * layout.sample_rate)
    edges = start + (np.arange(columns + 1, dtype=np.int64) * layout.sample_rate) // per_second
    out = None
    if frames is not None and KEPT_PER_SECOND % per_second == 0 and start_s == int(start_s):
        with contextlib.suppress(OSError):  # the stem is being moved
            out = _of_kept(path, layout, int(start_s) * KEPT_PER_SECOND, columns, per_second, ready, frames)
    if out is None:
        out = _extremes(path, layout, edges)
    if ready is not None:
        out[~_are_ready(edges, ready, layout.frames)] = 0
    return {"bytes": _text(out.tobytes())}


def _are_ready(edges: NDArray[np.int64], ready: list[list[int]], frames: int) -> NDArray[np.bool_]:
    import numpy as np

    found = np.zeros(len(edges) - 1, bool)
    for begin, end in ready:
        found |= (edges[:-1] >= begin) & (np.minimum(edges[1:], max(end, frames)) <= end)
    return found


def _extremes(path: str, layout: WavLayout, edges: NDArray[np.int64]) -> NDArray[np.int8]:
    """Those of the samples between each two edges, zero where there are none."""
    import numpy as np

    columns = len(edges) - 1
    out = np.zeros((columns, 2), np.int8)
    step = max(1, BLOCK_FRAMES // max(1, int(edges[1] - edges[0])))
    for first in range(0, columns, step):
        last = min(first + step, columns)
        mono = _mono(path, layout, int(edges[first]), int(edges[last]))
        if len(mono) == 0:
            break
        places = edges[first:last] - edges[first]
        places = places[places < len(mono)]
        scaled = np.clip(np.rint(mono * 127), -127, 127)
        out[first : first + len(places), 0] = np.minimum.reduceat(scaled, places)
        out[first : first + len(places), 1] = np.maximum.reduceat(scaled, places)
    return out


def _of_kept(
    path: str,
    layout: WavLayout,
    first: int,
    columns: int,
    per_second: int,
    ready: list[list[int]] | None,
    frames: int,
) -> NDArray[np.int8]:
    """Columns made of the fine ones from `first` on; those that nobody has asked for yet are added to what is kept."""
    import numpy as np

    parts = KEPT_PER_SECOND // per_second
    kept = _kept(path, math.ceil(frames * KEPT_PER_SECOND / layout.sample_rate))
    last = min(first + columns * parts, len(kept))
    edges = (np.arange(first, max(first, last) + 1, dtype=np.int64) * layout.sample_rate) // KEPT_PER_SECOND
    fine = kept[first:last]
    missing = fine[:, 0] > fine[:, 1]
    if ready is not None:
        missing &= _are_ready(edges, ready, frames)  # what is kept will not be looked at again
    turns = np.flatnonzero(np.diff(missing, prepend=False, append=False))
    for begin, end in zip(turns[::2], turns[1::2], strict=True):
        fine[begin:end] = _extremes(path, layout, edges[begin : end + 1])
    whole = np.full((columns * parts, 2), NOT_KEPT, np.int8)
    whole[: len(fine)] = fine
    found = whole.reshape(columns, parts, 2)
    out = np.stack([found[..., 0].min(axis=1), found[..., 1].max(axis=1)], axis=1)
    out[out[:, 0] > out[:, 1]] = 0  # beyond the end
    return out


def _kept(path: str, columns: int) -> NDArray[np.int8]:
    """The file with the fine columns of a stem, by its final name: it moves with the stem."""
    import numpy as np

    name = PART.sub(r"\1", Path(path).name)
    file = Path(path).with_name(f".{name}.peaks")
    if not file.is_file() or file.stat().st_size != 2 * columns:
        file.write_bytes(np.full((columns, 2), NOT_KEPT, np.int8).tobytes())
    return np.memmap(file, np.int8, "r+", shape=(columns, 2))


def spectrogram(path: str, start_s: float, stop_s: float, columns: int, bands: int) -> dict[str, Any]:
    """The level of each band of the mel scale in each column, one byte each: 0 is -90 dB or less, 255 is 0 dB."""
    import numpy as np

    layout = layout_of(Path(path))
    bank = _mel_bank(layout.sample_rate, bands)
    window = np.hanning(FFT).astype(np.float32)
    width_s = (stop_s - start_s) / columns
    times = max(1, min(WINDOWS, math.ceil(width_s * layout.sample_rate / FFT)))
    out = np.zeros((columns, bands), np.uint8)
    for column in range(columns):
        power = np.zeros(FFT // 2 + 1)
        for turn in range(times):
            centre = round((start_s + width_s * (column + (turn + 0.5) / times)) * layout.sample_rate)
            first = centre - FFT // 2
            mono = _mono(path, layout, max(first, 0), max(centre + FFT // 2, 0))
            piece = np.zeros(FFT, np.float32)
            offset = max(-first, 0)
            piece[offset : offset + len(mono)] = mono
            power += np.abs(np.fft.rfft(piece * window)) ** 2
        level = 10 * np.log10(bank @ (power / times) / (window.sum() / 2) ** 2 + 1e-12)
        out[column] = np.clip(np.rint((level - LOWEST_DB) * 255 / -LOWEST_DB), 0, 255)
    return {"bytes": _text(out.tobytes())}


def _mel_bank(rate: int, bands: int) -> NDArray[np.float64]:
    """Triangles that add the bins of a spectrum up to bands; each bin counts at least once."""
    import numpy as np

    def mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    edges = 700 * (10 ** (np.linspace(mel(LOWEST_HZ), mel(rate / 2), bands + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.clip(np.minimum(rising, falling), 0, None)
    nearest = np.clip(np.rint(edges[1:-1] * FFT / rate).astype(int), 0, FFT // 2)
    bank[np.arange(bands), nearest] = np.maximum(bank[np.arange(bands), nearest], 1.0)  # narrow bands have no other bin
    return bank


def _mono(path: str, layout: WavLayout, start: int, stop: int) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = _frames(path, layout, start, stop).mean(axis=1)
    return mean


def _frames(path: str, layout: WavLayout, start: int, stop: int) -> NDArray[np.float32]:
    """Samples (frames, channels); fewer at the end of the file."""
    import numpy as np

    count = max(min(stop, layout.frames) - start, 0) * layout.channels
    offset = layout.offset + start * layout.frame_bytes
    return np.fromfile(path, "<f4", count, offset=offset).reshape(-1, layout.channels)


def _text(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


# Exports ----------------------------------------------------------------------------------------------------------------


def export(
    sources: Mapping[str, str],
    folder: str,
    title: str,
    form: AudioFormat,
    sample: SampleType | None,
    bitrate: int | None,
    sample_rate: int | None,
    gains: Mapping[str, Sequence[float]] | None,
    archive: bool,
    template: str | None,
    model: str,
) -> dict[str, Any]:
    """Write stems in another format, or one mix of them, and say which file it is."""
    from utils.audio.naming import lay_out, safe_name
    from utils.audio.writing import OutputFormat, open_stems

    layouts = {name: layout_of(Path(path)) for name, path in sources.items()}
    first = next(iter(layouts.values()))
    if any(layout[2:] != first[2:] for layout in layouts.values()):
        raise InputUnreadable("These stems have different rates or channels, so they have no common file.")
    is_joint = form in JOINT_FORMATS
    output: Any = OutputFormat(
        form,
        sample or (None if is_joint else "PCM_16"),
        bitrate,
        sample_rate or first.sample_rate,
        "rescale",
    )
    frames = max(layout.frames for layout in layouts.values())
    names = ["mix"] if gains is not None else list(sources)
    root = Path(folder)
    if is_joint:
        targets = {name: root / f"{safe_name(title)}.{form}" for name in names}
    else:
        templates = [(name, template or "{stem}") for name in names]
        paths = lay_out(templates, track=title, model=model, index=1, extension=form)
        targets = {name: root / path for name, path in paths.items()}
        for path in targets.values():
            path.parent.mkdir(parents=True, exist_ok=True)
    with open_stems(
        targets,
        folder=root,
        output=output,
        model_rate=first.sample_rate,
        channels=first.channels,
        frames=frames,
        tags=None,
    ) as stems:
        for start in range(0, frames, BLOCK_FRAMES):
            stop = min(start + BLOCK_FRAMES, frames)
            for name, block in _blocks(sources, layouts, gains, start, stop):
                stems.write(name, block)
        stems.commit()
    files = list(dict.fromkeys(targets.values()))
    if not archive and len(files) == 1:
        return {"file": str(files[0])}
    packed = root / "stems.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as zipped:
        for file in files:
            inside = file.relative_to(root)
            zipped.write(file, inside if template else safe_name(title) / inside)
            file.unlink()
    return {"file": str(packed)}


def _blocks(
    sources: Mapping[str, str],
    layouts: Mapping[str, WavLayout],
    gains: Mapping[str, Sequence[float]] | None,
    start: int,
    stop: int,
) -> Iterator[tuple[str, Any]]:
    """Each stem's samples of a stretch (channels, frames), or those of the mix."""
    import numpy as np

    mix = None
    for name, path in sources.items():
        read = _frames(path, layouts[name], start, stop)
        block = np.zeros((read.shape[1], stop - start), np.float32)  # a stem may be shorter than another
        block[:, : len(read)] = read.T
        if gains is None:
            yield name, block
            continue
        gain, pan = gains[name]
        block *= gain
        if len(block) == 2:
            block *= np.array([[min(1.0, 1 - pan)], [min(1.0, 1 + pan)]], np.float32)
        mix = block if mix is None else mix + block
    if mix is not None:
        yield "mix", mix


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    task.__name__: task for task in (probe, decode, content, identify, check, show, formats, peaks, spectrogram, export)
}
