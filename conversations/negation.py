"""Whether a sentence denies what its source affirms, or says the opposite of a word in it. Pure.

A denial has a reach: the content words after it up to the end of the clause. Each denial of the sentence needs one of
the source that reaches the same word, and a denial of the source whose first word the sentence has needs one here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from conversations.content_words import content, joined, matches

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,;:.()]")
_DENIES = frozenset(
    "not no never cannot can't don't doesn't didn't isn't aren't wasn't weren't won't wouldn't shouldn't couldn't "
    "mustn't haven't hasn't "
    "hadn't needn't dont doesnt cant without unless neither nor none nobody nothing avoid avoids avoiding avoided lack "
    "lacks lacking "
    "absence absent rarely seldom hardly scarcely barely few little unlikely unable except excluding refrain".split()
)
# "Not only" and "no more than" deny nothing; a rule is a denial in "rule out" alone, and free in "free of".
_IDLE = re.compile(
    r"^(?:not (?:only|just|necessarily)|no (?:more|less|later|fewer|matter)|not (?:more|less) than|a few|a little|few "
    r"(?:days|weeks|months|hours|minutes|years))"
)
_ENDS_A_CLAUSE = frozenset(", ; : . ( ) but because although though which who that if when unless and or so while".split())
_ENDS_A_LIST = _ENDS_A_CLAUSE - {",", "and", "or"}
_REACH = 4
_JUDGING = frozenset("safe good recommended advised advisable allowed suitable right ok okay wise permitted".split())
_SELDOM = frozenset("rarely seldom hardly scarcely few little".split())
_PAIRS = tuple(
    (one, other)
    for pair in """
    hot/cool hot/cold warm/cool warm/cold raise/lower increase/decrease increase/reduce more/less more/fewer before/after
    above/below
    over/under high/low higher/lower safe/dangerous safe/unsafe safe/harmful open/closed inside/outside always/never always/rarely
    all/none all/few most/few many/few often/rarely usually/rarely common/rare common/uncommon likely/unlikely possible/impossible
    forward/back mild/severe up/down left/right upper/lower early/late earlier/later start/stop begin/stop first/last least/most
    large/small long/short better/worse improve/worsen gain/loss acute/chronic benign/malignant positive/negative normal/abnormal
    strong/weak dry/wet minimum/maximum quickly/slowly fast/slow rapid/slow internal/external male/female men/women boys/girls
    mother/father adult/child younger/older thick/thin dominant/recessive same/different effective/ineffective useful/useless
    in/out on/off with/without best/worst gradually/suddenly rise/fall front/back day/night deep/shallow contagious/noncontagious
    """.split()
    for one, other in (tuple(pair.split("/")), tuple(pair.split("/"))[::-1])
)
_FIRST_OF_PAIRS = frozenset(one for one, _ in _PAIRS)


@dataclass(frozen=True)
class Denial:
    said: str
    # Content words after it; those before it where nothing follows.
    reach: tuple[str, ...]
    # Before it in the sentence, the nearest first.
    before: tuple[str, ...]
    # Further on, over the commas of a list; and whether it stands in brackets.
    far: tuple[str, ...]
    aside: bool


def turned(sentence: str, sources: Sequence[str]) -> bool:
    """Whether the sentence turns what the sentences of its source say. `sources`: the nearest first."""
    here, there = denials(sentence), [each for source in sources for each in denials(source)]
    of_nearest = list(denials(sources[0])) if sources else []
    for one in here:
        other = next((each for each in there if each.said == one.said and _alike(one, each)), None)
        other = other or next(
            (each for each in there if _alike(one, each) and (one.said in _SELDOM) == (each.said in _SELDOM)), None
        )
        if other is None and one.said in _SELDOM and any(matches(one.said, content(source)) for source in sources):
            continue
        if other is None:
            return True
        there.remove(other)
        if other in of_nearest:
            of_nearest.remove(other)
    said = content(sentence)
    if any(_is_left_out(one, said) for one in of_nearest):
        return True
    return _has_an_opposite(sentence, sources)


def denied_judgements(sentence: str) -> frozenset[str]:
    """ "Safe" in "is not safe": words that judge, and that a denial of the source may carry without having them."""
    return frozenset(each.reach[0] for each in denials(sentence) if each.reach and each.reach[0] in _JUDGING)


def _is_left_out(denial: Denial, said: Sequence[str]) -> bool:
    """Whether the sentence says what is denied: its first word, and something of what follows."""
    if denial.aside or not denial.reach or not matches(denial.reach[0], said):
        return False
    return len(denial.far) < 2 or any(matches(word, said) for word in denial.far[1:])


def _alike(one: Denial, other: Denial) -> bool:
    """The first word that one of them reaches is reached by the other."""
    if not one.reach or not other.reach:
        return True
    if matches(one.reach[0], other.reach) or matches(other.reach[0], one.reach):
        return True
    # "X is not safe" and "do not take X" deny the same.
    return any(
        judging.reach[0] in _JUDGING and any(matches(word, plain.far) for word in (*judging.before, *judging.reach[1:]))
        for judging, plain in ((one, other), (other, one))
    )


@lru_cache(maxsize=2_048)
def denials(text: str) -> tuple[Denial, ...]:
    tokens = _TOKEN.findall(text.casefold().replace("’", "'"))
    found = []
    for place, token in enumerate(tokens):
        if token not in _DENIES or _IDLE.match(" ".join(tokens[place : place + 3])) or tokens[place - 1 : place] == ["a"]:
            continue
        reach = _reach(tokens[place + 1 :], _ENDS_A_CLAUSE, _REACH)
        before = tuple(reversed(_reach(tokens[max(0, place - 6) : place], frozenset(), 6)))[:_REACH]
        far = _reach(tokens[place + 1 :], _ENDS_A_LIST, 2 * _REACH)
        aside = tokens[:place].count("(") > tokens[:place].count(")")
        found.append(Denial(token, reach or before, before, far, aside))
    return tuple(found)


def _reach(tokens: Sequence[str], ends: frozenset[str], most: int) -> tuple[str, ...]:
    part: list[str] = []
    for token in tokens:
        if token in ends and content(" ".join(part)):
            break
        part.append(token)
    return content(" ".join(part))[:most]


def _has_an_opposite(sentence: str, sources: Sequence[str]) -> bool:
    """A word whose opposite stands in the source among the same words, and which does not stand so itself."""
    tokens = joined(sentence)
    if not _FIRST_OF_PAIRS & set(tokens):
        return False
    there = [joined(source) for source in sources]
    for one, other in _PAIRS:
        if one not in tokens:
            continue
        near = _near(tokens, one)
        with_one = max((len(near & _near(each, one)) for each in there if one in each), default=-1)
        with_other = max((len(near & _near(each, other)) for each in there if other in each), default=-1)
        if with_other >= 0 and with_other > with_one:
            return True
    return False


def _near(tokens: Sequence[str], word: str, *, within: int = 3) -> set[str]:
    places = [place for place, token in enumerate(tokens) if token == word]
    return {each for place in places for each in tokens[max(0, place - within) : place + within + 1]} - {word}
