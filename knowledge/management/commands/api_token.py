from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.authtoken.models import Token

RIGHTS = {
    "knowledge.view_document": "read documents and search",
    "conversations.view_answer": "ask",
}


class Command(BaseCommand):
    help = "Prints an account's token for the API, made at the first call. An account has one at a time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The account's user name.")
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--new", action="store_true", help="Replace the token; the old one stops working at once.")
        group.add_argument("--revoke", action="store_true", help="Take the token away.")

    def handle(self, *args: Any, **options: Any) -> None:
        account = _account(options["name"], usable=not options["revoke"])
        if options["revoke"] or options["new"]:
            gone, _ = Token.objects.filter(user=account).delete()
            if options["revoke"]:
                self.stdout.write("The token works no more." if gone else f"{account} had no token.")
                return
        self.stdout.write(Token.objects.get_or_create(user=account)[0].key)
        self.stderr.write(_may(account))


def _account(name: str, *, usable: bool) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"There is no account {name}. Add it in the console under Staff, then run this again.")
    if usable and not found.is_active:
        raise CommandError(f"The account {name} is switched off, so a token of it would open nothing.")
    return found


def _may(account: User) -> str:
    """What the token opens, for whoever made it and wonders why it is refused."""
    may = [what for right, what in RIGHTS.items() if account.has_perms(["knowledge.view_document", right])]
    if not may:
        return f"{account} may do nothing here yet: give the account a role in the console."
    return f"{account} may {' and '.join(may)}."
