import json
import sys
import time
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from knowledge import embeddings, import_claims, import_folders, import_progress, import_runs, importing, indexing, tasks
from knowledge.import_fields import Defaults
from knowledge.models import Document, Import, ImportItem

TOLD_SECONDS = 0.5
# Claimed at once for indexing; they are embedded in smaller groups.
AT_ONCE = 1000
FIGURES = ("files", "added", "known", "refused", "bad", "records", "to_index")


class Command(BaseCommand):
    help = (
        "Imports files, folders and zips: PDF, Word, web pages, Markdown, text, CSV of questions and answers, MedQuAD. "
        "Run it again with the same paths to go on after a stop; what is here already is recognised."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--importer", choices=importing.IMPORTERS, default="auto", help="auto reads each file by its kind")
        for name, default in (("publisher", ""), ("licence", ""), ("topic", ""), ("url", ""), ("audience", "public")):
            parser.add_argument(f"--{name}", default=default)
        parser.add_argument("--language", default="en", help="of what does not say its own")
        parser.add_argument("--by", metavar="USERNAME", help="who brings them; somebody else then publishes")
        parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N records of each collection")
        parser.add_argument("--index", action="store_true", help="also index here, instead of leaving it to the worker")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self.quiet = options["json"] or not self.stdout.isatty()
        self.next_told = 0.0
        batch = self._batch(options)
        claim = import_claims.take(batch.pk, now=timezone.now())
        if claim is None:
            raise CommandError("These paths are being imported by another process right now. Wait until it is done.")
        try:
            self._queue(claim, options["paths"])
            import_runs.run(claim, told=lambda item: self._tell(batch, item))
            if options["index"]:
                self._index()
        except KeyboardInterrupt:
            claim.let_go()
            self.stderr.write("\nStopped. What was read stays. Run the same command again to go on.")
            sys.exit(130)
        self._say(batch, as_json=options["json"])

    def _batch(self, options: dict[str, Any]) -> Import:
        """The unfinished import of the same paths, or a new one."""
        missing = [str(path) for path in options["paths"] if not path.exists()]
        if missing:
            raise CommandError(f"There is no {missing[0]}. Nothing was imported.")
        by = User.objects.filter(username=options["by"]).first() if options["by"] else None
        if options["by"] and by is None:
            raise CommandError(f"There is no account named {options['by']}. Nothing was imported.")
        values = {name: options[name] for name in ("publisher", "licence", "topic", "url", "audience", "language", "limit")}
        paths = [path.resolve() for path in options["paths"]]
        defaults = Defaults(**values, paths=tuple(map(str, paths)))
        label = ", ".join(path.name for path in paths)
        return importing.unfinished(defaults, importer=options["importer"]) or importing.begin(
            label=label, defaults=defaults, by=by, importer=options["importer"]
        )

    def _queue(self, claim: import_claims.Claim, paths: list[Path]) -> None:
        """Every file that is not queued yet, so that a stop in the middle of the listing does no harm."""
        queued = set(claim.batch.items.values_list("path", flat=True))
        importing.add_paths(claim.batch, (each for each in import_folders.files(paths) if str(each[1]) not in queued))
        if not claim.batch.items.exists():
            claim.let_go(status=Import.Status.FAILED, finished_at=timezone.now(), reason="No file was found.")
            raise CommandError("No file was found there. Hidden files and links that lead elsewhere are left out.")

    def _tell(self, batch: Import, item: ImportItem) -> None:
        if self.quiet or time.monotonic() < self.next_told:
            return
        self.next_told = time.monotonic() + TOLD_SECONDS
        now = import_progress.of(Import.objects.get(pk=batch.pk), now=timezone.now())
        rate = f", {now.rate:,.0f} a minute" if now.rate else ""
        left = f", {import_progress.spoken(now.left)} left" if now.left else ""
        line = f"{now.done:,} of {now.files:,} files, {now.added:,} documents added{rate}{left}: {item.name}"
        self._over(line)

    def _index(self) -> None:
        """Everything that waits, embedded here. Sentences of records are left for when somebody needs them."""
        waiting = Document.objects.filter(status__in=[Document.Status.UPLOADED, Document.Status.INDEXING]).count()
        embeddings.use_all_cores()
        started, done = time.monotonic(), 0
        while claimed := indexing.claim_some(AT_ONCE, now=timezone.now()):
            try:
                for group in indexing.groups(claimed):
                    tasks.index_group(group)
                    done += len(group)
                    self._tell_indexing(done, max(waiting, done), time.monotonic() - started)
            except BaseException:
                indexing.put_back(claimed)
                raise
        if done:
            indexing.recount()

    def _tell_indexing(self, done: int, waiting: int, seconds: float) -> None:
        if not self.quiet:
            left = import_progress.spoken(timedelta(seconds=seconds / done * (waiting - done)))
            self._over(f"{done:,} of {waiting:,} documents indexed, {60 * done / seconds:,.0f} a minute, {left} left")

    def _over(self, line: str) -> None:
        self.stdout.write(f"\r{line[:118]:<118}", ending="")
        self.stdout.flush()

    def _say(self, batch: Import, *, as_json: bool) -> None:
        batch.refresh_from_db()
        result = import_progress.of(batch, now=timezone.now())
        refused = list(batch.items.filter(status=ImportItem.Status.REFUSED).values_list("name", "reason"))
        if as_json:
            figures = {
                name: getattr(result, name) for name in ("files", "added", "known", "refused", "bad", "records", "to_index")
            }
            reasons = [{"file": name, "reason": reason} for name, reason in refused]
            self.stdout.write(json.dumps({"import": str(batch.pk), "status": batch.status, **figures, "reasons": reasons}))
        else:
            left_out = f", {result.bad:,} rows left out" if result.bad else ""
            found = f"{result.added:,} documents added, {result.known:,} here already"
            self.stdout.write("" if self.quiet else "\n", ending="")
            self.stdout.write(f"{found}, {len(refused):,} files refused{left_out}.")
        if batch.status == Import.Status.CANCELLED:
            raise CommandError("The import was cancelled. What was added stays.")
        if refused:
            raise CommandError("\n".join(["Refused:", *(f"  {name}: {reason}" for name, reason in refused)]))
