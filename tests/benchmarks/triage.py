"""How long triage takes with every language loaded, beside the common book alone: the fixed messages, one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence

from conversations import rulebook
from conversations.evaluation import fixed
from conversations.rulebook import Book
from conversations.triage import judge
from tests.benchmarks.load import percentile

Row = tuple[str, str, str, str]
GOAL = "p99 under 2 ms"


def milliseconds(texts: Sequence[str], books: Sequence[Book]) -> list[float]:
    """Processor time, which other work on the machine changes least. Each text once before, so that its words are known."""
    took = []
    for text in texts:
        judge(text, books=books)
        begun = time.process_time()
        judge(text, books=books)
        took.append(1000 * (time.process_time() - begun))
    return took


def rows() -> list[Row]:
    texts = [line.text for line in fixed.read().lines]
    every, common = milliseconds(texts, rulebook.load()), milliseconds(texts, rulebook.load()[:1])
    said = f"p50 {percentile(every, 0.5):.2f} ms, p99 {percentile(every, 0.99):.2f} ms of processor time"
    beside = f"English, Hindi and romanised Hindi alone: p99 {percentile(common, 0.99):.2f} ms; n = {len(texts):,}"
    return [("Triage of a message, all twelve languages loaded", said, beside, GOAL)]


if __name__ == "__main__":
    print(*rows()[0], sep=" | ")
