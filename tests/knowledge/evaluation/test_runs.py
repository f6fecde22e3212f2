"""An evaluation works in a database of its own, measures what Jeevo finds, and is compared with the run before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from knowledge import retrieval
from knowledge.evaluation import datasets, library, measuring, metrics, runs, scratch
from knowledge.evaluation.measuring import Asked
from knowledge.models import Chunk, Document, EmbeddingIndex, EvaluationFigure, EvaluationQuestion, EvaluationRun, Term
from tests.knowledge.evaluation.conftest import Measured

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]


def silent(_: str) -> None:
    pass


def figure(measured: Measured, dataset: str, system: str, metric: str) -> metrics.Interval:
    found = {(each.dataset, each.system, each.metric): each.interval for each in measured.evaluation.figures}
    return found[dataset, system, metric]


def asked(dataset: str, key: str, score: float, place: int | None) -> Asked:
    main = "R@1" if dataset == "medquad" else "nDCG@10"
    return Asked(dataset, key, f"Question {key}?", {system: {main: score} for system in ("fused", "dense", "text")}, place)


def with_answers(measured: Measured, *answers: Asked) -> runs.Evaluation:
    return replace(measured.evaluation, asked=answers, figures=tuple(measuring.figures(answers)))


# The scratch database


def test_the_main_database_holds_nothing_of_what_was_measured(measured: Measured) -> None:
    assert measured.evaluation.passages >= 20
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert not EmbeddingIndex.objects.filter(counted__gt=0).exists()
    assert not Term.objects.exists()
    assert retrieval.search(retrieval.prepare("What are the symptoms of dengue?"), filters=retrieval.Filters(language=None)) == []


def test_within_the_scratch_database_its_answers_are_published(measured: Measured) -> None:
    with scratch.connected(measured.evaluation.scratch):
        assert connection.settings_dict["NAME"] == measured.evaluation.scratch
        assert set(Document.objects.values_list("status", flat=True)) == {"published"}
        assert Document.objects.count() == measured.evaluation.documents
        found = retrieval.search(retrieval.prepare("What are the symptoms of dengue?"))
        assert found[0].title == "Dengue"
    assert connection.settings_dict["NAME"] != measured.evaluation.scratch


def test_the_connection_returns_to_the_main_database_whatever_happens(measured: Measured) -> None:
    before = connection.settings_dict["NAME"]
    document = Document.objects.create(title="Kept", text="x", content_hash="h")

    def ask_and_fail() -> None:
        with scratch.connected(measured.evaluation.scratch):
            raise LookupError(str(Document.objects.filter(pk=document.pk).exists()))

    with pytest.raises(LookupError, match="False"):
        ask_and_fail()
    assert connection.settings_dict["NAME"] == before
    assert Document.objects.get() == document


def test_rows_of_types_are_not_remembered_from_the_other_database(measured: Measured) -> None:
    here = ContentType.objects.get_for_model(Document).pk
    with scratch.connected(measured.evaluation.scratch):
        there = ContentType.objects.get_for_model(Document)
        assert ContentType.objects.filter(pk=there.pk, model="document").exists()
    assert ContentType.objects.get_for_model(Document).pk == here


def test_a_second_run_finds_everything_loaded(measured: Measured) -> None:
    said: list[str] = []
    again = runs.measure(measured.folder, say=said.append)
    assert any("Embedded" in sentence for sentence in measured.said)
    assert not any("Embedded" in sentence for sentence in said)
    assert again.scratch == measured.evaluation.scratch
    assert again.figures == measured.evaluation.figures
    assert again.asked == measured.evaluation.asked


def test_a_load_that_was_stopped_is_taken_up_where_it_stood(measured: Measured) -> None:
    with scratch.connected(measured.evaluation.scratch):
        index = EmbeddingIndex.objects.get()
        lost = list(Document.objects.order_by("key")[:7])
        Chunk.objects.filter(document__in=lost).delete()
        Document.objects.filter(pk__in=[each.pk for each in lost[:3]]).delete()
        Document.objects.filter(pk__in=[each.pk for each in lost[3:]]).update(status="indexing")
        said: list[str] = []
        passages = library.fill(measured.folder.answers, model=index.model, say=said.append)
        assert passages == measured.evaluation.passages == EmbeddingIndex.objects.get().counted
        assert "Embedded 7 of 7" in said[0]
        assert Document.objects.filter(status="published").count() == measured.evaluation.documents


def test_two_evaluations_do_not_load_the_same_answers_at_once(measured: Measured) -> None:
    with scratch.connected(measured.evaluation.scratch), library._alone():
        other = scratch._copy(measured.evaluation.scratch)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [library._LOCK])
            assert cursor.fetchone()[0] is False
        other.close()


def test_other_answers_or_another_model_have_a_database_of_their_own() -> None:
    one = scratch.name_for(corpus="a", model="m")
    assert one.startswith(scratch.PREFIX)
    assert len(one) == len(scratch.PREFIX) + 12
    assert one == scratch.name_for(corpus="a", model="m")
    others = [scratch.name_for(corpus="b", model="m"), scratch.name_for(corpus="a", model="n")]
    assert len({one, *others}) == 3


def test_what_older_code_loaded_is_removed(measured: Measured) -> None:
    name = measured.evaluation.scratch
    outdated = name[:-6] + ("0" * 6 if name[-6:] != "0" * 6 else "1" * 6)
    other = scratch.PREFIX + "ffffff" + "0" * 6
    for each in (outdated, other):
        scratch._outside_a_transaction(f'CREATE DATABASE "{each}"')
    try:
        assert scratch.drop_outdated(name) == [outdated]
        assert scratch.exists(name)
        assert scratch.exists(other)
    finally:
        assert scratch.drop(other)


def test_a_database_in_use_is_not_removed(measured: Measured) -> None:
    with scratch.connected(measured.evaluation.scratch):
        assert Document.objects.exists()
        assert scratch.drop(measured.evaluation.scratch) is False
        with pytest.raises(scratch.NotPossible, match="in use"):
            runs.measure(measured.folder, fresh=True, say=silent)


@pytest.mark.parametrize("name", ["jeevo", "template1", 'jeevo_scratch_"; DROP', "jeevo_scratch_a-b"])
def test_only_scratch_databases_are_made_or_dropped(name: str) -> None:
    with pytest.raises(ValueError):
        scratch.drop(name)


def test_a_user_who_may_not_create_databases_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Modest:
        """A cursor of a user without the right; the tests' own user may not make another."""

        def __enter__(self) -> Modest:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def execute(self, statement: str, values: object = None) -> None:
            self.answer = None if "pg_database" in statement else (False, "modest")

        def fetchone(self) -> object:
            return self.answer

    monkeypatch.setattr(scratch, "connection", SimpleNamespace(cursor=Modest))
    with pytest.raises(scratch.NotPossible, match="ALTER ROLE modest CREATEDB"):
        scratch.make(scratch.PREFIX + "0" * 12)


def test_a_server_without_the_vector_extension_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = scratch.PREFIX + "e" * 12

    def refuse(*_: Any, **__: Any) -> None:
        raise ProgrammingError("permission denied to create extension")

    monkeypatch.setattr(scratch, "call_command", refuse)
    with pytest.raises(scratch.NotPossible, match="CREATE EXTENSION vector"):
        scratch.make(name)
    assert not scratch.exists(name)


# What is measured


def test_every_question_is_asked_of_every_system(measured: Measured) -> None:
    assert len(measured.evaluation.asked) == sum(len(each.questions) for each in measured.folder.datasets)
    counts = {(each.dataset, each.system): each.interval.count for each in measured.evaluation.figures}
    for dataset in measured.folder.datasets:
        assert {counts[dataset.about.name, system] for system in ("fused", "dense", "text")} == {len(dataset.questions)}


def test_a_question_finds_its_own_answer(measured: Measured) -> None:
    """Title and section of the right answer are in the question, and no other answer has both."""
    assert figure(measured, "medquad", "fused", "R@5").value == 1.0
    assert figure(measured, "medquad", "text", "R@10").value == 1.0
    assert figure(measured, "medquad", "fused", "MRR").value > 0.7


def test_a_set_looks_only_among_its_own_answers(measured: Measured) -> None:
    for dataset in measured.folder.datasets:
        with scratch.connected(measured.evaluation.scratch):
            documents = library.documents(dataset.corpus)
            languages = set(Document.objects.filter(pk__in=documents.values()).values_list("language", flat=True))
        assert languages == {dataset.language}
        assert set(documents) == {each.key for each in measured.folder.answers if each.corpus == dataset.corpus}


def test_only_the_named_candidates_are_put_in_order(measured: Measured) -> None:
    dataset = next(each for each in measured.folder.datasets if each.about.name == "mediqa_own")
    with scratch.connected(measured.evaluation.scratch):
        documents = library.documents("mediqa")
        question = dataset.questions[0]
        filters = measuring._filters(dataset, documents, question.among)
        found = measuring.systems(retrieval.prepare(question.text), filters, {pk: key for key, pk in documents.items()})
    assert set(found["fused"].order) == set(question.among or ())
    assert set(found["dense"].order) == set(question.among or ())


def test_answers_without_a_word_of_the_question_are_not_found_by_words(measured: Measured) -> None:
    with scratch.connected(measured.evaluation.scratch):
        documents = library.documents("medquad")
        found = measuring.systems(
            retrieval.prepare("amber"), retrieval.Filters(audience="medquad"), {pk: key for key, pk in documents.items()}
        )
    assert set(found["text"].order) == {"Dengue_symptoms", "Dengue_treatment"}
    assert len(found["dense"].order) > 2


def test_the_condensed_figure_leaves_out_what_nobody_judged(measured: Measured) -> None:
    """With made-up vectors a wrong answer may come first, but the judged answers of each question are told apart."""
    condensed = figure(measured, "liveqa_message", "fused", "condensed nDCG@10")
    assert condensed.value >= figure(measured, "liveqa_message", "fused", "nDCG@10").value
    assert figure(measured, "liveqa_message", "fused", "judged@10").value < 1.0


def test_searches_without_a_known_answer_are_near_or_far(measured: Measured) -> None:
    assert figure(measured, "healthsearchqa", "fused", "near at 0.6").value <= 0.5
    assert figure(measured, "healthsearchqa", "fused", "near at 0.5").count == 2


# What is kept


def test_a_run_is_kept_with_its_figures_and_questions(measured: Measured) -> None:
    run = runs.keep(replace(measured.evaluation, note="first try"))
    assert (run.kind, run.data, run.settings["note"]) == ("retrieval", "small", "first try")
    assert run.passages == measured.evaluation.passages
    assert run.figures.count() == len(measured.evaluation.figures)
    kept = EvaluationFigure.objects.get(run=run, dataset="medquad", system="fused", metric="R@5")
    assert (kept.value, kept.low, kept.high, kept.count) == (1.0, 1.0, 1.0, 20)
    question = run.questions.get(dataset="liveqa_summary", key="1")
    assert question.text == "What are the treatments for dengue?"
    assert question.rank == 1
    assert not run.questions.filter(dataset="healthsearchqa").exists()


def test_a_run_is_compared_with_the_one_before_question_by_question(measured: Measured) -> None:
    before = runs.keep(
        with_answers(measured, asked("medquad", "a", 1.0, 1), asked("medquad", "b", 0.0, 4), asked("medquad", "c", 1.0, 1))
    )
    now = [asked("medquad", "a", 0.0, None), asked("medquad", "b", 1.0, 1), asked("medquad", "c", 1.0, 1)]
    found = runs.compare(runs.marks_of([*now, asked("medquad", "new", 0.0, None)]), before)
    (worse,), (better,) = found.worse, found.better
    assert (worse.key, worse.before.place, worse.after.place, worse.by) == ("a", 1, None, -1.0)
    assert (better.key, better.before.place, better.after.place, better.by) == ("b", 4, 1, 1.0)
    assert (found.changes["medquad"].value, found.changes["medquad"].count) == (0.0, 3)


def test_the_questions_that_changed_most_come_first(measured: Measured) -> None:
    before = runs.keep(with_answers(measured, *(asked("mediqa_own", key, 0.9, 1) for key in "abc")))
    now = [asked("mediqa_own", "a", 0.8, 2), asked("mediqa_own", "b", 0.1, 7), asked("mediqa_own", "c", 0.5, 3)]
    assert [each.key for each in runs.compare(runs.marks_of(now), before).worse] == ["b", "c", "a"]


def test_the_run_before_is_of_the_same_kind_and_data(measured: Measured) -> None:
    first = runs.keep(measured.evaluation)
    runs.keep(replace(measured.evaluation, data_hash="other"))
    runs.keep(measured.evaluation, kind="golden")
    last = runs.keep(measured.evaluation)
    for number, run in enumerate(EvaluationRun.objects.order_by("created_at", "id")):
        EvaluationRun.objects.filter(pk=run.pk).update(created_at=timezone.now() + timedelta(minutes=number))
    last.refresh_from_db()
    assert runs.before(last) == first
    assert runs.latest(measured.evaluation.data_hash) == last
    assert runs.before(EvaluationRun.objects.get(data_hash="other")) is None


def test_the_same_figures_again_change_nothing(measured: Measured) -> None:
    found = runs.compare(runs.marks_of(measured.evaluation.asked), runs.keep(measured.evaluation))
    assert (found.worse, found.better) == ((), ())
    assert {each.value for each in found.changes.values()} == {0.0}
    assert EvaluationQuestion.objects.exists()


def test_a_run_is_kept_whole_or_not_at_all(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(EvaluationQuestion.objects, "bulk_create", refuse)
    with pytest.raises(RuntimeError), transaction.atomic():
        runs.keep(measured.evaluation)
    assert not EvaluationRun.objects.exists()


def test_the_model_that_answers_is_the_one_that_is_measured() -> None:
    EmbeddingIndex.objects.update(status="retired")
    assert runs.model_in_use() == "all-MiniLM-L6-v2"
    EmbeddingIndex.objects.create(model="another", dimensions=8, status="active")
    assert runs.model_in_use() == "another"


def test_the_reading_of_the_data_is_part_of_what_is_loaded(measured: Measured) -> None:
    changed = [replace(measured.folder.answers[0], title="Other"), *measured.folder.answers[1:]]
    assert datasets.fingerprint(changed) != datasets.fingerprint(measured.folder.answers)
