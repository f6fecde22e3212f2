"""What Word's styles and numbering say about a paragraph or a run: heading level, list, hidden or not."""

from __future__ import annotations

import re

from lxml.etree import _Element as Element

_HEADING = re.compile(r"^heading ([1-9])$")
_LIST = re.compile(r"^list (?:bullet|number|continue)(?: ([2-5]))?$")
_OFF = {"0", "false", "off", "none"}
# Half points: text of less than two points is not for reading.
_SMALLEST = 4
_DEEPEST_CHAIN = 20


def local(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child(parent: Element | None, name: str) -> Element | None:
    return next((each for each in parent if local(each) == name), None) if parent is not None else None


def attribute(element: Element | None, name: str) -> str:
    if element is None:
        return ""
    return next((str(text) for key, text in element.attrib.items() if str(key).rpartition("}")[2] == name), "")


def value(parent: Element | None, name: str) -> str:
    return attribute(child(parent, name), "val")


def is_on(properties: Element | None, name: str) -> bool:
    """A switch is on where it stands, unless it says otherwise."""
    found = child(properties, name)
    return found is not None and attribute(found, "val").lower() not in _OFF


class Styles:
    def __init__(self, root: Element | None) -> None:
        found = [each for each in root if local(each) == "style"] if root is not None else []
        self._by_id = {attribute(each, "styleId"): each for each in found}

    def chain(self, style: str) -> list[Element]:
        """The style and those it is based on; a circle is cut."""
        chain: list[Element] = []
        while (found := self._by_id.get(style)) is not None and found not in chain and len(chain) < _DEEPEST_CHAIN:
            chain.append(found)
            style = value(found, "basedOn")
        return chain

    def level(self, style: str, properties: Element | None) -> int:
        """Of the heading, or 0 for a paragraph that is none."""
        outline = value(properties, "outlineLvl")
        if outline.isdigit() and int(outline) < 9:
            return int(outline) + 1
        for each in self.chain(style):
            name = value(each, "name").lower()
            if name == "title":
                return 1
            if found := _HEADING.match(name):
                return int(found[1])
            outline = value(child(each, "pPr"), "outlineLvl")
            if outline.isdigit() and int(outline) < 9:
                return int(outline) + 1
        return 0

    def numbering(self, style: str, properties: Element | None) -> tuple[str, int]:
        """The list a paragraph belongs to and its depth; "" for none."""
        for each in [properties, *(child(each, "pPr") for each in self.chain(style))]:
            numbered = child(each, "numPr")
            if numbered is not None and (number := value(numbered, "numId")):
                depth = value(numbered, "ilvl")
                return ("" if number == "0" else number), min(int(depth), 8) if depth.isdigit() else self._named_depth(style)
        name = self._name(style)
        return ("style:" + name.rstrip(" 2345"), self._named_depth(style)) if _LIST.match(name) else ("", 0)

    def _name(self, style: str) -> str:
        return next((value(each, "name").lower() for each in self.chain(style)), "")

    def _named_depth(self, style: str) -> int:
        """“List Bullet 3” stands at the third level, though its numbering does not say so."""
        found = _LIST.match(self._name(style))
        return int(found[1]) - 1 if found and found[1] else 0

    def run(self, style: str) -> list[Element]:
        """Run properties that a style brings, nearest first."""
        return [found for each in self.chain(style) if (found := child(each, "rPr")) is not None]


class Numbering:
    def __init__(self, root: Element | None) -> None:
        children = list(root) if root is not None else []
        abstract = {attribute(each, "abstractNumId"): each for each in children if local(each) == "abstractNum"}
        self._levels = {
            attribute(each, "numId"): abstract.get(value(each, "abstractNumId")) for each in children if local(each) == "num"
        }

    def is_ordered(self, number: str, depth: int) -> bool:
        if number.startswith("style:"):
            return "number" in number
        levels = self._levels.get(number)
        for each in levels if levels is not None else ():
            if local(each) == "lvl" and attribute(each, "ilvl") == str(depth):
                return value(each, "numFmt") not in ("bullet", "none", "")
        return False


def is_hidden(run: Element, inherited: list[Element], styles: Styles, *, on_colour: bool) -> bool:
    """Hidden by Word's own switch, by its size, or white where nothing coloured lies behind it."""
    own = child(run, "rPr")
    properties = [*([own] if own is not None else []), *styles.run(value(own, "rStyle")), *inherited]
    hidden = next((each for each in properties if child(each, "vanish") is not None), None)
    if hidden is not None and is_on(hidden, "vanish"):
        return True
    size = next((found for each in properties if (found := value(each, "sz"))), "")
    if size.isdigit() and int(size) < _SMALLEST:
        return True
    colour = next((found for each in properties if (found := value(each, "color"))), "")
    shaded = any(child(each, name) is not None for each in properties for name in ("shd", "highlight"))
    return colour.lower() in ("ffffff", "white") and not shaded and not on_colour
