"""Text in pictures in any script: each letter in the first font that has it, from those of the system."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

from PIL import ImageDraw, ImageFont

# Between them they have Latin, Cyrillic, Greek, Chinese, Japanese, Korean and symbols; each system has some of them.
FOLDERS = {
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts"),
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": ("C:/Windows/Fonts",),
}
FILES = (
    "NotoSans-Regular.ttf",
    "DejaVuSans.ttf",
    "segoeui.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "YuGothR.ttc",
    "NotoEmoji-Regular.ttf",
    "Symbola.ttf",
    "seguiemj.ttf",
    "seguisym.ttf",
)
NOWHERE = "\U000f0000"  # for private use: no font has it, so it looks like all that a font lacks
MISSING = "?"
INVISIBLE = "\u200b\u200d\ufe0e\ufe0f"  # joiners and selectors within a symbol


class Lettering:
    """Fonts of one size."""

    def __init__(self, size: float) -> None:
        self._fonts = [cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))]
        self._more = (ImageFont.truetype(path, size) for path in font_files())
        self._blanks: dict[int, bytes] = {}

    def draw(
        self, pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, colour: tuple[int, int, int]
    ) -> None:
        """Write from `place`, the left end of the text at the top of its letters."""
        x, y = place
        for font, letters in self._runs(text):
            pen.text((x, y + self._fonts[0].getmetrics()[0]), letters, colour, font, anchor="ls")
            x += font.getlength(letters)

    def width(self, text: str) -> float:
        return sum(font.getlength(letters) for font, letters in self._runs(text))

    def cut(self, text: str, width: float) -> str:
        """As much of the text as fits, with an ellipsis if that is not all."""
        if self.width(text) <= width:
            return text
        kept = len(text)
        while kept and self.width(f"{text[:kept]}…") > width:
            kept -= 1
        return f"{text[:kept]}…"

    def _runs(self, text: str) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
        seen = (letter for letter in text if letter not in INVISIBLE)
        found = ((self._font_of(letter), letter) for letter in seen)
        lettered = ((font or self._fonts[0], letter if font is not None else MISSING) for font, letter in found)
        for _, run in itertools.groupby(lettered, key=lambda pair: id(pair[0])):
            pairs = list(run)
            yield pairs[0][0], "".join(letter for _, letter in pairs)

    def _font_of(self, letter: str) -> ImageFont.FreeTypeFont | None:
        """The first font that has a letter. Fonts are opened when a letter needs them."""
        for number in itertools.count():
            if number == len(self._fonts):
                font = next(self._more, None)
                if font is None:
                    return None
                self._fonts.append(font)
            if self._has(number, letter):
                return self._fonts[number]
        return None

    def _has(self, number: int, letter: str) -> bool:
        font = self._fonts[number]
        if number not in self._blanks:
            self._blanks[number] = bytes(font.getmask(NOWHERE))
        return letter.isspace() or bytes(font.getmask(letter)) != self._blanks[number]


@cache
def font_files() -> tuple[Path, ...]:
    """The fonts of the list that this system has, in the order of the list."""
    folders = [Path(folder).expanduser() for folder in FOLDERS.get(sys.platform, ())]
    found = {path.name: path for folder in folders if folder.is_dir() for path in folder.rglob("*.[ot]t[fc]")}
    return tuple(found[name] for name in FILES if name in found)
