"""What is going on right now, for the home page, the line on top of every page and the number beside the link."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch
from django.http import HttpRequest
from django.urls import reverse

from operations import countdown
from operations.figures import State, Tile
from operations.models import Incident, Timer

VIEW, RUN, ADD = "operations.view_incident", "operations.run_incident", "operations.add_incident"
# Severity 1 wants somebody now; severity 2 wants a look. Less than that is on the list only.
_VERDICTS: dict[int, State] = {1: "breached", 2: "at_risk"}


@dataclass(frozen=True)
class Live:
    """A live incident and what is due on it, the most urgent first."""

    incident: Incident
    due: list[countdown.Due]

    @property
    def next(self) -> countdown.Due | None:
        return self.due[0] if self.due else None


def found(now: datetime) -> list[Live]:
    """The worst first, then the oldest. Two queries."""
    timers = Timer.objects.filter(met_at__isnull=True, dropped_at__isnull=True)
    rows = Incident.objects.live().select_related("acknowledged_by", "commander").order_by("severity", "declared_at", "id")
    return [
        Live(incident, countdown.running(incident.timers.all(), now=now))
        for incident in rows.prefetch_related(Prefetch("timers", timers))
    ]


def may_declare(request: HttpRequest) -> bool:
    return request.user.has_perm(RUN) or request.user.has_perm(ADD)


def seen_everywhere(request: HttpRequest) -> list[Incident]:
    """Live ones with no more than a line of a page needs, for whoever may see them. One query of the index on live ones."""
    if not request.user.has_perm(VIEW):
        return []
    rows = Incident.objects.live().only("id", "number", "title", "severity", "state", "acknowledged_at", "declared_at")
    return list(rows.order_by("severity", "declared_at")[:100])


def tiles(live: list[Live], *, may_see: bool) -> list[Tile]:
    """Those that the verdict on the service takes into account. Whoever may not see incidents learns only that there is one."""
    return [_tile(each.incident, may_see) for each in live if each.incident.severity in _VERDICTS]


def _tile(incident: Incident, may_see: bool) -> Tile:
    state, name = _VERDICTS[incident.severity], str(incident.get_severity_display())
    if not may_see:
        return Tile("Incident", name, "", "Staff are working on an incident.", state)
    href = reverse("admin:operations_incident_change", args=[incident.pk])
    said = f"{incident.title}. {_who(incident)}"
    return Tile(f"INC-{incident.number}", name, "", said, state, href=href, link="Open the incident", permission=VIEW)


def _who(incident: Incident) -> str:
    return f"{incident.acknowledged_by} has it." if incident.acknowledged_by else "Nobody has it yet."
