"""Lines of a checklist that can tell by themselves: each looks at one thing and says what it saw, with figures.

What cannot be known is said to be unknown and is ticked by hand. A check that breaks is unknown too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError
from django.db.models import Sum
from health_check.base import HealthCheck, HealthCheckResult

from operations import health, lanes, targets
from operations.models import Backup, ChecklistItem, Heartbeat, MaintenanceWindow, Notice, OnCallContact, Rollup
from operations.phrases import count, lasted
from operations.window_notices import AHEAD, SLACK

log = structlog.get_logger(__name__)
State = ChecklistItem.State
BACKUP_AGE = timedelta(hours=24)


@dataclass(frozen=True)
class Result:
    state: str
    said: str


Check = Callable[[MaintenanceWindow, datetime], Result]


def run(name: str, window: MaintenanceWindow, *, now: datetime) -> Result:
    check = CHECKS.get(name)
    if check is None:
        return unknown("Jeevo cannot tell. Look yourself and tick it by hand.")
    try:
        return check(window, now)
    except (DatabaseError, OSError) as error:
        log.warning("a check could not look", check=name, error=type(error).__name__)
        return unknown("It could not be looked at now. Run it again, or look yourself and tick it by hand.")


def done(said: str) -> Result:
    return Result(State.DONE, said)


def failed(said: str) -> Result:
    return Result(State.FAILED, said)


def unknown(said: str) -> Result:
    return Result(State.UNKNOWN, said)


def told_ahead(window: MaintenanceWindow, now: datetime) -> Result:
    notice = _notice(window, "scheduled")
    if notice is None:
        return failed("No notice has gone out yet. It goes out by itself 48 hours before the start.")
    ahead = window.starts_at - notice.created_at
    said = f"Said {lasted(ahead)} before the start, to {_recipients(notice)}."
    return done(said) if ahead >= AHEAD - SLACK else failed(said)


def told_completion(window: MaintenanceWindow, now: datetime) -> Result:
    notice = _notice(window, "completed")
    return done(f"Said to {_recipients(notice)}.") if notice else failed("It goes out when the window is completed.")


def backup_is_verified(window: MaintenanceWindow, now: datetime) -> Result:
    """A whole copy of the last day that was restored once. An incremental one leans on others."""
    whole = Backup.objects.filter(kind__in=[Backup.Kind.FULL, Backup.Kind.DUMP], taken_at__gte=now - BACKUP_AGE)
    verified = whole.filter(status=Backup.Status.VERIFIED).order_by("-taken_at").first()
    if verified is not None and verified.taken_at is not None:
        return done(f"A {verified.get_kind_display()} was taken {lasted(now - verified.taken_at)} ago and verified.")
    if whole.filter(status=Backup.Status.TAKEN).exists():
        return failed("A full backup was taken, and is not verified yet.")
    return failed("No full backup was taken and verified in the last 24 hours.")


def on_call(window: MaintenanceWindow, now: datetime) -> Result:
    number = OnCallContact.objects.filter(active=True).count()
    if not number:
        return failed("Nobody is on call. Add a contact, so that somebody hears if the window is left open.")
    return done(f"{count(number, 'contact is', 'contacts are')} on call. Make sure that they know.")


def health_is_green(window: MaintenanceWindow, now: datetime) -> Result:
    made = [make() for make in health.HealthView.checks]
    found = asyncio.run(_ask(made))
    summary = health.summary({check.name: result for check, result in zip(made, found, strict=True)})
    parts = {SAID.get(name, name): str(part["status"]) for name, part in summary["components"].items()}
    if window.pauses_answering:
        parts.pop("queue", None)  # messages wait because of the window itself
    unwell = [f"{name} is {status}" for name, status in parts.items() if status in BAD]
    return failed(f"Not well: {', '.join(unwell)}.") if unwell else done(f"Well: {', '.join(parts)}.")


SAID = {"rag_system": "knowledge base", "redis": "Redis"}
# Words of a part that is not as it should be.
BAD = {"silent", "unreachable", "empty", "late", "stopped", "stale", "degraded", "unhealthy"}


async def _ask(made: Sequence[HealthCheck]) -> list[HealthCheckResult]:
    return list(await asyncio.gather(*(check.get_result() for check in made)))


def services_run(window: MaintenanceWindow, now: datetime) -> Result:
    """Every loop that leaves a heartbeat, and a worker in each lane."""
    beats = list(Heartbeat.objects.all())
    silent = [each.name for each in beats if now - each.at > timedelta(seconds=3 * each.every_seconds)]
    known = lanes.known()
    if known is None:
        return failed("The broker does not answer, so no worker can be asked.")
    missing = [f"workers of {lane}" for lane in lanes.LANES if lane not in known]
    if silent or missing or not beats:
        return failed("No sign of life from: " + ", ".join([*silent, *missing] or ["the watcher"]) + ".")
    return done(f"The {', the '.join(each.name for each in beats)} and the workers of {', '.join(lanes.LANES)} answer.")


def errors_are_few(window: MaintenanceWindow, now: datetime) -> Result:
    """From the minutes since the start. Without any figure of these minutes nothing is known."""
    if window.started_at is None:
        return unknown("The window has not begun.")
    minutes = Rollup.objects.filter(period=Rollup.Period.MINUTE, at__gte=window.started_at.replace(second=0, microsecond=0))
    if not minutes.exists():
        return unknown("No figures of the time since the start are there yet. Look at the log and tick it by hand.")
    number = minutes.filter(name__regex=r"^(errors:|errors_at\{)").aggregate(sum=Sum("count"))["sum"] or 0
    if number:
        return failed(f"{count(number, 'error has', 'errors have')} been logged since {window.started_at:%H:%M} UTC.")
    return done(f"No error has been logged since {window.started_at:%H:%M} UTC.")


def targets_are_met(window: MaintenanceWindow, now: datetime) -> Result:
    """The targets that people are paged for, over the last hour."""
    kept = targets.paging(now)
    missed = [each.target.title for each in kept if each.state == "breached"]
    if missed:
        return failed(f"Not met in the last hour: {', '.join(missed)}.")
    known = [each for each in kept if each.state != "unknown"]
    if not known:
        return unknown("Nothing was measured in the last hour. Look at the targets and tick it by hand.")
    return done(f"In the last hour {count(len(known), 'target was', 'targets were')} measured, and none was missed.")


def _notice(window: MaintenanceWindow, event: str) -> Notice | None:
    return Notice.objects.filter(about=Notice.About.WINDOW, about_key=window.pk, event=event).first()


def _recipients(notice: Notice) -> str:
    number = notice.deliveries.count()
    return count(number, "recipient", "recipients") if number else "nobody: there are no subscribers"


CHECKS: dict[str, Check] = {
    "told_ahead": told_ahead,
    "told_completion": told_completion,
    "backup": backup_is_verified,
    "on_call": on_call,
    "health": health_is_green,
    "services": services_run,
    "errors": errors_are_few,
    "targets": targets_are_met,
}
