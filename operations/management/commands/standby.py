import argparse
import ipaddress
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from operations import (
    backup_keys,
    failover,
    failover_route,
    offsite,
    postgres,
    standby_build,
    standby_folder,
    standby_server,
    standbys,
)
from operations.models import Standby

PROBLEMS = (
    standby_folder.NoStandby,
    standbys.NoSuchStandby,
    failover.NotPromoted,
    failover_route.NotRouted,
    backup_keys.KeyProblem,
    offsite.NotOffsite,
    postgres.ToolProblem,
)


class Command(BaseCommand):
    help = "A second server that follows the live one and can take its place: build it, look at it, promote it."
    requires_system_checks: list[str] = []  # some of them ask the database that may be gone

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)
        create = steps.add_parser("create", help="from the newest verified base backup and the received log")
        create.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="an empty folder or a new one")
        create.add_argument("--name", default="one", help="small letters and digits; each standby has its own")
        create.add_argument("--port", type=int, default=5433)
        create.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help="where it answers the service once promoted")
        create.add_argument("--allow", action="append", default=[], type=_network, metavar="NETWORK", help="such as 10.0.0.0/24")
        create.add_argument("--primary", type=_address, metavar="HOST:PORT", help="where it finds the live server, if elsewhere")
        create.add_argument("--fresh", action="store_true", help="copy the live server, which loads it, in place of a backup")
        status = steps.add_parser("status", help="whether standbys follow, as the live server sees it or, with --into, by itself")
        status.add_argument("--into", type=Path, metavar="FOLDER")
        status.add_argument("--json", action="store_true")
        promote = steps.add_parser("promote", help="let it take the live server's place: five steps, timed")
        promote.add_argument("--into", type=Path, required=True, metavar="FOLDER")
        promote.add_argument("--primary-is-fenced", action="store_true", help="the old server was cut off and cannot come back")
        promote.add_argument("--accept-loss", action="store_true", help="go without what the received log holds beyond it")
        promote.add_argument("--accept-differences", action="store_true", help="route people to it although a check failed")
        where = promote.add_mutually_exclusive_group()
        where.add_argument("--in-place", action="store_true", help="as the server that Jeevo runs itself on this machine")
        where.add_argument("--at-its-address", action="store_true", help="under a DATABASE_URL of its own")
        promote.add_argument("--host", default="", help="the name under which the service finds it; else where it listens")
        promote.add_argument("--write-env", type=Path, metavar="FILE", help="put the new DATABASE_URL into this .env")
        for name, said in (("start", "its server, after a restart of its machine"), ("stop", "its server")):
            steps.add_parser(name, help=said).add_argument("--into", type=Path, required=True, metavar="FOLDER")
        remove = steps.add_parser("remove", help="on the live server: it keeps no log for that standby any more")
        remove.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["step"])(options)
        except OSError as problem:
            raise CommandError(f"{problem.filename or 'The disk'}: {problem.strerror}.") from problem
        except PROBLEMS as problem:
            raise CommandError(str(problem)) from problem
        except psycopg.Error as problem:  # its words may quote a row
            raise CommandError(
                "A server stopped answering in the middle: `logs` in the standby's folder says why. Then say the same again."
            ) from problem

    def create(self, options: dict[str, Any]) -> None:
        wanted = standby_build.Wanted(
            options["into"],
            options["name"],
            options["port"],
            options["listen"],
            tuple(options["allow"]),
            options["primary"],
            options["fresh"],
        )
        done = standby_build.create(wanted, now=timezone.now(), report=self._say)
        for line in done.to_do:
            self._say(line)
        self._say(
            f"Done in {done.seconds:.0f} seconds. After a restart of this machine: `manage.py standby start --into FOLDER`."
        )

    def status(self, options: dict[str, Any]) -> None:
        if options["into"]:
            found = [_by_itself(standby_folder.Folder(options["into"].resolve()))]
        else:
            try:
                found = [_seen(each) for each in standbys.look(now=timezone.now())] + [
                    _promoted(row) for row in Standby.objects.filter(promoted_at__isnull=False)
                ]
            except DatabaseError as error:
                raise CommandError(
                    "The live server does not answer. Ask the standby itself: `manage.py standby status --into FOLDER`."
                ) from error
        if options["json"]:
            self._say(json.dumps(found, indent=1))
            return
        for each in found:
            for line in each["said"]:
                self._say(line)
        if not found:
            self._say("No standby follows this server.")

    def promote(self, options: dict[str, Any]) -> None:
        embedded = options["in_place"] or (settings.ENVIRONMENT.database_url is None and not options["at_its_address"])
        if embedded and (options["host"] or options["write_env"]):
            raise CommandError("--host and --write-env belong to --at-its-address.")
        route = failover_route.Route(embedded, options["host"], options["write_env"])
        wanted = failover.Wanted(
            options["into"], route, options["primary_is_fenced"], options["accept_loss"], options["accept_differences"]
        )
        failover.promote(wanted, now=timezone.now(), report=self._say)

    def start(self, options: dict[str, Any]) -> None:
        folder = standby_folder.Folder(options["into"].resolve())
        standby_server.start(folder, folder.facts())
        self._say("It runs.")

    def stop(self, options: dict[str, Any]) -> None:
        folder = standby_folder.Folder(options["into"].resolve())
        folder.facts()
        standby_server.stop(folder)
        self._say("It is stopped. The live server keeps its log for it: start it again soon, or remove it there.")

    def remove(self, options: dict[str, Any]) -> None:
        standbys.remove(options["name"])
        self._say("The live server keeps nothing for it any more. Stop it on its machine and remove its folder.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _seen(seen: standbys.Seen) -> dict[str, Any]:
    """As the live server sees it; what is measured is how long a change takes to the standby's disk."""
    took = standbys.measured(seen) if seen.state == Standby.State.FOLLOWING else None
    said = f"{seen.said} What is committed now is on its disk in {took:.2f} s." if took is not None else seen.said
    slot = seen.slot
    return {
        "name": seen.name,
        "following": seen.state == Standby.State.FOLLOWING,
        "state": seen.state,
        "since": seen.since.isoformat(),
        "address": seen.address,
        "behind_bytes": slot.behind_bytes if slot else None,
        "behind_seconds": round(took, 3) if took is not None else seen.behind.total_seconds() if seen.behind else None,
        "slot": slot.status if slot else "lost",
        "safe_bytes": slot.safe_bytes if slot else None,
        "said": [said],
    }


def _promoted(row: Standby) -> dict[str, Any]:
    assert row.promoted_at is not None
    steps = row.failover.get("steps", {})
    said = f'The standby "{row.name}" was promoted {row.promoted_at:%Y-%m-%d %H:%M} UTC, and is this server now.'
    return {
        "name": row.name,
        "following": False,
        "state": "promoted",
        "since": row.promoted_at.isoformat(),
        "steps": steps,
        "said": [said, *_times(steps)],
    }


def _by_itself(folder: standby_folder.Folder) -> dict[str, Any]:
    facts, told = folder.facts(), folder.failover()
    if told.get("ended"):
        at = datetime.fromisoformat(told["promoted_at"])
        said = [f'The standby "{facts.name}" was promoted {at:%Y-%m-%d %H:%M} UTC.', *_times(told["steps"])]
        return {"name": facts.name, "following": False, "state": "promoted", "steps": told["steps"], "said": said}
    now = standby_server.standing(folder, facts)
    if now.follows:
        said = [f"It follows, {now.behind_bytes:,} bytes and {now.behind_seconds or 0:.1f} s behind, on timeline {now.timeline}."]
    elif now.in_recovery:
        last = f"{now.last_commit:%Y-%m-%d %H:%M:%S} UTC" if now.last_commit else "not known"
        said = [f"It does not follow: its primary does not answer it. Its last change is of {last}."]
    else:
        said = ["It takes writes, and its failover has not ended: say `manage.py standby promote` again."]
    return {
        "name": facts.name,
        "following": now.follows,
        "state": "following" if now.follows else "away" if now.in_recovery else "activated",
        "since": now.since.isoformat() if now.since else None,
        "behind_bytes": now.behind_bytes,
        "behind_seconds": now.behind_seconds,
        "timeline": now.timeline,
        "last_commit": now.last_commit.isoformat() if now.last_commit else None,
        "said": said,
    }


def _times(steps: dict[str, float]) -> list[str]:
    lines = [f"  {failover.TITLES[name]}: {spent:.1f} s" for name, spent in steps.items()]
    return [*lines, f"  In all {sum(steps.values()):.0f} s; the guide allows {failover.TOTAL_MINUTES} minutes."]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise argparse.ArgumentTypeError("a network is such as 10.0.0.0/24, or one address") from None


def _address(text: str) -> tuple[str, str]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError("an address is such as 10.0.0.4:5432")
    return host.strip("[]"), port
