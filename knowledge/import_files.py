"""One file becomes one document, or is known already.

The bytes are recognised before they are read and the text again before it is written, so the same file brought twice, under
any name, stays one document.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path, PurePosixPath
from uuid import UUID

from django.core.files import File
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from knowledge import extraction, importing
from knowledge.import_claims import Claim
from knowledge.import_fields import Defaults, of_file
from knowledge.models import Document, ImportItem, UnansweredQuestion

_PIECE = 1 << 20
_KNOWN = {
    Document.Status.RETIRED: " It is retired; a reviewer can publish it again from its page.",
    Document.Status.INDEX_FAILED: " It could not be indexed; its page says why.",
}


def bring_in(item: ImportItem, *, path: Path, kind: str, claim: Claim, now: datetime) -> None:
    """Raises Refused for a file that cannot be used."""
    digest = item.file_hash or file_hash(path)
    if same := _same(Q(file_hash=digest)):
        _known(item, same, "This file is here already.", digest=digest)
        return
    defaults = Defaults.of(claim.batch.defaults)
    found = extraction.extract(path, name=item.name)
    document = Document(
        kind=kind,
        file_name=PurePosixPath(item.name).name[:300],
        file_hash=digest,
        batch=claim.batch,
        uploaded_by=claim.batch.requested_by,
        supersedes_id=UUID(defaults.supersedes) if defaults.supersedes else None,
        **of_file(found, defaults, name=item.name, today=now.date()),
    )
    document.content_hash = text_hash(document.text)
    if same := _written(document, item, path=path, claim=claim):
        _known(item, same, "The same text is here already, from another file.", digest=digest)


def _written(document: Document, item: ImportItem, *, path: Path, claim: Claim) -> Document | None:
    """Write it with what becomes of its item, or give the document that has its text already."""
    with transaction.atomic():
        claim.check()
        _one_at_a_time(document.content_hash)
        if same := _same(Q(content_hash=document.content_hash)):
            return same
        if item.file:
            # The import's bytes become the document's.
            document.file.name = item.file.name
        else:
            with path.open("rb") as file:
                document.file.save(importing.stored_name(item.name), File(file), save=False)
        document._history_user = claim.batch.requested_by  # type: ignore[attr-defined]
        document.save()
        answers(claim).update(document=document)
        row = ImportItem.objects.filter(pk=item.pk)
        flags = " ".join(document.flags)
        row.update(
            status=ImportItem.Status.ADDED, document=document, reason=flags, file_hash=document.file_hash, file="", added=1
        )
    return None


def answers(claim: Claim) -> QuerySet[UnansweredQuestion]:
    """The questions that the import is for and that nothing was brought for yet."""
    keys = Defaults.of(claim.batch.defaults).answers
    return UnansweredQuestion.objects.filter(pk__in=keys, document__isnull=True)


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _same(what: Q) -> Document | None:
    return Document.objects.filter(what).defer("text").order_by("-created_at").first()


def _one_at_a_time(digest: str) -> None:
    """Two imports of the same text at once: the second waits here and then finds the first's document."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(bytes.fromhex(digest[:16]), signed=True)])


def _known(item: ImportItem, document: Document, sentence: str, *, digest: str) -> None:
    reason = sentence + _KNOWN.get(Document.Status(document.status), "")
    row = ImportItem.objects.filter(pk=item.pk)
    row.update(status=ImportItem.Status.KNOWN, document=document, reason=reason, file_hash=digest, known=1)
    importing.drop_file(item)
