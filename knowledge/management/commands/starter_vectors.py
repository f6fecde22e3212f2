from typing import Any

from django.core.management.base import BaseCommand

from knowledge import embeddings, indexing, ready_vectors, starter
from knowledge.models import Document, EmbeddingIndex


class Command(BaseCommand):
    help = "Makes the vectors that ship with the starter articles. Run it after changing one."

    def handle(self, *args: Any, **options: Any) -> None:
        texts: list[str] = []
        into = EmbeddingIndex(model=embeddings.BUNDLED, window=embeddings.window(embeddings.BUNDLED))
        for path in sorted(starter.FOLDER.glob("*.md")):
            fields = starter.read(path)
            article = Document(title=fields["title"], text=fields["text"])
            whole, sentences = indexing.texts(article.title, indexing.cut_up(article, into))
            texts += whole + sentences
        self.stdout.write(f"{ready_vectors.write(texts):,} vectors written.")
