"""How a worker was asked to run: the command line, then the environment, then `dsu_config.json`, then defaults.

What is malformed is an error that names its source; what is merely unknown in the file is a warning on stderr. No
other module reads the environment or the file for these settings.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from utils.core.errors import ConfigInvalid, InvalidRequest, did_you_mean, nearest

DEFAULT_MODELS_DIR = Path("~/Documents/DSU/ThirdPartyApps/Models")
CONFIG_NAME = "dsu_config.json"
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """One worker's settings, resolved."""

    models_dir: Path
    device: str = "auto"
    threads: int | None = None
    max_cached_models: int = 2
    offline: bool = False
    strict: bool = False
    allow_unsafe_checkpoints: bool = False
    debug: bool = False
    log: str = "warning"


class Source(NamedTuple):
    """A value as it was given, and where, so that an error can say so."""

    value: object
    place: str
    folder: Path | None = None


def resolve(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    config_files: Iterable[Path] | None = None,
) -> Settings:
    """The settings from all their sources. `flags` holds fields of `Settings`; `None` means that one was not given."""
    given = _from_config(find_config(environ, config_files))
    given.update({field: Source(environ[name], name) for field, name in VARIABLES.items() if environ.get(name)})
    for field, value in (flags or {}).items():
        if value is not None:
            given[field] = Source(value, f"--{field.replace('_', '-')}")
    values = {field: READERS[field](source) for field, source in given.items()}
    values.setdefault("models_dir", DEFAULT_MODELS_DIR.expanduser())
    return Settings(**values)


# The file ---------------------------------------------------------------------------------------------------------


def find_config(environ: Mapping[str, str], places: Iterable[Path] | None = None) -> Path | None:
    """The first `dsu_config.json` there is. One that DSU_CONFIG names must exist."""
    named = environ.get("DSU_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigInvalid(f"DSU_CONFIG names `{path}`, which does not exist.")
        return path
    candidates = config_places() if places is None else places
    return next((path for path in candidates if path.is_file()), None)


def config_places() -> list[Path]:
    """Where `dsu_config.json` is looked for: beside the program, then in the user's DSU folders."""
    program = Path(sys.executable) if getattr(sys, "frozen", False) else Path(__file__).parents[1]
    folders = [program.resolve().parent, Path("~/DSU").expanduser(), Path("~/Documents/DSU").expanduser()]
    return [folder / CONFIG_NAME for folder in folders]


def _from_config(path: Path | None) -> dict[str, Source]:
    if path is None:
        return {}
    entries = _read_config(path)
    for key in sorted(entries.keys() - FILE_FIELDS - FOREIGN_KEYS):
        _warn(f"{path}: the key `{key}` is not known and is ignored.{did_you_mean(nearest(key, FILE_FIELDS))}")
    known = {key: value for key, value in entries.items() if key in FILE_FIELDS and value is not None}
    return {key: Source(value, f"`{key}` in {path}", path.parent) for key, value in known.items()}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigInvalid(f"The file `{path}` cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(f"The file `{path}` is not JSON: {error}. Correct it or delete it.") from error
    if not isinstance(entries, dict):
        raise ConfigInvalid(f'The file `{path}` must hold an object, like {{"models_dir": "/models"}}.')
    return entries


def _warn(message: str) -> None:
    import logging  # late: this happens rarely, and the first line must not wait for it

    logging.getLogger("dsu.settings").warning(message)


# Readers: from what was given to what `Settings` holds ------------------------------------------------------------


def _refuse(source: Source, expected: str) -> ConfigInvalid:
    return ConfigInvalid(f"{source.place} must be {expected}, not {json.dumps(source.value, default=str)}.")


def _path(source: Source) -> Path:
    if not isinstance(source.value, (str, Path)) or not str(source.value):
        raise _refuse(source, "a folder")
    path = Path(source.value).expanduser()
    return Path(os.path.abspath((source.folder or Path()) / path))  # noqa: PTH100 - resolve() would follow links


def _text(source: Source) -> str:
    if not isinstance(source.value, str) or not source.value.strip():
        raise _refuse(source, "a name")
    return source.value.strip()


def _number(least: int) -> Callable[[Source], int]:
    def read(source: Source) -> int:
        value = source.value
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise _refuse(source, f"a whole number of at least {least}")
        return value

    return read


def _yes_or_no(source: Source) -> bool:
    if isinstance(source.value, bool):
        return source.value
    word = str(source.value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise _refuse(source, "1 or 0")


def _log_level(source: Source) -> str:
    level = str(source.value).strip().lower()
    if level not in LOG_LEVELS:
        raise _refuse(source, f"one of {', '.join(LOG_LEVELS)}")
    return level


READERS: dict[str, Callable[[Source], Any]] = {
    "models_dir": _path,
    "device": _text,
    "threads": _number(1),
    "max_cached_models": _number(0),
    "offline": _yes_or_no,
    "strict": _yes_or_no,
    "allow_unsafe_checkpoints": _yes_or_no,
    "debug": _yes_or_no,
    "log": _log_level,
}
# Only the person who types the command may allow checkpoints that can run code: a variable or a file is inherited.
FILE_FIELDS = READERS.keys() - {"allow_unsafe_checkpoints"}
VARIABLES = {
    "models_dir": "DSU_MODELS",
    **{field: f"DSU_{field.upper()}" for field in sorted(FILE_FIELDS - {"models_dir"})},
}
# Keys of other programs that share the file.
FOREIGN_KEYS = {"ffmpeg"}


# The command line of worker mode ----------------------------------------------------------------------------------


class Arguments(NamedTuple):
    """What the command line asks for: to serve, or for a text; and the flags that belong to `Settings`."""

    action: str
    flags: dict[str, Any]
    help: str


def parse_arguments(program: str, description: str, argv: Sequence[str]) -> Arguments:
    """Read the arguments of worker mode. `action` is `serve`, `help`, `version` or `list_models`."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> Any:
            raise InvalidRequest(
                f"The command line is not understood: {message}.",
                hint=f"`{program} --worker --help` lists the options.",
            )

    parser = Parser(prog=program, description=description, add_help=False, allow_abbrev=False)
    parser.add_argument("--worker", action="store_true", help="answer JSON commands from standard input")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cuda, cuda:N, mps or cpu")
    parser.add_argument("--models-dir", metavar="DIR", help=f"where models are (default {DEFAULT_MODELS_DIR})")
    parser.add_argument("--threads", metavar="N", help="CPU threads (default: the physical cores)")
    parser.add_argument("--max-cached-models", metavar="N", help="models that stay loaded (default 2)")
    for flag, text in SWITCHES.items():
        parser.add_argument(flag, action="store_const", const=True, help=text)
    for action, text in ACTIONS.items():
        parser.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=text)
    flags = vars(parser.parse_args(argv))
    del flags["worker"]
    action = flags.pop("action") or "serve"
    return Arguments(action.replace("-", "_"), flags, parser.format_help() if action == "help" else "")


SWITCHES = {
    "--offline": "never use the network",
    "--strict": "unknown fields in requests are errors instead of warnings",
    "--allow-unsafe-checkpoints": "also load checkpoints that can run code; only for files that you trust",
    "--debug": "add tracebacks to errors",
}
ACTIONS = {
    "help": "show this text and exit",
    "version": "show the version and exit",
    "list-models": "list the names of all models and exit",
}
