"""Starter articles: what may ship, and that loading again touches only what changed and nobody reviewed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from knowledge import chunking, review, starter, tasks
from knowledge.models import Chunk, Document
from tests.knowledge import people

ARTICLES = sorted(starter.FOLDER.glob("*.md"))
Status = Document.Status

ARTICLE = """---
title: "Hiccups"
topic: hiccups
language: en
audience: public
publisher: "World Health Organization"
url: https://who.int/hiccups
sources:
  - publisher: "World Health Organization"
    url: https://who.int/hiccups
    passage: "Page 'Hiccups': what helps"
review: unreviewed
---

## What to do

Hold your breath for a short time. Drink a glass of cold water slowly.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hiccups.md").write_text(ARTICLE)
    return tmp_path


def the_article() -> Document:
    return Document.objects.get(slug="hiccups")


def test_at_least_forty_articles_ship() -> None:
    assert len(ARTICLES) >= 40


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_an_article_may_ship(path: Path) -> None:
    fields = starter.read(path)
    addresses = [fields["url"], *(source["url"] for source in fields["sources"])]
    assert all(urlsplit(address).scheme == "https" and "." in urlsplit(address).netloc for address in addresses), addresses
    assert all(len(source["passage"].split()) >= 3 and source["publisher"] for source in fields["sources"])
    assert fields["language"] == "en"
    assert fields["slug"] == path.stem
    assert re.fullmatch(r"[a-z0-9-]+", path.stem)


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_an_article_is_calm_plain_and_says_when_to_get_help(path: Path) -> None:
    text = starter.read(path)["text"]
    assert "!" not in text
    assert not re.search(r"https?://|www\.|<[a-z]", text)
    assert re.search(r"^## When to get help now$", text, re.MULTILINE)
    sentences = [sentence for each in chunking.passages(text) for sentence in each.sentences]
    assert [sentence for sentence in sentences if len(sentence.split()) > 45] == []


def test_no_two_articles_share_a_title() -> None:
    titles = [starter.read(path)["title"] for path in ARTICLES]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.django_db
def test_loading_twice_changes_nothing() -> None:
    first = starter.load()
    rows = list(Document.objects.order_by("pk").values())
    second = starter.load()
    assert (first.added, first.changed, first.unchanged) == (len(ARTICLES), 0, 0)
    assert (second.added, second.changed, second.unchanged) == (0, 0, len(ARTICLES))
    assert list(Document.objects.order_by("pk").values()) == rows


@pytest.mark.django_db
def test_an_article_arrives_unreviewed_and_waits_to_be_indexed(folder: Path) -> None:
    starter.load(folder)
    document = the_article()
    assert (document.status, document.origin, document.reviewed_at) == (Status.UPLOADED, Document.Origin.STARTER, None)
    assert document.sources[0]["passage"] == "Page 'Hiccups': what helps"
    assert document.text.startswith("## What to do")


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_changed_article_is_indexed_again_and_its_old_passages_serve_until_then(folder: Path) -> None:
    starter.load(folder)
    tasks.index_due()
    before = the_article()
    (folder / "hiccups.md").write_text(ARTICLE.replace("cold water", "warm milk"))
    loaded = starter.load(folder)
    assert (loaded.added, loaded.changed, loaded.unchanged) == (0, 1, 0)
    assert the_article().status == Status.UPLOADED
    assert "cold water" in Chunk.objects.get().text
    tasks.index_due()
    assert the_article().pk == before.pk
    assert the_article().status == Status.IN_REVIEW
    assert "warm milk" in Chunk.objects.get().text


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_an_article_a_clinician_published_is_left_alone(folder: Path) -> None:
    starter.load(folder)
    tasks.index_due()
    review.publish(the_article(), by=people.reviewer(), now=timezone.now())
    (folder / "hiccups.md").write_text(ARTICLE.replace("cold water", "warm milk"))
    assert starter.load(folder).unchanged == 1
    assert "cold water" in the_article().text
    assert the_article().status == Status.PUBLISHED


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_an_article_a_clinician_retired_does_not_come_back(folder: Path) -> None:
    starter.load(folder)
    tasks.index_due()
    review.retire(the_article(), by=people.reviewer(), now=timezone.now())
    (folder / "hiccups.md").write_text(ARTICLE.replace("cold water", "warm milk"))
    assert starter.load(folder).unchanged == 1
    assert the_article().status == Status.RETIRED


LACKING = [
    (re.sub(r"sources:\n(?:  .*\n)+", "", ARTICLE), "lacks sources"),
    (re.sub(r"    passage: .*\n", "", ARTICLE), "without the passage that was read"),
    (ARTICLE.replace("    passage: \"Page 'Hiccups': what helps\"", '    passage: ""'), "without the passage that was read"),
    (ARTICLE.replace("    url: https://who.int/hiccups\n", ""), "without its address"),
    (re.sub(r"^url: .*\n", "", ARTICLE, flags=re.MULTILINE), "lacks url"),
    (ARTICLE.replace('title: "Hiccups"', 'title: ""'), "lacks title"),
    ("No front matter at all.", "lacks title, topic"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "why"), LACKING)
def test_an_article_without_the_passage_that_was_read_does_not_ship(folder: Path, source: str, why: str) -> None:
    (folder / "hiccups.md").write_text(source)
    with pytest.raises(starter.ArticleProblem, match=f"hiccups.md .*{why}"):
        starter.load(folder)
    assert not Document.objects.exists()


def test_sources_that_are_no_list_are_refused_by_name(folder: Path) -> None:
    (folder / "hiccups.md").write_text(re.sub(r"sources:\n(?:  .*\n)+", "sources: WHO\n", ARTICLE))
    with pytest.raises(starter.ArticleProblem, match="hiccups.md"):
        starter.read(folder / "hiccups.md")
