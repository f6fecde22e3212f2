"""The uploaded file is given back as an attachment and never shown by the browser; a page of a PDF is a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from knowledge import extraction
from knowledge.admin import originals
from knowledge.models import Document
from tests.knowledge import people

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n a picture"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    cache.clear()
    return tmp_path


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(people.viewer())
    return client


class Drawn(list[int]):
    """The pages that were drawn. `refuse` makes the next ones fail."""

    refuse = ""

    def __call__(self, path: Path, page: int, **_: Any) -> bytes:
        assert path.is_file()
        self.append(page)
        if self.refuse:
            raise extraction.Refused(self.refuse)
        return PNG


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    pages = Drawn()
    monkeypatch.setattr(extraction, "page_image", pages)
    return pages


def with_file(content: bytes = b"%PDF-1.7 x", *, name: str = "fever.pdf", kind: str = "pdf", **fields: Any) -> Document:
    document = people.a_document(kind=kind, pages=3 if kind == "pdf" else None, file_name=name, **fields)
    document.file.save(f"stored{Path(name).suffix}", ContentFile(content))
    return document


def download(client: Client, document: Document) -> Any:
    """The answer, read to its end as a browser does."""
    answer: Any = client.get(reverse("admin:knowledge_document_original", args=[document.pk]))
    answer.body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer


def picture(client: Client, document: Document, page: int) -> Any:
    return client.get(reverse("admin:knowledge_document_page", args=[document.pk, page]))


@pytest.mark.parametrize("name", ["page.html", "image.svg", "fever.pdf"])
def test_whatever_it_holds_it_comes_as_an_attachment(name: str, desk: Client) -> None:
    answer = download(desk, with_file(b"<script>alert(1)</script>", name=name, kind="html"))
    assert answer.body == b"<script>alert(1)</script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("guides.zip/../../etc/passwd", 'filename="passwd"'),
        ('a"\r\nSet-Cookie: x=1.pdf', "Set-Cookie%3A%20x%3D1.pdf"),
        ("बुखार.pdf", "filename*=utf-8''"),
        ("", 'filename="Fever in children"'),
    ],
)
def test_a_name_is_only_a_name(name: str, offered: str, desk: Client) -> None:
    answer = download(desk, with_file(name=name))
    assert offered in answer["Content-Disposition"]
    assert "Set-Cookie" not in answer.headers


def test_a_document_without_a_file_has_nothing_to_download(desk: Client) -> None:
    assert download(desk, people.a_document()).status_code == 404
    lost = with_file()
    lost.file.storage.delete(str(lost.file.name))
    assert download(desk, lost).status_code == 404


def test_a_page_is_drawn_once_and_kept(desk: Client, drawn: Drawn, media: Path) -> None:
    document = with_file()
    answers = [picture(desk, document, 2) for _ in range(3)]
    assert {each.content for each in answers} == {PNG}
    assert answers[0]["Content-Type"] == "image/png"
    assert "immutable" in answers[0]["Cache-Control"]
    assert drawn == [2]
    assert [each.name for each in (media / "pages" / str(document.pk)).iterdir()] == ["2.png"]


@pytest.mark.parametrize("page", [0, 4, 10**9])
def test_a_page_that_is_not_there_is_not_drawn(page: int, desk: Client, drawn: Drawn) -> None:
    assert picture(desk, with_file(), page).status_code == 404
    assert drawn == []


def test_only_a_pdf_has_pictures(desk: Client, drawn: Drawn) -> None:
    assert picture(desk, with_file(name="a.docx", kind="docx"), 1).status_code == 404
    assert drawn == []


def test_a_page_that_cannot_be_drawn_says_why_and_is_not_tried_at_every_look(desk: Client, drawn: Drawn, media: Path) -> None:
    document = with_file()
    drawn.refuse = "This page could not be drawn."
    answers = [picture(desk, document, 1) for _ in range(3)]
    assert [(each.status_code, each.content) for each in answers] == [(422, b"This page could not be drawn.")] * 3
    assert drawn == [1]
    assert not (media / "pages").exists()


def test_no_more_than_two_pages_are_drawn_at_once(desk: Client, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(originals, "_BUSY", 0.01)
    document = with_file()
    with originals._DRAWING, originals._DRAWING:
        assert picture(desk, document, 1).status_code == 422
    assert picture(desk, document, 1).status_code == 200, "being busy is not remembered"
    assert drawn == [1]


@pytest.mark.parametrize("signed_in", [True, False])
def test_nothing_is_given_to_those_who_may_not_look(client: Client, drawn: Drawn, signed_in: bool) -> None:
    document = with_file()
    if signed_in:
        client.force_login(User.objects.create(username="noor", is_staff=True))
    expected = 403 if signed_in else 302
    assert [each.status_code for each in (download(client, document), picture(client, document, 1))] == [expected] * 2
    assert drawn == []
