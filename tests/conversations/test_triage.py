"""Triage on wordings that stand in no rule file: what alarms, what does not, what hostility costs."""

import time

import pytest

from conversations.rulebook import Level
from conversations.triage import Triage, triage

EMERGENCIES = [
    ("my father's face is drooping and he can't lift his arm", "stroke"),
    ("what should I do, my father is having a stroke", "stroke"),
    ("grandma's mouth has gone crooked since ten minutes", "stroke"),
    ("my mother cannot move her right arm and leg", "stroke"),
    ("pain in my chest that goes into my jaw", "heart_attack"),
    ("since yesterday chest pain", "heart_attack"),
    ("he isnt breathing", "breathing"),
    ("she stopped breathing a minute ago", "breathing"),
    ("brething is so hard for my aunt", "breathing"),
    ("blood keeps pouring out of his hand", "bleeding"),
    ("she swallowed 30 paracetamol", "poisoning"),
    ("daughter is fitting and her eyes rolled up", "seizure"),
    ("stiff neck with high fever and he hates light", "meningitis"),
    ("7 months pregnant and blood is coming a lot", "pregnancy_danger"),
    ("i am pregnant and my baby stopped moving", "pregnancy_danger"),
    ("my 3 week old has a temperature", "young_baby_fever"),
    ("hot oil spilled on my sister", "burns"),
    ("she banged her head and keeps vomiting", "head_injury"),
    ("my diabetic mum is confused and sweaty", "diabetic"),
    ("my tongue is swelling up", "anaphylaxis"),
    ("pulled my girl out of the pool she was drowning", "drowning"),
    ("lips are purple", "blue_lips"),
    ("the old man next door has no pulse", "unconscious"),
    ("mera beta saans nahi le pa raha", "breathing"),
    ("papa ko chest me pain ho raha hai", "heart_attack"),
    ("biwi pregnant hai blood aa raha hai", "pregnancy_danger"),
    ("पापा के सीने में तेज दर्द है", "heart_attack"),
    ("मेरे भाई ने जहर खा लिया", "poisoning"),
    ("बच्चे को झटके आ रहे हैं", "seizure"),
]
ROUTINE = [
    "how do I bring down a fever in a two-year-old?",
    "what is the difference between a heart attack and cardiac arrest?",
    "can stress cause chest pain?",
    "how to prevent heart attack",
    "stroke kya hota hai",
    "seene me dard nahi hai bas khansi hai",
    "no fever, rash, stiff neck or vomiting, just a cold",
    "I had a seizure when I was a child, is it safe to drive",
    "my dad died of a stroke ten years ago",
    "what should someone do after a dog bite?",
    "my mother is afraid of having a stroke",
    "i am dying to know the results",
    "he can breathe well now",
    "i took 2 tablets of paracetamol for my headache",
    "my son drank milk",
    "बुखार में क्या खाना चाहिए",
    "hello",
    "",
]
SELF_HARM = [
    "i dont want to live anymore",
    "my brother tried to hang himself",
    "everyone would be better off without me",
    "my daughter says she wants to kill herself",
    "main jeena nahi chahti",
    "मैं अपनी जान देना चाहती हूं",
]


@pytest.mark.parametrize(("text", "concept"), EMERGENCIES)
def test_an_emergency_in_unseen_words_is_found(text: str, concept: str) -> None:
    found = triage(text)
    assert found.level is Level.EMERGENCY
    assert any(rule.split(".")[1] == concept for rule in found.rules)
    assert found.words


@pytest.mark.parametrize("text", ROUTINE)
def test_a_harmless_message_does_not_alarm(text: str) -> None:
    assert triage(text) == Triage()


@pytest.mark.parametrize("text", SELF_HARM)
def test_a_wish_to_die_has_its_own_level(text: str) -> None:
    assert triage(text).level is Level.SELF_HARM


def test_an_overdose_with_a_wish_to_die_is_an_emergency_and_names_both_rules() -> None:
    found = triage("i took 40 tablets because i want to die")
    assert found.level is Level.EMERGENCY
    assert {rule.split(".")[1] for rule in found.rules} >= {"poisoning", "self_harm"}


def test_an_emergency_typed_in_three_messages_is_found() -> None:
    assert triage("one side").level is Level.ROUTINE
    assert triage("one side", earlier=["my father", "his face is drooping"]).concept == "stroke"


def test_a_body_part_and_its_problem_meet_across_two_messages() -> None:
    assert triage("my baby").level is Level.ROUTINE
    assert triage("2 months old, she has fever", earlier=["my baby"]).concept == "young_baby_fever"


@pytest.mark.parametrize(
    "parts",
    [
        ("my father is not", "breathing"),
        ("he", "is not", "breathing"),
        ("papa saans", "nahi le rahe"),
        ("hello", "my husband has chest", "pain"),
        ("what should I do", "my father's face is", "drooping on one side"),
    ],
)
def test_a_sentence_may_go_on_in_the_next_message(parts: tuple[str, ...]) -> None:
    assert triage(parts[-1], earlier=parts[:-1]).level is Level.EMERGENCY


@pytest.mark.parametrize(
    "parts", [("no fever", "no stiff neck", "or vomiting"), ("he has no pain", "can he eat"), ("hello", "ok")]
)
def test_harmless_messages_stay_harmless_when_they_are_read_together(parts: tuple[str, ...]) -> None:
    assert triage(parts[-1], earlier=parts[:-1]).level is Level.ROUTINE


def test_a_denial_in_one_message_does_not_reach_into_the_next() -> None:
    assert triage("pain", earlier=["no fever", "severe chest"]).level is Level.EMERGENCY


def test_earlier_messages_never_soften_an_emergency() -> None:
    assert triage("he is not breathing", earlier=["what are the signs of asthma?"]).level is Level.EMERGENCY


@pytest.mark.parametrize(
    ("alarming", "denied"),
    [
        ("I have chest pain", "I have no chest pain"),
        ("she is bleeding heavily", "she is not bleeding heavily"),
        ("मेरे सीने में दर्द है", "मेरे सीने में दर्द नहीं है"),
        ("seene me dard hai", "seene me dard nahi hai"),
    ],
)
def test_a_denied_sign_does_not_alarm(alarming: str, denied: str) -> None:
    assert triage(alarming).level is Level.EMERGENCY
    assert triage(denied).level is Level.ROUTINE


@pytest.mark.parametrize(
    "text",
    [
        "not breathing",
        "cant breathe",
        "no pulse",
        "saans nahi aa rahi",
        "साँस नहीं आ रही",
        "सांस नहीं आ रही",
        "सास नहीं आ रही",
        "baby is not moving",
        "khoon ruk nahi raha",
        "the bleeding will not stop",
    ],
)
def test_a_no_that_is_itself_the_danger_alarms(text: str) -> None:
    assert triage(text).level is Level.EMERGENCY


def test_a_denial_ends_at_but() -> None:
    assert triage("no fever but severe chest pain").level is Level.EMERGENCY


def test_the_past_is_quiet_and_the_present_is_not() -> None:
    assert triage("my uncle had a heart attack last year").level is Level.ROUTINE
    assert triage("my uncle had a heart attack last year, now he has chest pain again").level is Level.EMERGENCY


def test_a_question_about_someone_in_particular_is_not_a_lesson() -> None:
    assert triage("what are the signs of a stroke?").level is Level.ROUTINE
    assert triage("Is my father having a stroke? His speech is slurred").level is Level.EMERGENCY


@pytest.mark.parametrize(
    "text",
    [
        "CANT BREATHE HEEELP",
        "I can’t breathe",
        "he is not bre\u200bathing",
        "my baby is not br\u0336e\u0336a\u0336thing",
        "сhest pain",  # the first letter is Cyrillic
        "ｃｈｅｓｔ ｐａｉｎ",
        "ch3st pain",
        "he had a siezure just now",
        "she is unconcious",
        "hart attack please help",
        "bleading heavily from the leg",
        "साँस\u200d नहीं आ रही",
    ],
)
def test_odd_typing_does_not_hide_an_emergency(text: str) -> None:
    assert triage(text).level is Level.EMERGENCY


def test_correct_words_near_a_danger_word_are_left_alone() -> None:
    assert triage("I stubbed my toe in the kitchen and it hurts").level is not Level.EMERGENCY
    assert triage("breeding dogs is leading to more puppies").level is Level.ROUTINE


def test_the_last_line_of_a_long_message_is_read() -> None:
    story = "I feel fine today and my stomach is ok and there is no blood or fever. " * 55
    assert triage(story[:4040]).level is Level.ROUTINE
    assert triage(story[:4040] + "\nmy father is having fits").concept == "seizure"


def test_an_emergency_inside_a_thank_you_is_read() -> None:
    assert triage("Thank you doctor. my dad is not responding now").level is Level.EMERGENCY


def test_levels_are_ordered_by_severity() -> None:
    order = sorted(Level, key=lambda level: level.severity, reverse=True)
    assert order == [Level.EMERGENCY, Level.SELF_HARM, Level.UNSAFE, Level.URGENT, Level.ROUTINE]


@pytest.mark.parametrize("text", ["my " * 1365, "chest " * 680, "no pain and blood or " * 195, "🙂" * 2000])
def test_a_hostile_message_costs_little(text: str) -> None:
    triage("warm")
    before = time.process_time()
    triage(text)
    assert time.process_time() - before < 3
