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


def test_the_web_process_never_loads_the_model() -> None:
    code = (
        "import sys, jeevo.wsgi\nfrom django.urls import get_resolver\nget_resolver().url_patterns\n"
        "print(sorted(name for name in ('torch', 'sentence_transformers', 'transformers') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
