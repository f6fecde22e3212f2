"""An import from its beginning to its end, as people see it: files are added, work is cancelled, refused files are tried again.

Rows are the queue: what is added here is taken up by whoever claims the import (`import_claims`) and read file by file
(`import_runs`). Adding a file to an import that is finished opens it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.db.models import Count, Max, QuerySet

from jeevo.ids import new_id
from knowledge import extraction, import_claims
from knowledge.import_fields import Defaults
from knowledge.models import Import, ImportItem

Status, ItemStatus = Import.Status, ImportItem.Status
OPEN_ITEMS = (ItemStatus.WAITING, ItemStatus.RUNNING)
LEFT_OUT = (ItemStatus.REFUSED, ItemStatus.CANCELLED)
IMPORTERS = ("auto", "medquad", "qa")
# A file that was refused is kept this long, so that it can be tried again.
KEPT = timedelta(days=7)
_PIECE = 1 << 20


class NotPossible(Exception):
    """The step cannot be taken; the message is for the person who tried."""


def begin(*, label: str, defaults: Defaults, by: User | None, importer: str = "auto") -> Import:
    """A new import without files."""
    return Import.objects.create(label=label[:200], importer=importer, defaults=defaults.kept(), requested_by=by)


def add_file(batch: Import, *, name: str, content: File[bytes]) -> ImportItem:
    """Keep an uploaded file under a name of our own and put it into the queue."""
    digest = hashlib.sha256()
    for piece in content.chunks(_PIECE):
        digest.update(piece)
    item = ImportItem(name=shown(name), size=content.size, file_hash=digest.hexdigest())
    item.file.save(stored_name(name), content, save=False)
    try:
        _append(batch, [item])
    except BaseException:
        item.file.delete(save=False)
        raise
    return item


def add_member(batch: Import, *, name: str, path: Path) -> ImportItem:
    """As `add_file`, for a member of an archive."""
    with path.open("rb") as file:
        return add_file(batch, name=name, content=File(file))


def add_paths(batch: Import, paths: Iterable[tuple[str, Path]]) -> None:
    """Put files of this machine into the queue, each with the name it is shown under. They stay where they are."""
    _append(batch, [ImportItem(name=shown(name), path=str(path), size=path.stat().st_size) for name, path in paths])


@transaction.atomic
def _append(batch: Import, items: list[ImportItem]) -> None:
    held = Import.objects.select_for_update().get(pk=batch.pk)
    if held.status == Status.CANCELLED or held.cancel_requested_at:
        raise NotPossible("This import was cancelled. Begin a new one.")
    last = held.items.aggregate(last=Max("position"))["last"]
    for position, item in enumerate(items, start=0 if last is None else last + 1):
        item.batch, item.position = batch, position
    ImportItem.objects.bulk_create(items, batch_size=1000)
    if held.status == Status.FINISHED:
        Import.objects.filter(pk=held.pk).update(status=Status.WAITING, finished_at=None)


def shown(name: str) -> str:
    """The name as the page shows it: on one line, without signs that do not print, its end kept."""
    return "".join(sign if sign.isprintable() else " " for sign in name).strip()[-500:] or "file without a name"


def stored_name(name: str) -> str:
    """A name of our own; of the given one only a known ending is kept."""
    endings = sorted(extraction.KINDS, key=len, reverse=True)
    return new_id().hex + next((ending for ending in endings if name.lower().endswith(ending)), "")


def cancel(batch: Import, *, now: datetime) -> None:
    """Stop between two files, or between two parts of a long one. What was added stays."""
    with transaction.atomic():
        held = Import.objects.select_for_update().get(pk=batch.pk)
        if held.status not in import_claims.OPEN:
            raise NotPossible("This import is over, so there is nothing to cancel.")
        Import.objects.filter(pk=held.pk).update(cancel_requested_at=held.cancel_requested_at or now)
        if held.status == Status.WAITING or not import_claims.is_at_work(held, now=now):
            end_cancelled(held, now=now)


def end_cancelled(batch: Import, *, now: datetime) -> None:
    batch.items.filter(status__in=OPEN_ITEMS).update(status=ItemStatus.CANCELLED, finished_at=now)
    Import.objects.filter(pk=batch.pk).update(status=Status.CANCELLED, finished_at=now, heartbeat_at=None)


@transaction.atomic
def retry(batch: Import) -> int:
    """Read again what was refused or left out; the number of files. One with many rows goes on where it stopped."""
    held = Import.objects.select_for_update().get(pk=batch.pk)
    if held.status in import_claims.OPEN:
        raise NotPossible("This import is still under way. Wait until it is over, then try again.")
    again = retriable(held).update(status=ItemStatus.WAITING, attempts=0, reason="", finished_at=None)
    if not again:
        raise NotPossible("No refused file of this import is kept any more. Upload it again.")
    Import.objects.filter(pk=held.pk).update(
        status=Status.WAITING, reason="", cancel_requested_at=None, heartbeat_at=None, finished_at=None
    )
    return again


def retriable(batch: Import) -> QuerySet[ImportItem]:
    """Files that were refused or left out and are still here."""
    return batch.items.filter(status__in=LEFT_OUT).exclude(file="", path="")


def unfinished(defaults: Defaults, *, importer: str) -> Import | None:
    """The import of the same paths that was begun and not ended, if there is one."""
    paths = list(defaults.paths)
    rows = Import.objects.filter(defaults__paths=paths, importer=importer, status__in=import_claims.OPEN)
    return rows.order_by("-created_at").first()


def forget_files(*, now: datetime) -> int:
    """Delete the bytes of files that were refused or left out a week ago; the number of them. Their results stay."""
    old = ImportItem.objects.filter(status__in=LEFT_OUT, finished_at__lt=now - KEPT).exclude(file="")
    count = 0
    for item in old.iterator():
        drop_file(item)
        count += 1
    return count


def drop_file(item: ImportItem) -> None:
    """Delete the bytes that nobody needs any more."""
    if item.file:
        item.file.delete(save=False)
        ImportItem.objects.filter(pk=item.pk).update(file="")


def counts(batch: UUID) -> dict[str, int]:
    """How many files are in each state."""
    rows = ImportItem.objects.filter(batch_id=batch).order_by().values_list("status").annotate(files=Count("pk"))
    return dict(rows)
