"""Files as people upload them and as attackers make them, built in code: PDF, Word, zip, MedQuAD XML."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(os.environ.get("JEEVO_DATA", ROOT.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the data folder is absent: {DATA} (name it with JEEVO_DATA)")

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
FULL_PAGE = (612.0, 792.0)


# PDF


def text_at(x: float, y: float, words: str, *, size: float = 11, font: str = "F1", extra: str = "") -> str:
    """One line of text; `extra` may set a colour or a way of drawing."""
    quoted = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"q {extra} BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm ({quoted}) Tj ET Q\n"


def paragraph_at(x: float, y: float, lines: Iterable[str], *, size: float = 11) -> str:
    return "\n".join(text_at(x, y - 1.2 * size * place, line, size=size) for place, line in enumerate(lines))


def line_at(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"{x1} {y1} m {x2} {y2} l S\n"


def picture_at(x: float, y: float, width: float, height: float) -> str:
    """A grey picture of one point, stretched."""
    return f"q {width} 0 0 {height} {x} {y} cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q\n"


def ruled_table(x: float, top: float, rows: list[list[str]], *, width: float = 120, height: float = 20) -> str:
    """A table with every line drawn."""
    across, down = len(rows[0]), len(rows)
    parts = [line_at(x, top - height * row, x + width * across, top - height * row) for row in range(down + 1)]
    parts += [line_at(x + width * column, top, x + width * column, top - height * down) for column in range(across + 1)]
    parts += [
        text_at(x + width * column + 4, top - height * row - 14, cell, size=10)
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells)
    ]
    return "\n".join(parts)


def a_pdf(pages: list[str], *, info: str = "", trailer: str = "", page_extra: str = "", pack: bool = False) -> bytes:
    """A PDF whose pages hold these drawing commands; F1 is Helvetica, F2 its bold."""
    fonts = "<< /F1 3 0 R /F2 4 0 R >>"
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{6 + 2 * n} 0 R' for n in range(len(pages)))}] >>".encode(),
        *(
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()
            for name in ("Helvetica", "Helvetica-Bold")
        ),
        f"<< {info} >>".encode(),
    ]
    box = f"/MediaBox [0 0 {FULL_PAGE[0]} {FULL_PAGE[1]}]"
    for place, page in enumerate(pages):
        stream = page.encode("cp1252", errors="replace")
        stream, packed = (zlib.compress(stream, 9), "/Filter /FlateDecode") if pack else (stream, "")
        sheet = f"<< /Type /Page /Parent 2 0 R {box} /Resources << /Font {fonts} >> /Contents {7 + 2 * place} 0 R {page_extra} >>"
        bodies += [sheet.encode(), f"<< /Length {len(stream)} {packed} >>\nstream\n".encode() + stream + b"\nendstream"]
    return _assembled(bodies, trailer)


def _assembled(bodies: list[bytes], trailer: str) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(bodies, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + body + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{place:010d} 00000 n \n" for place in places).encode())
    out.write(f"trailer << /Size {len(bodies) + 1} /Root 1 0 R /Info 5 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def a_leaflet(*, pages: int = 1, lines: int = 40) -> bytes:
    """An ordinary text PDF with a running title, page numbers and a heading on each page."""
    words = "Give the child small sips of oral rehydration solution every few minutes and go on feeding."
    drawn = []
    for number in range(1, pages + 1):
        body = "\n".join(text_at(60, 690 - 14 * place, f"{words} Step {place + 1}.", size=10) for place in range(lines))
        parts = (
            text_at(60, 770, "District health guide", size=8),
            text_at(60, 720, f"Part {number} of care", size=16, font="F2"),
            body,
            text_at(300, 20, f"Page {number} of {pages}", size=8),
        )
        drawn.append("\n".join(parts))
    return a_pdf(drawn, info="/Title (Care at home)", pack=True)


# Word


def run(words: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space='preserve'>{words}</w:t></w:r>"


def paragraph(*runs: str, style: str = "", properties: str = "") -> str:
    named = f"<w:pStyle w:val='{style}'/>" if style else ""
    return f"<w:p><w:pPr>{named}{properties}</w:pPr>{''.join(runs)}</w:p>"


def listed(words: str, *, number: int = 1, depth: int = 0) -> str:
    numbered = f"<w:numPr><w:ilvl w:val='{depth}'/><w:numId w:val='{number}'/></w:numPr>"
    return paragraph(run(words), properties=numbered)


def word_table(rows: list[list[str]]) -> str:
    cells = "".join(f"<w:tr>{''.join(f'<w:tc>{paragraph(run(cell))}</w:tc>' for cell in row)}</w:tr>" for row in rows)
    return f"<w:tbl>{cells}</w:tbl>"


_STYLES = "".join(
    f"<w:style w:type='paragraph' w:styleId='{name.title().replace(' ', '')}'><w:name w:val='{name}'/></w:style>"
    for name in ("title", "heading 1", "heading 2", "heading 3", "list bullet 2")
)
_LEVELS = {
    kind: "".join(f"<w:lvl w:ilvl='{n}'><w:numFmt w:val='{kind}'/></w:lvl>" for n in range(3)) for kind in ("bullet", "decimal")
}
_NUMBERING = (
    f"<w:abstractNum w:abstractNumId='0'>{_LEVELS['bullet']}</w:abstractNum>"
    f"<w:abstractNum w:abstractNumId='1'>{_LEVELS['decimal']}</w:abstractNum>"
    "<w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num><w:num w:numId='2'><w:abstractNumId w:val='1'/></w:num>"
)


def a_docx(*body: str, parts: Mapping[str, str | bytes] | None = None, prolog: str = "") -> bytes:
    """A Word document with this body; list 1 has bullets, list 2 numbers."""

    def part(name: str, inner: str) -> str:
        return f"<?xml version='1.0' encoding='UTF-8'?>{prolog}<w:{name} xmlns:w='{WORD}'>{inner}</w:{name}>"

    members: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
        "word/document.xml": part("document", f"<w:body>{''.join(body)}</w:body>"),
        "word/styles.xml": part("styles", _STYLES),
        "word/numbering.xml": part("numbering", _NUMBERING),
        **(parts or {}),
    }
    return a_zip(members)


def core_properties(**fields: str) -> str:
    """`docProps/core.xml`, where a document names its title and author."""
    inner = "".join(f"<dc:{name}>{value}</dc:{name}>" for name, value in fields.items())
    return f"<cp:coreProperties xmlns:cp='urn:core' xmlns:dc='http://purl.org/dc/elements/1.1/'>{inner}</cp:coreProperties>"


# Archives and collections


def a_zip(members: Mapping[str, str | bytes], *, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def a_link_in_a_zip(name: str, target: str) -> bytes:
    out = io.BytesIO()
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, target)
    return out.getvalue()


def medquad_xml(pairs: list[tuple[str, str, str]], *, focus: str = "Asthma", source: str = "NHLBI", prolog: str = "") -> str:
    """One document of the collection: question type, question, answer."""
    inner = "".join(
        f"<QAPair pid='{n}'><Question qid='7-{n}' qtype='{kind}'>{question}</Question><Answer>{answer}</Answer></QAPair>"
        for n, (kind, question, answer) in enumerate(pairs, 1)
    )
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>{prolog}<Document id='7' source='{source}' url='https://example.org/{focus.lower()}'>"
        f"<Focus>{focus}</Focus><FocusAnnotations><UMLS><CUIs><CUI>C1</CUI></CUIs></UMLS></FocusAnnotations>"
        f"<QAPairs>{inner}</QAPairs></Document>"
    )


def kept(folder: Path, name: str, content: str | bytes) -> Path:
    """The content as a file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
