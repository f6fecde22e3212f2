"""The versions of one document: a tree of who supersedes whom, of which at most one is in use."""

from __future__ import annotations

from collections.abc import Iterator

from knowledge.models import Document

Status = Document.Status


def older(document: Document) -> Iterator[Document]:
    """Those it supersedes, the newest of them first."""
    # A circle cannot be made on any page; a walk that never ends would hold its locks.
    seen = {document.pk}
    while document.supersedes is not None and document.supersedes.pk not in seen:
        document = document.supersedes
        seen.add(document.pk)
        yield document


def newer(document: Document) -> list[Document]:
    """Those that supersede it, and those that supersede them."""
    found: dict[object, Document] = {document.pk: document}
    wave = [document]
    while wave:
        rows = Document.objects.filter(supersedes__in=wave).defer("text", "sources")
        wave = [each for each in rows if each.pk not in found]
        found |= {each.pk: each for each in wave}
    del found[document.pk]
    return list(found.values())


def beside(document: Document) -> list[Document]:
    """Other new versions of what it supersedes."""
    line = [document, *older(document)]
    known = {each.pk for each in (*line, *newer(document))}
    return [each for each in newer(line[-1]) if each.pk not in known]


def replaced_by(document: Document) -> Document | None:
    """The version that went out of use in the moment this one was published, if both are still so."""
    if document.status != Status.PUBLISHED:
        return None
    retired = (each for each in older(document) if each.status == Status.RETIRED)
    return next((each for each in retired if each.retired_at == document.reviewed_at), None)
