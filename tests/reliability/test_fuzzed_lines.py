"""Lines that no client should send. Each is answered once, and the worker goes on."""

from collections import Counter

import psutil
import pytest
from fuzzed_lines import FuzzedLines

from workers import WORKERS

AT_ONCE = 200
MORE_MEMORY_BYTES = 64 << 20


@pytest.mark.parametrize("kind", WORKERS)
def test_every_line_is_answered(scenario, forge, tmp_path, kind):
    """Whatever a line says, its answer comes once and is no `internal` error, and a request after it is answered."""
    with forge.start(kind, tmp_path / "models") as worker:
        description = worker.ask(cmd="describe")
        events = set(description["events"])
        lines = FuzzedLines(description, seed=sorted(WORKERS).index(kind), missing=str(tmp_path / "missing.wav"))
        warm, process = 0, psutil.Process(worker.pid)
        count = scenario.times(700, 100_000)
        for start in range(0, count, AT_ONCE):
            sent = [lines.line(number) for number in range(start, min(start + AT_ONCE, count))]
            worker.send_bytes(b"".join(line.text + b"\n" for line in sent))
            worker.send({"cmd": "load_model", "model": "there is none", "id": "last"})
            answers = answers_to(worker, events)
            for line in sent:
                with scenario.trial("line", line.text[:300]):
                    assert line.id is None or answers[line.id] == 1
            with scenario.trial("batch of lines", start):
                assert answers.total() == sum(bool(line.text.strip()) for line in sent)
            worker.transcript.clear()
            warm = max(warm, process.memory_info().rss) if start < count // 4 else warm
        with scenario.trial("worker"):
            assert worker.ask(cmd="ping", id="alive")["status"] == "pong"
            assert process.memory_info().rss < warm + MORE_MEMORY_BYTES
        assert not any(tmp_path.rglob("*.part"))


def answers_to(worker, events):
    """How many final lines came for each id, up to the one of the last request."""
    answers = Counter()
    while True:
        line = worker.read()
        assert line is not None, "the worker has ended"
        if line["status"] in events:
            continue
        assert line.get("code") != "internal", line
        if line.get("id") == "last":
            break
        answers[line.get("id")] += 1
    worker.send({"cmd": "list_models", "id": "aside"})  # what needs the disk is answered beside all others
    while (line := worker.read()).get("id") != "aside":
        answers[line.get("id")] += line["status"] not in events
    return answers
