#!/usr/bin/env python3
"""The one script to start with after cloning DSU. Standard library only; works the same on Linux, macOS and Windows.

It keeps a virtual environment in `.venv` up to date with the lock files and runs everything else inside it. Its own
messages go to stderr; stdout belongs to the program it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import inspect
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
STAMP = VENV / "dsu-installed.json"
UNFINISHED = VENV / "dsu-unfinished"

# Every package to install, with its version and hashes. `run.py lock` makes these files from the requirements files.
RUNTIME_LOCK = "locks/runtime.txt"
STUDIO_LOCK = "locks/studio.txt"
DOCS_LOCK = "locks/docs.txt"
BATCH_LOCK = "locks/batch.txt"
STUDIO = ROOT / "studio"
BUILD_LOCK = "locks/build.txt"
DEV_LOCK = "locks/dev.txt"
# Two builds of onnxruntime in one environment overwrite each other's files, so each flavor has exactly one.
ONNX_LOCK = "locks/onnxruntime.txt"
ONNX_GPU_LOCK = "locks/onnxruntime-gpu.txt"
# Elsewhere torch has no hashes; tools/lock.py says why.
MAC_TORCH_LOCK = "locks/torch-mac-mps.txt"


class Flavor(NamedTuple):
    """What an environment computes on: where its torch comes from, and which onnxruntime it has."""

    torch_index: str | None  # of PyTorch, which has the builds that PyPI lacks; None is PyPI
    onnx_lock: str
    torch_megabytes: int | None  # to download, with the libraries that it needs; None is not known
    systems: tuple[str, ...] = ("linux", "win32")


FLAVORS = {
    "cpu": Flavor("https://download.pytorch.org/whl/cpu", ONNX_LOCK, 190, ("linux", "win32", "darwin")),
    "cuda": Flavor("https://download.pytorch.org/whl/cu130", ONNX_GPU_LOCK, 2700),
    "cuda-legacy": Flavor("https://download.pytorch.org/whl/cu126", ONNX_LOCK, 2800),
    "rocm": Flavor("https://download.pytorch.org/whl/rocm7.2", ONNX_LOCK, None, ("linux",)),
    "xpu": Flavor("https://download.pytorch.org/whl/xpu", ONNX_LOCK, None),
    "mac-mps": Flavor(None, ONNX_LOCK, 0, ("darwin",)),
}
# What pip calls its settings of places to install from. Whoever has set one decides where torch comes from.
PLACES = ("index-url", "extra-index-url", "find-links", "no-index")
# What has to be downloaded on Linux; elsewhere it is about as much.
MEGABYTES = {
    RUNTIME_LOCK: 107, STUDIO_LOCK: 1, DOCS_LOCK: 22, BATCH_LOCK: 130, ONNX_LOCK: 18, ONNX_GPU_LOCK: 245, BUILD_LOCK: 20, DEV_LOCK: 85, MAC_TORCH_LOCK: 90,
}  # fmt: skip
MEGABYTES_PER_S = 6  # at 50 Mbit/s
INSTALL_MINUTES = 1  # to unpack what was downloaded
OLDEST_PYTHON = (3, 11)
# The benchmarks, and about how many minutes each takes on two cores.
BENCHMARKS = {
    "memory": 85, "startup": 3, "live": 3, "loading": 2, "audiosep": 2, "recipes": 4, "cancel": 30, "studio": 1, "peers": 40,
}  # fmt: skip

GENERATORS = {
    "protocol": "tools.protocol_docs",
    "pages of options": "tools.options_docs",
    "page of HTTP": "tools.http_docs",
    "page of the Python client": "tools.python_docs",
    "page of the Node client": "tools.node_docs",
    "compatibility": "tools.compatibility_docs",
    "tables of models": "tools.model_docs",
    "picture of the architecture": "tools.architecture_docs",
    "client types": "clients.node.generate_types",
    "Python client": "clients.python.generate_protocol",
}
CHECKS: dict[str, tuple[str, ...]] = {
    "lock": ("tools.lock", "--check"),
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    **{f"generated {title}": (module, "--check") for title, module in GENERATORS.items()},
}

MOST_TEST_PROCESSES = 6

FROZEN = ROOT / "dist" / "dsu"
FROZEN_TESTS = ("tests/e2e", "tests/frozen")
LONG_TESTS = ("tests/reliability", "--long")
LONG_TESTS_HOURS = 3
QUICK_TESTS = ("tests/unit", "-m", "not slow and not e2e")
BROWSER_TESTS = "tests/browser"
DEVICE_TESTS = "tests/device"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# The first run of all tests makes this environment, for the program that ours is compared with.
PEERS = ROOT / ".peers"
PEERS_MEGABYTES = 80
# What the long tests find new inputs with.
FUZZER = ROOT / ".fuzzer"
FUZZER_LOCK = "locks/fuzzer.txt"

MADE_HERE = (
    ".venv", ".peers", ".fuzzer", "demo", "build", "dist", "site", "studio/dist", "studio/node_modules", "tests/audio", "tests/node_output",
    "tests/benchmark_output", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
)  # fmt: skip

# What pip and venv print when something outside this project is wrong, and how to fix it. The first match counts.
DIAGNOSES = (
    (
        r"ensurepip is not available|No module named '?(venv|ensurepip)",
        "This Python cannot create virtual environments. Install its venv module (Debian, Ubuntu: `apt install python3-venv`).",
    ),
    (
        r"No space left on device|Errno 28|not enough space on the disk",
        "The disk is full. The environment needs a few gigabytes; free some space and run the command again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "The package index's certificate is not trusted here. Behind a company proxy, set PIP_CERT to its certificate file.",
    ),
    (
        r"DO NOT MATCH THE HASHES.*\n\s*(?P<package>\S+)",
        (
            "The downloaded file of {package} does not match the hashes in `locks/`. Run the command again with "
            "PIP_NO_CACHE_DIR=1. If it still fails, a mirror or an extra index (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL) serves a "
            "file other than the published one: do not install it."
        ),
    ),
    (
        r"Failed to establish a new connection|name resolution|getaddrinfo failed|Max retries exceeded|timed out|ProxyError",
        "The package index cannot be reached. Check the network (or set HTTPS_PROXY) and run the command again.",
    ),
    (
        r"Python\.h: No such file|Python\.h' file not found",
        "A package must be compiled, and Python's headers are missing (Debian, Ubuntu: `apt install python3-dev`).",
    ),
    (
        r"Microsoft Visual C\+\+|unable to execute|command '\S*(cc|clang|\+\+)(-\d+)?' failed",
        "A package must be compiled, and there is no working C compiler. Install one (Debian, Ubuntu: `apt install gcc`).",
    ),
    (
        r"No matching distribution found for (?P<package>\S+)",
        "There is no build of {package} for Python {python} on {system}. Try another Python version.",
    ),
    (
        r"Permission denied|PermissionError|Access is denied|WinError 32",
        "A file in `.venv` cannot be written. Stop workers that are still running and check who owns the folder.",
    ),
)


class Failure(Exception):
    """The command cannot go on; the message is shown to the user."""


class Finished(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    output: str


class Plan(NamedTuple):
    """How to bring the environment up to date: whether to create it again, and which files to install."""

    rebuild: bool
    install: tuple[str, ...]


# Messages and commands --------------------------------------------------------------------------------------------


def say(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


@contextlib.contextmanager
def step(title: str) -> Iterator[Callable[[], None]]:
    """Show a step on one line: its title at the start, its duration at the end. The yielded function updates the duration."""
    started = time.monotonic()
    live = sys.stderr.isatty()

    def show(end: str = "") -> None:
        say(f"\r{title} ... {time.monotonic() - started:.0f} s", end=end)

    say(f"{title} ...", end="")
    try:
        yield show if live else lambda: None
    except BaseException:
        say(" failed")
        raise
    say(f"\r{title} ... {time.monotonic() - started:.1f} s" if live else f" {time.monotonic() - started:.1f} s")


def run_quietly(argv: Sequence[str | Path], tick: Callable[[], None] = lambda: None) -> Finished:
    """Run a command and capture its output; `tick` is called about once a second."""
    process = subprocess.Popen(
        [str(word) for word in argv],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        while True:
            try:
                output, _ = process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                tick()
            except BaseException:
                process.kill()
                raise
            else:
                return Finished(process.returncode, output)


def run_openly(argv: Sequence[str | Path], cwd: Path | None = None) -> int:
    """Run a command on our own streams and return its exit status. The terminal itself sends it Ctrl-C."""
    process = subprocess.Popen([str(word) for word in argv], cwd=cwd)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            status = process.wait()
            return status if status >= 0 else 128 - status


def diagnose(output: str) -> str:
    """Why an installation failed and what to do, or an empty string if the output matches nothing known."""
    for pattern, advice in DIAGNOSES:
        found = re.search(pattern, output)
        if found:
            system = f"{platform.system()} {platform.machine()}"
            return advice.format(**found.groupdict(), python=platform.python_version(), system=system)
    return ""


def must_succeed(title: str, argv: Sequence[str | Path]) -> None:
    """Run one step of the set-up. If it fails, show the end of its output and what it means."""
    with step(title) as tick:
        finished = run_quietly(argv, tick)
        if finished.status != 0:
            last_lines = "\n".join(finished.output.strip().splitlines()[-12:])
            advice = diagnose(finished.output) or f"`{title}` failed; the last lines of its output are above."
            raise Failure(f"{last_lines}\n\n{advice}")


# The virtual environment ------------------------------------------------------------------------------------------


def check_python(version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Refuse a Python that is too old, and suggest a newer one that is installed."""
    if version >= OLDEST_PYTHON:
        return
    newer = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    advice = f"Try `{newer[0]} run.py`." if newer else "Install a newer one from https://www.python.org."
    raise Failure(f"Python {version[0]}.{version[1]} is too old: DSU needs 3.11 or newer. {advice}")


def detect_flavor() -> str:
    """The flavor that suits this machine."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mac-mps"
    return "cuda" if nvidia_driver_works() else "cpu"


def check_flavor(flavor: str, system: str = sys.platform) -> None:
    """Refuse a flavor that there is no torch of for this system."""
    if system not in FLAVORS[flavor].systems:
        fitting = [name for name, each in FLAVORS.items() if system in each.systems]
        raise Failure(f"There is no `{flavor}` for this system. Choose `--flavor {'` or `--flavor '.join(fitting)}`.")


def nvidia_driver_works() -> bool:
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        return subprocess.run([program], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")


def venv_fits() -> bool:
    """Whether `.venv` is complete and made with the version of Python that is running."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    version = ".".join(str(number) for number in sys.version_info[:2])
    same_version = re.search(rf"^version(_info)?\s*=\s*{re.escape(version)}\b", settings, re.MULTILINE)
    return bool(same_version) and venv_python().exists() and not UNFINISHED.exists()


def read_stamp() -> dict[str, Any]:
    """What the last complete installation consisted of; empty if there was none."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(stamp, dict) and stamp.get("flavor") in FLAVORS and isinstance(stamp.get("files"), dict)
    return stamp if whole else {}


def fingerprints(
    flavor: str, *, dev: bool, build: bool = False, studio: bool = False, docs: bool = False, batch: bool = False
) -> dict[str, str]:
    """The files to install from, each with the hash of its content."""
    names = [MAC_TORCH_LOCK if flavor == "mac-mps" else f"requirements-{flavor}.txt"]
    names += [RUNTIME_LOCK, FLAVORS[flavor].onnx_lock]
    names += [STUDIO_LOCK] if dev or build or studio or docs else []
    names += [DOCS_LOCK] if dev or docs else []
    names += [BATCH_LOCK] if dev or batch else []
    names += [BUILD_LOCK] if dev or build else []
    names += [DEV_LOCK] if dev else []
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}


def plan_setup(stamp: dict[str, Any], *, fits: bool, flavor: str, files: dict[str, str]) -> Plan:
    """A changed file is installed over what is there; another flavor or a broken environment means starting from scratch."""
    rebuild = not fits or stamp.get("flavor", flavor) != flavor  # no stamp: somebody else made the environment
    installed = {} if rebuild else stamp.get("files", {})
    return Plan(rebuild, tuple(name for name, digest in files.items() if installed.get(name) != digest))


def create_venv() -> None:
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    UNFINISHED.touch()
    base = getattr(sys, "_base_executable", sys.executable)
    must_succeed("Creating .venv", [base, "-m", "venv", VENV])


def announce(files: Sequence[str], flavor: str) -> None:
    """Say how much will be downloaded, and about how long the set-up takes."""
    sizes = [MEGABYTES.get(name, FLAVORS[flavor].torch_megabytes) for name in files]
    size = sum(each or 0 for each in sizes)
    minutes = INSTALL_MINUTES + round(size / MEGABYTES_PER_S / 60)
    more = ", and more for a torch of unknown size" if None in sizes else ""
    say(f"Setting up .venv ({flavor}): up to {size} MB to download, about {minutes} min at 50 Mbit/s{more}.")


def index_of_torch(flavor: str) -> list[str]:
    """Where pip looks for torch: on PyTorch's index of this flavor, unless the user has told pip where to look."""
    index = FLAVORS[flavor].torch_index
    if index is None:
        return []
    settings = run_quietly([venv_python(), "-m", "pip", "config", "list"]).output
    if re.search(rf"^\S+\.({'|'.join(PLACES)})=", settings, re.MULTILINE):
        say("pip is configured with places of your own; torch comes from there, too.")
        return []
    return ["--index-url", index]


def install(files: Sequence[str], flavor: str) -> None:
    pip: list[str | Path] = [venv_python(), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    locks = [name for name in files if name.startswith("locks/")]
    if locks:
        # The locks are complete, and leave out on purpose what a few packages only need for parts that we do not use.
        words = [word for name in locks for word in ("-r", name)]
        must_succeed(f"Installing packages ({flavor})", [*pip, "--require-hashes", "--no-deps", *words])
    for name in files:
        if name not in locks:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
            torch = next(line for line in lines if line.startswith("torch=="))
            must_succeed(f"Installing torch ({flavor})", [*pip, *index_of_torch(flavor), torch])


def set_up(
    flavor: str | None = None,
    *,
    dev: bool = False,
    build: bool = False,
    studio: bool = False,
    docs: bool = False,
    batch: bool = False,
) -> Path:
    """Bring `.venv` up to date, doing only what is missing, and return its Python."""
    check_python()
    stamp = read_stamp()
    flavor = flavor or stamp.get("flavor") or detect_flavor()
    check_flavor(flavor)
    files = fingerprints(flavor, dev=dev, build=build, studio=studio, docs=docs, batch=batch)
    plan = plan_setup(stamp, fits=venv_fits(), flavor=flavor, files=files)
    try:
        if plan.rebuild:
            create_venv()
            stamp = {}
        if plan.install:
            UNFINISHED.touch()
            announce(plan.install, flavor)
            install(plan.install, flavor)
            done = {"flavor": flavor, "files": {**stamp.get("files", {}), **files}}
            STAMP.write_text(json.dumps(done, indent=2) + "\n", encoding="utf-8")
            UNFINISHED.unlink()
    except OSError as error:
        advice = diagnose(f"{type(error).__name__} {error}") or "Remove the `.venv` folder and run the command again."
        raise Failure(f"{error}\n\n{advice}") from error
    return venv_python()


# Commands ---------------------------------------------------------------------------------------------------------
# The first line of a docstring is the command's line in `run.py --help`, the whole is its own `--help`.


def demo(words: list[str]) -> int:
    """separate a clip, or `demo SONG` a file of yours, and show the result"""
    parser = argparse.ArgumentParser("run.py demo", allow_abbrev=False)
    parser.add_argument("song", nargs="?", type=Path, help="your own audio file (default: a clip that comes with DSU)")
    parser.add_argument("--open", action="store_true", help="show the report of the result")
    parser.add_argument("--play", action="store_true", help="play the stems, if the system has a program for that")
    parser.add_argument("--verbose", action="store_true", help="show what is sent to the worker and what it answers")
    parser.add_argument("--flavor", choices=FLAVORS, help="which packages to install")
    options = parser.parse_args(words)
    python = set_up(options.flavor)
    if options.song:
        say("Separating your song; on two cores, about a quarter of the time that it plays.")
    else:
        say("Separating a clip of 17 s with the built-in model; about 10 s on two cores.")
    flags = [f"--{flag}" for flag in ("open", "play", "verbose") if getattr(options, flag)]
    more = [*flags, *([options.song.absolute()] if options.song else [])]
    return run_openly([python, "-m", "tools.demo", "--output", ROOT / "demo", *more], cwd=ROOT)


def test(words: list[str]) -> int:
    """run the tests; --quick runs the fast ones, --frozen tests the build

    run.py test              all tests
    run.py test --quick      the unit tests that start no worker and are not slow
    run.py test --frozen     the end-to-end tests of dist/dsu and its programs
    run.py test --browser    pages of reports, studio and examples, in Chromium
    run.py test --device X   what only a real device shows: cuda, mps, xpu
    run.py test --long       faults, kills and hostile files by the thousands;
                             writes docs/reliability.md (--scale 0.1: a tenth)
    run.py test tests/unit   some tests; all other arguments go to pytest, too:
                             -k job, -x, --pdb
    """
    flavor, rest = split_flavor(words)
    if "--long" in rest:
        return test_long(flavor, [word for word in rest if word != "--long"])
    quick, frozen, browser = (flag in rest for flag in ("--quick", "--frozen", "--browser"))
    rest = [word for word in rest if word not in ("--quick", "--frozen", "--browser")]
    if quick:
        rest += [*QUICK_TESTS]
        title = "Running the quick tests; under 3 min on two cores."
    elif frozen:
        rest += [*FROZEN_TESTS, "--worker-dir", str(frozen_folder())]
        title = f"Testing the programs in {FROZEN}; about 10 min on two cores."
    elif browser:
        rest += [BROWSER_TESTS, "--browser", find_browser()]
        title = "Testing reports in Chromium; under a minute."
    elif "--device" in rest:
        return run_openly([set_up(flavor, dev=True), "-m", "pytest", *rest, DEVICE_TESTS], cwd=ROOT)
    elif any((ROOT / word.partition("::")[0]).exists() for word in rest):
        return run_openly([set_up(flavor, dev=True), "-m", "pytest", *rest], cwd=ROOT)
    else:
        more = "" if PEERS.exists() else f", after downloading {PEERS_MEGABYTES} MB for comparisons"
        title = f"Running all tests; about 30 min on two cores{more}."
    python = set_up(flavor, dev=True)
    say(title)
    return run_openly([python, "-m", "pytest", *in_parallel(), *rest], cwd=ROOT)


def test_long(flavor: str | None, words: list[str]) -> int:
    """Run the tests of reliability with all that they know, and write down what they tried."""
    parser = argparse.ArgumentParser("run.py test --long", allow_abbrev=False)
    parser.add_argument("--scale", type=float, default=1.0, help="the share of their numbers to try (default: 1)")
    scale = str(parser.parse_args(words).scale)
    python = set_up(flavor, dev=True)
    install_fuzzer(python)
    say(f"Running the long tests; about {LONG_TESTS_HOURS} hours on two cores with a scale of 1.")
    with tempfile.TemporaryDirectory() as record:
        words = [*LONG_TESTS, "--record", record, "--scale", scale]
        status = run_openly([python, "-m", "pytest", *in_parallel(), *words], cwd=ROOT)
        if status in (0, 1):  # all of them ran
            run_openly([python, "-m", "tools.reliability_docs", record, scale], cwd=ROOT)
    return status


def install_fuzzer(python: Path) -> None:
    """Put atheris into a folder of its own. Where there is none for this Python and system, the tests do without."""
    stamp, digest = FUZZER / "installed", hashlib.sha256((ROOT / FUZZER_LOCK).read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(FUZZER, ignore_errors=True)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    with step("Installing atheris"):
        done = run_quietly(
            [
                *pip,
                "--only-binary",
                ":all:",
                "--require-hashes",
                "--no-deps",
                "--target",
                FUZZER,
                "-r",
                ROOT / FUZZER_LOCK,
            ]
        )
    if done.status == 0:
        stamp.write_text(digest, encoding="utf-8")
    else:
        shutil.rmtree(FUZZER, ignore_errors=True)
        say("There is no atheris for this Python and system: no parser will be fuzzed by its coverage.")


def in_parallel() -> list[str]:
    """Options that spread the files of tests over processes. Each process takes up to two gigabytes of memory.

    In the order of their names: those of whole programs come first, and the many small ones of `unit` leave no process without
    work at the end.
    """
    count = max(1, min(os.cpu_count() or 1, MOST_TEST_PROCESSES))
    return ["-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder"]


def find_browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise Failure("There is no Chromium or Chrome on the PATH (Debian, Ubuntu: `apt install chromium`).")
    return found


def frozen_folder() -> Path:
    if not (FROZEN / "VERSION.txt").exists():
        raise Failure(f"There is no build in `{FROZEN}`. Make one with `python3 run.py build`.")
    return FROZEN


def check(words: list[str]) -> int:
    """check lock files, lint, formatting, types and generated files"""
    flavor, rest = split_flavor(words)
    refuse_extra("check", rest)
    python = set_up(flavor, dev=True)
    say("Checking lock files, lint, formatting, types and generated files; about half a minute.")
    return max(run_check(title, [python, "-m", *module]) for title, module in CHECKS.items())


def run_check(title: str, argv: Sequence[str | Path]) -> int:
    with step(title) as tick:
        finished = run_quietly(argv, tick)
    if finished.status != 0:
        say(finished.output.rstrip() + f"\n{title} failed.")
    return min(abs(finished.status), 1)


def bench(words: list[str]) -> int:
    """run a benchmark, which writes its results into benchmarks/RESULTS.md

    run.py bench NAME          memory, startup, live, loading, audiosep,
                               recipes, cancel, studio or peers (other programs)
    run.py bench NAME --help   its arguments
    """
    flavor, rest = split_flavor(words)
    if not rest or rest[0] not in BENCHMARKS:
        raise Failure(f"Choose a benchmark with `python3 run.py bench NAME`: {', '.join(BENCHMARKS)}.")
    python = set_up(flavor, dev=True)
    if len(rest) == 1:
        say(f"Measuring {rest[0]} with the defaults; about {BENCHMARKS[rest[0]]} min on two cores.")
    return run_openly([python, "-m", f"benchmarks.{rest[0]}", *rest[1:]], cwd=ROOT)


def gen(words: list[str]) -> int:
    """regenerate documents and clients from the code that they describe"""
    flavor, rest = split_flavor(words)
    refuse_extra("gen", rest)
    python = set_up(flavor, studio=True)  # whose addresses are described
    return max(run_openly([python, "-m", module], cwd=ROOT) for module in GENERATORS.values())


def docs(words: list[str]) -> int:
    """make the pages of the documentation: site/index.html, to read offline

    run.py docs           writes them; a link that leads nowhere is an error
    run.py docs --serve   shows them in a browser while you edit them
    """
    flavor, rest = split_flavor(words)
    serve_them = "--serve" in rest
    refuse_extra("docs", [word for word in rest if word != "--serve"])
    python = set_up(flavor, docs=True)
    say("Making the pages; about ten seconds.")
    return run_openly([python, "-m", "mkdocs", *(("serve",) if serve_them else ("build", "--strict"))], cwd=ROOT)


def lock(words: list[str]) -> int:
    """pin all packages after changing a requirements file

    --upgrade   also use new versions of packages that no requirements file names
    --check     only check that the lock files are up to date
    """
    flavor, rest = split_flavor(words)
    return run_openly([set_up(flavor), "-m", "tools.lock", *rest], cwd=ROOT)


def build(words: list[str]) -> int:
    """make dist/dsu, which runs without Python; --archive also packs it

    --archive          also pack the folder, with its checksum and SBOM
    --versioned-name   with --archive: put the version into the archive's name
    --output DIR       where to put the folder and the archive (default: dist)
    --flavor NAME      what the build computes on: cpu, cuda, cuda-legacy, rocm,
                       xpu or mac-mps (default: what suits this machine)
    """
    flavor, rest = split_flavor(words)
    parser = argparse.ArgumentParser("run.py build", allow_abbrev=False)  # before anything is installed
    parser.add_argument("--archive", action="store_true")
    parser.add_argument("--versioned-name", action="store_true")
    parser.add_argument("--output")
    archives = parser.parse_args(rest).archive
    asked = ["--flavor", flavor] if flavor else []
    python = set_up(flavor, build=True)
    make_page()
    say(f"Building the frozen folder; about {'a minute' if archives else 'half a minute'} on two cores.")
    return run_openly([python, ROOT / "build_dsu.py", *asked, *rest])


def worker(words: list[str]) -> int:
    """start a program, as in `worker dsu song.mp3`, with its own arguments

    run.py worker NAME          demucs, bsroformer, audio-separator, audiosep,
                                denoise or dsu
    run.py worker NAME --help   its arguments
    """
    from workers import WORKERS  # noqa: PLC0415  an old Python must get its message before it fails on an import

    by_name = {name: row for key, row in WORKERS.items() for name in (key, row.name)}
    if not words or words[0] not in by_name:
        raise Failure(f"Choose a program with `python3 run.py worker NAME`: {', '.join(WORKERS)}.")
    return become([str(set_up()), str(ROOT / by_name[words[0]].script), *words[1:]])


def become(argv: list[str]) -> int:
    """Run a program in our place: with the same process id, streams and signals, where the system can do that."""
    if not WINDOWS:
        os.execv(argv[0], argv)  # noqa: S606  that is what it is for
    return run_openly(argv)


def make_page() -> bool:
    """Make the page of the studio, unless it is newer than what it is made of. Returns whether it is there."""
    sources = [path for path in (STUDIO / "src").rglob("*") if path.is_file()]
    sources += [STUDIO / name for name in ("build.mjs", "package-lock.json")]
    page = STUDIO / "dist" / "index.html"
    if page.is_file() and page.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return True
    npm = shutil.which("npm")
    if npm is None:
        return page.is_file()
    for title, words in (("Installing what the page is made with", ("ci",)), ("Making the page", ("run", "build"))):
        must_succeed(title, [npm, "--prefix", STUDIO, "--no-audit", "--no-fund", *words])
    return True


def studio(words: list[str]) -> int:
    """separate songs in the browser

    run.py studio              starts a server here and opens its page
    run.py studio --data DIR   keeps songs and stems there; docs/http.md has all
                               options
    """
    python = set_up(studio=True)
    if not make_page():
        raise Failure(
            "The page is made with npm, which comes with Node.js 20 or newer. Install that, or use a build of DSU."
        )
    return become([str(python), str(ROOT / "workers" / "dsu_worker.py"), "studio", *words])


def serve(words: list[str]) -> int:
    """answer HTTP requests of programs elsewhere

    run.py serve --host ADDRESS --token-file FILE   for other machines, too;
                                                    docs/http.md has all options
    """
    return become([str(set_up(studio=True)), str(ROOT / "workers" / "dsu_worker.py"), "serve", *words])


def batch(words: list[str]) -> int:
    """separate a catalogue, on this machine or on a cluster

    run.py batch SOURCE -o DIR   a folder, a list or a table of songs;
                                 docs/scale.md has all options
    """
    return become([str(set_up(batch=True)), str(ROOT / "workers" / "dsu_worker.py"), "batch", *words])


def doctor(words: list[str]) -> int:
    """examine this machine: disks, codecs, and how each device computes"""
    return worker(["dsu", "doctor", *words])


def clean(words: list[str]) -> int:
    """remove the environments, caches, builds and the output of the demo"""
    refuse_extra("clean", words)
    caches = (
        folder
        for name in ("utils", "workers", "models", "tools", "training", "tests", "benchmarks", "clients", "scripts")
        for folder in (ROOT / name).rglob("__pycache__")
    )
    for folder in [*(ROOT / name for name in MADE_HERE), ROOT / "__pycache__", *caches]:
        if folder.exists():
            shutil.rmtree(folder)
            say(f"Removed {folder.relative_to(ROOT)}")
    return 0


def split_flavor(words: list[str]) -> tuple[str | None, list[str]]:
    """Take our own `--flavor` out of the arguments for another program."""
    parser = argparse.ArgumentParser("run.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--flavor", choices=FLAVORS)
    options, rest = parser.parse_known_args(words)
    return options.flavor, rest


def refuse_extra(command: str, words: list[str]) -> None:
    if words:
        raise Failure(f"`{command}` takes no argument {words[0]!r}.")


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    command.__name__: command
    for command in (demo, studio, serve, batch, test, check, bench, gen, docs, lock, build, worker, doctor, clean)
}


def usage() -> str:
    rows = "\n".join(f"  {name:<8} {summary(command)}" for name, command in COMMANDS.items())
    return (
        f"usage: python3 run.py COMMAND [arguments]\n\n{rows}\n\n"
        "`run.py COMMAND --help` has more. Commands that install packages take\n"
        f"--flavor {{{','.join(FLAVORS)}}};\nthe default suits this machine.\n"
    )


def summary(command: Callable[[list[str]], int]) -> str:
    return (inspect.getdoc(command) or "").partition("\n")[0]


def help_of(name: str) -> str:
    """The help of a command that has no parser here. It installs nothing."""
    title, _, details = (inspect.getdoc(COMMANDS[name]) or "").partition("\n\n")
    more = f"\n{textwrap.indent(details, '  ')}\n" if details else ""
    return f"usage: python3 run.py {name} [arguments]\n\n{title[0].upper()}{title[1:]}.\n{more}"


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage())
        return 0 if argv else 2
    command = COMMANDS.get(argv[0])
    if command is None:
        say(f"There is no command {argv[0]!r}.\n\n{usage()}", end="")
        return 2
    if argv[1:] in (["-h"], ["--help"]) and command is not demo:
        sys.stdout.write(help_of(argv[0]))
        return 0
    try:
        return command(argv[1:])
    except Failure as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        say("Stopped. An unfinished installation will start over next time.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
