from typing import Any

from django.core.management.base import BaseCommand

from conversations.dispatcher import Dispatcher


class Command(BaseCommand):
    help = "Runs the dispatcher: sees every stored message, answers emergencies, hands the rest to the workers."

    def handle(self, *args: Any, **options: Any) -> None:
        Dispatcher().run()
