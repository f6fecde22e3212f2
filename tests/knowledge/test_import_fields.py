"""What a document says of itself: the import first for files, the row first for records, and nothing that does not fit."""

from __future__ import annotations

from datetime import date

import pytest

from knowledge import import_fields
from knowledge.extraction import Extracted, Record
from knowledge.import_fields import Defaults

TODAY = date(2026, 11, 23)


def test_of_a_file_the_import_comes_before_its_metadata() -> None:
    found = Extracted("", "Rest.", metadata={"publisher": "Some program", "licence": "CC0", "url": "https://example.org/a"})
    fields = import_fields.of_file(found, Defaults(publisher="WHO"), name="a/fever_in-children.PDF", today=TODAY)
    assert (fields["title"], fields["publisher"], fields["licence"]) == ("Fever in children", "WHO", "CC0")
    assert fields["url"] == "https://example.org/a"


def test_of_a_record_its_own_columns_come_before_the_import() -> None:
    row = Record("1", "Fever", "", "# Fever\n\nRest.\n", "https://nih.gov/1", "NIH", "", "What helps?", ("Hidden text.",))
    fields = import_fields.of_record(row, Defaults(publisher="WHO", url="https://who.int"), asked=True)
    assert (fields["publisher"], fields["url"]) == ("NIH", "https://nih.gov/1")
    assert fields["flags"] == ["It answers the question: What helps?", "Hidden text."]
    assert import_fields.of_record(row, Defaults(), asked=False)["flags"] == ["Hidden text."]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2024-05-17T10:00:00Z", date(2024, 5, 17)),
        ("2024-05", date(2024, 5, 1)),
        ("2024", date(2024, 1, 1)),
        ("2024-13-01", None),
        ("2027-01-01", None),
        ("17 May 2024", None),
        ("", None),
    ],
)
def test_a_date_counts_where_it_is_one_and_not_of_the_future(said: str, day: date | None) -> None:
    found = Extracted("Fever", "Rest.", metadata={"date": said})
    assert import_fields.of_file(found, Defaults(), name="x", today=TODAY)["content_date"] == day


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://exa mple.org", "https://" + "a" * 1000, "example.org"])
def test_an_address_that_is_none_is_left_out(url: str) -> None:
    found = Extracted("Fever", "Rest.", metadata={"url": url})
    assert import_fields.of_file(found, Defaults(), name="x", today=TODAY)["url"] == ""


def test_everything_is_cut_to_its_column() -> None:
    long = "x" * 2000
    fields = import_fields.of_file(
        Extracted(long, "Rest.", metadata={"publisher": long, "licence": long}), Defaults(topic=long), name=long, today=TODAY
    )
    assert {name: len(fields[name]) for name in ("title", "publisher", "licence", "topic")} == {
        "title": 300,
        "publisher": 200,
        "licence": 100,
        "topic": 80,
    }


def test_what_was_said_is_kept_without_its_gaps_and_comes_back() -> None:
    said = Defaults(publisher="WHO", answers=("a", "b"), paths=("/x",), limit=3)
    assert said.kept() == {
        "publisher": "WHO",
        "language": "en",
        "audience": "public",
        "answers": ["a", "b"],
        "paths": ["/x"],
        "limit": 3,
    }
    assert Defaults.of(said.kept()) == said


@pytest.mark.parametrize(("name", "title"), [("", "Untitled"), (".pdf", ".pdf"), ("a/b__c--d.docx", "B c d")])
def test_a_name_becomes_a_title(name: str, title: str) -> None:
    assert import_fields.readable(name) == title


@pytest.mark.parametrize(
    ("said", "kept"), [(" Public ", "public"), ("STAFF", "staff"), ("", "public"), ("night \n shift", "night shift")]
)
def test_an_audience_is_written_in_one_way_wherever_it_was_said(said: str, kept: str) -> None:
    assert Defaults.of({"audience": said}).kept()["audience"] == kept
    fields = import_fields.of_file(Extracted("Fever", "Rest."), Defaults(audience=said), name="x", today=TODAY)
    assert fields["audience"] == kept
    assert len(import_fields.audience("a b " * 30)) <= 40
