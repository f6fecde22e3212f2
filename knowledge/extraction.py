"""Files into Markdown: what may be uploaded, read within limits, never at the cost of the caller.

The only module of knowledge that starts processes. PDF, Word and HTML files, and large files of any kind, are read by a
child (`python -m knowledge.readers`) with limits on time, memory and result, because hostile files are normal; a child
that dies, hangs or prints garbage is a Refused.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from knowledge.readers import markdown_file, text
from knowledge.readers.archives import entries
from knowledge.readers.kinds import KINDS, kind_of, named_kind
from knowledge.readers.markdown import too_long
from knowledge.readers.medquad import medquad
from knowledge.readers.pairs import question_answers, table
from knowledge.readers.values import MOST_BYTES, USUAL, Entry, Extracted, Limits, Problem, Record, Refused

__all__ = [
    "KINDS",
    "MOST_BYTES",
    "Entry",
    "Extracted",
    "Limits",
    "Problem",
    "Record",
    "Refused",
    "entries",
    "extract",
    "kind_of",
    "medquad",
    "page_image",
    "question_answers",
]

ROOT = Path(__file__).resolve().parent.parent
IN_A_CHILD = frozenset({"pdf", "docx", "html"})
# Without a child while they are small, because starting one costs more than reading them.
HERE = {"text": text.read, "markdown": markdown_file.read, "csv": table}
SMALL = 512 * 1024
MOST_RESULT = 96 * 1024 * 1024
_SPOKEN = {"pdf": "a PDF", "docx": "a Word document", "html": "a web page", "markdown": "Markdown", "text": "text", "csv": "CSV"}
# Starting Python and loading a reader, on a busy machine; the child's own clock starts after it.
_START = 10
_SAVE_AGAIN = "Open it in the program it was made with, save it again and upload the new file."
_SLOW = (
    "Reading this file took longer than {seconds} seconds, so it was stopped. Nothing was stored. "
    "Split it into smaller files, or save it again from the program it was made with."
)
_STOPPED = f"This file made the reader stop, which damaged files do. Nothing was stored. {_SAVE_AGAIN}"


def extract(path: Path, *, name: str, limits: Limits = USUAL) -> Extracted:
    """The text of one document. Raises Refused for one that has none or cannot be read within the limits."""
    kind = kind_of(path, name=name)
    if kind not in IN_A_CHILD and kind not in HERE:
        raise Refused("This file holds many documents, not one. Import it as a collection.")
    if kind in HERE and path.stat().st_size <= SMALL:
        found = HERE[kind](path, name=name, limits=limits)
    else:
        found = _extracted(_child([kind, str(path.resolve()), name], limits=limits), limits=limits)
    named = named_kind(name)
    if named and named != kind:
        found = replace(
            found, flags=(f"The file is named like {_SPOKEN.get(named, 'something else')} and is {_SPOKEN[kind]}.", *found.flags)
        )
    return found


def page_image(path: Path, page: int, *, width: int = 900, limits: Limits = USUAL) -> bytes:
    """One page of a PDF (the first is 1) as PNG. Raises Refused where it cannot be drawn."""
    result = _child(["page", str(path.resolve()), str(page), str(width)], limits=limits)
    if result.startswith(b"\x89PNG\r\n"):
        return result
    _answer(result)
    raise Refused(_STOPPED)


def _child(arguments: list[str], *, limits: Limits) -> bytes:
    """What the reader wrote. A file takes it, so that its size is bounded and nobody waits on a pipe."""
    command = [sys.executable, "-s", "-m", "knowledge.readers", json.dumps(asdict(limits)), *arguments]
    with tempfile.TemporaryFile() as result:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module; the file's path is one argument
            command,
            cwd=ROOT,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=result,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout=limits.seconds + _START)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        finally:
            _end(child)
        if code in (-signal.SIGALRM, -signal.SIGXCPU):
            raise Refused(_SLOW.format(seconds=limits.seconds))
        result.seek(0)
        written = result.read(MOST_RESULT + 1)
    if code != 0 or not written or len(written) > MOST_RESULT:
        raise Refused(_STOPPED)
    return written


def _end(child: subprocess.Popen[bytes]) -> None:
    """Its whole session, also when the caller is interrupted while it waits."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _answer(written: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(written)
    except ValueError as error:
        raise Refused(_STOPPED) from error
    if not isinstance(answer, dict):
        raise Refused(_STOPPED)
    if isinstance(answer.get("refused"), str):
        raise Refused(answer["refused"])
    return answer


def _extracted(written: bytes, *, limits: Limits) -> Extracted:
    """The child's answer, believed in its shape only: it has handled a file that nobody trusts."""
    answer = _answer(written)
    title, markdown, pages = answer.get("title"), answer.get("markdown"), answer.get("pages")
    flags, metadata = answer.get("flags"), answer.get("metadata")
    if not (isinstance(title, str) and isinstance(markdown, str) and isinstance(pages, int | None)):
        raise Refused(_STOPPED)
    if not (isinstance(flags, list) and isinstance(metadata, dict)):
        raise Refused(_STOPPED)
    if len(markdown) > limits.characters:
        raise Refused(too_long(limits))
    return Extracted(title, markdown, pages, tuple(map(str, flags)), {str(key): str(value) for key, value in metadata.items()})
