"""A question as it is searched: names spelled right, long messages condensed, nothing the person wrote taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import asking, condensing, embedding_indexes, embeddings, retrieval, spelling
from knowledge.spelling import Lexicon, corrected, distance, nearest

if TYPE_CHECKING:
    from tests.library import Library

pytest_plugins = ("tests.library",)
NAMES = Lexicon(names=("dengue", "diarrhoea", "pneumonia", "fever", "malaria"), common=frozenset({"doctor", "feverish"}))
LONG = (
    "Hello doctor, my name is Asha and I am 34 years old. I work in an office in the city. My little son has had "
    "diarrhoea for two days and does not want to eat anything. What should I give him to drink? Thank you so much in advance."
)


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("fever", "fever", 0),
        ("fevr", "fever", 1),
        ("feveer", "fever", 1),
        ("fevre", "fever", 1),
        ("fiver", "fever", 1),
        ("pain", "fever", 3),
    ],
)
def test_slips_are_counted_and_a_swap_is_one(one: str, other: str, edits: int) -> None:
    assert distance(one, other, limit=2) == edits


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.integers(0, 3))
def test_the_distance_is_the_same_both_ways(one: str, other: str, limit: int) -> None:
    assert min(distance(one, other, limit=limit), limit + 1) == min(distance(other, one, limit=limit), limit + 1)


@pytest.mark.parametrize(
    ("word", "name"), [("diarrhea", "diarrhoea"), ("denge", "dengue"), ("pnuemonia", "pneumonia"), ("table", None)]
)
def test_the_nearest_name(word: str, name: str | None) -> None:
    assert nearest(word, NAMES) == name


def test_only_unknown_words_are_touched() -> None:
    said = "my Feverish child saw a doctor for denge"
    assert spelling.suspects(said, lexicon=NAMES) == ["child", "denge"]
    assert corrected(said, unknown={"denge"}, lexicon=NAMES) == "my Feverish child saw a doctor for dengue"


def test_a_word_that_passages_have_is_not_put_right(library: Library) -> None:
    reading = asking.read("is paracetamol safe with pneumonai", index=embedding_indexes.active())
    assert reading.text.startswith("is paracetamol safe with pneumonia")


def test_a_drug_nobody_knows_stays_as_it_was_typed(library: Library) -> None:
    assert "zyxolatinib" in asking.read("can I take zyxolatinib", index=embedding_indexes.active()).text


def test_other_languages_are_left_alone(library: Library) -> None:
    said = "tengo fiebree y tosss"
    assert asking.read(said, index=embedding_indexes.active(), language="es").text == said


def test_a_long_message_is_condensed_to_what_it_asks() -> None:
    short = condensing.condensed(LONG)
    assert short is not None
    assert "What should I give him to drink" in short
    assert "Asha" not in short
    assert "Thank you" not in short


def test_a_short_question_is_its_own_best_form(library: Library) -> None:
    assert asking.read("how do I treat a fever", index=embedding_indexes.active()).short is None


def test_the_sentence_with_the_rarest_words_stays(library: Library) -> None:
    short = asking.read(LONG, index=embedding_indexes.active()).short
    assert short is not None
    assert "diarrhoea" in short


def test_a_short_form_made_elsewhere_is_taken(library: Library) -> None:
    assert asking.read(LONG, index=embedding_indexes.active(), short="fluids in diarrhoea").short == "fluids in diarrhoea"


@pytest.mark.usefixtures("fake_embed")
def test_the_whole_message_is_embedded_beside_its_short_form(library: Library) -> None:
    query = retrieval.prepare(LONG)
    assert query.vectors.shape == (2, 384)
    assert query.vector.tolist() == embeddings.embed([query.text])[0].tolist()
    assert query.question == LONG


@given(st.text(max_size=400))
def test_any_text_can_be_condensed(text: str) -> None:
    short = condensing.condensed(text)
    assert short is None or len(short.split()) < len(text.split())


def test_a_message_of_words_nobody_knows_is_left_as_it_is(library: Library) -> None:
    """Hindi in Latin letters, for example: putting it right word by word would make nonsense of it."""
    said = "mujhe kal raat se bohat tez bukhaar aur khansi aur zukaam aur pairon mein dardd aur chakkar aata rehtaa haii bahutt"
    words = said.split() + [f"{word}{word[::-1]}" for word in said.split() if len(word) > 4] + ["pneumonai"]
    assert asking._put_right("pneumonai", index=embedding_indexes.active(), language="en") == "pneumonia"
    assert asking._put_right(" ".join(words), index=embedding_indexes.active(), language="en") == " ".join(words)
