"""The starter articles' vectors, made beforehand: a new installation answers without embedding its library first.

A cache of what the default model returns, keyed by the text itself: an edited sentence or another model is
simply not found here and goes to the model. `manage.py starter_vectors` makes the file, a test compares it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from knowledge import embeddings
from knowledge.passages import Vectors

FILE = Path(__file__).parent / "starter" / "vectors.npz"


def embed(texts: list[str], *, model: str) -> Vectors:
    """As `embeddings.embed`, without loading the model where every text is known."""
    known = _known() if model == embeddings.BUNDLED else {}
    found = [known.get(_key(text)) for text in texts]
    ready = [vector for vector in found if vector is not None]
    if texts and len(ready) == len(texts):
        return np.stack(ready).astype(np.float32)
    return embeddings.embed(texts, model=model)


def write(texts: list[str]) -> int:
    """Embed the texts with the model and keep their vectors as float16; how many."""
    unique = sorted(set(texts))
    keys = np.frombuffer(b"".join(_key(text) for text in unique), dtype=np.uint8).reshape(len(unique), -1)
    np.savez(FILE, keys=keys, vectors=embeddings.embed(unique, model=embeddings.BUNDLED).astype(np.float16))
    _known.cache_clear()
    return len(unique)


@lru_cache(maxsize=1)
def _known() -> dict[bytes, Vectors]:
    if not FILE.exists():
        return {}
    with np.load(FILE) as kept:
        return {key.tobytes(): vector for key, vector in zip(kept["keys"], kept["vectors"], strict=True)}


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
