"""Styles of music as data: tempi, drum patterns, chord progressions and scales.

A drum pattern has a character for each sixteenth of a bar: `.`, or how likely and loud a hit is, from 1 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 16  # per bar


@dataclass(frozen=True)
class Style:
    """What songs of one style have in common."""

    bpm: tuple[int, int]
    kicks: tuple[str, ...]
    snares: tuple[str, ...]
    cymbals: tuple[str, ...]
    basses: tuple[str, ...]
    swing: float = 0.0  # the largest delay of off-beats, in sixteenths


BACKBEAT = ("....9.......9...", "....9..1.1..9..1", "....9..2....9.2.")
EIGHTHS = ("9.6.8.6.9.6.8.6.", "8.8.8.8.8.8.8.8.")
SIXTEENTHS = ("9463746394637463", "8687868786878687", "9.77..77..77..77")
OFFBEATS = ("..9...9...9...9.", "1.9.1.9.1.9.1.92")
QUARTERS = ("9...9...9...9...", "9...8...9...8.4.")
FOUR_ON_THE_FLOOR = ("9...9...9...9...", "9...9...9...9..3", "9...9...9..29.2.")

STYLES: dict[str, Style] = {
    "rock": Style(
        (92, 168),
        ("9.......9.4.....", "9.....5.9.......", "9..4..9...9.....", "9.......99......", "9.6...6.9.6....."),
        BACKBEAT,
        (*EIGHTHS, *QUARTERS),
        ("eighths", "kick", "riff", "held"),
    ),
    "metal": Style(
        (120, 200),
        ("9.999.999.999.99", "99..99..99..99..", "9999999999999999", "9..9..9...9.9..."),
        ("....9.......9...", "..9...9...9...9."),
        (*QUARTERS, *EIGHTHS),
        ("eighths", "sixteenths", "kick"),
    ),
    "pop": Style(
        (88, 132),
        ("9......59.......", "9.....4.9..4....", *FOUR_ON_THE_FLOOR),
        BACKBEAT,
        (*EIGHTHS, *SIXTEENTHS),
        ("eighths", "kick", "held", "riff"),
    ),
    "funk": Style(
        (92, 122),
        ("9..6..4..69.....", "9.6....4..6..6..", "9.....6..49..4.."),
        ("....9..3.3..9..3", "....9..4.4.49.24"),
        (*SIXTEENTHS,),
        ("riff", "kick", "sixteenths", "octaves"),
        0.25,
    ),
    "house": Style(
        (116, 132),
        FOUR_ON_THE_FLOOR,
        ("....9.......9...", "................", "....9.......9..3"),
        (*OFFBEATS, *SIXTEENTHS),
        ("offbeat", "octaves", "sixteenths", "held"),
    ),
    "hiphop": Style(
        (70, 102),
        ("9......4..9.....", "9..4...9..6..4..", "9.9.......9..3.."),
        ("....9.......9...", "........9......."),
        (*EIGHTHS, "98.898.898.898.8", *SIXTEENTHS),
        ("held", "kick", "riff"),
        0.3,
    ),
    "breaks": Style(
        (150, 176),
        ("9.........9.....", "9.9.......99....", "9..9......9..9.."),
        ("....9..4.4..9..4", "....9..2.4..9.2."),
        (*EIGHTHS, *QUARTERS),
        ("held", "riff", "offbeat"),
    ),
    "ballad": Style(
        (60, 84),
        ("9.......9.......", "9.....4.9.4....."),
        ("....9.......9...", "........9......."),
        (*EIGHTHS, *QUARTERS),
        ("held", "eighths", "kick"),
    ),
    "reggae": Style(
        (68, 92),
        ("........9.......", "9.......9.......", "9...9...9...9..."),
        ("........9.......", "....4...9...4..4"),
        (*EIGHTHS, *OFFBEATS),
        ("riff", "kick", "octaves"),
        0.3,
    ),
    "swing": Style(
        (110, 190),
        ("9.......6.......", "6...5...6...5..."),
        ("....5.......5...", "....4..3....4.3."),
        ("9...9..79...9..7", "8...9..68...9..6"),
        ("walking",),
        0.6,
    ),
}

# Chord roots as scale degrees, one per bar, repeated.
PROGRESSIONS = (
    (0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 4, 3), (0, 0, 3, 4), (0, 6, 5, 6), (0, 5, 2, 6),
    (1, 4, 0, 0), (0, 2, 3, 4), (3, 4, 5, 5), (0, 3), (0, 0, 0, 0), (0, 6), (5, 4, 3, 4), (2, 5, 1, 4),
)  # fmt: skip

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
