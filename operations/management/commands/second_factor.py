"""`manage.py second_factor reset NAME`: when the phone and the recovery codes are gone, and nobody can sign in to help."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from operations import second_factor


class Command(BaseCommand):
    help = "Take the second factor of an account away: manage.py second_factor reset NAME"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("step", choices=["reset"])
        parser.add_argument("name", help="the user name of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError("No account has this user name. The page Staff in the console lists them.")
        # The history needs an account; whoever runs this command has the server, and no name here.
        if not second_factor.reset(user, by=user, place="by the command on the server"):
            self.stdout.write(f"{user.username} has no second factor.")
            return
        then = "They set up a new one at the next sign-in." if second_factor.must_have(user) else "The password is enough now."
        self.stdout.write(f"The second factor of {user.username} is gone. {then}")
