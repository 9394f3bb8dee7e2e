"""Jobs in folders that hold an older set of stems, and what must be in there after whatever happens to a job."""

from __future__ import annotations

import shutil
from pathlib import Path

from planned_faults import done

STEMS = ("drums", "bass", "other", "vocals")
OLD = b"an older stem"
NOTES = ".dsu"
FORMATS = ("wav", "flac", "mp3", "ogg", "opus", "aiff", "m4a")  # those with a file for each stem


class Jobs:
    """The same two jobs of one worker again and again: the first has trouble, the second comes after it in the same folder."""

    def __init__(self, worker, songs: Path, place: Path, form: str) -> None:
        self.worker = worker
        self._songs, self._place, self._form = songs, place, form
        right = place / "right"
        self.new = {}
        for song in ("first", "second"):
            (last,) = self.run(right, song)
            assert last["status"] == "done", last
        self.new = tree(right)
        assert len(self.new) == 2 * len(STEMS)

    def request(self, folder: Path, song: str = "first") -> dict:
        return {
            "cmd": "separate",
            "input": str(self._songs / f"{song}.wav"),
            "output": str(folder),
            "name_template": "{track} {stem}",
            "format": self._form,
            "model": "tiny",
            "shifts": 0,
            "resume": True,
            "progress": False,
            "id": f"{folder.name} {song}",
        }

    def run(self, folder: Path, song: str = "first") -> list[dict]:
        """Do a job; all its final lines, of which there must be one."""
        self.worker.send(self.request(folder, song), {"cmd": "load_model", "model": "tiny", "id": "after"})
        finals = []
        while True:
            line = self.worker.read()
            assert line is not None, "the worker has ended"
            if line.get("id") == "after" and line["status"] != "loading_model":
                return finals
            if line["status"] not in ("loading_model", "separating"):
                finals.append(line)

    def prepare(self, name: str) -> Path:
        """A folder of this name with the older set."""
        folder = self._place / name
        folder.mkdir()
        for stem in STEMS:
            (folder / f"first {stem}.{self._form}").write_bytes(OLD)
        return folder

    def count_calls(self) -> int:
        """How many calls change files in such a folder."""
        folder = self.prepare("count-0")
        self.run(folder)
        shutil.rmtree(folder)
        return int(done(folder) or 0)

    def heal(self, folder: Path) -> Path:
        """The folder under a name that plans nothing."""
        return folder.rename(folder.with_name(f"healed-{folder.name}"))

    def check(self, folder: Path, *, is_new: bool | None) -> str:
        """Do the second job there. Then the first one's set is whole and, if that is known, the one it said; nothing else is left.

        Which one it is: `new` or `old`.
        """
        (last,) = self.run(folder, "second")
        assert last["status"] == "done", last
        found = tree(folder)
        first = {name: data for name, data in found.items() if name.startswith("first")}
        new = {name: data for name, data in self.new.items() if name.startswith("first")}
        old = dict.fromkeys(new, OLD)
        if is_new is None:
            assert first in (old, new), {name: len(data) for name, data in first.items()}
        else:
            assert first == (new if is_new else old), {name: len(data) for name, data in first.items()}
        assert {**self.new, **first} == found, sorted(found)
        shutil.rmtree(folder)
        return "new" if first == new else "old"


def tree(folder: Path) -> dict[str, bytes]:
    """All files but the notes, with their content."""
    files = (path for path in folder.rglob("*") if path.is_file() and NOTES not in path.relative_to(folder).parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
