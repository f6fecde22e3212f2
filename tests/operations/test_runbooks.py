"""The runbooks name only what exists: pages, commands, other runbooks; each has every part, and the index has each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import get_commands, load_command_class
from django.test import Client
from django.urls import resolve

from operations import machine, runbooks
from operations.troubleshooting import BY_NAME, GROUPS, SYMPTOMS, TOPICS

FOLDER = settings.BASE_DIR / runbooks.FOLDER
BOOKS = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")
ALL = [*BOOKS, FOLDER / "README.md"]
# One for each alert of the guide's targets and of the detectors.
ALERTS = {
    *("slow-answers", "slow-webhook", "slow-search", "slow-database", "high-error-rate", "database-errors", "timeouts"),
    *("provider-limits", "memory", "processor", "disk", "connections", "low-confidence", "missing-citations"),
    *("stale-knowledge", "watcher-dead", "stuck-messages", "jeevo-down", "send-failures", "token-refused", "red-flags"),
    *("stale-backup", "drill", "log-receiver", "lost-server", "off-site", "standby", "failover"),
    *("fallback-rate", "dispatcher-silent", "workers-silent", "timers-silent"),
}
PARTS = [
    "What it means",
    "What people notice",
    "Is anything unsafe?",
    "First look",
    "Likely causes",
    "When to declare, and how severe",
    "It is over when",
]
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
COMMAND = re.compile(r"manage\.py ([a-z_]+)((?: -{0,2}[a-z-]+)*)")


def text(path: Path) -> str:
    """The words with their lines joined: a link or a command may be broken over two."""
    return re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))


def links(path: Path) -> list[tuple[str, str]]:
    return [(name, href) for name, href in LINK.findall(text(path))]


books = pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)


def test_there_is_one_for_each_alert() -> None:
    assert {path.stem for path in BOOKS} == ALERTS
    assert runbooks.names() == sorted(ALERTS)


def test_the_index_lists_each_once_under_its_title() -> None:
    listed = [(href.removesuffix(".md"), name) for name, href in links(FOLDER / "README.md") if href.endswith(".md")]
    assert sorted(listed) == sorted(runbooks.titles())


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_runbook_has_every_part_in_the_same_order(path: Path) -> None:
    headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    # Where what to do is a row of steps, they stand after the causes.
    assert headings.index("Step by step") == 5 if "Step by step" in headings else True
    headings = [each for each in headings if each != "Step by step"]
    assert headings[: len(PARTS)] == PARTS
    assert set(headings[len(PARTS) :]) <= {"See also"}
    assert re.search(r"Severity [1-4]", path.read_text())


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_runbook_is_short_enough_for_three_in_the_morning(path: Path) -> None:
    assert len(path.read_text().split()) < 520


@books
def test_every_address_leads_to_a_page(path: Path) -> None:
    for _, href in links(path):
        if href.startswith("/"):
            assert resolve(href).url_name, href


@books
def test_a_page_of_troubleshooting_is_named_as_it_is(path: Path) -> None:
    titles = {f"/admin/operations/troubleshooting/{topic.name}/": topic.title for topic in TOPICS}
    named = [(name, href) for name, href in links(path) if href in titles]
    assert [name for name, _ in named] == [titles[href] for _, href in named]


@books
def test_every_other_file_exists(path: Path) -> None:
    missing = [href for _, href in links(path) if not href.startswith(("/", "http")) and not (FOLDER / href).is_file()]
    assert missing == []


@books
def test_every_command_exists_with_what_is_given_to_it(path: Path) -> None:
    known = get_commands()
    for name, given in COMMAND.findall(text(path)):
        assert name in known, f"manage.py {name}"
        command = load_command_class(str(known[name]), name)
        arguments = given.split()
        if name == "inspect":
            assert all(each in {*BY_NAME, *GROUPS} or each.startswith("--") for each in arguments), given
        if arguments and name in ("inspect", "whatsapp", "reindex"):
            command.create_parser("manage.py", name).parse_args(arguments)


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_every_page_is_named_with_its_command(path: Path) -> None:
    for _, href in links(path):
        found = re.fullmatch(r"/admin/operations/troubleshooting/([a-z]+)/", href)
        if found:
            assert f"`manage.py inspect {found[1]}`" in text(path)


@books
def test_processes_and_settings_are_named_as_they_are(path: Path) -> None:
    given = (settings.BASE_DIR / ".env.example").read_text()
    for name in re.findall(r"`([A-Z][A-Z_]{3,})`", text(path)):
        assert name in given, name
    for name in re.findall(r"`(worker-[a-z]+|dispatcher|watcher|web|beat)`", text(path)):
        assert name in machine.PROCESSES


def test_every_symptom_has_a_runbook() -> None:
    assert {symptom.runbook for symptom in SYMPTOMS} <= ALERTS


@pytest.mark.django_db
def test_every_runbook_and_every_page_it_names_opens(client: Client) -> None:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    for name in runbooks.names():
        assert client.get(f"/admin/operations/troubleshooting/runbooks/{name}/").status_code == 200
    addresses = {href for path in ALL for _, href in links(path) if href.startswith("/")}
    answers = {href: client.get(href).status_code for href in addresses}
    assert set(answers.values()) == {200}, answers


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("docs/runbooks/disk.md", "/admin/operations/troubleshooting/runbooks/disk/"),
        ("https://wiki.example.org/disk", "https://wiki.example.org/disk"),
        ("docs/runbooks/no-such-book.md", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_what_an_alert_names_leads_to_its_page_or_nowhere(named: str, address: str) -> None:
    assert runbooks.address(named) == address


def test_html_in_a_runbook_is_shown_and_not_obeyed() -> None:
    assert "&lt;script&gt;" in runbooks._rendered("<script>alert(1)</script>")
    assert "javascript" not in runbooks._rendered("[a](javascript:alert(1))").replace("(javascript:alert(1))", "")
