"""The memory of the server, idle and while an hour of music is sent to it, and the time until its page is seen."""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import psutil

from benchmarks.results import table, write_section
from benchmarks.worker_process import ROOT, MemoryWatch, recorded_peak
from tools.fixtures.song import SAMPLE_RATE

PAGE = ROOT / "studio" / "dist"
PAINT = ROOT / "studio" / "test" / "paint.mjs"
FRAME_BYTES = 4  # two channels of 16 bits
BLOCK_BYTES = 1 << 20
IDLE_TARGET_MB, PAINT_TARGET_S, PAGE_TARGET_BYTES = 60, 1.0, 500_000


class ServerMemory(NamedTuple):
    """Resident bytes: of the worker, and of the server idle, at most while a song came, and afterwards."""

    minutes: float
    worker: int
    before: int
    peak: int
    after: int
    sent_bytes: int


class RunningServer:
    """`dsu studio` with nothing in its folder; `with` ends it."""

    def __init__(self, folder: Path) -> None:
        words = (
            "studio",
            "--no-browser",
            "--port",
            "0",
            "--data",
            folder / "data",
            "--models-dir",
            folder / "models",
            "--offline",
        )
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "workers" / "dsu_worker.py", *words], stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        found = re.search(r"(http://\S+)\?token=(\S+)", line)
        if found is None:
            raise RuntimeError(f"The server did not start: {line}")
        self.address, self.token = found[1], found[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with self._process:
            pass

    @property
    def pid(self) -> int:
        return self._process.pid

    def worker(self) -> psutil.Process:
        """The worker, once it is ready."""
        while self.ask("GET", "/v1/health")["worker"] != "ready":
            time.sleep(0.1)
        return next(child for child in psutil.Process(self.pid).children() if "--worker" in child.cmdline())

    def ask(self, method: str, path: str, body: Iterator[bytes] | None = None, length: int = 0) -> dict[str, object]:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.address).port, timeout=600)
        headers = {"Authorization": f"Bearer {self.token}", **({"Content-Length": str(length)} if body else {})}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer: dict[str, object] = json.loads(response.read())
        connection.close()
        if response.status >= 400:
            raise RuntimeError(f"{path}: {answer}")
        return answer


def song(size: int) -> Iterator[bytes]:
    """A WAV file with so many bytes of samples, in blocks."""
    fmt = b"fmt \x10\x00\x00\x00\x01\x00\x02\x00" + b"".join(
        number.to_bytes(width, "little")
        for number, width in ((SAMPLE_RATE, 4), (SAMPLE_RATE * FRAME_BYTES, 4), (FRAME_BYTES, 2), (16, 2))
    )
    yield b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVE" + fmt + b"data" + size.to_bytes(4, "little")
    block = bytes(range(256)) * (BLOCK_BYTES // 256)
    for start in range(0, size, BLOCK_BYTES):
        yield block[: size - start]


def measure_memory(server: RunningServer, minutes: float) -> ServerMemory:
    size = round(minutes * 60 * SAMPLE_RATE) * FRAME_BYTES
    worker = server.worker().memory_info().rss
    own = psutil.Process(server.pid)
    before = own.memory_info().rss
    watch = MemoryWatch(server.pid)
    server.ask("POST", "/v1/uploads?name=long.wav", song(size), 44 + size)
    peak = max(watch.sampled_peak(), recorded_peak(own))
    return ServerMemory(minutes, worker, before, peak, own.memory_info().rss, size)


def measure_paint(server: RunningServer, runs: int) -> list[float]:
    """Seconds from the start of the navigation until something is seen, in a browser whose first page was another."""
    words = ["node", str(PAINT), f"{server.address}?token={server.token}", str(runs)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return [milliseconds / 1000 for milliseconds in json.loads(told)]


def page_bytes() -> int:
    return sum(path.stat().st_size for path in PAGE.rglob("*") if path.is_file())


def report(memory: ServerMemory, paints: Sequence[float], size: int) -> str:
    rows = [
        ["the worker, ready and idle", f"{memory.worker / 1e6:.0f} MB", ""],
        ["the server, idle", f"{memory.before / 1e6:.0f} MB", f"<= {IDLE_TARGET_MB} MB"],
        [
            f"the server while {memory.minutes:g} minutes of music ({memory.sent_bytes / 1e6:.0f} MB) come, at most",
            f"{memory.peak / 1e6:.0f} MB",
            "",
        ],
        ["the server afterwards", f"{memory.after / 1e6:.0f} MB", ""],
        ["the page, all of it", f"{size / 1e3:.0f} kB", f"<= {PAGE_TARGET_BYTES / 1e3:.0f} kB"],
    ]
    if paints:
        seen = f"{statistics.median(paints):.2f} s, slowest {max(paints):.2f} s"
        rows.append([f"until the page is seen, median of {len(paints)}", seen, f"<= {PAINT_TARGET_S:g} s"])
    return table(["", "", "target"], rows)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("run.py bench studio", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="length of the song; default 60")
    parser.add_argument(
        "--runs", type=int, default=9, help="how often the page is opened; default 9, 0 without a browser"
    )
    parser.add_argument(
        "--folder", type=Path, help="for the server's data while it runs; default: the temporary folder"
    )
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 3 << 30:
            print(f"This needs 3 GB in {folder.parent}. Choose another place with --folder.")
            return 1
        with RunningServer(folder) as server:
            memory = measure_memory(server, options.minutes)
            paints = measure_paint(server, options.runs) if options.runs else []
    body = report(memory, paints, page_bytes())
    write_section(
        "DSU Studio", f"`python3 run.py bench studio`. The page in Chromium over loopback, resident memory.\n\n{body}"
    )
    print(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
