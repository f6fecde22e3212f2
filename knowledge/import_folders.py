"""Which files of this machine an operator means: each one named, and all of a folder but what is hidden or leads out of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def files(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The name each file is shown under, and where it lies; in a fixed order."""
    for path in paths:
        if path.is_dir():
            yield from _inside(path)
        else:
            yield path.name, path.resolve()


def _inside(folder: Path) -> Iterator[tuple[str, Path]]:
    root = folder.resolve()
    for place, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if not name.startswith(".") and path.is_file() and path.resolve().is_relative_to(root):
                yield str(Path(root.name) / path.relative_to(root)), path
