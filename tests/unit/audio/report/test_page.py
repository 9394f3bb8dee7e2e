"""The page of a report: everything is in it, nothing is fetched, and what it plays are the stems."""

import base64
import hashlib
import io
import re
import threading
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from node_runtime import run
from PIL import Image

from utils.audio.report import clips, page
from utils.audio.report.facts import Closeness, Facts
from utils.audio.report.writer import ReportWriter
from utils.core import cleanup
from utils.core.errors import DiskFull, OutputNotWritable

RATE = 44100
EVIL = "</title><script>alert('1')</script> & \"<b>"
FACTS = Facts(EVIL, "model <i>", "1.2.3", "cpu", {"use_tta": True, "mode <u>": "<s>"}, {EVIL: Closeness(5.66, 9.81)})


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and the text in each kind of tag."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def noise(seconds, seed=0):
    """Smooth enough for a lossy format."""
    rough = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))
    return (0.3 * np.apply_along_axis(np.convolve, 1, rough, np.hanning(40) / 20, mode="same")).astype(np.float32)


def write(target, signals, facts=FACTS):
    seconds = max(signal.shape[1] for signal in signals.values()) / RATE
    with ReportWriter(list(signals), sample_rate=RATE, channels=2, duration_s=seconds, page=target) as writer:
        for start in range(0, round(seconds * RATE), 1 << 16):
            for name, signal in signals.items():
                writer.add(name, signal[:, start : start + (1 << 16)])
        writer.save_page(facts)
    return Parsed(target.read_text(encoding="utf-8"))


def sound_of(text, data):
    """The tracks as a browser lays them together."""
    step, lead = (round(float(data[name]) * RATE) for name in ("data-step", "data-lead"))
    tracks = {}
    for track, number, mp3 in re.findall(r'data-track="(\d+)" data-clip="(\d+)">([^<]+)', text):
        samples, _ = soundfile.read(io.BytesIO(base64.b64decode(mp3)), dtype="float32", always_2d=True)
        whole = tracks.setdefault(int(track), np.zeros((2, 40 * RATE), np.float32))
        whole[:, int(number) * step :][:, : len(samples)] += samples.T
    return {track: whole[:, lead:] for track, whole in tracks.items()}


def test_it_holds_the_sound_of_every_track(tmp_path):
    """Under its number, to what a lossy format changes, across the borders of clips."""
    signals = {"the mix": noise(21.0), "one": noise(21.0, 1), "two": 0.1 * noise(21.0, 2)}
    parsed = write(tmp_path / "report.html", signals)
    (area,) = (each for each in parsed.all("section") if "data-step" in each)
    heard = sound_of((tmp_path / "report.html").read_text(encoding="utf-8"), area)
    assert float(area["data-duration"]) == float(area["data-playable"]) == 21.0
    assert sorted(heard) == [0, 1, 2]
    for truth, found in zip(signals.values(), heard.values(), strict=False):
        assert np.square(truth - found[:, : truth.shape[1]]).sum() < 0.03 * np.square(truth).sum()


def test_names_are_shown_as_they_are(tmp_path):
    """Whatever a song, a stem or a setting is called: none of it becomes a part of the page's code."""
    parsed = write(tmp_path / "report.html", {"the mix": noise(0.2), EVIL: noise(0.2)})
    assert parsed.texts["title"] == [FACTS.title]
    assert parsed.texts["h1"] == [EVIL]
    assert parsed.texts["h2"][:2] == ["the mix", EVIL]
    assert {"b", "u", "s"}.isdisjoint(tag for tag, _ in parsed.tags)
    assert any(FACTS.model in text for text in parsed.texts["p"])
    assert [script for script in parsed.all("script") if script.get("type") != "text/plain"] == [{}]
    assert f"Solo {EVIL}" in [button.get("aria-label") for button in parsed.all("button")]


def test_nothing_is_fetched(tmp_path):
    """It has no address of anything, and its policy allows its own script, its own style and pictures within it."""
    parsed = write(tmp_path / "report.html", {"the mix": noise(0.2), "one": noise(0.2)})
    assert not [tag for tag, attributes in parsed.tags if tag in ("link", "base", "iframe", "object", "form")]
    sources = [attributes[name] for _, attributes in parsed.tags for name in ("src", "href") if name in attributes]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not [
        attributes for _, attributes in parsed.tags if any(name == "style" or name[:2] == "on" for name in attributes)
    ]
    (policy,) = (each["content"] for each in parsed.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digests = {
        tag: base64.b64encode(hashlib.sha256(parsed.texts[tag][-1].encode()).digest()).decode()
        for tag in ("script", "style")
    }
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'sha256-{digests['script']}'",
        "style-src": f"'sha256-{digests['style']}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_it_tells_what_the_picture_tells(tmp_path):
    """Levels, settings, version, and the SDR where it is known; each signal has a waveform and a spectrogram."""
    parsed = write(tmp_path / "report.html", {"the mix": noise(3.0), EVIL: np.zeros((2, 3 * RATE), np.float32)})
    assert parsed.texts["dt"][:4] == ["DSU", "device", "use tta", "mode <u>"]
    assert parsed.texts["dd"][:4] == ["1.2.3", "cpu", "yes", "<s>"]
    assert parsed.texts["th"][-2:] == ["the mix", EVIL]
    assert parsed.texts["td"][-4:] == ["silent", "silent", "5.7", "+9.8"]
    assert [len(path["d"].split()) > 100 for path in parsed.all("path")] == [True, True]
    pictures = [Image.open(io.BytesIO(base64.b64decode(each["src"].partition(",")[2]))) for each in parsed.all("img")]
    brightness = [np.asarray(picture.convert("L")).mean() for picture in pictures]
    assert brightness[0] > 3 * brightness[1]


def test_without_known_stems_nothing_is_said_of_sdr(tmp_path):
    """No column for it, and no explanation."""
    parsed = write(tmp_path / "report.html", {"the mix": noise(0.1)}, Facts("song", "model", "1.2.3", "cpu"))
    assert parsed.texts["th"] == ["track", "RMS dBFS", "peak dBFS", "the mix"]
    assert "SDR" not in "".join(parsed.texts["p"])


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_next_to_nothing_has_a_page(tmp_path, frames):
    """A song of a few samples is no error."""
    parsed = write(tmp_path / "report.html", {"the mix": np.zeros((2, frames), np.float32)})
    assert len(parsed.all("script")) == 2


def test_long_songs_say_how_much_of_them_plays(tmp_path, monkeypatch):
    """What there is no room for is seen, but not heard."""
    monkeypatch.setattr(clips, "MOST_BYTES", 2 * 32 * 125 * 10)
    monkeypatch.setattr(clips, "KILOBITS", (32,))
    parsed = write(tmp_path / "report.html", {"the mix": noise(25.0), "one": noise(25.0)})
    (area,) = (each for each in parsed.all("section") if "data-step" in each)
    assert (float(area["data-duration"]), float(area["data-playable"])) == (25.0, 10.0)
    assert any("Only the first 0:10 can be played here" in text for text in parsed.texts["p"])
    assert sum("data-clip" in script for script in parsed.all("script")) == 2


# Files ---------------------------------------------------------------------------------------------------------------


def begin(tmp_path):
    return ReportWriter(["the mix"], sample_rate=RATE, channels=2, duration_s=30.0, page=tmp_path / "report.html")


def test_what_is_not_saved_leaves_nothing(tmp_path):
    """A job that fails or is cancelled in its middle."""
    with begin(tmp_path) as writer:
        writer.add("the mix", noise(25.0))
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_must_end_leaves_nothing(tmp_path):
    """What is written is removed from another thread, and what follows is an error and no new file."""
    with begin(tmp_path) as writer:
        writer.add("the mix", noise(25.0))
        other = threading.Thread(target=cleanup.run_all)
        other.start()
        other.join()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(OutputNotWritable):
            writer.save_page(FACTS)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_was_there_is_replaced_when_the_new_one_is_complete(tmp_path):
    """Until then it stays as it is."""
    target = tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")
    with begin(tmp_path) as writer:
        writer.add("the mix", noise(12.0))
        assert target.read_text(encoding="utf-8") == "old"
        writer.save_page(FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_full_disk_is_noticed_before_the_work(tmp_path, monkeypatch):
    """There must be room for the sound and for the page that it goes into."""
    asked = []
    monkeypatch.setattr(page, "check_disk_space", lambda folder, size: asked.append(size))
    begin(tmp_path)
    sound = 30 * 128 * 125 * 4 / 3
    assert asked[0] >= 2 * sound

    def full(folder, size):
        raise DiskFull("full")

    monkeypatch.setattr(page, "check_disk_space", full)
    with pytest.raises(DiskFull):
        begin(tmp_path)


def test_no_more_than_a_few_clips_are_in_memory(tmp_path, monkeypatch):
    """Encoded clips are written as they are done, in order, however long the song is."""
    waiting, most = set(), []
    real = page.encoded

    def counted(clip, plan):
        waiting.add(id(clip))
        most.append(len(waiting))
        try:
            return real(clip, plan)
        finally:
            waiting.discard(id(clip))

    monkeypatch.setattr(page, "encoded", counted)
    with ReportWriter(["a", "b"], sample_rate=8000, channels=1, duration_s=600.0, page=tmp_path / "r.html") as writer:
        pending = writer._page._pending
        for _ in range(60):
            for name in ("a", "b"):
                writer.add(name, np.zeros((1, 80000), np.float32))
                assert len(pending) <= 4
        writer.save_page(FACTS)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r'data-track="1" data-clip="(\d+)"', text)] == list(range(60))
    assert max(most) <= 4


# Its script ----------------------------------------------------------------------------------------------------------


def test_the_player_keeps_tracks_in_step(node):
    """Its own tests, against a clock and sources that only note what they are told."""
    folder = page.PARTS.parents[3]
    done = run(node, "--test", folder / "tests" / "unit" / "audio" / "report" / "player.test.js", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
