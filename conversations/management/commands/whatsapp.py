from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations import whatsapp


class Command(BaseCommand):
    help = "`whatsapp check` tells whether the token, the number and the webhook subscription are right."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["check"])

    def handle(self, *args: Any, **options: Any) -> None:
        config = settings.ENVIRONMENT.whatsapp
        good = [
            self._try("The number", config.phone_number_id, self._number, "WHATSAPP_TOKEN and WHATSAPP_PHONE_NUMBER_ID"),
            self._try(
                "The webhook subscription",
                f"{config.business_account_id}/subscribed_apps",
                self._subscription,
                "WHATSAPP_BUSINESS_ACCOUNT_ID, and subscribe the app to the account in Meta's dashboard",
            ),
        ]
        if not all(good):
            raise CommandError("WhatsApp is not ready. Mend what is listed above and run this again.")
        self.stdout.write("WhatsApp is ready. Set the callback address in Meta's dashboard to /webhook/whatsapp/ on this server.")

    def _try(self, what: str, path: str, read: Any, remedy: str) -> bool:
        try:
            self.stdout.write(f"good  {what}: {read(whatsapp.look_up(path))}")
        except (whatsapp.WhatsAppError, whatsapp.Ambiguous, LookupError) as error:
            reason = error.reason if isinstance(error, whatsapp.WhatsAppError) else str(error)
            self.stdout.write(f"WRONG {what}: {reason}. Check {remedy}.")
            return False
        return True

    def _number(self, found: dict[str, Any]) -> str:
        return f"{found.get('display_phone_number', 'known')}, {found.get('verified_name', 'no name yet')}"

    def _subscription(self, found: dict[str, Any]) -> str:
        apps = found.get("data") or []
        if not apps:
            raise LookupError("no app is subscribed to this account's messages")
        return f"{len(apps)} app subscribed"
