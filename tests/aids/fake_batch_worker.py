"""Stands in for the worker `dsu` in an actor: the fake worker of the web server, with songs that do harm told by their content.

What `fake_web_worker` does by a job's `seed` is done here by the song, since rows of a manifest may have the same settings.
"""

import os
import sys
from pathlib import Path

import numpy as np
from fake_web_worker import Worker, threading


class BatchWorker(Worker):
    """A worker whose songs say what they do: their first sample is the number of it."""

    POISON, TOO_LARGE, BROKEN, LOSES_CARD, ENDLESS, WHOLE = 11111, 12222, 13333, 14444, 15555, 16666

    def separate(self, line):
        song = Path(line["input"]).read_bytes()
        kind = int.from_bytes(song[44:46], "little", signed=True)
        if kind == self.POISON:
            sys.stderr.write("The fake worker dies.\n")
            os._exit(9)
        if kind == self.ENDLESS:
            Path(line["input"]).with_suffix(".pid").write_text(str(os.getpid()))
            threading.Event().wait()
        if kind == self.TOO_LARGE and line.get("batch_size") != 1:
            self.say(status="error", id=line["id"], code="out_of_memory", message="There is too little memory.")
        elif kind == self.LOSES_CARD and line.get("batch_size") != 1:
            self.say(status="error", id=line["id"], code="device_lost", message="The card does not answer.")
        elif kind == self.BROKEN:
            self.say(status="error", id=line["id"], code="input_unreadable", message="This is no song.")
        elif any(not Path(share["one"]).exists() for share in line.get("shares", [])):
            self.say(status="error", id=line["id"], code="input_not_found", message="There is no such share.")
        elif kind == self.WHOLE and "share" in line:
            self.say(status="error", id=line["id"], code="invalid_request", message="Not in parts.", field="share")
        else:
            super().separate(line)

    def samples(self, line):
        floats = super().samples(line)
        if "shares" in line:
            parts = [np.frombuffer(Path(share["one"]).read_bytes()[92:], "<f4") for share in line["shares"]]
            return np.concatenate(parts)
        if "share" in line:
            number, of = line["share"]["number"], line["share"]["of"]
            return floats[len(floats) * (number - 1) // of : len(floats) * number // of]
        return floats


if __name__ == "__main__":
    worker = BatchWorker()
    threading.Thread(target=worker.listen, daemon=True).start()
    worker.work()
