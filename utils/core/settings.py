"""How a worker was asked to run: the command line, then the environment, then `dsu_config.json`, then defaults.

A malformed value is an error that names its source; an unknown key in the file is a warning on stderr. No other module
reads the environment or the file for these settings.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, inspect

from utils.core.errors import ConfigInvalid, InvalidRequest, did_you_mean, nearest
from utils.core.fields import Field, fields_of
from utils.core.typed import convert

EARLIER_MODELS_DIR = Path("~/Documents/DSU/ThirdPartyApps/Models")  # in use where it exists
MODELS_DIRS = {  # as platformdirs has them, where no variable moves them
    "Linux": "~/.local/share/DSU/Models",
    "macOS": "~/Library/Application Support/DSU/Models",
    "Windows": r"%LOCALAPPDATA%\DSU\Models",
}
CONFIG_NAME = "dsu_config.json"
LOWEST_SAMPLE_RATE = 1_000

Arithmetic = Literal["fp32", "bf16", "fp16"]  # the precisions in which devices compute


class Settings(msgspec.Struct, frozen=True):
    """One worker's settings, resolved."""

    models_dir: Annotated[
        Path,
        Meta(
            description=f"The models directory; by default `{EARLIER_MODELS_DIR.as_posix()}` if it exists, or else "
            + ", ".join(f"`{folder}` ({system})" for system, folder in MODELS_DIRS.items())
            + "."
        ),
    ]
    device: Annotated[
        str,
        Meta(
            min_length=1,
            description="`cuda`, `cuda:N`, `xpu`, `xpu:N`, `mps` or `cpu`, or several with commas, of which the first that "
            "works is used; `auto` uses CUDA if available, then XPU, then MPS, then the CPU.",
        ),
    ] = "auto"
    devices: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Instead of `device`: several with commas, all of which work for this worker, in a process each "
                "(`cuda:0,cuda:1`).",
            ),
        ]
        | None
    ) = None
    threads: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="Number of CPU threads; by default the number of physical cores. With `devices`: of each process; by "
                "default they share the cores.",
            ),
        ]
        | None
    ) = None
    max_cached_models: Annotated[
        int, Meta(ge=0, description="How many models stay loaded; 0 turns the cache off; default 2.")
    ] = 2
    offline: Annotated[bool, Meta(description="Never use the network.")] = False
    strict: Annotated[
        bool, Meta(description="Treat unknown fields of requests as errors instead of warning about them.")
    ] = False
    allow_unsafe_checkpoints: Annotated[
        bool, Meta(description="Also load checkpoints that can run code; only for files that you trust.")
    ] = False
    debug: Annotated[bool, Meta(description="Add tracebacks to errors.")] = False
    log: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(
            description="The least severe messages on standard error: `debug`, `info`, `warning` (default) or `error`."
        ),
    ] = "warning"
    default_precision: Annotated[
        Literal["auto", Arithmetic],
        Meta(
            description="The precision of requests that do not set one: `auto` is half precision where the device is faster "
            "with it, and `fp32` elsewhere."
        ),
    ] = "auto"
    max_queued_jobs: Annotated[
        int, Meta(ge=1, description="How many jobs may wait; more are refused as `busy`; default 10000.")
    ] = 10_000
    max_queued_bytes: Annotated[
        int,
        Meta(
            ge=1,
            description="How many bytes the lines of the jobs that wait may have together, and those that come before the "
            "worker is ready; default 67108864.",
        ),
    ] = 64 << 20
    max_line_bytes: Annotated[
        int, Meta(ge=1024, description="How many bytes a line may have; longer ones are refused; default 1048576.")
    ] = 1 << 20
    max_model_bytes: Annotated[
        int,
        Meta(
            ge=1,
            description="How many bytes of memory the models of one job may take together, judged by their files and then by "
            "their weights; more is refused as `out_of_memory`; default 17179869184.",
        ),
    ] = 16 << 30
    max_load_seconds: Annotated[
        int,
        Meta(
            ge=1,
            description="How many seconds it may take to read a model; after that it is given up as `load_timeout`; default 600.",
        ),
    ] = 600
    max_download_bytes: Annotated[
        int,
        Meta(
            ge=1,
            description="How many bytes the files of one model may have together to be downloaded; default 8589934592.",
        ),
    ] = 8 << 30
    lowest_sample_rate: Annotated[
        int,
        Meta(
            ge=1,
            description="The lowest sample rate of songs and recordings, in Hz; lower ones, which short files claim to be long "
            f"with, are refused; default {LOWEST_SAMPLE_RATE}.",
        ),
    ] = LOWEST_SAMPLE_RATE
    configs_dir: Annotated[
        Path | None,
        Meta(description="A folder with the configurations of your own networks that `models.json` lists."),
    ] = None
    recipes_dir: Annotated[
        Path | None,
        Meta(description="A folder with your own recipes; by default `recipes` in the models directory."),
    ] = None

    @property
    def every_device(self) -> list[str]:
        """The names in `devices`."""
        return [name for part in (self.devices or "").split(",") if (name := part.strip())]


FIELDS = {field.name: field for field in fields_of(Settings)}
# Only the person who types the command may allow checkpoints that can run code: a variable or a file is inherited.
FILE_FIELDS = FIELDS.keys() - {"allow_unsafe_checkpoints"}
VARIABLES = {
    field: "DSU_MODELS" if field == "models_dir" else f"DSU_{field.upper()}" for field in FIELDS if field in FILE_FIELDS
}
# Keys of other programs that share the file.
FOREIGN_KEYS = {"ffmpeg"}
YES_AND_NO = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class Source(NamedTuple):
    """A value as it was given, and where, so that an error can say so."""

    value: object
    place: str


def resolve(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    config_files: Iterable[Path] | None = None,
) -> Settings:
    """The settings from all their sources. `flags` holds fields of `Settings`; `None` means that one was not given."""
    given = {"models_dir": Source(default_models_dir(), "The default of `models_dir`")}
    _prefer(_from_config(find_config(environ, config_files)), given)
    _prefer({field: Source(environ[name], name) for field, name in VARIABLES.items() if environ.get(name)}, given)
    typed = {field: value for field, value in (flags or {}).items() if value is not None}
    _prefer({field: Source(value, f"--{field.replace('_', '-')}") for field, value in typed.items()}, given)
    values = {field: _normalized(source.value, FIELDS[field]) for field, source in given.items()}
    try:
        settings = convert(values, Settings, strict=False, dec_hook=_absolute_path)
    except msgspec.ValidationError as error:
        raise _malformed(given, error) from error
    if not settings.devices:
        return settings
    # Where there can be one only, the first that works is meant. One device is no different from `device`.
    return msgspec.structs.replace(
        settings, device=settings.devices, devices=settings.devices if len(settings.every_device) > 1 else None
    )


def _prefer(better: Mapping[str, Source], given: dict[str, Source]) -> None:
    """Replace what is given by what a better source says. `device` and `devices` are two ways to say one thing."""
    if both := sorted(better.keys() & {"device", "devices"}):
        if len(both) > 1:
            one, other = (better[name].place for name in both)
            raise ConfigInvalid(f"{one} and {other} exclude each other. Give one of them.")
        for name in ("device", "devices"):
            given.pop(name, None)
    given.update(better)


def default_models_dir() -> Path:
    """Where earlier versions kept models, if that is there; else where this system keeps what programs have fetched."""
    earlier = EARLIER_MODELS_DIR.expanduser()
    if earlier.is_dir():
        return earlier
    from platformdirs import user_data_path

    return user_data_path("DSU", appauthor=False) / "Models"


def _normalized(value: object, field: Field) -> object:
    """Text as msgspec reads it: blanks around it do not count, nor does case, and `yes` and `on` mean true."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if field.type_of(inspect.BoolType) or field.choices:
        text = text.lower()
    return YES_AND_NO.get(text, text) if field.type_of(inspect.BoolType) else text


def _absolute_path(kind: type, value: object) -> object:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("not a path")
    return kind(os.path.abspath(Path(value).expanduser()))  # noqa: PTH100 - resolve() would follow links


def _malformed(given: Mapping[str, Source], error: msgspec.ValidationError) -> ConfigInvalid:
    """The error for a value, with its source and what the field takes."""
    (name,) = re.findall(r" - at `\$\.(\w+)`", str(error))
    source, field = given[name], FIELDS[name]
    (kind,) = field.types
    if isinstance(kind, inspect.BoolType):
        expected = "1 or 0"
    elif field.choices:
        expected = f"one of {', '.join(field.choices)}"
    elif isinstance(kind, inspect.IntType):
        expected = f"a whole number of at least {kind.ge}"
    else:
        expected = "a name" if isinstance(kind, inspect.StrType) else "a folder"
    return ConfigInvalid(f"{source.place} must be {expected}, not {json.dumps(source.value, default=str)}.")


# The file ---------------------------------------------------------------------------------------------------------


def find_config(environ: Mapping[str, str], places: Iterable[Path] | None = None) -> Path | None:
    """The first `dsu_config.json` that exists. One that DSU_CONFIG names must exist."""
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
    """What the file says. A relative path in it starts at its own folder."""
    if path is None:
        return {}
    entries = _read_config(path)
    for key in sorted(entries.keys() - FILE_FIELDS - FOREIGN_KEYS):
        import logging  # late: this happens rarely, and the first line must not wait for it

        logging.getLogger("dsu.settings").warning(
            "%s: the key `%s` is not known and is ignored.%s", path, key, did_you_mean(nearest(key, FILE_FIELDS))
        )
    for key in ("models_dir", "configs_dir", "recipes_dir"):
        if isinstance(folder := entries.get(key), str) and folder:
            entries[key] = str(path.parent / Path(folder).expanduser())
    return {
        key: Source(value, f"`{key}` in {path}")
        for key, value in entries.items()
        if key in FILE_FIELDS and value is not None
    }


def _read_config(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigInvalid(f"The file `{path}` cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(f"The file `{path}` is not valid JSON: {error}. Correct it or delete it.") from error
    if not isinstance(entries, dict):
        raise ConfigInvalid(f'The file `{path}` must hold an object, like {{"models_dir": "/models"}}.')
    return entries


# The command line of worker mode ----------------------------------------------------------------------------------


class Arguments(NamedTuple):
    """What the command line asks for: to serve, or to print a text; and the flags that belong to `Settings`."""

    action: str
    flags: dict[str, Any]
    help: str


ACTIONS = {
    "help": "show this text and exit",
    "version": "show the version and exit",
    "list-models": "list the names of all models and exit",
}


def with_dashes(argv: Sequence[str]) -> list[str]:
    """The arguments with `-` for `_` in the names of options: both spellings are in use, and mean the same."""
    end = list(argv).index("--") if "--" in argv else len(argv)
    words = []
    for word in argv[:end]:
        name, equals, value = word.partition("=")
        words.append(name.replace("_", "-") + equals + value if word.startswith("--") else word)
    return [*words, *argv[end:]]


def as_words(flags: Mapping[str, Any]) -> list[str]:
    """The words that say the same as flags once they are read."""
    options = {f"--{name.replace('_', '-')}": value for name, value in flags.items() if value is not None}
    return [option if value is True else f"{option}={value}" for option, value in options.items()]


def parse_arguments(program: str, description: str, argv: Sequence[str]) -> Arguments:
    """Read the arguments of worker mode. `action` is `serve`, `help`, `version` or `list_models`."""
    import argparse

    class SettingsParser(argparse.ArgumentParser):
        def error(self, message: str) -> Any:
            raise InvalidRequest(
                f"The command line is wrong: {message}.",
                hint=f"`{program} --worker --help` lists the options.",
            )

    parser = SettingsParser(prog=program, description=description, add_help=False)
    parser.add_argument("--worker", action="store_true", help="answer JSON commands from standard input")
    for name, field in FIELDS.items():
        if name == "log":  # a variable or a key only
            continue
        option, text = (
            f"--{name.replace('_', '-')}",
            field.phrase.replace("%", "%%"),
        )  # argparse fills in what follows a %
        if field.type_of(inspect.BoolType):
            parser.add_argument(option, action="store_const", const=True, help=text)
        else:
            metavar = "N" if field.type_of(inspect.IntType) else name.rpartition("_")[2].upper()
            parser.add_argument(option, metavar=metavar, help=text)
    for action, text in ACTIONS.items():
        parser.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=text)
    flags = vars(parser.parse_args(with_dashes(argv)))
    del flags["worker"]
    action = flags.pop("action") or "serve"
    return Arguments(action.replace("-", "_"), flags, parser.format_help() if action == "help" else "")
