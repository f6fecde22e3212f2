"""Too much is refused by its announced length before a byte is read, and by its bytes when it announced less."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from knowledge import uploads
from knowledge.models import Import
from tests.fixtures import ChangeEnvironment

MB = 1024 * 1024


@pytest.fixture
def desk(client: Client, settings: Settings, tmp_path: Path, environment: ChangeEnvironment, db: None) -> Client:
    settings.MEDIA_ROOT = tmp_path / "media"
    environment(upload_limit_mb=1)
    person = User.objects.create(username="meera", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["add_document", "view_import"]))
    client.force_login(person)
    return client


class Body(BytesIO):
    """A body that tells how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.taken += len(piece)
        return piece


def a_file(size: int, name: str = "guide.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"x" * size)


def a_form(*files: SimpleUploadedFile) -> dict[str, Any]:
    return {"documents": list(files), "language": "en", "audience": "public"}


def test_what_announces_too_much_is_refused_unread(desk: Client) -> None:
    body = Body(b"x")
    headers: dict[str, Any] = {
        "CONTENT_LENGTH": str(500 * MB),
        "CONTENT_TYPE": "multipart/form-data; boundary=b",
        "wsgi.input": body,
    }
    answer = desk.generic("POST", reverse("admin:knowledge_import_add"), **headers)
    assert answer.status_code == 413
    assert "larger than 1 MB, which is the most that is taken at once. Nothing was stored." in answer.content.decode()
    assert body.taken == 0
    assert not Import.objects.exists()


def test_what_holds_more_than_is_taken_is_refused_while_it_comes(desk: Client, tmp_path: Path) -> None:
    files = a_form(a_file(MB * 5 // 8), a_file(MB * 5 // 8, "other.txt"))
    answer = desk.post(reverse("admin:knowledge_import_add"), files, headers={"Accept": "application/json"})
    assert answer.status_code == 413
    assert "Nothing was stored." in answer.json()["error"]
    assert not Import.objects.exists()
    assert not list(tmp_path.rglob("*.txt"))


def test_as_much_as_is_taken_comes_in_whole(desk: Client) -> None:
    answer = desk.post(reverse("admin:knowledge_import_add"), a_form(a_file(MB)), headers={"Accept": "application/json"})
    assert answer.status_code == 201
    assert Import.objects.get().items.get().size == MB


def test_more_than_a_hundred_files_at_once_are_refused_with_the_way_out(desk: Client) -> None:
    answer = desk.post(reverse("admin:knowledge_import_add"), a_form(*(a_file(1, f"{number}.txt") for number in range(101))))
    assert answer.status_code == 413
    assert "Pack them as a zip" in answer.content.decode()


def test_a_colleague_without_the_right_is_turned_away_before_the_body_is_read(client: Client, db: None) -> None:
    client.force_login(User.objects.create(username="lata", is_staff=True))
    body = Body(b"x" * 1000)
    headers: dict[str, Any] = {"CONTENT_LENGTH": "1000", "CONTENT_TYPE": "multipart/form-data; boundary=b", "wsgi.input": body}
    assert client.generic("POST", reverse("admin:knowledge_import_add"), **headers).status_code == 403
    assert body.taken == 0


def test_the_form_still_needs_its_token(desk: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = desk.cookies
    assert strict.post(reverse("admin:knowledge_import_add"), a_form(a_file(10))).status_code == 403
    assert not Import.objects.exists()


def test_no_other_page_keeps_a_file(client: Client, db: None) -> None:
    request = RequestFactory().post("/admin/login/", {"username": "meera", "file": a_file(MB)})
    assert isinstance(request, WSGIRequest)
    assert request.POST["username"] == "meera"
    assert not request.FILES


@pytest.mark.parametrize("length", ["", "many"])
def test_a_length_that_is_no_number_is_counted_while_it_comes(length: str) -> None:
    request = RequestFactory().post("/")
    request.META["CONTENT_LENGTH"] = length
    uploads.check_length(request)
