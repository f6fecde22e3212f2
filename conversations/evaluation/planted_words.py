"""Words that the planting of errors exchanges. Plain data, apart from the words that the check itself knows."""

from __future__ import annotations

NUMBERS_IN_ORDER = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
NUMBERS = {word: str(value) for value, word in enumerate(NUMBERS_IN_ORDER) if value > 1} | {
    "fifteen": "15",
    "twenty": "20",
    "thirty": "30",
    "half": "1/2",
}
UNITS: tuple[tuple[str, ...], ...] = (
    ("mg", "mcg", "g", "ml"),
    ("milligrams", "micrograms", "grams"),
    ("ml", "litres", "mg"),
    ("seconds", "minutes", "hours", "days", "weeks", "months", "years"),
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("cups", "tablets", "drops", "ounces", "pills"),
    ("pounds", "ounces", "inches", "feet"),
)
FREQUENCIES = (
    "once",
    "twice",
    "daily",
    "weekly",
    "monthly",
    "hourly",
    "a day",
    "per week",
    "each month",
    "every hour",
    "every year",
)
VERBS = {
    "causes": "does not cause",
    "cause": "do not cause",
    "affects": "does not affect",
    "affect": "do not affect",
    "helps": "does not help",
    "help": "do not help",
    "occurs": "does not occur",
    "occur": "do not occur",
    "needs": "does not need",
    "need": "do not need",
    "has": "does not have",
    "have": "do not have",
    "includes": "does not include",
    "include": "do not include",
    "leads": "does not lead",
    "become": "do not become",
    "becomes": "does not become",
    "increases": "does not increase",
    "use": "do not use",
    "uses": "does not use",
}
# What denies, and what says the same without denying.
DENIALS = {
    "never": "always",
    "without": "with",
    "unless": "if",
    "avoid": "use",
    "no longer": "still",
    "neither": "both",
    "no": "some",
    "none": "all",
    "not": "",
    "unlikely": "likely",
    "unable": "able",
}
_OPPOSITES = """
increase/decrease increases/decreases increased/decreased increasing/decreasing high/low higher/lower raise/lower more/less
before/after above/below always/rarely all/few most/few many/few often/rarely usually/rarely common/rare commonly/rarely
upper/lower left/right hot/cold warm/cold start/stop begin/stop early/late earlier/later large/small larger/smaller mild/severe
better/worse improve/worsen rise/fall gain/loss strong/weak positive/negative acute/chronic benign/malignant normal/abnormal
male/female males/females men/women boys/girls mother/father adults/children adult/child inside/outside internal/external
short/long shorter/longer younger/older thick/thin wide/narrow fast/slow rapid/slow quickly/slowly safe/dangerous dry/wet
first/last maximum/minimum excess/lack up/down front/back open/closed day/night healthy/sick dead/alive gradually/suddenly
dominant/recessive same/different possible/impossible effective/useless worsen/improve best/worst easy/difficult
"""
OPPOSITES = {one: other for pair in _OPPOSITES.split() for one, other in (tuple(pair.split("/")), tuple(pair.split("/")[::-1]))}
# Said and left out without a change of what is claimed.
SPARE = (
    "also", "generally", "typically", "very", "particularly", "especially", "really", "quite", "currently", "however,",
    "therefore,", "additionally,", "simply", "further", "actually", "certainly", "relatively", "certain", "several",
)  # fmt: skip
SYNONYMS = {
    "physician": "doctor",
    "physicians": "doctors",
    "health care provider": "doctor",
    "individuals": "people",
    "persons": "people",
    "approximately": "about",
    "begin": "start",
    "begins": "starts",
    "commonly": "often",
    "frequently": "often",
    "such as": "like",
    "may": "might",
    "in order to": "to",
    "additional": "more",
    "numerous": "many",
    "assist": "help",
    "assists": "helps",
    "obtain": "get",
    "occur": "happen",
    "occurs": "happens",
    "requires": "needs",
    "require": "need",
    "prior to": "before",
    "usually": "normally",
    "medication": "medicine",
    "medications": "medicines",
    "drugs": "medicines",
    "symptoms": "signs",
    "difficulty": "trouble",
    "children": "kids",
    "infants": "babies",
    "abdominal": "belly",
    "abdomen": "belly",
    "fatigue": "tiredness",
    "hypertension": "high blood pressure",
    "high blood pressure": "hypertension",
    "disorder": "condition",
    "disease": "illness",
    "cause": "lead to",
    "causes": "leads to",
    "determine": "find out",
    "due to": "because of",
    "caused by": "due to",
    "known as": "called",
    "is characterized by": "shows as",
    "vomiting": "throwing up",
    "fever": "high temperature",
    "treat": "manage",
    "reduce": "lower",
    "reduces": "lowers",
    "develop": "get",
    "examine": "check",
    "severe": "serious",
    "many": "a lot of",
    "large": "big",
    "surgery": "an operation",
    "contact": "call",
    "kidney failure": "failure of the kidneys",
    "rarely": "seldom",
    "pain": "aches",
}
OPENINGS = ("In general,", "As a rule,", "Remember that", "It is known that", "Doctors say that", "Note that")
NOT_NOUNS = frozenset(
    "other others same most more many such some both each than then them they there here only also well very much part parts "
    "ways kind kinds form forms type types case cases example number amount lack rest most least addition order general "
    "this".split()
)
