"""The page of a report in a real browser: it looks right, fetches nothing, and plays the stems in step."""

import base64

import numpy as np
import pytest

from utils.audio.report.facts import Facts
from utils.audio.report.writer import ReportWriter

RATE = 44100
SECONDS = 25
MARGIN_S = 0.05  # between asking for sound and hearing it
FADE = RATE // 100
STEMS = ("drums", "bass", "<b>other")
# Plays the page's song into memory and not to loudspeakers: its clock stands still while the player works, so the result
# is the same on every machine.
RENDERED = """(async (alone, from, seconds) => {
  const context = new OfflineAudioContext(1, seconds * rate, rate);
  const go = context.resume.bind(context);
  context.resume = async () => {};
  const tracks = rows.map((_, index) => ({solo: index === alone, muted: index === 0, volume: 1}));
  const own = new Player({...player.song, tracks}, () => context);
  for (let time = 0.5; time < seconds; time += 0.5) context.suspend(time).then(async () => {await own.advance(); go();});
  await own.seek(from);
  await own.play();
  const bytes = new Uint8Array((await context.startRendering()).getChannelData(0).buffer);
  let text = '';
  for (let start = 0; start < bytes.length; start += 32768) text += String.fromCharCode(...bytes.subarray(start, start + 32768));
  return btoa(text);
})"""


def noise(seed):
    """Smooth enough for a lossy format; another one for each seed."""
    rough = np.random.default_rng(seed).standard_normal((1, SECONDS * RATE))
    return (0.1 * np.apply_along_axis(np.convolve, 1, rough, np.hanning(40) / 20, mode="same")).astype(np.float32)


SIGNALS = {name: noise(seed) for seed, name in enumerate(STEMS)}
SIGNALS = {"the mix": sum(SIGNALS.values()), **SIGNALS}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of a song."""
    target = tmp_path_factory.mktemp("report") / "report.html"
    facts = Facts(
        "</title><script>evil = 1</script>", "a model", "1.2.3", "cpu", {"overlap": 2, "a_long_one": "x" * 200}
    )
    with ReportWriter(list(SIGNALS), sample_rate=RATE, channels=1, duration_s=SECONDS, page=target) as writer:
        for name, signal in SIGNALS.items():
            writer.add(name, signal)
        writer.save_page(facts)
    return target


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_it_fits_every_screen_and_fetches_nothing(browser, report, width, theme):
    """Nothing sticks out at the side, its colours are those of the system, and what it shows is in it."""
    browser.open(report, width=width, theme=theme)
    assert (
        browser.evaluate("(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(document.documentElement)") == 0
    )
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(252, 252, 253)", "dark": "rgb(20, 22, 26)"}[theme]
    assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 100)")
    assert browser.evaluate("document.querySelector('h1').textContent") == "</title><script>evil = 1</script>"
    assert browser.evaluate("typeof evil") == "undefined"
    assert [address for address in browser.addresses if not address.startswith("data:")] == [report.as_uri()]
    assert browser.errors == []


@pytest.mark.parametrize("start", [0, 4.3, 9.98])
@pytest.mark.parametrize("alone", [None, 0, 2])
def test_what_is_heard_is_what_was_separated(browser, report, alone, start):
    """One track, or all stems, which are the mix: from any place on, across the borders of clips, exact to the sample."""
    browser.open(report)
    number = "null" if alone is None else alone
    text = browser.evaluate(f"{RENDERED}({number}, {start}, {SECONDS - 1 - int(start)})")
    heard = np.frombuffer(base64.b64decode(text), "<f4")
    heard = heard[round(MARGIN_S * RATE) :]
    truth = list(SIGNALS.values())[alone or 0][0, round(start * RATE) :][: len(heard)]
    wrong = np.square(truth - heard)
    for first in range(FADE, len(truth), RATE // 10):
        tenth = slice(first, first + RATE // 10)
        assert wrong[tenth].sum() < 0.05 * np.square(truth[tenth]).sum()


def test_it_is_played_with_the_mouse(browser, report):
    """Play, jump, mute, solo, pause: the clock of the sound runs, and the page shows what is so."""
    browser.open(report)
    browser.click("#play")
    browser.evaluate(
        "new Promise((done) => {const look = () => player.position > 0.3 ? done() : setTimeout(look, 20); look();})"
    )
    assert browser.evaluate("document.getElementById('play').textContent") == "Pause"
    browser.click(".track:nth-child(2) .plot", at=0.6)
    browser.evaluate(
        "new Promise((done) => {const look = () => player.position > 15.2 ? done() : setTimeout(look, 20); look();})"
    )
    assert (
        0.6
        < float(browser.evaluate("getComputedStyle(document.getElementById('tracks')).getPropertyValue('--at')"))
        < 0.9
    )
    browser.click(".track:nth-child(3) .mute")
    assert browser.evaluate("gainsOf(player.tracks)") == [0, 1, 0, 1]
    browser.click(".track:nth-child(4) .solo")
    assert browser.evaluate("gainsOf(player.tracks)") == [0, 0, 0, 1]
    assert browser.evaluate("rows.map((row) => row.classList.contains('silenced'))") == [True, True, True, False]
    assert browser.evaluate("rows[3].querySelector('.solo').getAttribute('aria-pressed')") == "true"
    browser.click("#play")
    assert browser.evaluate("[player.playing, document.getElementById('play').textContent]") == [False, "Play"]
    assert browser.errors == []


def test_it_is_played_with_the_keyboard(browser, report):
    """The keys that it lists."""
    browser.open(report)
    browser.press("2")
    assert browser.evaluate("gainsOf(player.tracks)") == [0, 0, 1, 0]
    browser.press("0")
    assert browser.evaluate("gainsOf(player.tracks)") == [1, 0, 0, 0]
    browser.press("0")
    browser.press("m")
    assert browser.evaluate("gainsOf(player.tracks)") == [1, 1, 1, 1]
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    browser.press("ArrowLeft")
    assert browser.evaluate("player.position") == 5
    browser.press("Home")
    assert browser.evaluate("player.position") == 0
    browser.press(" ")
    assert browser.evaluate("player.playing") is True
    browser.press(" ")
    assert browser.evaluate("player.playing") is False
    assert browser.errors == []
