"""The child that reads one file: limits first, readers second, one answer on standard output.

python -m knowledge.readers '{"seconds": 60, …}' pdf|docx|html FILE
python -m knowledge.readers '{"seconds": 60, …}' page FILE NUMBER WIDTH
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from knowledge.readers import docx, html, markdown_file, pairs, pdf, pdf_picture, text
from knowledge.readers.values import Limits, Refused

READERS = {"pdf": pdf.read, "docx": docx.read, "html": html.read}
READERS_WITH_NAME = {"text": text.read, "markdown": markdown_file.read, "csv": pairs.table}
MOST_RESULT = 96 * 1024 * 1024
_NO_MEMORY = (
    "Reading this file needs more memory than is allowed ({limit} MB). Nothing was stored. "
    "Split it into smaller files, or save it again from the program it was made with."
)
_BROKEN = (
    "This file is damaged, or made in a way that cannot be read. Nothing was stored. "
    "Open it in the program it was made with, save it again and upload the new file."
)


def main(arguments: list[str]) -> int:
    limits = Limits(**json.loads(arguments[0]))
    # Libraries print; what they print must not be taken for the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    restrain(limits)
    with answer:
        answer.write(answered(arguments[1], arguments[2:], limits=limits))
    return 0


def restrain(limits: Limits) -> None:
    """Limits that the kernel keeps, whatever a library does. The alarm also ends a child whose parent is gone."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limits.seconds)
    memory = limits.memory_mb * 2**20
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_FSIZE, MOST_RESULT),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # At the hard limit of time the kernel kills without saying why.
        last = within + 2 if limit == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else within
        resource.setrlimit(limit, (within, last))


def answered(kind: str, arguments: list[str], *, limits: Limits) -> bytes:
    """The answer for any file: a reading, a picture, or why there is none."""
    try:
        if kind == "page":
            return pdf_picture.draw(Path(arguments[0]), page=int(arguments[1]), width=int(arguments[2]))
        if kind in READERS:
            found = READERS[kind](Path(arguments[0]), limits=limits)
        else:
            found = READERS_WITH_NAME[kind](Path(arguments[0]), name=arguments[1], limits=limits)
        return json.dumps(asdict(found)).encode()
    except Refused as error:
        reason = str(error)
    except MemoryError:
        reason = _NO_MEMORY.format(limit=limits.memory_mb)
    # A reader may fail in any way on a file that was made to break it; the parent needs a sentence, not the trace.
    except Exception:
        reason = _BROKEN
    return json.dumps({"refused": reason}).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
