"""The table of all groups. The imports are written out so that a frozen build finds the modules."""

from __future__ import annotations

from utils.core.catalogue import Worker
from utils.serving.commands import (
    Command,
    Group,
    audio_separator,
    audiosep,
    batch,
    bsroformer,
    cache,
    control,
    demucs,
    denoise,
    dsu,
    merge,
)

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        control.GROUP,
        cache.GROUP,
        demucs.GROUP,
        bsroformer.GROUP,
        audio_separator.GROUP,
        audiosep.GROUP,
        denoise.GROUP,
        dsu.GROUP,
        batch.GROUP,
    )
}


def commands_of(worker: Worker) -> dict[str, Command]:
    """The commands that this worker understands."""
    return merge(GROUPS[name] for name in worker.groups)
