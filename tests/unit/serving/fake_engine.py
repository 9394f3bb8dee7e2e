"""An engine without models. What it does is told by the name of the model, so that tests need no real trouble."""

from __future__ import annotations

import collections
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from utils.core import cleanup, replies, requests
from utils.core.api import Health, Readiness
from utils.core.errors import DeviceUnavailable, InputNotFound, UnknownModel
from utils.core.job import Job
from utils.core.settings import Settings
from utils.serving.guard import PATIENCE_S

STEMS = ["drums", "Vocals"]
CARD = replies.Card(name="RTX 4090", memory_mb=25300, capability="8.9", driver_cuda="13.0", build="2.13.0+cu130")
OTHER_CARD = "`cuda:0` is not used. It cannot compute."
GUARD_S = 60.0  # longer than any test waits


class FakeEngine:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.active: str | None = None
        self.card: replies.Card | None = None
        self.asked: list[str] = []

    def start(self) -> Readiness:
        kind = os.environ.get("FAKE_START", "")
        device, is_of_one, rest = kind.partition("=")
        if is_of_one:
            kind = rest if device == self.settings.device else ""
        if kind == "prints":
            print_everywhere()
        if kind == "no_device":
            raise DeviceUnavailable("The device `cuda` is not available here; there is: cpu.", suggestions=["cpu"])
        if kind == "breaks":
            raise ImportError("libmissing.so")
        if kind.startswith("waits:"):
            wait_for(Path(kind.removeprefix("waits:")))
        if kind.startswith("breaks_if:") and Path(kind.removeprefix("breaks_if:")).exists():
            raise ImportError("libmissing.so")
        settings = self.settings
        name = "cpu" if settings.device == "auto" else settings.device
        ready = Readiness(name, "fp32", settings.threads or 3, settings.max_cached_models, str(settings.models_dir))
        if kind == "other_card":
            self.card = CARD
            ready = ready._replace(device="cuda:1", card=CARD, attention="flash", warnings=[OTHER_CARD])
        return ready

    def close(self) -> None:
        self.active = None

    def ping(self) -> replies.Pong:
        return replies.Pong(model_loaded=self.active)

    def health(self) -> Health:
        memory = replies.Memory(rss_mb=1.0, device_allocated_mb=None, device_free_mb=None)
        return Health(self.active, "cpu", "fp32", 3, [self.active] if self.active else [], 2, memory, self.card)

    def doctor(self, request: requests.Doctor, job: Job) -> replies.Diagnosis:
        job.progress("machine", 1.0, 2.0)
        return replies.Diagnosis(
            healthy=request.device != "broken", version="1", system="", findings=[], devices=[], elapsed=0.0
        )

    def list_models(self, request: requests.ListModels) -> replies.Models:
        if request.repo == "breaks":
            raise RuntimeError("the folder is on fire")
        if request.repo:
            Path(request.repo).read_bytes()
        return replies.Models(models=["quick", "slow"])

    def list_package_models(self) -> replies.PackageModels:
        return replies.PackageModels(models=[], presets={})

    def list_cached(self) -> replies.CachedModels:
        return replies.CachedModels(models=[], count=0, max=2)

    def clear_cache(self) -> replies.CacheCleared:
        return replies.CacheCleared(models_cleared=0)

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated:
        return replies.CacheSizeUpdated(max_cached_models=size, cache_enabled=size > 0)

    def set_storage_type(self, kind: str) -> replies.StorageConfigured:
        return replies.StorageConfigured(type=kind, mmap_enabled=kind == "ssd", mmap_supported=True)

    def load_model(self, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
        self.active = request.model or "quick"
        job.announce(replies.LoadingModel(model=self.active))
        elapsed = float("nan") if self.active == "nan" else 0.5
        return replies.ModelLoaded(model=self.active, stems=STEMS, cached=False, elapsed=elapsed)

    def preload_model(self, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded:
        job.announce(replies.PreloadingModel(model=request.model or "quick"))
        return replies.ModelPreloaded(model=request.model or "quick", stems=STEMS, already_cached=False, cached_count=1)

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
        raise UnknownModel(f"There is no model `{request.model}`.", suggestions=["quick"])

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        model = request.model or self.active or "quick"
        self.asked.append(f"{model}:{request.input}")
        source = Path(request.input or "")
        job.announce(replies.Separating(input=source.name))
        if source.name.startswith("missing"):
            raise InputNotFound(f"The file `{source}` does not exist.", field="input")
        behave(model, request, job)
        job.progress("separate", 1, 2)
        return self._write(request, model, track or source.stem)

    def _write(self, request: requests.Separate, model: str, track: str) -> replies.Done:
        folder = Path(request.folder) / model / track
        folder.mkdir(parents=True, exist_ok=True)
        paths = {stem: str(folder / f"{stem}.wav") for stem in STEMS}
        for path in paths.values():
            Path(path).write_bytes(b"sound")
        return replies.Done(
            elapsed=0.1,
            output_dir=str(folder),
            files=[Path(path).name for path in paths.values()],
            stems=STEMS,
            paths=paths,
            duration=1.0,
            speed=10.0,
            sample_rate=44100,
            model=model,
            device="cpu" if self.settings.device == "auto" else self.settings.device,
            model_from_cache=True,
            timing=replies.Timing(load=0.0, decode=0.0, infer=0.1, encode=0.0),
        )


def behave(model: str, request: requests.Separate, job: Job) -> None:
    if model == "slow":
        cooperate(job)
    elif model == "settled":
        finish_anyway(job)
    elif model == "stuck":
        get_stuck(Path(request.folder) / "half.part")
    elif model == "holds":
        collections.deque(itertools.repeat(None), maxlen=0)  # C code that never lets another thread run
    elif model.startswith("holds:"):
        hold_up(Path(model.removeprefix("holds:")))
    elif model.startswith("waits:"):
        wait_for(Path(model.removeprefix("waits:")), job)
    elif model == "prints":
        print_everywhere()
    elif model == "chatters":
        sys.stderr.write("a message of a library\n" * 100_000)
    elif model == "warns":
        job.warn("it is loud")
    else:
        fail(model)


def fail(model: str) -> None:
    if model == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if model == "crashes":
        raise ValueError("wrong\nshape")
    if model == "exits":
        sys.exit(3)
    if model == "interrupts":
        raise KeyboardInterrupt
    if model == "memory":
        raise MemoryError
    if model == "loses" or (model.startswith("loses_once:") and is_new(Path(model.removeprefix("loses_once:")))):
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with `TORCH_USE_CUDA_DSA`")
    if model == "recurses":
        fail(model)


def is_new(mark: Path) -> bool:
    """Whether nobody has asked before."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def hold_up(begun: Path) -> None:
    """A library with a handler of its own for signals of the terminal, which lets no thread run for longer than the guard waits."""
    signal.signal(signal.SIGWINCH, lambda number, frame: None)
    begun.touch()
    sleep = ctypes.PyDLL(None).usleep  # which keeps the interpreter
    end = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < end:
        sleep(int(PATIENCE_S * 1e6))


def cooperate(job: Job) -> None:
    """Work that takes long and looks at its checkpoints."""
    pause, end = threading.Event(), time.monotonic() + GUARD_S
    while time.monotonic() < end:
        job.checkpoint()
        pause.wait(0.01)
    raise TimeoutError("nobody has cancelled this")


def finish_anyway(job: Job) -> None:
    """Work whose results are getting their names when it is cancelled."""
    job.settle()
    pause, end = threading.Event(), time.monotonic() + GUARD_S
    while not job.cancelled and time.monotonic() < end:
        pause.wait(0.01)
    job.checkpoint()


def get_stuck(half: Path) -> None:
    """Work that never looks up: the main thread is in C code while a file is half written."""
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half")
    with cleanup.undone_on_exit(half.unlink):
        end = time.monotonic() + GUARD_S
        while time.monotonic() < end:
            time.sleep(GUARD_S)


def wait_for(path: Path, job: Job | None = None) -> None:
    pause, end = threading.Event(), time.monotonic() + GUARD_S
    while not path.exists():
        if job is not None:
            job.checkpoint()
        if time.monotonic() > end:
            raise TimeoutError(path)
        pause.wait(0.01)


def print_everywhere() -> None:
    """Print to standard output in all the ways that libraries know."""
    print("from print")  # noqa: T201 - that is the point
    sys.__stdout__.write("from the original stdout\n")
    sys.__stdout__.flush()
    os.write(1, b"from the descriptor\n")
    subprocess.run([sys.executable, "-c", "import sys; print('from a child', sys.stdin.read())"], check=True)
    libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    libc.puts(b"from C")
    libc.fflush(None)
