"""What is old goes, and what is oldest when there is no room."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from utils.web.shapes import ENDED

if TYPE_CHECKING:
    from utils.web.app import Server

EVERY_S = 60.0
YOUNGEST_S = 3600.0  # an upload that no job uses yet is left alone for so long, unless its room is needed


async def sweep_for_ever(server: Server) -> None:
    while True:
        await asyncio.to_thread(sweep_leftovers, server)
        sweep(server)
        await asyncio.sleep(EVERY_S)


def sweep(server: Server, needed_bytes: int = 0) -> None:
    """Remove jobs that ended long ago and songs that no job uses; then, as long as there is too little room, the oldest."""
    limits, jobs = server.limits, server.jobs
    now_s = time.time()

    def is_full() -> bool:
        kept = jobs.kept_bytes + server.uploads.kept_bytes + needed_bytes
        return kept > limits.disk_bytes or server.folders.free_bytes() < limits.free_bytes + needed_bytes

    ended = sorted((record for record in jobs.records if record.state in ENDED), key=lambda each: each.ended or 0.0)
    too_many = len(ended) - limits.kept_jobs
    for number, record in enumerate(ended):
        if number < too_many or now_s - (record.ended or now_s) > limits.keep_s:
            jobs.remove(record)
    for name, used_s in server.database.idle_uploads():
        if now_s - used_s > limits.keep_s or (is_full() and now_s - used_s > YOUNGEST_S):
            server.remove_upload(name)
    for record in ended[max(too_many, 0) :]:
        if not is_full():
            break
        if record in jobs.records:
            jobs.remove(record)
    for name, _ in server.database.idle_uploads():
        if not is_full():
            break
        server.remove_upload(name)


def sweep_leftovers(server: Server) -> None:
    """Files that nothing refers to: of a worker that was killed late, or of a server that was."""
    folders = server.folders
    running = server.jobs.running
    young_s = time.time() - EVERY_S
    for folder, kept in (
        (folders.work, {running.folder.name} if running else set()),
        (folders.incoming, {path.name for path in list(server.uploads.coming)}),
        (folders.results, {record.result for record in server.jobs.records if record.result}),
        (folders.uploads, server.database.upload_ids()),
    ):
        for path in folder.iterdir():
            if path.name not in kept and path.lstat().st_mtime < young_s:
                folders.discard(path)
