"""The examples with a page, in a real browser: Gradio's with Gradio itself, and the window of the Electron application.

Gradio is 180 MB with what it needs, and nothing else needs it: these tests run where it is installed, or where DSU_GRADIO names the Python of an
environment that has it, as in CI. Electron itself cannot be tested so; its window is a page of Chromium, and what it asks for is answered here.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from worker_process import clean_environment

from tools.fixtures.song import song

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
STEMS = ["vocals", "drums", "bass", "other"]
TEXT = "document.body.innerText"


@pytest.fixture
def gradio_page(tmp_path):
    """The address of the page, made by its program as users start it."""
    python = os.environ.get("DSU_GRADIO") or sys.executable
    if python == sys.executable and importlib.util.find_spec("gradio") is None:
        pytest.skip(
            "Gradio is not installed: `pip install -r examples/gradio/requirements.txt` in any environment, whose Python DSU_GRADIO names."
        )
    settings = {
        "DSU_DEVICE": "cpu",
        "DSU_THREADS": "1",
        "DSU_OFFLINE": "1",
        "DSU_MODELS": str(tmp_path / "models"),
        "HOME": str(tmp_path),
    }
    settings |= {"PYTHONPATH": str(ROOT / "clients" / "python"), "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)}
    settings |= {"GRADIO_ANALYTICS_ENABLED": "False", "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(
        [python, EXAMPLES / "gradio" / "app.py"],
        cwd=tmp_path,
        env=clean_environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    ) as app:
        lines = []
        for line in app.stdout:
            lines.append(line)
            if found := re.search(r"http://[\w.:]+", line):
                yield found[0]
                break
        else:
            pytest.fail("".join(lines))
        app.terminate()


def press(browser, text):
    browser.evaluate(
        f"[...document.querySelectorAll('button')].find((one) => one.innerText === {json.dumps(text)}).click()"
    )


def choose(browser, path):
    """Put a song in place of the one that is there."""
    browser.evaluate("document.querySelector('[aria-label=Clear]')?.click()")
    browser.until("!!document.querySelector('input[type=file]')")
    browser.choose_file("input[type=file]", path)
    browser.until("!!document.querySelector('[aria-label=Clear]')")


def test_gradio(gradio_page, browser, tmp_path):
    """A song comes back as four players, after progress; a long one is cancelled, and the next one works. Nothing comes from elsewhere."""
    soundfile.write(tmp_path / "short.wav", song(2.0), 44100)
    soundfile.write(tmp_path / "long.wav", song(120.0), 44100)
    browser.visit(gradio_page)

    choose(browser, tmp_path / "long.wav")
    press(browser, "Separate")
    browser.until(f"/\\d%/.test({TEXT})")
    press(browser, "Cancel")
    browser.until(f"!/\\d%|processing/.test({TEXT})")
    assert browser.evaluate(f"{TEXT}.match(/Error/)") is None

    choose(browser, tmp_path / "short.wav")
    press(browser, "Separate")
    browser.until(f"({TEXT}.match(/0:02/g) ?? []).length === 5")
    files = [address for address in browser.addresses if address.endswith(".mp3")]
    assert {Path(address).stem for address in files} == set(STEMS)
    assert [one for one in browser.addresses if not one.startswith((gradio_page, f"blob:{gradio_page}", "data:"))] == []
    assert browser.errors == []


def test_the_window_of_electron(browser):
    """Its button, its bar and its players: a job with progress, one that fails, and one that is cancelled."""
    answers = """
      window.stems = {
        onProgress: (listener) => { window.tell = listener; },
        separate: () => new Promise((done) => { window.answer = done; }),
        cancel: () => window.answer({ error: 'The job was cancelled.', code: 'cancelled' }),
      };
    """
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=answers)
    browser.open(EXAMPLES / "electron" / "index.html")
    states = "[document.getElementById('separate').disabled, document.getElementById('progress').value]"

    browser.click("#separate")
    browser.evaluate("tell(41.5)")
    assert browser.evaluate(states) == [True, 41.5]
    browser.evaluate("answer({ paths: { drums: 'file:///a%20folder/drums.wav' } })")
    assert browser.evaluate(states) == [False, 0]
    assert browser.evaluate("[...document.querySelectorAll('audio')].map((one) => one.src)") == [
        "file:///a%20folder/drums.wav"
    ]

    browser.click("#separate")
    browser.click("#cancel")
    assert browser.evaluate("document.getElementById('stems').textContent") == "The job was cancelled."
    assert browser.evaluate(states) == [False, 0]
