"""A page with upload, progress, players, and a button that cancels. `python3 app.py`, with dsu_client on the path."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dsu_client import DSU, DSUError, JobCancelled

MODEL = "dsu_mini"
STEMS = ("vocals", "drums", "bass", "other")


def separate(dsu: DSU, song: str | None, folder: str, tell: Callable[[float], object]) -> list[str | None]:
    """The files of the stems, in the order of STEMS; `tell` hears of progress as a fraction."""
    if not song:
        raise ValueError("Choose a song first.")
    done = dsu.separate(
        song,
        output=tempfile.mkdtemp(dir=folder),  # two songs may have the same name
        model=MODEL,
        format="mp3",
        on_progress=lambda line: tell((line.get("percent") or 0) / 100),
    )
    paths = {name: str(Path(path)) for name, path in done["paths"].items()}
    return [paths.get(stem) for stem in STEMS]


def make_page(dsu: DSU, folder: str) -> object:
    """The page. One song at a time; whoever comes later waits in Gradio's queue."""
    import gradio  # noqa: PLC0415  so that `separate` can be used, and tested, without it

    def on_click(song: str | None, progress: object = gradio.Progress()) -> Iterator[list[str | None]]:
        try:
            yield separate(dsu, song, folder, progress)  # type: ignore[arg-type]
        except JobCancelled:
            yield [None] * len(STEMS)
        except (DSUError, ValueError) as error:
            raise gradio.Error(str(error)) from error

    with gradio.Blocks(title="Stems") as page:
        song = gradio.Audio(type="filepath", label="Song")
        with gradio.Row():
            start, stop = gradio.Button("Separate", variant="primary"), gradio.Button("Cancel")
        players = [gradio.Audio(label=stem, interactive=False) for stem in STEMS]
        start.click(on_click, song, players, concurrency_limit=1)
        stop.click(dsu.cancel)  # ends the job; Gradio's own `cancels` would only stop waiting for it
    return page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, DSU() as worker:
        make_page(worker, place).launch()  # type: ignore[attr-defined]
