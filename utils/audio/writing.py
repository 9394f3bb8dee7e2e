"""Writes stems to files that appear under their names all together and complete, or not at all.

Every file is written to a temporary one beside it or, where its folder does not exist yet, beside that: a folder of
results holds whole files from its first moment on. A file has one stem, or all of them as its tracks. If stems are to be scaled, because the format cannot hold
samples above full scale, they are spooled as floats first: the gain depends on the last sample.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from utils.audio import temporary
from utils.audio.channels import Block
from utils.audio.disk import check_disk_space, output_error
from utils.audio.encoders import Contents, full_scale
from utils.audio.formats import OutputFormat, check_output, notes
from utils.audio.paths import absolute, os_path, shown
from utils.audio.publishing import is_below, publish, settle, settle_kept
from utils.audio.resampling import resampled_frames
from utils.audio.stem_files import StemFile, StemLine, StemPlan, StemTrack
from utils.audio.tagging import TagSet, write_tags
from utils.core.cleanup import undone_on_exit
from utils.core.errors import OutputNotWritable, UnsupportedFormat
from utils.core.job import JobCancelled

# By how much a stem with a gain of its own stays below full scale, as in the demucs package.
HEADROOM = 1.01

__all__ = ["OutputFormat", "StemSet", "Written", "check_disk_space", "check_output", "open_stems"]


@dataclass(frozen=True)
class Written:
    """What was published: absolute paths, and the gain that was applied to all stems, or the lowest of their own."""

    paths: dict[str, Path]
    gain: float
    warnings: list[str]


def open_stems(
    targets: Mapping[str, Path],
    *,
    folder: Path,
    output: OutputFormat | Mapping[str, OutputFormat],
    model_rate: int,
    channels: int,
    frames: int | Mapping[str, int | None],
    tags: TagSet | None,
    overwrite: bool = True,
    growing: bool = False,
) -> StemSet:
    """The files of a separation, as a context manager; nothing is created before it is entered.

    `targets` has the final file of each stem, inside `folder`; stems of a joint format that have the same file become its
    tracks, in this order. `output` is the format of all stems or of each, `frames` the length at its `sample_rate`, or None as
    long as nobody knows it. With `growing`, others may read the samples while they are written.
    Raises `UnsupportedFormat`, `DiskFull`, `OutputNotWritable`.
    """
    outputs = dict.fromkeys(targets, output) if isinstance(output, OutputFormat) else output
    for each in outputs.values():
        check_output(each, channels=channels)
    files = {stem: absolute(path) for stem, path in targets.items()}
    root = absolute(folder)
    settle(root)
    seen = set()
    for path in dict.fromkeys(files.values()) if any(each.is_joint for each in outputs.values()) else files.values():
        if not path.is_relative_to(root) or path == root:
            raise OutputNotWritable(
                f"'{shown(path)}' is outside the output directory '{shown(root)}'. Choose another name.",
                field="output",
            )
        if str(path).casefold() in seen:
            raise OutputNotWritable(
                f"Two stems would be written to '{shown(path)}'. Choose other names.", field="output"
            )
        seen.add(str(path).casefold())
        if not is_below(root, path):
            raise OutputNotWritable(
                f"'{shown(path)}' is not written: a link in '{shown(root)}' would lead out of it. "
                "Replace the link by a folder, or choose another output directory.",
                field="output",
            )
        _require_free(path, overwrite=overwrite)
    lengths: Mapping[str, int | None] = dict.fromkeys(targets, frames) if isinstance(frames, int) else frames
    plans = {
        stem: StemPlan(
            each,
            model_rate,
            channels,
            _at_file_rate(lengths[stem], each),
            growing,
            ends_late=lengths[stem] is None,
        )
        for stem, each in outputs.items()
    }
    if any(plan.has_late_gains for plan in plans.values()):  # one gain is for all, so all wait for it
        plans = {stem: replace(plan, waits=True) for stem, plan in plans.items()}
    if growing and len({plan.output.file_rate for plan in plans.values()}) > 1:
        raise UnsupportedFormat(
            "Stems can only be streamed at one rate, and these formats have several.", field="stream"
        )
    for plan in plans.values():
        plan.require_size()
    check_disk_space(folder, sum(plan.needed_bytes for plan in plans.values()))
    return StemSet(files, root, plans, tags, overwrite=overwrite)


def _at_file_rate(frames: int | None, output: OutputFormat) -> int | None:
    return None if frames is None else resampled_frames(frames, output.sample_rate, output.file_rate)


def _require_free(path: Path, *, overwrite: bool) -> None:
    if os.path.isdir(os_path(path)):  # noqa: PTH112 - a Path would undo the extended form
        raise output_error(IsADirectoryError(), path)
    if not overwrite and os.path.lexists(os_path(path)):
        raise OutputNotWritable(
            f"'{shown(path)}' already exists.",
            hint='Set "overwrite":true to replace it, or choose another output directory.',
            field="output",
        )


class StemSet:
    """The files of one separation. Leaving it without `commit` removes whatever was written.

    `write` is called from one thread. `rollback` may be called from any thread at any time.
    """

    def __init__(
        self,
        targets: Mapping[str, Path],
        root: Path,
        plans: Mapping[str, StemPlan],
        tags: TagSet | None,
        *,
        overwrite: bool,
    ) -> None:
        self._targets = dict(targets)
        self._root = root
        self._plans = dict(plans)
        self.plan = next(iter(plans.values()))  # what listeners hear is in the form of the first
        self._tags = tags
        self._overwrite = overwrite
        self._files: list[StemFile] = []
        self._stems: dict[str, StemTrack] = {}
        self._folders: list[Path] = []
        self._warnings = list(dict.fromkeys(note for plan in plans.values() for note in notes(plan.output)))
        self._lock = threading.RLock()
        self._is_finished = False
        self._is_settled = False
        self._registered = ExitStack()

    def __enter__(self) -> Self:
        self._registered.enter_context(undone_on_exit(self.rollback))
        try:
            self._prepare()
        except BaseException:
            self._registered.close()
            self.rollback()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rollback()
        self._registered.close()

    def _prepare(self) -> None:
        self._make_folder(self._root)
        # A killed job may have left its temporary files in any of them: as deep as it found folders.
        folders = {
            folder
            for target in self._targets.values()
            for folder in target.parents
            if folder.is_relative_to(self._root)
        }
        settle_kept(folders)
        temporary.remove_stale_parts(folders)
        for target in dict.fromkeys(self._targets.values()):
            names = [name for name, own in self._targets.items() if own == target]
            with self._lock:
                self._require_unsettled()
                file = StemFile(target, self._plans[names[0]], Contents(names, self._tags))
                self._files.append(file)
                self._stems.update(zip(names, file.tracks, strict=True))
                file.open()

    def _make_folder(self, folder: Path) -> None:
        try:
            self._folders += temporary.make_folder(folder)
        except OSError as error:
            raise output_error(error, folder) from error

    @property
    def stems(self) -> list[str]:
        return list(self._targets)

    @property
    def growing(self) -> dict[str, Path]:
        """The file of each stem that others may read while it grows; none if that was not asked for."""
        return {name: stem.growing for name, stem in self._stems.items() if stem.growing is not None}

    def write(self, stem: str, block: Block) -> list[Block]:
        """Append a (channels, samples) block to a stem, at the model's rate. Returns it as the file has it."""
        return self._stems[stem].write(block)

    def show(self) -> None:
        """Let others read what was written so far, in files that grow."""
        for stem in self._stems.values():
            stem.show()

    def ends_at(self, frames: Mapping[str, int]) -> None:
        """Tell the length of each stem at its `sample_rate`, where it was not known. Raises `UnsupportedFormat`."""
        for file in self._files:
            for name in file.contents.tracks:
                plan = self._plans[name]
                known = resampled_frames(frames[name], plan.output.sample_rate, plan.output.file_rate)
                self._plans[name] = file.plan = replace(plan, frames=known)
                file.plan.require_size()
                self._stems[name].line.ends_at(known)

    def finish(self) -> dict[str, list[Block]]:
        """Append what completes each stem, and return it. `commit` does that where it was not done before."""
        self._is_finished = True
        rest = {name: stem.finish() for name, stem in self._stems.items()}
        for file in self._files:
            file.close()
        return rest

    def commit(
        self,
        on_progress: Callable[[float], None] | None = None,
        checkpoint: Callable[[], None] | None = None,
        on_publish: Callable[[], None] | None = None,
        *,
        gain: float = 1.0,
    ) -> Written:
        """Finish all files, then publish them. The callbacks are called from several threads, but never concurrently.

        `gain` is the one for all stems, where their format has a `loudness`.
        `on_publish` is called when only the names are missing, after the last checkpoint.
        """
        if not self._is_finished:
            self.finish()
        gain = self._choose_gains(gain)
        spooled = [plan.frames or 0 for plan in self._plans.values() if plan.is_spooled]
        if spooled:
            self._encode(_EncodingProgress(sum(spooled), on_progress, checkpoint))
        self._tag()
        if checkpoint is not None:
            checkpoint()
        if on_publish is not None:
            on_publish()
        self._publish()
        if on_progress is not None:
            on_progress(1.0)
        return Written(dict(self._targets), gain, list(self._warnings))

    def _choose_gains(self, asked: float) -> float:
        """The gains that keep every stem within full scale, or at its level; those asked for if they do. Returns the lowest."""
        level = self.plan.output.level
        if level is not None:
            for stem in self._stems.values():
                stem.gain = level.gain(stem.peak)
            return 1.0
        if self.plan.output.clip == "rescale_each":
            for stem in self._stems.values():
                stem.gain = 1.0 / max(HEADROOM * stem.peak, 1.0)
            return min((stem.gain for stem in self._stems.values()), default=1.0)
        gain, loudness = asked, self.plan.output.loudness
        if loudness is not None:
            gain = min(gain, loudness.gain_below(max((stem.true_peak for stem in self._stems.values()), default=0.0)))
        reason = f"has a true peak above {loudness.true_peak_db:g} dB" if loudness and gain < asked else "clips"
        peak = max((stem.peak for stem in self._stems.values()), default=0.0)
        may_clip = self.plan.output.clip == "rescale" and not all(
            plan.output.holds_overs for plan in self._plans.values()
        )
        if may_clip and peak * gain > 1.0:
            gain, reason = min(full_scale(plan.output) for plan in self._plans.values()) / peak, "clips"
        for stem in self._stems.values():
            stem.gain = gain
        if gain < asked:
            by = f"{20 * math.log10(asked / gain):.1f} dB"
            lowered = f"lowered by {by}" if asked == 1.0 else f"given {by} less than the loudness needs,"
            self._warnings.append(f"All stems were {lowered} so that none of them {reason}.")
        return gain

    def _encode(self, progress: _EncodingProgress) -> None:
        threads = max(min(len(self._files), os.cpu_count() or 1), 1)
        with ThreadPoolExecutor(threads, "encode") as pool:
            jobs = [pool.submit(file.encode, progress.count) for file in self._files]
            try:
                finished, _ = wait(jobs, return_when=FIRST_EXCEPTION)
                for job in finished:
                    job.result()
            except BaseException:
                progress.stop()
                pool.shutdown(cancel_futures=True)
                raise

    def _tag(self) -> None:
        for file in self._files:
            form = self._plans[file.contents.tracks[0]].output.name
            if file.part is None:
                continue
            try:
                if (
                    self._tags is not None
                    and form != "mka"  # which its encoder tags
                    and not write_tags(
                        file.part.path,
                        form,
                        self._tags.source,
                        stem=", ".join(file.contents.tracks),
                        model=self._tags.model,
                        version=self._tags.version,
                    )
                ):
                    self._warnings.append(f"'{shown(file.target.name)}' is larger than 4 GiB and so has no tags.")
                temporary.sync(file.part.path)
            except OSError as error:
                raise output_error(error, file.target) from error

    def _publish(self) -> None:
        """Give all files their final names, or none."""
        with self._lock:
            self._require_unsettled()
            for file in self._files:
                _require_free(file.target, overwrite=self._overwrite)
            parts = [(file.part, file.target) for file in self._files if file.part is not None]
            publish(self._root, parts, self._require_place)
            self._is_settled = True

    def _require_place(self, target: Path) -> None:
        _require_free(target, overwrite=self._overwrite)
        self._make_folder(target.parent)

    def _require_unsettled(self) -> None:
        if self._is_settled:  # the process is being shut down and has rolled back
            raise JobCancelled

    def rollback(self) -> None:
        """Remove what was written, unless it is published."""
        with self._lock:
            if self._is_settled:
                return
            self._is_settled = True
            for file in self._files:
                file.abandon()
            temporary.remove_folders(self._folders)


class UnwrittenStems:
    """As a `StemSet`, of stems that only go to listeners: nothing is written to the disk."""

    growing: Mapping[str, Path] = {}

    def __init__(self, stems: Iterable[str], plan: StemPlan) -> None:
        check_output(plan.output, channels=plan.channels)
        self.plan = plan
        self._lines = {stem: StemLine(plan) for stem in stems}

    @property
    def stems(self) -> list[str]:
        return list(self._lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None: ...

    def write(self, stem: str, block: Block) -> list[Block]:
        return list(self._lines[stem].push(block))

    def show(self) -> None: ...

    def ends_at(self, frames: Mapping[str, int]) -> None:
        for name, line in self._lines.items():
            line.ends_at(resampled_frames(frames[name], self.plan.output.sample_rate, self.plan.output.file_rate))

    def finish(self) -> dict[str, list[Block]]:
        return {name: list(line.finish()) for name, line in self._lines.items()}

    def commit(
        self,
        on_progress: Callable[[float], None] | None = None,
        checkpoint: Callable[[], None] | None = None,
        on_publish: Callable[[], None] | None = None,
        *,
        gain: float = 1.0,
    ) -> Written:
        del on_progress, checkpoint, on_publish, gain
        return Written({}, 1.0, notes(self.plan.output))


class _EncodingProgress:
    """Counts the samples that several threads have encoded, and stops all of them when one fails."""

    def __init__(
        self, total: int, on_progress: Callable[[float], None] | None, checkpoint: Callable[[], None] | None
    ) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._is_stopped = False
        self._lock = threading.Lock()
        self._on_progress = on_progress
        self._checkpoint = checkpoint

    def count(self, frames: int) -> None:
        with self._lock:
            if self._is_stopped:
                raise JobCancelled
            if self._checkpoint is not None:
                self._checkpoint()
            self._done += frames
            if self._on_progress is not None:
                self._on_progress(self._done / self._total)

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
