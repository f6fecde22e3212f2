"""A file of many records becomes a document each, five hundred in a commit.

The commit that writes them also says how far reading got, so a stop costs at most one part, and nothing comes twice: a record
is known by its key, and a text by its hash. Only MedQuAD names its records; one that comes with new text
- is rewritten and indexed again while nobody has reviewed it, and counts as uploaded by whoever asked for this import;
- becomes a new document that supersedes the one in use. It takes the key, and the old one's gets the next free "#number".
A row of a table is its own key: with another answer it is a new document, and a row number never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone
from simple_history.utils import bulk_create_with_history

from knowledge import import_problems, versions
from knowledge.extraction import Problem, Record, Refused
from knowledge.import_claims import Claim
from knowledge.import_fields import Defaults, of_record
from knowledge.import_files import answers, text_hash
from knowledge.models import Document, ImportItem

TOGETHER = 500
_LONGEST_KEY = 180
T = TypeVar("T")
# Called after each part and each file, for those who watch.
Told = Callable[[ImportItem], None]


@dataclass
class _Part:
    """What becomes of some records."""

    new: list[Document] = field(default_factory=list)
    changed: list[Document] = field(default_factory=list)
    # Documents that somebody decided about, whose key the new one takes.
    replaced: list[Document] = field(default_factory=list)
    known: int = 0
    problems: list[Problem] = field(default_factory=list)


def bring_in(item: ImportItem, found: Iterator[Record | Problem], *, importer: str, kind: str, claim: Claim, told: Told) -> None:
    """Raises Refused where a file cannot be read any further, or where none of its rows could be used."""
    defaults = Defaults.of(claim.batch.defaults)
    if defaults.supersedes:
        raise Refused("A new version of a document is one document, and this file holds many. Upload the document itself.")
    last = defaults.limit or None
    for some in _parts(islice(found, item.records, last), TOGETHER):
        claim.beat(now=timezone.now())
        with transaction.atomic():
            claim.check()
            part = _sorted(some, item, importer=importer, kind=kind, claim=claim)
            _write(part, claim=claim)
            _count(item, part, read=len(some))
        told(item)
    if not item.added and not item.known:
        raise Refused("No row of this file could be used. The reasons are listed with it.")
    status = ImportItem.Status.ADDED if item.added else ImportItem.Status.KNOWN
    ImportItem.objects.filter(pk=item.pk).update(status=status, reason="")


def key_of(record: Record, *, importer: str) -> str:
    """MedQuAD's own name of it. Of other rows what they say: their numbers move when somebody puts a row in between."""
    key = record.key if importer == "medquad" else ""
    said = key or "\0".join((record.question, record.title, record.section, record.text))
    return f"{importer}:{key if 0 < len(key) <= _LONGEST_KEY else text_hash(said)}"


def _sorted(some: list[Record | Problem], item: ImportItem, *, importer: str, kind: str, claim: Claim) -> _Part:
    records = {key_of(each, importer=importer): each for each in some if isinstance(each, Record)}
    part = _Part(problems=[each for each in some if isinstance(each, Problem)])
    part.known = len(some) - len(part.problems) - len(records)
    hashes = {key: text_hash(record.text) for key, record in records.items()}
    held = {each.key: each for each in Document.objects.filter(key__in=records).defer("text").select_for_update()}
    texts = _texts_that_stay(hashes, held)
    defaults = Defaults.of(claim.batch.defaults)
    for key, record in records.items():
        old = held.get(key)
        if hashes[key] in texts:
            part.known += 1
            texts |= {old.content_hash} if old else set()
            continue
        texts.add(hashes[key])
        fields = of_record(record, defaults, asked=importer != "medquad")
        fields |= {"content_hash": hashes[key], "kind": kind, "file_name": PurePosixPath(item.name).name[:300]}
        _place(part, key, fields, old, claim=claim)
    return part


def _texts_that_stay(hashes: dict[str, str], held: dict[str, Document]) -> set[str]:
    """Which of these texts are here. One that this part writes over does not count, or it would be lost."""
    leaving = [
        old.pk for key, digest in hashes.items() if (old := held.get(key)) and _is_draft(old) and old.content_hash != digest
    ]
    same = Document.objects.filter(content_hash__in=hashes.values()).exclude(pk__in=leaving)
    return set(same.values_list("content_hash", flat=True))


def _place(part: _Part, key: str, fields: dict[str, Any], old: Document | None, *, claim: Claim) -> None:
    # Whoever brings the words has uploaded them, so somebody else has to publish them.
    brought = {"batch": claim.batch, "uploaded_by": claim.batch.requested_by, **fields}
    if old is None:
        part.new.append(Document(key=key, **brought))
    elif _is_draft(old):
        for name, value in brought.items():
            setattr(old, name, value)
        old.status, old.reason = Document.Status.UPLOADED, ""
        part.changed.append(old)
    else:
        part.replaced.append(old)
        in_use = (each for each in (old, *versions.older(old)) if each.in_use)
        part.new.append(Document(key=key, supersedes=next(in_use, None), **brought))


def _is_draft(document: Document) -> bool:
    """Nobody has decided about it yet."""
    return document.reviewed_at is None and document.status != Document.Status.RETIRED


def _write(part: _Part, *, claim: Claim) -> None:
    by = claim.batch.requested_by
    for old in part.replaced:
        number = Document.objects.filter(key__startswith=f"{old.key}#").count() + 1
        Document.objects.filter(pk=old.pk).update(key=f"{old.key}#{number}")
    bulk_create_with_history(part.new, Document, batch_size=TOGETHER, default_user=by)  # type: ignore[no-untyped-call]
    for document in part.changed:
        document._history_user = by  # type: ignore[attr-defined]
        document.save()
    if part.new:
        answers(claim).update(document=part.new[0])


def _count(item: ImportItem, part: _Part, *, read: int) -> None:
    item.records += read
    item.added += len(part.new) + len(part.changed)
    item.known += part.known
    import_problems.note(item, part.problems)
    # It went on since it was begun, so it is not what stops the worker.
    item.attempts = 1
    item.save(update_fields=["records", "added", "known", "bad", "problems", "attempts"])


def _parts(found: Iterator[T], size: int) -> Iterator[list[T]]:
    while some := list(islice(found, size)):
        yield some
