"""Do all processes live, and does the queue move? Signs of life from the system, the heartbeats and Celery, then the rows
that wait and the timers that should have run.

Only the rows are the queue; Celery is asked with a second's patience, and its silence is said and not waited for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.urls import reverse
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from conversations.models import Contact, InboundMessage, OutboundMessage
from operations import machine, valkey
from operations.figures import State
from operations.findings import Cell, Code, Finding, Judged, Step, Table
from operations.models import Heartbeat
from operations.phrases import count, lasted

PATIENCE = 1.0
OPEN = Q(status="received") | Q(status__in=["waiting", "processing"])
SLOW, TOO_SLOW = timedelta(minutes=1), timedelta(minutes=5)
# A timer is late when it missed its turn twice. Beat writes down every three minutes what it has sent.
MISSED, BEAT_WRITES = 3, timedelta(minutes=5)
_WORDS: dict[State, str] = {"good": "lives", "breached": "no sign", "unknown": "not seen from here"}
_QUESTION = "Do all processes live, and does the queue move?"


@dataclass(frozen=True)
class Asked:
    """What Celery's workers said: `active` and `reserved` by worker; `problem` where nobody could be asked."""

    workers: dict[str, tuple[int, int]]
    problem: str = ""


def ask() -> Asked:
    """Ask every worker at once. A broker that is away is told from workers that are silent."""
    try:
        with valkey.client(settings.BROKER_URL) as broker:
            broker.ping()
        found: Any = current_app.control.inspect(timeout=PATIENCE).ping() or {}
        # Who they are is known now, so it ends with the last reply and not with the second.
        known = current_app.control.inspect(list(found), timeout=PATIENCE, limit=len(found))
        active: Any = (known.active() or {}) if found else {}
        reserved: Any = (known.reserved() or {}) if found else {}
    except (redis.RedisError, OperationalError, OSError):
        return Asked({}, "The broker does not answer, so no worker can be asked.")
    counts = {name: (len(active.get(name) or ()), len(reserved.get(name) or ())) for name in sorted(found)}
    return Asked(counts, "" if counts else "No worker answered within a second.")


def look(now: datetime) -> Finding:
    return finding(now, ask())


def at_a_glance(now: datetime) -> Finding:
    """The same without asking Celery, which takes seconds."""
    return finding(now, None)


def finding(now: datetime, asked: Asked | None) -> Finding:
    processes, missing = _processes(now, asked)
    late_beats = [beat for beat in Heartbeat.objects.all() if _is_late(beat, now)]
    queue = InboundMessage.objects.filter(OPEN).aggregate(number=Count("pk"), oldest=Min("received_at"))
    age = now - queue["oldest"] if queue["oldest"] else timedelta(0)
    overdue = [task for task in _timers() if _overdue(task, now)]
    answer, state = _answer(missing, late_beats, queue["number"], age, overdue, asked)
    said = [asked.problem] if asked and asked.problem else []
    if missing:
        said.append("A process that ended is started again within a minute by what runs it; its log says why it ended.")
    return Finding(
        "workers",
        _QUESTION,
        answer,
        state,
        tuple(said),
        _facts(queue, age, now),
        (processes, _beats(now), _messages(now), _outbound(now), *_celery(asked), _timer_table(now)),
        steps=(
            Step(
                "Messages that wait",
                reverse("admin:conversations_inboundmessage_changelist") + "?open=yes",
                permission="conversations.view_inboundmessage",
            ),
            Step("Runbook: stuck messages", reverse("admin:troubleshooting_runbook", args=["stuck-messages"])),
        ),
    )


def _answer(
    missing: list[str], beats: list[Heartbeat], number: int, age: timedelta, overdue: list[PeriodicTask], asked: Asked | None
) -> tuple[str, State]:
    if age > TOO_SLOW:
        return f"The oldest message has waited {lasted(age)}", "breached"
    if missing:
        return f"No sign of life: {', '.join(missing)}", "breached"
    if beats:
        return f"Late: {', '.join(beat.name for beat in beats)}", "breached"
    if asked and asked.problem:
        return asked.problem.split(",")[0].rstrip("."), "breached"
    if age > SLOW:
        return f"{count(number, 'message waits', 'messages wait')}, the oldest for {lasted(age)}", "at_risk"
    if overdue:
        return f"{count(len(overdue), 'timer is', 'timers are')} late", "at_risk"
    return "All processes live and the queue moves", "good"


def _processes(now: datetime, asked: Asked | None) -> tuple[Table, list[str]]:
    """Every process that should run, with the signs of it; and those that should be seen and are not."""
    here = machine.running()
    alone = not any(each.name != os.environ.get("JEEVO_PROCESS", "") for each in here)
    beats = {beat.name: beat for beat in Heartbeat.objects.all()}
    rows: list[tuple[Cell, ...]] = []
    missing = []
    for name in machine.expected():
        own = [each for each in here if each.name == name]
        signs = _signs(name, own, beats.get(name), asked, now)
        state = _judge(name, signs, alone, asked)
        missing += [name] if state == "breached" else []
        since = lasted(max(now - min(each.since for each in own), timedelta(0))) if own else "-"
        rows.append((name, Judged(_WORDS[state], state), "; ".join(signs) or "none from here", since))
    note = (
        "Where each process has a container of its own, this page sees only what answers or leaves a heartbeat." if alone else ""
    )
    return Table("Processes that should run", ("Process", "State", "Signs of life", "For"), tuple(rows), note=note), missing


def _judge(name: str, signs: list[str], alone: bool, asked: Asked | None) -> State:
    """In containers only workers answer and only loops leave a heartbeat: the rest cannot be judged from here."""
    if signs:
        return "good"
    could_be_seen = not alone or (name.startswith("worker-") and asked is not None and not asked.problem)
    return "breached" if could_be_seen else "unknown"


def _signs(name: str, own: list[machine.Running], beat: Heartbeat | None, asked: Asked | None, now: datetime) -> list[str]:
    signs = [f"{count(len(own), 'process', 'processes')} here"] if own else []
    if beat is not None and not _is_late(beat, now):
        signs.append(f"heartbeat {lasted(max(now - beat.at, timedelta(0)))} ago")
    lane = name.removeprefix("worker-")
    if asked and any(worker.startswith(f"{lane}@") for worker in asked.workers):
        signs.append("answers Celery")
    return signs


def _is_late(beat: Heartbeat, now: datetime) -> bool:
    return now - beat.at > timedelta(seconds=3 * beat.every_seconds)


def _beats(now: datetime) -> Table:
    rows = tuple(
        (
            beat.name,
            Judged(f"{lasted(max(now - beat.at, timedelta(0)))} ago", "breached" if _is_late(beat, now) else "good"),
            f"{beat.every_seconds:g} s",
            f"{beat.round_ms:,.0f} ms",
        )
        for beat in Heartbeat.objects.all()
    )
    columns = ("Loop", "Last sign", "Expected every", "A round takes")
    return Table("Heartbeats", columns, rows, "No loop has left a sign yet.", (2, 3))


def _facts(queue: dict[str, Any], age: timedelta, now: datetime) -> tuple[tuple[str, str], ...]:
    leases = Contact.objects.filter(lease_until__isnull=False).aggregate(
        held=Count("pk", filter=Q(lease_until__gte=now)), expired=Count("pk", filter=Q(lease_until__lt=now))
    )
    again = InboundMessage.objects.filter(OPEN, attempts__gt=1).count()
    return (
        ("Messages without an answer", f"{queue['number']:,}"),
        ("The oldest waits", lasted(age) if queue["number"] else "none waits"),
        ("People whose answer is being made", f"{leases['held']:,}"),
        ("Leases that ran out", f"{leases['expired']:,}, taken again by the dispatcher"),
        ("Messages tried more than once", f"{again:,}"),
    )


def _messages(now: datetime) -> Table:
    rows = tuple(
        (str(row["status"]), f"{row['number']:,}", lasted(now - row["oldest"]), f"{row['tries']:,}")
        for row in InboundMessage.objects.filter(OPEN)
        .order_by()
        .values("status")
        .annotate(number=Count("pk"), oldest=Min("received_at"), tries=Max("attempts"))
        .order_by("status")
    )
    return Table(
        "Messages without an answer", ("Status", "Messages", "The oldest", "Most tries"), rows, "No message waits.", (1, 3)
    )


def _outbound(now: datetime) -> Table:
    going = OutboundMessage.objects.filter(Q(status="queued") | Q(status__in=["sending", "uncertain"])).order_by()
    rows = tuple(
        (str(row["status"]), f"{row['number']:,}", lasted(now - row["oldest"]), f"{row['tries']:,}")
        for row in going.values("status")
        .annotate(number=Count("pk"), oldest=Min("created_at"), tries=Max("attempts"))
        .order_by("status")
    )
    return Table(
        "Answers on their way out", ("Status", "Messages", "The oldest", "Most tries"), rows, "Every answer has gone out.", (1, 3)
    )


def _celery(asked: Asked | None) -> tuple[Table, ...]:
    if asked is None:
        return ()
    rows = tuple((name, f"{active:,}", f"{reserved:,}") for name, (active, reserved) in asked.workers.items())
    return (Table("What the workers say", ("Worker", "Works on", "Holds"), rows, asked.problem or "None.", (1, 2)),)


def _timers() -> list[PeriodicTask]:
    found = PeriodicTask.objects.filter(enabled=True).select_related("interval", "crontab").order_by("name")
    return [task for task in found if task.name != "celery.backend_cleanup"]


def _every(task: PeriodicTask) -> timedelta | None:
    """The pace of a timer that has one; a crontab is judged by nobody here."""
    return timedelta(**{task.interval.period: task.interval.every}) if task.interval else None


def _overdue(task: PeriodicTask, now: datetime) -> bool:
    every = _every(task)
    if every is None:
        return False
    due = (task.last_run_at or task.date_changed) + max(MISSED * every, BEAT_WRITES)
    return bool(due < now)


def _timer_table(now: datetime) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for task in _timers():
        every = _every(task)
        pace = f"every {lasted(every)}" if every else str(task.crontab or "as planned")
        last = f"{lasted(max(now - task.last_run_at, timedelta(0)))} ago" if task.last_run_at else "not yet"
        late = _overdue(task, now)
        rows.append(
            (task.name, Code(task.task), pace, last, Judged("late" if late else "on time", "at_risk" if late else "good"))
        )
    return Table("Timers", ("Timer", "Task", "Runs", "Last", "State"), tuple(rows), "Beat has not registered its timers yet.")
