"""A postmortem drafted from the timeline, as Markdown, for people to finish: what is known is filled in, what is not
is asked. It blames nobody. Numbers that look like a phone's are masked, in case somebody wrote one into a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from jeevo.logging import masked
from operations.models import FollowUp, Incident, TimelineEntry, Timer
from operations.phrases import count

Entry = TimelineEntry.Kind
# What the timeline has of these says nothing to whoever reads it later.
LEFT_OUT = (Entry.NOTICE,)
QUESTIONS = (
    "What made this possible? Ask why until the answer is something that can be changed.",
    "What told us first, and could something have told us sooner?",
    "What helped, and what made it slower?",
    "Were people left without an answer or with a wrong one, and who writes to them?",
    "Which follow-ups keep it from happening again, who has each, and by when?",
)


def draft(incident: Incident) -> str:
    """Reads the incident's rows and writes nothing."""
    entries = list(incident.timeline.exclude(kind__in=LEFT_OUT).select_related("by"))
    parts = [
        (f"INC-{incident.number}: {incident.title}", _summary(incident)),
        ("Impact", _impact(incident)),
        ("Who", _who(incident, entries)),
        ("What was due", _due(incident)),
        ("Timeline", _timeline(incident, entries)),
        ("Root cause", [incident.root_cause or "To be written: what happened, and why."]),
        ("Follow-ups", _follow_ups(incident)),
        ("Open questions", [f"- {question}" for question in QUESTIONS]),
    ]
    text = "\n\n".join(
        f"{'#' if not number else '##'} {title}\n\n" + "\n".join(lines) for number, (title, lines) in enumerate(parts)
    )
    return masked(text) + "\n"


def _summary(incident: Incident) -> list[str]:
    ended = f"resolved {_clock(incident.resolved_at)}" if incident.resolved_at else "not resolved yet"
    return [
        f"- Severity: {incident.get_severity_display()}",
        f"- Came up: {incident.get_source_display()}, {incident.kind}" + (f" ({incident.scope})" if incident.scope else ""),
        f"- Impact began {_clock(incident.impact_started_at)}, was detected {_clock(incident.detected_at)}, {ended}",
        *([f"- From the start of impact to the end: {minutes(_impact_length(incident))}"] if incident.resolved_at else []),
    ]


def _impact_length(incident: Incident) -> timedelta:
    return (incident.resolved_at or incident.impact_started_at) - incident.impact_started_at


def _impact(incident: Incident) -> list[str]:
    unseen = minutes(incident.detected_at - incident.impact_started_at)
    return [
        f"- Affected: {incident.affected or 'to be written, as a count or a share'}",
        f"- Not seen for {unseen}",
        f"- What was done: {incident.action or 'to be written'}",
    ]


def _who(incident: Incident, entries: Iterable[TimelineEntry]) -> list[str]:
    roles = (
        ("Commander", incident.commander),
        ("Scribe", incident.scribe),
        ("Communications", incident.communications),
    )
    named = [f"- {title}: {user.get_full_name() or user.get_username()}" for title, user in roles if user]
    others = sorted({_by(entry) for entry in entries if entry.by_id})
    return [*named, f"- Took part: {', '.join(others) or 'nobody but Jeevo'}"]


def _due(incident: Incident) -> list[str]:
    rows = ["| what | due after | met |", "|---|---|---|"]
    updates: list[Timer] = []
    for timer in incident.timers.order_by("started_at", "id"):
        if timer.kind == Timer.Kind.UPDATE:
            updates.append(timer)
        else:
            rows.append(f"| {timer.get_kind_display()} | {minutes(timer.due_at - timer.started_at)} | {_met(timer)} |")
    late = sum(1 for timer in updates if _is_late(timer))
    said = f"{count(late, 'update was', 'updates were')} late" if late else "every update came in time"
    return [*rows, "", f"Updates every {minutes(incident.update_every)}: {said}."]


def _is_late(timer: Timer) -> bool:
    return (timer.met_at or timer.dropped_at or timer.due_at) > timer.due_at


def _met(timer: Timer) -> str:
    if timer.met_at is None:
        return "no longer wanted: it was over first" if timer.dropped_at else "not yet"
    return f"after {minutes(timer.met_at - timer.started_at)}, " + ("late" if _is_late(timer) else "in time")


def _timeline(incident: Incident, entries: Iterable[TimelineEntry]) -> list[str]:
    lines = [f"| {_offset(incident, entry)} | {_by(entry)} | {_cell(_said(entry))} |" for entry in entries]
    return ["Minutes from detection.", "", "| minute | who | what |", "|---|---|---|", *lines]


def _offset(incident: Incident, entry: TimelineEntry) -> str:
    return f"{int((entry.at - incident.detected_at).total_seconds() // 60):+d}"


def _said(entry: TimelineEntry) -> str:
    change = ""
    if entry.field and (entry.old or entry.new):
        change = f"{entry.field.replace('_', ' ')}: {entry.old or 'nothing'} → {entry.new or 'nothing'}"
    return ". ".join(part.rstrip(".") for part in (entry.get_kind_display().capitalize(), change, entry.text) if part)


def _by(entry: TimelineEntry) -> str:
    return entry.by.get_full_name() or entry.by.get_username() if entry.by else "Jeevo"


def _follow_ups(incident: Incident) -> list[str]:
    return list(_lines(incident.follow_ups.select_related("owner"))) or ["None yet."]


def _lines(items: Iterable[FollowUp]) -> Iterator[str]:
    for item in items:
        owner = item.owner.get_full_name() or item.owner.get_username()
        mark = "x" if item.done_at else " "
        yield f"- [{mark}] {item.text} ({item.kind}; {owner}, by {item.due_on:%d %b %Y})"


def _clock(at: datetime) -> str:
    # Written with the month's name: digits alone look like a phone number and would be masked.
    return f"{at:%d %b %Y, %H:%M} UTC"


def minutes(length: timedelta) -> str:
    return count(max(0, int(length.total_seconds() // 60)), "minute", "minutes")


def _cell(text: str) -> str:
    """One cell of a table: nothing in it may end the row."""
    return " ".join(text.split()).replace("|", "\\|")
