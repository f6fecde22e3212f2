"""The heart of a long message: the sentences that ask, without greetings, thanks and how old somebody is. Pure.

The short form is embedded beside the whole message and never instead of it: alone it loses what the
rules did not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# A message this short is its own best form.
SHORT = 25
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_PLACEHOLDER = re.compile(r"\[[A-Z]+\]")
_COURTESY = re.compile(
    r"\b(?:hello|hi|hey|dear (?:sir|madam|doctor|dr|all)(?:\s*/\s*(?:sir|madam))?|good (?:morning|afternoon|evening|day)|greetings|"
    r"(?:(?:many |kind |best |warm )?(?:thanks|thank you|thx|regards|wishes|rgds)(?: (?:so much|very much|in advance|a lot|again|for (?:your|any|the) [\w ]{1,30}))?)|"
    r"(?:i would be|i'd be|i am|i will be) (?:very |so |really )?(?:grateful|thankful)(?: for [\w ]{1,30})?|"
    r"please|pls|plz|kindly|sincerely|respectfully|god bless(?: you)?|have a (?:great|nice|good) day)\b[,.!:]*",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\b(?:(?:can|could|would|will) (?:you|u|someone|anyone) (?:be able to )?(?:tell|advise|inform|let|help|explain to|give|send|provide|suggest)(?: (?:me|us))?(?: know)?(?: (?:about|with|on))?|"
    r"(?:i|we)(?: a|')?m? ?(?:just )?(?:was |would |'d |want(?:ed)? |need |like |am )*(?:wondering|like to know|curious|interested in knowing|to know|looking for information)(?: (?:if|whether|about|on|regarding))?|"
    r"my (?:question|query) (?:to you )?is|i have (?:a|one|some|few|a few) (?:questions?|query|queries)(?: about| regarding)?|i (?:have )?heard that|any (?:information|info|help|advice|suggestions?) (?:would|will) be [\w ]{1,30})\b[,:]*",
    re.IGNORECASE,
)
_BIOGRAPHY = re.compile(
    r"\b(?:my name is [\w\[\] ]{1,30}?(?=[,.]| and )|(?:i am|i'm|im|aged?|he is|she is|who is|now) (?:an? )?\d{1,3}[- ]?(?:years?|yrs?|y/?o|yo)?[- ]?(?:old|of age)?|"
    r"\d{1,3}[- ](?:years?|yrs?)[- ]?(?:old|of age)|(?:i live|i am from|i'm from|i work) (?:in|at|from|as)? ?[\w\[\] ]{1,30}?(?=[,.]|$| and ))",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|\b(?:what|how|why|when|where|which|who|is there|are there|is it|can (?:i|you|it|this|he|she|we|they)|could (?:i|it|this)|should i|do (?:i|you)|does|"
    r"wonder\w*|want to know|need to know|like to know|tell me|let me know|information (?:on|about)|looking for|advi[cs]e|suggest|help)\b",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def plainly(text: str) -> str:
    """The text without greetings, thanks, preambles and how old somebody is."""
    for pattern in (_PLACEHOLDER, _COURTESY, _PREAMBLE, _BIOGRAPHY):
        text = pattern.sub(" ", text)
    return " ".join(re.sub(r"\s+([,.?!])", r"\1", text).split()).strip(" ,.;:-")


def condensed(message: str, rarity: Callable[[list[str]], list[float]] | None = None) -> str | None:
    """The sentences that ask, and the one with the rarest words, without courtesies. None when nothing is gained."""
    plain = [(each, plainly(each)) for each in sentences(message)]
    plain = [(each, text) for each, text in plain if len(text.split()) >= 2]
    asking = [index for index, (each, _) in enumerate(plain) if _ASKS.search(each)]
    keep = set(asking or range(len(plain)))
    if rarity and plain:
        rare = rarity([text for _, text in plain])
        keep.add(max(range(len(plain)), key=lambda index: (rare[index], -index)))
    short = ". ".join(plain[index][1].rstrip(".") for index in sorted(keep))
    return short if short and len(short.split()) < 0.9 * len(message.split()) else None
