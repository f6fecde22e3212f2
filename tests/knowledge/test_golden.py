"""Golden questions: the place of the right document now and with a document under review; worse and better by a rule."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import golden, trials
from knowledge.models import Document, EvaluationQuestion, EvaluationRun, GoldenQuestion, Trial
from tests import factories
from tests.factories import NOW, SECOND

if TYPE_CHECKING:
    from tests.library import Library

pytest_plugins = ("tests.library",)
QUESTIONS = tomllib.loads(Path(__file__).with_name("questions.toml").read_text())
places = st.none() | st.integers(1, 12)


def ignore(_: dict[str, Any]) -> None:
    """Progress nobody looks at."""


def asked(document: Document | None = None) -> dict[str, Any]:
    return golden.run(document=document.pk if document else None, progress=ignore, now=NOW)


def a_golden(text: str, document: Document | None = None, **fields: Any) -> GoldenQuestion:
    return GoldenQuestion.objects.create(text=text, document=document, **fields)


def a_draft(title: str, text: str) -> Document:
    """Under review, and so found by nobody yet."""
    return factories.a_document(title, text, origin=Document.Origin.UPLOAD, slug="")


def row(before: int | None, after: int | None) -> dict[str, Any]:
    return {
        "before": before,
        "after": after,
        "right_before": before is not None and before <= golden.FIRST,
        "right_after": after is not None and after <= golden.FIRST,
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_question_is_right_when_its_document_is_among_the_first_three() -> None:
    fever = factories.a_document("Fever", "Fever makes you hot.")
    factories.a_document("Burns", "Burns hurt.")
    right, wrong = a_golden("fever hot", fever), a_golden("burns hurt", a_draft("Scalds", "Scalds by water."))
    result = asked()
    found = {each["id"]: each for each in result["questions"]}
    assert (found[str(right.pk)]["before"], found[str(right.pk)]["right_after"]) == (1, True)
    assert (found[str(wrong.pk)]["before"], found[str(wrong.pk)]["right_before"]) == (None, False)
    assert (result["total"], result["done"], result["right_before"], result["right_after"]) == (2, 2, 1, 1)
    assert (result["worse"], result["better"], result["document"]) == ([], [], None)


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_document_under_review_shows_what_it_would_change() -> None:
    fever = factories.a_document("Fever", "Fever makes you hot and tired.")
    draft = a_draft("Fever hot", "Fever hot. Drink water.")
    kept, gained = a_golden("fever hot", fever), a_golden("drink water", draft)
    result = asked(draft)
    found = {each["id"]: each for each in result["questions"]}
    assert [(each["before"], each["after"]) for each in (found[str(kept.pk)], found[str(gained.pk)])] == [(1, 2), (None, 1)]
    assert (result["worse"], result["better"]) == ([str(kept.pk)], [str(gained.pk)])
    assert (result["right_before"], result["right_after"], result["document"]) == (1, 2, str(draft.pk))
    assert not EvaluationRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_question_that_expects_nothing_is_right_until_something_comes_near() -> None:
    factories.a_document("Burns", "Burns hurt.")
    question = a_golden("train tickets to the coast")
    draft = a_draft("Trains", "Train tickets to the coast.")
    (told,) = asked(draft)["questions"]
    assert (told["expected"], told["title"], told["before"], told["after"]) == (None, "", None, None)
    assert (told["right_before"], told["right_after"]) == (True, False)
    assert told["nearest_before"] < golden.NOTHING_NEAR < told["nearest_after"]
    assert asked(draft)["worse"] == [str(question.pk)]


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_questions_that_are_switched_off_are_not_asked_and_languages_are_kept_apart() -> None:
    fever = factories.a_document("Fever", "Fever makes you hot.")
    a_golden("fever", fever, active=False)
    a_golden("fever hot", fever, language="hi")
    (told,) = asked()["questions"]
    assert (told["text"], told["language"], told["before"]) == ("fever hot", "hi", None)


@pytest.mark.django_db
def test_without_questions_nothing_is_kept_and_the_sentence_says_so() -> None:
    result = asked()
    assert (result["total"], EvaluationRun.objects.count()) == (0, 0)
    assert golden.last_run() is None
    trial = Trial(status="done", result=result)
    assert golden.sentence(trial) == "No golden question is kept yet, so there is nothing to compare with."


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_whole_run_is_kept_to_compare_with_later() -> None:
    question = a_golden("fever hot", factories.a_document("Fever", "Fever makes you hot."))
    asked()
    asked()
    run = golden.last_run()
    assert run is not None
    assert (run.kind, run.settings["right"], run.settings["total"], run.passages) == ("golden", 1, 1, 1)
    assert EvaluationRun.objects.count() == 2
    figure = EvaluationQuestion.objects.get(run=run, key=str(question.pk))
    assert (figure.dataset, figure.text, figure.score, figure.rank) == ("golden", "fever hot", 1.0, 1)


def test_places_count_documents_and_not_passages() -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    found: list[UUID] = [one, one, two, one, three]
    assert [golden.place_of(each, found) for each in (one, two, three, uuid4())] == [1, 2, 3, None]


@pytest.mark.parametrize(
    ("before", "after", "worse", "better"),
    [
        (1, 1, False, False),
        (1, 2, True, False),
        (3, None, True, False),
        (3, 4, True, False),
        (4, 9, False, False),
        (9, None, False, False),
        (None, 1, False, True),
        (5, 3, False, True),
        (2, 1, False, True),
        (9, 4, False, False),
    ],
)
def test_worse_and_better_follow_one_rule(before: int | None, after: int | None, worse: bool, better: bool) -> None:
    assert (golden.got_worse(row(before, after)), golden.got_better(row(before, after))) == (worse, better)


@given(before=places, after=places)
def test_what_is_worse_one_way_is_better_the_other(before: int | None, after: int | None) -> None:
    there, back = row(before, after), row(after, before)
    assert golden.got_worse(there) == golden.got_better(back)
    assert not (golden.got_worse(there) and golden.got_better(there))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "waiting"}, "Waiting for a worker."),
        ({"status": "running", "result": {"done": 10, "total": 30}}, "10 of 30 golden questions asked."),
        ({"status": "failed", "reason": "It stopped."}, "The golden questions could not be tested. It stopped."),
        (
            {"right_after": 12, "total": 12, "document": "x", "worse": [], "better": []},
            "12 of 12 golden questions find what they should. None of them changes with this document.",
        ),
        (
            {"right_after": 11, "total": 12, "document": "x", "worse": ["a"], "better": ["b", "c"]},
            "11 of 12 golden questions find what they should. With this document 1 does worse and 2 do better.",
        ),
        (
            {"right_after": 1, "total": 1, "document": None, "worse": [], "better": []},
            "1 of 1 golden question finds what they should.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(fields: dict[str, Any], said: str) -> None:
    trial = Trial(**fields) if "status" in fields else Trial(status="done", result=fields)
    assert golden.sentence(trial) == said


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_the_newest_test_of_a_document_is_found() -> None:
    document, by = factories.a_document("Fever", "Fever is hot."), factories.staff()
    assert golden.latest(document) is None
    trials.ask_for(Trial.Kind.GOLDEN, {}, by=by, now=NOW, document=document)
    newer = trials.ask_for(Trial.Kind.GOLDEN, {}, by=by, now=NOW + SECOND, document=document)
    other = trials.ask_for(Trial.Kind.GOLDEN, {}, by=by, now=NOW)
    assert (golden.latest(document), golden.latest(None)) == (newer, other)


def test_the_line_under_which_nothing_is_near_holds_for_the_labelled_questions(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    """By meaning alone, without the words that the conversations look at as well."""
    near = {name: [_nearest(library, each["text"]) for each in QUESTIONS[name]] for name in ("answered", "outside")}
    above = sum(each >= golden.NOTHING_NEAR for each in near["answered"])
    under = sum(each < golden.NOTHING_NEAR for each in near["outside"])
    with capsys.disabled():
        sys.stdout.write(
            f"\n  near: {above} of {len(near['answered'])} answered; not near: {under} of {len(near['outside'])} outside"
        )
    assert above >= 0.9 * len(near["answered"])
    assert under >= 0.9 * len(near["outside"])


def _nearest(library: Library, question: str) -> float:
    return max(each.cosine for each in library.find(question)[2])
