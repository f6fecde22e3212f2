"""The model from its wheel: unit vectors, near for the same meaning, without a word to the network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge import embeddings
from knowledge.models import DIMENSIONS
from tests import tiny_models
from tests.fixtures import ChangeEnvironment

ROOT = Path(__file__).resolve().parent.parent.parent


def test_texts_become_unit_vectors_of_the_size_of_the_column() -> None:
    vectors = embeddings.embed(["fever in a child", "दस्त", ""])
    assert vectors.shape == (3, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-2)


def test_nothing_in_gives_nothing_out() -> None:
    assert len(embeddings.embed([])) == 0


def test_the_same_meaning_lies_near_and_another_far() -> None:
    asked, same, other = embeddings.embed(
        ["How do I bring down a fever?", "ways to lower a high temperature", "train tickets to Mumbai"]
    )
    assert float(asked @ same) > 0.5
    assert float(asked @ other) < 0.2


def test_the_same_text_has_the_same_vector_alone_and_in_company() -> None:
    alone = embeddings.embed(["rest and drink water"])[0]
    company = embeddings.embed(["rest and drink water", "a much longer sentence about something else entirely " * 5])[0]
    assert float(alone @ company) > 0.999


def test_a_text_beyond_the_window_is_taken() -> None:
    assert embeddings.embed(["word " * 2000]).shape == (1, DIMENSIONS)


def test_the_model_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    embeddings._model.cache_clear()
    assert embeddings.embed(["fever"]).shape == (1, DIMENSIONS)


def test_a_model_that_is_not_here_names_the_remedy(environment: ChangeEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    environment(embedding_model="/nowhere/e5")
    try:
        with pytest.raises(embeddings.ModelNotFound, match=f"Set EMBEDDING_MODEL={embeddings.BUNDLED}"):
            embeddings.embed(["fever"])
    finally:
        embeddings._model.cache_clear()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_models.embedding_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pooling that only the library knows."""
    return str(tiny_models.embedding_model(tmp_path_factory.mktemp("unusual"), dimensions=32, pooling="max"))


def test_another_model_is_used_where_it_is_named(tiny: str) -> None:
    assert embeddings.embed(["fever"], model=tiny).shape == (1, 48)
    assert embeddings.embed(["fever"]).shape == (1, DIMENSIONS)


def test_two_models_stay_loaded_while_one_replaces_the_other(tiny: str) -> None:
    embeddings._model.cache_clear()
    for _ in range(3):
        embeddings.embed(["fever"], model=tiny)
        embeddings.embed(["fever"])
    assert embeddings._model.cache_info().misses == 2


def test_a_folder_may_be_the_configured_model(environment: ChangeEnvironment, tiny: str) -> None:
    environment(embedding_model=tiny)
    assert embeddings.embed(["fever", "water"]).shape == (2, 48)
    assert embeddings.count_tokens(["fever water"]) == [4]


def test_a_model_of_another_kind_goes_through_its_library(unusual: str) -> None:
    vectors = embeddings.embed(["fever", "", "child"], model=unusual)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-2)
    assert embeddings.dimensions(unusual) == 32
    assert embeddings.window(unusual) == tiny_models.WINDOW


def test_size_and_window_are_said_without_loading_the_model(tiny: str) -> None:
    embeddings._model.cache_clear()
    assert [embeddings.dimensions(each) for each in (embeddings.BUNDLED, tiny)] == [DIMENSIONS, 48]
    assert [embeddings.window(each) for each in (embeddings.BUNDLED, tiny)] == [256, tiny_models.WINDOW]
    assert embeddings._model.cache_info().misses == 0


def test_tokens_are_counted_with_the_special_ones_and_nothing_is_cut() -> None:
    assert embeddings.count_tokens(["", "fever", "fever in a child", "fever " * 500]) == [2, 3, 6, 502]


def test_tokens_of_a_model_without_a_tokenizer_file_are_counted_by_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str
) -> None:
    library = embeddings._library_model(tiny)
    monkeypatch.setattr(embeddings, "_library_model", lambda name: library)
    assert embeddings.count_tokens(["fever " * 100], model=str(tmp_path)) == [102]
    assert embeddings.count_tokens(["fever " * 100], model=tiny) == [102]


def test_the_number_of_threads_follows_the_setting(environment: ChangeEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_threads", 1)
    texts = ["rest and drink water " * 30] * 40
    one = embeddings.embed(texts)
    environment(embedding_threads=2)
    embeddings.set_threads()
    assert embeddings._threads == 2
    assert np.array_equal(embeddings.embed(texts), one)


def test_counting_tokens_loads_no_torch() -> None:
    code = (
        "import sys, django\ndjango.setup()\nfrom knowledge import embeddings as e\n"
        "print(e.count_tokens(['fever']), e.dimensions(e.BUNDLED), e.window(e.BUNDLED))\n"
        "print([name for name in ('torch', 'sentence_transformers', 'transformers') if name in sys.modules])"
    )
    assert printed(code) == "[3] 384 256\n[]"


def test_the_default_model_needs_only_torch() -> None:
    """The general library takes seconds to import, which a newcomer would wait for."""
    code = (
        "import sys, django\ndjango.setup()\nfrom knowledge import embeddings\nembeddings.warm_up()\n"
        "print([name for name in ('torch', 'sentence_transformers', 'transformers') if name in sys.modules])"
    )
    assert printed(code) == "['torch']"


def printed(code: str) -> str:
    variables = dict(os.environ) | {"DJANGO_SETTINGS_MODULE": "jeevo.settings"}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


def test_the_web_process_never_loads_the_model() -> None:
    code = (
        "import sys, jeevo.wsgi\nfrom django.urls import get_resolver\nget_resolver().url_patterns\n"
        "print(sorted(name for name in ('torch', 'sentence_transformers', 'transformers') if name in sys.modules))"
    )
    assert printed(code) == "[]"


def test_a_command_in_the_foreground_uses_every_core_and_a_worker_what_the_setting_says(
    monkeypatch: pytest.MonkeyPatch, environment: ChangeEnvironment
) -> None:
    monkeypatch.setattr(embeddings, "_threads", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    environment(embedding_threads=3)
    embeddings.use_all_cores()
    assert embeddings._threads == 6
    embeddings.set_threads()
    assert embeddings._threads == 3


def test_the_bundled_model_reads_english_and_a_named_one_what_it_was_named_for() -> None:
    assert embeddings.reads("en-GB", model=embeddings.BUNDLED)
    assert not embeddings.reads("hi", model=embeddings.BUNDLED)
    assert embeddings.reads("hi", model="intfloat/multilingual-e5-small")
