"""Stands in for the worker `dsu` behind the web server: its lines and its files, without torch.

A song's stems are its samples (`one`) and their negatives (`two`), told in stretches. Fields of a request that only this worker
knows make it slow, die or fail: they come in `seed`, which every request may have.
"""

from __future__ import annotations

import json
import os
import queue
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np

SLOW, DIES, FAILS, DIES_ONCE = 1001, 1002, 1003, 1004
RATE = 8000
STEP, MOST_STEPS = 2000, 60
MODEL = {
    "name": "dsu_mini",
    "type": "mask_unet",
    "stems": ["one", "two"],
    "installed": True,
    "description": "",
    "license": "MIT",
    "purposes": ["vocals"],
    "size_bytes": 1,
    "commercial_use": True,
    "recommended": {},
    "speed": "fast",
}


def header(frames):
    size = frames * 4
    return (
        struct.pack("<4sI4s", b"RIFF", 84 + size, b"WAVE")
        + struct.pack("<4sI", b"JUNK", 28)
        + bytes(28)
        + struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, RATE, RATE * 4, 4, 32)
        + struct.pack("<4sII", b"fact", 4, frames)
        + struct.pack("<4sI", b"data", size)
    )


class Worker:
    def __init__(self):
        self.jobs = queue.SimpleQueue()
        self.cancelled = set()
        self.sought = []
        self.lock = threading.Lock()

    def say(self, **line):
        with self.lock:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def listen(self):
        for text in sys.stdin:
            line = json.loads(text)
            name = line.get("id")
            if line["cmd"] in ("separate", "download_model", "apollo", "exit"):
                if line.get("force"):
                    os._exit(0)
                self.jobs.put(line)
            elif line["cmd"] == "cancel":
                self.cancelled.add(name)
                self.say(status="cancel_requested", id=name, found=True)
            elif line["cmd"] == "seek":
                self.sought.append(line["position"])
            elif line["cmd"] == "list_models":
                named = line.get("model")
                models = [MODEL]
                found = [model for model in models if named in (None, model["name"])]
                self.say(status="models", id=name, models=[each["name"] for each in found], details=found)
            elif line["cmd"] == "list_recipes":
                self.say(status="recipes", id=name, recipes=[{"name": "dsu_mini", "description": "", "stems": ["one"]}])
            elif line["cmd"] == "get_status":
                self.say(status="status", id=name, device="cpu", memory={"rss_mb": 1.0}, cached_models=[])
            else:
                self.say(status="error", id=name, code="unknown_command", message="There is no such command.")
        os._exit(0)

    def work(self):
        self.say(status="loading", message="Starting.", worker="dsu", version="0", pid=os.getpid())
        self.say(status="ready", device="cpu", models_dir="/nowhere")
        while True:
            line = self.jobs.get()
            if line["cmd"] == "exit":
                return
            try:
                self.separate(line) if line["cmd"] != "download_model" else self.download(line)
            except KeyboardInterrupt:
                self.say(status="cancelled", id=line["id"], message="Cancelled.")

    def download(self, line):
        for percent in (0, 50, 100):
            self.say(
                status="downloading",
                id=line["id"],
                model=line["model"],
                file="f",
                percent=percent,
                received_bytes=percent,
                total_bytes=100,
                eta=None,
            )
        self.say(status="model_downloaded", id=line["id"], model=line["model"])

    def separate(self, line):
        kind, name = line.get("seed", 0), line["id"]
        folder = Path(line["output_dir"])
        marker = folder.parent.parent / "died-once"
        if kind == DIES or (kind == DIES_ONCE and not marker.exists()):
            marker.touch()
            sys.stderr.write("The fake worker dies.\n")
            os._exit(9)
        if kind == FAILS:
            self.say(status="error", id=name, code="out_of_memory", message="There is too little memory.")
            return
        if "start_at" in line and kind == SLOW + 10:
            self.say(status="error", id=name, code="invalid_request", message="Not from there.", field="start_at")
            return
        floats = self.samples(line)
        step = max(STEP, len(floats) // MOST_STEPS)
        folder.mkdir(parents=True, exist_ok=True)
        parts = {stem: folder / f".{stem}.wav.0{number}.part" for number, stem in enumerate(("one", "two"))}
        files = {}
        for stem, part in parts.items():
            files[stem] = part.open("w+b")
            files[stem].write(header(0))
            files[stem].flush()
        stems = {stem: str(part) for stem, part in parts.items()}
        told = {"id": name, "sample_rate": RATE, "stems": stems}
        self.say(status="separating", id=name, input="song")
        self.say(status="streaming", input="song", channels=1, frames=len(floats), **told)
        for start in range(0, len(floats), step):
            self.check(name)
            stop = min(start + step, len(floats))
            for stem, file in files.items():
                file.seek(92 + start * 4)
                file.write((floats[start:stop] * (1 if stem == "one" else -1)).astype("<f4").tobytes())
                file.flush()
                file.seek(0)
                file.write(header(stop))
                file.flush()
            self.say(status="segment", start=start, frames=stop - start, **told)
            self.say(status="progress", id=name, percent=100 * stop / len(floats), stage="separate", eta=1.0)
            if kind in (SLOW, SLOW + 10) or (Path.cwd().parent / "hold").exists():
                self.wait(name)
        for stem, part in parts.items():
            files[stem].close()
            part.rename(folder / f"{stem}.wav")
        paths = {stem: str(folder / f"{stem}.wav") for stem in parts}
        self.say(
            status="done",
            id=name,
            warnings=[],
            elapsed=0.1,
            output_dir=str(folder),
            files=list(paths),
            stems=list(paths),
            paths=paths,
            duration=1.0,
            sample_rate=RATE,
            model=line.get("model"),
            device="cpu",
            settings={"seed": kind, "sought": self.sought},
        )

    def samples(self, line):
        data = Path(line["input"]).read_bytes()[44:]
        return np.frombuffer(data, "<i2", len(data) // 2).astype("<f4") / 32768

    def check(self, name):
        if name in self.cancelled:
            raise KeyboardInterrupt

    def wait(self, name):
        """Until it is cancelled or a file says that it may go on: a slow job, or any while `hold` is there, is as slow as its test needs it."""
        while not (Path.cwd().parent / "go-on").exists():
            self.check(name)
            time.sleep(0.01)


if __name__ == "__main__":
    worker = Worker()
    threading.Thread(target=worker.listen, daemon=True).start()
    worker.work()
