"""A named person publishes a document or takes it out of use; who and when are kept with it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from knowledge.models import Document

Status = Document.Status


class NotAllowed(Exception):
    """The step cannot be taken; the message is for the person who tried."""


@transaction.atomic
def publish(document: Document, *, by: AbstractBaseUser, now: datetime) -> None:
    """Let Jeevo cite it. Raises NotAllowed for the uploader, and for a document that is not indexed."""
    held = Document.objects.select_for_update().get(pk=document.pk)
    if held.uploaded_by_id is not None and held.uploaded_by_id == by.pk:
        raise NotAllowed("you uploaded it, so somebody else has to review and publish it.")
    if held.status == Status.PUBLISHED:
        raise NotAllowed("it is published already.")
    if held.status not in (Status.IN_REVIEW, Status.RETIRED) or not held.chunks.exists():
        raise NotAllowed("it is not indexed yet, so nobody can see what would be cited.")
    held.status, held.reviewed_by, held.reviewed_at = Status.PUBLISHED, by, now
    held.save(update_fields=["status", "reviewed_by", "reviewed_at", "updated_at"])


@transaction.atomic
def retire(document: Document) -> None:
    """Stop citing it. Answers that were given keep their snapshot of it."""
    held = Document.objects.select_for_update().get(pk=document.pk)
    if held.status == Status.RETIRED:
        raise NotAllowed("it is retired already.")
    held.status = Status.RETIRED
    held.save(update_fields=["status", "updated_at"])
