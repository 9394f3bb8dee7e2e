"""The command lines of `dsu serve` and `dsu studio`."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from utils.core.errors import InvalidRequest

LOOPBACK = "127.0.0.1"
PORT = 8730
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class WebLimits:
    """How much the server takes."""

    upload_bytes: int = 2 << 30
    song_s: float = 4 * 3600
    queued: int = 200
    kept_jobs: int = 2000
    disk_bytes: int = 50 << 30
    free_bytes: int = 1 << 30  # what stays free on the disk
    keep_s: float = 30 * 86400
    uploads_at_once: int = 64
    listeners: int = 200
    connections: int = 400
    header_bytes: int = 32 << 10
    patience_s: float = 20.0  # for the head of a request, and for the next part of its body or answer


@dataclass(frozen=True)
class WebOptions:
    """What was asked for, understood."""

    data: Path
    host: str = LOOPBACK
    port: int = PORT
    token_file: Path | None = None
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    page: Path | None = None
    shows_page: bool = True
    opens: bool = False
    worker: tuple[str, ...] = ()
    models_dir: str | None = None
    worker_command: tuple[str, ...] | None = None  # of a worker other than that of this program, for tests
    limits: WebLimits = field(default_factory=WebLimits)

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read(program: str, argv: Sequence[str]) -> WebOptions:
    """Understand the arguments. Raises `InvalidRequest`; `--help` ends the program."""
    typed = _parser(program).parse_args(argv)
    options = WebOptions(
        data=(typed.data or _usual_folder()).expanduser().absolute(),
        host=typed.host,
        port=typed.port,
        token_file=typed.token_file.expanduser().absolute() if typed.token_file else None,
        names=tuple(name.lower() for name in typed.allow_name),
        origins=tuple(origin.rstrip("/").lower() for origin in typed.allow_origin),
        roots=tuple(_root(path) for path in typed.allow_paths),
        page=typed.page.absolute() if typed.page else None,
        shows_page=program == "dsu studio" or not typed.no_page,
        opens=program == "dsu studio" and not typed.no_browser,
        worker=_worker_options(typed),
        models_dir=typed.models_dir,
        limits=WebLimits(
            upload_bytes=typed.max_upload_mb << 20,
            song_s=typed.max_minutes * 60.0,
            queued=typed.max_queue,
            disk_bytes=typed.max_disk_gb << 30,
            free_bytes=typed.keep_free_mb << 20,
            keep_s=typed.keep_days * 86400.0,
        ),
    )
    if not options.is_loopback and options.token_file is None:
        raise InvalidRequest(
            f"`--host {options.host}` lets other machines reach this server. Give `--token-file FILE` as well: a file with a secret "
            f"of {SHORTEST_TOKEN} characters or more, which every client then has to send.",
            field="host",
        )
    return options


def _parser(program: str) -> argparse.ArgumentParser:
    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise InvalidRequest(f"{message}.", hint=f"`{program} --help` lists the options.")

    what = (
        "Show DSU in the browser." if program == "dsu studio" else "Answer HTTP requests: docs/http.md describes them."
    )
    parser = Parser(program, description=what, allow_abbrev=False)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on; any but loopback needs --token-file")
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes a free one; default {PORT}")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="file with the secret that clients have to send"
    )
    parser.add_argument(
        "--allow-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name of this server, as a proxy sends it",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="a page elsewhere whose scripts may use the server",
    )
    parser.add_argument(
        "--allow-paths",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="let jobs name files in this folder",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder for uploads, jobs and results")
    parser.add_argument("--page", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--max-upload-mb", type=_count, default=2048, metavar="N", help="largest upload; default 2048")
    parser.add_argument("--max-minutes", type=_count, default=240, metavar="N", help="longest song; default 240")
    parser.add_argument("--max-queue", type=_count, default=200, metavar="N", help="most jobs that wait; default 200")
    parser.add_argument("--max-disk-gb", type=_count, default=50, metavar="N", help="most that is kept; default 50")
    parser.add_argument("--keep-free-mb", type=_count, default=1024, metavar="N", help="what stays free; default 1024")
    parser.add_argument("--keep-days", type=_count, default=30, metavar="N", help="how long jobs are kept; default 30")
    if program == "dsu studio":
        parser.add_argument("--no-browser", action="store_true", help="only print the address")
    else:
        parser.add_argument(
            "--no-page", action="store_true", help="answer programs alone, without the page of the studio"
        )
    for name, metavar in (("device", "DEVICE"), ("threads", "N"), ("max-cached-models", "N"), ("models-dir", "DIR")):
        parser.add_argument(f"--{name}", metavar=metavar, help="as of the worker")
    parser.add_argument("--offline", action="store_true", help="never use the network for models")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1_000_000:
        raise ValueError(text)
    return count


def _root(path: Path) -> Path:
    root = path.expanduser().resolve()
    if not root.is_dir():
        raise InvalidRequest(f"`--allow-paths {path}` names no folder.", field="allow_paths")
    return root


def _usual_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("DSU", appauthor=False) / "Studio"


def _worker_options(typed: argparse.Namespace) -> tuple[str, ...]:
    words: list[str] = []
    for name in ("device", "threads", "max_cached_models", "models_dir"):
        value = getattr(typed, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(Path(value).absolute()) if name == "models_dir" else value]
    return (*words, *(["--offline"] if typed.offline else []))


def read_token(path: Path) -> str:
    """The secret in a file. Raises `InvalidRequest`."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"`--token-file {path}` cannot be read: {error}.", field="token_file") from error
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidRequest(
            f"`--token-file {path}` must hold one word of {SHORTEST_TOKEN} characters or more, without blanks or accents.",
            hint="Make one with `python3 -c 'import secrets; print(secrets.token_urlsafe())'`.",
            field="token_file",
        )
    return token
