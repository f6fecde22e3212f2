"""Web pages: headings, lists and tables of the main part, without menus, scripts and what a browser would not show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from knowledge.readers import styles, suspicions, text
from knowledge.readers.markdown import Block, Heading, Item, Paragraph, Table, document, too_long
from knowledge.readers.styles import Colours, Style
from knowledge.readers.values import Extracted, Limits, Refused

_UNREAD = set(
    "script style noscript template iframe object embed svg math canvas audio video map head title link meta base".split()
)
_CONTROLS = set("form button input select textarea option datalist dialog menu".split())
_AROUND = {"nav", "footer", "aside"}
_ROLES_AROUND = {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "dialog", "alertdialog"}
_BLOCKS = set(
    "p div section article main header blockquote pre ul ol dl dt dd li table figure figcaption address details summary hr body"
    " center fieldset h1 h2 h3 h4 h5 h6 tr td th caption thead tbody tfoot".split()
)
_WITHIN_ITEM = {"p", "div", "section", "figure", "figcaption", "blockquote", "pre", "address"}
_CHARSET = re.compile(rb"<meta[^<>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_NAMED = {
    "author": "author",
    "dc.creator": "author",
    "article:published_time": "date",
    "article:modified_time": "date",
    "date": "date",
    "dc.date": "date",
    "dcterms.modified": "date",
    "last-modified": "date",
    "og:site_name": "publisher",
    "publisher": "publisher",
    "dc.publisher": "publisher",
    "og:url": "url",
}
_MOST_TABLE = 20_000


def read(path: Path, *, limits: Limits) -> Extracted:
    """A web page as Markdown."""
    source, flags = _decoded(path.read_bytes())
    if len(source) > 8 * limits.characters:
        raise Refused(too_long(limits))
    tree = _tree(source)
    sheet = styles.rules(each.text or "" for each in tree.iter("style"))
    for part in _candidates(tree):
        walker = _Walker(sheet, whole=part.tag == "body")
        blocks = list(walker.blocks(part))
        if any(sign.isalnum() for each in blocks if isinstance(each, Paragraph | Item | Table) for sign in str(each)):
            break
    title = _title(tree, blocks)
    return document(
        blocks
        if any(isinstance(each, Heading) and each.level == 1 for each in blocks) or not title
        else [Heading(title, 1), *blocks],
        limits=limits,
        title=title,
        flags=[*suspicions.hidden(walker.hidden), *flags],
        metadata=_metadata(tree),
    )


def _decoded(data: bytes) -> tuple[str, list[str]]:
    encoding = text.encoding_of([data])
    named = _CHARSET.search(data[:4096])
    if encoding == "cp1252" and named:
        try:
            return data.decode(named[1].decode("ascii"), errors="replace"), []
        except LookupError:
            pass
    return data.decode(encoding, errors="replace").removeprefix("\ufeff"), text.guessed(encoding)


def _tree(source: str) -> HtmlElement:
    # Given as bytes, because a text that declares an encoding is refused by the parser.
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    try:
        return document_fromstring(source.replace("\0", "").encode("utf-8", errors="replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError) as error:
        # The library calls it a fault of the file when memory runs out.
        if getattr(error, "code", None) == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        raise Refused("This web page holds nothing that can be read. Save it again from the browser, then upload it.") from error


def _candidates(tree: HtmlElement) -> list[HtmlElement]:
    """The main part of the page, as the page names it, and the whole as the last resort."""
    mains = [*tree.iter("main"), *tree.xpath("//*[@role='main']")]
    articles = list(tree.iter("article"))
    bodies = list(tree.iter("body")) or [tree]
    return [*mains[:1], *(articles if len(articles) == 1 else []), *bodies[:1]]


def _title(tree: HtmlElement, blocks: list[Block]) -> str:
    first = next((each.text for each in blocks if isinstance(each, Heading) and each.level == 1), "")
    if first:
        return first
    outside = next((" ".join(each.text_content().split()) for each in tree.iter("h1")), "")
    return outside or next((" ".join((each.text or "").split()) for each in tree.iter("title")), "")


def _metadata(tree: HtmlElement) -> dict[str, str]:
    found = {"language": str(tree.get("lang") or tree.get("xml:lang") or "")}
    for each in tree.iter("meta"):
        name = _NAMED.get(str(each.get("name") or each.get("property") or "").lower())
        if name and each.get("content"):
            found.setdefault(name, str(each.get("content")))
    for link in tree.iter("link"):
        if link.get("rel") == "canonical" and link.get("href"):
            found["url"] = str(link.get("href"))
    if not found.get("url", "https://").startswith(("https://", "http://")):
        del found["url"]
    return found


class _Walker:
    """One pass over the elements, without recursion, because a page may nest as deeply as it likes."""

    def __init__(self, sheet: dict[str, Style], *, whole: bool) -> None:
        self.hidden: list[str] = []
        self._sheet, self._whole = sheet, whole
        self._words: list[str] = []
        self._colours = [Colours()]
        self._lists: list[int | None] = []
        self._kind: list[str] = []
        self._skipped: HtmlElement | None = None

    def blocks(self, part: HtmlElement) -> Iterator[Block]:
        walk = etree.iterwalk(part, events=("start", "end"))
        for event, element in walk:
            if not isinstance(element.tag, str):
                continue
            if event == "end":
                yield from self._leave(element, is_last=element is part)
            elif element is not part and self._is_left_out(element):
                self._colours.append(self._colours[-1])
                walk.skip_subtree()
                self._skipped = element
            elif element.tag == "table" and _is_data(element):
                yield from self._flushed()
                yield Table(self._rows(element))
                self._colours.append(self._colours[-1])
                walk.skip_subtree()
                self._skipped = element
            else:
                yield from self._enter(element)
        yield from self._flushed()

    def _is_left_out(self, element: HtmlElement) -> bool:
        tag, attributes = str(element.tag), dict(element.attrib)
        if tag in _UNREAD or tag in _CONTROLS - {"form"} or tag in _AROUND or attributes.get("role") in _ROLES_AROUND:
            return True
        # A page's own header holds its name and menu; the header of an article holds its title.
        if tag == "header" and self._whole and element.getparent() is not None and element.getparent().tag == "body":
            return element.find(".//h1") is None
        # A raised link is the mark of a footnote; glued to its word it would read as a number.
        if attributes.get("aria-hidden") == "true" or (tag == "sup" and element.find(".//a") is not None):
            return True
        if styles.is_hidden(attributes, styles.style_of(tag, attributes, self._sheet)):
            self.hidden.append(element.text_content())
            return True
        return False

    def _enter(self, element: HtmlElement) -> Iterator[Block]:
        tag = str(element.tag)
        style = styles.style_of(tag, dict(element.attrib), self._sheet)
        self._colours.append(self._colours[-1].with_style(style))
        yield from self._parted(tag)
        if tag in ("ul", "ol"):
            self._lists.append(_start_of(element) if tag == "ol" else None)
        elif tag in ("li", "dd", "dt") or (tag[0] == "h" and tag[1:].isdigit()):
            self._kind.append(tag)
        elif tag == "br":
            self._words.append(" ")
        elif tag in ("sup", "sub"):
            self._words.append(
                "^" if tag == "sup" and (element.text or "").strip().lstrip("-−").isdigit() and _is_power(element) else ""
            )
        self._take(element.text)

    def _leave(self, element: HtmlElement, *, is_last: bool) -> Iterator[Block]:
        tag = str(element.tag)
        yield from self._parted(tag)
        if element is self._skipped:
            self._skipped = None
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif self._kind and tag == self._kind[-1]:
            self._kind.pop()
        self._colours.pop()
        if not is_last:
            self._take(element.tail)

    def _parted(self, tag: str) -> Iterator[Block]:
        """A new block begins or ends, except for the paragraphs of one list item, which belong together."""
        if tag in _WITHIN_ITEM and self._kind and self._kind[-1] in ("li", "dd"):
            self._words.append(" ")
        elif tag in _BLOCKS:
            yield from self._flushed()

    def _take(self, words: str | None) -> None:
        if not words:
            return
        if self._colours[-1].unseen:
            self.hidden.append(words)
        else:
            self._words.append(words)

    def _flushed(self) -> Iterator[Block]:
        words, self._words = " ".join("".join(self._words).split()), []
        if not words:
            return
        kind = self._kind[-1] if self._kind else ""
        if kind[:1] == "h":
            yield Heading(words, int(kind[1:]))
        elif kind in ("li", "dd"):
            yield Item(words, max(0, len(self._lists) - 1), self._number() if kind == "li" else None)
        else:
            yield Paragraph(words)

    def _number(self) -> int | None:
        if not self._lists or self._lists[-1] is None:
            return None
        number = self._lists[-1]
        self._lists[-1] = number + 1
        return number

    def _rows(self, table: HtmlElement) -> tuple[tuple[str, ...], ...]:
        rows = []
        for row in list(table.iter("tr"))[:_MOST_TABLE]:
            cells: list[str] = []
            for cell in row.iterchildren("td", "th"):
                cells.append(self._shown(cell))
                cells += [""] * (min(_whole_number(cell.get("colspan")), 50) - 1)
            rows.append(tuple(cells))
        return tuple(rows)

    def _shown(self, cell: HtmlElement) -> str:
        """The words of a cell, with the same care as outside of tables."""
        inner = _Walker(self._sheet, whole=False)
        inner._colours = [self._colours[-1]]
        blocks = list(inner.blocks(cell))
        self.hidden += inner.hidden
        return "; ".join(each.text for each in blocks if not isinstance(each, Table) and hasattr(each, "text"))


def _is_data(table: HtmlElement) -> bool:
    """A table of figures, not one that lays out a page: two rows and columns, and no table inside."""
    if next(table.iterdescendants("table"), None) is not None or table.get("role") == "presentation":
        return False
    widths = [len(list(row.iterchildren("td", "th"))) for row in list(table.iter("tr"))[:50]]
    return len(widths) > 1 and max(widths, default=0) > 1


def _start_of(ordered: HtmlElement) -> int:
    return _whole_number(ordered.get("start"))


def _whole_number(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 7 else 1


def _is_power(element: HtmlElement) -> bool:
    """10⁵ lost its meaning when it became 105; a footnote's mark after a word has none."""
    before = element.getprevious()
    words = (before.tail if before is not None else element.getparent().text if element.getparent() is not None else "") or ""
    return words[-1:].isdigit()
