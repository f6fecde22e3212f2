"""What is said to a burst of messages: the real articles, the real model of meaning, and Groq in every mood."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from conversations import compose, reply_text, wording
from conversations.draft import Draft
from conversations.models import Answer, InboundMessage
from conversations.rulebook import Level
from knowledge.models import Document
from tests.fixtures import ChangeEnvironment

if TYPE_CHECKING:
    from tests.library import Library

pytest_plugins = ("tests.library",)
Kind = Answer.Kind
DENGUE = "Can I take ibuprofen for dengue?"
FEVER = "How do I bring down a fever in a two-year-old?"
UNKNOWN = "How do I treat kidney stones?"


@pytest.fixture(autouse=True)
def _without_a_key(environment: ChangeEnvironment) -> None:
    environment(groq={"api_key": ""})


def message(text: str | None, *, kind: str = "text", level: str = Level.ROUTINE) -> InboundMessage:
    return InboundMessage(text=text, kind=kind, triage_level=level)


def burst(*messages: InboundMessage, language: str = "en") -> Draft:
    return compose.for_burst(messages, country="IN", default_language=language)


def ask(question: str) -> Draft:
    return compose.ask(question, country="IN")


# Without a model


def test_an_ordinary_question_is_answered_from_the_sources(library: Library) -> None:
    draft = ask(FEVER)
    assert draft.kind == Kind.EXTRACTIVE
    assert {library.slugs[each.document] for each in draft.cited} == {"fever-in-children"}
    assert draft.confidence is not None
    assert draft.confidence > 0.5
    assert draft.buttons
    assert not draft.handover


def test_every_sentence_is_word_for_word_in_the_passage_of_its_number(library: Library) -> None:
    for question in (FEVER, DENGUE, "how to make ors at home"):
        draft = ask(question)
        for line in draft.text.split("\n"):
            sentence, _, number = line.removesuffix("]").rpartition(" [")
            assert sentence in draft.cited[int(number) - 1].sentences


def test_numbers_start_at_one_and_name_each_cited_passage(library: Library) -> None:
    draft = ask(DENGUE)
    numbers = [int(line.removesuffix("]").rpartition("[")[2]) for line in draft.text.split("\n")]
    assert numbers[0] == 1
    assert set(numbers) == set(range(1, len(draft.cited) + 1))


def test_the_answer_fits_a_message_and_says_that_nobody_reviewed_it(library: Library) -> None:
    body = reply_text.body(ask(FEVER), answer_key=uuid4())
    text = body["interactive"]["body"]["text"]
    assert len(text) <= reply_text.LONGEST_INTERACTIVE
    assert "No clinician has reviewed" in text
    assert "https://" in text


def test_advice_for_adults_stays_out_of_an_answer_about_a_child(library: Library) -> None:
    draft = ask(FEVER)
    assert "adult" not in draft.text.lower()


def test_a_question_outside_the_articles_is_declined_and_kept(library: Library) -> None:
    draft = ask(UNKNOWN)
    assert (draft.kind, draft.reason) == (Kind.DECLINED, "weak evidence")
    assert draft.text == wording.say("unknown", "en", "IN")
    assert draft.question == UNKNOWN
    assert draft.cited == ()
    assert draft.passages
    assert draft.handover == "declined"
    assert draft.buttons


def test_without_any_article_every_question_is_declined(db: None) -> None:
    assert ask(DENGUE).kind == Kind.DECLINED


def test_with_starter_content_off_nothing_of_it_is_cited(library: Library, environment: ChangeEnvironment) -> None:
    environment(serve_starter_content=False)
    assert ask(DENGUE).kind == Kind.DECLINED


def test_what_was_written_for_staff_is_never_quoted_to_a_patient(library: Library) -> None:
    Document.objects.filter(slug="dengue").update(audience="staff")
    draft = ask("can I take ibuprofen for dengue")
    assert "dengue" not in {library.slugs[each.document] for each in draft.passages}


def test_the_time_of_every_step_is_told(library: Library) -> None:
    assert set(ask(DENGUE).timings) == {"embed", "search", "extract"}


def test_the_same_question_gets_the_same_answer(library: Library) -> None:
    assert ask(DENGUE).text == ask(DENGUE).text


# Before any search


def test_a_red_flag_is_answered_with_the_number_and_no_search(db: None) -> None:
    draft = ask("my father's face is drooping and he can't lift his arm")
    assert (draft.kind, draft.reason) == (Kind.EMERGENCY, "stroke")
    assert "112" in draft.text.split("\n")[0]
    assert draft.handover == "red_flag"
    assert draft.passages == ()


def test_a_wish_to_die_gets_its_own_kind_words(db: None) -> None:
    draft = ask("I want to kill myself")
    assert draft.kind == Kind.SELF_HARM
    assert draft.text == wording.self_harm("en", "IN")
    assert draft.handover == "red_flag"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hi", "greeting"),
        ("thank you", "thanks"),
        ("bye", "goodbye"),
        ("👍", "empty"),
        ("and for children?", "unclear"),
        ("is it contagious?", "unclear"),
    ],
)
def test_what_is_no_question_gets_a_short_human_reply(text: str, reason: str) -> None:
    draft = burst(message(text))
    assert (draft.kind, draft.reason) == (Kind.FIXED, reason)
    assert draft.text == wording.say(reason, "en", "IN")
    assert not draft.buttons


def test_a_greeting_before_the_question_does_not_hide_it(library: Library) -> None:
    assert burst(message("hi"), message(DENGUE)).kind == Kind.EXTRACTIVE


def test_a_question_in_three_messages_is_read_as_one(library: Library) -> None:
    draft = burst(message("my child has"), message("loose motions"), message("what should I give to drink?"))
    assert draft.kind == Kind.EXTRACTIVE
    assert library.slugs[draft.cited[0].document] == "diarrhoea-and-oral-rehydration"


@pytest.mark.parametrize(("text", "spoken"), [("मेरे बच्चे को बुखार है क्या करूं", "hi"), ("mere bete ko bukhar hai kya karu", "hi-Latn")])
def test_another_language_gets_an_honest_reply_in_it_and_a_person(text: str, spoken: str) -> None:
    draft = burst(message(text))
    assert (draft.kind, draft.reason, draft.language) == (Kind.FIXED, "language", spoken)
    assert draft.text == wording.say("language_unsupported", spoken, "IN")
    assert draft.handover == "language"


def test_a_language_we_have_no_texts_for_is_answered_in_english_and_not_remembered() -> None:
    draft = compose.for_text("Ich habe Kopfschmerzen und Fieber", spoken="und", country="IN")
    assert draft.reason == "language"
    assert draft.text == wording.say("language_unsupported", "en", "IN")
    assert not draft.language_certain


def test_a_greeting_in_hindi_is_answered_in_hindi() -> None:
    assert burst(message("नमस्ते")).text == wording.say("greeting", "hi", "IN")


# Media


@pytest.mark.parametrize("kind", ["audio", "image", "document", "sticker", "video", "location"])
def test_a_message_without_words_is_told_what_can_be_read(kind: str) -> None:
    draft = burst(message(None, kind=kind))
    assert (draft.kind, draft.reason) == (Kind.FIXED, "media")
    assert draft.text == wording.media({kind}, "en", "IN")
    assert "112" in draft.text


def test_several_kinds_in_a_burst_get_one_reply() -> None:
    draft = burst(message(None, kind="image"), message(None, kind="audio"), message(None, kind="image"))
    assert draft.text == wording.media({"image", "audio"}, "en", "IN")


def test_words_beside_a_picture_are_answered_and_the_picture_is_owned_up_to(library: Library) -> None:
    draft = burst(message(None, kind="image"), message(DENGUE))
    assert draft.kind == Kind.EXTRACTIVE
    assert draft.preface == wording.media({"image"}, "en", "IN")


def test_a_caption_counts_as_words(library: Library) -> None:
    assert burst(message(DENGUE, kind="image")).kind == Kind.EXTRACTIVE


def test_media_alone_are_answered_in_the_language_the_person_used_before() -> None:
    assert burst(message(None, kind="audio"), language="hi").text == wording.media({"audio"}, "hi", "IN")


# Urgent


def test_an_urgent_message_is_told_to_see_a_doctor_today_before_the_answer(library: Library) -> None:
    draft = burst(message("high fever for five days and very weak", level=Level.URGENT))
    assert draft.preface == wording.urgent("en", "IN")
    assert "112" in draft.preface


def test_urgency_of_one_message_counts_for_the_burst(library: Library) -> None:
    draft = burst(message("hi"), message("blood in my stool", level=Level.URGENT), message("what should I do"))
    assert draft.preface.startswith(wording.urgent("en", "IN"))


def test_an_urgent_message_in_another_language_gets_the_advice_in_it() -> None:
    draft = burst(message("मुझे पांच दिन से तेज बुखार है", level=Level.URGENT))
    assert draft.text.startswith(wording.urgent("hi", "IN"))
    assert wording.say("language_unsupported", "hi", "IN") in draft.text


@pytest.mark.parametrize("text", ["hi", "and for children?", "ok"])
def test_an_urgent_burst_is_never_answered_with_a_pleasantry(library: Library, text: str) -> None:
    assert wording.urgent("en", "IN") in burst(message(text, level=Level.URGENT)).preface


def test_urgent_words_and_a_picture_keep_both_prefaces(library: Library) -> None:
    draft = burst(message(DENGUE, level=Level.URGENT), message(None, kind="image"))
    assert draft.preface.index(wording.urgent("en", "IN")) < draft.preface.index(wording.media({"image"}, "en", "IN"))


@pytest.mark.django_db
def test_a_danger_that_only_the_second_look_sees_begins_with_a_doctor_today() -> None:
    draft = burst(message("my eyeballs turned yellow"))
    assert draft.preface == wording.urgent("en", "IN")
    assert draft.raised is not None
    assert draft.raised.rules[0].startswith("meaning.")
