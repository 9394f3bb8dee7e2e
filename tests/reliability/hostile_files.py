"""Files that a stranger could send, for each kind that is read: small ones that claim to be large, and good ones that were damaged."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple


class HostileFile(NamedTuple):
    """What is wrong with it, and its bytes."""

    what: str
    data: bytes


def damaged(good: bytes, seed: int, count: int) -> Iterator[HostileFile]:
    """The file with some bytes changed, left out, repeated or cut off; more often near its beginning, where sizes are."""
    chance = random.Random(seed)
    for number in range(count):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            end = len(data) if chance.random() < 0.5 else min(len(data), 256)
            place = chance.randrange(end + 1)
            match chance.randrange(5):
                case 0:
                    data[place : place + 1] = bytes([chance.randrange(256)])
                case 1:
                    data[place : place + 4] = chance.choice(
                        [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"]
                    )
                case 2:
                    del data[place : place + chance.randrange(1, 64)]
                case 3:
                    data[place:place] = data[place : place + chance.randrange(1, 64)]
                case _:
                    del data[place:]
        yield HostileFile(f"damaged {number}", bytes(data))


# Audio and tags ------------------------------------------------------------------------------------------------------


def wav(rate: int = 44100, bits: int = 16, channels: int = 2, tag: int = 1, stated: int | None = None) -> bytes:
    data = bytes(8000)
    block = max(channels * bits // 8, 0) & 0xFFFF
    form = struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, (rate * block) & 0xFFFFFFFF, block, bits & 0xFFFF)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data) if stated is None else stated) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def audio() -> list[HostileFile]:
    return [
        HostileFile("nothing", b""),
        HostileFile("zeros", bytes(1 << 16)),
        HostileFile("text", b"This is no song.\n" * 100),
        *(HostileFile(f"a rate of {rate}", wav(rate=rate)) for rate in (0, 1, 8, 999, 10_000_000, 2**32 - 1)),
        *(HostileFile(f"{bits} bits", wav(bits=bits)) for bits in (0, 1, 7, 33, 65535)),
        *(HostileFile(f"{channels} channels", wav(channels=channels)) for channels in (0, 3, 1024, 65535)),
        *(HostileFile(f"the tag {tag}", wav(tag=tag)) for tag in (0, 2, 0x55, 0xFFFE, 0xFFFF)),
        HostileFile("more than there is", wav(stated=2**32 - 1)),
        HostileFile("an endless chunk", b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVE" + b"LIST" + struct.pack("<I", 2**32 - 2)),
        HostileFile("chunks within chunks", b"RIFF" + struct.pack("<I", 1 << 20) + b"WAVE" + b"LIST\x04\0\0\0RIFF" * 20_000),
        HostileFile("a playlist", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
        HostileFile("a list of files", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        HostileFile("an endless atom", struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + struct.pack(">I4sQ", 1, b"moov", 1 << 62)),
        HostileFile("nested atoms", struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + b"".join(struct.pack(">I4s", 80_000 - 8 * depth, b"moov") for depth in range(10_000))),
        HostileFile("pages without packets", b"OggS\0\2" + bytes(20) + b"\0" + b"OggS\0\0" + bytes(20) + b"\xff" * 100),
    ]  # fmt: skip


def syncsafe(size: int) -> bytes:
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def tagged(sound: bytes) -> list[HostileFile]:
    """An MP3 file with tags that cost more than they are worth."""

    def id3(body: bytes, version: int = 3, flags: int = 0) -> bytes:
        return b"ID3" + bytes((version, 0, flags)) + syncsafe(len(body)) + body + sound

    bomb = struct.pack(">I", 1 << 30) + zlib.compress(bytes(64 << 20), 9)
    frames = {
        "an inflating frame": b"TIT2" + struct.pack(">IH", len(bomb), 0x0080) + bomb,
        "a frame of a gigabyte": b"TIT2" + struct.pack(">IH", 1 << 30, 0) + b"\0x",
        "countless frames": (b"TIT2" + struct.pack(">IH", 1, 0) + b"\0") * 50_000,
        "empty frames": (b"TIT2" + bytes(6)) * 50_000,
        "a picture of nothing": b"APIC" + struct.pack(">IH", 4, 0) + b"\0\0\3\0",
        "nested chapters": b"CHAP" + struct.pack(">IH", 20, 0) + b"a\0" + bytes(18),
        "text of half characters": b"TIT2" + struct.pack(">IH", 5, 0) + b"\1\xff\xfe\x00\xd8",
        "stuffed bytes": b"TIT2" + struct.pack(">IH", 300_000, 0) + b"\xff\x00" * 150_000,
    }
    bodies = [
        HostileFile(f"{what}, version {version}", id3(body, version))
        for what, body in frames.items()
        for version in (2, 3, 4)
    ]
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 1 << 30, 1 << 30, 0) + bytes(8)
    return [*bodies, HostileFile("a larger tag than file", b"ID3\3\0\0\x7f\x7f\x7f\x7f" + sound), HostileFile("an APE tag of a gigabyte", sound + ape)]  # fmt: skip


# Checkpoints ---------------------------------------------------------------------------------------------------------


def calling(name: str, *arguments: object) -> bytes:
    """A pickle that calls a name, whether it exists here or not."""
    module, _, function = name.rpartition(".")
    return b"c" + f"{module}\n{function}\n".encode() + pickle.dumps(tuple(arguments), protocol=2)[2:-1] + b"R."


def pickles(canary: str) -> list[HostileFile]:
    """Pickles alone; `canary` is a file that none of them may create."""
    endless: dict[str, object] = {}
    endless["state_dict"] = endless
    return [
        HostileFile("runs a program", calling("os.system", f"touch {canary}")),
        HostileFile("opens a file", calling("builtins.open", canary, "w")),
        HostileFile("evaluates", calling("builtins.eval", f"open({canary!r}, 'w')")),
        HostileFile("runs by its import", calling("subprocess.Popen", ["touch", canary])),
        HostileFile("an enormous number", calling("fractions.Fraction", "1e1000000000000")),
        HostileFile("an enormous array", calling("builtins.bytearray", 8 << 30)),
        HostileFile("contains itself", pickle.dumps(endless)),
        HostileFile("deep", b"\x80\x02" + b"]" * 500 + b"a" * 499 + b"."),
        HostileFile("prefixes without end", pickle.dumps({"module." * 50_000 + "weight": 1})),
        HostileFile("lists and nothing else", b"\x80\x02" + b"]" * 1_000_000 + b"."),
        HostileFile("marks", b"\x80\x02" + b"(" * 1_000_000 + b"t."),
        HostileFile("bytes that are not there", b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"."),
        HostileFile("a number of digits", b"L" + b"9" * 100_000 + b"L\n."),
        HostileFile("memory of a memo", b"\x80\x02" + b"]r\xff\xff\xff\x7f" + b"."),
        HostileFile("a doubling tuple", b"\x80\x02)" + b"2\x86" * 100 + b"."),
        HostileFile("hyper-parameters", pickle.dumps({"state_dict": {}, "args": (), "kwargs": {"channels": 10**9, "depth": 10**9}})),
        HostileFile("nothing", b""),
        HostileFile("no end", b"\x80\x02}"),
    ]  # fmt: skip


def zipped(content: bytes, compression: int = zipfile.ZIP_STORED, more: dict[str, bytes] | None = None) -> bytes:
    """A checkpoint with this pickle, as torch writes them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in {"archive/data.pkl": content, "archive/version": b"3\n", **(more or {})}.items():
            archive.writestr(name, data)
    return file.getvalue()


def archives() -> list[HostileFile]:
    whole = zipped(pickle.dumps({}))
    return [
        HostileFile("inflates", zipped(pickle.dumps(b"") + bytes(300 << 20), zipfile.ZIP_DEFLATED)),
        HostileFile("names outside", zipped(pickle.dumps({}), more={"../../canary": b"x", "/canary": b"x"})),
        HostileFile("countless members", zipped(pickle.dumps({}), more={f"archive/data/{number}": b"" for number in range(20_000)})),
        HostileFile("no pickle", zipped(b"")),
        HostileFile("no directory", whole[:-22]),
        HostileFile("a directory elsewhere", whole[:-6] + struct.pack("<IH", 2**32 - 1, 0)),
        HostileFile("two of a name", whole + whole),
        HostileFile("only a signature", b"PK\3\4"),
    ]  # fmt: skip


def legacy() -> list[HostileFile]:
    """The format that torch had before it wrote archives."""
    magic, protocol = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2), pickle.dumps(1001, protocol=2)
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, protocol=2)
    head = magic + protocol + system
    return [
        HostileFile("a head alone", head),
        HostileFile("keys that are none", head + pickle.dumps({"a": 1}) + pickle.dumps([1, 2, 3])),
        HostileFile(
            "countless keys", head + pickle.dumps({}) + pickle.dumps([str(number) for number in range(100_000)])
        ),
        HostileFile("another protocol", magic + pickle.dumps(10**6) + system),
        HostileFile("a wrong magic number", pickle.dumps(1) + protocol + system),
    ]


def safetensors() -> list[HostileFile]:
    def file(header: object, data: bytes = bytes(16), size: int | None = None) -> bytes:
        text = json.dumps(header).encode() if not isinstance(header, bytes) else header
        return struct.pack("<Q", len(text) if size is None else size) + text + data

    def tensor(**changes: object) -> dict[str, object]:
        return {"weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}}

    return [
        HostileFile("a header of 2^63 bytes", file(b"{}", size=2**63)),
        HostileFile("a header of a gigabyte", file(b"{}", size=1 << 30)),
        HostileFile("no JSON", file(b"{" * 1000)),
        HostileFile("deep JSON", file(b"[" * 100_000 + b"]" * 100_000)),
        HostileFile("an enormous shape", file(tensor(shape=[1 << 40, 1 << 40]))),
        HostileFile("a negative shape", file(tensor(shape=[-1, 4]))),
        HostileFile("offsets beyond the end", file(tensor(data_offsets=[0, 1 << 40]))),
        HostileFile("offsets the wrong way", file(tensor(data_offsets=[16, 0]))),
        HostileFile("an unknown type", file(tensor(dtype="F1024"))),
        HostileFile("a list", file([1, 2])),
        HostileFile("countless tensors", file({f"{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(50_000)})),
        HostileFile("nothing", b""),
    ]  # fmt: skip


# ONNX ----------------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes | str | int) -> bytes:
    """One field of protocol buffers."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx() -> list[HostileFile]:
    def model(graph: bytes) -> bytes:
        return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)

    def node(kind: str, *inputs: str, attribute: bytes = b"") -> bytes:
        return field(1, b"".join(field(1, name) for name in inputs) + field(2, "y") + field(4, kind) + attribute)

    shape = field(5, field(1, 1) + field(2, 7) + field(8, "s") + field(9, struct.pack("<q", 1 << 31)))
    elsewhere = field(
        5,
        field(1, 1)
        + field(2, 1)
        + field(8, "w")
        + field(13, field(1, "location") + field(2, "/etc/passwd"))
        + field(14, 1),
    )
    return [
        HostileFile("a tensor out of nothing", model(node("ConstantOfShape", "s") + shape)),
        HostileFile("data in another file", model(elsewhere)),
        HostileFile("a loop", model(node("Loop", "s", attribute=field(5, field(1, "body") + field(6, b""))) + shape)),
        HostileFile("a program", model(node("PyOp", "x"))),
        HostileFile("deep", model(b"\x0a\xff\xff\xff\x7f" * 1000)),
        HostileFile("a length beyond the end", field(7, b"")[:-1] + b"\xff\xff\xff\xff\x0f"),
        HostileFile("nothing", b""),
        HostileFile("text", b"no network\n" * 50),
    ]  # fmt: skip


# Configurations and notes --------------------------------------------------------------------------------------------


def yamls(good: bytes) -> list[HostileFile]:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    text = good.decode()
    numbers = [line for line in text.splitlines() if line.strip() and line.rstrip()[-1:].isdigit()]
    return [
        HostileFile("a billion laughs", laughs.encode()),
        HostileFile("runs a program", b"!!python/object/apply:os.system ['touch canary']"),
        HostileFile("deep", b"[" * 20_000),
        HostileFile("an anchor to itself", b"a: &a [*a]\n"),
        HostileFile("keys that are lists", b"? [a, b]\n: 1\n"),
        HostileFile("a number", b"17"),
        HostileFile("nothing", b""),
        HostileFile("no text", bytes(range(256))),
        *(
            HostileFile(f"{line.strip()} -> {value}", text.replace(line, f"{line.split(':')[0]}: {value}").encode())
            for line in numbers
            for value in ("1000000000", "-1", "0", "1e308", ".nan", "text", "[1, [2]]")
        ),
    ]


def jsons(good: bytes) -> list[HostileFile]:
    text = good.decode()
    return [
        HostileFile("deep", b"[" * 100_000 + b"]" * 100_000),
        HostileFile("digits", b'{"a": ' + b"9" * 100_000 + b"}"),
        HostileFile("nothing", b""),
        HostileFile("a list", b"[1, 2]"),
        HostileFile("half a character", b'{"a": "\\ud800"}'),
        HostileFile("no text", bytes(range(256))),
        HostileFile("countless keys", json.dumps({str(number): number for number in range(100_000)}).encode()),
        HostileFile("constants", b'{"a": NaN, "b": Infinity}'),
        *(
            HostileFile(f"{digit} -> {value}", text.replace(digit, value).encode())
            for digit in "0123456789"
            for value in ("1000000000", "-1", "1e308", "null")
            if digit in text
        ),
    ]
