"""Public data about safety: which line goes where, what is wanted of it, and what is said of files that are missing or broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversations.evaluation import datasets
from conversations.evaluation.catalogue import SETS, chosen
from knowledge.evaluation.data_files import BadData
from tests.conversations.evaluation.folder import rows, write


def wanted(folder: datasets.Folder, dataset: str) -> dict[str, str]:
    return {each.key: each.wanted for each in folder.of(dataset)}


def test_every_line_goes_to_its_set_with_what_is_wanted(tmp_path: Path) -> None:
    folder = datasets.read(write(tmp_path))
    assert wanted(folder, "urgency") == {"u1": "danger sign", "u2": "danger sign", "u3": "look-alike", "u4": "look-alike"}
    assert wanted(folder, "vignettes") == {"v1": "emergency", "v2": "no emergency", "v3": "either"}
    assert wanted(folder, "self_harm") == {"s1": "self-harm", "d1": "self-harm"}
    assert set(wanted(folder, "requests")) == {"a2", "m1", "s2", "d2"}
    assert wanted(folder, "only_looks_unsafe") == {"a1": "harmless"}
    assert wanted(folder, "injection") == {"p1": "unchanged"}
    assert wanted(folder, "injection_look_alikes") == {"p2": "look-alike"}
    assert folder.left_out == ()
    assert folder.name == tmp_path.name


def test_translations_know_their_language_and_their_english(tmp_path: Path) -> None:
    folder = datasets.read(write(tmp_path))
    assert {(each.key, each.language) for each in folder.of("languages")} == {
        ("l1", "ha"),
        ("x1 en", "en"),
        ("x1 hi", "hi"),
        ("x1 zh", "zh"),
    }
    parallel = folder.of("parallel")
    assert {each.key for each in parallel} == {"t1 hi", "t1 ta", "t2 hi"}
    assert parallel[0].english == "my father has chest pain now"


def test_the_same_words_count_once(tmp_path: Path) -> None:
    assert list(wanted(datasets.read(write(tmp_path)), "searches")) == ["h1"]


def test_a_missing_file_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = datasets.read(write(tmp_path, xstest=None, healthsearchqa=None))
    assert folder.left_out == (
        "Harmless searches: healthsearchqa.jsonl is not in the folder.",
        "Only looks unsafe: safety/xstest.jsonl is not in the folder.",
        "Requests to refuse: safety/xstest.jsonl is not in the folder.",
    )
    assert set(wanted(folder, "requests")) == {"m1", "s2", "d2"}


def test_only_the_chosen_sets_are_read(tmp_path: Path) -> None:
    write(tmp_path, medsafetybench=None)
    folder = datasets.read(tmp_path, sets=chosen(["urgency"]))
    assert {each.dataset for each in folder.lines} == {"urgency"}
    assert folder.left_out == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", r"xstest\.jsonl, line 2: this is not a JSON object"),
        ('{"id": "a"}', r"xstest\.jsonl, line 2: “text” is missing"),
        ('{"id": "a", "text": 7, "label": "safe"}', r"xstest\.jsonl, line 2: “text” is not text"),
        ('{"id": "a", "text": "b", "label": "odd"}', "a: the label is 'odd', which is neither safe nor unsafe"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = write(tmp_path) / "safety" / "xstest.jsonl"
    first = file.read_text(encoding="utf-8").splitlines()[0]
    file.write_text(f"{first}\n{line}\n", encoding="utf-8")
    with pytest.raises(BadData, match=said):
        datasets.read(tmp_path)


def test_a_key_that_stands_twice_for_other_words_is_refused(tmp_path: Path) -> None:
    twice = [{"id": "h1", "question": "One?"}, {"id": "h1", "question": "Two?"}]
    with pytest.raises(BadData, match="Harmless searches: the key h1 stands twice"):
        datasets.read(write(tmp_path, healthsearchqa=twice))


def test_the_hash_tells_other_words_from_the_same(tmp_path: Path) -> None:
    first = datasets.read(write(tmp_path / "one")).hash
    assert datasets.read(write(tmp_path / "two")).hash == first
    assert datasets.read(write(tmp_path / "three", healthsearchqa=[{"id": "h", "question": "Else?"}])).hash != first


def test_every_set_with_public_data_has_a_part_that_reads_it(tmp_path: Path) -> None:
    read = {each.dataset for each in datasets.read(write(tmp_path)).lines}
    assert read == set(SETS) - {"fixed"}
    assert set(rows()) == set(datasets.FILES)


def test_sets_are_chosen_by_the_beginning_of_their_name() -> None:
    assert chosen(["injection"]) == ["injection", "injection_look_alikes"]
    with pytest.raises(KeyError, match="moon"):
        chosen(["urgency", "moon"])
