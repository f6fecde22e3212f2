from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from conversations import compose
from conversations.draft import Draft
from conversations.reply_text import fitted
from knowledge import embeddings


class Command(BaseCommand):
    help = "Answers one question as Jeevo would on WhatsApp, with sources, confidence and where the time went. Stores nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question")

    def handle(self, *args: Any, **options: Any) -> None:
        embeddings.warm_up()
        draft = compose.ask(options["question"], country=settings.ENVIRONMENT.country)
        self.stdout.write(fitted(draft, 4096))
        self.stdout.write("")
        self.stdout.write(f"kind        {draft.kind}" + (f" ({draft.reason})" if draft.reason else ""))
        if draft.confidence is not None:
            self.stdout.write(f"confidence  {draft.confidence:.2f}")
        for passage in draft.passages:
            self.stdout.write(f"passage     {passage.score:.3f}  {passage.title} > {passage.heading}")
        for removed in draft.removed:
            self.stdout.write(f"removed     {removed.text} ({removed.why})")
        self.stdout.write("time        " + self._times(draft))

    def _times(self, draft: Draft) -> str:
        return ", ".join(f"{step} {milliseconds} ms" for step, milliseconds in draft.timings.items()) or "no search was needed"
