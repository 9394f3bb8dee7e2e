"""What clients send and get, as types. The OpenAPI document is made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

State = Literal["queued", "running", "done", "failed", "cancelled"]
Command = Literal["separate", "apollo"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, with a code of the protocol."""

    code: str
    message: str
    hint: str | None = None
    field: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error."""

    error: ErrorBody


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A song that was sent. Its id is the SHA-256 of its content: the same song has the same id."""

    id: str
    name: str
    size_bytes: int
    sha256: str
    duration_s: float | None


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The song of a job: one that was uploaded, or a file on the server in a folder that it allows."""

    upload: Annotated[str, Meta(description="Id of an upload.", max_length=64)] | None = None
    path: (
        Annotated[str, Meta(description="File on the server, in a folder of `--allow-paths`.", max_length=4096)] | None
    ) = None


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job to do."""

    input: Input
    cmd: Annotated[Command, Meta(description="Command of the worker.")] = "separate"
    title: Annotated[str, Meta(max_length=200, description="Shown in lists; by default the song's name.")] | None = None
    request: Annotated[
        dict[str, Any],
        Meta(
            description="Fields of the worker's command, as in `/v1/schema`. `format`, `pcm_type` and `bitrate` are the defaults of `export`."
        ),
    ] = {}


class QueuePlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a job is to be in the queue."""

    position: Annotated[int, Meta(ge=0, le=1_000_000, description="0 is the next one.")]


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the listener is."""

    position_s: Annotated[float, Meta(ge=0, le=1e9)]


class RecipeToCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe that is to be checked: as YAML or JSON, or as an object."""

    text: Annotated[str, Meta(max_length=65536)] | None = None
    recipe: dict[str, Any] | None = None


class Stem(msgspec.Struct, frozen=True, kw_only=True):
    """A stem of a job: a WAV file of 32-bit floats, which grows while the job runs."""

    name: str
    file: Annotated[str, Meta(description="Address of its samples, from the server's root.")]
    frames: int | None
    sample_rate: int
    channels: int
    frames_ready: Annotated[int, Meta(description="Samples of each channel that are ready from the beginning on.")]


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job, as it is now."""

    id: str
    state: State
    title: str
    kind: Literal["separate", "download"]
    cmd: str
    upload: str | None
    duration_s: Annotated[float | None, Meta(description="Length of the song, if its header says it.")]
    model: str | None
    recipe: Annotated[str | None, Meta(description="Name of the recipe, if it has one.")]
    position: Annotated[int | None, Meta(description="Place in the queue; 0 is the next one.")]
    percent: float
    stage: str
    eta: float | None
    created: Annotated[float, Meta(description="Seconds since 1970, as the other times.")]
    started: float | None
    ended: float | None
    request: dict[str, Any]
    settings: Annotated[dict[str, Any], Meta(description="What the worker made of the request.")]
    stems: list[Stem]
    ready: Annotated[list[list[int]], Meta(description="Stretches `[start, stop]` of all stems that can be read.")]
    movable: Annotated[bool, Meta(description="Whether `seek` moves its work.")]
    reused: Annotated[bool, Meta(description="The result is that of an earlier job with the same content.")]
    warnings: list[str]
    error: ErrorBody | None
    size_bytes: int


class JobViews(msgspec.Struct, frozen=True, kw_only=True):
    """All jobs: those that have ended by their end, then the one that runs, then the queue."""

    jobs: list[JobView]


class ServerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server can work."""

    ok: bool
    worker: Literal["starting", "ready", "stopped"]
    queued: int
    running: bool
