"""`dsu serve` and `dsu studio`: the server from its start to its end."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from utils.core.bootstrap import is_frozen
from utils.core.errors import DsuError, InvalidRequest
from utils.web.options import PORT, WebOptions, is_loopback, read, read_token

READER = "--reader"  # by which the server starts the program once more, to read songs
GOODBYE_S = 3


def main(program: str, argv: Sequence[str]) -> int:
    """Do what the arguments say and return the exit status."""
    if list(argv) == [READER]:
        from utils.web.reading import serve as serve_reader

        return serve_reader()
    try:
        return serve(read(program, argv), program)
    except SystemExit as end:  # argparse has shown the help
        return int(end.code or 0)
    except DsuError as error:
        sys.stderr.write(f"{program}: {error.message} {error.hint or ''}".rstrip() + "\n")
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "python_multipart"):
            raise
        sys.stderr.write(
            f"{program}: The package {error.name} is missing. `python3 run.py {program.rsplit(maxsplit=1)[-1]}` installs what the server "
            "needs, or `pip install -r requirements-studio.txt`.\n"
        )
        return 2


def serve(options: WebOptions, program: str) -> int:
    """Listen until a signal comes."""
    import uvicorn

    from utils.web.app import WebServer
    from utils.web.connections import Connection

    listening = _listen(options)
    port = listening.getsockname()[1]
    token = read_token(options.token_file) if options.token_file else secrets.token_urlsafe(24)
    if options.page is None and options.shows_page:
        options = _with_page(options)
    limits = options.limits
    asyncio_loop = asyncio.new_event_loop()
    asyncio.set_event_loop(asyncio_loop)

    server: Any = None

    class Listening(uvicorn.Server):
        """The server of uvicorn, which lets listeners go when it is told to end."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            server.jobs.broker.close()
            super().handle_exit(sig, frame)

    async def run() -> None:
        nonlocal server
        server = WebServer(options, token, port)
        config = uvicorn.Config(
            server.guard,
            http=Connection,
            ws="none",
            lifespan="on",
            interface="asgi3",
            access_log=False,
            log_level="critical",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=round(limits.patience_s),
            timeout_graceful_shutdown=GOODBYE_S,
            limit_concurrency=limits.connections,
            h11_max_incomplete_event_size=limits.header_bytes,
            backlog=256,
        )
        config.load()
        Connection.patience_s = limits.patience_s
        _say(options, program, port, token)
        await Listening(config).serve(sockets=[listening])

    try:
        asyncio_loop.run_until_complete(run())
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        listening.close()
        # Threads that have read files end when the loop has told them to, and Ctrl-C has stopped it.
        asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
        asyncio_loop.close()
    return 0


def _listen(options: WebOptions) -> socket.socket:
    """The socket. If the usual port is taken, and nobody asked for it, any other will do for a page."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    for port in (options.port, *([0] if options.opens and options.port == PORT else [])):
        listening = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((options.host, port))
            listening.listen(256)
        except (OSError, OverflowError) as error:
            listening.close()
            reason = error
            continue
        return listening
    raise InvalidRequest(
        f"The server cannot listen on {options.host}, port {options.port}: {reason}.",
        hint="Choose another --port.",
        field="port",
    )


def _with_page(options: WebOptions) -> WebOptions:
    """With the page that comes with the program, if it does."""
    from dataclasses import replace

    root = Path(sys.executable).parent if is_frozen() else Path(__file__).resolve().parents[2]
    folder = root / "studio" if is_frozen() else root / "studio" / "dist"
    return replace(options, page=folder) if folder.is_dir() else options


def _say(options: WebOptions, program: str, port: int, token: str) -> None:
    """Say where the server is; with the token where that was made for this run, as nobody else knows it."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{'localhost' if options.host == '127.0.0.1' else host}:{port}/"
    with_token = address if options.token_file else f"{address}?token={token}"
    sys.stdout.write(f"{program} listens on {with_token}\n")
    if not is_loopback(options.host):
        sys.stdout.write(
            "Other machines can reach it. Whoever has the token can use it, and who listens on the network can read songs and token: "
            "put a proxy with TLS before it.\n"
        )
    sys.stdout.write("Ctrl+C ends it; jobs that wait go on after the next start.\n")
    sys.stdout.flush()
    if options.opens:
        threading.Thread(target=webbrowser.open, args=(with_token,), daemon=True).start()  # it may wait for the browser
