import argparse
import getpass
import sys
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from conversations import erasure
from conversations.erasure import Person
from operations import erasure_pages, erasure_record, erasures


class Command(BaseCommand):
    help = "Erases a person for good: all that they wrote and got, their number and their name. Shows first what would go."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("number", help="with + and its country code, or a WhatsApp user id; - asks for it")
        parser.add_argument("--reason", required=True, help="kept in the record: no name and no number")
        parser.add_argument("--as", dest="username", default="", metavar="USERNAME", help="who does it; without it, a terminal")
        parser.add_argument("--yes", action="store_true", help="without being asked whether it is meant")
        parser.add_argument("--force", action="store_true", help="although they are being helped now")

    def handle(self, *args: Any, **options: Any) -> None:
        by = _staff(options["username"])
        try:
            person = erasure.person(options["number"] if options["number"] != "-" else _asked())
            self._show(person, force=options["force"])
            if not options["yes"] and not _meant():
                raise CommandError("Nothing was erased.")
            row = erasures.erase(person, reason=options["reason"], by=by, all_the_same=options["force"])
        except (erasure.NotFound, erasures.Refused, erasure_record.Damaged) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"Erased, as number {row.number} of the record. Backups hold it until they are 30 days old.")

    def _show(self, person: Person, *, force: bool) -> None:
        self.stdout.write(f"{person.label}. This would go for good:")
        for line in erasure_pages.counted(erasures.look(person).counts) or ["nothing but the number"]:
            self.stdout.write(f"  {line}")
        told = erasure.under_way(person)
        for line in told:
            self.stdout.write(line)
        if told and not force:
            raise CommandError("They are being helped now. Wait until it is over, or say --force to erase them all the same.")


def _staff(username: str) -> User | None:
    if not username:
        return None
    user = User.objects.filter(username=username, is_active=True, is_staff=True).first()
    if user is None:
        raise CommandError("Nobody of the staff has this name.")
    if not user.has_perms(erasure_pages.NEEDS):
        raise CommandError(f"{user.get_username()} may not do this: it needs conversations.erase_contact.")
    return user


def _asked() -> str:
    """Not shown while it is typed; a program gives it as a line."""
    return getpass.getpass("Number: ") if sys.stdin.isatty() else sys.stdin.readline()


def _meant() -> bool:
    if not sys.stdin.isatty():
        raise CommandError("Nobody is here to be asked whether it is meant: say --yes.")
    return input("It cannot be undone. Type erase to go on: ").strip().lower() == "erase"
