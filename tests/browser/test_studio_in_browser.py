"""The page of DSU Studio in a real browser, against a stand-in for the server, and against the server itself."""

import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from browser import PATIENCE_S
from fake_web_worker import RATE
from node_runtime import program, run
from web_server import WebServer

STUDIO = Path(__file__).resolve().parents[2] / "studio"
HOUR = 3600 * RATE
# A node that measures stands before the loudspeakers.
LISTEN = """
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) connect.call(this, window.ear = new AnalyserNode(target.context, {fftSize: 16384}));
    return connect.call(this, target, ...rest);
  };
"""
HEARD = (
    "(() => {const found = new Float32Array(4096); window.ear?.getFloatTimeDomainData(found); return [...found];})()"
)


@pytest.fixture(scope="module")
def npm(node, request):
    """Runs npm, once the page is made."""

    def words(*given):
        done = run(program("npm"), *given, cwd=STUDIO, env={"DSU_BROWSER": str(request.config.getoption("--browser"))})
        assert done.returncode == 0, done.stdout + done.stderr

    words("ci")
    words("run", "build")
    return words


def test_the_page_works_in_a_browser(npm):
    """Sending, the queue, listening, recipes, export, keys, screen readers, narrow and wide: its own tests pass."""
    npm("test", "--", "page")


def button(text):
    return f"[...document.querySelectorAll('button')].find((one) => one.textContent.includes('{text}') || one.ariaLabel === '{text}')"


def test_an_hour_is_sent_and_heard_before_its_end_and_after_it(npm, browser, tmp_path):
    """What is played is what the file of the stem has, at the start while the work goes on, and later near its end; memory stays."""
    samples = np.random.default_rng(1).integers(-20000, 20000, HOUR, np.int16)
    soundfile.write(tmp_path / "hour.wav", samples, RATE, "PCM_16")

    def is_played(first, last):
        """Whether the page plays the first stem, somewhere between these seconds."""
        heard = np.array(browser.evaluate(HEARD)) * 32768
        places = np.flatnonzero(samples[first * RATE : last * RATE] == round(heard[0])) + first * RATE
        return any(
            np.abs(samples[place : place + len(heard)] - heard).max() < 0.01
            for place in places
            if place + len(heard) < HOUR
        )

    def hear(first, last):
        """Wait until it is played; the end of the song, or of what is there, may have stopped it."""
        end_s = time.monotonic() + PATIENCE_S
        while not is_played(first, last):
            assert time.monotonic() < end_s
            browser.evaluate(f"{button('Play')}?.click()")

    with WebServer(tmp_path / "data", "--page", STUDIO / "dist", "--no-browser", program="dsu studio") as server:
        (server.data / "hold").touch()
        before = psutil.Process(server.process.pid).memory_info().rss
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        browser.visit(f"http://localhost:{server.port}/?token={server.token}")
        browser.until("document.querySelector('input[type=file]') !== null")
        browser.choose_file("input[type=file]", tmp_path / "hour.wav")
        browser.until(f"{button('Separate 1 song')}?.disabled === false")
        browser.evaluate(f"{button('Separate 1 song')}.click()")
        browser.until("document.querySelector('.track') !== null")
        browser.evaluate(f"{button('Solo One')}.click()")
        hear(0, 60)
        (job,) = server.get("/v1/jobs").json["jobs"]
        assert job["state"] == "running"
        server.go_on()
        server.ended(job["id"])
        browser.until(f"!{button('Export')}.disabled")
        browser.press("End")
        for _ in range(4):
            browser.press("ArrowLeft")
        hear(3570, 3600)
        assert browser.evaluate("performance.memory.usedJSHeapSize") < 80 << 20
        assert psutil.Process(server.process.pid).memory_info().rss - before < 30 << 20
        assert server.stderr == ""
    assert browser.errors == []
