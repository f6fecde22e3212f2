"""Characters that cannot be seen and words meant for a machine: taken out where nobody would see them, said where they stay.

Signs that Indian and Arabic scripts need to join or part letters are no suspects and stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

Traces = Counter[str]

_LINE_BREAKS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_MARKS_OF_DIRECTION = re.compile(r"[\u061c\u200e\u200f]")
# Joiners are letters' business after Arabic, Indian and emoji characters, and a hiding place everywhere else.
_JOINER = re.compile(r"(?<![\u0600-\u109f\u1780-\u18af\ua8e0-\ua8ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]")
_ZERO_WIDTH = re.compile(r"[\u200b\u2060-\u2064\u206a-\u206f\ufeff\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0]")
_SMUGGLED = re.compile(r"[\U000e0000-\U000e0fff]+")
_SOFT_HYPHEN = re.compile("\u00ad")
_BULLET_OF_SYMBOL_FONT = re.compile("[\uf0a7\uf0b7\uf0d8\uf076\uf0fc]")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_LIGATURE = re.compile("[ﬀ-ﬆ]")
# Sorting marks takes the square of their number, so an endless pile of accents would never be done with.
_MOST_MARKS = 30
_PILE = re.compile(rf"[^\w\s]{{{_MOST_MARKS + 1},}}")

_PAST = r"(?:previous|prior|preceding|above|earlier|existing|all|any|the|your|these|other)"
_ORDERS = r"(?:instructions?|prompts?|rules|directions|guidelines|guardrails|directives|context)"
_TO_A_MACHINE = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass)\s+(?:{_PAST}\s+(?:of\s+|and\s+\w+\s+)?(?:the\s+)?){{1,4}}(?:\w+\s+)?{_ORDERS}\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:everything|whatever|anything|all)\s+(?:\w+\s+){0,3}(?:said|told|learned|written|above|before)\b"
    r"|\bunrestricted\s+(?:ai|assistant|model|chat\s?bot|bot)\b|\bdo\s+anything\s+now\b|\bpriorit[iy][sz]e\s+my\s+instructions\b"
    r"|\b(?:output|reveal|print)\s+your\s+(?:\w+\s+){0,2}(?:instructions|prompt|rules|configuration)\b"
    r"|\byou\s+are\s+(?:now|no\s+longer)\s+(?:an?\s+|the\s+)?(?:\w+\s+){0,3}(?:ai|assistant|model|chat\s?bot|bot|gpt|dan|mode|restricted)\b"
    r"|\b(?:system|developer|hidden|initial)\s+(?:prompt|message|instructions?)\b"
    r"|\b(?:do\s+not|don't|never)\s+(?:tell|inform|alert|mention\s+(?:this|it)\s+to|reveal\s+(?:this|it)\s+to)\s+the\s+(?:user|reader|reviewer|patient|clinician|human)\b"
    r"|\b(?:as|to)\s+(?:an?\s+)?(?:ai|large)\s+(?:language\s+)?(?:model|assistant)\b"
    r"|\b(?:dear|attention|note\s+to)\s+(?:the\s+)?(?:ai|llm|language\s+model|chat\s?bot)\b"
    r"|\b(?:answer|reply|respond)\s+(?:only\s+)?with\s+(?:only\s+)?the\s+(?:words?|phrase|string|sentence)\b"
    r"|<\|[a-z_]{2,20}\|>|\[/?INST\]|<<SYS>>"
    r"|(?:पिछले|पहले\s+के|ऊपर\s+के)\s+(?:सभी\s+)?(?:निर्देश|निर्देशों)"
    r"|निर्देश(?:ों)?\s+(?:को\s+)?(?:भूल|नज़?रअंदाज)|\bnirdesh(?:on)?\s+(?:ko\s+)?(?:nazar\s?andaaz|bh(?:oo|u)l|ignore)"
    r"|\bpichh?le\s+(?:sabhi\s+|saare\s+)?(?:nirdesh|instructions?)\b",
    re.IGNORECASE,
)
_MOST_QUOTES = 3


def clean(text: str, traces: Traces) -> str:
    """The text in NFC without anything invisible; `traces` counts what was taken out."""
    if text.isascii() and text.isprintable():
        return text
    text = _SMUGGLED.sub(_remember(traces), text)
    text = _SPACES.sub(" ", _LINE_BREAKS.sub("\n", text))
    text = _MARKS_OF_DIRECTION.sub("", _SOFT_HYPHEN.sub("", text))
    # Joiners last: whether one may stay hangs on the letter before it, and nothing that goes may stand between them.
    for name, pattern in (("control", _CONTROL), ("bidi", _BIDI), ("zero_width", _ZERO_WIDTH), ("zero_width", _JOINER)):
        text, count = pattern.subn("", text)
        traces[name] += count
    text = _BULLET_OF_SYMBOL_FONT.sub("•", text)
    text = _LIGATURE.sub(lambda found: _LIGATURES[found[0]], text)
    text = unicodedata.normalize("NFC", _PILE.sub(_flattened, text))
    traces["replaced"] += text.count("\ufffd")
    traces["private"] += len(_PRIVATE.findall(text))
    return text


def _remember(traces: Traces) -> Callable[[re.Match[str]], str]:
    """Tag characters spell ASCII that no screen shows."""

    def found(run: re.Match[str]) -> str:
        traces["smuggled"] += len(run[0])
        spelled = "".join(chr(ord(each) - 0xE0000) for each in run[0] if 0xE0020 <= ord(each) <= 0xE007E)
        if spelled.strip():
            traces[f"spelled:{shortened(spelled)}"] += 1
        return ""

    return found


def _flattened(pile: re.Match[str]) -> str:
    kept, run = [], 0
    for each in pile[0]:
        run = run + 1 if unicodedata.combining(each) else 0
        if run <= _MOST_MARKS:
            kept.append(each)
    return "".join(kept)


def shortened(text: str, most: int = 80) -> str:
    """One line of it, to quote in a sentence."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def said(traces: Traces) -> list[str]:
    """What was taken out, in sentences for the reviewer."""
    sentences = {
        "zero_width": "{} invisible (zero-width) characters were taken out.",
        "bidi": "{} characters that turn the reading direction were taken out. Check that the text reads in its right order.",
        "smuggled": "{} hidden characters that can carry a message nobody sees were taken out.",
        "control": "{} control characters were taken out.",
        "replaced": "{} characters could not be read and stand as “\ufffd”. Compare with the original.",
        "private": "{} characters belong to a font of the file's own and cannot be read. Compare with the original.",
    }
    quotes = [key.partition(":")[2] for key in traces if key.startswith("spelled:")]
    return [
        *(sentence.format(traces[name]) for name, sentence in sentences.items() if traces[name]),
        *(f"The hidden characters spell: “{quote}”." for quote in quotes[:_MOST_QUOTES]),
    ]


def hidden(texts: list[str]) -> list[str]:
    """Sentences about text that the file holds and nobody would see."""
    seen = list(dict.fromkeys(shortened(each) for each in texts if any(sign.isalnum() for sign in each)))
    if not seen:
        return []
    orders = [shortened(each) for each in texts if _TO_A_MACHINE.search(each)]
    flags = [f"Hidden text was left out: “{each}”." for each in seen[:_MOST_QUOTES]]
    if len(seen) > _MOST_QUOTES:
        flags.append(f"{len(seen) - _MOST_QUOTES} more pieces of hidden text were left out.")
    if orders:
        flags.insert(
            0, f"The file hides words written to a machine: “{orders[0]}”. Ask yourself whether this source can be trusted."
        )
    return flags


def instructions(text: str) -> list[str]:
    """Sentences about visible words that address a language model instead of a reader."""
    found = [
        text[max(0, each.start() - 20) : each.end() + 30]
        for each, _ in zip(_TO_A_MACHINE.finditer(text), range(50), strict=False)
    ]
    quotes = list(dict.fromkeys(map(shortened, found)))
    return [
        f"These words look written to a machine, not to a reader: “{each}”. Read that part before you publish."
        for each in quotes[:_MOST_QUOTES]
    ]
