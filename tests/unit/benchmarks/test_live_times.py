"""The benchmark of live stems: what it asks for, and what it says."""

from benchmarks import live
from benchmarks.live import FirstSound
from benchmarks.worker_process import Line


class Worker:
    """Answers after given times, and keeps what it was sent."""

    def __init__(self, **times):
        self.times = times
        self.sent = []

    def send(self, request):
        self.sent.append(request)

    def wait_for(self, status):
        return Line(self.times[status], {"status": status})


def test_times_count_from_the_request():
    """Until the first stretch, and until the end."""
    worker = Worker(pong=10.0, segment=10.4, done=13.0)
    heard = live.listen(worker, {"model": "m", "start_at": 5})
    assert (round(heard.first_s, 3), round(heard.whole_s, 3)) == (0.4, 3.0)
    assert worker.sent[1] == {"cmd": "separate", "stream": True, "progress": False, "model": "m", "start_at": 5}


def test_the_table_has_medians():
    """One row for each place."""
    text = live.report({"the start": [FirstSound(0.5, 5.0), FirstSound(0.7, 7.0), FirstSound(9.0, 90.0)]})
    assert "| from the start | 0.70 | 7.0 | 0.100 |" in text
