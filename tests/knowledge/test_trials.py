"""Trials: asked for by a page, done by a worker once, taken up again after a crash, and forgotten."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection

from knowledge import embeddings, retrieval, trials
from knowledge.models import Document, EvaluationRun, GoldenQuestion, Trial
from knowledge.retrieval import Filters
from tests import factories
from tests.factories import MINUTE, NOW, SECOND

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]
Kind, Status = Trial.Kind, Trial.Status
SECRET = "zorbitis of my aunt"


@pytest.fixture
def meera() -> User:
    return factories.staff()


def a_trial(by: User, question: str = "fever", kind: str = Kind.SEARCH, **fields: Any) -> Trial:
    document = fields.pop("document", None)
    return trials.ask_for(kind, {"question": question} | fields, by=by, now=NOW, document=document)


def done(trial: Trial) -> Trial:
    claimed = trials.claim(trial.pk, now=NOW)
    assert claimed is not None
    trials.run(claimed, now=NOW)
    return Trial.objects.get(pk=trial.pk)


def crash(trial: Trial, *, at: Any) -> None:
    """A worker takes it and dies."""
    assert trials.claim(trial.pk, now=at) is not None


def test_a_question_is_searched_and_the_result_says_what_was_found_and_why(meera: User) -> None:
    document = factories.a_document("Fever", "# Fever\n\n## What to do\n\nDrink water when you have a fever.")
    trial = done(a_trial(meera, "what helps against fever"))
    assert (trial.status, trial.attempts, trial.reason) == (Status.DONE, 1, "")
    assert trial.finished_at is not None
    assert trial.finished_at >= NOW
    result = trial.result
    (first,) = result["passages"]
    assert (result["question"], first["document"], first["title"]) == ("what helps against fever", str(document.pk), "Fever")
    assert (first["publisher"], first["url"], first["unreviewed"]) == ("WHO", "https://example.org/article", True)
    assert first["text"] == "Drink water when you have a fever."
    assert [name for name, _ in first["parts"]]
    assert sum(figure for _, figure in first["parts"]) == pytest.approx(first["score"], abs=0.001)
    assert {"embed", "search"} == set(result["took"])


def test_what_was_asked_and_found_is_sealed_in_the_row(meera: User) -> None:
    factories.a_document("Zorbitis", f"# Zorbitis\n\nAbout {SECRET}.")
    done(a_trial(meera, SECRET))
    with connection.cursor() as cursor:
        cursor.execute("SELECT asked, result FROM knowledge_trial")
        row = b"".join(bytes(each) for each in cursor.fetchone())
    assert b"zorbitis" not in row.lower()
    assert Trial.objects.get().asked == {"question": SECRET}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, Filters("en", None)),
        ({"language": "", "audience": ""}, Filters(None, None)),
        ({"language": None}, Filters(None, None)),
        ({"language": "hi", "audience": "clinician"}, Filters("hi", "clinician")),
    ],
)
def test_the_filters_are_those_that_were_asked_for(asked: dict[str, Any], expected: Filters) -> None:
    assert trials.filters(asked, None) == expected


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (None, 3), (1000, 3), (-5, 1), (0, 3)])
def test_the_limit_is_kept_within_bounds(meera: User, limit: int | None, count: int) -> None:
    for number in range(3):
        factories.a_document(f"Fever {number}", f"Fever number {number} and water.")
    assert len(done(a_trial(meera, limit=limit)).result["passages"]) == count


def test_a_document_under_review_takes_part_in_its_own_trial_alone(meera: User) -> None:
    draft = factories.a_document("Fever", "Rest when you have a fever.", origin=Document.Origin.UPLOAD, slug="")
    assert done(a_trial(meera)).result["passages"] == []
    assert [each["document"] for each in done(a_trial(meera, document=draft)).result["passages"]] == [str(draft.pk)]


def test_trials_are_handed_out_oldest_first_and_once_at_a_time(meera: User) -> None:
    first, second = a_trial(meera), a_trial(meera)
    Trial.objects.filter(pk=first.pk).update(created_at=NOW - MINUTE)
    assert trials.waiting(now=NOW) == [first.pk, second.pk]
    crash(first, at=NOW)
    assert trials.waiting(now=NOW + SECOND) == [second.pk]
    assert trials.claim(first.pk, now=NOW + SECOND) is None
    assert trials.claim(uuid4(), now=NOW) is None


def test_a_trial_of_a_dead_worker_is_tried_again_and_failed_with_a_sentence_after_three(meera: User) -> None:
    trial, at = a_trial(meera), NOW
    for attempt in range(1, 4):
        assert trials.waiting(now=at) == [trial.pk]
        crash(trial, at=at)
        trial.refresh_from_db()
        assert (trial.status, trial.attempts) == (Status.RUNNING, attempt)
        at += trials.STALLED_AFTER
    assert trials.waiting(now=at) == []
    trial.refresh_from_db()
    assert (trial.status, trial.reason, trial.finished_at) == (Status.FAILED, trials.STOPPED, at)
    assert trials.claim(trial.pk, now=at) is None


def test_a_worker_that_comes_back_from_the_dead_changes_nothing(meera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = a_trial(meera)
    slow = trials.claim(trial.pk, now=NOW)
    quick = trials.claim(trial.pk, now=NOW + MINUTE)
    assert slow is not None
    assert quick is not None
    trials.perform(quick, lambda _: {"by": "quick"}, now=NOW)
    trials.perform(slow, lambda _: {"by": "slow"}, now=NOW)
    trials.report(slow, {"by": "slow"}, now=NOW)
    trial.refresh_from_db()
    assert (trial.status, trial.result) == (Status.DONE, {"by": "quick"})


def test_a_fault_is_told_by_its_class_and_never_by_its_words(
    meera: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def choke(question: str, *, language: str) -> None:
        raise ValueError(f"cannot read {question}")

    monkeypatch.setattr(retrieval, "prepare", choke)
    trial = done(a_trial(meera, SECRET))
    assert (trial.status, trial.result) == (Status.FAILED, None)
    assert "ValueError" in trial.reason
    assert "zorbitis" not in trial.reason


def test_a_model_that_is_not_there_says_what_to_do(meera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise embeddings.ModelNotFound("The embedding model x is not here. Set EMBEDDING_MODEL.")

    monkeypatch.setattr(embeddings, "embed", refuse)
    assert done(a_trial(meera)).reason == "The embedding model x is not here. Set EMBEDDING_MODEL."


def test_a_database_that_is_away_leaves_the_trial_to_be_tried_again(meera: User) -> None:
    def away(_: Trial) -> dict[str, Any]:
        raise DatabaseError("gone")

    trial = trials.claim(a_trial(meera).pk, now=NOW)
    assert trial is not None
    with pytest.raises(DatabaseError):
        trials.perform(trial, away, now=NOW)
    assert Trial.objects.get().status == Status.RUNNING
    assert trials.waiting(now=NOW + MINUTE) == [trial.pk]


def test_a_question_no_key_opens_fails_alone(meera: User) -> None:
    trial, other = a_trial(meera), a_trial(meera, "water")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE knowledge_trial SET asked = 'nonsense'::bytea WHERE id = %s", [trial.pk])
    claimed = trials.claim(trial.pk, now=NOW)
    assert claimed is not None
    trials.run(claimed, now=NOW)
    rows = dict(Trial.objects.values_list("pk", "status"))
    assert rows == {trial.pk: Status.FAILED, other.pk: Status.WAITING}
    assert done(other).status == Status.DONE


def test_the_golden_questions_run_one_at_a_time_and_hold_nobody_up(meera: User) -> None:
    first, second, search = a_trial(meera, kind=Kind.GOLDEN), a_trial(meera, kind=Kind.GOLDEN), a_trial(meera)
    assert trials.waiting(now=NOW) == [first.pk, search.pk]
    crash(first, at=NOW)
    assert trials.waiting(now=NOW) == [search.pk]
    assert trials.waiting(now=NOW + MINUTE) == [first.pk, search.pk]
    done(second)
    assert trials.waiting(now=NOW + MINUTE) == [first.pk, search.pk]


def test_a_run_of_the_golden_questions_writes_how_far_it_is_and_its_result(meera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        GoldenQuestion.objects.create(text=f"question {number}")
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(trials, "report", lambda trial, part, now: told.append(part))
    trial = done(a_trial(meera, kind=Kind.GOLDEN))
    assert [each["done"] for each in told] == [0, 10, 20]
    assert (trial.result["total"], trial.result["done"], len(trial.result["questions"])) == (25, 25, 25)
    assert EvaluationRun.objects.get().kind == "golden"


def test_a_sign_of_life_keeps_a_long_run_from_being_taken_away(meera: User) -> None:
    trial = trials.claim(a_trial(meera, kind=Kind.GOLDEN).pk, now=NOW)
    assert trial is not None
    trials.report(trial, {"done": 10}, now=NOW + MINUTE - SECOND)
    assert trials.waiting(now=NOW + MINUTE + SECOND) == []
    assert Trial.objects.get().result == {"done": 10}


def test_trials_are_forgotten_after_a_week(meera: User) -> None:
    old, young = a_trial(meera), a_trial(meera)
    Trial.objects.filter(pk=old.pk).update(created_at=NOW - trials.KEPT_FOR - SECOND)
    assert trials.forget_old(now=NOW) == 1
    assert list(Trial.objects.all()) == [young]
