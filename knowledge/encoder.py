"""The forward pass of a plain BERT with mean or first-token pooling, 1.4 times as fast as the general library's.

Texts are sorted by length and laid end to end, so nothing is padded; attention runs over runs of equal length.
Anything that is not exactly this architecture is not read here (`shape` returns None) and takes the general path.
torch is handed in, because only `knowledge.embeddings` may load it.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer

from knowledge.passages import Vectors

if TYPE_CHECKING:
    from torch import Tensor

# Tokens in one forward pass: from here to 8,192 the speed is the same, and small batches share out evenly.
BATCH_TOKENS = 2048
# Weights are laid out for about this many rows; a single question of a dozen tokens runs as fast with it.
_ROWS = 1024
_FILES = ("config.json", "modules.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "1_Pooling/config.json")
_WORDS = "embeddings.word_embeddings.weight"
_PLAIN = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}


@dataclass(frozen=True)
class Shape:
    dimensions: int
    window: int
    layers: int
    heads: int
    epsilon: float
    first_token: bool


def shape(folder: Path) -> Shape | None:
    """What the folder's model looks like, read from its small files; None where it is another architecture."""
    if not all((folder / name).is_file() for name in _FILES):
        return None
    config = _json(folder / "config.json")
    pooling = _pooling(_json(folder / "1_Pooling" / "config.json"))
    if pooling is None or not (_is_plain(config) and _modules_are_plain(folder) and _weights_are_named_plainly(folder)):
        return None
    return Shape(
        dimensions=config["hidden_size"],
        window=_window(folder, config),
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        first_token=pooling == "cls",
    )


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _is_plain(config: dict[str, Any]) -> bool:
    return all(config.get(key, value) == value for key, value in _PLAIN.items())


def _weights_are_named_plainly(folder: Path) -> bool:
    """A model cut out of a larger one may keep its name in front of every weight."""
    with safe_open(str(folder / "model.safetensors"), framework="np") as weights:
        return _WORDS in weights.keys()  # noqa: SIM118 - it is no mapping


def _modules_are_plain(folder: Path) -> bool:
    names = [module["type"].rpartition(".")[2] for module in _json(folder / "modules.json")]
    extras = _json(folder / "config_sentence_transformers.json")
    lower_cases = _json(folder / "sentence_bert_config.json").get("do_lower_case")
    plain = names in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
    return plain and not lower_cases and not extras.get("default_prompt_name")


def _pooling(config: dict[str, Any]) -> str | None:
    """ "mean" or "cls"; older folders say it with one flag for each way of pooling."""
    flags = {
        key.removeprefix("pooling_mode_") for key, value in config.items() if key.startswith("pooling_mode_") and value is True
    }
    mode = config.get("pooling_mode") or {"mean_tokens": "mean", "cls_token": "cls"}.get("+".join(sorted(flags)))
    return mode if mode in ("mean", "cls") else None


def _window(folder: Path, config: dict[str, Any]) -> int:
    said = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    most = _json(folder / "tokenizer_config.json").get("model_max_length", config["max_position_embeddings"])
    return int(said or min(most, config["max_position_embeddings"]))


def tokenizer(folder: Path) -> Tokenizer:
    """The folder's own tokenizer, which neither cuts nor pads."""
    # A pool of threads does not survive the fork of a worker's processes.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    read = Tokenizer.from_file(str(folder / "tokenizer.json"))
    read.no_truncation()
    read.no_padding()
    return read


def batches(lengths: Sequence[int], *, tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Every index once, longest texts first, in lists of at most so many tokens (or of one text)."""
    batch: list[int] = []
    held = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and held + lengths[index] > tokens:
            yield batch
            batch, held = [], 0
        batch.append(index)
        held += lengths[index]
    if batch:
        yield batch


class Encoder:
    """A model in memory. `encode` may be called from several threads at once."""

    def __init__(self, folder: Path, *, torch: Any, shape: Shape, dtype: Any) -> None:
        self._torch = torch
        self._shape = shape
        self._dtype = dtype
        self._tokenizer = tokenizer(folder)
        self._tokenizer.enable_truncation(shape.window)
        with safe_open(str(folder / "model.safetensors"), framework="pt") as weights, torch.inference_mode():
            self._words = weights.get_tensor(_WORDS).to(dtype)
            kind = weights.get_tensor("embeddings.token_type_embeddings.weight")[0]
            self._positions = weights.get_tensor("embeddings.position_embeddings.weight").float() + kind.float()
            self._norm = _Norm(weights, "embeddings.LayerNorm", shape, torch=torch, dtype=torch.float32)
            self._layers = [_Layer(weights, f"encoder.layer.{n}", shape, torch=torch, dtype=dtype) for n in range(shape.layers)]

    def encode(self, texts: list[str], *, threads: int = 1) -> Vectors:
        """Unit vectors in the order of the texts. Each thread takes whole batches: two cores that share every layer
        wait for each other in each of them, above all on a busy machine."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        vectors = np.empty((len(texts), self._shape.dimensions), dtype=np.float32)
        plan = list(batches([len(ids) for ids in tokens]))

        def fill(batch: list[int]) -> None:
            vectors[batch] = self._forward([tokens[index] for index in batch])

        # Each pass stays on one core; the setting is also what a new thread starts with.
        self._torch.set_num_threads(1)
        if threads == 1 or len(plan) == 1:
            for batch in plan:
                fill(batch)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(fill, plan))
        return vectors

    def _forward(self, tokens: list[list[int]]) -> Vectors:
        torch = self._torch
        runs = [(len(list(run)), length) for length, run in itertools.groupby(map(len, tokens))]
        with torch.inference_mode():
            ids = torch.tensor(list(itertools.chain.from_iterable(tokens)))
            places = torch.cat([torch.arange(length).repeat(count) for count, length in runs])
            states = self._norm(self._words[ids].float() + self._positions[places]).to(self._dtype)
            for layer in self._layers:
                states = layer(states, runs)
            pooled = torch.cat([self._pool(part) for part in _parts(states.float(), runs)])
            vectors: Vectors = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return vectors

    def _pool(self, part: Tensor) -> Tensor:
        return part[:, 0] if self._shape.first_token else part.mean(dim=1)


def _parts(rows: Tensor, runs: list[tuple[int, int]]) -> Iterator[Tensor]:
    """The rows of each run as (texts, tokens, values)."""
    start = 0
    for count, length in runs:
        yield rows[start : start + count * length].view(count, length, -1)
        start += count * length


class _Layer:
    def __init__(self, weights: Any, name: str, shape: Shape, *, torch: Any, dtype: Any) -> None:
        self._torch = torch
        self._heads = shape.heads
        of: dict[str, Any] = {"torch": torch, "dtype": dtype}
        asked = [f"{name}.attention.self.{each}" for each in ("query", "key", "value")]
        self._asked = _Linear(weights, asked, **of)
        self._joined = _Linear(weights, [f"{name}.attention.output.dense"], **of)
        self._attention_norm = _Norm(weights, f"{name}.attention.output.LayerNorm", shape, **of)
        self._wide = _Linear(weights, [f"{name}.intermediate.dense"], **of)
        self._narrow = _Linear(weights, [f"{name}.output.dense"], **of)
        self._norm = _Norm(weights, f"{name}.output.LayerNorm", shape, **of)

    def __call__(self, states: Tensor, runs: list[tuple[int, int]]) -> Tensor:
        seen = self._torch.cat([self._attend(part) for part in _parts(self._asked(states), runs)])
        states = self._attention_norm(self._joined.plus(seen, states))
        return self._norm(self._narrow.plus(self._wide.gelu(states), states))

    def _attend(self, part: Tensor) -> Tensor:
        texts, length, _ = part.shape
        query, key, value = part.view(texts, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        seen: Tensor = self._torch.nn.functional.scaled_dot_product_attention(query, key, value)
        return seen.transpose(1, 2).reshape(texts * length, -1)


class _Norm:
    def __init__(self, weights: Any, name: str, shape: Shape, *, torch: Any, dtype: Any) -> None:
        self._apply = torch.nn.functional.layer_norm
        self._epsilon = shape.epsilon
        self._weight, self._bias = (weights.get_tensor(f"{name}.{each}").to(dtype) for each in ("weight", "bias"))

    def __call__(self, rows: Tensor) -> Tensor:
        normed: Tensor = self._apply(rows, self._weight.shape, self._weight, self._bias, self._epsilon)
        return normed


class _Linear:
    """Rows times a weight, which oneDNN lays out once: a question then takes 5 ms where the plain call takes 8.

    What comes after it (gelu, a sum) is done in the same pass. The operators are torch's own for its compiler and
    have no public name, so the plain ones stand in where a build of torch lacks them.
    """

    def __init__(self, weights: Any, names: list[str], *, torch: Any, dtype: Any) -> None:
        self._torch = torch
        weight = torch.cat([weights.get_tensor(f"{name}.weight") for name in names]).to(dtype)
        self._bias = torch.cat([weights.get_tensor(f"{name}.bias") for name in names]).to(dtype)
        self._packed = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS) if self._packed else weight

    def __call__(self, rows: Tensor) -> Tensor:
        return self._then(rows, "none", "")

    def gelu(self, rows: Tensor) -> Tensor:
        if not self._packed:
            result: Tensor = self._torch.nn.functional.gelu(self(rows))
            return result
        return self._then(rows, "gelu", "none")

    def plus(self, rows: Tensor, others: Tensor) -> Tensor:
        if not self._packed:
            return self(rows) + others
        result: Tensor = self._torch.ops.mkldnn._linear_pointwise.binary(rows, others, self._weight, self._bias, "add")
        return result

    def _then(self, rows: Tensor, what: str, how: str) -> Tensor:
        if not self._packed:
            result: Tensor = self._torch.nn.functional.linear(rows, self._weight, self._bias)
            return result
        packed: Tensor = self._torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, what, [], how)
        return packed
