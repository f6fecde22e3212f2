"""The answer when no model writes: the sources' own sentences, chosen, ordered and never reworded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from conversations import extractive
from knowledge.passages import Passage, Vectors
from tests import factories, fakes


def passage(*sentences: str, heading: str = "What you can do at home", document: UUID | None = None, **fields: Any) -> Passage:
    usual = {"text": " ".join(sentences), "sentences": sentences, "vectors": fakes.embed(list(sentences)), "heading": heading}
    return replace(factories.a_passage(**usual | fields), document=document or uuid4())


def answer(question: str, *passages: Passage) -> list[str]:
    return [claim.text for claim in extractive.extract(question, vector(question), passages)]


def vector(text: str) -> Vectors:
    found: Vectors = fakes.embed([text])[0]
    return found


FEVER = uuid4()
HOME = passage(
    "Give the child water to drink often.",
    "Dress the child in light clothes at home.",
    "Let the child rest in a cool room.",
    document=FEVER,
    position=1,
)
HELP = passage("Take the child to hospital for a fit.", heading="When to get help now", document=FEVER, position=3, score=0.85)


def test_without_passages_there_is_no_answer() -> None:
    assert answer("fever in a child") == []


def test_every_sentence_is_a_sentence_of_the_passage_it_names() -> None:
    claims = extractive.extract("how do I treat a fever in a child", vector("treat fever child"), [HOME, HELP])
    assert claims
    assert all(claim.text in [HOME, HELP][claim.passage].sentences for claim in claims)


def test_when_to_get_help_comes_last() -> None:
    assert answer("how do I treat a fever in a child", HELP, HOME)[-1] == "Take the child to hospital for a fit."


def test_the_answer_has_at_most_four_sentences() -> None:
    many = passage(*(f"Step number {number} is to do thing {number * 7}." for number in range(20)), document=FEVER)
    assert len(answer("what are the steps", many, HELP)) == extractive.MOST_SENTENCES


def test_steps_stay_in_the_order_of_their_source() -> None:
    first = passage("Wash the wound with soap first.", position=1, document=FEVER)
    second = passage("Cover the wound with a clean cloth.", position=2, document=FEVER)
    assert answer("cover a wound with a cloth", second, first) == [*first.sentences, *second.sentences]


def test_a_sentence_is_not_said_twice() -> None:
    again = passage("Give the child water to drink often.")
    said = answer("give a child water to drink", HOME, again)
    assert said.count("Give the child water to drink often.") == 1


def test_a_near_repeat_is_left_out() -> None:
    near = np.asarray([[1, 0], [0.99, 0.14], [0.7, 0.714]], dtype=np.float32)
    twice = factories.a_passage(
        text="x",
        sentences=("Drink a lot of clean water.", "Drink lots of clean water.", "Rest in a quiet, dark room."),
        vectors=near,
    )
    said = [claim.text for claim in extractive.extract("q", np.asarray([1, 0], dtype=np.float32), [twice])]
    assert said == ["Drink a lot of clean water.", "Rest in a quiet, dark room."]


def test_advice_for_an_adult_stays_out_of_an_answer_about_a_child() -> None:
    adult = passage("An adult with fever may take two tablets.", title="Fever in adults", score=0.89)
    assert "An adult with fever may take two tablets." not in answer("fever in my 2 year old child", HOME, adult)
    assert "An adult with fever may take two tablets." in answer("fever tablets", adult)


@pytest.mark.parametrize("question", ["fever in my daughter", "my 3 months old has fever", "fever in a toddler", "baby fever"])
def test_a_child_is_recognised_in_everyday_words(question: str) -> None:
    adult = passage("An adult with fever may take two tablets.", title="Fever in adults", document=HOME.document)
    assert "An adult with fever may take two tablets." not in answer(question, HOME, adult)


def test_a_document_far_behind_the_best_is_not_quoted() -> None:
    far = passage("Fever in malaria needs a test today.", score=HOME.score - extractive.OTHER_DOCUMENTS - 0.01)
    near = passage("Fever in malaria needs a test today.", score=HOME.score - extractive.OTHER_DOCUMENTS + 0.01)
    assert "Fever in malaria needs a test today." not in answer("fever test malaria", HOME, far)
    assert "Fever in malaria needs a test today." in answer("fever test malaria", HOME, near)


def test_help_of_another_document_is_not_added() -> None:
    other = passage("Call an ambulance for a snake bite.", heading="When to get help now", score=0.3)
    assert "Call an ambulance for a snake bite." not in answer("fever in a child", HOME, other)


@pytest.mark.parametrize("bad", ["Too short here.", "Is this a real question for you?", "word " * 46 + "end."])
def test_scraps_questions_and_endless_sentences_are_not_quoted(bad: str) -> None:
    assert bad not in answer("fever in a child", passage(bad, *HOME.sentences))


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("what are the symptoms of flu", "Signs"),
        ("how can I prevent flu", "How to prevent it"),
        ("how does flu spread", "How it spreads"),
        ("how do I treat flu", "What you can do at home"),
    ],
)
def test_the_section_that_was_asked_for_is_quoted_first(question: str, heading: str) -> None:
    headings = ["Signs", "How to prevent it", "How it spreads", "What you can do at home", "What not to do"]
    vectors = np.ones((1, 2), dtype=np.float32) / np.sqrt(2)
    flu = [
        passage(f"Flu sentence under {each} here.", document=FEVER, position=place + 1, heading=each, vectors=vectors)
        for place, each in enumerate(headings)
    ]
    candidates = extractive._candidates(question, vectors[0], flu)
    best = max(candidates, key=lambda each: each.score)
    assert flu[best.passage].heading == heading


def test_the_same_question_gets_the_same_answer() -> None:
    assert answer("fever in a child", HOME, HELP) == answer("fever in a child", HOME, HELP)
