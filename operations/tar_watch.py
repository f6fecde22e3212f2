"""Picks one small member out of a tar while it streams by, so that the whole never lies unsealed on the disk."""

from __future__ import annotations

BLOCK = 512


class TarWatch:
    """Given the bytes of a tar in any pieces, keeps those of the member `wanted` in `found`."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.found: bytes | None = None
        self._rest = b""
        self._skip = 0
        self._keep = 0

    def feed(self, data: bytes) -> None:
        if self._skip >= len(data) and not self._rest:
            self._skip -= len(data)
            return
        self._rest += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self._skip:
            taken = min(self._skip, len(self._rest))
            self._skip -= taken
            self._rest = self._rest[taken:]
            return self._skip == 0 and bool(self._rest)
        if self._keep:
            if len(self._rest) < self._keep:
                return False
            self.found, self._rest = self._rest[: self._keep], self._rest[self._keep :]
            self._skip, self._keep = -self._keep % BLOCK, 0
            return True
        if len(self._rest) < BLOCK:
            return False
        head, self._rest = self._rest[:BLOCK], self._rest[BLOCK:]
        self._read_head(head)
        return True

    def _read_head(self, head: bytes) -> None:
        size = _number(head[124:136])
        if head[:100].rstrip(b"\0").decode(errors="replace") == self.wanted:
            self._keep = size
        else:
            self._skip = size + -size % BLOCK


def _number(text: bytes) -> int:
    """Octal, or from 8 GB on binary with the highest bit set."""
    if text[0] & 0x80:
        return int.from_bytes(bytes([text[0] & 0x7F]) + text[1:], "big")
    digits = text.rstrip(b" \0")
    return int(digits, 8) if digits else 0
