"""Questions that nothing here answered: grouped by meaning, answered by a document, dealt with, and taken back.

A document that is written or brought for some questions is noted on them at once; they count as dealt with
when it is published. The words are patients' words: they are unsealed only for the questions that are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from cryptography.fernet import InvalidToken
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import BinaryField, Q, QuerySet
from django.db.models.functions import Cast

from jeevo.fields import unseal
from knowledge import embedding_indexes, grouping, retrieval
from knowledge.models import Document, EmbeddingIndex, UnansweredQuestion
from knowledge.passages import Vectors

# The newest of those that wait; older ones come up when these are dealt with.
NEWEST = 2_000
# Of a group on one page, and in one address: a server's longest line is 4,094 bytes.
SHOWN, LINKED = 30, 80
MISSING = "(the words cannot be read with the keys of this installation)"


@dataclass(frozen=True)
class Row:
    """A question without its words."""

    id: UUID
    asked_at: datetime
    language: str
    score: float
    nearest: UUID | None
    promised: UUID | None


@dataclass(frozen=True)
class QuestionGroup:
    """Questions of one meaning; the one nearest the middle first."""

    rows: tuple[Row, ...]

    @property
    def key(self) -> UUID:
        return self.rows[0].id

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def first(self) -> datetime:
        return min(each.asked_at for each in self.rows)

    @property
    def last(self) -> datetime:
        return max(each.asked_at for each in self.rows)

    @property
    def languages(self) -> list[tuple[str, int]]:
        return Counter(each.language for each in self.rows).most_common()

    @property
    def nearest(self) -> UUID | None:
        """The document that came nearest to most of them."""
        counted = Counter(each.nearest for each in self.rows if each.nearest)
        return counted.most_common(1)[0][0] if counted else None

    @property
    def score(self) -> float:
        return max(each.score for each in self.rows)

    @property
    def promised(self) -> UUID | None:
        """The document that is being prepared for one of them."""
        return next((each.promised for each in self.rows if each.promised), None)

    @property
    def keys(self) -> list[UUID]:
        return [each.id for each in self.rows]

    @property
    def all_keys(self) -> str:
        """The keys for a form."""
        return ",".join(each.hex for each in self.keys)

    @property
    def linked(self) -> str:
        """The keys for an address."""
        return ",".join(each.hex for each in self.keys[:LINKED])


def waiting() -> QuerySet[UnansweredQuestion]:
    return UnansweredQuestion.objects.filter(resolved_at__isnull=True)


def grouped() -> list[QuestionGroup]:
    """The newest questions that wait, the largest group first. Reads vectors and no words; loads no model."""
    model = _model()
    rows = _sealed(waiting().filter(model=model).exclude(model=""), "vector")
    read = [(_row(row), _vector(row)) for row in reversed(rows.order_by("-created_at", "-id")[:NEWEST])]
    told = [(row, vector) for row, vector in read if vector is not None]
    alone = [QuestionGroup((row,)) for row, vector in read if vector is None]
    if not told:
        return alone
    found = grouping.groups(np.stack([vector for _, vector in told]))
    return [QuestionGroup(tuple(told[place][0] for place in each.members)) for each in found] + alone


def ungrouped() -> list[UnansweredQuestion]:
    """Questions whose vector is not there yet, or is another model's: `fill_vectors` makes them."""
    return list(_without_vector().defer("text", "vector")[:SHOWN])


def _without_vector() -> QuerySet[UnansweredQuestion]:
    return waiting().exclude(model=_model(), model__gt="").order_by("-created_at", "-id")


def _model() -> str:
    active = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.ACTIVE).values_list("model", flat=True)
    return active.first() or ""


def _sealed(rows: QuerySet[UnansweredQuestion], column: str) -> QuerySet[Any]:
    """With one column as it lies in the table: a row that no key opens must not be in the way of the others."""
    return rows.defer("text", "vector").annotate(sealed=Cast(column, BinaryField()))


def _vector(row: Any) -> Vectors | None:
    try:
        return grouping.unpack(unseal(bytes(row.sealed)))
    except (InvalidToken, ValueError):
        return None


def _row(row: UnansweredQuestion) -> Row:
    return Row(row.pk, row.created_at, row.language, row.score, row.nearest_id, row.document_id)


def words(keys: Iterable[UUID]) -> dict[UUID, str]:
    """The words of these questions. One that no key opens is said to be so."""
    rows = _sealed(UnansweredQuestion.objects.filter(pk__in=list(keys)), "text")
    return {row.pk: _opened(bytes(row.sealed)) for row in rows}


def _opened(sealed: bytes) -> str:
    try:
        return unseal(sealed)
    except InvalidToken:
        return MISSING


def keys_in(linked: str, *, most: int = 2 * LINKED) -> list[UUID]:
    """The keys in an address, `QuestionGroup.linked`; what is no key is left out."""
    found = []
    for part in linked.split(",")[:most]:
        try:
            found.append(UUID(part.strip()))
        except ValueError:
            continue
    return list(dict.fromkeys(found))


def promise(document: Document, keys: Sequence[UUID]) -> int:
    """Note on the questions that this document is meant to answer them."""
    return waiting().filter(pk__in=keys).update(document=document)


def published(document: Document, *, by: AbstractBaseUser, now: datetime) -> int:
    """The document can be cited now: what it was made for is dealt with."""
    return waiting().filter(document=document).update(resolved_at=now, resolved_by_id=by.pk)


def resolve(keys: Sequence[UUID], *, by: AbstractBaseUser, now: datetime) -> int:
    """Dealt with, by hand."""
    return waiting().filter(pk__in=keys).update(resolved_at=now, resolved_by_id=by.pk)


def reopen(keys: Sequence[UUID], *, resolved_at: datetime | None = None) -> int:
    """Take it back: they wait again. With a moment, only those that were dealt with just then."""
    done = Q(resolved_at__isnull=False) if resolved_at is None else Q(resolved_at=resolved_at)
    return UnansweredQuestion.objects.filter(done, pk__in=keys).update(resolved_at=None, resolved_by=None)


def fill_vectors(*, limit: int = 100) -> int:
    """Make the vectors that are missing or another model's; loads the model, so only in a worker."""
    model = embedding_indexes.current_model()
    filled = 0
    for row in _without_vector().only("id")[:limit]:
        text = words([row.pk])[row.pk]
        # One that cannot be read gets no vector and is not tried for ever.
        packed = grouping.pack(retrieval.prepare(text).vector) if text != MISSING else ""
        filled += UnansweredQuestion.objects.filter(pk=row.pk).update(vector=packed, model=model)
    return filled
