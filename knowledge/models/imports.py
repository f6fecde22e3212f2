"""An import: the files that somebody brought at once, and what became of each."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from jeevo.ids import new_id


class Import(models.Model):
    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        FINISHED = "finished"
        CANCELLED = "cancelled"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # "Files from the browser", "folder guidelines", "MedQuAD".
    label = models.CharField(max_length=200)
    # "auto" reads each file by its kind; a named importer reads the records of one source.
    importer = models.CharField(max_length=20, default="auto")
    # Values for every document of it: publisher, licence, language, audience, topic, url.
    defaults = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.WAITING)
    reason = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    # Written by the worker as it goes; an import whose heart stopped is taken up again.
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # Imports that wait for a worker or whose worker stopped, oldest first.
            models.Index(fields=["created_at"], name="import_open", condition=Q(status__in=["waiting", "running"])),
        ]

    def __str__(self) -> str:
        return self.label


class ImportItem(models.Model):
    """One file of an import, or one member of a zip."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        ADDED = "added"
        KNOWN = "known", "here already"
        REFUSED = "refused"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    batch = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    # The name as the person knows it: "guidelines.zip/fever.pdf".
    name = models.CharField(max_length=500)
    # Where its bytes lie: in our own storage, or for `manage.py import_knowledge` at a path of the operator's machine.
    file = models.FileField(upload_to="imports/%Y/%m/", max_length=300, blank=True)
    path = models.CharField(max_length=1000, blank=True)
    size = models.BigIntegerField(default=0)
    file_hash = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.WAITING)
    # A sentence for the person who brought it: why it was refused, or what was noticed.
    reason = models.TextField(blank=True)
    document = models.ForeignKey("knowledge.Document", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Of files with many records: how far reading got, so that it goes on there after a stop; added, known and bad among them.
    records = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0)
    # The first hundred bad records: [["line 7", "the answer is empty"], ...]
    problems = models.JSONField(default=list, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("position", "id")
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="import_item_position_once")]
        indexes = [
            # The next file of an import.
            models.Index(fields=["batch", "position"], name="import_item_open", condition=Q(status__in=["waiting", "running"])),
        ]

    def __str__(self) -> str:
        return self.name
