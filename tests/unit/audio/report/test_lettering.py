"""Letters of any script in pictures."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from utils.audio.report import lettering
from utils.audio.report.lettering import Lettering


@pytest.fixture(params=["fonts of this system", "no fonts"])
def letters(request, monkeypatch):
    if request.param == "no fonts":
        monkeypatch.setattr(lettering, "font_files", tuple)
    return Lettering(18)


def ink(letters, text):
    """Which pixels a text covers."""
    picture = Image.new("RGB", (300, 40), (255, 255, 255))
    letters.draw(ImageDraw.Draw(picture), (4, 4), text, (0, 0, 0))
    return np.asarray(picture).min(axis=-1) < 128


def test_text_is_drawn_where_it_is_measured(letters):
    """From the left end, as wide as it says, its letters below the place."""
    covered = ink(letters, "Hlx")
    rows, columns = np.nonzero(covered.any(axis=1))[0], np.nonzero(covered.any(axis=0))[0]
    assert 4 <= columns[0] <= 8
    assert columns[-1] <= 4 + letters.width("Hlx")
    assert 4 <= rows[0] <= 12


@pytest.mark.parametrize("text", ["Привет", "夜に駆ける", "🎸", "\U000f1234"])
def test_no_letter_is_drawn_as_a_box(letters, text):
    """Each is in some font of the system, or else a question mark: never the box for what a font lacks."""
    drawn = "".join(run for _, run in letters._runs(text))
    for font, run in letters._runs(text):
        blank = bytes(font.getmask(lettering.NOWHERE))
        assert all(bytes(font.getmask(letter)) != blank for letter in run)
    assert len(drawn) == len(text)
    assert set(drawn) <= {*text, "?"}


def test_letters_of_one_font_are_drawn_together(letters):
    """So that they are spaced as the font wants it; joiners within a symbol are left out."""
    assert [run for _, run in letters._runs("a song\u200d")] == ["a song"]


def test_a_font_is_opened_only_when_a_letter_needs_it(monkeypatch):
    """Latin text opens none of the system's."""
    letters = Lettering(18)
    monkeypatch.setattr(lettering, "font_files", lambda: pytest.fail("they were looked for"))
    monkeypatch.setattr(letters, "_more", (pytest.fail("one was opened") for _ in range(1)))
    assert letters.width("plain text") > 0


def test_text_is_cut_to_a_width(letters):
    """It ends in an ellipsis where something is left out."""
    assert letters.cut("short", 200) == "short"
    cut = letters.cut("a name that is much too long", 80)
    assert cut.endswith("…")
    assert letters.width(cut) <= 80 < letters.width(cut[:-1] + "mm…")
