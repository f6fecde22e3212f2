"""A zip gives its good members one by one, says one sentence about each bad one, and never fills the disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from knowledge.extraction import Entry, Problem, Refused, entries, extract
from knowledge.readers import archives
from tests.knowledge.files import a_docx, a_leaflet, a_link_in_a_zip, a_zip, kept, paragraph, run


def unpacked(path: Path) -> list[tuple[str, str]]:
    """Each member with its content, or what was said about it."""
    return [
        (each.name, each.path.read_text()) if isinstance(each, Entry) else (each.place, each.sentence) for each in entries(path)
    ]


def a_bomb(size: int) -> bytes:
    return a_zip({"good.txt": "Rest.", "bomb.txt": bytes(size), "last.txt": "Drink."})


def test_members_come_in_order_and_folders_and_junk_do_not(tmp_path: Path) -> None:
    members = {"a/": "", "a/one.txt": "Rest.", "__MACOSX/a/._one.txt": "x", "a/.DS_Store": "x", "two.txt": "Drink."}
    assert unpacked(kept(tmp_path, "a.zip", a_zip(members))) == [("a/one.txt", "Rest."), ("two.txt", "Drink.")]


def test_a_member_can_be_extracted_while_it_is_there_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = kept(tmp_path, "a.zip", a_zip({"a.pdf": a_leaflet(), "b.docx": a_docx(paragraph(run("Rest."))), "c.md": "# Fever"}))
    places, titles = [], []
    for each in entries(path):
        assert isinstance(each, Entry)
        titles.append(extract(each.path, name=each.name).title)
        places.append(each.path)
    assert titles == ["Part 1 of care", "", "Fever"]
    assert not any(place.exists() for place in places)


def test_a_reader_that_stops_early_leaves_nothing_behind(tmp_path: Path) -> None:
    reading = entries(kept(tmp_path, "a.zip", a_zip({"a.txt": "x", "b.txt": "y"})))
    first = next(reading)
    assert isinstance(first, Entry)
    reading.close()  # type: ignore[attr-defined]
    assert not first.path.parent.exists()


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:/evil.txt", "..\\evil.txt"])
def test_a_name_that_points_outside_is_said_and_the_others_go_on(tmp_path: Path, name: str) -> None:
    found = unpacked(kept(tmp_path, "a.zip", a_zip({name: "x", "good.txt": "Rest."})))
    assert found[0][1].startswith("Its name points outside the zip")
    assert found[1] == ("good.txt", "Rest.")
    assert not (tmp_path.parent / "evil.txt").exists()


def test_a_link_is_said(tmp_path: Path) -> None:
    found = unpacked(kept(tmp_path, "a.zip", a_link_in_a_zip("passwords.txt", "/etc/passwd")))
    assert found == [("passwords.txt", "It is a link to another file, not a file. Pack the file itself.")]


def test_a_bomb_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    found = unpacked(kept(tmp_path, "a.zip", a_bomb(20_000_000)))
    assert [place for place, _ in found] == ["good.txt", "bomb.txt", "last.txt"]
    assert "more than a hundred times its size" in found[1][1]


def test_a_bomb_that_lies_about_its_size_is_cut_short(tmp_path: Path) -> None:
    # Both of its lists say 100 bytes.
    lie = a_bomb(20_000_000).replace((20_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    found = unpacked(kept(tmp_path, "a.zip", lie))
    assert [place for place, _ in found] == ["good.txt", "bomb.txt", "last.txt"]
    assert "damaged" in found[1][1] or "more than it declares" in found[1][1]


def test_the_whole_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_UNPACKED", 10)
    found = unpacked(kept(tmp_path, "a.zip", a_zip({"a.txt": "12345", "b.txt": "12345", "c.txt": "12345"})))
    assert [place for place, _ in found] == ["a.txt", "b.txt", "b.txt"]
    assert "nothing after this file was read" in found[-1][1]


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    with pytest.raises(Refused, match="holds 3 files; 2 is the most"):
        unpacked(kept(tmp_path, "a.zip", a_zip({"a.txt": "x", "b.txt": "x", "c.txt": "x"})))


def test_a_zip_inside_a_zip_is_said_and_a_word_document_is_none(tmp_path: Path) -> None:
    path = kept(tmp_path, "a.zip", a_zip({"in.zip": a_zip({"a.txt": "x"}), "a.docx": a_docx(paragraph(run("Rest.")))}))
    first, second = entries(path)
    assert first == Problem("in.zip", "It is a zip inside a zip. Unpack it and upload it by itself.")
    assert isinstance(second, Entry)


def test_a_locked_member_is_said(tmp_path: Path) -> None:
    content = bytearray(a_zip({"a.txt": "secret"}, kind=zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert unpacked(kept(tmp_path, "a.zip", bytes(content))) == [
        ("a.txt", "It is locked with a password. Pack it again without one.")
    ]


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_unusual_packing_is_said(tmp_path: Path, kind: int) -> None:
    ((_, sentence),) = unpacked(kept(tmp_path, "a.zip", a_zip({"a.txt": "x" * 1000}, kind=kind)))
    assert sentence.startswith("It is packed in an unusual way")


def test_a_member_with_damage_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    content = bytearray(a_zip({"a.txt": "Rest well at home.", "b.txt": "Drink."}, kind=zipfile.ZIP_STORED))
    content[content.index(b"Rest")] ^= 0xFF
    found = unpacked(kept(tmp_path, "a.zip", bytes(content)))
    assert found == [("a.txt", "It is damaged inside the zip. Pack the files again."), ("b.txt", "Drink.")]


def test_an_empty_member_and_an_empty_zip_are_said(tmp_path: Path) -> None:
    assert unpacked(kept(tmp_path, "a.zip", a_zip({"a.txt": ""}))) == [("a.txt", "It is empty.")]
    with pytest.raises(Refused, match="is empty"):
        unpacked(kept(tmp_path, "b.zip", a_zip({})))


@pytest.mark.parametrize("cut", [10, 40])
def test_a_damaged_zip_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(Refused, match="damaged"):
        unpacked(kept(tmp_path, "a.zip", a_zip({"a.txt": "Rest."})[:-cut]))


def test_a_zip_whose_list_alone_is_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    content = bytearray(a_zip({"a.txt": "Rest."}))
    place = content.rindex(b"PK\x05\x06") + 12
    content[place : place + 4] = (100 * 1024 * 1024).to_bytes(4, "little")
    with pytest.raises(Refused, match="lists more files than can be read"):
        unpacked(kept(tmp_path, "a.zip", bytes(content)))


def test_two_members_of_one_name_are_both_read(tmp_path: Path) -> None:
    content = a_zip({"a.txt": "one", "b.txt": "two"}).replace(b"b.txt", b"a.txt")
    assert unpacked(kept(tmp_path, "a.zip", content)) == [("a.txt", "one"), ("a.txt", "two")]
