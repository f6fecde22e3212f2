"""A file of many records becomes a document each: in parts, once, and on from where it stopped."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from knowledge import import_claims, import_records, import_runs, importing, review
from knowledge.extraction import Record
from knowledge.import_fields import Defaults
from knowledge.models import Document, Import, ImportItem
from tests import factories
from tests.knowledge import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]


@pytest.fixture
def storage(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


def pair(number: int, answer: str | None = None, **fields: str) -> dict[str, str]:
    usual = {"id": f"NIH_{number:04d}", "source": "NIH", "url": f"https://nih.gov/{number}", "focus": f"Illness {number}"}
    words = {"qtype": "treatment", "question": f"How is illness {number} treated?", "answer": answer or f"With care {number}."}
    return usual | words | fields


def lines(pairs: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in pairs)


def an_import(
    content: bytes, *, name: str = "medquad.jsonl", importer: str = "auto", by: User | None = None, **defaults: Any
) -> Import:
    batch = importing.begin(label="MedQuAD", defaults=Defaults(**defaults), by=by, importer=importer)
    importing.add_file(batch, name=name, content=ContentFile(content))
    return batch


def worked(batch: Import, **more: Any) -> ImportItem:
    claim = import_claims.take(batch.pk, now=timezone.now())
    assert claim is not None
    assert import_runs.run(claim, **more)
    return batch.items.get()


def changes(document: Document) -> int:
    history: Any = document.history
    return int(history.count())


def numbered(rows: list[tuple[str, str, str]]) -> bytes:
    """A table that counts its rows."""
    said = (f"{number},{','.join(row)}\n" for number, row in enumerate(rows, start=1))
    return ("id,title,question,answer\n" + "".join(said)).encode()


def figures(item: ImportItem) -> tuple[str, int, int, int, int]:
    return item.status, item.records, item.added, item.known, item.bad


def test_each_pair_becomes_a_document_whose_text_does_not_hold_its_question() -> None:
    item = worked(an_import(lines([pair(1), pair(2)]), licence="CC BY", topic="Rare"))
    assert figures(item) == ("added", 2, 2, 0, 0)
    document = Document.objects.get(key="medquad:NIH_0001")
    assert (document.title, document.publisher, document.url) == ("Illness 1", "NIH", "https://nih.gov/1")
    assert (document.licence, document.topic, document.kind, document.status) == ("CC BY", "Rare", "medquad_jsonl", "uploaded")
    assert document.text == "# Illness 1\n\n## Treatment\n\nWith care 1.\n"
    assert document.flags == []
    assert changes(document) == 1
    assert (document.file_name, bool(document.file)) == ("medquad.jsonl", False)


def test_a_packed_file_and_its_xml_are_read_too() -> None:
    worked(an_import(gzip.compress(lines([pair(1)])), name="medquad.jsonl.gz"))
    xml = (
        '<?xml version="1.0"?><Document id="1" source="GARD" url="https://gard.gov/1"><Focus>Ataxia</Focus><QAPairs>'
        '<QAPair pid="1"><Question qid="1-1" qtype="symptoms">What are the symptoms?</Question><Answer>Unsteady steps.</Answer>'
        "</QAPair></QAPairs></Document>"
    )
    worked(an_import(xml.encode(), name="1.xml", importer="medquad"))
    assert set(Document.objects.values_list("key", flat=True)) == {"medquad:NIH_0001", "medquad:GARD_1-1"}


def test_the_same_file_again_adds_nothing() -> None:
    content = lines([pair(number) for number in range(5)])
    worked(an_import(content))
    before = set(Document.objects.values_list("pk", "updated_at"))
    assert figures(worked(an_import(content))) == ("known", 5, 0, 5, 0)
    assert set(Document.objects.values_list("pk", "updated_at")) == before


def test_the_same_text_under_two_keys_is_one_document() -> None:
    twins = [pair(1), pair(2, "With care 1.", focus="Illness 1")]
    assert figures(worked(an_import(lines(twins)))) == ("added", 2, 1, 1, 0)


def test_bad_rows_are_said_by_line_and_the_good_ones_go_on() -> None:
    content = lines([pair(1)]) + b"{broken\n" + lines([pair(2)])
    item = worked(an_import(content))
    assert figures(item) == ("added", 3, 2, 0, 1)
    assert item.problems == [["line 2", "It holds no question and answer. It was left out."]]


def test_only_the_first_hundred_bad_rows_are_listed_and_all_are_counted() -> None:
    item = worked(an_import(lines([pair(1)]) + b"{broken\n" * 150))
    assert (item.bad, len(item.problems)) == (150, 100)


def test_a_file_without_one_usable_row_is_refused() -> None:
    item = worked(an_import(b'{"question": 1}\n', importer="medquad"))
    assert (item.status, item.bad) == ("refused", 1)
    assert "No row of this file could be used." in item.reason


def test_new_text_of_a_record_that_nobody_reviewed_is_written_over_and_indexed_again() -> None:
    worked(an_import(lines([pair(1)])))
    Document.objects.update(status="in_review", indexed_at=timezone.now())
    assert figures(worked(an_import(lines([pair(1, "With more care.")])))) == ("added", 1, 1, 0, 0)
    document = Document.objects.get()
    assert (document.status, "With more care." in document.text) == ("uploaded", True)
    assert changes(document) == 2


def test_new_text_of_a_published_record_becomes_a_new_version_that_takes_the_key() -> None:
    worked(an_import(lines([pair(1)])))
    old = Document.objects.get()
    reviewed = {"status": "published", "reviewed_by": factories.staff(), "reviewed_at": timezone.now()}
    Document.objects.update(**reviewed)
    worked(an_import(lines([pair(1, "With more care.")])))
    new = Document.objects.get(key="medquad:NIH_0001")
    old.refresh_from_db()
    assert (new.supersedes, new.status) == (old, "uploaded")
    assert (old.key, old.status, "With care 1." in old.text) == ("medquad:NIH_0001#1", "published", True)
    Document.objects.filter(pk=new.pk).update(**reviewed)
    worked(an_import(lines([pair(1, "With most care.")])))
    assert set(Document.objects.values_list("key", flat=True)) == {
        "medquad:NIH_0001",
        "medquad:NIH_0001#1",
        "medquad:NIH_0001#2",
    }
    assert Document.objects.get(key="medquad:NIH_0001").supersedes == new


def test_new_text_of_a_retired_record_comes_as_a_new_document_that_supersedes_nothing() -> None:
    worked(an_import(lines([pair(1)])))
    Document.objects.update(status="retired")
    worked(an_import(lines([pair(1, "With more care.")])))
    new = Document.objects.get(key="medquad:NIH_0001")
    assert (new.status, new.supersedes) == ("uploaded", None)


def test_a_published_record_that_waits_for_its_index_is_superseded_too() -> None:
    worked(an_import(lines([pair(1)])))
    Document.objects.update(status="uploaded", reviewed_by=factories.staff(), reviewed_at=timezone.now())
    old = Document.objects.get()
    worked(an_import(lines([pair(1, "With more care.")])))
    assert Document.objects.get(key="medquad:NIH_0001").supersedes == old


def test_after_a_version_that_was_retired_the_next_one_supersedes_the_one_still_in_use() -> None:
    worked(an_import(lines([pair(1)])))
    reviewer, now = factories.staff(), timezone.now()
    Document.objects.update(status="published", reviewed_by=reviewer, reviewed_at=now)
    old = Document.objects.get()
    worked(an_import(lines([pair(1, "With wrong care.")])))
    Document.objects.filter(supersedes=old).update(status="retired", retired_by=reviewer, retired_at=now)
    worked(an_import(lines([pair(1, "With most care.")])))
    assert Document.objects.get(key="medquad:NIH_0001").supersedes == old


def test_a_record_that_is_written_over_counts_as_uploaded_by_whoever_brought_its_words() -> None:
    ravi, meera = people.contributor(), people.reviewer()
    worked(an_import(lines([pair(1)]), by=ravi))
    again = an_import(lines([pair(1, "With more care.")]), by=meera)
    worked(again)
    document = Document.objects.get()
    assert (document.uploaded_by, document.batch) == (meera, again)
    Document.objects.update(status="in_review")
    factories.some_chunks(document, [("Treatment", "With more care.")])
    document.refresh_from_db()
    assert "somebody else has to review" in review.obstacle(document, by=meera)


def test_a_text_moves_to_another_record_whose_own_is_written_over() -> None:
    """Each takes the text of the next: looked at one by one, the middle one would seem to be here already."""
    worked(an_import(lines([pair(1, "A.", focus="Ataxia"), pair(2, "B.", focus="Ataxia")])))
    moved = [pair(1, "B.", focus="Ataxia"), pair(2, "C.", focus="Ataxia"), pair(3, "A.", focus="Ataxia")]
    assert figures(worked(an_import(lines(moved)))) == ("added", 3, 3, 0, 0)
    texts = Document.objects.order_by("key").values_list("text", flat=True)
    assert [text.split()[-1] for text in texts] == ["B.", "C.", "A."]


def test_rows_of_medquad_without_a_name_are_documents_of_their_own() -> None:
    unnamed = [pair(1, id=""), pair(2, id="")]
    assert figures(worked(an_import(lines(unnamed)))) == ("added", 2, 2, 0, 0)
    assert figures(worked(an_import(lines(unnamed)))) == ("known", 2, 0, 2, 0)


def test_a_row_number_neither_rewrites_nor_supersedes_what_had_it_before() -> None:
    first = [("Malaria", "q1?", "One."), ("Malaria", "q2?", "Two.")]
    worked(an_import(numbered(first), name="faq.csv"))
    before = {each.pk: each.text for each in Document.objects.all()}
    Document.objects.filter(text__contains="One.").update(
        status="published", reviewed_by=factories.staff(), reviewed_at=timezone.now()
    )
    item = worked(an_import(numbered([("Malaria", "q0?", "Zero."), *first]), name="faq.csv"))
    assert figures(item) == ("added", 3, 1, 2, 0)
    worked(an_import(numbered([("Diabetes", "q1?", "Insulin.")]), name="faq.csv"))
    assert Document.objects.count() == 4
    assert {each.pk: each.text for each in Document.objects.filter(pk__in=before)} == before
    assert not Document.objects.filter(supersedes__isnull=False).exists()


def test_another_answer_to_the_same_question_is_a_new_document() -> None:
    worked(an_import(numbered([("Fever", "What helps?", "Rest.")]), name="faq.csv"))
    worked(an_import(numbered([("Fever", "What helps?", "Fluids.")]), name="faq.csv"))
    assert {text.split()[-1] for text in Document.objects.values_list("text", flat=True)} == {"Rest.", "Fluids."}
    item = worked(an_import(numbered([("Fever", "What helps?", "Rest.")]), name="other.csv"))
    assert figures(item) == ("known", 1, 0, 1, 0)


def test_rows_of_a_table_show_their_question_to_the_reviewer_and_nobody_else() -> None:
    worked(an_import(numbered([("Fever", "What helps?", "Fluids and rest.")]), name="faq.csv"))
    document = Document.objects.get()
    assert document.flags == ["It answers the question: What helps?"]
    assert "What helps?" not in document.text


def test_a_table_without_those_columns_is_one_document_unless_the_importer_is_named() -> None:
    table = b"age,dose\n1,120 mg\n5,240 mg\n"
    worked(an_import(table, name="doses.csv"))
    assert Document.objects.get().text.startswith("| age | dose |")
    item = worked(an_import(table, name="doses.csv", importer="qa"))
    assert "no columns named" in item.reason


@pytest.mark.parametrize(("importer", "words"), [("medquad", "does not hold MedQuAD"), ("qa", "This file is no table.")])
def test_a_named_importer_refuses_other_files(importer: str, words: str) -> None:
    assert words in worked(an_import(b"# Fever\n\nRest.\n", name="fever.md", importer=importer)).reason


@pytest.mark.usefixtures("fake_embed")
def test_a_collection_is_no_new_version_of_a_document() -> None:
    old = factories.a_document("Fever", "## Care\n\nRest.")
    item = worked(an_import(lines([pair(1)]), supersedes=str(old.pk)))
    assert "A new version of a document is one document" in item.reason


def test_a_limit_reads_only_so_many() -> None:
    assert figures(worked(an_import(lines([pair(number) for number in range(9)]), limit=4))) == ("added", 4, 4, 0, 0)


def test_the_parts_advance_the_row_and_cancelling_stops_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_records, "TOGETHER", 10)
    batch = an_import(lines([pair(number) for number in range(25)]))
    seen: list[int] = []

    def look(item: ImportItem) -> None:
        seen.append(ImportItem.objects.get().records)
        if len(seen) == 2:
            importing.cancel(batch, now=timezone.now())

    item = worked(batch, told=look)
    assert seen == [10, 20]
    assert (item.status, item.records, Document.objects.count()) == ("cancelled", 20, 20)
    importing.retry(batch)
    assert figures(worked(batch)) == ("added", 25, 25, 0, 0)


def test_a_reading_that_goes_on_is_not_what_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file may see many restarts; each that got on forgives the ones before."""
    monkeypatch.setattr(import_records, "TOGETHER", 10)
    batch = an_import(lines([pair(number) for number in range(40)]))
    ImportItem.objects.update(attempts=1, status="running")
    attempts: list[int] = []
    worked(batch, told=lambda item: attempts.append(ImportItem.objects.get().attempts))
    assert attempts[0] == 1


def test_a_key_too_long_for_its_column_is_replaced_by_its_hash() -> None:
    record = Record("k" * 190, "t", "", "text", "", "", "", "q")
    assert len(import_records.key_of(record, importer="medquad")) == len("medquad:") + 64


@given(st.lists(st.tuples(*[st.sampled_from(["", "a", "b"])] * 5), min_size=2, max_size=6))
def test_a_row_of_a_table_is_known_by_what_it_says_and_not_by_its_number(rows: list[tuple[str, ...]]) -> None:
    records = [Record(number, title, section, text, "", "", "", question) for number, title, section, text, question in rows]
    keys = {import_records.key_of(each, importer="qa") for each in records}
    assert len(keys) == len({row[1:] for row in rows})


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.integers(0, 4), st.sampled_from("abcdef"), min_size=1), min_size=2, max_size=4))
def test_every_text_of_a_file_is_here_after_its_import_whatever_was_before(files: list[dict[int, str]]) -> None:
    Document.objects.all().delete()
    for file in files:
        worked(an_import(lines([pair(number, f"{text}.", focus="Ataxia") for number, text in file.items()])))
        texts = {each.split()[-1].rstrip(".") for each in Document.objects.values_list("text", flat=True)}
        assert set(file.values()) <= texts


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 12), max_size=30),
    bad=st.sets(st.integers(0, 29)),
    part=st.integers(1, 7),
    stops=st.sets(st.integers(1, 8), max_size=4),
)
def test_whatever_the_rows_and_wherever_it_stops_each_record_is_here_once(
    numbers: list[int], bad: set[int], part: int, stops: set[int]
) -> None:
    numbers, bad = [99, *numbers], bad - {0}
    rows = [b"{broken\n" if place in bad else lines([pair(number)]) for place, number in enumerate(numbers)]
    expected = {f"medquad:NIH_{number:04d}" for place, number in enumerate(numbers) if place not in bad}
    Document.objects.all().delete()
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(import_records, "TOGETHER", part)
        batch = an_import(b"".join(rows) + b" ", importer="medquad")
        item = stopping(batch, stops)
    assert set(Document.objects.values_list("key", flat=True)) == expected
    assert (item.records, item.added, item.bad) == (len(rows), len(expected), sum(place in bad for place in range(len(rows))))
    assert item.added + item.known + item.bad == item.records


def stopping(batch: Import, stops: set[int]) -> ImportItem:
    """Work on the import, interrupted after these numbers of parts."""
    for _ in range(len(stops) + 1):
        parts = 0

        def count(item: ImportItem) -> None:
            nonlocal parts
            parts += 1
            if parts in stops:
                stops.remove(parts)
                raise KeyboardInterrupt

        claim = import_claims.take(batch.pk, now=timezone.now())
        if claim is None:
            break
        try:
            import_runs.run(claim, told=count)
            break
        except KeyboardInterrupt:
            continue
    return batch.items.get()
