"""A picture of one page, to read beside what was extracted from it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pypdfium2

from knowledge.readers.pdf import opened
from knowledge.readers.values import Refused

_NARROWEST, _WIDEST, _MOST_PIXELS = 100, 2400, 12_000_000
_NOT_DRAWN = "This page cannot be drawn. Open the original file to see it."


def draw(path: Path, *, page: int, width: int) -> bytes:
    """The page as PNG. Raises Refused where the document has no such page or it cannot be drawn."""
    pdf = opened(path)
    if not 1 <= page <= len(pdf):
        raise Refused(f"This PDF has no page {page}; its last page is {len(pdf)}.")
    try:
        sheet = pdf[page - 1]
        across, down = sheet.get_size()
        if across < 1 or down < 1:
            raise Refused(_NOT_DRAWN)
        # The library rounds up, so the width asked for is just missed to be met.
        scale = min((max(_NARROWEST, min(width, _WIDEST)) - 0.01) / across, (_MOST_PIXELS / (across * down)) ** 0.5)
        bitmap = sheet.render(scale=scale, rev_byteorder=True, draw_annots=False)
    except pypdfium2.PdfiumError as error:
        raise Refused(_NOT_DRAWN) from error
    return _png(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride, bitmap.n_channels)


def _png(pixels: bytes, width: int, height: int, stride: int, channels: int) -> bytes:
    """The simplest PNG: one packed stream of unfiltered rows."""
    colour = {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + pixels[row * stride : row * stride + width * channels] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )
