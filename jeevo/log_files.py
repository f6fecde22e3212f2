"""One log file for one process, written by its supervisor alone, and never larger than it may be.

When the next line does not fit, the file becomes `name.log.1`, the one before it `name.log.2`, and so on; the oldest
goes. A disk that is full or a folder that is gone costs the lines and nothing else: the next line tries again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

LOG_BYTES = 5_000_000
# The one that is written and four before it.
FILES_KEPT = 5


class LogFile:
    def __init__(self, folder: Path, name: str, *, largest: int = LOG_BYTES, kept: int = FILES_KEPT) -> None:
        self.path = folder / f"{name}.log"
        self.largest, self.kept = largest, kept
        self._file: BinaryIO | None = None
        self._size = 0
        # There from the start, so that nobody looks in vain for the file of a process that has nothing to say.
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._open()

    def write(self, line: bytes) -> None:
        """One line, whole in one file."""
        with contextlib.suppress(OSError):
            file = self._open()
            if self._size and self._size + len(line) > self.largest:
                file = self._turn_over()
            self._size += len(line)
            file.write(line)

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
            self._size = self._file.tell()
        return self._file

    def _turn_over(self) -> BinaryIO:
        self.close()
        for number in range(self.kept - 1, 0, -1):
            younger = self._numbered(number - 1)
            if younger.exists():
                younger.replace(self._numbered(number))
        return self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path
