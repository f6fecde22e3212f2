"""Red flags in a patient's words, decided by rules a clinician can read (format in `rules/en.toml`).

`triage` calls no model, database or network and takes well under a millisecond for a usual message.
Every decision names the rules and the words behind it. What is denied, long past or asked in general is told
apart from what is happening now; between two readings of a person's last messages the worse one wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversations.phrasing import Message
from conversations.rulebook import COMMON, Book, Concept, Level, book_of, load, reading
from conversations.wordforms import tokens

# Between two messages of one person: a sentence may go on ("my father is not" / "breathing"), a denial ends
# ("no fever" / "chest" / "pain") unless it lists on. On split sentences of the rule files this misses least.
PAUSE = ", "

Hit = tuple[Concept, str, str]  # the concept, its rule, the words


@dataclass(frozen=True)
class Triage:
    level: Level = Level.ROUTINE
    concept: str = ""
    rules: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def language(self) -> str:
        """Of the rules that fired, where they are all of one language besides the common ones; else empty."""
        names = {rule.split(".")[0] for rule in self.rules}
        books = {book_of(name) for name in names}
        return books.pop() if len(books) == 1 and not names & {"meaning", *COMMON} else ""


def triage(text: str, *, earlier: Sequence[str] = (), books: Sequence[Book] | None = None) -> Triage:
    """The worse of this message alone and of the last two minutes (`earlier`, oldest first) read together. `books`: the
    rules, those of the tree alone by default."""
    alone = judge(text, books=books)
    if not earlier:
        return alone
    joined = judge(PAUSE.join([*earlier, text]), books=books)
    return joined if joined.level.severity > alone.level.severity else alone


def judge(text: str, *, books: Sequence[Book] | None = None) -> Triage:
    signs = tokens(text)
    hits = [hit for book in reading(signs, books or load()) for hit in found(signs, book)]
    if not hits:
        return Triage()
    worst = max((concept for concept, *_ in hits), key=lambda concept: concept.level.severity)
    words = dict.fromkeys(words for *_, words in hits)
    return Triage(worst.level, worst.id, tuple(rule for _, rule, _ in hits), tuple(words))


def found(signs: Sequence[str], book: Book) -> Iterator[Hit]:
    """What one book finds in the words of a text."""
    message = Message(signs, book.lexicon)
    for concept, patterns in book.hopeful(message.present):
        for rule, words in message.fired(concept, patterns, book.unless[concept.id]):
            yield concept, rule, words
