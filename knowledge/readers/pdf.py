"""PDF documents: text page by page with headings, lists and ruled tables, and a mark before each page.

pdfium reads what viewers show: of 130 broken and sound files it opened every one from which any reader got text.
It crashes on none of them; where it ever does, the child that runs this ends and the caller goes on.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
from pypdfium2 import raw

from knowledge.readers import suspicions
from knowledge.readers.markdown import document
from knowledge.readers.pdf_glyphs import Letter, Line, Writing, letters
from knowledge.readers.pdf_layout import Page, blocks
from knowledge.readers.pdf_tables import Grid, grids
from knowledge.readers.values import Extracted, Limits, Refused

SCAN = (
    "This PDF is a scan: it holds pictures of pages and no text. "
    "Run text recognition (OCR) on it, or upload the original document."
)
LOCKED = "This PDF is locked with a password. Open it, save a copy without the password and upload the copy."
DAMAGED = (
    "This PDF is damaged and cannot be opened. "
    "Open it in a PDF viewer, print it to a new PDF and upload that, or upload the original document."
)
_NO_TEXT = (
    "This PDF has pages and no text that can be read. "
    "If its letters are pictures, run text recognition (OCR) on it, or upload the original document."
)
# Seconds for all tables of a document; after them text goes on without.
_TIME_FOR_TABLES = 15.0
_FEW_LETTERS, _LARGE_PICTURE = 25, 0.5
_MOST_HIDDEN = 20_000
_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")
_NO_TITLE = re.compile(
    r"\.(?:docx?|indd|pdf|pptx?|xlsx?|qxd|fm|tex|dvi)\b|^untitled|^microsoft word|^slide \d|^layout \d|^\W*$", re.IGNORECASE
)


@dataclass(frozen=True)
class _Seen:
    """A page and what was noticed on it."""

    page: Page
    letters: int
    pictured: bool
    from_scan: bool
    hidden: str


def opened(path: Path) -> pypdfium2.PdfDocument:
    """The document. Raises Refused with the reason where it cannot be opened."""
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise Refused(LOCKED if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD else DAMAGED) from error


def read(path: Path, *, limits: Limits) -> Extracted:
    """A PDF as Markdown."""
    pdf = opened(path)
    if len(pdf) == 0:
        raise Refused(DAMAGED)
    if len(pdf) > limits.pages:
        raise Refused(f"This PDF has {len(pdf):,} pages; {limits.pages:,} is the most. Split it into smaller files.")
    seen, unread, until = [], [], time.monotonic() + _TIME_FOR_TABLES
    for index in range(len(pdf)):
        try:
            seen.append(_page(pdf, index, tables=time.monotonic() < until))
        except (pypdfium2.PdfiumError, ValueError, OverflowError):
            unread.append(index + 1)
    if not seen:
        raise Refused(DAMAGED)
    _check_text(seen)
    found, title = blocks([each.page for each in seen])
    metadata = _metadata(pdf)
    named = metadata.pop("title", "")
    return document(
        found,
        limits=limits,
        title=title or ("" if _NO_TITLE.search(named) else named),
        pages=len(pdf),
        flags=_flags(pdf, seen, unread),
        metadata=metadata,
    )


def _page(pdf: pypdfium2.PdfDocument, index: int, *, tables: bool) -> _Seen:
    page = pdf[index]
    try:
        ruled = grids(page) if tables else []
        signs = list(letters(page))
        parts, drawn, hidden = _parts(signs, ruled)
        if not all(grid.is_sound for grid in ruled):
            parts, drawn, hidden = _parts(signs, [])
        turned = sum(each.turned for each in drawn) > 0.5 * len(drawn)
        width, height = page.get_size()
        lettered = sum(each.sign.isalnum() for each in drawn)
        return _Seen(
            page=Page(index + 1, 0.0 if turned else height, page.get_bbox()[1], tuple(parts)),
            letters=lettered,
            pictured=lettered < _FEW_LETTERS * 40 and _is_pictured(page, width * height),
            from_scan=sum(each.from_scan for each in drawn) > 0.5 * max(1, len(drawn)),
            hidden=hidden,
        )
    finally:
        page.close()


def _parts(signs: Iterable[Letter | None], ruled: list[Grid]) -> tuple[list[Line | Grid], list[Letter], str]:
    """Lines and tables in the order of the file, every visible letter, and the hidden words."""
    parts: list[Writing | Grid] = [Writing()]
    drawn: list[Letter] = []
    hidden: list[str] = []
    inside: Grid | None = None
    for letter in signs:
        if letter is None or letter.sign.isspace():
            hidden += [" "] if hidden[-1:] != [" "] else []
        elif letter.hidden:
            hidden.append(letter.sign)
            continue
        else:
            drawn.append(letter)
            inside = None if letter.turned else next((grid for grid in ruled if grid.holds(letter.box)), None)
        if inside:
            parts += [] if inside in parts else [inside, Writing()]
            inside.take(letter)
        else:
            _write(parts, letter)
    finished = [each.line() if isinstance(each, Writing) else each for each in parts]
    return [each for each in finished if each is not None], drawn, "".join(hidden)[:_MOST_HIDDEN]


def _write(parts: list[Writing | Grid], letter: Letter | None) -> None:
    """Put a letter on the last line, or on a new one."""
    line = parts[-1]
    if not isinstance(line, Writing) or letter is None or not line.continues(letter):
        line = Writing()
        parts.append(line)
    if letter is not None and letter.sign == "\u0002":
        line.hyphen = True
    elif letter is not None:
        line.take(letter)


def _is_pictured(page: pypdfium2.PdfPage, area: float) -> bool:
    """True where pictures cover half of the page."""
    covered = 0.0
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for index in range(min(raw.FPDFPage_CountObjects(page), 2000)):
        drawn = raw.FPDFPage_GetObject(page, index)
        pictured = raw.FPDFPageObj_GetType(drawn) in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM)
        if pictured and raw.FPDFPageObj_GetBounds(drawn, left, bottom, right, top):
            covered += max(0.0, right.value - left.value) * max(0.0, top.value - bottom.value)
    return covered > _LARGE_PICTURE * max(area, 1.0)


def _check_text(seen: list[_Seen]) -> None:
    total = sum(each.letters for each in seen)
    if total == 0 or (total < _FEW_LETTERS and any(each.pictured for each in seen)):
        raise Refused(SCAN if any(each.pictured for each in seen) else _NO_TEXT)


def _flags(pdf: pypdfium2.PdfDocument, seen: list[_Seen], unread: list[int]) -> list[str]:
    flags = suspicions.hidden([each.hidden for each in seen if each.hidden.strip()])
    scans = [each.page.number for each in seen if each.letters < _FEW_LETTERS and each.pictured]
    blank = [each.page.number for each in seen if not each.letters and not each.pictured]
    machine = [each.page.number for each in seen if each.letters and each.from_scan]
    noticed = (
        (scans, "looks like a scan: a picture and no text.", "look like scans: pictures and no text."),
        (
            machine,
            "holds text that a machine read from a scan. Compare both.",
            "hold text that a machine read from scans. Compare both.",
        ),
        (blank, "holds no text.", "hold no text."),
        (unread, "could not be read and is missing.", "could not be read and are missing."),
    )
    flags += [f"{spoken(pages)} {one if len(pages) == 1 else many}" for pages, one, many in noticed if pages]
    if raw.FPDFDoc_GetAttachmentCount(pdf) > 0:
        flags.append("The PDF carries attached files, which were not read.")
    return flags


def spoken(pages: list[int]) -> str:
    """“Page 7”, “Pages 2 to 5, 9”."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    words = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:30])
    return f"{'Page' if len(pages) == 1 else 'Pages'} {words}{' and more' if len(runs) > 30 else ''}"


def _metadata(pdf: pypdfium2.PdfDocument) -> dict[str, str]:
    try:
        held = pdf.get_metadata_dict(skip_empty=True)
    except (pypdfium2.PdfiumError, UnicodeDecodeError):
        return {}
    date = _DATE.match(held.get("ModDate") or held.get("CreationDate") or "")
    found = {"title": held.get("Title", ""), "author": held.get("Author", "")}
    if date:
        found["date"] = "-".join(part for part in date.groups() if part)
    return {name: value.strip() for name, value in found.items() if value.strip()}
