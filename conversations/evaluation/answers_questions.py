"""Questions that a library of MedQuAD answers, and questions that it does not: for abstention and for confidence.

Answered: questions whose own answer is in the library, and consumers' questions for which a judged-right answer is.
Not answered: MedQuAD's questions without an answer, K-QA's questions, both only where the library has no page on any
of what they ask about, and questions that have nothing to do with health.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from conversations.content_words import content
from conversations.evaluation.answers_library import Corpus
from knowledge.evaluation import data_files
from knowledge.evaluation.datasets import RIGHT

SEED = 20_261
MEDQUAD, LIVEQA, WITHOUT, OFF_COVERAGE, OFF_TOPIC = (
    "MedQuAD",
    "LiveQA",
    "MedQuAD without answer",
    "K-QA off coverage",
    "off topic",
)
ANSWERED, UNANSWERED = (MEDQUAD, LIVEQA), (WITHOUT, OFF_COVERAGE, OFF_TOPIC)
_BEGINNING = 6
# Ours; nothing in a medical library answers them, whatever words they share with it.
_OFF_TOPIC = """
Which train goes from Pune to Nagpur at night?
How do I get a new ration card?
Who won the cricket match yesterday?
What is the price of gold today?
How can I reset the password of my bank app?
My laptop screen has gone black, how do I repair it?
What is the capital of Mongolia?
How do I register land in my wife's name?
When will the school results come out?
Can you write a poem about the sea?
What time does the post office close?
How do I change the oil of a motorcycle?
Which seeds should I sow in June?
My phone does not charge any more, what can I do?
How much is a visa for Nepal?
Is there a bus strike tomorrow?
How do I knot a tie?
Tell me a joke about a lawyer
Which film won most prizes last year?
How do I get a loan for a tractor?
Who wrote the national anthem?
How do I cook rice for twenty people?
What is the fastest way to learn typing?
How do I train a dog to sit?
Why is the electricity bill so high this month?
Where can I buy a second-hand sewing machine?
How do I file a complaint about a broken road?
What is the difference between petrol and diesel?
How can I rent a room near the station?
What does this song mean?
How high is the tallest building in the world?
How do I grow tomatoes on a balcony?
Which company makes the best fans?
How do I vote if I have moved?
What is the exchange rate of the dollar?
How do I paint a wooden door?
"""


@dataclass(frozen=True)
class Asked:
    key: str
    # One of the names above.
    kind: str
    text: str
    # Titles of the pages that answer it.
    right: frozenset[str] = frozenset()

    @property
    def answerable(self) -> bool:
        return self.kind in ANSWERED


def questions(folder: Path, corpus: Corpus, *, each: int = 150, seed: int = SEED) -> tuple[list[Asked], list[str]]:
    """At most `each` of a kind, and a sentence for each kind that the folder lacks."""
    found: list[Asked] = []
    left_out: list[str] = []
    readers: dict[str, Callable[[Path, Corpus], Iterable[Asked]]] = {
        MEDQUAD: _medquad,
        LIVEQA: _liveqa,
        WITHOUT: _without,
        OFF_COVERAGE: _off_coverage,
        OFF_TOPIC: lambda *_: [Asked(f"off:{n}", OFF_TOPIC, text) for n, text in enumerate(_OFF_TOPIC.strip().splitlines())],
    }
    for kind, read in readers.items():
        try:
            own = list(read(folder, corpus))
        except data_files.Missing as missing:
            left_out.append(f"{kind} was left out: {missing} is not in the folder.")
            continue
        draw = random.Random(f"{seed} {kind}")  # noqa: S311
        found += draw.sample(own, min(each, len(own)))
    return found, left_out


def _medquad(folder: Path, corpus: Corpus) -> Iterable[Asked]:
    return [
        Asked(answer.key, MEDQUAD, answer.question, frozenset([answer.title.casefold()]))
        for answer in corpus.answers
        if answer.question
    ]


def _liveqa(folder: Path, corpus: Corpus) -> Iterable[Asked]:
    titles = {each.key: each.title.casefold() for each in corpus.answers}
    right: dict[str, set[str]] = {}
    for row in data_files.rows(folder, "liveqa_qrels", needs=("qid", "medquad_id", "grade")):
        if int(row["grade"]) >= RIGHT and row["medquad_id"] in titles:
            right.setdefault(row["qid"], set()).add(titles[row["medquad_id"]])
    for row in data_files.rows(folder, "liveqa_questions", needs=("qid", "message", "summary")):
        if row["qid"] in right:
            for part in ("message", "summary"):
                yield Asked(f"{row['qid']}:{part}", LIVEQA, row[part], frozenset(right[row["qid"]]))


def _without(folder: Path, corpus: Corpus) -> Iterable[Asked]:
    known = _known_words(corpus)
    for row in data_files.rows(folder, "medquad_questions_without_answers", needs=("id", "focus", "question")):
        if not _covered(row["focus"], known):
            yield Asked(row["id"], WITHOUT, row["question"])


def _off_coverage(folder: Path, corpus: Corpus) -> Iterable[Asked]:
    known = _known_words(corpus)
    for row in data_files.rows(folder, "kqa_questions", needs=("id", "question", "entities")):
        named = [each for each in row["entities"] or () if content(each)]
        if named and not any(_covered(each, known) for each in named):
            yield Asked(row["id"], OFF_COVERAGE, row["question"])


def _known_words(corpus: Corpus) -> frozenset[str]:
    """Beginnings of the words of titles. A page may treat of what its title does not name; so figures here have a ceiling."""
    return frozenset(word[:_BEGINNING] for title in corpus.topics for word in content(title))


def _covered(name: str, known: frozenset[str]) -> bool:
    """Whether any of the longer words of a name begins as a word of a title does."""
    return any(word[:_BEGINNING] in known for word in content(name) if len(word) > 3)
