"""Embedding indexes in the console: started, watched, paused and cancelled by who may, and the model loaded by nobody."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge import embedding_indexes, reindexing
from knowledge.models import EmbeddingIndex
from tests import factories

Status = EmbeddingIndex.Status
pytestmark = pytest.mark.django_db
LIST, ADD = "admin:knowledge_embeddingindex_changelist", "admin:knowledge_embeddingindex_add"


def desk(*permissions: str) -> Client:
    person = User.objects.create(username="meera", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def operator() -> Client:
    return desk("view_embeddingindex", "add_embeddingindex")


def page(client: Client, index: EmbeddingIndex, **query: str) -> str:
    return client.get(reverse("admin:knowledge_embeddingindex_change", args=[index.pk]), query).content.decode()


def take(client: Client, index: EmbeddingIndex, step: str) -> int:
    address = reverse("admin:knowledge_embeddingindex_step", args=[index.pk])
    return client.post(address, {"step": step}).status_code


def test_the_list_says_which_model_answers(operator: Client) -> None:
    embedding_indexes.active()
    listed = operator.get(reverse(LIST)).content.decode()
    assert "all-MiniLM-L6-v2" in listed
    assert "Answers now" in listed


def test_a_new_model_is_asked_for_by_name_and_left_to_the_worker(operator: Client) -> None:
    operator.post(reverse(ADD), {"model": "  intfloat/multilingual-e5-small "})
    index = EmbeddingIndex.objects.get(status=Status.BUILDING)
    assert (index.model, index.requested_by, index.dimensions) == ("intfloat/multilingual-e5-small", "meera", 0)
    shown = page(operator, index)
    assert "waits for the indexing worker" in shown
    assert "all-MiniLM-L6-v2 answers all the while" in shown
    assert 'data-refresh="?part=progress"' in shown


def test_progress_is_a_part_of_the_page_that_refreshes_itself(operator: Client) -> None:
    index = EmbeddingIndex.objects.create(model="m", dimensions=48, done=30, total=120)
    part = page(operator, index, part="progress")
    assert "30 of 120 documents, 25 %" in part
    assert "<html" not in part


def test_a_second_one_is_refused_with_a_sentence(operator: Client) -> None:
    EmbeddingIndex.objects.create(model="m", dimensions=48)
    shown = operator.post(reverse(ADD), {"model": "another"}).content.decode()
    assert "Another index is being built" in shown
    assert not EmbeddingIndex.objects.filter(model="another").exists()


def test_it_is_paused_gone_on_with_and_cancelled(operator: Client) -> None:
    index = EmbeddingIndex.objects.create(model="m", dimensions=48)
    for step, status in (("pause", Status.PAUSED), ("resume", Status.BUILDING), ("cancel", Status.CANCELLED)):
        assert take(operator, index, step) == 302
        index.refresh_from_db()
        assert index.status == status


def test_asking_again_goes_on_with_what_was_cancelled(operator: Client) -> None:
    index = EmbeddingIndex.objects.create(model="m", dimensions=48, status=Status.CANCELLED)
    operator.post(reverse(ADD), {"model": "m"})
    index.refresh_from_db()
    assert index.status == Status.BUILDING
    assert EmbeddingIndex.objects.filter(model="m").count() == 1


def test_the_index_that_answers_cannot_be_removed(operator: Client) -> None:
    document = factories.a_document("Fever", "Drink water.")
    take(operator, embedding_indexes.active(), "remove")
    assert document.chunks.exists()


def test_a_failure_is_shown_with_what_answers_now(operator: Client) -> None:
    index = EmbeddingIndex.objects.create(model="m", dimensions=0, status=Status.FAILED, reason="The model is not here.")
    shown = page(operator, index)
    assert "The model is not here." in shown
    assert "all-MiniLM-L6-v2 answers as before" in shown


def test_who_may_only_look_can_do_nothing() -> None:
    viewer = desk("view_embeddingindex")
    index = EmbeddingIndex.objects.create(model="m", dimensions=48)
    assert 'name="step"' not in page(viewer, index)
    assert take(viewer, index, "cancel") == 403
    assert viewer.post(reverse(ADD), {"model": "x"}).status_code == 403
    index.refresh_from_db()
    assert index.status == Status.BUILDING


def test_a_stranger_sees_nothing() -> None:
    stranger = desk()
    index = EmbeddingIndex.objects.create(model="m", dimensions=48)
    assert stranger.get(reverse("admin:knowledge_embeddingindex_change", args=[index.pk])).status_code == 403


def test_the_passages_of_an_index_that_is_not_used_are_left_to_the_worker_to_remove(operator: Client) -> None:
    index = EmbeddingIndex.objects.create(model="m", dimensions=48, status=Status.CANCELLED)
    take(operator, index, "remove")
    index.refresh_from_db()
    assert index.finished_at is not None
    assert index.finished_at <= timezone.now() - reindexing.KEPT
