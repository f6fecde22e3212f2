"""Tables that are drawn with ruling lines: where they stand on a page and which cell a letter falls into.

Only lines that cross count; a page without them costs nothing. Cells whose border is missing are one cell.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pypdfium2
from pypdfium2 import raw

from knowledge.readers.pdf_glyphs import Box, Letter

_THIN, _SHORTEST, _NEAR = 2.5, 8.0, 3.0
_MOST_OBJECTS, _MOST_SEGMENTS, _MOST_RULES, _MOST_CELLS = 20_000, 4_000, 400, 4_000
# More than this in one cell, and the lines part a page rather than a table.
_LONGEST_CELL = 800


@dataclass(frozen=True)
class Rule:
    """A straight line: at `at`, from `start` to `stop`."""

    at: float
    start: float
    stop: float


@dataclass(eq=False)
class Grid:
    """One table: the places of its lines, and the text that gathered in its cells."""

    columns: list[float]
    rows: list[float]
    anchors: list[list[tuple[int, int]]]
    cells: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    torn: int = 0
    _last: tuple[int, int] = (0, 0)
    _before: Letter | None = None

    def holds(self, box: Box) -> bool:
        across, up = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return self.columns[0] <= across <= self.columns[-1] and self.rows[0] <= up <= self.rows[-1]

    def take(self, letter: Letter | None) -> None:
        """Put a letter into its cell; the end of a line is a blank."""
        before, self._before = self._before, letter
        if letter is None or letter.sign.isspace():
            self.cells[self._last].append(" ")
            return
        column = min(bisect_right(self.columns, (letter.box[0] + letter.box[2]) / 2) - 1, len(self.columns) - 2)
        row = min(bisect_right(self.rows, (letter.box[1] + letter.box[3]) / 2) - 1, len(self.rows) - 2)
        cell = self.anchors[max(row, 0)][max(column, 0)]
        if before and cell != self._last and not before.sign.isspace() and abs(letter.box[0] - before.box[2]) < 0.2 * letter.size:
            self.torn += 1
        self._last = cell
        self.cells[self._last].append("-" if letter.sign == "\u0002" else letter.sign)

    @property
    def is_sound(self) -> bool:
        """False for lines that run through words or around whole columns: they decorate."""
        signs = sum(map(len, self.cells.values()))
        return self.torn <= 0.02 * signs and all(len(each) <= _LONGEST_CELL for each in self.cells.values())

    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Rows from the top."""
        rows = range(len(self.rows) - 2, -1, -1)
        columns = range(len(self.columns) - 1)
        found = [tuple(" ".join("".join(self.cells.get((row, column), ())).split()) for column in columns) for row in rows]
        return tuple(row for row in found if any(row))


def grids(page: pypdfium2.PdfPage) -> list[Grid]:
    """The ruled tables of a page, of at least two rows and two columns."""
    if page.get_rotation() or raw.FPDFPage_CountObjects(page) > _MOST_OBJECTS:
        return []
    across, upright = _rules(page)
    if len(across) < 3 or len(upright) < 3:
        return []
    across, upright = _merged(across), _merged(upright)
    if len(across) > _MOST_RULES or len(upright) > _MOST_RULES:
        return []
    return [grid for group in _groups(across, upright) if (grid := _grid(*group)) is not None]


def _rules(page: pypdfium2.PdfPage) -> tuple[list[Rule], list[Rule]]:
    across: list[Rule] = []
    upright: list[Rule] = []
    room = _MOST_SEGMENTS
    for index in range(raw.FPDFPage_CountObjects(page)):
        drawn = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(drawn) != raw.FPDF_PAGEOBJ_PATH:
            continue
        room -= (count := max(0, raw.FPDFPath_CountSegments(drawn)))
        if room < 0:
            break
        for start, stop in _strokes(drawn, count):
            _sort_in(start, stop, across, upright)
    return across, upright


def _strokes(drawn: object, count: int) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Straight pieces of a path, on the page; a thin filled box is one line."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if raw.FPDFPageObj_GetBounds(drawn, left, bottom, right, top):
        wide, high = right.value - left.value, top.value - bottom.value
        if min(wide, high) <= _THIN:
            yield (left.value, bottom.value), (right.value, top.value)
            return
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(drawn, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    begin = last = (0.0, 0.0)
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(drawn, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        if raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_MOVETO:
            begin = point
        else:
            yield last, point
        if raw.FPDFPathSegment_GetClose(segment):
            yield point, begin
        last = point


def _sort_in(start: tuple[float, float], stop: tuple[float, float], across: list[Rule], upright: list[Rule]) -> None:
    (left, right), (low, high) = sorted((start[0], stop[0])), sorted((start[1], stop[1]))
    if high - low <= _THIN and right - left >= _SHORTEST:
        across.append(Rule((low + high) / 2, left, right))
    elif right - left <= _THIN and high - low >= _SHORTEST:
        upright.append(Rule((left + right) / 2, low, high))


def _merged(rules: list[Rule]) -> list[Rule]:
    """Pieces of one line as one line."""
    merged: list[Rule] = []
    for rule in sorted(rules, key=lambda each: (round(each.at / _NEAR), each.start)):
        last = merged[-1] if merged else None
        if last and abs(last.at - rule.at) <= _NEAR and rule.start <= last.stop + _NEAR:
            merged[-1] = Rule(last.at, min(last.start, rule.start), max(last.stop, rule.stop))
        else:
            merged.append(rule)
    return merged


def _groups(across: list[Rule], upright: list[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Lines that hang together, each group a table or a drawing."""
    names = list(range(len(across) + len(upright)))

    def name_of(place: int) -> int:
        while names[place] != place:
            names[place] = names[names[place]]
            place = names[place]
        return place

    for first, flat in enumerate(across):
        for second, steep in enumerate(upright, len(across)):
            if _cross(flat, steep):
                names[name_of(second)] = name_of(first)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = defaultdict(lambda: ([], []))
    for place, rule in enumerate([*across, *upright]):
        groups[name_of(place)][place >= len(across)].append(rule)
    return [group for group in groups.values() if len(group[0]) > 2 and len(group[1]) > 2]


def _cross(flat: Rule, steep: Rule) -> bool:
    return flat.start - _NEAR <= steep.at <= flat.stop + _NEAR and steep.start - _NEAR <= flat.at <= steep.stop + _NEAR


def _grid(across: list[Rule], upright: list[Rule]) -> Grid | None:
    columns, rows = _places(upright), _places(across)
    if len(columns) < 3 or len(rows) < 3 or (len(columns) - 1) * (len(rows) - 1) > _MOST_CELLS:
        return None
    anchors: list[list[tuple[int, int]]] = [[(0, 0)] * (len(columns) - 1) for _ in range(len(rows) - 1)]
    for row in range(len(rows) - 2, -1, -1):
        for column in range(len(columns) - 1):
            anchors[row][column] = (row, column)
            middle = ((columns[column] + columns[column + 1]) / 2, (rows[row] + rows[row + 1]) / 2)
            if column and not _drawn(upright, columns[column], middle[1]):
                anchors[row][column] = anchors[row][column - 1]
            elif row < len(rows) - 2 and not _drawn(across, rows[row + 1], middle[0]):
                anchors[row][column] = anchors[row + 1][column]
    # Boxes around text cross each other too; a table has as many cells as its lines promise, or nearly.
    return Grid(columns, rows, anchors) if len({cell for row in anchors for cell in row}) >= 4 else None


def _places(rules: list[Rule]) -> list[float]:
    places: list[float] = []
    for at in sorted(each.at for each in rules):
        if not places or at - places[-1] > _NEAR:
            places.append(at)
    return places


def _drawn(rules: list[Rule], at: float, middle: float) -> bool:
    return any(abs(each.at - at) <= _NEAR and each.start - 1 <= middle <= each.stop + 1 for each in rules)
