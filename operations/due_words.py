"""What a look at an incident found, as rows of the timeline and as words for whoever is woken by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from operations import addresses, escalation
from operations.escalation import Contact
from operations.models import Incident, TimelineEntry, Timer
from operations.notifications import Recipient
from operations.phrases import count, lasted

Entry, Kind = TimelineEntry.Kind, Timer.Kind
# A notice that lists more is not read to its end.
MOST_LISTED = 40
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Said:
    subject: str
    body: str


@dataclass
class News:
    """`steps` is 0 where nobody new is told; `quiet` is on record and told to nobody."""

    incident: Incident
    quiet: bool = False
    near: list[Timer] = field(default_factory=list)
    breached: list[Timer] = field(default_factory=list)
    steps: int = 0
    told: list[Contact] = field(default_factory=list)
    had_it: str = ""
    lines: list[str] = field(default_factory=list)

    def find_words(self, now: datetime) -> None:
        self.lines = [f"{_what(timer)}: overdue since {timer.due_at:%H:%M} UTC." for timer in self.breached]
        self.lines += [f"{_what(timer)}: {left(timer.due_at - now)} left." for timer in self.near]
        if self.steps:
            self.lines.insert(0, self._nobody(now))

    def _nobody(self, now: datetime) -> str:
        if self.had_it:
            return f"{self.had_it} had it and has said nothing for two intervals, so nobody has it now."
        waited = now - self.incident.detected_at
        return f"Nobody has it yet, {lasted(waited)} after it was seen." if waited >= MINUTE else "Nobody has it yet."

    def entries(self, now: datetime) -> list[TimelineEntry]:
        found = [
            self._entry(now, Entry.DUE, timer.kind, state, f"{_what(timer)}, due at {timer.due_at:%H:%M} UTC")
            for state, several in (("breached", self.breached), ("at risk", self.near))
            for timer in several
        ]
        if self.steps:
            names = ", ".join(each.name for each in self.told)
            text = f"Told: {names}." if names else "Nobody could be told: no contact on call has an address."
            found.append(self._entry(now, Entry.ESCALATED, "", names, text))
        return found

    def _entry(self, now: datetime, kind: str, name: str, new: str, text: str) -> TimelineEntry:
        return TimelineEntry(incident=self.incident, at=now, kind=kind, field=name, new=new[:400], text=text)

    def recipients(self, people: Sequence[Contact]) -> list[Recipient]:
        """Who was just woken; else whoever has it; else the contact who was told last."""
        if self.steps:
            return [recipient for each in self.told for recipient in each.recipients]
        for user in (self.incident.commander, self.incident.acknowledged_by):
            if user is not None and (ways := escalation.ways_to(user, people)):
                return ways
        return [recipient for each in escalation.reached(self.incident.escalations, people) for recipient in each.recipients]


def alone(news: News, *, now: datetime) -> Said:
    incident = news.incident
    first = news.lines[0].rstrip(".")
    subject = f"INC-{incident.number}, severity {incident.severity}: {first}"
    lines = [
        incident.title,
        f"Severity {incident.get_severity_display()}. {incident.get_state_display().capitalize()}. "
        f"Seen at {incident.detected_at:%H:%M} UTC, {lasted(now - incident.detected_at)} ago.",
        "",
        *(f"- {line}" for line in news.lines),
        "",
        f"Open it: {addresses.of_incident(incident)}",
    ]
    if incident.acknowledged_at is None:
        lines.append(f"Or on the server: python manage.py incident ack {incident.number} --as YOUR_USER_NAME")
    return Said(subject, "\n".join(lines))


def together(news: Sequence[News], *, away_since: datetime | None, now: datetime) -> Said:
    """All of it as one notice, the worst first."""
    number = count(len(news), "incident needs", "incidents need")
    if away_since:
        subject = f"The watcher was away for {lasted(now - away_since)}: {number} a look"
        opening = f"Nothing was watched from {away_since:%d %b %H:%M} to {now:%d %b %H:%M} UTC. Meanwhile this came due:"
    else:
        subject = f"{number} a look at once"
        opening = "So much came due at once that it is said together:"
    lines = [opening, ""]
    for each in news[:MOST_LISTED]:
        lines.append(f"INC-{each.incident.number}, severity {each.incident.severity}: {each.incident.title}")
        lines += [f"  - {line}" for line in each.lines]
    if len(news) > MOST_LISTED:
        lines.append(f"And {len(news) - MOST_LISTED:,} more.")
    return Said(subject, "\n".join([*lines, "", f"Open the console: {addresses.of_console()}"]))


def _what(timer: Timer) -> str:
    return str(timer.get_kind_display())


def left(length: timedelta) -> str:
    """Rounded up: with 59 seconds left there is still a minute to say."""
    minutes = -(-int(length.total_seconds()) // 60)
    return count(max(minutes, 1), "minute", "minutes")
