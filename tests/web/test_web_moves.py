"""Stems that get their names, and then their place, while somebody reads them."""

import asyncio

import numpy as np
import pytest
import soundfile
from starlette.requests import Request

from utils.web.app import WebServer
from utils.web.jobs import ReadableStem
from utils.web.wav import layout_of


class Moving:
    """Jobs whose stem has just been moved each time that somebody learns where it is, so many times."""

    def __init__(self, path, moves):
        self.path, self.moves = path, moves

    async def readable(self, job, stem):
        found = ReadableStem(self.path, layout_of(self.path))
        if self.moves:
            self.moves -= 1
            self.path = self.path.rename(self.path.with_name(f"{self.moves}.wav"))
        return found


def read(path, moves):
    """The samples, by a server that has only these jobs."""
    server = object.__new__(WebServer)
    server.jobs = Moving(path, moves)
    scope = {"type": "http", "method": "GET", "query_string": b"frames=10", "path_params": {"job": "a", "stem": "b"}}
    answer = asyncio.run(server.samples(Request(scope)))
    answer._file.close()
    return answer.headers["content-length"]


def test_a_stem_that_moves_is_read_where_it_is(tmp_path):
    """To its final name, and then to where results are kept; one that is gone altogether is an error."""
    song = tmp_path / "song.wav"
    soundfile.write(song, np.zeros((100, 2)), 44100, subtype="FLOAT")
    assert read(song, 2) == read(tmp_path / "0.wav", 0) != "0"
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "0.wav", 3)
