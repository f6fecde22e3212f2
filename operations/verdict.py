"""Is the service well? One answer out of all figures, with the tiles that explain it."""

from __future__ import annotations

from dataclasses import dataclass

from operations.figures import State, Tile


@dataclass(frozen=True)
class Verdict:
    state: State
    headline: str
    reasons: tuple[Tile, ...]


HEADLINES: dict[State, str] = {
    "good": "Jeevo is well",
    "at_risk": "Jeevo works, and something needs a look",
    "breached": "Jeevo needs you now",
    "unknown": "Jeevo is ready, and nobody has written for 24 hours",
}
WORST_FIRST: tuple[State, ...] = ("breached", "at_risk")


def verdict(tiles: list[Tile], *, quiet: bool) -> Verdict:
    """The worst tile speaks for the service. Without traffic nothing shows that answering works, so it is unknown."""
    for state in WORST_FIRST:
        reasons = tuple(tile for tile in tiles if tile.state == state)
        if reasons:
            return Verdict(state, HEADLINES[state], reasons)
    calm: State = "unknown" if quiet else "good"
    return Verdict(calm, HEADLINES[calm], ())
