"""The page of a report: one HTML file with everything in it, which shows the stems and plays them in step.

Sound goes to a file of its own as it comes, and from there into the page, so no song is ever in memory. Nothing in the page
is fetched from anywhere; its policy forbids that to browsers, too.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from utils.audio.channels import Block
from utils.audio.disk import check_disk_space, output_error
from utils.audio.guarded import GuardedFile
from utils.audio.report.cells import BANDS
from utils.audio.report.clips import STEP_S, ClipCutter, ClipPlan, encoded
from utils.audio.report.drawing import colour_of, frequency_marks, heat_image, round_times, time_of
from utils.audio.report.facts import SILENCE_DB, Facts, Row, Scales
from utils.audio.temporary import HeldFile
from utils.core.cleanup import undone_on_exit

PARTS = Path(__file__).with_name("page")
WAVE_HEIGHT = 200  # in units of the drawing, which browsers stretch
MOST_TIMES = 6  # as many as a small screen has room for
SHOWN_BYTES = 4 << 20  # an upper estimate of all but the sound
COLOURS = 6

WHAT_SDR_IS = """\
<p>SDR, the signal-to-distortion ratio, says how much louder a stem is than what is wrong with it. <i>Over mix</i> is how much
better the stem is than the song as it is would be in its place.</p>"""


class Page:
    """A page that is being written, between `open` and `close`. What is not saved leaves nothing behind."""

    def __init__(self, target: Path, names: Sequence[str], plan: ClipPlan, source_rate: int) -> None:
        self._target = target
        self._plan = plan
        self._rate = source_rate
        self._tracks = {name: number for number, name in enumerate(names)}
        self._cutters = {name: ClipCutter(plan, source_rate) for name in names}
        self._counts = dict.fromkeys(names, 0)
        self._pending: deque[tuple[str, Future[bytes]]] = deque()
        self._parts: list[HeldFile] = []
        self._files: list[GuardedFile] = []
        self._stack = ExitStack()

    def open(self) -> None:
        """Begin the file for the sound."""
        self._stack.enter_context(undone_on_exit(self._remove))
        self._stack.callback(self._remove)
        try:
            self._spool, _ = self._new_file()
        except BaseException:
            self.close()
            raise
        threads = max(1, min(len(self._tracks), os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(threads, "clips")
        self._stack.callback(self._pool.shutdown, cancel_futures=True)

    def close(self) -> None:
        """Remove the temporary files."""
        self._stack.close()

    def _new_file(self) -> tuple[GuardedFile, HeldFile]:
        try:
            self._parts.append(part := HeldFile(self._target))
            self._files.append(file := GuardedFile(part.path, "w+b"))
        except OSError as error:
            raise output_error(error, self._target) from error
        return file, part

    def _remove(self) -> None:
        for file in self._files:
            file.close()
        for part in self._parts:
            part.discard()

    # Sound -------------------------------------------------------------------------------------------------------

    def add(self, name: str, block: Block) -> None:
        """The next samples (channels, n) of a track."""
        self._encode(name, self._cutters[name].push(block))

    def _encode(self, name: str, clips: Iterable[Block]) -> None:
        for clip in clips:
            self._pending.append((name, self._pool.submit(encoded, clip, self._plan)))
            self._keep(most=2 * len(self._tracks))

    def _keep(self, *, most: int) -> None:
        """Write what is encoded, so that no more than so many clips are in memory."""
        while len(self._pending) > most:
            name, clip = self._pending.popleft()
            text = base64.b64encode(clip.result()).decode("ascii")
            tags = f'data-track="{self._tracks[name]}" data-clip="{self._counts[name]}"'
            self._counts[name] += 1
            self._spool.write(f'<script type="text/plain" {tags}>{text}</script>\n'.encode())
            self._spool.require_written()

    # The page ----------------------------------------------------------------------------------------------------

    def save(self, rows: Sequence[Row], facts: Facts, duration_s: float) -> None:
        """Write the page, which appears under its name when complete. Call it once."""
        for name, cutter in self._cutters.items():
            self._encode(name, cutter.finish())
        self._keep(most=0)
        before, after = self._filled(rows, facts, duration_s).split("<!-- clips -->")
        page, part = self._new_file()
        page.write(before.encode())
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, page)
        page.write(after.encode())
        page.close()
        page.require_written()
        self._spool.require_written()
        try:
            part.publish(self._target)
        except OSError as error:
            raise output_error(error, self._target) from error

    def _filled(self, rows: Sequence[Row], facts: Facts, duration_s: float) -> str:
        style = _part("page.css")
        script = f"{_part('player.js')}{_part('page.js')}"
        playable_s = self._plan.playable_s(duration_s)
        scales = Scales.of(rows)
        shown = [
            _row_html(row, number, scales, frequency_marks(self._rate), duration_s) for number, row in enumerate(rows)
        ]
        left_out = f"Only the first {time_of(int(playable_s))} can be played here; the files have all of it."
        return Template(_part("page.html")).substitute(
            policy=escape(policy(script, style)),
            style=style,
            script=script,
            title=escape(facts.title),
            song=escape(facts.song),
            model=escape(facts.model),
            notice=left_out if playable_s < duration_s else "",
            duration=f"{duration_s:.3f}",
            playable=f"{playable_s:.3f}",
            rate=self._plan.rate,
            step=STEP_S,
            lead=f"{self._plan.lead / self._plan.rate:.6f}",
            rows="\n".join(shown),
            table=_table_html(rows, facts),
            sdr=WHAT_SDR_IS if facts.closeness else "",
            details="\n".join(
                f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.entries.items()
            ),
        )


def policy(script: str, style: str) -> str:
    """What browsers may do with the page: show it and run its own script, and nothing else."""
    hashed = {
        name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("script", script), ("style", style))
    }
    return (
        f"default-src 'none'; script-src 'sha256-{hashed['script']}'; style-src 'sha256-{hashed['style']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def require_space(folder: Path, plan: ClipPlan, tracks: int, duration_s: float) -> None:
    """Raise `DiskFull` if there is no room for the page and for its sound beside it."""
    sound = tracks * plan.playable_s(duration_s) * plan.kilobits * 125
    check_disk_space(folder, round(2 * 4 / 3 * sound) + SHOWN_BYTES)


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


# What is shown ----------------------------------------------------------------------------------------------------


def _row_html(row: Row, number: int, scales: Scales, marks: Sequence[tuple[str, float]], duration_s: float) -> str:
    name = escape(row.name)
    gain_db = scales.gain_db(row)
    colour = "" if number == 0 else f" colour-{(number - 1) % COLOURS + 1}"
    enlarged = f"<p>waveform +{gain_db} dB</p>" if gain_db else ""
    heat = io.BytesIO()
    heat_image(row.cells.power, scales.power, colour_of(number)).save(heat, format="PNG", optimize=True)
    hertz = "".join(
        f'<text x="4" y="{100 * (1 - band / BANDS):.1f}%" dy="3">{escape(text)}</text>' for text, band in marks
    )
    return f"""\
<article class="track{colour}" aria-labelledby="track-{number}">
<div>
<h2 id="track-{number}">{name}</h2>
<p>{row.level}</p>
{enlarged}
<div class="mixer" role="group" aria-labelledby="track-{number}" hidden>
<button class="solo" type="button" aria-pressed="false" aria-label="Solo {name}">Solo</button>
<button class="mute" type="button" aria-pressed="false" aria-label="Mute {name}">Mute</button>
<input class="volume" type="range" min="0" max="1" step="0.01" value="1" aria-label="Volume of {name}">
</div>
</div>
<figure class="plot">
<svg class="wave" viewBox="0 0 {max(len(row.cells), 1)} {WAVE_HEIGHT}" preserveAspectRatio="none" role="img" \
aria-label="Waveform of {name}">\
<line x1="0" x2="{len(row.cells)}" y1="{WAVE_HEIGHT // 2}" y2="{WAVE_HEIGHT // 2}"/>\
<path fill="currentColor" d="{wave_path(row, scales.full(row))}"/></svg>
<div class="spectrum"><img alt="Spectrogram of {name}" \
src="data:image/png;base64,{base64.b64encode(heat.getvalue()).decode("ascii")}">\
<svg class="marks" aria-hidden="true" width="100%">{hertz}</svg></div>
<svg class="times" aria-hidden="true">{_times_svg(duration_s)}</svg>
</figure>
</article>"""


def wave_path(row: Row, full: float) -> str:
    """The outline of a waveform: along its largest samples, and back along its smallest."""
    middle = WAVE_HEIGHT / 2
    up = np.rint(middle - middle * row.cells.high / full).astype(int)
    down = np.rint(middle - middle * row.cells.low / full).astype(int)
    down = np.maximum(down, up + 1)  # silence is a line
    there = " ".join(f"{x} {y}" for x, y in enumerate(up))
    back = " ".join(f"{x} {y}" for x, y in reversed(list(enumerate(down))))
    return f"M{there} {back}z"


def _times_svg(duration_s: float) -> str:
    found = []
    for second in round_times(duration_s, MOST_TIMES):
        share = 100 * second / duration_s
        anchor = "start" if share < 2 else "end" if share > 98 else "middle"
        found.append(
            f'<line x1="{share:.2f}%" x2="{share:.2f}%" y1="0" y2="4"/>'
            f'<text x="{share:.2f}%" y="15" text-anchor="{anchor}">{time_of(second)}</text>'
        )
    return "".join(found)


def _table_html(rows: Sequence[Row], facts: Facts) -> str:
    head = ["track", "RMS dBFS", "peak dBFS"]
    body = [[escape(row.name), _decibels(row.level_db), _decibels(row.peak_db)] for row in rows]
    if facts.closeness:
        head += ["SDR dB", "over mix dB"]
        for row, line in zip(rows, body, strict=True):
            known = facts.closeness.get(row.name)
            line.extend(["", ""] if known is None else [f"{known.sdr_db:.1f}", f"{known.over_mix_db:+.1f}"])
    top = "".join(f'<th scope="col">{text}</th>' for text in head)
    lines = [
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{text}</td>" for text in cells)}</tr>' for name, *cells in body
    ]
    return "\n".join([f"<table>\n<thead><tr>{top}</tr></thead>\n<tbody>", *lines, "</tbody>\n</table>"])


def _decibels(level_db: float) -> str:
    return f"{level_db:.1f}" if level_db > SILENCE_DB else "silent"
