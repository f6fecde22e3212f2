"""The file as it was uploaded: to download, and page by page as a picture.

An uploaded file is never shown by the browser itself, because it may hold anything: it is offered as an
attachment, and a page of a PDF is drawn by a child process with limits. Pictures are kept beside the files.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.core.cache import cache
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from knowledge import extraction
from knowledge.extraction import Limits, Refused
from knowledge.models import Document

WIDTH = 900
# A person waits for it, and a web thread with them.
LIMITS = Limits(seconds=15)
# Of the web process's few threads the webhook needs some, so a hurried reader may not take them all.
_DRAWING = threading.BoundedSemaphore(2)
_BUSY, _REFUSED_FOR = 10, 3600
may_read = permission_required("knowledge.view_document", raise_exception=True)


@require_safe
@may_read
def download(request: HttpRequest, key: UUID) -> FileResponse:
    document = get_object_or_404(Document.objects.only("file", "file_name", "title"), pk=key)
    stored = document.file.name or ""
    if not stored or not document.file.storage.exists(stored):
        raise Http404("The file of this document is not here.")
    name = document.file_name.rsplit("/", 1)[-1] or f"{document.title}{Path(stored).suffix}"
    answer = FileResponse(document.file.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream")
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_safe
@may_read
def page_picture(request: HttpRequest, key: UUID, page: int) -> HttpResponse:
    """One page of a PDF as PNG, drawn once."""
    document = get_object_or_404(Document.objects.only("file", "kind", "pages"), pk=key)
    if document.kind != "pdf" or not document.file or not 1 <= page <= (document.pages or 0):
        raise Http404("There is no such page.")
    place = Path(settings.MEDIA_ROOT) / "pages" / str(document.pk) / f"{page}.png"
    try:
        picture = place.read_bytes() if place.is_file() else _drawn(document, page, place)
    except Refused as problem:
        return HttpResponse(str(problem), status=422, content_type="text/plain")
    answer = HttpResponse(picture, content_type="image/png")
    # The file of a document never changes.
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer


def _drawn(document: Document, page: int, place: Path) -> bytes:
    # A page that could not be drawn takes its seconds only once an hour.
    refused = f"page-refused:{document.pk}:{page}"
    if sentence := cache.get(refused):
        raise Refused(sentence)
    if not _DRAWING.acquire(timeout=_BUSY):
        raise Refused("Other pages are being drawn. Load this page again in a moment.")
    try:
        picture = extraction.page_image(Path(document.file.path), page, width=WIDTH, limits=LIMITS)
    except Refused as problem:
        cache.set(refused, str(problem), _REFUSED_FOR)
        raise
    finally:
        _DRAWING.release()
    _keep(picture, place)
    return picture


def _keep(picture: bytes, place: Path) -> None:
    """Whole or not at all, also where two people open the same page."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{uuid4().hex}")
    draft.write_bytes(picture)
    os.replace(draft, place)
