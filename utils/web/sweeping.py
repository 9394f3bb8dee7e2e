"""What is old goes, and what is oldest when there is no room."""

from __future__ import annotations

import asyncio
import time

from utils.web.database import Database, Record
from utils.web.folders import Folders
from utils.web.jobs import JobList
from utils.web.options import WebLimits
from utils.web.shapes import ENDED
from utils.web.uploads import Uploads

EVERY_S = 60.0
YOUNGEST_S = 3600.0  # a song that no job uses yet is left alone for so long, unless nothing else makes room


class Sweeper:
    """Removes from the data folder what its limits do not allow to stay."""

    def __init__(
        self, limits: WebLimits, folders: Folders, database: Database, jobs: JobList, uploads: Uploads
    ) -> None:
        self._limits = limits
        self._folders = folders
        self._database = database
        self._jobs = jobs
        self._uploads = uploads

    async def work(self) -> None:
        """Sweep now and then."""
        while True:
            self.sweep_leftovers()
            self.sweep()
            await asyncio.sleep(EVERY_S)

    def sweep(self, needed_bytes: int = 0) -> None:
        """Remove jobs that ended long ago and songs that no job uses; then the oldest, until there is room."""
        old_s = time.time() - self._limits.keep_s
        ended = self._ended()
        for number, record in enumerate(ended):
            if number < len(ended) - self._limits.kept_jobs or (record.ended or 0.0) < old_s:
                self._jobs.remove(record)
        self._remove_songs(needed_bytes, sure_s=old_s, maybe_s=time.time() - YOUNGEST_S)
        for record in self._ended():
            if not self._is_full(needed_bytes):
                return
            self._jobs.remove(record)
        self._remove_songs(needed_bytes, sure_s=old_s, maybe_s=time.time())

    def _ended(self) -> list[Record]:
        """The jobs that have ended, the oldest first."""
        ended = [record for record in self._jobs.records if record.state in ENDED]
        return sorted(ended, key=lambda record: record.ended or 0.0)

    def _is_full(self, needed_bytes: int) -> bool:
        kept = self._jobs.kept_bytes + self._uploads.kept_bytes + needed_bytes
        free = self._folders.free_bytes() - needed_bytes
        return kept > self._limits.disk_bytes or free < self._limits.free_bytes

    def _remove_songs(self, needed_bytes: int, *, sure_s: float, maybe_s: float) -> None:
        """Remove songs that no job uses: last used before the first time, or before the second if there is no room."""
        for name, used_s in self._database.idle_uploads():
            if used_s < sure_s or (used_s < maybe_s and self._is_full(needed_bytes)):
                self._database.remove_upload(name)
                self._folders.discard(self._folders.uploads / name)

    def sweep_leftovers(self) -> None:
        """Remove files that nothing refers to: of a worker that was killed late, or of a server that was."""
        running = self._jobs.running
        old_s = time.time() - EVERY_S
        results = {record.result for record in self._jobs.records if record.result}
        for folder, kept in (
            (self._folders.work, {running.folder.name} if running else set()),
            (self._folders.incoming, {path.name for path in list(self._uploads.coming)}),
            (self._folders.results, results),
            (self._folders.uploads, self._database.upload_ids()),
        ):
            for path in folder.iterdir():
                if path.name not in kept and path.lstat().st_mtime < old_s:
                    self._folders.discard(path)
