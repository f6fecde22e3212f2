"""Models of random weights, small enough to be built in a test: folders as sentence-transformers saves them.

They know no meaning, but the same text always has the same vector or score, which is all that a test of
plumbing needs. No network, under a second each.
"""

from __future__ import annotations

import string
from pathlib import Path

WINDOW = 64
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_PIECES = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase), *string.digits, *".,?!-"]
_WORDS = "fever child water dengue burn doctor rest drink".split()


def embedding_model(folder: Path, dimensions: int = 48, *, normalise: bool = True, pooling: str = "mean") -> Path:
    """A BERT of two layers whose vectors have this many dimensions (a multiple of 4)."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    body = _body(folder, dimensions, head=False)
    modules = [Transformer(str(body), max_seq_length=WINDOW), Pooling(dimensions, pooling_mode=pooling)]
    model = SentenceTransformer(modules=[*modules, *([Normalize()] if normalise else [])], device="cpu")
    place = folder / "embedding"
    model.save(str(place))
    return place


def cross_encoder(folder: Path) -> Path:
    """A BERT of two layers with one score for a pair of texts."""
    return _body(folder, 48, head=True)


def _body(folder: Path, dimensions: int, *, head: bool) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

    place = folder / ("cross-encoder" if head else "body")
    place.mkdir(parents=True, exist_ok=True)
    words = {word: at for at, word in enumerate([*_SPECIAL, *_PIECES, *_WORDS])}
    tokenizer = BertTokenizer(vocab=words, model_max_length=WINDOW)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=dimensions,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * dimensions,
        max_position_embeddings=WINDOW,
        initializer_range=0.5,  # the usual .02 gives every text nearly the same vector
    )
    config.num_labels = 1
    with torch.random.fork_rng():
        torch.manual_seed(20240131 + dimensions)
        model = BertForSequenceClassification(config) if head else BertModel(config)
    model.save_pretrained(str(place))
    tokenizer.save_pretrained(str(place))
    return place
