"""Word documents: styles become headings, numbering becomes lists, tables stay tables; hidden runs are left out and said.

Read from the XML itself, because text inside content controls and accepted insertions belongs to the document. Only the
parts with text are unpacked, each up to a limit, so pictures cost nothing and a zip bomb is cut short.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from knowledge.readers import suspicions
from knowledge.readers.docx_styles import Numbering, Styles, is_hidden, is_on, local, value
from knowledge.readers.kinds import BROKEN_ZIP
from knowledge.readers.markdown import Block, Heading, Item, Paragraph, Table, document
from knowledge.readers.values import Extracted, Limits, Refused

MOST_PART = 64 * 1024 * 1024
_DAMAGED = "This Word document is damaged. Open it in Word, save it again and upload the new file."
_EXPANDS = "This Word document defines its own abbreviations (XML entities), which harmful files do, so it was not read."
_HUGE = "This Word document unpacks to far more than a document holds, so it was not read. Save it again, or upload a PDF."
_PICTURES = (
    "This Word document holds pictures and no text. Run text recognition (OCR) on the pictures, or upload the original document."
)
_DROPPED = {"del", "moveFrom", "instrText", "delText", "Fallback", "rPr", "pPr", "annotationRef", "footnoteRef", "endnoteRef"}
_CONTAINERS = {"sdt", "sdtContent", "customXml", "ins", "moveTo"}
_SPACES = {"tab": " ", "br": " ", "cr": " ", "noBreakHyphen": "-", "ptab": " "}
_LONGEST_HEADING = 12


def read(path: Path, *, limits: Limits) -> Extracted:
    """A Word document as Markdown."""
    try:
        with zipfile.ZipFile(path) as archive:
            reading = _Reading(archive)
            blocks = reading.blocks()
            metadata = _metadata(archive)
    except etree.XMLSyntaxError as error:
        # The library calls it a fault of the file when memory runs out.
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        raise Refused(_DAMAGED) from error
    except BROKEN_ZIP as error:
        raise Refused(_DAMAGED) from error
    if not any(isinstance(each, Paragraph | Item | Table) for each in blocks) and reading.pictures:
        raise Refused(_PICTURES)
    return document(blocks, limits=limits, title=metadata.pop("title", ""), flags=reading.flags(), metadata=metadata)


def part(archive: zipfile.ZipFile, name: str) -> Element | None:
    """The root of one XML part, or None where the document has none of that name."""
    try:
        member = archive.open(name)
    except KeyError:
        return None
    with member:
        data = member.read(MOST_PART + 1)
    if len(data) > MOST_PART:
        raise Refused(_HUGE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(data, parser)
    if root.getroottree().docinfo.doctype:
        raise Refused(_EXPANDS)
    return root


def _metadata(archive: zipfile.ZipFile) -> dict[str, str]:
    names = {"title": "title", "creator": "author", "modified": "date", "language": "language", "Company": "publisher"}
    found: dict[str, str] = {}
    for name in ("docProps/core.xml", "docProps/app.xml"):
        try:
            root = part(archive, name)
        except (Refused, etree.XMLSyntaxError):
            continue
        for each in root if root is not None else ():
            if (field := names.get(local(each))) and each.text:
                found[field] = each.text
    return found


class _Reading:
    """One pass over the body."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        root = part(archive, "word/document.xml")
        if root is None:
            raise Refused(_DAMAGED)
        self._body = next((each for each in root if local(each) == "body"), root)
        self._styles = Styles(part(archive, "word/styles.xml"))
        self._numbering = Numbering(part(archive, "word/numbering.xml"))
        self._notes = {kind: _notes(part(archive, f"word/{kind}s.xml")) for kind in ("footnote", "endnote")}
        self._coloured_page = any(local(each) == "background" for each in root)
        self._counts: dict[tuple[str, int], int] = defaultdict(int)
        self._waiting_notes: list[Element] = []
        self.hidden: list[str] = []
        self.pictures = sum(1 for each in root.iter() if local(each) in ("drawing", "pict"))
        self._changes = any(local(each) in ("ins", "del", "moveFrom") for each in root.iter())

    def blocks(self) -> list[Block]:
        blocks = list(self._of(self._body))
        if any(isinstance(each, Heading) for each in blocks):
            return [Paragraph(each.text) if isinstance(each, _Bold) else each for each in blocks]
        return [Heading(each.text, 2) if isinstance(each, _Bold) else each for each in blocks]

    def flags(self) -> list[str]:
        flags = suspicions.hidden(self.hidden)
        if self._changes:
            flags.append(
                "The document has tracked changes: additions were read as accepted, deletions as gone. Check that this is meant."
            )
        return flags

    def _of(self, parent: Element) -> Iterator[Block]:
        for each in parent:
            name = local(each)
            if name == "p":
                yield from self._paragraph(each)
                yield from self._flushed_notes()
            elif name == "tbl":
                yield from self._table(each)
            elif name in _CONTAINERS:
                yield from self._of(each)

    def _paragraph(self, paragraph: Element) -> Iterator[Block]:
        properties = next((each for each in paragraph if local(each) == "pPr"), None)
        style = value(properties, "pStyle")
        words = " ".join(self._text(paragraph, style=style, shaded=_is_shaded(properties)).split())
        if words:
            level = self._styles.level(style, properties)
            number, depth = self._styles.numbering(style, properties)
            if level:
                yield Heading(words, level)
            elif number:
                yield self._item(words, number, depth)
            elif self._is_bold(paragraph, words):
                yield _Bold(words)
            else:
                yield Paragraph(words)
        for box in paragraph.iter():
            if local(box) == "txbxContent" and not any(local(each) == "Fallback" for each in box.iterancestors()):
                yield from self._of(box)

    def _item(self, words: str, number: str, depth: int) -> Item:
        for below in [key for key in self._counts if key[0] == number and key[1] > depth]:
            del self._counts[below]
        self._counts[number, depth] += 1
        ordered = self._numbering.is_ordered(number, depth)
        return Item(words, depth, self._counts[number, depth] if ordered else None)

    def _is_bold(self, paragraph: Element, words: str) -> bool:
        """A short line in bold is how headings are made by those who use no styles."""
        if len(words.split()) > _LONGEST_HEADING or words.endswith((".", ";", ",", ":")):
            return False
        runs = [
            each for each in paragraph.iter() if local(each) == "r" and any(local(text) == "t" and text.text for text in each)
        ]
        return bool(runs) and all(is_on(next((part for part in run if local(part) == "rPr"), None), "b") for run in runs)

    def _text(self, parent: Element, *, style: str, shaded: bool) -> str:
        """The visible words below an element; what is hidden goes to `hidden`."""
        words: list[str] = []
        for each in parent:
            name = local(each)
            if name in _DROPPED or name == "txbxContent":
                continue
            if name == "r" and is_hidden(each, self._styles.run(style), self._styles, on_colour=shaded or self._coloured_page):
                self.hidden.append(self._text_of_run(each, style=style, shaded=True))
            elif name == "r":
                words.append(self._text_of_run(each, style=style, shaded=shaded))
            else:
                words.append(self._text(each, style=style, shaded=shaded))
        return "".join(words)

    def _text_of_run(self, run: Element, *, style: str, shaded: bool) -> str:
        words: list[str] = []
        for each in run:
            name = local(each)
            if name == "t":
                words.append(each.text or "")
            elif name in _SPACES:
                words.append(_SPACES[name])
            elif name in ("footnoteReference", "endnoteReference"):
                note = self._notes[name.removesuffix("Reference")].get(_own(each, "id"))
                self._waiting_notes += [note] if note is not None else []
            elif name not in _DROPPED and len(each):
                words.append(self._text(each, style=style, shaded=shaded))
        return "".join(words)

    def _flushed_notes(self) -> Iterator[Block]:
        notes, self._waiting_notes = self._waiting_notes, []
        for note in notes:
            words = " ".join(self._text(note, style="", shaded=False).split())
            if words:
                yield Paragraph(words)

    def _table(self, table: Element) -> Iterator[Block]:
        rows = [row for row in _through(table) if local(row) == "tr"]
        cells = [[cell for cell in _through(row) if local(cell) == "tc"] for row in rows]
        # A box around text is drawn with a table of one column.
        if max(map(len, cells), default=0) < 2:
            for row in cells:
                for cell in row:
                    yield from self._of(cell)
            return
        yield Table(tuple(tuple(text for cell in row for text in self._cell(cell)) for row in cells))

    def _cell(self, cell: Element) -> list[str]:
        properties = next((each for each in cell if local(each) == "tcPr"), None)
        span = value(properties, "gridSpan")
        blank = [""] * (min(int(span), 60) - 1 if span.isdigit() else 0)
        merged = next((each for each in properties if local(each) == "vMerge"), None) if properties is not None else None
        if merged is not None and _own(merged, "val") != "restart":
            return ["", *blank]
        before, self._coloured_page = self._coloured_page, True
        texts = ["; ".join(row) if isinstance(row, tuple) else row for each in self._of(cell) for row in _texts(each)]
        self._coloured_page = before
        return [" ".join(texts), *blank]


class _Bold(Paragraph):
    """A line that is a heading where the document has no better ones."""


def _texts(block: Block) -> list[str] | list[tuple[str, ...]]:
    if isinstance(block, Table):
        return list(block.rows)
    return [block.text] if isinstance(block, Heading | Paragraph | Item) else []


def _through(parent: Element) -> Iterator[Element]:
    """Children, looking through content controls and insertions."""
    for each in parent:
        if local(each) in _CONTAINERS:
            yield from _through(each)
        else:
            yield each


def _notes(root: Element | None) -> dict[str, Element]:
    return {_own(each, "id"): each for each in root} if root is not None else {}


def _own(element: Element, name: str) -> str:
    return next((str(text) for key, text in element.attrib.items() if str(key).rpartition("}")[2] == name), "")


def _is_shaded(properties: Element | None) -> bool:
    return properties is not None and any(
        local(each) == "shd" and _own(each, "fill").lower() not in ("", "auto", "ffffff") for each in properties
    )
