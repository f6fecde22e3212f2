"""What kind of thing a person wrote, before any search: a greeting, thanks, a loose end, or a question. Pure."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from conversations.gibberish import is_gibberish
from conversations.language import has_letters, word_set


class Sort(StrEnum):
    EMPTY = "empty"
    GREETING = "greeting"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    GIBBERISH = "gibberish"
    FOLLOW_UP = "follow_up"
    QUESTION = "question"


STOP_WORDS = {"stop", "unsubscribe", "cancel", "end", "quit", "band karo", "बंद करो", "रोको", "बंद करें", "stop all"}
START_WORDS = {"start", "unstop", "shuru karo", "शुरू करो", "शुरू करें", "subscribe"}

_GREETINGS = word_set(
    "hi hii hiii hello helo hey heya hlo yo hola namaste namaskar namaskaram vanakkam salaam salam assalamualaikum "
    "jambo habari नमस्ते नमस्कार हैलो हाय नमस्कारम् வணக்கம் నమస్కారం ನಮಸ್ಕಾರ നമസ്കാരം নমস্কার સલામ નમસ્તે ਸਤਿ"
)
_GREETING_TAIL = word_set("there doctor dr sir madam mam ji jeevo team good morning afternoon evening day friend bhai didi all")
_THANKS = word_set(
    "thanks thank thx tq ty thankyou thanku dhanyavaad dhanyavad dhanyawad shukriya gracias asante धन्यवाद शुक्रिया आभार"
)
_THANKS_TAIL = word_set(
    "you u so very much a lot ji doctor jeevo for your the help helping ok okay great good got it bahut बहुत आपका"
)
_AGREEING = word_set(
    "ok okay okk k fine great good cool nice yes no yeah yep theek thik hai haan ji accha acha ठीक है अच्छा हाँ हां जी"
)
_GOODBYES = word_set("bye goodbye byebye tata alvida अलविदा adios kwaheri")

_OPENERS = re.compile(r"^(and|also|but|what about|how about|what if|or|then|aur|और|और फिर|phir|y|pero|na)\b", re.IGNORECASE)
_POINTING = word_set(
    "it this that they them these those he she him her then so same isko usko iska uska yeh ye woh wo इसका उसका यह वह"
)
# Words that carry no topic of their own: a short message made of these alone leaves open what is meant.
_EMPTY_WORDS = word_set(
    "a an the is are was am be do does did can could should would will may how what when where why which who long "
    "much many often i me my we our you your to for of in on at from with by if or and not no have has had take give "
    "use more about again help days day hours week weeks times time old years year months month please tell say know "
    "need want get kya kaise kab kitna kitne mujhe mere mera ko ka ki ke hai hain se me mein karu karna chahiye क्या "
    "कैसे कब कितना को का की के है हैं से में मुझे"
)
# What is asked of a thing: with "it" and nothing else, the thing itself is missing.
_PROPERTIES = word_set(
    "contagious infectious dangerous serious safe normal curable treatable common painful genetic deadly fatal bad good "
    "last lasts spread spreads hurt hurts away back end start happen happens catch caught cause causes caused cure cured treat "
    "treated prevent prevented stop work works used"
)
# "What can I take for it?": the thing that is meant stands in an earlier message, whatever else is asked.
_ENDS_POINTING = re.compile(
    r"\b(?:for|about|with|of|from|after|have|treat|cure|prevent|stop|avoid|get|catch|causes?|spread) "
    r"(?:it|this|that|these|those|them)\W*$",
    re.IGNORECASE,
)
_GROUPS = word_set("children child kids baby babies adults women men pregnant pregnancy elderly him her bachche bachcha बच्चे बच्चों")


def words(text: str) -> list[str]:
    """Lower-case words; combining marks stay with their letters (`\\w` would drop Indian vowel signs)."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("’", "'")
    cleaned = "".join(c if unicodedata.category(c)[0] in "LMN" or c in "\u200c\u200d'" else " " for c in folded)
    return cleaned.split()


def sort(text: str) -> Sort:
    tokens = words(text)
    if not has_letters(text):
        return Sort.EMPTY
    kinds = set(tokens)
    if kinds & _GREETINGS and kinds <= _GREETINGS | _GREETING_TAIL | {"how", "are", "you"}:
        return Sort.GREETING
    if kinds <= {"good"} | _GREETING_TAIL and "good" in kinds:
        return Sort.GREETING
    if (kinds & _THANKS or kinds <= _AGREEING) and kinds <= _THANKS | _THANKS_TAIL | _AGREEING:
        return Sort.THANKS
    if kinds & _GOODBYES and len(tokens) <= 4:
        return Sort.GOODBYE
    if is_gibberish(text):
        return Sort.GIBBERISH
    return Sort.FOLLOW_UP if _leans_on_what_came_before(text, tokens) else Sort.QUESTION


def is_stop(text: str) -> bool:
    return " ".join(words(text)) in STOP_WORDS


def is_start(text: str) -> bool:
    return " ".join(words(text)) in START_WORDS


def _leans_on_what_came_before(text: str, tokens: list[str]) -> bool:
    own = [word for word in tokens if word not in _EMPTY_WORDS and word not in _POINTING]
    if len(tokens) <= 7 and _OPENERS.match(text.strip()):
        return len([word for word in own if word not in _GROUPS and not _OPENERS.match(word)]) == 0 or len(tokens) <= 3
    if len(tokens) <= 9 and "\n" not in text.strip() and _ENDS_POINTING.search(text):
        return True
    asked_of_it = _PROPERTIES if _POINTING & set(tokens) else set[str]()
    return len(tokens) <= 7 and not [word for word in own if word not in _GROUPS | asked_of_it and not word.isdigit()]


# What is told of somebody holds for both questions: apart, the second would lose it.
_SETTING = re.compile(r"[.!;\n]\s*\S|\b(?:i have|i am|i'm|i had|my|we have|our|has|having|suffer\w*)\b", re.IGNORECASE)


def several(text: str) -> tuple[str, ...]:
    """The message as at most two questions that stand alone; one where they are about the same thing or lean on each other."""
    asked = [part.strip() + "?" for part in text.split("?")[:-1] if part.strip()]
    two = len(asked) == 2 and text.rstrip()[-1] == "?" and not _SETTING.search(text)
    if not two or any(sort(part) is not Sort.QUESTION for part in asked):
        return (text,)
    topics = [_own_words(part) for part in asked]
    alone = all(len(topic) >= 1 and not (_POINTING & set(words(part))) for topic, part in zip(topics, asked, strict=True))
    return tuple(asked) if alone and not topics[0] & topics[1] else (text,)


def _own_words(text: str) -> set[str]:
    return {word for word in words(text) if word not in _EMPTY_WORDS and word not in _POINTING and word not in _PROPERTIES}
