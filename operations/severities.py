"""The four severities in the words of the operations guide, for whoever must choose one at three in the morning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    severity: int
    name: str
    said: str


MEANINGS = (
    Meaning(1, "Critical", "Nobody is served, data is damaged, somebody broke in, or everyone is affected."),
    Meaning(2, "High", "Part of it fails: health answers fail or are clearly slow, or more than 1 in 10 people are affected."),
    Meaning(3, "Medium", "A small feature fails or answers are a little slow; fewer than 1 in 20 people are affected."),
    Meaning(4, "Low", "It looks wrong, or something that can wait is down; one person is affected."),
)
UNSURE = "Unsure between two? Take the higher one. It can be lowered later, and the change is kept."
