from typing import Any

from django.core.management.base import BaseCommand

from operations import synchronous, watches
from operations.watcher import Watcher


class Command(BaseCommand):
    help = "Runs the watcher: timers of incidents, detectors, notices, maintenance windows, figures by the minute."

    def handle(self, *args: Any, **options: Any) -> None:
        with synchronous.guarded():
            Watcher(watches.ALL, after_good_round=watches.AFTER_GOOD_ROUND).run()
