"""Restores of the knowledge base alone, as tests ask for them."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone

from conversations.models import Citation
from knowledge import embedding_indexes, embeddings, retrieval
from knowledge.models import Document
from operations import backups, postgres, restores
from operations.models import Backup, Restore
from tests import factories

FEVER, COUGH = "Drink water when you have a fever. Rest in bed.", "Honey eases a cough. Not for babies."


def a_dump() -> Backup:
    return backups.take("dump", now=timezone.now())


def prepared(backup: Backup, people: tuple[User, User]) -> Restore:
    meera, ravi = people
    restore = restores.request(backup=backup, reason="A test.", by=meera, now=timezone.now(), scope="knowledge")
    restores.approve(restore, by=ravi, now=timezone.now())
    return restores.prepare(restore)


def confirmed(backup: Backup, people: tuple[User, User]) -> Restore:
    restore = prepared(backup, people)
    assert restore.status == "ready", restore.problem
    return restores.confirm(restore, typed=postgres.live().database, by=people[0], now=timezone.now())


def found(words: str) -> list[str]:
    query = retrieval.Query(words, words, embeddings.embed([words]), embedding_indexes.active())
    return [passage.title for passage in retrieval.search(query)]


def cited(document: Document, **fields: object) -> Citation:
    answer = factories.an_answer(factories.a_contact(phone_key=document.pk.hex))
    usual = {"number": 1, "chunk_key": document.pk, "title": document.title, "quote": "Rest.", "score": 0.9}
    return Citation.objects.create(answer=answer, document=document, **usual | fields)
