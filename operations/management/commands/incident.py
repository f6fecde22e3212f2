from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from operations import incident_lines, incidents, spool, spool_mail
from operations.models import Incident

RIGHT = "operations.run_incident"
AWAY = (OperationalError, InterfaceError)
MOST_LISTED = 100
NEEDS_DATABASE = (
    "The database does not answer. `declare` and `update` work without it: they write a file that is read in once it is back."
)


class Command(BaseCommand):
    help = "Declares and runs incidents where no browser is at hand, and writes them down while the database is away."
    # A check may ask the database, which may be what is broken.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)
        declare = self._step(steps, "declare", "Something is wrong: open an incident.")
        declare.add_argument("title", help="What is wrong, in a few words. No names, no phone numbers.")
        declare.add_argument("--severity", type=int, choices=(1, 2, 3, 4), default=2, help="1 is the worst; unsure means higher.")
        declare.add_argument("--details", default="", help="What is known, for staff.")
        for name, about in (("ack", "You have it."), ("show", "All that is known of one.")):
            self._step(steps, name, about).add_argument("incident", help="Its number, such as 12.")
        update = self._step(steps, "update", "Say what is going on.")
        update.add_argument("incident", help="Its number, or the reference of one that was written down.")
        update.add_argument("text")
        for name, about in (("affected", "how many"), ("action", "what is being done"), ("eta", "when it should be over")):
            update.add_argument(f"--{name}", help=f"Also change this: {about}.")
        resolve = self._step(steps, "resolve", "It is over.")
        resolve.add_argument("incident", help="Its number.")
        resolve.add_argument("text", nargs="?", default="", help="What put it right.")
        listed = self._step(steps, "list", "What is open now.")
        listed.add_argument("--all", action="store_true", help="Also what is over, the latest first.")

    def _step(self, steps: Any, name: str, about: str) -> CommandParser:
        parser: CommandParser = steps.add_parser(name, help=about, description=about)
        parser.add_argument("--as", dest="actor", metavar="USERNAME", default="", help="Who you are, as in the console.")
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        steps: dict[str, Callable[..., None]] = {
            name: getattr(self, name) for name in ("declare", "ack", "update", "resolve", "list", "show")
        }
        try:
            steps[options["step"]](**options)
        except incidents.NotNow as problem:
            raise CommandError(str(problem)) from problem
        except AWAY as problem:
            if options["step"] not in ("declare", "update"):
                raise CommandError(NEEDS_DATABASE, returncode=2) from problem
            self._write_down(**options)

    def declare(self, title: str, severity: int, details: str, actor: str, **options: Any) -> None:
        incident, _ = incidents.declare(_title(title), severity=severity, details=details, by=_actor(actor), now=timezone.now())
        self._say(incident, f"INC-{incident.number} is open, severity {incident.severity}. Whoever is on call is told.", options)

    def ack(self, incident: str, actor: str, **options: Any) -> None:
        by = _actor(actor)
        found = incidents.acknowledge(_found(incident), by=by, now=timezone.now())
        self._say(found, f"{by} has INC-{found.number}.", options)

    def update(self, incident: str, text: str, actor: str, **options: Any) -> None:
        key = spool.key_of(incident)
        if key and not Incident.objects.filter(pk=key).exists():
            # It waits to be read in; what is said of it waits behind it.
            self._write_down(incident=incident, text=text, actor=actor, **options)
            return
        fields = {name: options[name] for name in ("affected", "action", "eta") if options.get(name) is not None}
        found = incidents.update(_found(incident), text, by=_actor(actor), now=timezone.now(), **fields)
        minutes = int(found.update_every.total_seconds() // 60)
        self._say(found, f"Said on INC-{found.number}. The next update is due in {minutes} minutes.", options)

    def resolve(self, incident: str, text: str, actor: str, **options: Any) -> None:
        found = incidents.move(_found(incident), Incident.State.RESOLVED, by=_actor(actor), now=timezone.now(), text=text)
        after = " It needs a postmortem before it is closed." if found.severity <= 2 else ""
        self._say(found, f"INC-{found.number} is resolved.{after}", options)

    def list(self, **options: Any) -> None:
        rows = Incident.objects.select_related("acknowledged_by", "commander")
        rows = rows if options["all"] else rows.live().order_by("severity", "-declared_at")
        found = list(rows[:MOST_LISTED])
        if options["json"]:
            self._print([incident_lines.facts(each) for each in found])
            return
        for line in incident_lines.lines(found, now=timezone.now()):
            self.stdout.write(line)

    def show(self, incident: str, **options: Any) -> None:
        found = _found(incident)
        if options["json"]:
            self._print(incident_lines.facts(found))
            return
        for line in incident_lines.page(found, now=timezone.now()):
            self.stdout.write(line)

    def _write_down(self, step: str = spool.UPDATE, actor: str = "", **options: Any) -> None:
        """Without the database: a file, and an e-mail to the first contacts of the copy beside it."""
        if not actor:
            raise CommandError("The database does not answer, so nobody can be looked up: say who you are with --as USERNAME.")
        made = self._step_of(step, actor, **options)
        path = spool.write(made)
        mailed = spool_mail.tell_first(*_letter(made)) if step == spool.DECLARE else spool_mail.Mailed()
        if options.get("json"):
            self._print(
                {"written_to": str(path), "reference": made.reference, "told": list(mailed.names), "problem": mailed.problem}
            )
            return
        lines = ["The database does not answer.", f"Written down in {path}. It is read in when the database is back."]
        if step == spool.DECLARE:
            lines += [mailed.said, f"To say more: manage.py incident update {made.reference} TEXT --as {actor}"]
        for line in lines:
            self.stdout.write(line)

    def _step_of(self, step: str, actor: str, **options: Any) -> spool.Step:
        now = timezone.now()
        if step == spool.DECLARE:
            values = {name: options[name] for name in ("severity", "details")}
            return spool.new_step(step, now=now, by=actor, title=_title(options["title"]), **values)
        about = spool.key_of(options["incident"])
        if about is None and not _number(options["incident"]):
            raise CommandError(f"There is no incident {options['incident']}. Give its number, or the reference that was printed.")
        extra = [f"{name}: {options[name]}" for name in ("affected", "action", "eta") if options.get(name)]
        text = "\n".join([options["text"], *extra])
        return spool.new_step(step, now=now, by=actor, text=text, of=str(about or _number(options["incident"])))

    def _say(self, incident: Incident, sentence: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self._print(incident_lines.facts(incident))
        else:
            self.stdout.write(sentence)

    def _print(self, values: Any) -> None:
        self.stdout.write(json.dumps(values, ensure_ascii=False, indent=2))


def _letter(step: spool.Step) -> tuple[str, str]:
    lines = [step.title, f"Severity {step.severity}, declared by {step.by} at {step.at:%H:%M} UTC.", step.details]
    lines.append("The database does not answer, so the console does not show it yet.")
    return f"Severity {step.severity}: {step.title}"[:200], "\n\n".join(part for part in lines if part)


def _title(text: str) -> str:
    title = " ".join(text.split())
    if not title:
        raise CommandError("Say in a few words what is wrong.")
    return title[:200]


def _number(text: str) -> str:
    return text.strip().upper().removeprefix("INC-") if text.strip().upper().removeprefix("INC-").isdigit() else ""


def _found(text: str) -> Incident:
    number, key = _number(text), spool.key_of(text)
    about = Q(number=number) if number else Q(pk=key)
    found = Incident.objects.filter(about).first() if number or key else None
    if found is None:
        raise CommandError(f"There is no incident {text}. `manage.py incident list` shows those that are open.")
    return found


def _actor(name: str) -> User:
    """Whoever types it. A shell on the server may do anything; the name is for who has it and for the timeline."""
    if not name:
        return _only_one()
    user = User.objects.filter(username=name).first()
    if user is None or not user.is_active:
        raise CommandError(f"There is no active account {name}. Give the user name that you have in the console.")
    if not user.has_perm(RIGHT):
        raise CommandError(f"The account {name} may not run incidents. An operator can give it a role that may.")
    return user


def _only_one() -> User:
    """Without a name, the one account there is. Among several nobody guesses."""
    users = list(User.objects.filter(is_active=True)[:2])
    if len(users) == 1 and users[0].has_perm(RIGHT):
        return users[0]
    raise CommandError("Say who you are with --as USERNAME: the timeline records who did what.")
