"""Which part of a document a question asks for, and which part a heading announces. Pure.

Rules over plain words, so that they hold for the headings of any guideline and not for one collection's
codes. What they bring is in docs/evaluation.md.
"""

from __future__ import annotations

import re

# Kind of section -> (words of a question that ask for it, words of a heading that announce it).
_KINDS: dict[str, tuple[str, str]] = {
    "overview": (
        r"what (?:is|are)\b(?! the\b)|what'?s (?:a|an)\b|what does \w+ mean|define|definition|meaning of|information (?:about|on|regarding)|tell me (?:about|what)|explain|learn about",
        r"overview|summary|what (?:is|are)\b(?! the)|definition|introduction|about|information|facts|description|background|key points",
    ),
    "symptoms": (
        r"symptoms?|signs?\b|how (?:do|can|would) (?:i|you|we) (?:know|tell)|feels? like|looks? like",
        r"symptoms?|signs?|warning|presentation|clinical features|looks? like|feels? like",
    ),
    "causes": (
        r"caus\w+|why\b|reasons?\b|due to|how (?:do|does|did|can) (?:\w+ ){1,3}(?:get|catch|spread|contract)|triggers?|contagious|transmit\w*|come from|related to",
        r"caus\w+|etiology|aetiology|triggers?|spread|transmission|contagious|who gets",
    ),
    "treatment": (
        r"treat\w*|cures?\b|curable|therap\w+|remed(?:y|ies)|medicines?|medications?|drugs?\b|surger(?:y|ies)|get rid|relie\w+|manag\w+|what (?:can|should|do|to) (?:\w+ ){0,2}(?:do|take)|help (?:with|for|me)|heal\w*",
        r"treat\w*|therap\w+|management|managed?|medicines?|medications?|surgery|remedies|cure|what (?:can|should) (?:i|you) do|self.?care|procedure",
    ),
    "diagnosis": (
        r"diagn\w+|test(?:s|ed|ing)?\b|detect\w*|screen\w*|find out (?:if|whether)|exams?\b|examination|scans?\b|x-?rays?|biops\w+|check(?:ed)? for|blood work",
        r"diagnos\w+|tests?|testing|exams?|examination|screening|investigations?|how (?:can|do) (?:i|you) (?:tell|know)|results",
    ),
    "prevention": (
        r"prevent\w*|avoid\w*|protect\w*|precautions?|vaccin\w+|immuni[sz]\w+|shots?\b|(?:reduce|lower) (?:\w+ ){0,2}(?:risk|chance)",
        r"prevent\w*|protect\w*|vaccin\w+|immuni[sz]ation|avoid\w*|reduc\w+ (?:\w+ )?risk",
    ),
    "inheritance": (
        r"inherit\w*|hereditary|genetics?\b|runs? in (?:\w+ )?famil\w+|pass(?:ed)? (?:it )?(?:on|down)|carriers?\b",
        r"inherit\w*|hereditary|family|passed",
    ),
    "genes": (
        r"genes?\b|genetics?\b|mutations?|chromos\w+|dna\b",
        r"genes?|genetics?|mutations?|chromosomes?",
    ),
    "outlook": (
        r"prognosis|outlook|surviv\w+|life expectancy|how long (?:\w+ ){0,4}(?:live|last)|\bdie\b|death|deadly|fatal|long[- ]term|recover\w*|progress\w*|gets? worse|(?:is|are) (?:\w+ ){0,4}(?:serious|dangerous|harmful)",
        r"outlook|prognosis|survival|life expectancy|recovery|living with|follow.?up",
    ),
    "complications": (
        r"complications?|lead to|long[- ]term|effects? of|consequences?|what happens|affects?\b",
        r"complications?|long.?term|problems|what happens",
    ),
    "side effects": (
        r"side.?effects?|adverse|(?:is|are) (?:it|they|this|\w+) safe|safety|harm\w*|reactions?|allerg\w+",
        r"side.?effects?|adverse|safety|warnings?|precautions|contraindications|allerg\w+",
    ),
    "dose": (
        r"dos(?:e|es|age|ing)\b|how (?:much|often|many (?:mg|pills|tablets|times))|maximum|overdose|when (?:should|do|to) (?:\w+ )?take|\bmg\b",
        r"dos(?:e|es|age|ing)|how (?:to|should \w+|do \w+) (?:take|use)|administration|overdose",
    ),
    "interactions": (
        r"interact\w*|(?:take|use|mix|combine)\w* (?:\w+ ){0,4}(?:with|together)|at the same time|alcohol",
        r"interactions?|other medicines|taking with",
    ),
    "risk": (
        r"who (?:gets|is at|can get|is likely)|at risk|risk factors?|likely to|susceptib\w+|chances? of",
        r"risk|susceptib\w+|who (?:gets|is)|likely",
    ),
    "frequency": (
        r"how (?:common|rare|many people|frequent\w*|often does)|prevalence|incidence|statistics|(?:is|are) (?:\w+ ){1,4}(?:common|rare)",
        r"how (?:common|many)|prevalence|incidence|frequency|statistics|epidemiology",
    ),
    "research": (
        r"research|clinical trials?|stud(?:y|ies)\b|experimental|new (?:treatments?|drugs?)|breakthrough",
        r"research|clinical trials?|studies",
    ),
    "living": (
        r"diets?\b|foods?\b|\beat(?:ing)?\b|nutrition\w*|exercis\w+|lifestyle|cope|coping|living with|support groups?|what to do for",
        r"diet|nutrition|eating|food|exercise|lifestyle|living|coping|considerations|self.?care|support",
    ),
    "stages": (r"stages?\b|phases?\b", r"stages?|staging|phases?"),
}
_ASKED = {kind: re.compile(rf"\b(?:{asked})", re.IGNORECASE) for kind, (asked, _) in _KINDS.items()}
_HEADED = {kind: re.compile(rf"\b(?:{headed})\b", re.IGNORECASE) for kind, (_, headed) in _KINDS.items()}


def wanted_sections(question: str) -> frozenset[str]:
    """The kinds of section a question asks for; empty when it does not say."""
    return frozenset(kind for kind, pattern in _ASKED.items() if pattern.search(question))


def section_kinds(heading: str) -> frozenset[str]:
    """The kinds of section a heading announces; empty when its words say nothing."""
    return frozenset(kind for kind, pattern in _HEADED.items() if pattern.search(heading))
