"""Amounts, times, doses and frequencies in a text, and those that a source does not carry. Pure.

A number belongs to something: it stands in the source with the same unit or thing counted, the same bound ("at
least", "under") and among words that it stands among here, or it is missing. Words for numbers, fractions, ranges
("5-10", "between 5 and 10") and frequencies ("twice", "every 4 hours", "daily") count as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from conversations.content_words import STRICT, content, matches

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ONES.split())}
_TEN = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_LARGE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_PARTS = {"half": "0.5", "quarter": "0.25", "½": "0.5", "¼": "0.25", "¾": "0.75", "⅓": "0.333", "⅔": "0.667", "dozen": "12"}
_ORDINALS = {word: value for value, word in enumerate("second third fourth fifth sixth seventh eighth ninth tenth".split(), 2)}
_TIMES = {"once": "1", "twice": "2", "thrice": "3", "double": "x2", "doubled": "x2", "triple": "x3"}
_UNITS = {
    "mg": "mg milligram milligrams",
    "mcg": "mcg µg μg microgram micrograms",
    "g": "g gram grams gm",
    "kg": "kg kilo kilos kilogram kilograms",
    "ml": "ml millilitre millilitres milliliter milliliters cc",
    "l": "l litre litres liter liters",
    "degree": "c f celsius fahrenheit degree degrees °c °f °",
    "percent": "percent % per-cent percentage",
    "tablet": "tablet tablets pill pills capsule capsules",
    "teaspoon": "teaspoon teaspoons tsp",
    "tablespoon": "tablespoon tablespoons tbsp",
    "cup": "cup cups",
    "glass": "glass glasses",
    "drop": "drop drops",
    "puff": "puff puffs",
    "dose": "dose doses",
    "second": "second seconds sec secs",
    "minute": "minute minutes min mins",
    "hour": "hour hours hr hrs",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years yr yrs",
    "time": "time times",
}
_UNIT = {form: name for name, forms in _UNITS.items() for form in forms.split()}
# One of these is an amount to take even without a number before it.
_TAKEN = frozenset("mg mcg g ml l tablet teaspoon tablespoon cup glass drop puff dose".split())
_OFTEN = {
    "hourly": "hour",
    "daily": "day",
    "nightly": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
    "annually": "year",
}
_SPANS = frozenset("hour day week month year".split())
_AT_LEAST = re.compile(
    r"\b(?:at least|more than|over|above|older than|greater than|longer than|higher than|a minimum of|minimum|exceed\w*|beyond|"
    r"or (?:more|older|higher|above|over|longer)|and (?:older|over|above)|no (?:less|fewer) than|(?<!un)less often than)\b"
)
_AT_MOST = re.compile(
    r"\b(?:at most|less than|fewer than|under|below|younger than|up to|lower than|shorter than|a maximum of|maximum|within|"
    r"or (?:less|younger|fewer|under|below)|and (?:younger|under)|no (?:more|later|older|longer) than|not (?:more"
    r"|longer) than|before)\b"
)
_A_NUMBER = r"(?:\d|(?:" + "|".join((*_SMALL, *_TEN)) + r")\b)"
_BOUND_BEFORE = re.compile(
    r"\b(?:at least|at most|(?:more|less|fewer|older|younger|greater|longer|higher|lower) than|over|under|above|below"
    r"|within|up to|about|"
    rf"(?:a )?(?:minimum|maximum)(?: of)?|no (?:more|less|fewer|later|longer|older) than|every|each) (?={_A_NUMBER})",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    rf"({_A_NUMBER}\S*(?: \w+)?) (?:or|and) (?:more|less|older|younger|over|under|above|below|higher|lower|longer|fewer)\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[½¼¾⅓⅔]|[°%]\s?[cf]?\b|%|°|[^\W\d_]+(?:['’][^\W\d_]+)*|[–—−/.,;:()-]")
_AFTER_A_PRONOUN = frozenset("of another should can may must is has needs will would could might who that".split())
_SUBJECTS = frozenset("the you it they he she we i your his her their its this that these those a an all".split())
# Of a number's neighbours on either side.
_NEAR = 7


@dataclass(frozen=True)
class Quantity:
    # As written in digits, a range as "5~10"; "x2" for twice as much; "#3" for the third.
    value: str
    # A unit's name, "per day" for how often, or "" where something is counted.
    unit: str
    # "+" at least, "-" at most, "e" for every so often.
    bound: str
    # What is counted, and the words around.
    counted: str
    # "Zinc" in "10 mg of zinc".
    of: str
    around: frozenset[str]
    said: str


def missing(sentence: str, source: Iterable[str]) -> list[str]:
    """What the sentence says in numbers that none of the source's sentences carries, as it is written there."""
    there = [each for one in source for each in quantities(one)]
    return [each.said for each in quantities(sentence) if not any(_carries(other, each) for other in there)]


def _carries(there: Quantity, said: Quantity) -> bool:
    if there.value != said.value:
        # "twice" of anything is two times; a range may be said by one of its ends only where a bound says so.
        return bool(said.bound in "+-" and said.bound and said.value in there.value.split("~") and there.unit == said.unit)
    if said.unit != there.unit and not ((said.unit == "" and there.unit == "") or _loosely(said.unit, there.unit)):
        return False
    if not _bounds_agree(there, said):
        return False
    if said.of and there.of and not matches(said.of, (there.of,)):
        return False
    if not said.unit and said.counted and there.counted and matches(said.counted, (there.counted,)):
        return True
    return not said.around or not there.around or any(matches(word, there.around) for word in said.around)


def _loosely(one: str, other: str) -> bool:
    """A number of times, or a plain number, may be said either way; a unit may not."""
    return {one, other} <= {"", "time"}


def _bounds_agree(there: Quantity, said: Quantity) -> bool:
    if said.bound == there.bound:
        return True
    # Left out: "at least 20 minutes" as "20 minutes" asks for the same; "at most 4 tablets" as "4 tablets" does not.
    return not said.bound and not (there.bound == "-" and there.unit in _TAKEN) and there.bound != "e"


def without_bounds(text: str) -> str:
    """The text without the words that bound a number: whether those agree is asked with the number."""
    return _BOUND_AFTER.sub(r"\1", _BOUND_BEFORE.sub("", text))


@lru_cache(maxsize=2_048)
def quantities(text: str) -> tuple[Quantity, ...]:
    tokens = _TOKEN.findall(text.casefold().replace("’", "'"))
    found: list[Quantity] = []
    place = 0
    while place < len(tokens):
        read = _number(tokens, place) or _frequency(tokens, place) or _one_to_take(tokens, place)
        if read is None:
            place += 1
            continue
        value, unit, end = read
        found.append(_quantity(tokens, place, end, value, unit))
        place = end
    return tuple(found)


def _quantity(tokens: Sequence[str], start: int, end: int, value: str, unit: str) -> Quantity:
    before, after = " ".join(tokens[max(0, start - 3) : start]), " ".join(tokens[end : end + 3])
    near = (*tokens[max(0, start - _NEAR) : start], *tokens[end : end + _NEAR])
    words = content(" ".join(each for each in near if each.isalpha()))
    following = content(" ".join(each for each in tokens[end : end + 3] if each.isalpha()))
    if "every" in tokens[max(0, start - 1) : start]:
        bound = "e"
    else:
        bound = "+" if _bound(_AT_LEAST, before, after) else "-" if _bound(_AT_MOST, before, after) else ""
    around = frozenset(
        word for word in words if word not in _UNIT and word not in _OFTEN and word not in STRICT and word != "per"
    )
    of = following[0] if following and unit and tokens[end : end + 1] == ["of"] else ""
    return Quantity(value, unit, bound, following[0] if following else "", of, around, " ".join(tokens[start:end]))


def _bound(pattern: re.Pattern[str], before: str, after: str) -> bool:
    first = list(pattern.finditer(before))
    later = pattern.match(after)
    return bool(first and first[-1].end() >= len(before) - 2 and not first[-1][0].startswith(("or ", "and "))) or bool(
        later and later[0].startswith(("or ", "and "))
    )


def _number(tokens: Sequence[str], place: int) -> tuple[str, str, int] | None:
    """A number or a range with its unit, and where it ends."""
    one = _value(tokens, place)
    if one is None:
        return _ordinal(tokens, place)
    value, end = one
    if (until := _until(tokens, place, end)) is not None:
        value, end = f"{value}~{until[0]}", until[1]
    if tokens[place] in _PARTS and tokens[end : end + 1] in (["a"], ["an"]) and _unit(tokens, end + 1)[0]:
        end += 1
    unit, end = _unit(tokens, end)
    return value, unit, end


def _until(tokens: Sequence[str], start: int, end: int) -> tuple[str, int] | None:
    between = start > 0 and tokens[start - 1] == "between"
    # "100 mg to 200 mg" too.
    after = _unit(tokens, end)[1]
    for at in (end, after):
        if at < len(tokens) and (tokens[at] in ("-", "–", "—", "to", "through") or (between and tokens[at] == "and")):
            return _value(tokens, at + 1)
    return None


def _value(tokens: Sequence[str], place: int) -> tuple[str, int] | None:
    if place >= len(tokens):
        return None
    token = tokens[place]
    if token[0].isdigit():
        value, end = _plain(token), place + 1
        if tokens[end : end + 1] == ["/"] and end + 1 < len(tokens) and tokens[end + 1].isdigit():
            return f"{value}/{_plain(tokens[end + 1])}" if int(tokens[end + 1]) != 2 or value != "1" else "0.5", end + 2
        return _scaled(value, tokens, end)
    if token in _PARTS:
        return _PARTS[token], place + 1
    if token in {"one", "two"} and (
        (tokens[place + 1 : place + 2] and tokens[place + 1] in _AFTER_A_PRONOUN)
        or tokens[max(0, place - 1) : place] in (["no"], ["the"])
    ):
        return None
    if token in _TEN:
        step = 2 if tokens[place + 1 : place + 2] == ["-"] else 1
        ones = _SMALL.get(tokens[place + step], 0) if place + step < len(tokens) else 0
        return (str(_TEN[token] + ones), place + step + 1) if 0 < ones < 10 else (str(_TEN[token]), place + 1)
    return _scaled(str(_SMALL[token]), tokens, place + 1) if token in _SMALL else None


def _scaled(value: str, tokens: Sequence[str], end: int) -> tuple[str, int]:
    while end < len(tokens) and tokens[end] in _LARGE and value.replace(".", "").isdigit():
        value, end = _plain(f"{float(value) * _LARGE[tokens[end]]:.6f}"), end + 1
    return value, end


def _plain(digits: str) -> str:
    """ "1,000" and "1000.0" are 1000; "0.50" is 0.5."""
    digits = re.sub(r",(?=\d{3})", "", digits)
    if digits.count(".") == 1 and "," not in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.lstrip("0") or "0" if "." not in digits else digits


def _ordinal(tokens: Sequence[str], place: int) -> tuple[str, str, int] | None:
    token = tokens[place]
    # "second" is a span of time after a number only, and then it has been read as a unit.
    return (f"#{_ORDINALS[token]}", "", place + 1) if token in _ORDINALS else None


def _unit(tokens: Sequence[str], place: int) -> tuple[str, int]:
    if place < len(tokens) and tokens[place] == "-":
        place += 1 if place + 1 < len(tokens) and tokens[place + 1] in _UNIT else 0
    if place < len(tokens) and tokens[place].replace(" ", "") in _UNIT:
        unit, end = _UNIT[tokens[place].replace(" ", "")], place + 1
        if unit == "degree" and end < len(tokens) and _UNIT.get(tokens[end]) == "degree":
            end += 1
        return unit, end
    if tokens[place : place + 2] == ["per", "cent"]:
        return "percent", place + 2
    return "", place


def _frequency(tokens: Sequence[str], place: int) -> tuple[str, str, int] | None:
    token, after = tokens[place], tokens[place + 1] if place + 1 < len(tokens) else ""
    if token in _OFTEN:
        return "1", f"per {_OFTEN[token]}", place + 1
    if token in ("per", "each", "every") and _UNIT.get(after) in _SPANS:
        return "1", f"per {_UNIT[after]}", place + 2
    if token in ("a", "an") and after in _SPANS and place and _counts_times(tokens[place - 1]):
        return "1", f"per {after}", place + 2
    if token in _TIMES and not (token in {"once"} and _begins_a_clause(tokens, place)):
        return _TIMES[token], "time" if not _TIMES[token].startswith("x") else "", place + 1
    return None


def _begins_a_clause(tokens: Sequence[str], place: int) -> bool:
    """ "Once the fever is gone", and "at once"."""
    after = tokens[place + 1 : place + 3]
    often = len(after) == 2 and after[0] in ("a", "an", "per", "each", "every") and _UNIT.get(after[1]) in _SPANS
    return tokens[max(0, place - 1) : place] == ["at"] or bool(after and after[0] in _SUBJECTS and not often)


def _counts_times(token: str) -> bool:
    return token in _TIMES or token in _UNIT


def _one_to_take(tokens: Sequence[str], place: int) -> tuple[str, str, int] | None:
    """ "A tablet" is one, where half of one could stand."""
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    is_one = (
        tokens[place] in ("a", "an") and _UNIT.get(after) in _TAKEN - {"dose", "glass", "cup", "drop"} and after == _UNIT[after]
    )
    return ("1", _UNIT[after], place + 2) if is_one and tokens[max(0, place - 1) : place] not in (["half"], ["quarter"]) else None
