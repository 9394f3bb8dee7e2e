"""What a job's request may say: the worker's own fields, without those that name files or that the server sets itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec

from utils.core.catalogue import DEFAULT_NETWORK, NAMES_MODELS, FamilyName, family_of
from utils.core.errors import DsuError
from utils.core.requests import AskedSampleType, AudioFormat, Separate
from utils.serving import messages
from utils.serving.commands import Command
from utils.serving.commands.dsu import GROUP
from utils.web.problems import Problem, invalid

# The server says these itself.
OWN = frozenset(
    {
        *("cmd", "id", "strict", "debug", "input", "inputs", "output", "output_dir", "overwrite", "resume", "progress"),
        *("stream", "name_template", "report", "report_html", "report_theme", "report_scale", "clip"),
        *("share", "shares"),
    }
)
# These name files of the server's machine.
FILES = frozenset(
    {
        *(
            "model_path",
            "config_path",
            "model_file_dir",
            "repo",
            "checkpoint_path",
            "clap_checkpoint_path",
            "roberta_dir",
        ),
        *("noise_profile", "noise_path", "pipe"),
    }
)
# These are for exports: what is kept is 32-bit floats.
FOR_EXPORTS = frozenset({"format", "pcm_type", "subtype", "bitrate"})
WITHOUT_EFFECT = frozenset({"batch_size", "jobs", "use_fast", "start_at"})
DEEPEST = 20


class Families:
    """Which family a model is of, as the engine would say, as far as the list of models is known."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}

    def family_of(self, model: str | None) -> FamilyName | None:
        kind = self.types.get(model or "")
        return None if kind is None else family_of(kind)


def checked(cmd: str, request: Mapping[str, Any], families: Families) -> dict[str, Any]:
    """The fields as the worker will get them. Raises `Problem` for what is wrong with them."""
    fields = {name: value for name, value in request.items() if value is not None}
    refuse_files(fields, "request")
    for name in fields:
        if name in OWN:
            raise invalid(f"`{name}` is for the server to say. Leave it out.", f"request.{name}")
    if cmd == "separate" and not any(fields.get(name) for name in NAMES_MODELS):
        fields["model"] = DEFAULT_NETWORK
    try:
        command: Command = GROUP.commands[cmd]
        form, own = command.form_of(fields, families)
        decoded = messages.decode({**own, "input": "song", "output_dir": "stems", "stream": True}, form.request)
        form.check(decoded.request)
    except DsuError as error:
        raise Problem.of(error) from error
    if not isinstance(decoded.request, Separate):
        raise TypeError(cmd)
    return fields


def refuse_files(value: Any, place: str, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise invalid("The request is nested too deeply.", "request")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in FILES:
                raise invalid(
                    f"`{name}` names a file on the server, which requests may not. Register the model there, and name it.",
                    f"{place}.{name}",
                )
            if name in ("model", "recipe", "ensemble") and isinstance(inner, str) and is_path(inner):
                raise invalid(f"`{name}` must be a name, not a path.", f"{place}.{name}")
            refuse_files(inner, f"{place}.{name}", depth + 1)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, str) and place.endswith(".ensemble") and is_path(inner):
                raise invalid("`ensemble` must have names, not paths.", place)
            refuse_files(inner, place, depth + 1)


def is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.startswith(("~", ".")) or (len(text) > 1 and text[1] == ":")


def for_worker(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker gets: without what is for exports."""
    return {name: value for name, value in fields.items() if name not in FOR_EXPORTS}


def settings_text(cmd: str, fields: Mapping[str, Any]) -> str:
    """The same text for requests with the same result."""
    without = FOR_EXPORTS | WITHOUT_EFFECT
    kept = {name: value for name, value in sorted(fields.items()) if name not in without}
    return msgspec.json.encode([cmd, kept], order="deterministic").decode()


def models_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields of a request that say which models it means."""
    return {name: fields[name] for name in NAMES_MODELS if fields.get(name)}


def within(path: str, roots: tuple[Path, ...]) -> Path:
    """A file on the server that a job may name. Raises `Problem`; it says nothing of files elsewhere."""
    if not roots:
        raise invalid(
            "This server takes no paths. Upload the song.", "input.path", "`--allow-paths DIR` would allow them."
        )
    try:
        found = Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        found = Path()
    if "\0" in path or not any(found.is_relative_to(root) for root in roots):
        raise Problem(403, "forbidden", "This path is outside the folders that the server allows.", field="input.path")
    if not found.is_file():
        raise Problem(404, "input_not_found", "There is no such file.", field="input.path")
    return found


class Export(NamedTuple):
    """In which form stems are wanted."""

    form: str
    sample: str | None
    bitrate: int | None
    sample_rate: int | None


def export_of(asked: Mapping[str, str], request: Mapping[str, Any]) -> Export:
    """The form of an export: as asked for, or else as the job's request says. Raises `Problem`."""
    form = asked.get("format") or str(request.get("format") or "wav")
    sample = asked.get("sample") or request.get("pcm_type") or request.get("subtype")
    if form not in get_args(AudioFormat):
        raise invalid(f"`format` must be one of {', '.join(get_args(AudioFormat))}.", "format")
    if sample == "source":
        sample = None
    if sample is not None and sample not in get_args(AskedSampleType):
        raise invalid(f"`sample` must be one of {', '.join(get_args(AskedSampleType))}.", "sample")
    bitrate = number(asked, "bitrate", 8, 640, None) if "bitrate" in asked else request.get("bitrate")
    return Export(form, sample, bitrate, number(asked, "sample_rate", 8000, 384_000, None))


def number(asked: Mapping[str, str], name: str, least: int, most: int, default: int | None) -> int | None:
    """A whole number of a query. Raises `Problem`."""
    text = asked.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and least <= int(text) <= most):
        raise invalid(f"`{name}` must be a whole number from {least} to {most}.", name)
    return int(text)


def seconds(asked: Mapping[str, str], name: str, default: float) -> float:
    """A time of a query. Raises `Problem`."""
    text = asked.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e7:
        raise invalid(f"`{name}` must be a time in seconds.", name)
    return value
