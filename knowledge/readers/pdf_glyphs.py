"""One page of a PDF as lines of text with their place, size and weight, without what cannot be seen on the page.

Letters that could be invisible (pale, transparent, drawn without ink) are looked up in a picture of the page: where no
ink differs from the paper, nobody can read them. That also keeps the text layer of a scan, which lies on its picture.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import pypdfium2
from pypdfium2 import raw

# Lighter than this on every channel, a letter may be lost on white paper.
_PALE = 200
_FAINT_INK = 40
# Less difference than this between the lightest and the darkest point is no letter.
_LEAST_CONTRAST = 20
_SMALLEST = 1.5
# In sizes of the letter: no blank between words is as wide, so the line is a row of a table without rules.
_WIDE_GAP = 2.5
_MOST_LETTERS = 200_000
_HYPHENS = {0x02, 0xFFFE}
_INKLESS = {raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP}
_LARGEST_PICTURE = 4000

# An address, not an object for each letter: a tenth of the time of a long document.
_text_object = raw.FPDFText_GetTextObject
_text_object.restype = ctypes.c_void_p

Box = tuple[float, float, float, float]  # left, bottom, right, top


class Letter(NamedTuple):
    """A tuple, because a book has a million of them and a frozen dataclass takes four times as long to make."""

    sign: str
    box: Box
    size: float
    bold: bool
    hidden: bool
    from_scan: bool = False
    turned: bool = False


@dataclass(frozen=True)
class Line:
    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float
    bold: bool
    hyphen: bool = False
    spread: bool = False


@dataclass(frozen=True)
class _Look:
    """How the letters of one text object are drawn."""

    size: float
    bold: bool
    suspect: bool
    inkless: bool
    turns: int


@dataclass
class Writing:
    """A line while its letters come in."""

    letters: list[Letter] = field(default_factory=list)
    hyphen: bool = False
    _last: Letter | None = None

    def line(self) -> Line | None:
        drawn = [each for each in self.letters if not each.sign.isspace()]
        if not drawn:
            return None
        weight = sum(each.bold for each in drawn)
        return Line(
            text=" ".join("".join(each.sign for each in self.letters).split()),
            left=min(each.box[0] for each in drawn),
            bottom=min(each.box[1] for each in drawn),
            right=max(each.box[2] for each in drawn),
            top=max(each.box[3] for each in drawn),
            size=sorted(each.size for each in drawn)[len(drawn) // 2],
            bold=weight > 0.8 * len(drawn),
            hyphen=self.hyphen,
            spread=any(after.box[0] - before.box[2] > _WIDE_GAP * after.size for before, after in pairwise(drawn)),
        )

    def take(self, letter: Letter) -> None:
        self.letters.append(letter)
        if not letter.sign.isspace():
            self._last = letter

    def continues(self, letter: Letter) -> bool:
        """False where a letter stands on another line than those before it, which the library does not always mark."""
        last = self._last
        if last is None or letter.sign.isspace():
            return True
        apart = abs(letter.box[1] + letter.box[3] - last.box[1] - last.box[3]) / 2
        return apart < 0.7 * max(letter.size, last.size, 1)


def letters(page: pypdfium2.PdfPage) -> Iterator[Letter | None]:
    """Letters in the order of the file; None where a line ends. A blank the library adds stands where the last letter does."""
    held = page.get_textpage()
    # The bare handle, because the wrapper costs as much as the call.
    text = held.raw
    looks: dict[int, _Look] = {}
    paper = _Paper(page)
    box: Box = (0.0, 0.0, 0.0, 0.0)
    place = raw.FS_RECTF()
    for index in range(min(held.count_chars(), _MOST_LETTERS)):
        code = raw.FPDFText_GetUnicode(text, index)
        if code in (10, 13):
            if code == 10:
                yield None
            continue
        # Also null for blanks the library adds.
        key = _text_object(text, index) or 0
        look = looks.get(key)
        if look is None:
            look = looks[key] = _look(text, index, key)
        if key and raw.FPDFText_GetLooseCharBox(text, index, place):
            box = (place.left, place.bottom, place.right, place.top)
        sign = "\u0002" if code in _HYPHENS else chr(code) if 0 < code < 0x110000 else " "
        hidden = bool(key) and not sign.isspace() and paper.hides(box, look.size, suspect=look.suspect)
        yield Letter(sign, _upright(box, look.turns), look.size, look.bold, hidden, look.inkless, look.turns > 0)


def _upright(box: Box, turns: int) -> Box:
    """The box as it lies when its letters stand upright, for pages and tables that are turned."""
    for _ in range(turns):
        box = (box[1], -box[2], box[3], -box[0])
    return box


def _look(text: object, index: int, drawn: int) -> _Look:
    matrix = raw.FS_MATRIX()
    scale = math.hypot(matrix.c, matrix.d) if raw.FPDFText_GetMatrix(text, index, matrix) else 1.0
    red, green, blue, ink = (ctypes.c_uint() for _ in range(4))
    coloured = raw.FPDFText_GetFillColor(text, index, red, green, blue, ink)
    pale = bool(coloured) and (min(red.value, green.value, blue.value) >= _PALE or ink.value < _FAINT_INK)
    inkless = bool(drawn) and raw.FPDFTextObj_GetTextRenderMode(ctypes.cast(drawn, raw.FPDF_PAGEOBJECT)) in _INKLESS
    size = raw.FPDFText_GetFontSize(text, index) * scale
    angle = raw.FPDFText_GetCharAngle(text, index)
    turns = round(angle / (math.pi / 2)) % 4 if math.isfinite(angle) else 0
    return _Look(min(max(size, 0.0), 1000.0), _is_bold(text, index), pale or inkless, inkless, turns)


def _is_bold(text: object, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    raw.FPDFText_GetFontInfo(text, index, name, 128, flags)
    called = name.value.lower()
    return raw.FPDFText_GetFontWeight(text, index) >= 600 or any(
        word in called for word in (b"bold", b"black", b"heavy", b"-semib")
    )


class _Paper:
    """The page as it looks, drawn in grey when the first suspect letter asks."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._page = page
        left, bottom, right, top = page.get_bbox()
        self._left, self._bottom, self._width, self._height = left, bottom, right - left, top - bottom
        self._picture: tuple[memoryview, int, int, int] | None = None
        self._scale = 1.0

    def hides(self, box: Box, size: float, *, suspect: bool) -> bool:
        middle = ((box[0] + box[2]) / 2 - self._left, (box[1] + box[3]) / 2 - self._bottom)
        if not (-1 <= middle[0] <= self._width + 1 and -1 <= middle[1] <= self._height + 1):
            return True
        if size and size < _SMALLEST and box[3] - box[1] < 2 * _SMALLEST:
            return True
        # A page that is turned or out of all proportion is not drawn; its letters get the benefit of the doubt.
        return suspect and not self._page.get_rotation() and self._is_plain(box)

    def _is_plain(self, box: Box) -> bool:
        if self._picture is None:
            self._picture = self._drawn()
        pixels, width, height, stride = self._picture
        columns = _span((box[0] - self._left) * self._scale, (box[2] - self._left) * self._scale, width)
        rows = _span(
            (self._height + self._bottom - box[3]) * self._scale, (self._height + self._bottom - box[1]) * self._scale, height
        )
        shades = [shade for row in rows for shade in pixels[row * stride + columns.start : row * stride + columns.stop]]
        return bool(shades) and max(shades) - min(shades) < _LEAST_CONTRAST

    def _drawn(self) -> tuple[memoryview, int, int, int]:
        longest = max(self._width, self._height)
        if longest < 1:
            return memoryview(b""), 0, 0, 0
        self._scale = min(2.0, _LARGEST_PICTURE / longest)
        bitmap = self._page.render(scale=self._scale, grayscale=True)
        return memoryview(bytes(bitmap.buffer)), bitmap.width, bitmap.height, bitmap.stride


def _span(start: float, stop: float, most: int) -> range:
    first = max(0, min(int(start), most - 1))
    return range(first, max(first + 1, min(math.ceil(stop), most)) if most > 0 else first)
