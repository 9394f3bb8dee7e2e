"""A browser of the Chromium family under remote control: its own protocol over two pipes, so nothing else is needed."""

import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
# The browser reads from 3 and writes to 4.
START = "import os, sys; to, found, *words = sys.argv[1:]; os.dup2(int(to), 3); os.dup2(int(found), 4); os.execvp(words[0], words)"
PATIENCE_S = 300
FIRST_FREE = 10  # so that the pipes are not in each other's way when they get the numbers 3 and 4


class Browser:
    """One open page."""

    def __init__(self, to, found):
        self._to, self._found = to, found
        self._number = 0
        self._session = None
        self.addresses = []  # of what was asked for
        self.errors = []  # in the page's script, or in what its policy forbids

    def attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """A command of the protocol and its answer; what happens in between is noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._next()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_for(self, event):
        while self._next().get("method") != event:
            pass

    def _next(self):
        read = bytearray()
        while (byte := self._found.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("The browser has ended.")
            read += byte
        message = json.loads(read)
        about = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.addresses.append(about["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(about["exceptionDetails"]["text"])
            case "Log.entryAdded" if about["entry"]["level"] == "error":
                self.errors.append(about["entry"]["text"])
        return message

    def open(self, path, *, width=1200, theme="light"):
        self.visit(path.as_uri(), width=width, theme=theme)

    def visit(self, address, *, width=1200, theme="light"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def evaluate(self, script):
        """The value of an expression, or what it promises."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def until(self, script):
        """Wait until an expression is true."""
        end_s = time.monotonic() + PATIENCE_S
        while not (found := self.evaluate(script)):
            assert time.monotonic() < end_s, script
            time.sleep(0.05)
        return found

    def choose_file(self, selector, path):
        """A file for an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def press(self, key):
        """A key, as from a keyboard."""
        text = key if len(key) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, selector, at=0.5):
        """The mouse, on the first element that is found, at this share of its width."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
        box = self.evaluate(
            f"(({{x, y, width, height}}) => ({{x, y, width, height}}))({found}.getBoundingClientRect())"
        )
        place = {"x": box["x"] + at * box["width"], "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)


@contextmanager
def open_browser(program, profile):
    """A browser with nothing of its user's in it."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, FIRST_FREE) for end in (to_read, from_write)]
    flags = [*FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    process = subprocess.Popen(
        [sys.executable, "-c", START, *map(str, theirs), program, *flags],
        pass_fds=theirs,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (*theirs, to_read, from_write):
        os.close(end)
    try:
        with os.fdopen(to_write, "wb") as to, os.fdopen(from_read, "rb") as found:
            browser = Browser(to, found)
            browser.attach()
            yield browser
    finally:
        process.terminate()
        process.wait()
