"""Models as people read them: picked by name, recommended, in tables, or described one by one. Pure: no files."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO

from msgspec import UnsetType

from utils.core.catalogue import GRADES, PURPOSES, SCORED_ON, Purpose, family_of
from utils.core.choosing import score_for, tier_of
from utils.core.errors import UnknownModel, did_you_mean, nearest
from utils.core.replies import HashKnowledge, ModelDetails

WIDTH = 79  # of texts that are not tables
MANY_STEMS = 2
CHECKS: dict[HashKnowledge, str] = {
    "known": "the SHA-256 of the published checkpoint",
    "remembered": "the SHA-256 of the first download; nobody states that of all files",
    "none": "sizes, as far as they are known; later downloads by the SHA-256 of the first",
}
COMMERCIAL: dict[object, str] = {True: "commercial use allowed", False: "no commercial use"}

# What people type instead of the commands that hints tell programs to send.
INSTEAD = {"list_models": "`dsu models` lists all models.", "download_model": "`dsu download NAME` fetches it."}


def named(names: Sequence[str], known: Sequence[ModelDetails]) -> list[ModelDetails]:
    """The models of these names, or whose names contain them; all without a name. Raises `UnknownModel`."""
    if not names:
        return list(known)
    found: dict[str, ModelDetails] = {}
    exact = by_name(known)
    for name in names:
        matching = [exact[name]] if name in exact else [model for model in known if name.lower() in model.name.lower()]
        if not matching:
            raise unknown(name, [model.name for model in known])
        found.update((model.name, model) for model in matching)
    return list(found.values())


def by_name(models: Iterable[ModelDetails]) -> dict[str, ModelDetails]:
    """Models by their names, and by other names that mean them where no model has such a name."""
    found = {model.name: model for model in models}
    for model in models:
        for alias in model.aliases or ():
            found.setdefault(alias, model)
    return found


def unknown(name: str, known: Iterable[str], advice: str = "") -> UnknownModel:
    """The error for a name that no model has, with the nearest names."""
    hint = f"{INSTEAD['list_models']} {advice}".rstrip()
    return UnknownModel(f"There is no model `{name}`.{did_you_mean(nearest(name, known))}", hint=hint)


def table(models: Sequence[ModelDetails], out: IO[str]) -> Iterator[str]:
    """A heading for each family and a line for each model.

    Where `out` is a terminal too narrow for that, what a model is about follows on lines of its own, and the others are cut.
    """
    width = shutil.get_terminal_size().columns if out.isatty() else None
    for family in dict.fromkeys(family_of(model.type) for model in models):
        own = [model for model in models if family_of(model.type) == family]
        rows = [("", "NAME", "SIZE", "SDR", "STEMS", "ABOUT", "LICENCE")]
        for model in own:
            sdr = model.sdr or {}
            best_known = [sdr["average"]] if "average" in sdr else [*sdr.values()][:1]
            rows.append(
                (
                    "*" if model.installed else "",
                    model.name,
                    size_of(model),
                    "".join(f"{value:.1f}" for value in best_known),
                    ", ".join(model.stems),
                    model.description,
                    model.license or "",
                )
            )
        yield f"{family} ({len(own)})"
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        narrow = width is not None and widths[1] + 20 + widths[4] + widths[5] >= width
        for mark, name, size, figure, stems, about, licence in rows:
            told = stems if narrow else f"{stems:{widths[4]}}  {about:{widths[5]}}  {licence}"
            lines = [f"{mark:1} {name:{widths[1]}} {size:>8} {figure:>5}  {told}".rstrip()]
            if narrow and mark + name != "NAME" and about:
                indent = " " * 6
                lines += textwrap.wrap(about, (width or WIDTH) - 1, initial_indent=indent, subsequent_indent=indent)
            yield from (line if width is None or len(line) < width else f"{line[: width - 2]}…" for line in lines)


def size_of(model: ModelDetails) -> str:
    return "" if model.size_bytes is None else shown_size(model.size_bytes)


def shown_size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def overview(models: Sequence[ModelDetails]) -> Iterator[str]:
    """What is recommended, what is installed, and how to see more."""
    yield f"{len(models)} models. These are recommended:"
    yield ""
    yield from recommendations(models)
    yield ""
    yield from (f"{grade:4}  {meaning}" for grade, meaning in GRADES.items())
    installed = [model.name for model in models if model.installed]
    yield ""
    told = f"Installed: {', '.join(installed)}" if installed else "None is installed."
    yield from textwrap.wrap(told, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    yield ""
    yield from (f"{command:26}{meaning}" for command, meaning in MORE.items())


MORE = {
    "dsu models --for vocals": "all models for a purpose, the best scores first",
    "dsu models show NAME": "all that is known of a model, and how to use it",
    "dsu models --all": "all models; also with a part of a NAME",
    "dsu models --help": "more filters; and import, verify, remove, du",
}


def recommendations(models: Sequence[ModelDetails]) -> Iterator[str]:
    """A line for each purpose, with a model for each grade."""
    table = {purpose: dict.fromkeys(GRADES, "") for purpose in PURPOSES}
    for model in models:
        for purpose, grade in (model.recommended or {}).items():
            table[purpose][grade] = model.name
    rows = [("", *(grade.upper() for grade in GRADES))]
    rows += [(purpose, *names.values()) for purpose, names in table.items() if any(names.values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield " ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def ranked(models: Sequence[ModelDetails], purpose: Purpose, out: IO[str]) -> Iterator[str]:
    """Models for a purpose, a line each, in their order; before those whose scores say something else, a line about that."""
    width = shutil.get_terminal_size().columns if out.isatty() else None
    shows_bleed = any(model.bleedless or model.fullness for model in models)
    heads = ("", "NAME", "SIZE", "SPEED", "SDR", *(("BLEED", "FULL") if shows_bleed else ()), "LICENCE")
    rows: list[tuple[int, tuple[str, ...]]] = []
    for model in models:
        score = score_for(model, purpose)
        stems = PURPOSES[purpose].scored
        bleed = [
            _figure(next((scores[stem] for stem in stems if scores and stem in scores), None))
            for scores in (model.bleedless, model.fullness)
        ]
        cells = (
            f"{'*' if model.installed else ' '} {(model.recommended or {}).get(purpose, '')}",
            model.name,
            size_of(model),
            model.speed or "",
            _figure(score.sdr if score is not None else None),
            *(bleed if shows_bleed else ()),
            model.license or "?",
        )
        rows.append((tier_of(model, purpose), cells))
    yield f"{purpose}: {PURPOSES[purpose].meaning} ({len(models)})"
    widths = [max(len(row[column]) for row in (heads, *(cells for _, cells in rows))) for column in range(len(heads))]
    right = {2, *range(4, len(heads) - 1)}  # columns of numbers

    def line(cells: Sequence[str]) -> str:
        told = " ".join(
            f"{cell:>{size}}" if column in right else f"{cell:{size}}"
            for column, (cell, size) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        return told if width is None or len(told) <= width else f"{told[: width - 1]}…"

    yield line(heads)
    tier = None
    for own, cells in rows:
        if own != tier:
            yield f"  {TIER_HEADINGS[own]}:"
            tier = own
        yield line(cells)
    if width is not None:
        notes = {
            "*": ("installed", any(model.installed for model in models)),
            "?": ("a licence that nobody states, which is not a free one", any(not model.license for model in models)),
            "BLEED, FULL": ("scores `bleedless` and `fullness`: more is less bleed, and fuller", shows_bleed),
        }
        told = [f"{mark:11}  {meaning}" for mark, (meaning, applies) in notes.items() if applies]
        yield from ("", *told) if told else ()


TIER_HEADINGS = (
    "scores of MVSep, or published beside them",
    "scores on the test songs of MUSDB18-HQ",
    "medians on the test songs of MUSDB18",
    "scores on other sets",
    "scores on songs of the author's own",
    "no published score",
)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def described(models: Sequence[ModelDetails]) -> Iterator[str]:
    """All that is known of models, a fact on each line; what is long goes on below."""
    for model in models:
        licence = [
            model.license or "not stated",
            COMMERCIAL.get(model.commercial_use, ""),
            f"stated by: {model.license_source}" if model.license_source else "",
        ]
        family = family_of(model.type)
        recommended = [f"{purpose} ({grade})" for purpose, grade in (model.recommended or {}).items()]
        facts = (
            ("name", model.name),
            ("also", ", ".join(model.aliases or ())),
            ("family", family if family == model.type else f"{family} ({model.type})"),
            ("about", model.description),
            ("for", ", ".join(model.purposes or ())),
            ("recommended", f"for {', '.join(recommended)}" if recommended else ""),
            ("stems", ", ".join(model.stems)),
            ("size", size_of(model)),
            ("speed", model.speed or ""),
            ("installed", "yes" if model.installed else "no"),
            ("checked by", CHECKS[model.hash] if model.purposes else ""),
            ("author", model.author or ""),
            ("year", str(model.year or "")),
            ("licence", "; ".join(filter(None, licence))),
            ("SDR", _scores(model.sdr, "{:.2f} dB")),
            ("measured on", SCORED_ON[model.sdr_on] if model.sdr_on else ""),
            ("published by", model.sdr_source or ""),
            ("bleedless", _scores(model.bleedless, "{:.1f}")),
            ("fullness", _scores(model.fullness, "{:.1f}")),
            ("published by", model.bleedless_source or ""),
            ("note", " ".join(model.notes or ())),
        )
        for fact, text in facts:
            if text:
                yield from textwrap.wrap(
                    f"{fact:12} {text}",
                    WIDTH,
                    subsequent_indent=" " * 13,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
        yield from usage_of(model)


def usage_of(model: ModelDetails) -> Iterator[str]:
    """How to get a model and to separate a song with it."""
    family = family_of(model.type)
    lines = [] if model.installed or model.downloadable is False else [f"dsu download {model.name}"]
    if family == "audiosep":
        lines.append('dsu --text "a dog barking" song.mp3')
    elif model.purposes == ["drumkit"] and len(model.stems) > 1:
        lines += ["dsu -m htdemucs --stems drums song.mp3", f"dsu -m {model.name} separated/song/drums.wav"]
    else:
        lines.append(f"dsu -m {model.name} song.mp3")
        if family != "apollo" and len(model.stems) > MANY_STEMS:
            lines.append(f"dsu -m {model.name} --stems {model.stems[-1]} song.mp3")
    for number, line in enumerate(lines):
        yield f"{'use' if number == 0 else '':12} {line}"


def _scores(scores: Mapping[str, float] | UnsetType | None, form: str) -> str:
    return ", ".join(f"{stem} {form.format(value)}" for stem, value in (scores or {}).items())
