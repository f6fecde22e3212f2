from __future__ import annotations

import numpy as np
import pytest

from knowledge import chunking, embeddings, indexing, ready_vectors, starter
from knowledge.passages import Vectors


def shipped_texts() -> list[str]:
    found: list[str] = []
    for path in sorted(starter.FOLDER.glob("*.md")):
        fields = starter.read(path)
        whole, sentences = indexing.texts(fields["title"], chunking.passages(fields["text"]))
        found += whole + sentences
    return found


def test_every_shipped_text_has_its_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed article without its vectors fails here: run `manage.py starter_vectors`."""

    def refuse(texts: list[str], *, model: str) -> None:
        raise AssertionError(f"{len(texts)} texts are not in vectors.npz")

    monkeypatch.setattr(embeddings, "embed", refuse)
    texts = shipped_texts()
    assert ready_vectors.embed(texts, model=embeddings.BUNDLED).shape == (len(texts), 384)


def test_the_kept_vectors_are_what_the_model_says() -> None:
    sample = shipped_texts()[::90]
    agreement = np.sum(ready_vectors.embed(sample, model=embeddings.BUNDLED) * embeddings.embed(sample), axis=1)
    assert agreement.min() > 0.995


def test_a_text_that_is_not_kept_goes_to_the_model_with_all_the_others() -> None:
    known, new = shipped_texts()[0], "A sentence that stands in no article."
    both = ready_vectors.embed([known, new], model=embeddings.BUNDLED)
    assert np.allclose(both, embeddings.embed([known, new]))


def test_another_model_uses_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def count(texts: list[str], *, model: str) -> Vectors:
        asked.append(texts)
        return np.zeros((len(texts), 3), dtype=np.float32)

    monkeypatch.setattr(embeddings, "embed", count)
    ready_vectors.embed(shipped_texts()[:2], model="another")
    assert len(asked) == 1
