"""How far a restore has come is told while the database takes nobody in: these tests may not touch it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jeevo.ids import new_id
from operations import restore_progress
from operations.journal import Journal


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.journal.folder", lambda: tmp_path)


def test_it_is_told_without_a_session_and_without_the_database(client: Client) -> None:
    """Without the mark `django_db` any query would fail the test."""
    key = new_id()
    Journal(key).write("exchange", "begun", now=timezone.now())
    # As of somebody who is signed in.
    client.cookies["sessionid"] = "0123456789abcdef"
    answer = client.get(restore_progress.address(key))
    page = answer.content.decode()
    assert "Exchange the databases" in page
    assert "<html" in page
    assert reverse("admin:operations_restore_change", args=[key]) in page
    Journal(key).write("end", "done", now=timezone.now(), why="")
    part = client.get(restore_progress.address(key), headers={"X-Requested-With": "fetch"}).content.decode()
    assert "The restored database is live" in part
    assert "<html" not in part


def test_an_address_that_we_did_not_make_is_not_there(client: Client) -> None:
    other = signing.dumps(str(new_id()), salt="something else")
    for token in ("nonsense", other):
        assert client.get(reverse("restore_progress", args=[token])).status_code == 404


def test_nothing_is_posted_to_it(client: Client) -> None:
    assert client.post(restore_progress.address(new_id())).status_code == 405
