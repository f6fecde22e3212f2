"""The work on an import, file by file, for whoever claimed it: a worker or the command.

Each file ends with a result of its own, and no file stops the others. What is not the file's fault (the database, a stop) is
raised, and the import goes on later where it was.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import structlog
from django.db import DatabaseError, DataError, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from knowledge import extraction, import_archives, import_files, import_records, importing
from knowledge.extraction import Problem, Record, Refused
from knowledge.import_claims import Cancelled, Claim, Lost
from knowledge.import_records import Told
from knowledge.models import Import, ImportItem

log = structlog.get_logger(__name__)
Status = ImportItem.Status
MEDQUAD = ("medquad_jsonl", "medquad_xml")
# A file that was begun this often and never ended is what stops the worker.
MOST_ATTEMPTS = 2
_STOPS_US = (
    "Reading this file stopped the program {times} times, so it was left out. "
    "Save it again from the program it was made with, or split it, and upload the new file."
)
_UNREADABLE = "This file could not be read ({error}). Nothing of it was stored, and the other files went on."
_GONE = "The file is no longer where it was. Bring it again."
_FULL = "There was no room left to store this file. Free some room on the disk, then try it again."
_NOT_MEDQUAD = "This file does not hold MedQuAD's questions and answers. Import it without naming MedQuAD."
_NOT_A_TABLE = "This file is no table. Questions and answers come as CSV, with the two columns “question” and “answer”."


def _nobody(_: ImportItem) -> None:
    return


def run(claim: Claim, *, seconds: float | None = None, told: Told = _nobody) -> bool:
    """Work until the import is over or the time is up; whether it is over. The claim is let go in any case."""
    end = time.monotonic() + seconds if seconds is not None else None
    try:
        while not _is_over(claim):
            if end is not None and time.monotonic() > end:
                claim.let_go()
                return False
            _work(claim, told)
    except Cancelled:
        importing.end_cancelled(claim.batch, now=timezone.now())
        claim.unlock()
    except Lost:
        log.warning("import was taken over by another process", import_key=str(claim.batch.pk))
        claim.unlock()
        return False
    except BaseException:
        _put_back(claim)
        raise
    return True


def _work(claim: Claim, told: Told) -> None:
    item = claim.batch.items.filter(status__in=importing.OPEN_ITEMS).first()
    if item is not None:
        claim.beat(now=timezone.now())
        _one(item, claim, told)
        item.refresh_from_db()
        told(item)


@transaction.atomic
def _is_over(claim: Claim) -> bool:
    """Whether no file waits; then the import ends here, before anybody can add one."""
    claim.check()
    if claim.batch.items.filter(status__in=importing.OPEN_ITEMS).exists():
        return False
    claim.let_go(status=Import.Status.FINISHED, finished_at=timezone.now())
    return True


def _one(item: ImportItem, claim: Claim, told: Told) -> None:
    """Read one file; whatever is wrong with it ends here as its result."""
    if item.attempts >= MOST_ATTEMPTS:
        _refuse(item, _STOPS_US.format(times=MOST_ATTEMPTS))
        return
    item.attempts += 1
    ImportItem.objects.filter(pk=item.pk).update(status=Status.RUNNING, attempts=F("attempts") + 1)
    try:
        _bring_in(item, claim, told)
    except Refused as error:
        _refuse(item, str(error))
    except importing.NotPossible as error:
        raise Cancelled from error
    except (Lost, Cancelled):
        raise
    except DatabaseError as error:
        # These two are about what was written; any other is about the database and goes by itself.
        if not isinstance(error, DataError | IntegrityError):
            raise
        _fail(item, error)
    except Exception as error:
        _fail(item, error)
    ImportItem.objects.filter(pk=item.pk).update(finished_at=timezone.now())


def _bring_in(item: ImportItem, claim: Claim, told: Told) -> None:
    path = Path(item.file.path if item.file else item.path)
    if not path.is_file():
        raise Refused(_GONE)
    importer = claim.batch.importer
    kind = extraction.kind_of(path, name=item.name)
    if kind == "zip":
        import_archives.unpack(item, path=path, claim=claim)
        return
    if importer == "medquad" and kind not in MEDQUAD:
        raise Refused(_NOT_MEDQUAD)
    if importer == "qa" and kind != "csv":
        raise Refused(_NOT_A_TABLE)
    rows = _records(item, path, kind=kind, importer=importer)
    if rows is None:
        import_files.bring_in(item, path=path, kind=kind, claim=claim, now=timezone.now())
        return
    by = "medquad" if kind in MEDQUAD else "qa"
    import_records.bring_in(item, rows, importer=by, kind=kind, claim=claim, told=told)
    importing.drop_file(item)


def _records(item: ImportItem, path: Path, *, kind: str, importer: str) -> Iterator[Record | Problem] | None:
    """The rows of a collection, or None for a file that is one document."""
    if kind in MEDQUAD:
        return extraction.medquad(path)
    if kind != "csv":
        return None
    rows = extraction.question_answers(path, name=item.name)
    try:
        first = next(rows, None)
    except Refused:
        # Without columns of questions and answers it is a table like any other.
        if importer == "qa":
            raise
        return None
    return chain([first], rows) if first is not None else iter(())


def _fail(item: ImportItem, error: Exception) -> None:
    log.exception("file could not be imported", item=str(item.pk))
    if isinstance(error, FileNotFoundError):
        _refuse(item, _GONE)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _refuse(item, _FULL)
    else:
        _refuse(item, _UNREADABLE.format(error=type(error).__name__))


def _refuse(item: ImportItem, reason: str) -> None:
    ImportItem.objects.filter(pk=item.pk).update(status=Status.REFUSED, reason=reason, finished_at=timezone.now())


def _put_back(claim: Claim) -> None:
    """What stopped us was not the file's fault. Without a database the next who claims it finds it by its silent heart."""
    with contextlib.suppress(DatabaseError):
        running = claim.batch.items.filter(status=Status.RUNNING, attempts__gte=1)
        running.update(status=Status.WAITING, attempts=F("attempts") - 1)
        claim.let_go()
