"""The page of unanswered questions: grouped, answered with one click, dealt with and taken back, for who may."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from knowledge import embedding_indexes, grouping, unanswered
from knowledge.models import Document, UnansweredQuestion
from tests import factories, fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]
GROUPS = "/admin/knowledge/unansweredquestion/groups/"
LIST = "/admin/knowledge/unansweredquestion/"


def staff(name: str, *permissions: str) -> User:
    person = factories.staff(name)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


@pytest.fixture
def meera() -> User:
    may = ["view_unansweredquestion", "change_unansweredquestion", "view_document", "add_document"]
    may += ["add_goldenquestion", "add_trial"]
    return staff("meera", *may)


@pytest.fixture
def desk(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(staff("lata", "view_unansweredquestion"))
    return client


def a_question(words: str = "what is zorbitis", **fields: Any) -> UnansweredQuestion:
    usual = {"language": "en", "score": 0.31, "answer_key": uuid4(), "model": embedding_indexes.current_model()}
    usual |= {"vector": grouping.pack(fakes.embed([words])[0])}
    return UnansweredQuestion.objects.create(text=words, **usual | fields)


def page(client: Client, **asked: str) -> str:
    answer = client.get(GROUPS, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def resolve(client: Client, *keys: UUID) -> Any:
    return client.post(reverse("admin:knowledge_unansweredquestion_resolve"), {"keys": ",".join(each.hex for each in keys)})


def test_questions_of_one_meaning_stand_together_with_count_and_nearest_document(desk: Client) -> None:
    dengue = factories.a_document("Dengue", "Dengue is a fever.", topic="Infections")
    some = [a_question("what is zorbitis", nearest=dengue), a_question("what is zorbitis please", language="hi")]
    alone = a_question("cabbage and thyroid")
    answer = desk.get(GROUPS)
    shown = answer.context["shown"]
    assert [(each.group.count, set(each.group.keys)) for each in shown] == [(2, {each.pk for each in some}), (1, {alone.pk})]
    text = answer.content.decode()
    assert "3 questions wait for an answer" in text
    for part in ("what is zorbitis please", "cabbage and thyroid", "Dengue", "The other 1"):
        assert part in text


def test_one_click_leads_to_an_answer_a_source_a_trial_and_a_golden_question(desk: Client) -> None:
    dengue = factories.a_document("Dengue", "Dengue is a fever.", topic="Infections")
    question = a_question(nearest=dengue)
    text = page(desk)
    key = question.pk.hex
    assert f'{reverse("admin:knowledge_document_add")}?answers={key}&amp;topic=Infections"' in text
    assert f'{reverse("admin:knowledge_trial_try")}?question={key}"' in text
    assert f'{reverse("admin:knowledge_goldenquestion_add")}?unanswered={key}"' in text


def test_no_address_on_the_page_holds_a_patients_words(desk: Client) -> None:
    a_question("zorbitis")
    addresses = [part.split('"')[0] for part in page(desk).split('href="')[1:]]
    assert not [each for each in addresses if "zorbitis" in each]


def test_what_is_dealt_with_leaves_the_page_and_comes_back_with_undo(desk: Client, meera: User) -> None:
    one, two = a_question(), a_question("cabbage")
    assert resolve(desk, one.pk).status_code == 302
    text = page(desk)
    assert "1 question marked as dealt with." in text
    assert [each.group.key for each in desk.get(GROUPS).context["shown"]] == [two.pk]
    one.refresh_from_db()
    assert (one.resolved_by, one.resolved_at is not None) == (meera, True)
    back = desk.post(reverse("admin:knowledge_unansweredquestion_reopen"), follow=True).content.decode()
    assert "1 question back on the list." in back
    assert unanswered.waiting().count() == 2
    again = desk.post(reverse("admin:knowledge_unansweredquestion_reopen"), follow=True).content.decode()
    assert "There is nothing to take back any more." in again


def test_what_somebody_else_dealt_with_first_is_said_and_stays_theirs(desk: Client) -> None:
    question, ravi = a_question(), staff("ravi")
    unanswered.resolve([question.pk], by=ravi, now=factories.NOW)
    assert "Somebody else dealt with these questions" in desk.get(resolve(desk, question.pk)["Location"]).content.decode()
    desk.post(reverse("admin:knowledge_unansweredquestion_reopen"))
    question.refresh_from_db()
    assert question.resolved_by == ravi


def test_an_answer_that_is_being_prepared_is_named(desk: Client) -> None:
    question = a_question()
    draft = Document.objects.create(title="About zorbitis", text="x", content_hash="h", status="in_review")
    unanswered.promise(draft, [question.pk])
    text = page(desk)
    assert "An answer is being prepared:" in text
    assert "About zorbitis" in text


def test_a_viewer_reads_and_changes_nothing(viewer: Client) -> None:
    question = a_question()
    text = page(viewer)
    assert "what is zorbitis" in text
    for button in ("Write an answer", "Mark as dealt with", "Try it", "Keep as golden question", "Upload a source"):
        assert button not in text
    assert resolve(viewer, question.pk).status_code == 403
    assert viewer.post(reverse("admin:knowledge_unansweredquestion_reopen")).status_code == 403
    viewer.post(LIST, {"action": "resolve", "_selected_action": [question.pk]})
    assert unanswered.waiting().count() == 1


def test_who_may_not_see_questions_sees_none(client: Client) -> None:
    a_question()
    client.force_login(staff("lata", "view_document"))
    assert client.get(GROUPS).status_code == 403
    client.logout()
    assert client.get(GROUPS).status_code == 302


@pytest.mark.parametrize("name", ["resolve", "reopen"])
def test_steps_are_taken_by_post_alone(desk: Client, name: str) -> None:
    assert desk.get(reverse(f"admin:knowledge_unansweredquestion_{name}")).status_code == 403


@pytest.mark.parametrize("keys", ["", "no key", "1,2,3", "x" * 10_000])
def test_keys_that_are_none_change_nothing(desk: Client, keys: str) -> None:
    a_question()
    answer = desk.post(reverse("admin:knowledge_unansweredquestion_resolve"), {"keys": keys}, follow=True)
    assert answer.status_code == 200
    assert unanswered.waiting().count() == 1


def test_many_groups_are_paged_and_a_strange_page_is_the_last(desk: Client) -> None:
    for vector in np.eye(25, embedding_indexes.active().dimensions, dtype=np.float32):
        a_question(vector=grouping.pack(vector))
    assert len(desk.get(GROUPS).context["shown"]) == 20
    assert [len(desk.get(GROUPS, {"page": each}).context["shown"]) for each in ("2", "99", "x")] == [5, 5, 20]


def test_questions_without_a_vector_are_listed_until_they_are_placed(desk: Client) -> None:
    a_question("an old one", vector="", model="")
    text = page(desk)
    assert "Not placed yet" in text
    assert "an old one" in text


def test_a_question_no_key_opens_takes_neither_page_with_it(desk: Client) -> None:
    bad, good = a_question(), a_question("cabbage")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE knowledge_unansweredquestion SET text = 'nonsense'::bytea WHERE id = %s", [bad.pk])
    text = page(desk)
    assert unanswered.MISSING in text
    assert "cabbage" in text
    assert good.pk != bad.pk
    own = desk.get(reverse("admin:knowledge_unansweredquestion_change", args=[bad.pk]))
    assert unanswered.MISSING in own.content.decode()


def test_an_empty_page_says_what_comes_here(desk: Client) -> None:
    assert "Every question so far found a source." in page(desk)


def test_the_list_shows_no_words_and_the_page_of_a_question_does(desk: Client) -> None:
    question = a_question()
    assert "zorbitis" not in desk.get(LIST).content.decode()
    own = reverse("admin:knowledge_unansweredquestion_change", args=[question.pk])
    assert "zorbitis" in desk.get(own).content.decode()
    text = desk.post(LIST, {"action": "resolve", "_selected_action": [question.pk]}, follow=True).content.decode()
    assert "1 question marked as dealt with." in text
    assert "Dealt with by meera" in desk.get(own).content.decode()
    text = desk.post(LIST, {"action": "reopen", "_selected_action": [question.pk]}, follow=True).content.decode()
    assert "1 question back on the list." in text


def test_a_hostile_question_is_shown_as_text(desk: Client) -> None:
    a_question('<script>alert("x")</script> zorbitis')
    assert "<script>alert" not in page(desk)
