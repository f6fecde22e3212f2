"""The sets of questions Jeevo is measured on: their names, figures, goals, and what was known before.

Pure data, shared by the command that measures and the page that shows.
"""

from __future__ import annotations

from dataclasses import dataclass

# The program's own order, and each of its halves alone.
FUSED, DENSE, TEXT = "fused", "dense", "text"
SYSTEMS = {FUSED: "both halves", DENSE: "meaning alone", TEXT: "words alone"}
CONDENSED = "condensed nDCG@10"
# Cosine of the best passage with the question, from which it counts as near.
NEAR = {"near at 0.5": 0.5, "near at 0.6": 0.6}
LANGUAGES = {"en": "English", "hi": "Hindi", "es": "Spanish", "zh": "Chinese"}


@dataclass(frozen=True)
class Set:
    name: str
    title: str
    # The figures, the main one first: it stands for the set in plots and comparisons.
    figures: tuple[str, ...]
    about: str

    @property
    def main(self) -> str:
        return self.figures[0]

    @property
    def has_truth(self) -> bool:
        return self.main not in NEAR


@dataclass(frozen=True)
class Goal:
    value: float
    # The best figure known before: a prototype's or plain BM25's.
    known: float


_GRADED = ("nDCG@10", "R@10", CONDENSED, "judged@10")
_OVER_ALL = "over all answers of MedQuAD; an answer nobody judged counts as wrong"
_XLING = [
    Set(
        f"xling_{part}_{language}",
        f"XLingHealth {title}, {name}",
        ("R@10", "R@1"),
        f"question to its own answer, both in {name}, among all answers of the file",
    )
    for part, title in (("liveqa", "LiveQA"), ("medicationqa", "MedicationQA"))
    for language, name in LANGUAGES.items()
]
SETS: dict[str, Set] = {
    each.name: each
    for each in (
        Set("liveqa_message", "LiveQA, real messages", _GRADED, f"the message as it was typed, {_OVER_ALL}"),
        Set("liveqa_subject", "LiveQA, subject and message", _GRADED, f"the subject line before the message, {_OVER_ALL}"),
        Set("liveqa_summary", "LiveQA, one-line summaries", _GRADED, f"the message in one line, {_OVER_ALL}"),
        Set(
            "medquad",
            "MedQuAD",
            ("R@1", "R@5", "R@10", "MRR"),
            "a question to its own answer among all answers; its words are not indexed",
        ),
        Set("mediqa_pooled", "MEDIQA, pooled", ("nDCG@10", "R@10"), "the candidate answers of all questions together"),
        Set("mediqa_split", "MEDIQA, pooled by part", ("nDCG@10", "R@10"), "the candidate answers of one part of the collection"),
        Set("mediqa_own", "MEDIQA, own candidates", ("nDCG@10",), "the candidate answers of the question alone"),
        *_XLING,
        Set("healthsearchqa", "HealthSearchQA", tuple(NEAR), "searches without a known answer: is anything near them?"),
        Set("golden", "Golden questions", ("R@3",), "the clinicians' own questions over the real library"),
    )
}
GOALS: dict[tuple[str, str], Goal] = {
    ("liveqa_message", "R@10"): Goal(0.65, 0.52),
    ("liveqa_message", "nDCG@10"): Goal(0.50, 0.40),
    ("liveqa_summary", "R@10"): Goal(0.78, 0.70),
    ("liveqa_summary", "nDCG@10"): Goal(0.65, 0.57),
    ("medquad", "R@1"): Goal(0.68, 0.61),
    ("medquad", "R@5"): Goal(0.96, 0.93),
    ("mediqa_pooled", "nDCG@10"): Goal(0.68, 0.547),
    ("mediqa_split", "nDCG@10"): Goal(0.68, 0.547),
}


def chosen(names: list[str]) -> list[str]:
    """The sets meant by names or beginnings of names ("liveqa" is all of LiveQA). Raises KeyError with a name that is none."""
    found: dict[str, None] = {}
    for name in names:
        meant = [each for each in SETS if each == name or each.startswith(f"{name}_")]
        if not meant or name == "golden":
            raise KeyError(name)
        found |= dict.fromkeys(meant)
    return [each for each in SETS if each in found]
