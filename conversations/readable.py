"""Whether a sentence of a source can be read alone, and how heavy it is to read. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

SHORTEST, LONGEST = 5, 40
# Words up to here cost nothing.
_EASY = 20
_LEANS = re.compile(
    r"^\W*(?:it|its|this|these|those|that|they|their|them|he|she|his|her|such|both|each of|some of (?:these|them)|none "
    r"of|either|neither|"
    r"however|therefore|thus|hence|moreover|furthermore|also|additionally|in addition|besides|instead|otherwise"
    r"|similarly|likewise|"
    r"in contrast|on the other hand|for (?:example|instance|this reason|these reasons)|as a result|because of this|in "
    r"(?:these|this|such|that) "
    r"(?:cases?|situations?|way|form)|then|but|and|or|so|nor|yet|another|others?|the (?:other|latter|former|second|third"
    r"|following|same|above)|"
    r"after (?:this|that)|at (?:this|that) (?:time|point|stage))\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:see (?:the |also )?(?:figure|table|picture|image|section|chapter|page|below|above|our|list)|(?:figure|table"
    r"|picture|image|diagram|chart|"
    r"photo|illustration|list|links?|video) (?:\d+|below|above|on the (?:left|right))|(?:shown|listed|described"
    r"|discussed|mentioned) (?:below|above|earlier|later)|"
    r"as follows|the following (?:table|figure|list|link|sections?|resources?|organi[sz]ations?)|click|this (?:page"
    r"|booklet|publication|website|"
    r"summary|section|article|fact ?sheet|topic|chapter)|learn more|read more|for more information|more information "
    r"(?:about|on|is)|"
    r"key points?|back to top|return to|web ?site|newsletter|toll.?free|copyright|references?:|clinical trials?\.gov"
    r")\b|https?:|www\.|@|\b[\w-]+\.(?:com|org|gov|net)\b"
    r"|\(?\b\d{3}\)?[ -.]\d{3}[ -.]\d{4}\b",
    re.IGNORECASE,
)
# "NIH: National Institute on Aging", "Summary : ...": what a page is labelled with.
_LABEL = re.compile(r"^\W*(?:[A-Z]{2,6}|summary|source|note|reviewed|updated|date|overview|abstract)\s*:\s", re.IGNORECASE)
_TOLD = re.compile(r"(?:^|\s)(?:I|I'm|I've|my|me)(?=\s)")
# "Tests: - One. - Two" pressed into a line, and a line that ends where its list begins.
_LIST = re.compile(r"\s[-–•*]\s.*\s[-–•*]\s|^\s*[-–•*]|[:;,–-]\s*$")
_BREAKS_OFF = re.compile(r"(?:^|[^.])\.{3}$|\b(?:and|or|the|of|to|with|as|such as|include|includes|including)\W*$", re.IGNORECASE)
_HEAVY = re.compile(
    r"^(?:\w{13,}|\w*\d\w*[a-z]\w*|[A-Z]{2,}\d+\w*|\w{10,}(?:emia|osis|itis|opathy|ectomy|plasia|trophy|genic|ase))$"
)


def whole(sentence: str) -> bool:
    """Whether it is one: not a scrap, a question, a list pressed into a line, or a pointer to something that is not here."""
    if not SHORTEST <= len(sentence.split()) <= LONGEST or sentence.endswith("?"):
        return False
    begins = sentence.lstrip("\"'([“‘")[:1]
    if not begins or (begins.isalpha() and begins.islower()):
        return False
    return not any(each.search(sentence) for each in (_ELSEWHERE, _LABEL, _TOLD, _LIST, _BREAKS_OFF))


def leans(sentence: str) -> bool:
    """Whether it begins with a word that points at the sentence before."""
    return bool(_LEANS.match(sentence)) and not re.match(
        r"^(?:it is (?:important|best|safe|not safe|recommended|common|possible)|that said)\b", sentence, re.I
    )


def heaviness(sentence: str, asked: Collection[str] = ()) -> float:
    """What a sentence costs, from 0 to about .3: for its length, and for the share of words that only professionals use.
    A word that the person used is not heavy."""
    words = [word.strip(".,;:()\"'") for word in sentence.split()]
    heavy = sum(bool(_HEAVY.match(word)) and word.casefold() not in asked for word in words)
    return 0.004 * max(0, len(words) - _EASY) + 0.5 * max(0.0, heavy / max(1, len(words)) - 0.05)
