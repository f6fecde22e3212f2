"""A reply before it is stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from conversations.triage import Triage
from conversations.validation import Removed
from knowledge.passages import Passage, Vectors


@dataclass(frozen=True)
class Draft:
    kind: str
    text: str
    language: str
    reason: str = ""
    language_certain: bool = False
    # Passages in the order of their numbers in the text.
    cited: tuple[Passage, ...] = ()
    passages: tuple[Passage, ...] = ()
    removed: tuple[Removed, ...] = ()
    confidence: float | None = None
    model: str = ""
    prompt_version: str = ""
    question: str = ""
    # The question as it was searched, where that is not what the person wrote; never sent.
    understood_as: str = ""
    # Of two questions the one that the library cannot answer.
    left_out: str = ""
    # What triage found in the translation or the rewritten question, where it is worse than in the message.
    raised: Triage | None = None
    # The question as it was searched, and the embedding model that made it.
    vector: Vectors | None = field(default=None, repr=False, compare=False)
    embedding_model: str = ""
    handover: str = ""
    preface: str = ""
    # Said last, after the sources.
    postscript: str = ""
    buttons: bool = False
    # Milliseconds by step.
    timings: dict[str, int] = field(default_factory=dict)
