"""Folders of public data are read as they are: what is missing is said, what is broken is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knowledge.evaluation import catalogue, data_files, datasets
from knowledge.evaluation.data_files import BadData
from knowledge.evaluation.datasets import Dataset, Folder
from tests.knowledge.evaluation import folder as small

DATA = Path(os.environ.get("JEEVO_DATA", Path(__file__).resolve().parents[3].parent / "shared" / "data"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make(tmp_path_factory.mktemp("data") / "small")


@pytest.fixture(scope="module")
def whole(place: Path) -> Folder:
    return datasets.read(place)


def named(folder: Folder, name: str) -> Dataset:
    return next(each for each in folder.datasets if each.about.name == name)


def test_every_set_of_the_catalogue_is_read(whole: Folder) -> None:
    read = {each.about.name: len(each.questions) for each in whole.datasets}
    assert read == {
        "medquad": 20,
        "liveqa_message": 2,
        "liveqa_subject": 2,
        "liveqa_summary": 2,
        "mediqa_pooled": 2,
        "mediqa_split": 2,
        "mediqa_own": 2,
        "xling_liveqa_en": 3,
        "xling_liveqa_hi": 3,
        "xling_medicationqa_en": 3,
        "xling_medicationqa_hi": 3,
        "healthsearchqa": 2,
    }
    assert whole.name == "small"


def test_the_question_of_an_answer_is_not_in_its_text(whole: Folder) -> None:
    for answer in (each for each in whole.answers if each.corpus == "medquad"):
        assert answer.question
        assert answer.question not in answer.text
        assert answer.text.startswith(f"# {answer.title}\n\n## ")


def test_a_question_of_liveqa_counts_only_with_a_right_answer(whole: Folder) -> None:
    first, second = named(whole, "liveqa_message").questions
    assert first.text == "my son has amber spots what to do"
    assert first.judged.gains == {"Dengue_treatment": 3.0, "Dengue_symptoms": 2.0, "Burns_symptoms": 0.0}
    assert first.judged.relevant == {"Dengue_treatment", "Dengue_symptoms"}
    assert second.judged.gains["Asthma_treatment"] == 1.0
    assert second.judged.relevant == {"Asthma_symptoms"}


def test_a_subject_line_stands_before_its_message_where_there_is_one(whole: Folder) -> None:
    texts = [each.text for each in named(whole, "liveqa_subject").questions]
    assert texts == ["dengue. my son has amber spots what to do", "asthma and bronze pain since a week"]


def test_an_answer_that_two_questions_share_is_one_document_with_a_grade_for_each(whole: Folder) -> None:
    first, second = named(whole, "mediqa_pooled").questions
    (shared,) = set(first.judged.gains) & set(second.judged.gains)
    assert (first.judged.gains[shared], second.judged.gains[shared]) == (0.0, 2.0)
    assert len([each for each in whole.answers if each.corpus == "mediqa"]) == 3
    assert named(whole, "mediqa_own").questions[0].among == tuple(sorted(first.judged.gains))


def test_a_part_of_mediqa_is_a_pool_of_its_own(tmp_path: Path) -> None:
    rows = small.mediqa()
    rows[0]["official_split"] = "train"
    small.written(tmp_path, "mediqa2019_qa", rows, packed=True)
    first, second = named(datasets.read(tmp_path), "mediqa_split").questions
    assert (first.among, second.among) == (tuple(sorted(first.judged.gains)), tuple(sorted(second.judged.gains)))


def test_the_title_a_candidate_begins_with_becomes_its_heading(whole: Folder) -> None:
    titles = {each.title: each.text for each in whole.answers if each.corpus == "mediqa"}
    assert titles["VDRL test"].startswith("# VDRL test\n\n## What Abnormal Results Mean\n\nA positive test")
    assert titles["Fever"].startswith("# Fever\n\nDrink water")
    assert "Nothing here has a title" in titles[""]


def test_questions_of_another_language_look_among_answers_of_that_language(whole: Folder) -> None:
    hindi = named(whole, "xling_liveqa_hi")
    assert (hindi.language, hindi.corpus) == ("hi", "xling_liveqa_hi")
    assert {each.language for each in whole.answers if each.corpus == hindi.corpus} == {"hi"}


def test_languages_without_answers_are_named(whole: Folder) -> None:
    assert "XLingHealth (liveqa) has no answers in Chinese." in whole.left_out


def test_a_sample_is_the_same_every_time(place: Path) -> None:
    keys = [[each.key for each in named(datasets.read(place, sample=5), "medquad").questions] for _ in range(2)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 5


def test_the_answers_are_the_same_whatever_is_asked(place: Path, whole: Folder) -> None:
    part = datasets.read(place, sets=catalogue.chosen(["mediqa"]), sample=3)
    assert [each.about.name for each in part.datasets] == ["mediqa_pooled", "mediqa_split", "mediqa_own"]
    assert datasets.fingerprint(part.answers) == datasets.fingerprint(whole.answers)
    assert part.hash == whole.hash


def test_another_text_is_another_corpus(tmp_path: Path, whole: Folder) -> None:
    rows = small.medquad()
    rows[0]["answer"] += " More."
    small.written(small.make(tmp_path), "medquad", rows, packed=True)
    other = datasets.read(tmp_path)
    assert datasets.fingerprint(other.answers) != datasets.fingerprint(whole.answers)
    assert other.hash != whole.hash


def test_a_folder_that_lacks_files_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    small.make(tmp_path)
    (tmp_path / "liveqa_qrels.jsonl").unlink()
    (tmp_path / "xlinghealth_liveqa_queries.jsonl").unlink()
    found = datasets.read(tmp_path)
    assert {each.about.name.split("_")[0] for each in found.datasets} == {"medquad", "mediqa", "xling", "healthsearchqa"}
    assert "LiveQA was left out: liveqa_qrels.jsonl is not in the folder." in found.left_out
    assert "XLingHealth (liveqa) was left out: xlinghealth_liveqa_queries.jsonl is not in the folder." in found.left_out


def test_without_medquad_what_needs_it_is_left_out(tmp_path: Path) -> None:
    small.make(tmp_path)
    (tmp_path / "medquad.jsonl.gz").unlink()
    found = datasets.read(tmp_path)
    assert {each.about.name.split("_")[0] for each in found.datasets} == {"mediqa", "xling"}
    assert {sentence.split(" was left out")[0] for sentence in found.left_out if "left out" in sentence} == {
        "MedQuAD",
        "LiveQA",
        "HealthSearchQA",
    }


def test_a_folder_of_other_things_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "sealed.bin").write_bytes(b"\x00")
    assert datasets.read(tmp_path).datasets == ()


def test_grades_of_answers_that_are_not_there_are_counted_and_left_out(tmp_path: Path) -> None:
    small.make(tmp_path)
    _, grades = small.liveqa()
    small.written(tmp_path, "liveqa_qrels", [*grades, {"qid": "2", "medquad_id": "Gone_1", "grade": 4}])
    found = datasets.read(tmp_path)
    assert "LiveQA: 1 judged answers are not in this MedQuAD, so nothing could find them." in found.left_out
    assert named(found, "liveqa_message").questions[1].judged.relevant == {"Asthma_symptoms"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("liveqa_qrels.jsonl", b'{"qid": "1"\n', "liveqa_qrels.jsonl, line 1: this is not a JSON object."),
        ("liveqa_qrels.jsonl", b'\n{"qid": "1", "grade": 2}\n', "liveqa_qrels.jsonl, line 2: “medquad_id” is missing."),
        ("liveqa_questions.jsonl", b"[1]\n", "liveqa_questions.jsonl, line 1: this is not a JSON object."),
        ("healthsearchqa.jsonl", b"\xff\xfe", "healthsearchqa.jsonl is damaged or cannot be opened (UnicodeDecodeError)."),
        ("mediqa2019_qa.jsonl.gz", b"\x1f\x8b\x08broken", "mediqa2019_qa.jsonl.gz is damaged or cannot be opened (EOFError)."),
        ("medquad.jsonl.gz", b"no answers", "medquad.jsonl.gz holds no answers."),
        (
            "liveqa_qrels.jsonl",
            b'{"qid": "1", "medquad_id": "Dengue_treatment", "grade": "good"}\n',
            "The files of LiveQA are not laid out as expected (ValueError).",
        ),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (small.make(tmp_path) / name).write_bytes(content)
    with pytest.raises(BadData) as problem:
        datasets.read(tmp_path)
    assert str(problem.value).startswith(said)


def test_a_file_may_be_packed_or_not(tmp_path: Path, whole: Folder) -> None:
    small.make(tmp_path)
    (tmp_path / "medquad.jsonl.gz").unlink()
    small.written(tmp_path, "medquad", small.medquad())
    assert datasets.fingerprint(datasets.read(tmp_path).answers) == datasets.fingerprint(whole.answers)


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["liveqa"], ["liveqa_message", "liveqa_subject", "liveqa_summary"]),
        (["mediqa_own", "medquad"], ["medquad", "mediqa_own"]),
        (["xling_liveqa_en"], ["xling_liveqa_en"]),
    ],
)
def test_sets_are_named_by_the_beginning_of_their_name(names: list[str], meant: list[str]) -> None:
    assert catalogue.chosen(names) == meant


@pytest.mark.parametrize("name", ["live", "golden", ""])
def test_a_name_that_is_no_set_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match=repr(name)):
        catalogue.chosen([name])


def test_every_goal_is_a_figure_of_its_set() -> None:
    assert all(figure in catalogue.SETS[name].figures for name, figure in catalogue.GOALS)


def heads(folder: Path) -> Path:
    """The first lines of every real file, with the answers that LiveQA's grades speak of: reading all takes half a minute."""
    folder.mkdir()
    graded = {row["medquad_id"] for row in data_files.rows(DATA, "liveqa_qrels", needs=())}
    for name in data_files.NAMES:
        rows = data_files.rows(DATA, name, needs=())
        few = [row for number, row in enumerate(rows) if number < 40 or row.get("id") in graded]
        small.written(folder, name, rows if name == "liveqa_qrels" else few)
    return folder


@pytest.mark.skipif(not (DATA / "medquad.jsonl.gz").exists(), reason="JEEVO_DATA names no folder with the public data")
def test_the_public_data_is_laid_out_as_it_is_read(tmp_path: Path) -> None:
    found = datasets.read(heads(tmp_path / "heads"))
    assert {each.about.name for each in found.datasets} == set(catalogue.SETS) - {"golden"}
    assert found.left_out == ()
    messages = [each.text for each in named(found, "liveqa_message").questions]
    assert len(messages) > 10
    assert messages != [each.text for each in named(found, "liveqa_summary").questions]
    assert sum(bool(each.title) for each in found.answers if each.corpus == "mediqa") > 20
    for dataset in found.datasets:
        known = {each.key for each in found.answers if each.corpus == dataset.corpus}
        assert all(set(question.judged.gains) <= known for question in dataset.questions)
