"""Our own parsers, each fed with bytes: `python fuzzed_parsers.py NAME FOLDER [options of libFuzzer]` fuzzes one by its coverage.

Each takes anything, and raises nothing but what it says. The good inputs that fuzzing begins with are those of `seeds`.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FUZZER = ROOT / ".fuzzer"  # where `run.py test --long` puts atheris
for place in (ROOT, Path(__file__).parent):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))


class Parser(NamedTuple):
    """What reads bytes, and inputs that it takes."""

    read: Callable[[bytes], object]
    seeds: list[bytes]


def parsers(names: tuple[str, ...] = ()) -> dict[str, Parser]:
    """All of them, or these; what a parser needs is imported only for it."""
    return {name: make() for name, make in MAKERS.items() if not names or name in names}


def requests() -> Parser:
    from utils.core.errors import DsuError
    from utils.serving import messages
    from utils.serving.commands.table import commands_of
    from workers import WORKERS

    commands = commands_of(WORKERS["dsu"])

    def read(data: bytes) -> None:
        with contextlib.suppress(DsuError):
            fields = messages.parse(data)
            messages.request_id(fields)
            command = commands[messages.command_name(fields, commands)]
            command.check(messages.decode(fields, command.request).request)

    seeds = [json.dumps({"cmd": name, "id": 1, "input": "a.wav", "model": "m"}).encode() for name in commands]
    return Parser(read, seeds)


def lines() -> Parser:
    from utils.serving.stdio import LineSplitter

    def read(data: bytes) -> None:
        splitter = LineSplitter(100)
        found = [line for start in range(0, len(data), 7) for line in splitter.feed(data[start : start + 7])]
        found += splitter.close()
        assert len(found) == len(data.removesuffix(b"\n").split(b"\n")) if data else not found

    return Parser(read, [b"a\nb\r\n\nc", b"x" * 300 + b"\n"])


def pickles() -> Parser:
    import hostile_files

    from utils.store.pickles import read_pickle

    def read(data: bytes) -> None:
        with contextlib.suppress(
            pickle.UnpicklingError, struct.error, EOFError, ValueError, KeyError, IndexError, TypeError, RecursionError
        ):
            read_pickle(io.BytesIO(data), allowed={"collections.OrderedDict", "fractions.Fraction"}.__contains__)

    good = {"a": [1, 2.5, None], "b": {"c": (1, "x", b"y")}}
    seeds = [pickle.dumps(good, protocol=protocol) for protocol in range(2, 6)]
    return Parser(read, seeds + [file.data for file in hostile_files.pickles("canary") if len(file.data) < 1000])


def checkpoints() -> Parser:
    import hostile_files
    import torch

    from utils.core.errors import DsuError
    from utils.store.checkpoints import find_content

    path = Path(tempfile.mkdtemp(), "a.ckpt")

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(DsuError):
            find_content(str(path), ())

    seeds = [file.data for file in hostile_files.legacy() + hostile_files.safetensors() if len(file.data) < 2000]
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save({"weight": torch.ones(3)}, buffer, _use_new_zipfile_serialization=zipped)
        seeds.append(buffer.getvalue())
    return Parser(read, seeds)


def onnx_files() -> Parser:
    import hostile_files

    from tools.fixtures.audio_separator import make_mdx
    from utils.store.onnx_graphs import read_graph
    from utils.store.onnx_sizes import require_bounded

    folder = Path(tempfile.mkdtemp())
    make_mdx(folder, "net")

    def read(data: bytes) -> None:
        with contextlib.suppress(Exception):  # any of them is damage to whoever calls it; only time and memory count
            require_bounded(read_graph(data), (1, 4, 64, 32))

    good = [(folder / "net.onnx").read_bytes(), *(file.data for file in hostile_files.onnx())]
    return Parser(read, [data for data in good if len(data) < 20_000])


def configurations() -> Parser:
    from utils.core.errors import DsuError
    from utils.store.network_config import read_config

    path = Path(tempfile.mkdtemp(), "a.yaml")

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(DsuError):
            read_config(path)

    return Parser(
        read, [(ROOT / f"configs/{name}.yaml").read_bytes() for name in ("scnet/scnet_xl", "mdx23c/vocals_mdx23c")]
    )


def wave_headers() -> Parser:
    import hostile_files

    from utils.audio.headers import promised_frames

    seeds = [file.data[:200] for file in hostile_files.audio()]
    return Parser(lambda data: promised_frames(io.BytesIO(data)), seeds)


def ogg_pages() -> Parser:
    import numpy as np
    import soundfile

    from utils.audio.ogg_serial import set_serial

    good = io.BytesIO()
    soundfile.write(good, np.zeros((3000, 1)), 44100, format="OGG")
    return Parser(lambda data: set_serial(io.BytesIO(data), 7), [good.getvalue()])


def tags() -> Parser:
    import hostile_files
    import numpy as np
    import soundfile

    from utils.audio.tag_bounds import TagsRefused
    from utils.audio.tagging import read_tags

    path = Path(tempfile.mkdtemp(), "a.mp3")

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(TagsRefused):
            read_tags(path)

    good = io.BytesIO()
    soundfile.write(good, np.zeros((3000, 1)), 44100, format="MP3")
    return Parser(read, [file.data for file in hostile_files.tagged(good.getvalue()) if len(file.data) < 10_000])


def journals() -> Parser:
    from utils.audio.publishing import settle

    root = Path(tempfile.mkdtemp())
    part, kept = f".a.wav.{'0' * 16}.part", f".{'0' * 16}.{'1' * 16}.kept"
    move = {"part": part, "target": "a.wav", "kept": kept, "size_bytes": 3, "modified_ns": 0}

    def read(data: bytes) -> None:
        (root / part).write_bytes(b"new")
        (root / f".dsu-{'1' * 16}.journal").write_bytes(data)
        settle(root)
        assert not list(root.glob("*.journal"))

    return Parser(read, [json.dumps([move, {**move, "target": "../a.wav"}]).encode(), b"[]"])


def notes() -> Parser:
    from utils.engine.resume import JobNote, _read

    path = Path(tempfile.mkdtemp(), "a.json")

    def read(data: bytes) -> None:
        path.write_bytes(data)
        _read(path, JobNote)

    stamp = {"path": "/a", "size_bytes": 1, "modified_ns": 1, "sample": "0"}
    origin = {"form": 1, "folder": "/", "input": stamp, "settings": "", "models": [{"name": "m", "files": ["0"]}]}
    good = {"origin": origin, "files": {"/a": {"size_bytes": 1, "modified_ns": 1}}, "reply": "Done", "done": {}}
    return Parser(read, [json.dumps(good).encode()])


MAKERS: dict[str, Callable[[], Parser]] = {
    make.__name__: make
    for make in (
        requests,
        lines,
        pickles,
        checkpoints,
        onnx_files,
        configurations,
        wave_headers,
        ogg_pages,
        tags,
        journals,
        notes,
    )
}


def main(name: str, folder: str, options: list[str]) -> None:
    """Fuzz one parser. The seeds are put into the folder, and so is whatever reaches new code."""
    sys.path.insert(0, str(FUZZER))
    import atheris

    with atheris.instrument_imports(include=["utils"]):
        parser = MAKERS[name]()
    for number, seed in enumerate(parser.seeds):
        Path(folder, f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], folder, *options], parser.read)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
