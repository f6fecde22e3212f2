"""One small evaluation, measured once a session in a scratch database that goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django import DjangoDbBlocker

from knowledge import embeddings
from knowledge.evaluation import datasets, runs, scratch
from knowledge.evaluation.datasets import Folder
from knowledge.evaluation.runs import Evaluation
from tests import fakes
from tests.knowledge.evaluation import folder as small


@dataclass(frozen=True)
class Measured:
    folder: Folder
    evaluation: Evaluation
    said: list[str]


@pytest.fixture(scope="package")
def measured(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Measured]:
    folder = datasets.read(small.make(tmp_path_factory.mktemp("evaluation") / "small"))
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setattr(embeddings, "embed", fakes.embed)
        evaluation = runs.measure(folder, say=said.append)
    yield Measured(folder, evaluation, said)
    with django_db_blocker.unblock():
        scratch.drop(evaluation.scratch)
