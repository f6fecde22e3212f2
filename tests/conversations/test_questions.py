"""What kind of thing a person wrote, before any search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.questions import Sort, is_start, is_stop, sort, words

EMPTY = ["", "   ", "🤒🤒", "...", "123", "?!", "\u200d\u200c", "👍🏽"]
GREETINGS = [
    "hi",
    "Hello!",
    "hey there",
    "Hi doctor",
    "good morning",
    "Good evening sir",
    "hii",
    "Hello, how are you?",
    "namaste ji",
    "नमस्ते",
    "नमस्कार",
    "हैलो",
    "vanakkam",
    "Jambo",
    "hlo",
    "hi all",
    "வணக்கம்",
]
THANKS = [
    "thanks",
    "Thank you so much!",
    "thx",
    "ok thanks",
    "ok",
    "👍 ok",
    "great",
    "धन्यवाद",
    "शुक्रिया",
    "bahut dhanyavaad",
    "theek hai",
    "ठीक है",
    "got it thanks",
    "yes",
]
GOODBYES = ["bye", "Goodbye doctor", "ok bye", "tata", "अलविदा", "bye bye"]
FOLLOW_UPS = [
    "and for children?",
    "what about pregnant women?",
    "and if it does not help?",
    "how long?",
    "is it contagious?",
    "is it dangerous for the baby",
    "is this normal",
    "how much should I give him?",
    "what should I do about it",
    "and at night?",
    "why",
    "aur bachche?",
    "और बच्चों को?",
    "for 5 years old?",
    "how many times a day",
    "tell me more",
]
QUESTIONS = [
    "is dengue contagious?",
    "dengue",
    "fever",
    "how do I treat a burn",
    "what is malaria",
    "and what about dengue in children under five years",
    "my baby has a fever",
    "hi my head hurts",
    "thanks but my son still has diarrhoea",
    "good food for anaemia",
    "hello doctor i have cough since 3 days",
    "what about diabetes and rice",
    "mujhe bukhar hai",
    "मुझे बुखार है",
    "can I drink milk with antibiotics",
    "or is it asthma",
    "bye bye pain how to stop migraine",
    "ok but is ibuprofen safe",
    "no appetite",
    "is it safe to take paracetamol",
]


@pytest.mark.parametrize("text", EMPTY)
def test_a_message_without_letters_is_empty(text: str) -> None:
    assert sort(text) is Sort.EMPTY


@pytest.mark.parametrize("text", GREETINGS)
def test_a_greeting_is_a_greeting_in_any_of_our_languages(text: str) -> None:
    assert sort(text) is Sort.GREETING


@pytest.mark.parametrize("text", THANKS)
def test_thanks_and_agreement_are_not_questions(text: str) -> None:
    assert sort(text) is Sort.THANKS


@pytest.mark.parametrize("text", GOODBYES)
def test_a_goodbye_is_a_goodbye(text: str) -> None:
    assert sort(text) is Sort.GOODBYE


@pytest.mark.parametrize("text", FOLLOW_UPS)
def test_a_question_without_a_topic_leans_on_what_came_before(text: str) -> None:
    assert sort(text) is Sort.FOLLOW_UP


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_question_with_a_topic_stands_alone(text: str) -> None:
    assert sort(text) is Sort.QUESTION


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop. ", "unsubscribe", "बंद करो", "band karo", "STOP ALL", "Stop!"])
def test_a_wish_to_stop_is_understood(text: str) -> None:
    assert is_stop(text)
    assert not is_start(text)


@pytest.mark.parametrize(
    "text", ["how to stop bleeding", "stop smoking", "cancel my pain", "please stop the fever", "the end", "", "stop?start"]
)
def test_the_word_inside_a_question_does_not_stop_anything(text: str) -> None:
    assert not is_stop(text)


@pytest.mark.parametrize("text", ["START", "start.", "शुरू करो", "unstop"])
def test_a_wish_to_start_again_is_understood(text: str) -> None:
    assert is_start(text)
    assert not is_stop(text)


def test_words_keep_the_vowel_signs_of_indian_scripts() -> None:
    assert words("मुझे बुखार है!") == ["मुझे", "बुखार", "है"]
    assert words("தலைவலி, காய்ச்சல்") == ["தலைவலி", "காய்ச்சல்"]


def test_words_are_compared_without_case_and_signs() -> None:
    assert words("Don't WAIT—call (now)") == ["don't", "wait", "call", "now"]


@given(st.text(max_size=300))
def test_every_text_is_of_some_sort(text: str) -> None:
    assert sort(text) in Sort
    assert is_stop(text) in (True, False)
