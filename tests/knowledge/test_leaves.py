"""A text is cut into leaves without losing a line, and every passage lies beside the words it was made of."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import chunking, leaves
from knowledge.admin.source import rendered
from knowledge.leaves import Leaf

LINES = st.lists(
    st.sampled_from(
        ["# Fever", "## Signs", "", "Drink water.", "word " * 300, "| a | b |", "- item", "<!-- page 2 -->", "<!-- page 99 -->"]
    ),
    max_size=60,
)


@dataclass(frozen=True)
class Piece:
    text: str
    page: int | None = None


def long_text(sections: int) -> str:
    return "\n\n".join(f"## Section {number}\n\n" + f"Sentence number {number} says this. " * 40 for number in range(sections))


@given(LINES)
def test_every_line_stands_on_one_leaf(lines: list[str]) -> None:
    cut = leaves.of("\n".join(lines))
    assert "\n".join(each.text for each in cut) == "\n".join(lines)
    assert [each.number for each in cut] == list(range(1, len(cut) + 1))


@given(LINES, st.integers(1, 5))
def test_every_line_stands_on_one_page_and_every_page_is_there(lines: list[str], pages: int) -> None:
    cut = leaves.of("\n".join(lines), pages=pages)
    kept = [line for each in cut for line in each.text.split("\n") if line]
    assert sorted(kept) == sorted(line for line in lines if line and not line.startswith("<!-- page"))
    assert [each.number for each in cut] == list(range(1, pages + 1))


@given(LINES, st.none() | st.integers(1, 5))
def test_every_passage_lies_beside_one_leaf_in_order(lines: list[str], pages: int | None) -> None:
    text = "\n".join(lines)
    passages = [Piece(each.text, each.page if pages else None) for each in chunking.passages(text)]
    placed = leaves.placed(leaves.of(text, pages=pages), passages)
    together = [each for leaf in placed for each in leaf]
    assert sorted(together, key=repr) == sorted(passages, key=repr)
    if pages is None:
        assert together == passages


def test_the_pages_of_a_pdf_are_its_leaves_also_where_one_gave_no_text() -> None:
    cut = leaves.of("<!-- page 1 -->\nCover\n<!-- page 3 -->\nFever", pages=4)
    assert [each.text for each in cut] == ["Cover", "", "Fever", ""]


def test_a_long_text_is_cut_before_headings() -> None:
    cut = leaves.of(long_text(12))
    assert len(cut) > 3
    assert all(each.text.startswith("## Section") for each in cut)
    assert max(len(each.text) for each in cut) < leaves.MOST


def test_a_text_without_headings_is_cut_between_paragraphs() -> None:
    cut = leaves.of("\n\n".join("One sentence of a story. " * 20 for _ in range(40)))
    assert len(cut) > 2
    assert all(each.text.startswith("One sentence") for each in cut)


def test_a_short_text_is_one_leaf() -> None:
    assert leaves.of("") == [Leaf(1, "")]
    assert leaves.of("# Fever\n\nDrink.") == [Leaf(1, "# Fever\n\nDrink.")]


def test_passages_lie_beside_the_part_they_were_made_of() -> None:
    text = "\n\n".join(
        f"## Topic {number}\n\n" + " ".join(f"Fact {number}x{n} of this topic is so." for n in range(80)) for number in range(6)
    )
    cut, passages = leaves.of(text), [Piece(each.text) for each in chunking.passages(text)]
    for leaf, beside in zip(cut, leaves.placed(cut, passages), strict=True):
        assert beside
        assert all(" ".join(each.text.split()[:3]) in leaf.text for each in beside)


def test_a_passage_is_found_past_an_address_and_stays_with_the_one_before_when_its_words_are_not_there() -> None:
    text = (
        long_text(8)
        + "\n\n## Links\n\n"
        + "Read [the leaflet](https://example.org/a/b) of the clinic before you take any of these tablets at home."
    )
    cut = leaves.of(text)
    linked = Piece("Read the leaflet of the clinic before you take any of these tablets at home.")
    row = Piece("Dose: 5 mg; Age: 2 years.")
    assert leaves.placed(cut, [linked, row])[-1] == [linked, row]


@pytest.mark.parametrize(("page", "leaf"), [(1, 0), (3, 2), (9, 2), (0, 0)])
def test_a_page_that_is_not_there_is_the_nearest(page: int, leaf: int) -> None:
    piece = Piece("words", page)
    assert leaves.placed(leaves.of("", pages=3), [piece])[leaf] == [piece]


HOSTILE = "# A\n\n<script>alert(1)</script>\n\n[go](javascript:alert(1)) ![x](https://example.org/x.png)\n\n| a |\n|--:|\n| 1 |"


def test_the_source_is_shown_without_anything_a_browser_would_run_or_fetch() -> None:
    html = rendered(HOSTILE)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    for part in ("href", "<img", "style="):
        assert part not in html


def test_the_source_keeps_its_structure_below_the_headings_of_the_page() -> None:
    html = rendered("# A\n\n###### B\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    for part in ("<h3>A</h3>", "<h6>B</h6>", "<li>one</li>", "<td>2</td>"):
        assert part in html
