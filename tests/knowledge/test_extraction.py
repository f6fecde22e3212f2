"""Any file ends as a document or as a sentence that says why not; the reader's child never takes its caller along."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowledge import extraction
from knowledge.extraction import Extracted, Limits, Refused, extract, kind_of, page_image
from tests.knowledge import files
from tests.knowledge.files import DATA, kept, needs_data

PDFS = sorted((DATA / "pdfs").glob("*/*.pdf")) if DATA.is_dir() else []
# One of each way to break, and every sound one; the others with JEEVO_ALL_FILES=1.
SOME = (
    "70245.fuzz 26994.fuzz 70306.fuzz bad24 bad35 issue-117 issue-120 outlines-with-loop pages-loop append-xref-loop password "
    "evaljs scan-bad issue11878 malformed GHOSTSCRIPT 4-pages google-doc CCITTFax senate doc_003"
).split()
CHOSEN = PDFS if os.environ.get("JEEVO_ALL_FILES") else [path for path in PDFS if any(part in path.name for part in SOME)]


def a_program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the child."""
    program = kept(folder, "program", f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def an_html(folder: Path) -> Path:
    return kept(folder, "page.html", "<html><body><p>Drink water.</p></body></html>")


# What kind of file it is


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.pdf", files.a_leaflet(), "pdf"),
        ("a.docx", files.a_docx(files.paragraph(files.run("Fever"))), "docx"),
        ("a.zip", files.a_zip({"one.txt": "Fever"}), "zip"),
        ("a.htm", b"<!DOCTYPE html><html><body>Fever</body></html>", "html"),
        ("a.md", b"# Fever", "markdown"),
        ("a.txt", b"Fever", "text"),
        ("README", b"Fever", "text"),
        ("a.tsv", b"question\tanswer", "csv"),
        ("a.jsonl", b'{"question": "?", "answer": "Rest."}', "medquad_jsonl"),
        ("a.xml", files.medquad_xml([("information", "What?", "This.")]).encode(), "medquad_xml"),
        ("a.txt", "ज्वर".encode("utf-16"), "text"),
        ("a.txt", "Fever in children".encode("utf-16-le"), "text"),
    ],
)
def test_a_file_is_known_by_its_content_and_its_name(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    assert kind_of(kept(tmp_path, "file", content), name=name) == kind


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("leaflet.txt", files.a_leaflet(), "pdf"),
        ("leaflet.pdf", b"<!doctype html><html><body>Sign in</body></html>", "html"),
        ("leaflet.zip", files.a_docx(files.paragraph(files.run("Fever"))), "docx"),
    ],
)
def test_a_name_that_lies_does_not_decide(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = kept(tmp_path, "file", content)
    assert kind_of(path, name=name) == kind
    assert extract(path, name=name).flags[0].startswith("The file is named like")


@pytest.mark.parametrize(
    ("name", "content", "way_out"),
    [
        ("a.pdf", b"", "empty"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "save it as a Word document"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "text recognition"),
        ("a.rtf", b"{\\rtf1 Fever}", "save it as a Word document"),
        ("a.xlsx", files.a_zip({"[Content_Types].xml": "", "xl/workbook.xml": ""}), "Save the sheet as CSV"),
        ("a.pdf", b"xref 0 1 trailer", "save it again"),
        ("a.bin", bytes(range(256)) * 40, "of a kind that cannot be read"),
        ("a.gz", b"\x1f\x8b broken", "damaged"),
        ("a.docx", b"PK\x03\x04 broken", "damaged"),
        ("a.xml", b"<?xml version='1.0'?><svg/>", "named as a XML file"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_way_out(tmp_path: Path, name: str, content: bytes, way_out: str) -> None:
    with pytest.raises(Refused, match=way_out):
        kind_of(kept(tmp_path, "file", content), name=name)


def test_a_file_of_half_a_gigabyte_is_refused_by_its_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.pdf"
    with path.open("wb") as file:
        file.truncate(500 * 1024 * 1024)
    monkeypatch.setattr(Path, "open", None)
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(Refused, match=r"500 MB; 200 MB is the most"):
        extract(path, name="huge.pdf")


@pytest.mark.parametrize("name", ["a.zip", "a.jsonl", "a.xml"])
def test_a_collection_is_no_document(tmp_path: Path, name: str) -> None:
    contents = {"a.zip": files.a_zip({"a.txt": "x"}), "a.jsonl": b'{"answer": ""}', "a.xml": files.medquad_xml([]).encode()}
    with pytest.raises(Refused, match="Import it as a collection"):
        extract(kept(tmp_path, name, contents[name]), name=name)


# The child and its limits


def test_the_child_loads_neither_django_nor_a_model() -> None:
    code = (
        "import sys, knowledge.readers.__main__; print(sorted({'django', 'celery', 'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    seen = subprocess.run([sys.executable, "-c", code], cwd=extraction.ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"


def test_reading_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    path = kept(tmp_path, "long.pdf", files.a_leaflet(pages=400))
    began = time.monotonic()
    with pytest.raises(Refused, match="longer than 1 seconds, so it was stopped"):
        extract(path, name="long.pdf", limits=Limits(seconds=1))
    assert time.monotonic() - began < 60


def test_reading_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    words = files.paragraph(files.run("Fever ")) * 300_000
    path = kept(tmp_path, "big.docx", files.a_docx(words))
    with pytest.raises(Refused, match=r"more memory than is allowed \(150 MB\)"):
        extract(path, name="big.docx", limits=Limits(memory_mb=150))


def test_too_many_pages_and_too_much_text_are_refused(tmp_path: Path) -> None:
    path = kept(tmp_path, "a.pdf", files.a_leaflet(pages=3))
    with pytest.raises(Refused, match="has 3 pages; 2 is the most"):
        extract(path, name="a.pdf", limits=Limits(pages=2))
    with pytest.raises(Refused, match="more than 1,000 characters"):
        extract(path, name="a.pdf", limits=Limits(characters=1000))


@pytest.mark.parametrize(
    "script",
    [
        "kill -9 $$",
        "exit 1",
        "exit 0",
        "echo this is no answer",
        "echo '[1, 2]'",
        """echo '{"title": 1, "markdown": "x"}'""",
        """echo '{"title": "", "markdown": "x", "pages": null, "flags": "x", "metadata": {}}'""",
    ],
)
def test_a_child_that_dies_or_prints_garbage_is_a_refusal(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(tmp_path, script, monkeypatch)
    with pytest.raises(Refused, match="made the reader stop"):
        extract(an_html(tmp_path), name="page.html")
    with pytest.raises(Refused, match="made the reader stop"):
        page_image(an_html(tmp_path), 1)


def test_a_child_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = tmp_path / "pid"
    a_program(tmp_path, f"sleep 60 & echo $! > {noted}; wait", monkeypatch)
    monkeypatch.setattr(extraction, "_START", 3)
    with pytest.raises(Refused, match="was stopped"):
        extract(an_html(tmp_path), name="page.html", limits=Limits(seconds=0))
    assert is_gone(int(noted.read_text()))


def test_a_caller_that_is_interrupted_leaves_no_child_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = tmp_path / "pid"
    a_program(tmp_path, f"echo $$ > {noted}; sleep 60", monkeypatch)

    def interrupted(*_: object, **__: object) -> int:
        while not noted.exists() or not noted.read_text().strip():
            time.sleep(0.01)
        raise KeyboardInterrupt

    waits = iter([interrupted])
    real = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", lambda *a, **k: next(waits, real)(*a, **k))
    with pytest.raises(KeyboardInterrupt):
        extract(an_html(tmp_path), name="page.html")
    assert is_gone(int(noted.read_text()))


def is_gone(pid: int) -> bool:
    """Gone, or waiting for init to notice."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_child_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_TOKEN", "secret-token")
    a_program(tmp_path, f"env > {tmp_path}/env", monkeypatch)
    with pytest.raises(Refused):
        extract(an_html(tmp_path), name="page.html")
    assert "secret-token" not in (tmp_path / "env").read_text()


def test_what_a_reader_answers_is_handed_on_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"title": "T", "markdown": "# T\n", "pages": 2, "flags": ["Page 2 holds no text."], "metadata": {"author": "WHO"}}
    a_program(tmp_path, f"cat <<'END'\n{json.dumps(answer)}\nEND", monkeypatch)
    expected = Extracted("T", "# T\n", 2, ("Page 2 holds no text.",), {"author": "WHO"})
    assert extract(an_html(tmp_path), name="page.html") == expected


# Every file there is


@needs_data
@pytest.mark.parametrize("path", CHOSEN, ids=[path.name for path in CHOSEN])
def test_every_file_ends_as_a_document_or_a_refusal(path: Path) -> None:
    began = time.monotonic()
    found = outcome(path)
    assert time.monotonic() - began < 90
    if isinstance(found, str):
        assert found.endswith(".")
    else:
        assert found.pages
        assert found.markdown.count("<!-- page ") <= found.pages
        assert any(sign.isalnum() for sign in found.markdown.replace("<!-- page", ""))


def outcome(path: Path) -> Extracted | str:
    try:
        return extract(path, name=path.name)
    except Refused as refusal:
        return str(refusal)


@needs_data
@pytest.mark.parametrize(("name", "reason"), [("writer-password", "locked with a password"), ("CCITTFax", "is a scan")])
def test_a_locked_file_and_a_scan_say_what_to_do(name: str, reason: str) -> None:
    (path,) = [each for each in PDFS if name in each.name]
    with pytest.raises(Refused, match=reason):
        extract(path, name=path.name)


@needs_data
def test_a_real_leaflet_keeps_its_headings_lists_and_pages() -> None:
    (path,) = [each for each in PDFS if "doc_003" in each.name]
    found = extract(path, name=path.name)
    lines = found.markdown.splitlines()
    assert found.pages == 20
    assert found.title == "Healthy diet"
    assert [line for line in lines if line.startswith("<!-- page")] == [f"<!-- page {number} -->" for number in range(1, 21)]
    assert sum(line.startswith("- ") for line in lines) > 10
    assert sum(line.startswith("#") for line in lines) > 10


# A picture of a page


def test_a_page_is_drawn_as_png_in_the_width_asked_for(tmp_path: Path) -> None:
    path = kept(tmp_path, "a.pdf", files.a_leaflet(pages=2))
    picture = page_image(path, 2, width=450)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (450, 583)


@pytest.mark.parametrize(("page", "reason"), [(0, "no page 0"), (3, "no page 3; its last page is 2")])
def test_a_page_that_is_not_there_is_refused(tmp_path: Path, page: int, reason: str) -> None:
    path = kept(tmp_path, "a.pdf", files.a_leaflet(pages=2))
    with pytest.raises(Refused, match=reason):
        page_image(path, page)


def test_a_file_that_is_no_pdf_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="damaged"):
        page_image(an_html(tmp_path), 1)
