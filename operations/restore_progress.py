"""How far a restore has come, read from its journal alone: this page answers while the database takes nobody in.

Its address carries a signed token in place of a session, and neither a session nor the database is touched. It shows
steps and times, and no row of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from operations.journal import Broken, Journal, Line

SALT = "restore-progress"
GOOD_FOR = timedelta(days=8)
STEPS = {
    "preflight": "Check that it can be done: key, files, log, space",
    "safety": "Back up what is live now, and restore that backup to check it",
    "lift": "Make the restored copy beside the live database",
    "migrate": "Bring its tables to this release",
    "erase": "Erase again whoever was erased since then",
    "beside": "Lay its knowledge base beside the live one, with the indexes, and compare every row",
    "ready": "Count what would change",
    "confirmed": "Confirmed by typing the name of the database",
    "undo asked": "Asked to undo it",
    "carry": "Carry over what must not go back in time",
    "exchange": "Exchange the databases",
    "undo": "Exchange the databases back",
    "health": "Look whether the service is well",
    "cancelled": "Cancelled",
}
_BACK = "Put back the {noun} from before, because the service was not well"
PREPARING = ("preflight", "safety", "lift", "migrate", "erase", "ready")
EXCHANGING = ("carry", "exchange", "health")
ENDS = {
    "done": "The restored {noun} is live",
    "undone": "The {noun} from before is live again",
    "failed": "It was not restored",
}
# Where the knowledge base alone is restored.
PREPARING_KNOWLEDGE = (*PREPARING[:-1], "beside", PREPARING[-1])
_OF_KNOWLEDGE = {"exchange": "Exchange the tables of the knowledge base", "undo": "Exchange the tables back"}


@dataclass(frozen=True)
class Step:
    """`state` is done, now, failed or waits. `locked` is for how many seconds a search can have waited."""

    said: str
    state: str
    at: datetime | None = None
    seconds: float | None = None
    locked: float | None = None


@dataclass(frozen=True)
class Story:
    """`end` is "" while it goes on."""

    steps: list[Step]
    end: str
    why: str
    broken: str = ""
    of_knowledge: bool = False

    @property
    def headline(self) -> str:
        noun = "knowledge base" if self.of_knowledge else "database"
        return (
            self.broken
            or ENDS.get(self.end, "").format(noun=noun)
            or next((step.said for step in self.steps if step.state == "now"), "")
        )


def story(key: UUID | str, *, expect: tuple[str, ...] = ()) -> Story:
    """What was done, what is being done, and what is still to come of `expect`."""
    try:
        lines = Journal(key).read()
    except Broken as problem:
        return Story([], "", "", str(problem))
    of_knowledge = any(line.step == "beside" for line in lines)
    steps = _steps(lines, of_knowledge=of_knowledge)
    last = lines[-1] if lines else None
    over = last.state if last and last.step == "end" else ""
    known = {line.step for line in lines}
    if not over:
        steps += [Step(STEPS[name], "waits") for name in expect if name not in known]
    return Story(steps, over, str(last.facts.get("why", "")) if last and over else "", of_knowledge=of_knowledge)


def _steps(lines: list[Line], *, of_knowledge: bool) -> list[Step]:
    found: list[Step] = []
    open_at: dict[str, tuple[int, datetime | None]] = {}
    for line in lines:
        at = parse_datetime(line.at)
        if line.step == "end":
            continue
        if line.state == "begun" or line.step not in open_at:
            open_at[line.step] = (len(found), at)
            found.append(Step(said(line.step, of_knowledge=of_knowledge), "now", at))
        if line.state != "begun":
            place, began = open_at.pop(line.step)
            # A line that stands alone took no time that is known.
            spent = (at - began).total_seconds() if at and began and at != began else None
            told, state = said(line.step, of_knowledge=of_knowledge), "failed" if line.state == "failed" else "done"
            locked = line.facts["locked_ms"] / 1000 if "locked_ms" in line.facts else None
            found[place] = Step(told, state, began, spent, locked)
    if lines and lines[-1].step == "end":
        found = [Step(each.said, "failed", each.at) if each.state == "now" else each for each in found]
    return found


def said(step: str, *, of_knowledge: bool = False) -> str:
    if step.endswith(" back"):
        return _BACK.format(noun="knowledge base" if of_knowledge else "database")
    if of_knowledge and step.split(" ")[0] in _OF_KNOWLEDGE and step != "undo asked":
        return _OF_KNOWLEDGE[step.split(" ")[0]]
    return STEPS.get(step) or STEPS.get(step.split(" ")[0]) or step


def token(key: UUID) -> str:
    return signing.dumps(str(key), salt=SALT)


def address(key: UUID) -> str:
    return reverse("restore_progress", args=[token(key)])


@never_cache
@require_safe
def view(request: HttpRequest, token: str) -> HttpResponse:
    try:
        key = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature as error:
        raise Http404 from error
    context = {
        "story": story(key),
        "now": timezone.now(),
        "address": request.path,
        "back": reverse("admin:operations_restore_change", args=[key]),
    }
    part = request.headers.get("X-Requested-With") == "fetch"
    # Without the request: what the pages of the console add to every template asks the database.
    return HttpResponse(render_to_string(f"admin/operations/restore/{'exchange' if part else 'away'}.html", context))
