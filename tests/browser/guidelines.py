"""Guidelines for the clinician's journey: one drawn here, so that the journey needs no data folder, and a real one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.knowledge import files

TITLE = "Looking after a home thermometer"
_PAGES = {
    "Choosing a thermometer for the home": (
        "A digital thermometer with a flexible tip is enough for most homes.",
        "Choose a model with large numbers that can be read in a dark room.",
        "Glass thermometers that hold mercury are not sold any more, because they break.",
    ),
    "Cleaning the thermometer": (
        "Wash the tip with soap and cool water before and after every use.",
        "Wipe it with an alcohol swab, then let it dry in the air on a clean cloth.",
        "Boiling water spoils the sensor, so never use it for cleaning.",
    ),
    "Storing the thermometer and its battery": (
        "Keep the thermometer in its case, in a dry drawer, away from sunlight and heat.",
        "Take the battery out when the thermometer is stored for longer than three months.",
        "Store spare batteries where small children cannot reach them.",
    ),
}


@dataclass(frozen=True)
class Guideline:
    """A file, and a question that one page of it answers with these words."""

    file: Path
    title: str
    publisher: str
    question: str
    page: int
    words: str


def thermometer(folder: Path) -> Guideline:
    drawn = [
        files.text_at(60, 670, heading, size=16, font="F2") + files.paragraph_at(60, 640, lines)
        for heading, lines in _PAGES.items()
    ]
    drawn[0] = files.text_at(60, 720, TITLE, size=24, font="F2") + drawn[0]
    content = files.a_pdf(drawn, info=f"/Title ({TITLE})", pack=True)
    question = "How should I store a thermometer and its battery?"
    return Guideline(
        files.kept(folder, "thermometer.pdf", content), TITLE, "District Health Office", question, 3, "in a dry drawer"
    )


def healthy_diet(_: Path) -> Guideline:
    """A leaflet of 20 pages, two columns and pictures, whose first page is a picture alone."""
    return Guideline(
        files.DATA / "pdfs" / "medical" / "clario-health-__doc_003.pdf",
        "Healthy diet",
        "WHO",
        "How can I reduce the salt I eat, and how much salt a day is too much?",
        15,
        "salt",
    )


def scan(folder: Path) -> Path:
    """Pictures of pages and no text."""
    return files.kept(folder, "scan.pdf", files.a_pdf([files.picture_at(0, 0, *files.FULL_PAGE)] * 2))
