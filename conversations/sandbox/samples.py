"""Tiny but valid files that a person can send: a picture, a voice note, a document, a sticker. Pure."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    mime_type: str
    filename: str
    content: bytes


def _png(width: int = 16, height: int = 16) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\x00" + b"\x0f\x5f\x5c" * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")


def _ogg_checksum(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = ((value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


def _ogg_page(packet: bytes, *, number: int, flags: int, granule: int) -> bytes:
    def page(checksum: int) -> bytes:
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 1, number, checksum, 1)
        return head + bytes([len(packet)]) + packet

    return page(_ogg_checksum(page(0)))


def _opus() -> bytes:
    """A fiftieth of a second of silence."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 16_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 5) + b"jeevo" + struct.pack("<I", 0)
    return (
        _ogg_page(head, number=0, flags=2, granule=0)
        + _ogg_page(tags, number=1, flags=0, granule=0)
        + _ogg_page(b"\xf8\xff\xfe", number=2, flags=4, granule=960)
    )


def _pdf() -> bytes:
    content = b"BT /F1 18 Tf 24 60 Td (A sample document) Tj ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 240 120] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


_WEBP = bytes.fromhex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700")

SAMPLES = {
    "image": Sample("image/png", "picture.png", _png()),
    "audio": Sample("audio/ogg; codecs=opus", "voice.ogg", _opus()),
    "document": Sample("application/pdf", "report.pdf", _pdf()),
    "sticker": Sample("image/webp", "sticker.webp", _WEBP),
}
