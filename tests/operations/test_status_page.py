"""The public status page: what it says and never says, files that are whole at every moment, and life without Jeevo."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from operations import incidents, pauses, public_status, status_page
from operations.models import Incident
from operations.status_page import StatusPage
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations import windows_of

NOW = timezone.now().replace(microsecond=0)
MINUTE = timedelta(minutes=1)
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def folder(environment: ChangeEnvironment, tmp_path: Path) -> Path:
    environment(status_page=tmp_path / "status", public_url="https://jeevo.example", incident_contact="incidents@example.org")
    return tmp_path / "status"


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_user("meera", first_name="Meera", last_name="Nair")


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """Nobody answers where the database was."""
    connection.close()
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = "1"
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


def declare(by: User, *, severity: int = 2, public: bool = True, now: datetime = NOW, **values: Any) -> Incident:
    incident, _ = incidents.declare(
        values.pop("title", "Worker 3 is out of memory"), severity=severity, now=now, by=by, public=public, **values
    )
    return incident


def html(folder: Path) -> str:
    return (folder / "index.html").read_text()


def feed(folder: Path) -> ElementTree.Element:
    return ElementTree.fromstring((folder / "feed.atom").read_text())


@pytest.mark.django_db
def test_without_trouble_it_says_so_in_one_sentence(folder: Path) -> None:
    StatusPage().run(NOW)
    assert "<h1>Jeevo health helpline is working.</h1>" in html(folder)
    assert "No trouble in the last 90 days." in html(folder)
    assert f"{NOW:%H:%M} UTC" in html(folder)
    assert json.loads((folder / "status.json").read_text())["state"] == "working"


@pytest.mark.parametrize(
    ("severity", "sentence"),
    [(1, "is not answering at the moment"), (2, "is working with limits"), (3, "is working with limits"), (4, "is working.")],
)
def test_the_worst_public_incident_speaks_for_the_service(folder: Path, staff: User, severity: int, sentence: str) -> None:
    declare(staff, severity=4)
    declare(staff, severity=severity)
    StatusPage().run(NOW)
    assert sentence in html(folder)


def test_it_shows_what_staff_wrote_for_people_outside_and_nothing_else(folder: Path, staff: User) -> None:
    incident = declare(staff, title="Patient +911234567 waits", details="Password of the pump", runbook="https://inside/")
    incidents.acknowledge(incident, by=staff, now=NOW)
    incidents.note(incident, "Called Ravi at home", by=staff, now=NOW)
    said = {"affected": "About a tenth of the answers", "action": "Starting a second worker", "eta": "10:30 UTC"}
    incidents.update(incident, "Answers are slow <b>today</b> & kept", by=staff, now=NOW + MINUTE, **said)
    StatusPage().run(NOW + MINUTE)
    for name in ("index.html", "feed.atom", "status.json"):
        text = (folder / name).read_text()
        for shown in ("About a tenth of the answers", "Starting a second worker", "10:30 UTC", "Answers are slow"):
            assert shown in text, (name, shown)
        for hidden in ("Patient", "911234567", "Password", "inside", "Ravi", "Meera", "meera", "Nair", "INC-"):
            assert hidden not in text, (name, hidden)
    assert "<b>today" not in html(folder)
    assert "&lt;b&gt;today&lt;/b&gt; &amp; kept" in html(folder)
    assert "We are looking into it" in html(folder)


def test_an_incident_that_is_not_public_leaves_no_trace(folder: Path, staff: User) -> None:
    declare(staff, severity=1, public=False, affected="Everybody")
    StatusPage().run(NOW)
    assert "is working." in html(folder)
    assert "Everybody" not in html(folder)


def test_what_is_over_is_kept_for_ninety_days(folder: Path, staff: User) -> None:
    for days, affected in ((89, "Slow answers"), (91, "Old story")):
        at = NOW - timedelta(days=days)
        incident = declare(staff, affected=affected, action="Turning it off", now=at)
        incidents.move(incident, "resolved", by=staff, now=at + MINUTE)
    cancelled = declare(staff, affected="A mistake")
    incidents.move(cancelled, "cancelled", by=staff, now=NOW)
    StatusPage().run(NOW)
    page = html(folder)
    assert "Slow answers" in page
    assert "It is over." in page
    assert "is working." in page
    assert not any(text in page for text in ("Old story", "A mistake", "Turning it off", "Going on now"))


def test_maintenance_is_told_before_and_while_it_holds_answers_up(folder: Path, staff: User) -> None:
    windows_of.a_window(title="New <disk>", starts_at=NOW + timedelta(days=1))
    StatusPage().run(NOW)
    assert "is working." in html(folder)
    assert "Maintenance is planned for" in html(folder)
    assert "New &lt;disk&gt;" in html(folder)
    pauses.begin(now=NOW)
    StatusPage().run(NOW)
    assert "is working with limits" in html(folder)
    assert "emergencies are answered at once" in html(folder)


@pytest.mark.parametrize(("minutes", "said"), [(9, "is working."), (11, "is working with limits")])
def test_people_who_wait_are_told_before_anybody_declares_an_incident(folder: Path, db: None, minutes: int, said: str) -> None:
    waiting = factories.an_inbound(factories.a_contact(), "I have a fever", status="waiting")
    type(waiting).objects.update(received_at=NOW - minutes * MINUTE)
    StatusPage().run(NOW)
    assert said in html(folder)
    assert "fever" not in html(folder)


def test_the_page_needs_no_script_and_no_other_host(folder: Path, staff: User) -> None:
    declare(staff, affected="Some")
    StatusPage().run(NOW)
    found: list[tuple[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, ""))
            found.extend((tag, f"{name}={value}") for name, value in attrs if name in ("href", "src", "style", "onclick"))

    Reader().feed(html(folder))
    assert not [each for each in found if each[0] in ("script", "style", "img", "iframe")]
    assert {value for _, value in found if value} == {"href=status.css", "href=feed.atom", "href=status.json"}
    assert all((folder / name).exists() for name in ("status.css", "feed.atom", "status.json"))


def test_the_feed_is_atom_and_its_ids_stay(folder: Path, staff: User) -> None:
    incident = declare(staff, affected="Some")
    page = StatusPage()
    page.run(NOW)
    before = feed(folder)
    incidents.update(incident, "Half of it is back\x0b", by=staff, now=NOW + MINUTE)
    page.run(NOW + MINUTE)
    after = feed(folder)
    assert after.tag == f"{ATOM}feed"
    for part in ("id", "title", "updated", "author"):
        assert after.find(f"{ATOM}{part}") is not None, part
    (entry,) = after.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == f"urn:uuid:{incident.pk}" == before.findtext(f"{ATOM}entry/{ATOM}id")
    assert "Half of it is back" in (entry.findtext(f"{ATOM}summary") or "")
    assert entry.findtext(f"{ATOM}updated") != before.findtext(f"{ATOM}entry/{ATOM}updated")
    links = {link.get("rel"): link.get("href") for link in after.findall(f"{ATOM}link")}
    assert links == {"alternate": "https://jeevo.example/status/", "self": "https://jeevo.example/status/feed.atom"}
    assert after.findtext(f"{ATOM}id") == before.findtext(f"{ATOM}id")


def test_it_is_written_when_something_changed_and_every_five_minutes(
    folder: Path, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = StatusPage()
    page.run(NOW)
    page.run(NOW + MINUTE)
    assert f"{NOW:%H:%M} UTC" in html(folder)
    assert f"{NOW + MINUTE:%H:%M} UTC" not in html(folder)
    declare(staff, affected="Some")
    page.run(NOW + 2 * MINUTE)
    assert f"{NOW + 2 * MINUTE:%H:%M} UTC" in html(folder)
    monkeypatch.setattr(status_page, "REWRITE_SECONDS", -1)
    page.run(NOW + 7 * MINUTE)
    assert f"{NOW + 7 * MINUTE:%H:%M} UTC" in html(folder)


@pytest.mark.django_db
def test_a_page_that_somebody_removed_is_written_again(folder: Path) -> None:
    page = StatusPage()
    page.run(NOW)
    (folder / "index.html").unlink()
    page.run(NOW)
    assert (folder / "index.html").exists()


@pytest.mark.django_db
def test_a_write_that_fails_leaves_the_page_as_it_was_and_no_draft(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StatusPage().run(NOW)
    before = html(folder)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        StatusPage().run(NOW + MINUTE)
    assert html(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == ["feed.atom", "index.html", "status.css", "status.json"]


@pytest.mark.django_db
def test_another_account_may_read_the_files(folder: Path) -> None:
    StatusPage().run(NOW)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_without_the_database_it_says_what_was_known_and_that_answers_may_be_late(
    folder: Path, no_database: None, staff_wrote: None
) -> None:
    """A watcher that has only just started learns it from the file."""
    page = StatusPage()
    page.run(NOW + 3 * MINUTE)
    text = html(folder)
    assert "is working with limits" in text
    assert "Answers may be late" in text
    assert "Slow answers" in text
    assert f'what was known at <time datetime="{NOW.isoformat()}"' in text
    assert json.loads((folder / "status.json").read_text())["late_since"] is not None
    page.run(NOW + 4 * MINUTE)
    assert page.late_since == NOW + 3 * MINUTE


@pytest.fixture
def staff_wrote(folder: Path, no_database: None) -> None:
    """A page from before the database went away."""
    incident = public_status.PublicIncident(
        "01a2", "We are looking into it", True, NOW - MINUTE, None, NOW - MINUTE, "Slow answers", "", ""
    )
    status = public_status.Status("Jeevo", "", "working", "Fine.", "", known_at=NOW, as_of=NOW, incidents=(incident,))
    status_page.write(status, folder)


def test_without_the_database_and_without_a_page_nothing_is_made_up(folder: Path, no_database: None) -> None:
    StatusPage().run(NOW)
    assert "Nothing more is known yet." in html(folder)
    assert "No trouble" not in html(folder)


@pytest.mark.django_db(transaction=True)
def test_when_the_database_is_back_the_page_is_as_before(folder: Path) -> None:
    page = StatusPage()
    page.late_since = NOW
    page.run(NOW + MINUTE)
    assert "Answers may be late" not in html(folder)
    assert page.late_since is None


def test_a_status_comes_back_from_its_file_as_it_was(staff: User) -> None:
    incident = declare(staff, affected="Some")
    incidents.update(incident, "Half of it is back", by=staff, now=NOW + MINUTE)
    status = public_status.gather(NOW)
    again = public_status.from_json(public_status.to_json(status))
    assert again is not None
    assert again.incidents[0].updates[0].text == "Half of it is back"
    # JSON keeps milliseconds.
    assert abs(again.incidents[0].started_at - status.incidents[0].started_at) < timedelta(milliseconds=1)
    assert again.state == status.state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"incidents": [{"id": 1}], "maintenance": []}', "null", '{"as_of": "soon"}'])
def test_a_file_that_is_no_status_is_nothing_known(text: str) -> None:
    assert public_status.from_json(text) is None


@pytest.mark.django_db
def test_any_web_server_serves_it_when_no_jeevo_runs(folder: Path) -> None:
    StatusPage().run(NOW)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        for name, said in (("", "is working."), ("status.css", "--ground"), ("feed.atom", "<feed"), ("status.json", "state")):
            answer = httpx.get(f"http://127.0.0.1:{server.server_address[1]}/{name}", trust_env=False)
            assert answer.status_code == 200
            assert said in answer.text
    finally:
        server.shutdown()
        server.server_close()


def test_the_web_process_serves_it_without_the_database(client: Client, folder: Path, no_database: None) -> None:
    assert client.get("/status/").status_code == 404
    assert "No status has been written yet" in client.get("/status/").content.decode()
    StatusPage().run(NOW)
    answer = client.get("/status/")
    assert answer.status_code == 200
    assert "working with limits" in answer.content.decode()
    kinds = {name: client.get(f"/status/{name}")["Content-Type"] for name in ("feed.atom", "status.json", "status.css")}
    assert kinds == {
        "feed.atom": "application/atom+xml; charset=utf-8",
        "status.json": "application/json",
        "status.css": "text/css; charset=utf-8",
    }


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", ".index.html.1", "%00", "other.html"])
def test_no_other_file_is_served(client: Client, folder: Path, name: str) -> None:
    assert client.get(f"/status/{name}").status_code == 404
