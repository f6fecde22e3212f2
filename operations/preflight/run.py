"""Asks every part at once and waits for none longer than its time; then puts the worst first and says what it means.

Each part has a thread that nobody waits for in the end: one that hangs gives an "unknown" and holds nothing up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from django.utils import timezone

from operations.figures import State
from operations.phrases import count
from operations.preflight import WORST_FIRST, Line, Part, broker, configuration, database, machine, outside

log = structlog.get_logger(__name__)
SECONDS = 8.0
Found = SimpleQueue[tuple[str, list[Line]]]


@dataclass(frozen=True)
class Report:
    at: datetime
    lines: tuple[Line, ...]
    milliseconds: int

    @property
    def state(self) -> State:
        """The worst that stops or harms the service; what could not be seen does neither."""
        states = {line.state for line in self.lines}
        return "breached" if "breached" in states else "at_risk" if "at_risk" in states else "good"

    @property
    def said(self) -> str:
        number = {state: sum(line.state == state for line in self.lines) for state in WORST_FIRST}
        if number["breached"]:
            return f"{count(number['breached'], 'thing keeps', 'things keep')} Jeevo from doing its work."
        if number["at_risk"]:
            return f"Jeevo can do its work, and {count(number['at_risk'], 'thing needs', 'things need')} a look."
        return "Everything is here that Jeevo needs."

    def as_json(self) -> dict[str, Any]:
        lines = [asdict(line) for line in self.lines]
        return {"state": self.state, "said": self.said, "at": self.at.isoformat(), "ms": self.milliseconds, "lines": lines}


def run(*, outside_too: bool = False, starting: bool = False) -> Report:
    """`outside_too`: ask WhatsApp, Groq and the mail server. `starting`: before the processes run."""
    return look(parts(outside_too=outside_too, starting=starting), seconds=SECONDS)


def parts(*, outside_too: bool, starting: bool) -> list[Part]:
    return [
        Part("Machine", partial(machine.lines, starting=starting)),
        Part("Settings", configuration.lines),
        Part("Database", partial(database.lines, starting=starting)),
        Part("Valkey", broker.lines),
        Part("Outside", partial(outside.lines, asked=outside_too)),
    ]


def look(parts: Sequence[Part], *, seconds: float) -> Report:
    found: Found = SimpleQueue()
    started = time.monotonic()
    for part in parts:
        threading.Thread(target=_look_at, args=(part, found), name=f"preflight-{part.name}", daemon=True).start()
    told = dict(_until(found, len(parts), until=started + seconds))
    lines = [line for part in parts for line in told.get(part.name, [_too_slow(part, seconds)])]
    ordered = sorted(lines, key=lambda line: WORST_FIRST.index(line.state))
    return Report(timezone.now(), tuple(ordered), round(1000 * (time.monotonic() - started)))


def _until(found: Found, number: int, *, until: float) -> Iterator[tuple[str, list[Line]]]:
    for _ in range(number):
        try:
            yield found.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return


def _look_at(part: Part, found: Found) -> None:
    lines: list[Line] = []
    try:
        lines.extend(part.look())
    except Exception:
        # A fault of a look must not hide what the others saw; nor what this one saw before.
        log.exception("a part could not be looked at", part=part.name)
        lines.append(Line(part.name, "unknown", "It could not be looked at.", "The log says where the look failed."))
    found.put((part.name, lines))


def _too_slow(part: Part, seconds: float) -> Line:
    said = f"It gave no answer within {seconds:.0f} seconds."
    return Line(part.name, "unknown", said, "Run it again; if it stays so, see what this part is busy with.")
