"""A second look at a message after the rules: by meaning, in the worker, which has the model. It only ever raises a level.

A sentence that lies nearer to the danger sentences of `second_look.toml` than to the harmless ones, and near enough, is
told to be seen by a doctor today. General questions are left alone, as in the rules.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from conversations import rulebook
from conversations.phrasing import Message
from conversations.rulebook import Level
from conversations.triage import Triage
from conversations.wordforms import tokens
from knowledge import embeddings
from knowledge.chunking import split_sentences
from knowledge.passages import Vectors

SENTENCES = Path(__file__).with_name("second_look.toml")
# Chosen on the development data: docs/adr/0025.
NEAR, NEIGHBOURS = 0.6, 2
MOST_SENTENCES = 12
LANGUAGE = "en"

Embed = Callable[[list[str]], Vectors]


@dataclass(frozen=True)
class Sentences:
    """Unit vectors, shape (n, dimensions); `signs`: what each danger sentence is about."""

    signs: tuple[str, ...]
    danger: Vectors
    harmless: Vectors


def again(text: str, verdict: Triage, *, spoken: str = LANGUAGE) -> Triage:
    """The verdict of the rules, or an urgent one where they saw nothing and the meaning is that of a danger sign."""
    if verdict.level is not Level.ROUTINE or spoken != LANGUAGE or not embeddings.reads(spoken, model=embeddings.model_name()):
        return verdict
    sentences = [each for each in split_sentences(text) if not _is_general(each)][-MOST_SENTENCES:]
    sign = _sign(embeddings.embed(sentences), _known(embeddings.embed)) if sentences else ""
    return Triage(Level.URGENT, sign, (f"meaning.{sign}",)) if sign else verdict


def _sign(vectors: Vectors, known: Sentences) -> str:
    """What the first dangerous sentence is about; empty when none is."""
    to_danger, to_harmless = vectors @ known.danger.T, vectors @ known.harmless.T
    near, calm = _nearest(to_danger), _nearest(to_harmless)
    for position in np.flatnonzero((near > NEAR) & (near > calm)):
        return known.signs[int(to_danger[position].argmax())]
    return ""


def _nearest(similarity: Vectors) -> Vectors:
    """The mean of the nearest few, for each sentence."""
    mean: Vectors = np.sort(similarity, axis=1)[:, -NEIGHBOURS:].mean(axis=1)
    return mean


def _is_general(sentence: str) -> bool:
    return bool(Message(tokens(sentence), rulebook.load()[0].lexicon).general)


def warm_up() -> None:
    rulebook.load()
    _known(embeddings.embed)


# By the function too: whoever embeds otherwise has vectors of their own.
@lru_cache(maxsize=2)
def _known(embed: Embed) -> Sentences:
    """The sentences of the file and the examples of the English rules, embedded once in a process."""
    data = tomllib.loads(SENTENCES.read_text("utf-8"))
    danger = [(sign, text) for sign, texts in data["danger"].items() for text in texts]
    harmless = [text for texts in data["harmless"].values() for text in texts]
    for row in rulebook.read_files()[LANGUAGE]["concepts"]:
        if row["level"] in (Level.EMERGENCY, Level.URGENT):
            danger += [(row["id"], text) for text in row["fires"]]
            harmless += row["quiet"]
    return Sentences(tuple(sign for sign, _ in danger), embed([text for _, text in danger]), embed(harmless))
