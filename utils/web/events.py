"""What happens, told to all who listen: a ring of the latest events, from which each listener reads at its own pace.

A listener that falls behind the ring, or comes back after too long, gets everything as it is now instead. So a slow or idle
listener costs a cursor, and nothing piles up for it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

KEPT = 2048
HEARTBEAT_S = 15.0


class PastEvent(NamedTuple):
    number: int
    job: str
    text: bytes


class Broker:
    """The ring. `snapshot` gives the events that bring a listener up to date, of one job or of all."""

    def __init__(self, snapshot: Callable[[str | None], list[tuple[str, object]]]) -> None:
        self._snapshot = snapshot
        self._run = secrets.token_hex(4)  # numbers of an earlier run of the server mean nothing in this one
        self._ring: deque[PastEvent] = deque(maxlen=KEPT)
        self._number = 0
        self._news = asyncio.Event()
        self._closed = False
        self.listeners = 0

    def publish(self, kind: str, job: str, content: object) -> None:
        self._number += 1
        self._ring.append(PastEvent(self._number, job, self._text(kind, content)))
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """Let every listener go."""
        self._closed = True
        self._news.set()

    async def listen(self, job: str | None, last_id: str) -> AsyncIterator[bytes]:
        """The events after `last_id`, as server-sent events, until the listener leaves or the server ends."""
        self.listeners += 1
        try:
            yield b"retry: 2000\n\n"
            cursor = self._cursor_after(last_id)
            while not self._closed:
                if cursor is None:
                    cursor = self._number
                    # All with the number of now: whoever leaves in between comes back for what happened meanwhile.
                    for text in [self._text(kind, content) for kind, content in self._snapshot(job)]:
                        yield text
                    yield b": up to date\n\n"
                news = self._news
                missed = self._number - cursor
                if missed > len(self._ring):
                    cursor = None
                    continue
                fresh = [self._ring[place] for place in range(-missed, 0)]
                for event in fresh:
                    cursor = event.number
                    if job in (None, event.job):
                        yield event.text
                if not fresh:
                    try:
                        await asyncio.wait_for(news.wait(), HEARTBEAT_S)
                    except TimeoutError:
                        yield b": still here\n\n"  # by which a listener that is gone is noticed
        finally:
            self.listeners -= 1

    def _cursor_after(self, last_id: str) -> int | None:
        """The number that an id of ours has, where all later events are still in the ring."""
        run, _, number = last_id.partition("-")
        if run != self._run or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        oldest = self._ring[0].number if self._ring else self._number + 1
        return int(number) if oldest - 1 <= int(number) <= self._number else None

    def _text(self, kind: str, content: object) -> bytes:
        data = msgspec.json.encode(content)
        return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (self._run.encode(), self._number, kind.encode(), data)
