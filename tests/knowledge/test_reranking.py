"""A cross-encoder by setting: its order where it is there, the order before where it is not. No quality is claimed."""

from __future__ import annotations

import pytest

from knowledge import embeddings, reranking, retrieval
from tests import factories, tiny_models
from tests.fixtures import ChangeEnvironment

PASSAGES = [
    factories.a_passage(title, text=text) for title, text in (("Fever", "Rest."), ("Burns", "Cool it."), ("Dengue", "Drink."))
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_models.cross_encoder(tmp_path_factory.mktemp("cross")))


def titles(question: str = "a burn") -> list[str]:
    return [each.title for each in reranking.reranked(question, PASSAGES)]


def test_without_a_model_the_order_stays() -> None:
    assert titles() == ["Fever", "Burns", "Dengue"]


def test_a_real_cross_encoder_orders_by_its_own_scores(model: str, environment: ChangeEnvironment) -> None:
    scores = embeddings.pair_scores("a burn", [f"{each.title}. {each.text}" for each in PASSAGES], model=model)
    environment(reranker_model=model)
    best_first = sorted(zip(scores, PASSAGES, strict=True), key=lambda each: -each[0])
    assert titles() == [each.title for _, each in best_first]
    first = reranking.reranked("a burn", PASSAGES)[0]
    assert dict(first.parts)["reread"] == pytest.approx(max(scores))


def test_equal_scores_keep_their_order(environment: ChangeEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(reranker_model="any")
    monkeypatch.setattr(embeddings, "pair_scores", lambda question, texts, model: [0.5] * len(texts))
    assert titles() == ["Fever", "Burns", "Dengue"]


def test_only_the_best_are_read_again(environment: ChangeEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(reranker_model="any")
    monkeypatch.setattr(reranking, "READ", 2)
    monkeypatch.setattr(embeddings, "pair_scores", lambda question, texts, model: [float(n) for n in range(len(texts))])
    assert titles() == ["Burns", "Fever", "Dengue"]


def test_a_model_that_is_not_there_leaves_the_order(environment: ChangeEnvironment) -> None:
    environment(reranker_model="/no/such/folder")
    assert titles() == ["Fever", "Burns", "Dengue"]


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_the_search_hands_its_best_to_the_model(environment: ChangeEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    for title, text in (("Fever", "Rest in bed."), ("Burns", "Cool the burn."), ("Dengue", "Drink water.")):
        factories.a_document(title, text)
    environment(reranker_model="any")
    monkeypatch.setattr(embeddings, "pair_scores", lambda question, texts, model: [float("Dengue" in text) for text in texts])
    found = retrieval.search(retrieval.prepare("cool a burn"), limit=2)
    assert [each.title for each in found] == ["Dengue", "Burns"]
