"""Starter articles: short texts in this folder's `starter/`, each with the public source it was checked against.

Loading registers what is new or changed and leaves the rest alone; indexing follows in the worker.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from knowledge.chunking import front_matter
from knowledge.models import Document

FOLDER = Path(__file__).parent / "starter"
REQUIRED = ("title", "topic", "language", "audience", "publisher", "url", "sources")


class ArticleProblem(ValueError):
    """An article that may not ship; the message names the file and what it lacks."""


@dataclass(frozen=True)
class Loaded:
    added: int
    changed: int
    unchanged: int


def read(path: Path) -> dict[str, Any]:
    """Fields of a Document. Raises ArticleProblem where the source or the passage read is not named."""
    source = path.read_text(encoding="utf-8")
    head, body = front_matter(source)
    missing = [name for name in REQUIRED if not head.get(name)]
    if missing:
        raise ArticleProblem(f"{path.name} lacks {', '.join(missing)}")
    if not all(isinstance(each, dict) and each.get("url") and each.get("passage") for each in head["sources"]):
        raise ArticleProblem(f"{path.name} has a source without its address or without the passage that was read")
    fields = {name: str(head[name]) for name in REQUIRED if name != "sources"}
    return fields | {
        "slug": path.stem,
        "sources": head["sources"],
        "text": body.strip(),
        "content_hash": hashlib.sha256(source.encode()).hexdigest(),
        "origin": Document.Origin.STARTER,
        "licence": "Apache-2.0",
    }


def load(folder: Path = FOLDER) -> Loaded:
    """Register every article. An article a clinician has reviewed or retired is never touched again."""
    added = changed = unchanged = 0
    for path in sorted(folder.glob("*.md")):
        fields = read(path)
        with transaction.atomic():
            known = Document.objects.select_for_update().filter(slug=fields["slug"]).first()
            if known is None:
                Document.objects.create(**fields)
                added += 1
            elif known.content_hash == fields["content_hash"] or known.reviewed_at or known.status == "retired":
                unchanged += 1
            else:
                Document.objects.filter(pk=known.pk).update(**fields, status=Document.Status.UPLOADED)
                changed += 1
    return Loaded(added, changed, unchanged)
