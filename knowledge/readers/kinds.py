"""Which kind of file this is: by its content first, by its name second.

A file whose name lies is read as what it is; one that cannot be used is refused with the way out.
"""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
import zlib
from pathlib import Path

from knowledge.readers.values import MOST_BYTES, Refused

KINDS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".csv": "csv",
    ".tsv": "csv",
    ".zip": "zip",
    ".jsonl": "medquad_jsonl",
    ".jsonl.gz": "medquad_jsonl",
    ".xml": "medquad_xml",
}
_SAVE_AS = "Open it there, save it as a Word document (.docx) or a PDF, and upload that."
_PICTURE = "This is a picture. Run text recognition (OCR) on it, or upload the original document."
_ARCHIVE = "This archive cannot be read here. Unpack it and pack it as a zip, or upload the files."
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"This is an old Office file, or one locked with a password. {_SAVE_AS}"),
    (b"{\\rtf", f"This is a rich text file (RTF), which cannot be read here. {_SAVE_AS}"),
    (b"%!PS", "This is a PostScript file. Convert it to PDF and upload that."),
    *((magic, _PICTURE) for magic in (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*")),
    *((magic, _ARCHIVE) for magic in (b"Rar!", b"7z\xbc\xaf", b"\xfd7zXZ", b"BZh")),
)
_UNKNOWN = (
    "This file is of a kind that cannot be read here. "
    "Upload a PDF, a Word document (.docx), a web page, text, Markdown, CSV or a zip."
)
_BEGINNING = r"\A\s*(?:<!--.{0,2000}?-->\s*){0,9}"
_PAGE = re.compile(_BEGINNING + r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
# Markdown may begin with a tag too.
_PIECE_OF_PAGE = re.compile(_BEGINNING + r"<(?:article|main|section|div|h1|p|meta|table)\b", re.IGNORECASE | re.DOTALL)
_MEDQUAD_XML = re.compile(r"<(?:Document|QAPairs|QAPair)\b")
_JSON_LINE = re.compile(r'\A\s*\{.*"(?:question|answer)"\s*:', re.DOTALL)
_HEAD = 64 * 1024
# The list of members is read into memory before anything of a zip can be counted; this is room for 100,000 of them.
_MOST_LIST = 16 * 1024 * 1024
_END_MARK, _END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65_535
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, struct.error)
DAMAGED_ZIP = "This zip or Word file is damaged. Save or pack it again and upload the new file."


def kind_of(path: Path, *, name: str) -> str:
    """A value of KINDS. Raises Refused for what cannot be used."""
    size = path.stat().st_size
    if size == 0:
        raise Refused("This file is empty. Check that it was saved or copied completely, then upload it again.")
    if size > MOST_BYTES:
        raise Refused(f"This file is {size // 2**20} MB; {MOST_BYTES // 2**20} MB is the most. Split it into smaller files.")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for magic, reason in _FOREIGN:
        if head.startswith(magic):
            raise Refused(reason)
    # A PDF may begin with other bytes: readers accept its mark within the first kilobyte.
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(path)
    if head.startswith(b"\x1f\x8b"):
        return _kind_of_gzip(path)
    return _kind_of_text(head, named_kind(name))


def named_kind(name: str) -> str | None:
    """What the name says, or None where it says nothing known."""
    lower = name.lower()
    return next((kind for suffix, kind in sorted(KINDS.items(), key=lambda each: -len(each[0])) if lower.endswith(suffix)), None)


def check_list(path: Path) -> None:
    """Refuse a zip whose list of members is too long to be read at all."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END_SIZE - _LONGEST_COMMENT))
        tail = file.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) - place < _END_SIZE:
        raise Refused(DAMAGED_ZIP)
    (size,) = struct.unpack_from("<I", tail, place + 12)
    if size > _MOST_LIST:
        raise Refused("This zip lists more files than can be read. Split it into smaller ones.")


def _kind_of_zip(path: Path) -> str:
    check_list(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except BROKEN_ZIP as error:
        raise Refused(DAMAGED_ZIP) from error
    if "[Content_Types].xml" not in names and "mimetype" not in names:
        return "zip"
    if any(each.startswith("word/") for each in names):
        return "docx"
    if any(each.startswith("xl/") for each in names):
        raise Refused("This is an Excel workbook. Save the sheet as CSV and upload that.")
    raise Refused(f"This is a presentation, an e-book or another office file, which cannot be read here. {_SAVE_AS}")


def _kind_of_gzip(path: Path) -> str:
    try:
        with gzip.open(path) as file:
            head = file.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused("This packed file (.gz) is damaged. Upload it again.") from error
    if _JSON_LINE.match(head.decode("utf-8", errors="replace")):
        return "medquad_jsonl"
    raise Refused(
        "This packed file (.gz) holds something other than questions and answers in JSON lines. "
        "Unpack it and upload what is inside."
    )


def _kind_of_text(head: bytes, named: str | None) -> str:
    text = _readable(head)
    if text is None:
        raise Refused(_damaged(named) if named else _UNKNOWN)
    if _JSON_LINE.match(text):
        return "medquad_jsonl"
    if (
        _PAGE.match(text)
        or (named != "markdown" and _PIECE_OF_PAGE.match(text))
        or (text.lstrip().startswith("<?xml") and "<html" in text)
    ):
        return "html"
    if text.lstrip().startswith("<") and _MEDQUAD_XML.search(text):
        return "medquad_xml"
    if named in ("markdown", "text", "csv", "html"):
        return named
    if named:
        raise Refused(_damaged(named))
    if text.lstrip().startswith("<?xml"):
        raise Refused("This XML file holds no questions and answers that are known here. Save the document as HTML, PDF or Word.")
    return "text"


def _readable(head: bytes) -> str | None:
    """The beginning as text, or None for bytes that are no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="replace")
    zeros = head.count(0)
    if zeros > len(head) // 4:
        # UTF-16 without its mark: every other byte of Latin text is zero.
        order = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
        text = head.decode(order, errors="replace")
        return text if sum(each.isprintable() or each.isspace() for each in text) > 0.9 * len(text) else None
    controls = sum(head.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 27))
    return head.decode("utf-8", errors="replace") if controls <= len(head) // 20 else None


def _damaged(named: str) -> str:
    called = {"pdf": "PDF", "docx": "Word document", "zip": "zip", "medquad_jsonl": "JSON lines file", "medquad_xml": "XML file"}
    return (
        f"This file is named as a {called.get(named, 'text file')} and its content is something else, or it is damaged. "
        "Open it in the program it was made with, save it again and upload the new file."
    )
