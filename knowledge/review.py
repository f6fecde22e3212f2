"""The life of a document: every step has a named person and a time, or is refused with a sentence.

Uploaded, indexed, in review, published, retired. Publishing needs somebody other than the uploader, unless
the service runs with a single clinician. A new version takes the place of the old one in one commit. What
somebody did is kept in the document's history, also outside of a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.text import Truncator

from knowledge import unanswered, versions
from knowledge.models import Document

Status = Document.Status
PUBLISH, CHANGE, ADD = "knowledge.publish_document", "knowledge.change_document", "knowledge.add_document"
# What may be changed after the upload; the words are what was reviewed.
DETAILS = (
    "title",
    "publisher",
    "url",
    "licence",
    "language",
    "audience",
    "topic",
    "content_date",
    "expires_on",
    "confirm_every_days",
)
# They stand in the passages' vectors and words, so that a change of them is found only after indexing again.
INDEXED_DETAILS = ("title", "language")
_COPIED = ("title", "publisher", "url", "licence", "language", "audience", "topic", "confirm_every_days")
_STEPS = ("reviewed", "confirmed", "retired")
_CHANGED = "it changed while you were reading it. Read it again, then publish it."
# The history's column.
_LONGEST_REASON = 100


class NotAllowed(Exception):
    """The step cannot be taken; the message is for the person who tried, after the title of the document."""


def as_read(document: Document) -> str:
    """What somebody who reads it now has read: another text, or other passages, is another mark."""
    return f"{document.content_hash} {document.indexed_at.isoformat() if document.indexed_at else ''}".strip()


def publish(document: Document, *, by: User, now: datetime, seen: str | None = None) -> Document:
    """Let Jeevo cite it, and stop citing those it supersedes. The questions it was brought for are dealt with.

    `seen` is `as_read` of what the reviewer had before them; where the document is no longer that, nobody approved it.
    """
    with transaction.atomic():
        held = _held(document)
        older = [_held(each) for each in versions.older(held)]
        _refuse(obstacle(held, by=by))
        _refuse(_CHANGED if seen is not None and seen != as_read(held) else "")
        indexing = any(each.status == Status.INDEXING for each in older)
        _refuse("the old version is being indexed. Try again in a minute." if indexing else "")
        replaced = [each for each in older if each.status != Status.RETIRED]
        for each in replaced:
            _out_of_use(each, by=by, now=now, said=f"retired it: {held.title} took its place")
        unanswered.published(held, by=by, now=now)
        word = "put it back into use" if held.status == Status.RETIRED else "published it"
        return _into_use(held, by=by, now=now, said=f"{word} in place of {replaced[0].title}" if replaced else word)


def put_back(document: Document, *, by: User, now: datetime, seen: str | None = None) -> Document:
    """Publish a retired document again. Whoever does it is its reviewer now."""
    if Document.objects.get(pk=document.pk).status != Status.RETIRED:
        raise NotAllowed("it is not retired.")
    return publish(document, by=by, now=now, seen=seen)


def obstacle(document: Document, *, by: User) -> str:
    """Why this person cannot publish it now, as a sentence, or nothing."""
    if not by.has_perm(PUBLISH):
        return "only a clinician reviewer may publish it."
    if document.status == Status.PUBLISHED:
        return "it is published already."
    if document.status not in (Status.IN_REVIEW, Status.RETIRED) or not document.chunks.exists():
        return "it is not indexed yet, so nobody can see what would be cited."
    if document.uploaded_by_id == by.pk and not settings.ENVIRONMENT.single_clinician:
        return "you uploaded it, so somebody else has to review and publish it."
    if _in_use(versions.newer(document)):
        return "a newer version of it is published. Open that one to put this one back."
    if _in_use(versions.beside(document)):
        return "another new version of the same document is published already. Retire that one first."
    return ""


def retire(document: Document, *, by: User, now: datetime, reason: str = "") -> Document:
    """Stop citing it. Answers that were given keep their snapshot of it."""
    with transaction.atomic():
        held = _held(document)
        _must(by, PUBLISH, "only a clinician reviewer may retire it.")
        if held.status == Status.RETIRED:
            raise NotAllowed("it is retired already.")
        if held.status == Status.INDEXING:
            raise NotAllowed("it is being indexed. Try again in a minute.")
        return _out_of_use(held, by=by, now=now, said=f"retired it: {reason.strip()}" if reason.strip() else "retired it")


def put_back_old(document: Document, *, by: User, now: datetime) -> Document:
    """Undo that `document` took the place of another: it is retired, and the other is in use as it was reviewed."""
    with transaction.atomic():
        held = _held(document)
        _must(by, PUBLISH, "only a clinician reviewer may put the old version back.")
        replaced = versions.replaced_by(held)
        if replaced is None:
            raise NotAllowed("no version of it is retired in its place, so there is none to put back.")
        old = _held(replaced)
        _out_of_use(held, by=by, now=now, said="retired it: the old version was put back")
        status = Status.PUBLISHED if old.reviewed_at else Status.IN_REVIEW
        return _save(old, by=by, said="put it back into use", status=status, retired_by=None, retired_at=None)


def confirm(document: Document, *, by: User, now: datetime) -> Document:
    """Say that a published document is still right; its interval begins anew."""
    with transaction.atomic():
        held = _held(document)
        _must(by, PUBLISH, "only a clinician reviewer may confirm it.")
        if held.status != Status.PUBLISHED:
            raise NotAllowed("it is not published, so there is nothing to confirm.")
        if held.expires_on and has_expired(held, now=now):
            raise NotAllowed(f"it expired on {held.expires_on:%-d %B %Y}. Change that date first, or retire it.")
        return _save(held, by=by, said="confirmed that it is still right", confirmed_by=by, confirmed_at=now)


def has_expired(document: Document, *, now: datetime) -> bool:
    return document.expires_on is not None and document.expires_on <= now.date()


def change_details(document: Document, details: Mapping[str, Any], *, by: User) -> tuple[str, ...]:
    """Change what is said about it, never its words; the names of what changed. A new title or language is indexed again."""
    if unknown := set(details) - set(DETAILS):
        raise ValueError(f"no detail of a document: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        held = _held(document)
        _must(by, CHANGE, "only a clinician reviewer may change it.")
        changed = {name: details[name] for name in DETAILS if name in details and details[name] != getattr(held, name)}
        if not changed:
            return ()
        again = {"status": Status.UPLOADED, "reason": ""} if _needs_indexing(held, changed) else {}
        named = ", ".join(name.replace("_", " ") for name in changed)
        _save(held, by=by, said=f"changed {named}", **changed | again)
        return tuple(changed)


def _needs_indexing(held: Document, changed: Mapping[str, Any]) -> bool:
    if not any(name in changed for name in INDEXED_DETAILS):
        return False
    if held.status == Status.INDEXING:
        raise NotAllowed("it is being indexed. Change its title or language in a minute.")
    if held.status == Status.RETIRED:
        raise NotAllowed("it is retired. Put it back before you change its title or language.")
    return True


def new_version_of(document: Document) -> Document:
    """An unsaved document that would take its place, with everything said about it but the dates."""
    copied = {name: getattr(document, name) for name in _COPIED}
    return Document(**copied, supersedes=document)


def retry(document: Document, *, by: User) -> Document:
    """Wait for the index again: one that failed, or one that was retired before it was indexed."""
    with transaction.atomic():
        held = _held(document)
        if not by.has_perm(CHANGE):
            _must(by, ADD, "only people who may add documents may try it again.")
        if not can_be_retried(held):
            raise NotAllowed("its index did not fail.")
        # What was taken out of use is reviewed before it comes back.
        clear = {f"{step}_{part}": None for step in _STEPS for part in ("by", "at")} if held.retired_at else {}
        return _save(held, by=by, said="asked to index it again", status=Status.UPLOADED, reason="", **clear)


def can_be_retried(document: Document) -> bool:
    return document.status == Status.INDEX_FAILED or (document.status == Status.RETIRED and not document.chunks.exists())


def _held(document: Document) -> Document:
    """The row as it is now, for this transaction alone. A new version is taken before the old one."""
    return Document.objects.select_for_update(of=("self",)).get(pk=document.pk)


def _in_use(documents: Iterable[Document]) -> bool:
    return any(each.in_use for each in documents)


def _must(by: User, permission: str, sentence: str) -> None:
    if not by.has_perm(permission):
        raise NotAllowed(sentence)


def _refuse(sentence: str) -> None:
    if sentence:
        raise NotAllowed(sentence)


def _into_use(held: Document, *, by: User, now: datetime, said: str) -> Document:
    """A review is the newest word on it: what was confirmed or retired before no longer counts."""
    nobody = {"confirmed_by": None, "confirmed_at": None, "retired_by": None, "retired_at": None}
    return _save(held, by=by, said=said, status=Status.PUBLISHED, reviewed_by=by, reviewed_at=now, **nobody)


def _out_of_use(held: Document, *, by: User, now: datetime, said: str) -> Document:
    return _save(held, by=by, said=said, status=Status.RETIRED, retired_by=by, retired_at=now)


def _save(held: Document, *, by: User, said: str, **fields: Any) -> Document:
    for name, value in fields.items():
        setattr(held, name, value)
    # The history reads both from the row; without them it knows the person only inside a request.
    held._history_user = by  # type: ignore[attr-defined]
    held._change_reason = Truncator(said).chars(_LONGEST_REASON)  # type: ignore[attr-defined]
    held.save(update_fields=[*fields, "updated_at"])
    return held
