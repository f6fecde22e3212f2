"""Staff in the roles of knowledge, and documents in the states they meet them in."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User

from knowledge import roles
from knowledge.models import Document
from tests import factories


def of_role(name: str, role: str) -> User:
    """Without a password: log them in with `client.force_login`."""
    roles.ensure()
    person = User.objects.create(username=name, is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    return person


def reviewer(name: str = "meera") -> User:
    return of_role(name, roles.REVIEWER)


def contributor(name: str = "ravi") -> User:
    return of_role(name, roles.CONTRIBUTOR)


def viewer(name: str = "lata") -> User:
    return of_role(name, roles.VIEWER)


def a_document(title: str = "Fever in children", *, chunks: int = 2, **fields: Any) -> Document:
    """In review, with passages that say nothing."""
    text = fields.pop("text", f"# {title}\n\nGive water.")
    usual = {"status": "in_review", "content_hash": hashlib.sha256(text.encode()).hexdigest()}
    document = Document.objects.create(title=title, text=text, **usual | fields)
    factories.some_chunks(document, [(f"Section {number}", f"Passage {number} of {title}.") for number in range(chunks)])
    return document


def published(title: str = "Fever in children", *, by: User, at: datetime, **fields: Any) -> Document:
    return a_document(title, status="published", reviewed_by=by, reviewed_at=at, **fields)
