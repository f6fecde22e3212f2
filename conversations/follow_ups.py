"""A question that leans on what was asked before, made to stand alone by rules: for when no model does it. Pure.

"and for children?" asks the earlier question about somebody else; "how long does it last?" asks something else about
the same thing, which the title of the cited source names.
"""

from __future__ import annotations

import re

from conversations.prompts import Earlier

_OPENERS = re.compile(
    r"^\W*(?:(?:and|also|but|ok|okay|so|then|or|what about|how about|what if|what is|is it|is this|the same|same)\b[\s,]*)+", re.I
)
_SOMEBODY = (
    r"(?:a |an |my |the |small |young |old(?:er)? |little |newborn )*"
    r"(?:children|child|kids?|bab(?:y|ies)|infants?|toddlers?|newborns?|adults?|women|men|pregnant (?:women|woman|mothers?)|"
    r"pregnancy|breastfeeding(?: mothers?)?|elderly(?: people)?|old people|"
    r"(?:\d+|\w+)[- ](?:year|month|week|day)s?[- ]olds?(?: (?:child|baby|boy|girl|son|daughter))?)"
)
# The whole of what is new: "and for children", "if she is pregnant", "in adults too".
_ONLY_SOMEBODY = re.compile(
    r"^(?:(?:for|in|with|to|if|when|during|about|safe|good|i am|i'm|she is|he is)\s+)*"
    rf"(?P<who>{_SOMEBODY}|pregnant|breastfeeding)(?: too| as well)?\W*$",
    re.I,
)
_OF_SOMEBODY = re.compile(rf"\s*\b(?:for|in|of|to|with|during)\s+{_SOMEBODY}\b|\b{_SOMEBODY}('s)?\b", re.I)
_POINTING = re.compile(r"\b(?:it|this|that|these|those|them|they)\b", re.I)
_LONGEST_TOPIC = 120


def standalone(text: str, earlier: Earlier) -> str:
    """The question as it is searched; never shown to the person. `earlier.question` stands alone itself."""
    asked = " ".join(text.split())
    somebody = _ONLY_SOMEBODY.match(_OPENERS.sub("", asked).strip())
    if somebody:
        before = " ".join(_OF_SOMEBODY.sub(" ", earlier.question).split()).rstrip(" ?.!")
        return f"{before} {_among(somebody['who'])}?"
    topic = _topic(earlier)
    if _POINTING.search(asked):
        return _POINTING.sub(lambda _: topic, asked, count=1)
    return f"{topic}: {_OPENERS.sub('', asked).strip() or asked}"


def _among(who: str) -> str:
    return f"when {who.lower()}" if who.lower() in ("pregnant", "breastfeeding") else f"for {who.lower()}"


def _topic(earlier: Earlier) -> str:
    """What the cited source is about, else what was asked, as one name inside a sentence."""
    topic = earlier.title or earlier.question.rstrip(" ?.!")
    topic = topic[:_LONGEST_TOPIC].strip()
    return topic[:1].lower() + topic[1:] if topic[1:2].islower() else topic
