from typing import Any

from django.core.management.base import BaseCommand

from knowledge import chunking, indexing, ready_vectors, starter


class Command(BaseCommand):
    help = "Makes the vectors that ship with the starter articles. Run it after changing one."

    def handle(self, *args: Any, **options: Any) -> None:
        texts: list[str] = []
        for path in sorted(starter.FOLDER.glob("*.md")):
            fields = starter.read(path)
            whole, sentences = indexing.texts(fields["title"], chunking.passages(fields["text"]))
            texts += whole + sentences
        self.stdout.write(f"{ready_vectors.write(texts):,} vectors written.")
