"""Candidates in order: what each part of the figure does, and which passages are one."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import ranking
from knowledge.ranking import Asked, Candidate, rank


def a_candidate(title: str = "Fever", **fields: Any) -> Candidate:
    words = dict.fromkeys(title.lower().split(), 2.0)
    usual: dict[str, Any] = {"chunk": uuid4(), "document": uuid4(), "heading": "", "cosines": (0.5,), "text": 1.0}
    return Candidate(title=title, title_words=words, **usual | fields)


def asked(question: str = "fever", **words: float) -> Asked:
    return Asked(question, words or {"fever": 2.0}, attainable=4.4)


def parts(question: Asked, candidate: Candidate, *others: Candidate) -> dict[str, float]:
    return next(dict(each.parts) for each in rank(question, [candidate, *others]) if each.candidate is candidate)


def test_nearer_in_meaning_comes_first_when_all_else_is_equal() -> None:
    near, far = a_candidate(cosines=(0.7,)), a_candidate(cosines=(0.6,))
    assert [each.candidate for each in rank(asked(), [far, near])] == [near, far]


def test_a_long_message_counts_as_the_mean_of_itself_and_its_short_form() -> None:
    assert parts(asked(), a_candidate(cosines=(0.4, 0.6)))["meaning"] == pytest.approx(0.5)


def test_the_words_count_beside_the_best_found_and_the_best_possible() -> None:
    best = a_candidate(text=4.4)
    assert parts(asked(), best)["words"] == pytest.approx(ranking.TEXT_WEIGHT)
    # Alone among weak ones it is not as good as if it said all that was asked.
    assert parts(asked(), a_candidate(text=1.1))["words"] == pytest.approx(ranking.TEXT_WEIGHT / 2)


def test_a_title_that_is_wholly_named_counts_more_than_one_that_is_named_in_part() -> None:
    whole, part = a_candidate("fever"), a_candidate("dengue fever")
    assert parts(asked(), whole, part)["topic"] == pytest.approx(ranking.TOPIC_WEIGHT)
    assert parts(asked(), part, whole)["topic"] == pytest.approx(ranking.TOPIC_WEIGHT / 2)


def test_a_rare_name_counts_more_than_a_common_word() -> None:
    question = asked("dengue in a child", dengue=6.0, child=1.0)
    rare = Candidate(uuid4(), uuid4(), "Dengue", "", (0.5,), 1.0, {"dengue": 6.0})
    common = Candidate(uuid4(), uuid4(), "Child", "", (0.5,), 1.0, {"child": 1.0})
    assert parts(question, rare, common)["topic"] > 3 * parts(question, common, rare)["topic"]


@pytest.mark.parametrize(
    ("question", "heading", "share"),
    [
        ("what are the symptoms of flu", "Signs to look for", 1.0),
        ("what are the symptoms of flu", "Treatment", 0.0),
        ("what are the symptoms of flu", "Overview", 0.5),
        ("what are the symptoms of flu", "Chapter 3", 0.5),
        ("flu", "Treatment", 0.0),
        ("how is it treated", "What you can do at home > Medicines", 1.0),
        ("how do I prevent malaria", "Prevention", 1.0),
        ("how many mg may I take", "Dosage", 1.0),
    ],
)
def test_the_section_that_is_asked_for(question: str, heading: str, share: float) -> None:
    found = parts(asked(question), a_candidate(heading=heading))["section"]
    assert found == pytest.approx(share * ranking.SECTION_WEIGHT)


def test_nothing_asked_and_nothing_found_is_no_error() -> None:
    nothing = Asked("", {}, 0.0)
    assert rank(nothing, []) == []
    assert rank(nothing, [a_candidate(text=0.0)])[0].score == pytest.approx(0.5 + ranking.OVERVIEW_SHARE * ranking.SECTION_WEIGHT)


CANDIDATES = st.builds(
    a_candidate,
    st.sampled_from(["Fever", "Dengue fever", "Burns", ""]),
    chunk=st.uuids(),
    cosines=st.floats(-1, 1).map(lambda each: (each,)),
    text=st.floats(0, 4.4),
    heading=st.sampled_from(["", "Symptoms", "Treatment"]),
)


@given(st.lists(CANDIDATES, max_size=12, unique_by=lambda each: each.chunk), st.randoms())
def test_the_order_does_not_depend_on_the_order_before(candidates: list[Candidate], random: Any) -> None:
    def order(these: list[Candidate]) -> list[UUID]:
        return [each.candidate.chunk for each in rank(asked(), these)]

    before = order(candidates)
    random.shuffle(candidates)
    assert order(candidates) == before


@given(st.lists(CANDIDATES, max_size=8))
def test_no_part_is_larger_than_its_weight(candidates: list[Candidate]) -> None:
    for each in rank(asked(), candidates):
        found = dict(each.parts)
        assert 0 <= found["words"] <= ranking.TEXT_WEIGHT + 1e-9
        assert 0 <= found["topic"] <= ranking.TOPIC_WEIGHT + 1e-9
        assert 0 <= found["section"] <= ranking.SECTION_WEIGHT
        assert sum(found.values()) == pytest.approx(each.score)


def test_a_repeat_in_nearly_the_same_words_is_one() -> None:
    text = "Give the child plenty of water and keep the room cool, and see a doctor when the fever lasts."
    assert ranking.repeats(text.replace("plenty", "lots"), [text])
    assert ranking.repeats(text.upper(), ["Something else.", text])
    assert not ranking.repeats("Give the child plenty of water.", [text])
    assert not ranking.repeats(text, [])


@pytest.mark.parametrize(
    ("question", "is_read", "weight"),
    [
        ("fever in a child", True, 1.0),
        ("fiebre en un niño", False, ranking.UNREAD_WEIGHT),
        ("बच्चे को बुखार", False, ranking.UNREAD_SCRIPT_WEIGHT),
        ("बच्चे को बुखार", True, 1.0),
        ("", False, ranking.UNREAD_WEIGHT),
    ],
)
def test_what_the_model_reads_decides_how_much_meaning_counts(question: str, is_read: bool, weight: float) -> None:
    assert ranking.meaning_of(question, is_read=is_read) == weight


def test_meaning_counts_less_in_a_language_the_model_does_not_read() -> None:
    unread = Asked("बुखार", {"fever": 2.0}, 4.4, meaning=ranking.UNREAD_WEIGHT)
    near, said = a_candidate(cosines=(0.7,), text=0.0), a_candidate(cosines=(0.3,), text=4.4)
    assert rank(asked(), [near, said])[0].candidate is near
    first = rank(unread, [near, said])[0]
    assert first.candidate is said
    assert dict(first.parts)["meaning"] == pytest.approx(ranking.UNREAD_WEIGHT * 0.3)
    assert first.cosine == pytest.approx(0.3)
