"""The pages of an import: bringing files, with or without JavaScript, and what became of each.

Bytes are not read before it is clear that the sender may bring files and that there are not too many of them, so these views
check first and read the form after.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from knowledge import import_progress, import_tasks, importing, uploads
from knowledge.admin.import_forms import ACCEPTED, FilesField, ImportForm, key, known_questions
from knowledge.models import Document, Import

PER_PAGE = 100
SHOWN = {"refused": "refused", "added": "added", "known": "here already", "cancelled": "left out", "waiting": "waiting"}
_TOO_MANY = "That is more than a hundred files at once. Pack them as a zip, or bring them in several steps."
_FROM_DOCUMENT = ("publisher", "url", "language", "topic", "audience", "licence")
may_bring = permission_required("knowledge.add_document", raise_exception=True)
may_look = permission_required("knowledge.view_import", raise_exception=True)
View = Callable[..., HttpResponse]


def takes_files(view: View) -> View:
    """Check who sends and how much before the body is read; reading the form's token already reads all of it."""
    protected = csrf_protect(view)

    @may_bring
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if request.method == "POST":
                uploads.check_length(request)
                request.upload_handlers = [uploads.LimitedUpload(request), TemporaryFileUploadHandler(request)]
            return protected(request, *args, **kwargs)
        except uploads.TooLarge as problem:
            return _refused(request, str(problem), status=413)
        except TooManyFilesSent:
            return _refused(request, _TOO_MANY, status=413)

    return csrf_exempt(checked)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def _add(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form(request, ImportForm(initial=_initial(request)))
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        if _wants_json(request):
            said = [str(error) for errors in form.errors.values() for error in errors]
            return JsonResponse({"error": " ".join(said)}, status=400)
        return _form(request, form, status=400)
    files = form.cleaned_data["documents"]
    label = files[0].name if len(files) == 1 and not request.POST.get("more") else "Files from the browser"
    batch = importing.begin(label=label, defaults=form.defaults(), by=cast(User, request.user))
    for file in files:
        importing.add_file(batch, name=file.name, content=file)
    import_tasks.hasten()
    return _brought(request, batch)


@never_cache
@require_POST
def _more(request: HttpRequest, key: UUID) -> HttpResponse:
    """Another file of the same import, from the page's script."""
    batch = get_object_or_404(Import, pk=key, requested_by=request.user)
    try:
        for file in FilesField(allow_empty_file=True, max_length=500).clean(request.FILES.getlist("documents")):
            importing.add_file(batch, name=file.name, content=file)
    except importing.NotPossible as problem:
        return _refused(request, str(problem), status=409)
    import_tasks.hasten()
    return _brought(request, batch)


# A decorator above would hide the exemption from the console's own check of the token, which reads the body.
add, more = takes_files(_add), takes_files(_more)


@never_cache
@require_safe
@may_look
def show(request: HttpRequest, key: UUID) -> HttpResponse:
    """Progress and results. `?part=progress` is the part that refreshes itself."""
    batch = get_object_or_404(Import.objects.select_related("requested_by"), pk=key)
    chosen = request.GET.get("show", "")
    items = batch.items.select_related("document")
    if chosen in SHOWN:
        items = items.filter(status__in=["waiting", "running"] if chosen == "waiting" else [chosen])
    progress = import_progress.of(batch, now=timezone.now())
    context = {
        "title": batch.label,
        "batch": batch,
        "progress": progress,
        "left": import_progress.spoken(progress.left) if progress.left else "",
        "filters": _filters(batch, chosen),
        "chosen": chosen,
        "page": Paginator(items, PER_PAGE).get_page(request.GET.get("page")),
        "retriable": importing.retriable(batch).count() if progress.is_over else 0,
        "may_bring": request.user.has_perm("knowledge.add_document"),
    }
    if request.GET.get("part") == "progress":
        return render(request, "admin/knowledge/import/progress.html", context)
    return _page(request, "admin/knowledge/import/show.html", context)


@require_POST
@may_bring
def cancel(request: HttpRequest, key: UUID) -> HttpResponse:
    batch = get_object_or_404(Import, pk=key)
    done = "The import stops after the file that is being read. What was added stays; the rest is left out."
    return _step(request, batch, lambda: importing.cancel(batch, now=timezone.now()), done)


@require_POST
@may_bring
def retry(request: HttpRequest, key: UUID) -> HttpResponse:
    batch = get_object_or_404(Import, pk=key)
    answer = _step(request, batch, lambda: importing.retry(batch), "The files are read again.")
    import_tasks.hasten()
    return answer


def _step(request: HttpRequest, batch: Import, step: Callable[[], object], done: str) -> HttpResponse:
    try:
        step()
        messages.success(request, done)
    except importing.NotPossible as problem:
        messages.error(request, str(problem))
    return redirect(address(batch))


def address(batch: Import) -> str:
    return reverse("admin:knowledge_import_change", args=[batch.pk])


def _filters(batch: Import, chosen: str) -> list[dict[str, Any]]:
    """The states that occur, with their counts; none where all files are in one."""
    counts = importing.counts(batch.pk)
    counts["waiting"] = counts.get("waiting", 0) + counts.pop("running", 0)
    found = [{"name": name, "said": said, "files": counts[name]} for name, said in SHOWN.items() if counts.get(name)]
    return found if len(found) > 1 or chosen else []


def _initial(request: HttpRequest) -> dict[str, Any]:
    """A new version begins with what is known of the old one."""
    old = _document(request.GET.get("supersedes", ""))
    known = {name: getattr(old, name) for name in _FROM_DOCUMENT} if old else {}
    questions = known_questions(request.GET.get("answers", ""))
    return known | {"supersedes": old.pk if old else None, "answers": ",".join(map(str, questions))}


def _document(text: str) -> Document | None:
    found = key(text)
    return Document.objects.defer("text").filter(pk=found).first() if found else None


def _form(request: HttpRequest, form: ImportForm, *, status: int = 200, problem: str = "") -> HttpResponse:
    old = _document(str(form["supersedes"].value() or ""))
    questions = known_questions(str(form["answers"].value() or ""))
    context = {
        "title": "A new version" if old else "Import documents",
        "form": form,
        "old": old,
        "questions": len(questions),
        "problem": problem,
        "accepted": ACCEPTED,
        "limit_mb": uploads.most_bytes() // 2**20,
        "limit_bytes": uploads.most_bytes(),
    }
    return _page(request, "admin/knowledge/import/add.html", context, status=status)


def _brought(request: HttpRequest, batch: Import) -> HttpResponse:
    if _wants_json(request):
        more = reverse("admin:knowledge_import_files", args=[batch.pk])
        return JsonResponse({"page": address(batch), "more": more}, status=201)
    return redirect(address(batch))


def _refused(request: HttpRequest, sentence: str, *, status: int) -> HttpResponse:
    """Without reading what is left of the body: the fields of the form are lost with it."""
    if _wants_json(request):
        return JsonResponse({"error": sentence}, status=status)
    return _form(request, ImportForm(initial=_initial(request)), status=status, problem=sentence)


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return render(request, template, {**admin.site.each_context(request), **context}, status=status)
