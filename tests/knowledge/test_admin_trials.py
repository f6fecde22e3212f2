"""Try a question: asked by POST, shown when a worker has done it, to nobody but who asked; golden questions likewise."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge import golden, trials
from knowledge.models import Document, GoldenQuestion, Trial, UnansweredQuestion
from tests import factories
from tests.factories import MINUTE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]
TRY = "/admin/knowledge/trial/try/"
GOLDEN = "/admin/knowledge/goldenquestion/"


def staff(name: str, *permissions: str) -> User:
    person = factories.staff(name)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


@pytest.fixture
def desk(client: Client) -> Client:
    may = [f"{verb}_{noun}" for verb in ("view", "add", "change") for noun in ("document", "goldenquestion")]
    client.force_login(staff("meera", *may, "add_trial", "view_unansweredquestion"))
    return client


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(staff("lata", "view_document", "view_goldenquestion"))
    return client


def ask(client: Client, question: str = "fever", **fields: str) -> Trial:
    answer = client.post(TRY, {"question": question, "language": "en", "audience": ""} | fields)
    assert answer.status_code == 302
    trial = Trial.objects.get()
    assert answer["Location"] == page(trial) + "#result"
    return trial


def page(trial: Trial) -> str:
    return reverse("admin:knowledge_trial_shown", args=[trial.pk])


def done(trial: Trial, result: dict[str, Any] | None = None) -> Trial:
    now = timezone.now()
    claimed = trials.claim(trial.pk, now=now)
    assert claimed is not None
    if result is None:
        trials.run(claimed, now=now)
    else:
        trials.perform(claimed, lambda _: result, now=now)
    return trial


def text(client: Client, address: str, **asked: str) -> str:
    answer = client.get(address, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def an_answer(**fields: Any) -> dict[str, Any]:
    usual = {"kind": "extractive", "text": "Drink water. [1]", "preface": "", "confidence": 0.83, "enough": 0.5}
    cited = {"number": 1, "document": str(uuid4()), "title": "Fever", "publisher": "WHO", "url": "", "page": 4, "quote": "Drink."}
    return usual | {"triage_level": "routine", "citations": [cited], "timings": {"embed": 5}} | fields


def test_a_question_waits_for_a_worker_and_then_shows_what_was_found_and_why(desk: Client) -> None:
    document = factories.a_document("Fever in children", "Children with a fever drink water.", topic="Fever")
    trial = ask(desk, "children with fever")
    waiting = text(desk, page(trial))
    assert "Waiting for a worker" in waiting
    assert "data-until-done" in waiting
    assert "data-open" in text(desk, page(trial), part="result")
    done(trial)
    part = text(desk, page(trial), part="result")
    assert "data-open" not in part
    for said in ("1 passage, the best first", "Fever in children", "Close in meaning", "Would be cited first", "<rect"):
        assert said in part
    assert "Shares the words children, with, fever" in part or "Shares the words children, fever" in part
    assert reverse("admin:knowledge_document_change", args=[document.pk]) in part
    assert "Starter text: no clinician has reviewed it." in part
    assert "data-until-done" not in text(desk, page(trial))


def test_the_fragment_is_never_kept_by_a_cache_and_no_style_stands_in_it(desk: Client) -> None:
    factories.a_document("Fever", "Fever and water.")
    trial = done(ask(desk))
    answer = desk.get(page(trial), {"part": "result"})
    assert "no-store" in answer["Cache-Control"]
    assert " style=" not in answer.content.decode()
    assert "<script" not in answer.content.decode()


def test_what_is_typed_stands_in_no_address(desk: Client) -> None:
    trial = ask(desk, "zorbitis of my aunt")
    assert "zorbitis" not in page(trial)
    assert (trial.kind, trial.asked) == ("search", {"question": "zorbitis of my aunt", "language": "en", "audience": ""})
    assert "zorbitis of my aunt" in text(desk, page(trial))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"question": ""}, "Write a question first."),
        ({"question": "   "}, "Write a question first."),
        ({"question": "x" * 4_097}, "A question has at most 4,096 characters."),
        ({"question": "a\x00b"}, "Null characters are not allowed."),
        ({"question": "fever", "language": "tlh"}, "Choose one of the languages and audiences"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_a_sentence(desk: Client, fields: dict[str, str], said: str) -> None:
    answer = desk.post(TRY, {"language": "en", "audience": ""} | fields)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Trial.objects.exists()


def change_page(trial: Trial) -> str:
    return reverse("admin:knowledge_trial_change", args=[trial.pk])


def test_who_asked_sees_it_at_both_addresses(desk: Client) -> None:
    trial = done(ask(desk, "zorbitis of my aunt", answer="1"), an_answer(text="Rest well."))
    for address in (page(trial), change_page(trial)):
        assert "zorbitis of my aunt" in text(desk, address)
        assert "Rest well." in text(desk, address)


@pytest.mark.parametrize("superuser", [False, True])
def test_only_who_asked_sees_it(superuser: bool, desk: Client, client: Client) -> None:
    trial = ask(desk, "zorbitis of my aunt")
    other = staff("ravi", "view_document", "view_trial", "add_trial")
    User.objects.filter(pk=other.pk).update(is_superuser=superuser)
    client.force_login(other)
    for address in (page(trial), change_page(trial), change_page(Trial(pk=uuid4())), page(Trial(pk=uuid4()))):
        assert client.get(address).status_code == 404
    assert client.get("/admin/knowledge/trial/nonsense/change/").status_code == 404
    history = client.get(reverse("admin:knowledge_trial_history", args=[trial.pk]), follow=True)
    assert "zorbitis" not in history.content.decode()


def test_golden_runs_have_pages_of_their_own(desk: Client) -> None:
    trial = trials.ask_for("golden", {}, by=User.objects.get(), now=timezone.now())
    assert [desk.get(each).status_code for each in (page(trial), change_page(trial))] == [404, 404]


def test_a_viewer_may_look_and_not_ask(viewer: Client) -> None:
    assert viewer.get(TRY).status_code == 200
    assert viewer.post(TRY, {"question": "fever", "language": "en", "audience": ""}).status_code == 403
    assert not Trial.objects.exists()


def test_trying_needs_the_permission_to_see_documents(client: Client) -> None:
    client.force_login(staff("asha", "view_unansweredquestion"))
    assert client.get(TRY).status_code == 403
    assert client.post(TRY, {"question": "fever"}).status_code == 403
    assert not Trial.objects.exists()


def test_a_document_under_review_takes_part_and_the_page_says_so(desk: Client) -> None:
    draft = factories.a_document("Fever anew", "Fever and water.", origin=Document.Origin.UPLOAD, slug="")
    opened = text(desk, TRY, document=str(draft.pk))
    assert "takes part although it is not published" in opened
    assert "Answer as Jeevo would" not in opened
    trial = done(ask(desk, document=draft.pk.hex, answer="1"))
    assert trial.kind == "search"
    shown = text(desk, page(trial))
    assert "Under review: it takes part in this trial only." in shown
    assert "takes part although it is not published" in shown
    assert desk.get(TRY, {"document": str(uuid4())}).status_code == 404


def test_an_unanswered_question_is_filled_in_for_who_may_read_it(desk: Client, client: Client) -> None:
    question = UnansweredQuestion.objects.create(text="what is zorbitis", language="en", score=0.1, answer_key=uuid4())
    assert "what is zorbitis" in text(desk, TRY, question=question.pk.hex)
    assert text(desk, TRY, question=uuid4().hex)
    client.force_login(staff("lata", "view_document"))
    assert "zorbitis" not in text(client, TRY, question=question.pk.hex)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (an_answer(), ["Jeevo would answer this", "0.83", "Drink water. [1]", "page 4", "Drink."]),
        (
            an_answer(kind="declined", confidence=0.2, citations=[]),
            ["Jeevo would not answer this", "0.20", "It would offer to talk to a person"],
        ),
        (
            an_answer(kind="emergency", text="Call 112 now.", confidence=None, triage_level="emergency", citations=[]),
            ["Jeevo would send an emergency reply", "Triage saw a red flag", "Call 112 now."],
        ),
        (
            an_answer(kind="fixed", text="Hello.", confidence=None, citations=[]),
            ["Jeevo would send a fixed reply", "The question needs no search."],
        ),
        (an_answer(triage_level="urgent", preface="See a doctor today."), ["See a doctor today.", "Urgent"]),
    ],
)
def test_an_answer_is_shown_as_the_person_would_get_it(desk: Client, result: dict[str, Any], said: list[str]) -> None:
    trial = ask(desk, answer="1")
    assert trial.kind == "ask"
    part = text(desk, page(done(trial, result)), part="result")
    assert [each for each in said if each not in part] == []


def test_nothing_found_and_a_fault_are_said_plainly(desk: Client) -> None:
    trial = ask(desk)
    assert "Nothing is found" in text(desk, page(done(trial)), part="result")
    Trial.objects.update(status="failed", reason=trials.STOPPED, result=None)
    assert trials.STOPPED in text(desk, page(trial))


def test_a_trial_that_nobody_takes_up_says_that_the_workers_may_be_stopped(desk: Client) -> None:
    trial = ask(desk)
    Trial.objects.update(created_at=timezone.now() - MINUTE)
    assert "The workers may be stopped" in text(desk, page(trial), part="result")


def test_the_list_of_trials_leads_to_the_page(desk: Client) -> None:
    assert desk.get("/admin/knowledge/trial/")["Location"] == TRY


# Golden questions


def a_golden(words: str = "fever hot", document: Document | None = None, **fields: Any) -> GoldenQuestion:
    return GoldenQuestion.objects.create(text=words, document=document, **fields)


def run(client: Client, **fields: str) -> Trial:
    answer = client.post(reverse("admin:knowledge_goldenquestion_run"), fields)
    assert answer.status_code == 302
    trial = Trial.objects.filter(kind="golden")[0]
    assert answer["Location"] == results(trial)
    return trial


def results(trial: Trial) -> str:
    return reverse("admin:knowledge_goldenquestion_results", args=[trial.pk])


def test_a_golden_question_is_added_by_a_person_and_switched_off_instead_of_deleted(desk: Client) -> None:
    document = factories.a_document("Fever", "Fever is hot.")
    form = {"text": "how hot is a fever", "document": document.pk, "language": "en", "note": "", "active": "on"}
    assert desk.post(GOLDEN + "add/", form).status_code == 302
    question = GoldenQuestion.objects.get()
    assert (question.text, question.document, str(question.created_by)) == ("how hot is a fever", document, "meera")
    assert desk.post(f"{GOLDEN}{question.pk}/delete/", {"post": "yes"}).status_code == 403
    assert (
        "1 switched off."
        in desk.post(GOLDEN, {"action": "switch_off", "_selected_action": [question.pk]}, follow=True).content.decode()
    )
    question.refresh_from_db()
    assert question.active is False


def test_an_unanswered_question_is_shown_beside_an_empty_box_to_be_reworded(desk: Client, client: Client) -> None:
    question = UnansweredQuestion.objects.create(text="my aunt Mira has zorbitis", language="en", score=0.1, answer_key=uuid4())
    answer = desk.get(GOLDEN + "add/", {"unanswered": question.pk.hex})
    assert "my aunt Mira has zorbitis" in answer.content.decode()
    assert "so that nothing personal stays" in answer.content.decode()
    assert answer.context["adminform"].form.initial.get("text") is None
    client.force_login(staff("lata", "add_goldenquestion"))
    assert "my aunt Mira" not in client.get(GOLDEN + "add/", {"unanswered": question.pk.hex}).content.decode()


def test_the_list_says_how_each_question_did_when_all_were_asked_last(desk: Client) -> None:
    fever = factories.a_document("Fever", "Fever is hot.")
    a_golden("fever hot", fever)
    a_golden("burns", factories.a_document("Burns", "Scalds."), language="hi")
    a_golden("trains to the coast")
    assert text(desk, GOLDEN).count("not asked yet") == 3
    done(run(desk))
    listed = text(desk, GOLDEN)
    for said in ("right: 1st", "wrong: not found", "right: nothing near", "2 of 3 golden questions find what they should."):
        assert said in listed


def test_a_run_is_started_once_shown_while_it_goes_and_compared_with_a_document(desk: Client) -> None:
    fever = factories.a_document("Fever", "Fever makes you hot.")
    draft = factories.a_document("Fever hot", "Fever hot.", origin=Document.Origin.UPLOAD, slug="")
    a_golden("fever hot", fever)
    trial = run(desk, document=draft.pk.hex)
    assert run(desk, document=draft.pk.hex) == trial
    assert "data-until-done" in text(desk, results(trial))
    done(trial)
    shown = text(desk, results(trial))
    for said in ("▼ worse", "1st", "2nd", "With this document 1 does worse and 0 do better.", "Fever hot"):
        assert said in shown
    assert golden.latest(draft) == trial


def test_progress_is_a_bar_with_its_numbers(desk: Client) -> None:
    a_golden()
    trial = trials.claim(run(desk).pk, now=timezone.now())
    assert trial is not None
    trials.report(trial, {"total": 30, "done": 10, "questions": []}, now=timezone.now())
    part = text(desk, results(trial), part="result")
    assert "10 of 30 golden questions asked." in part
    assert '<progress max="30" value="10"' in part


def test_a_viewer_sees_results_and_starts_nothing(viewer: Client) -> None:
    a_golden()
    trial = trials.ask_for("golden", {}, by=staff("meera"), now=timezone.now())
    assert "Ask them" not in text(viewer, GOLDEN) + text(viewer, results(trial))
    assert viewer.post(reverse("admin:knowledge_goldenquestion_run")).status_code == 403
    assert viewer.get(reverse("admin:knowledge_goldenquestion_run")).status_code == 403
    viewer.force_login(staff("asha"))
    assert viewer.get(results(trial)).status_code == 403


def test_without_golden_questions_the_pages_say_how_to_begin(desk: Client) -> None:
    assert "No golden question is kept yet." in text(desk, GOLDEN)
    assert "Keep some golden questions first." in text(desk, results(done(run(desk))))
