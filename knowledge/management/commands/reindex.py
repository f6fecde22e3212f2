import signal
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from knowledge import embedding_indexes, embeddings, reindexing
from knowledge.models import EmbeddingIndex


class Command(BaseCommand):
    help = (
        "Changes the embedding model, or makes every vector anew. The old index answers until the new one is whole. "
        "Ctrl-C stops at a safe point; the same command goes on there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--model", help="a sentence-transformers model by name, or a folder that holds one")
        what.add_argument("--rebuild", action="store_true", help="the same model, every vector from the stored text")
        what.add_argument("--status", action="store_true", help="say which index answers and which is being built")
        what.add_argument("--cancel", action="store_true", help="stop the one that is being built")
        what.add_argument("--go-back", action="store_true", help="let the index that answered before answer again")
        parser.add_argument("--background", action="store_true", help="leave the work to the indexing worker")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["status"]:
                return self.status()
            if options["cancel"]:
                return self.cancel()
            index = self.begin(options)
            if options["background"]:
                self.stdout.write(
                    f"The indexing worker builds the index of {index.model}. `manage.py reindex --status` shows how far it is."
                )
                return None
            return self.build(index)
        except reindexing.NotPossible as problem:
            raise CommandError(str(problem)) from problem

    def begin(self, options: dict[str, Any]) -> EmbeddingIndex:
        if options["go_back"]:
            before = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.RETIRED).order_by("-finished_at").first()
            if before is None:
                raise reindexing.NotPossible("No other index has answered before.")
            reindexing.go_back(before)
            return before
        active = embedding_indexes.active()
        running = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.BUILDING).first()
        model = active.model if options["rebuild"] else options["model"]
        if running is not None and running.model == model:
            return running
        return reindexing.begin(model, by="manage.py reindex", now=timezone.now())

    def build(self, index: EmbeddingIndex) -> None:
        if not reindexing.claim(index, now=timezone.now()):
            raise CommandError("A worker is building it. `manage.py reindex --status` shows how far it is.")
        stopped = Stopped()
        embeddings.use_all_cores()
        started, before = time.monotonic(), index.done
        try:
            while reindexing.work(index, until=stopped, report=lambda now: self.progress(now, started, before)) and not stopped():
                pass
        finally:
            reindexing.release(index)
            stopped.restore()
        index.refresh_from_db()
        if index.status == EmbeddingIndex.Status.ACTIVE:
            self.stdout.write(f"\n{index.model} answers now: {index.done:,} documents.")
        else:
            self.stdout.write(f"\nStopped at {index.done:,} of {index.total:,} documents. The same command goes on from here.")

    def progress(self, index: EmbeddingIndex, started: float, before: int) -> None:
        seconds = time.monotonic() - started
        rate = (index.done - before) / seconds if seconds else 0
        left = f", {(index.total - index.done) / rate:,.0f} s left" if rate else ""
        self.stdout.write(f"\r{index.done:,} of {index.total:,} documents, {rate:,.1f} a second{left}   ", ending="")
        self.stdout.flush()

    def status(self) -> None:
        active = embedding_indexes.active()
        self.stdout.write(f"{active.model} answers ({active.dimensions} dimensions).")
        for index in EmbeddingIndex.objects.filter(status__in=("building", "paused", "failed")):
            self.stdout.write(
                f"{index.model}: {index.status}, {index.done:,} of {index.total:,} documents. {index.reason}".rstrip()
            )

    def cancel(self) -> None:
        for index in EmbeddingIndex.objects.filter(status__in=("building", "paused")):
            reindexing.cancel(index, now=timezone.now())
            self.stdout.write(f"The index of {index.model} is no longer built. What was made is kept for a week.")


class Stopped:
    """True after the first Ctrl-C: the group in hand is finished and written."""

    def __init__(self) -> None:
        self.asked = False
        self.usual = signal.signal(signal.SIGINT, self.ask)

    def ask(self, *_: object) -> None:
        self.asked = True
        # A second one ends at once.
        signal.signal(signal.SIGINT, self.usual)
        sys.stderr.write("\nStopping after this group ...\n")

    def restore(self) -> None:
        signal.signal(signal.SIGINT, self.usual)

    def __call__(self) -> bool:
        return self.asked
