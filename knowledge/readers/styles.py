"""Which elements of a web page nobody sees: by their own style, by simple rules of the page's style sheets, by their colours.

Not a browser: rules with combinators are passed over, because a guess there would cut text that is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_RULE = re.compile(r"([^{}]{1,2000})\{([^{}]{0,5000})\}")
_SIMPLE = re.compile(r"[.#]?[A-Za-z_][\w-]{0,100}")
_SIZE = re.compile(r"^(-?\d{0,6}\.?\d{0,6})\s*(px|pt|em|rem|%)?$")
# In points; smaller than this nobody reads it.
_SMALLEST = {"px": 3.0, "pt": 2.0, "em": 0.15, "rem": 0.15, "%": 15.0}
_WHITE = {"white", "#fff", "#ffffff", "#fefefe", "rgb(255,255,255)", "rgba(255,255,255,1)", "hsl(0,0%,100%)"}
_CLEAR = {"transparent", "rgba(0,0,0,0)", "#0000", "#00000000", "rgba(255,255,255,0)"}
_MOST_SHEET = 2_000_000

Style = dict[str, str]


@dataclass(frozen=True)
class Colours:
    """What text is written with and on, as far as the page says."""

    ink: str = "black"
    paper: str = "white"

    def with_style(self, style: Style) -> Colours:
        paper = _colour(style.get("background-color") or style.get("background", ""))
        # A picture behind white letters is a paper of its own.
        if "url(" in style.get("background", "") + style.get("background-image", "") or "gradient" in style.get("background", ""):
            paper = "picture"
        return Colours(_colour(style.get("color", "")) or self.ink, paper if paper and paper != "clear" else self.paper)

    @property
    def unseen(self) -> bool:
        return self.ink == "clear" or self.ink == self.paper


def declarations(text: str) -> Style:
    """`name: value` pairs, lower case, the last one winning."""
    pairs = (each.partition(":") for each in text.lower().split(";"))
    return {name.strip(): " ".join(value.replace("!important", "").split()) for name, mark, value in pairs if mark}


def rules(sheets: Iterable[str]) -> dict[str, Style]:
    """Declarations by `.class`, `#id` or tag name, from selectors without combinators."""
    found: dict[str, Style] = {}
    for sheet in sheets:
        for selectors, body in _RULE.findall(_COMMENT.sub("", sheet[:_MOST_SHEET])):
            for selector in map(str.strip, selectors.split(",")):
                if _SIMPLE.fullmatch(selector):
                    found.setdefault(selector, {}).update(declarations(body))
    return found


def style_of(tag: str, attributes: dict[str, str], sheet: dict[str, Style]) -> Style:
    style: Style = dict(sheet.get(tag, {}))
    for name in attributes.get("class", "").split()[:50]:
        style |= sheet.get(f".{name}", {})
    style |= sheet.get(f"#{attributes.get('id', '')}", {})
    if tag == "font" and attributes.get("color"):
        style["color"] = attributes["color"].lower()
    if attributes.get("bgcolor"):
        style["background-color"] = attributes["bgcolor"].lower()
    return style | declarations(attributes.get("style", ""))


def is_hidden(attributes: dict[str, str], style: Style) -> bool:
    """True for what a browser would not show, whatever the colours."""
    if "hidden" in attributes and attributes["hidden"] != "until-found":
        return True
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return True
    if style.get("opacity", "1").rstrip("%") in ("0", "0.0", ".0", "0.00"):
        return True
    if _too_small(style.get("font-size", "")) or _far_away(style):
        return True
    clipped = style.get("overflow", "").startswith("hidden")
    return clipped and any(style.get(name, "").rstrip("pxtem%") in ("0", "1") for name in ("height", "width", "max-height"))


def _too_small(size: str) -> bool:
    found = _SIZE.match(size)
    if not found or not found[1].strip("-."):
        return False
    return float(found[1]) < _SMALLEST[found[2] or "px"]


def _far_away(style: Style) -> bool:
    if style.get("position") not in ("absolute", "fixed") and "text-indent" not in style:
        return False
    places = (_SIZE.match(style.get(name, "")) for name in ("left", "right", "top", "text-indent"))
    return any(place and place[1].strip("-.") and float(place[1]) <= -500 for place in places)


def _colour(value: str) -> str:
    value = value.replace(" ", "").removesuffix("!important")
    if value in _WHITE:
        return "white"
    if value in _CLEAR:
        return "clear"
    return "" if value in ("inherit", "initial", "none", "unset", "currentcolor") else value
