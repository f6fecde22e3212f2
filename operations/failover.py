"""A standby takes its primary's place, in the five steps of the operations guide, each timed and written down as it goes.

Two servers that both take writes would be worse than none: nothing is activated while the primary may still be there,
unless a person says that it was cut off. What is done already is not done twice, so that a promotion that was killed, or
was stopped to look at what differs, is simply started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from operations import (
    after_loss,
    backups,
    failover_checks,
    failover_rest,
    failover_route,
    first_backup,
    lost_server,
    standby_server,
)
from operations.failover_checks import Verdict
from operations.failover_route import Route
from operations.phrases import count
from operations.standby_folder import Facts, Folder

Report = Callable[[str], None]
# The guide's own times for its steps.
GUIDE_MINUTES = {"assess": 5, "activate": 10, "verify": 15, "route": 5}
TOTAL_MINUTES = 35
TITLES = {
    "assess": "1. Assess the damage",
    "activate": "2. Activate the standby",
    "verify": "3. Verify the data",
    "route": "4. Route the traffic",
}
PROMOTE_SECONDS = 60
# An older emergency was answered, or its person has been helped otherwise.
URGENT_FOR = timedelta(hours=1)
HELD_BACK = "Held back by a failover: whether it went out is not known; send it again if it is still wanted"
WATCH = (
    "A question from a real phone, until it is answered.",
    "`manage.py preflight`, and `manage.py standby status`, which shows these times again.",
    "Operations, Incidents and Targets for the next hours; Outbound messages that failed: send again what is still wanted.",
    "The full backup, which is taken first: until it is verified (`manage.py backup list`) only the old copies can be restored.",
    "The old primary: it must not come back as it was. Build it anew as a standby of this one: docs/runbooks/failover.md.",
)


class NotPromoted(Exception):
    """One sentence: why it goes no further, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """`fenced`: a person says that the primary can do nothing any more. `accept_loss`: go on without what the received log
    holds beyond the standby. `accept_differences`: route people to it although a check failed."""

    folder: Path
    route: Route
    fenced: bool = False
    accept_loss: bool = False
    accept_differences: bool = False


@dataclass
class Failover:
    """What was done, in a file beside the standby: it must outlive this process and needs no database."""

    folder: Folder
    report: Report
    told: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.report(TITLES[name])
        began = time.monotonic()
        try:
            yield
        finally:
            spent = round(time.monotonic() - began, 1)
            steps = self.told.setdefault("steps", {})
            steps[name] = round(steps.get(name, 0.0) + spent, 1)
            self.keep()
            self.report(f"   took {spent:.1f} s; the guide allows {GUIDE_MINUTES[name]} minutes.")

    def say(self, line: str) -> None:
        self.report(f"   {line}")

    def keep(self, **more: Any) -> None:
        self.told |= more
        self.folder.keep_failover(self.told)

    @property
    def seconds(self) -> float:
        return float(sum(self.told.get("steps", {}).values()))


def promote(wanted: Wanted, *, now: datetime, report: Report) -> Failover:
    folder = Folder(wanted.folder.resolve())
    facts = folder.facts()
    known = folder.failover()
    # One that was refused changed nothing, and its time is not that of this one.
    run = Failover(folder, report, known if "promoted_at" in known else {"began": now.isoformat(), "steps": {}})
    if run.told.get("ended"):
        raise NotPromoted("It was promoted already: `manage.py standby status --into` shows what it took.")
    if folder.cluster.is_dir():  # else it was put in place already, and the promotion was killed there
        with run.step("assess"):
            failover_route.check(wanted.route, folder)
            _assess(wanted, folder, facts, run)
        with run.step("activate"):
            _activate(folder, facts, run, now=now)
        with run.step("verify"):
            _verify(wanted, folder, facts, run)
    with run.step("route"):
        failover_route.take(wanted.route, folder, facts, now=now, told=run.say)
    run.keep(seconds=run.seconds, ended=True)
    _remember(wanted.route, folder, facts, run)
    report("5. Watch closely")
    for line in WATCH:
        run.say(line)
    report(f"Done in {run.seconds:.0f} seconds; the guide allows {TOTAL_MINUTES} minutes in all.")
    return run


def _assess(wanted: Wanted, folder: Folder, facts: Facts, run: Failover) -> None:
    if not standby_server.runs(folder):
        standby_server.start(folder, facts)
    standing = standby_server.standing(folder, facts)
    doubt = failover_route.doubt(wanted.route, folder, facts)
    if doubt:
        run.say(doubt)
    if not standing.in_recovery:
        run.say("It was activated before, and goes on from there.")
        return
    primary = failover_checks.primary(folder, facts)
    run.say(primary.said)
    if not wanted.fenced:
        if primary.verdict is Verdict.ANSWERS:
            raise NotPromoted(f"{primary.said} {_FENCE}")
        if primary.verdict is Verdict.UNKNOWN or standing.follows:
            raise NotPromoted(f"{_HEARD if standing.follows else primary.said} {_FENCE}")
    elif primary.verdict is Verdict.ANSWERS:
        run.say("You say that it was cut off, and from here it still answers: make sure that nothing of the service reaches it.")
    if standing.told:
        run.say(f"The primary last said that its log ends at {standing.told}; here it was received up to {standing.received}.")
    if standing.last_commit:
        run.say(f"The last change that is here is of {standing.last_commit:%Y-%m-%d %H:%M:%S} UTC.")
    _bring_rest(wanted, folder, facts, run)


_HEARD = "The standby received from its primary within the last half minute."
_FENCE = (
    "Nothing was changed. Two primaries would be the worst: make sure that the old one cannot come back (stop it, take its "
    "power or its network), then say --primary-is-fenced."
)


def _bring_rest(wanted: Wanted, folder: Folder, facts: Facts, run: Failover) -> None:
    """What was received elsewhere and is not here yet is replayed first."""
    left = failover_rest.bring(folder, facts, told=run.say)
    if left and not wanted.accept_loss:
        failover_rest.listen_again(folder, facts)
        raise NotPromoted(
            f"{left} Nothing was changed. `manage.py recover` may bring back more, and takes longer; "
            "to go on without it, say --accept-loss."
        )


def _activate(folder: Folder, facts: Facts, run: Failover, *, now: datetime) -> None:
    with standby_server.connect(folder, facts, "postgres") as one:
        if one.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            one.execute("SELECT pg_promote(true, %s)", [PROMOTE_SECONDS])
        until = time.monotonic() + PROMOTE_SECONDS
        while one.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
            if time.monotonic() > until:
                raise NotPromoted(f"It did not leave recovery within a minute: {folder.logs} says why. Say it again.")
            time.sleep(0.1)
    standing = standby_server.standing(folder, facts)
    run.say(f"It takes writes, on timeline {standing.timeline}.")
    with standby_server.connect(folder, facts) as one, one.transaction():
        held, again = _settle(one, facts, now=now)
    if again:
        run.say(f"{count(again, 'emergency reply goes', 'emergency replies go')} out again; twice is better than never.")
    if held:
        run.say(f"{count(held, 'message was', 'messages were')} held back, as they may have gone out: send again by hand.")
    if "promoted_at" not in run.told:  # the services may have begun to work with it since
        first_backup.owe(now=now)
        lost_server.begin_log_anew(f"before-{now:%Y%m%d%H%M%S}")
    run.keep(promoted_at=run.told.get("promoted_at", now.isoformat()), timeline=standing.timeline)


def _settle(one: psycopg.Connection[Any], facts: Facts, *, now: datetime) -> tuple[int, int]:
    """Once, before anybody works with it; how many messages were held back, and how many go out again."""
    row = one.execute("SELECT promoted_at FROM operations_standby WHERE name = %s FOR UPDATE", [facts.name]).fetchone()
    if row is not None and row[0] is not None:
        return 0, 0
    one.execute(
        "INSERT INTO operations_standby (name, slot, address, created_at, state, since, position, promoted_at, failover)"
        " VALUES (%(name)s, %(slot)s, %(address)s, %(made)s, 'following', %(now)s, '', %(now)s, '{}')"
        " ON CONFLICT (name) DO UPDATE SET promoted_at = EXCLUDED.promoted_at",
        {
            "name": facts.name,
            "slot": facts.slot,
            "address": f"{facts.listen}:{facts.port}",
            "made": facts.created_at,
            "now": now,
        },
    )
    # The others followed the old server; each is built anew from this one.
    one.execute("DELETE FROM operations_standby WHERE promoted_at IS NULL")
    again = after_loss.send_urgent_again(one, since=now - URGENT_FOR)
    held = after_loss.hold_back(one, HELD_BACK, but_urgent_since=now - URGENT_FOR)
    here = [
        key for (key,) in one.execute("SELECT id FROM operations_backup").fetchall() if (backups.folder() / str(key)).is_dir()
    ]
    after_loss.only_outside(one, here=here)
    return held, again


def _verify(wanted: Wanted, folder: Folder, facts: Facts, run: Failover) -> None:
    found = list(failover_checks.data(folder, facts))
    for each in found:
        run.say(each.said if each.good else f"NOT GOOD: {each.said}")
    run.keep(checks=[{"good": each.good, "said": each.said} for each in found])
    if not all(each.good for each in found) and not wanted.accept_differences:
        raise NotPromoted(
            "It takes writes and nobody is routed to it yet. When you have looked at what differs, say the same again with "
            "--accept-differences, or bring the service back with `manage.py recover`."
        )


def _remember(route: Route, folder: Folder, facts: Facts, run: Failover) -> None:
    """In the new primary too, for the console."""
    statement = "UPDATE operations_standby SET failover = %s WHERE name = %s"
    with failover_route.connected(route, folder, facts) as one:
        one.execute(statement, [Jsonb(run.told), facts.name])
