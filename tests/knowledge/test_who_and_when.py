"""Who and when travel together in every table of knowledge: the database refuses one without the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from knowledge.models import Document
from tests.knowledge import people

# Rows of the first release have the time and nobody, so both or neither cannot be asked of them.
WITHOUT_A_NAME_ONCE = {("UnansweredQuestion", "resolved")}


def pairs() -> Iterator[tuple[Any, str]]:
    """Models with `x_by` and an `x_at` that may be empty. A row's own time of making is no step of anybody."""
    for model in apps.get_app_config("knowledge").get_models():
        names = {each.name: each for each in model._meta.get_fields() if isinstance(each, models.Field)}
        for name in names:
            at = names.get(name.removesuffix("_by") + "_at")
            if name.endswith("_by") and at is not None and at.null and not model.__name__.startswith("Historical"):
                yield model, name.removesuffix("_by")


def test_the_pairs_are_found() -> None:
    found = {(model.__name__, pair) for model, pair in pairs()}
    assert found >= {("Document", "reviewed"), ("Document", "confirmed"), ("Document", "retired")} | WITHOUT_A_NAME_ONCE


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "pair"), list(pairs()), ids=lambda each: each if isinstance(each, str) else each.__name__)
def test_every_pair_is_under_a_constraint_of_the_database(model: Any, pair: str) -> None:
    if (model.__name__, pair) in WITHOUT_A_NAME_ONCE:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass",
            [model._meta.db_table],
        )
        rules = [rule for (rule,) in cursor.fetchall()]
    assert any(f"{pair}_by_id IS NULL" in rule and f"{pair}_at IS NULL" in rule for rule in rules)


@pytest.mark.django_db
@pytest.mark.parametrize("pair", ["reviewed", "confirmed", "retired"])
@pytest.mark.parametrize("half", ["by", "at"])
def test_half_a_pair_is_refused(pair: str, half: str) -> None:
    document, meera = people.a_document(), people.reviewer()
    value = meera if half == "by" else timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        Document.objects.filter(pk=document.pk).update(**{f"{pair}_{half}": value})


@pytest.mark.django_db
def test_nothing_is_published_without_a_review_or_while_it_is_retired() -> None:
    document, meera, now = people.a_document(), people.reviewer(), timezone.now()
    rows = Document.objects.filter(pk=document.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(status="published")
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(status="published", reviewed_by=meera, reviewed_at=now, retired_by=meera, retired_at=now)
