"""A text as words: where each element of the rules stands in it, and what is denied, long past or general.

One reading for each book of rules, because "no" in one language is "and" in another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice, pairwise

from conversations.lexicon import Chunk, Lexicon, Pattern
from conversations.rulebook import Concept
from conversations.wordforms import is_word

WINDOW = 14  # words that a "+" may span
FAR = 1 << 30
TRIES = 500  # of one pattern: a hostile message must not cost more than a long one
REACH = 4  # words after "no" that are denied, and again after each "or"

Span = tuple[int, int]
Found = tuple[Span, ...]


class Message:
    def __init__(self, signs: Sequence[str], lexicon: Lexicon) -> None:
        self.words: list[str] = []
        self.clause: list[int] = []
        self.sentence: list[int] = []
        clause = sentence = 0
        for sign in signs:
            if is_word(sign):
                self.words.append(lexicon.resolve(sign))
                self.clause.append(clause)
                self.sentence.append(sentence)
            else:
                clause += 1
                sentence += sign not in ",:()–—"
        self.spans = self.locate(lexicon)
        self.present = frozenset(self.spans)
        filler = {start for start, _ in self.spans.get("=filler", ())}
        self.content = [0, *accumulate(i not in filler for i in range(len(self.words)))]
        self.denied = self.denials()
        self.general = self.generalities()

    def locate(self, lexicon: Lexicon) -> dict[str, list[Span]]:
        spans: dict[str, list[Span]] = {}
        for i in range(len(self.words)):
            for element, end in lexicon.at(self.words, i):
                spans.setdefault(element, []).append((i, end))
        return spans

    def inside(self, context: str) -> set[int]:
        return {i for start, end in self.spans.get(f"={context}", ()) for i in range(start, end)}

    def denials(self) -> dict[int, set[int]]:
        """For each denied word, the places of the "no" that denies it."""
        denied: dict[int, set[int]] = {}
        excused = self.inside("not_denial")
        for start, end in self.spans.get("=deny", ()):
            if start not in excused:
                for i in self.reach(start, end):
                    denied.setdefault(i, set()).add(start)
        for start, _ in self.spans.get("=deny_after", ()):
            for i in range(max(0, start - 2), start):
                if start not in excused and self.clause[i] == self.clause[start]:
                    denied.setdefault(i, set()).add(start)
        return denied

    def reach(self, start: int, end: int) -> Iterator[int]:
        ends, lists = self.inside("denial_ends"), self.inside("list_or")
        left = REACH
        for i in range(end, len(self.words)):
            new_clause = self.clause[i] != self.clause[i - 1]
            if i in ends or self.sentence[i] != self.sentence[start]:
                return
            if new_clause and not self.lists_on(i, lists):
                return
            if i in lists or new_clause:
                left = REACH
            if left == 0:
                return
            left -= self.content[i + 1] - self.content[i]
            yield i

    def lists_on(self, i: int, lists: set[int]) -> bool:
        """After a comma: only short items up to an "or", as in "no fever, rash, stiff neck or vomiting"."""
        clause, length = self.clause[i], 0
        for j in range(i, len(self.words)):
            if j in lists:
                return True
            length = length + 1 if self.clause[j] == clause else 1
            clause = self.clause[j]
            if length > 4 or self.sentence[j] != self.sentence[i]:
                return False
        return False

    def generalities(self) -> set[int]:
        """Sentences that ask or teach in general: a question form, and nobody in particular."""
        frames = self.inside("frame")
        personal = {self.sentence[i] for i, _ in self.spans.get("=personal", ()) if i not in frames}
        general = {self.sentence[i] for i, _ in self.spans.get("=general", ())}
        opens = (i for i, _ in self.spans.get("=opens", ()) if i not in frames)
        return (general | {self.sentence[i] for i in opens if self.begins(i)}) - personal

    def begins(self, i: int) -> bool:
        """The first word of a sentence, but for a greeting: "is it" asks, "it is" tells."""
        if i == 0 or self.sentence[i - 1] != self.sentence[i]:
            return True
        return i - 1 in self.inside("greeting") and self.begins(i - 1)

    def is_past(self, match: Sequence[Span]) -> bool:
        first = match[0][0]
        clause, sentence = self.clause[first], self.sentence[first]
        present = {self.clause[i] for i, _ in self.spans.get("=present", ())}
        if clause in present:
            return False
        past = [i for i, _ in self.spans.get("=past", ()) if self.sentence[i] == sentence]
        had = any(self.clause[i] == clause for i, _ in self.spans.get("=had", ()))
        return any(self.clause[i] == clause or had for i in past)

    def holds(self, match: Sequence[Span], concept: Concept) -> bool:
        own = {i for start, end in match for i in range(start, end)}
        if any(self.denied.get(i, own) - own for i in own if i in self.denied):
            return False
        if not concept.asked and all(self.sentence[start] in self.general for start, _ in match):
            return False
        return concept.lasting or not self.is_past(match)

    def follow(self, chunk: Chunk, found: Found = (), low: int = 0, high: int = FAR) -> Iterator[Found]:
        """The elements of a chunk in order, in one sentence, beginning between `low` and `high`."""
        if len(found) == len(chunk):
            yield found
            return
        element, gap = chunk[len(found)]
        last = found[-1][1] if found else low
        spans = self.spans[element]
        for start, end in spans[bisect_left(spans, (last, 0)) :]:
            if start > high or (found and self.content[start] - self.content[last] > gap):
                return
            if not found or self.sentence[start] == self.sentence[last - 1]:
                yield from self.follow(chunk, (*found, (start, end)))

    def together(self, chunks: Sequence[Chunk], found: Found = ()) -> Iterator[Found]:
        """The chunks in any order, not overlapping, within the window."""
        if not chunks:
            yield found
            return
        near = (max(0, found[-1][1] - WINDOW), found[0][0] + WINDOW) if found else (0, FAR)
        for more in self.follow(chunks[0], (), *near):
            spans = sorted((*found, *more))
            apart = all(one[1] <= two[0] for one, two in pairwise(spans))
            if apart and spans[-1][1] - spans[0][0] <= WINDOW + 2 * len(spans):
                yield from self.together(chunks[1:], tuple(spans))

    def matches(self, pattern: Pattern) -> Iterator[Found]:
        if pattern.needed <= self.present:
            yield from islice(self.combine(pattern.groups), TRIES)

    def combine(self, groups: Sequence[Sequence[Chunk]]) -> Iterator[Found]:
        if not groups:
            yield ()
            return
        for found in self.together(groups[0]):
            for rest in self.combine(groups[1:]):
                yield (*found, *rest)

    def hidden(self, unless: Sequence[Pattern]) -> set[int]:
        spans = {span for pattern in unless for match in self.matches(pattern) for span in match}
        return {i for start, end in spans for i in range(start, end)}

    def fired(self, concept: Concept, hopeful: Sequence[Pattern], unless: Sequence[Pattern]) -> Iterator[tuple[str, str]]:
        hidden = self.hidden(unless)
        for pattern in hopeful:
            for match in self.matches(pattern):
                if not any(start in hidden for start, _ in match) and self.holds(match, concept):
                    yield pattern.rule, " ".join(word for s, e in sorted(match) for word in self.words[s:e])
                    break
