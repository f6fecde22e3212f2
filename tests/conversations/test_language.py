"""Which language a message is in: by script, by everyday words, and the default where nothing is clear."""

import pytest

from conversations.language import detect, has_letters
from conversations.lexicon import Lexicon
from conversations.wordforms import plain, tokens


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("my son has a fever since last night", "en"),
        ("मेरे बेटे को कल से बुखार है", "hi"),
        ("माझ्या मुलाला ताप आहे", "mr"),
        ("আমার ছেলের জ্বর", "bn"),
        ("என் மகனுக்கு காய்ச்சல்", "ta"),
        ("నా కొడుకుకు జ్వరం", "te"),
        ("મારા દીકરાને તાવ છે", "gu"),
        ("ನನ್ನ ಮಗನಿಗೆ ಜ್ವರ", "kn"),
        ("എന്റെ മകന് പനി", "ml"),
        ("ਮੇਰੇ ਪੁੱਤ ਨੂੰ ਬੁਖਾਰ ਹੈ", "pa"),
        ("میرے بیٹے کو بخار ہے", "ur"),
        ("mere bete ko kal se bukhar hai", "hi-Latn"),
        ("mi hijo tiene fiebre desde ayer", "es"),
        ("mtoto wangu ana homa tangu jana", "sw"),
    ],
)
def test_each_language_is_recognised(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["ابني عنده حرارة منذ أمس", "我的儿子发烧了", "J'ai mal au ventre depuis trois jours"])
def test_languages_without_texts_are_said_to_be_unknown(text: str) -> None:
    assert detect(text) == "und"


@pytest.mark.parametrize("text", ["hi", "hola", "ok", "namaste", "👍", "", "12345"])
def test_short_greetings_stay_with_the_default(text: str) -> None:
    assert detect(text, default="hi") == "hi"


def test_english_words_inside_hindi_do_not_make_it_english() -> None:
    assert detect("मेरी बेटी को fever है") == "hi"
    assert detect("mujhe chest pain ho raha hai") == "hi-Latn"


@pytest.mark.parametrize("text", ["😀😀", "", "   ", "123", "?!", "\u200b\u200d"])
def test_a_message_without_letters_is_recognised(text: str) -> None:
    assert not has_letters(text)


def test_a_single_letter_in_any_script_counts() -> None:
    assert has_letters("😀 a")
    assert has_letters("ह")
    assert has_letters("痛")


def test_vowel_signs_stay_inside_the_word() -> None:
    assert len(tokens("बुखार")) == 1
    assert tokens("पेट में दर्द")[0] == plain("पेट")


def test_spellings_of_one_word_become_the_same() -> None:
    assert plain("साँस") == plain("सांस") == plain("सास")
    assert plain("लड़का") == plain("लड\u093cका") == plain("लडका")
    assert plain("My father’s") == plain("my FATHER's") == "my father"


def test_a_slip_is_forgiven_only_in_a_long_word() -> None:
    lexicon = Lexicon()
    lexicon.define("x", ["seizure", "arm"])
    assert lexicon.resolve("siezure") == "seizure"
    assert lexicon.resolve("sezure") == "seizure"
    assert lexicon.resolve("art") == "art"
    assert lexicon.resolve("leisure") == "leisure"
