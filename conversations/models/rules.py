"""Rules that clinicians of this service add to those of the tree (`conversations/rules`)."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from simple_history.models import HistoricalRecords

from conversations.rulebook import Level
from jeevo.ids import new_id

_SIGN = RegexValidator(r"^[a-z][a-z_]*$", "Use small letters and underscores, as in heart_attack.")


class TriageRule(models.Model):
    """Patterns that raise a sign in one language, or rules of the tree that are switched off there; never deleted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # A file of the tree: "en", "hi_latn".
    language = models.CharField(max_length=12)
    concept = models.CharField("sign", max_length=60, validators=[_SIGN])
    level = models.CharField(
        max_length=12, choices=[(level.value, level.value.replace("_", "-")) for level in Level if level is not Level.ROUTINE]
    )
    # One on a line, as everything below.
    patterns = models.TextField(blank=True)
    unless = models.TextField(blank=True)
    switched_off = models.TextField(blank=True)
    fires = models.TextField(blank=True)
    quiet = models.TextField()
    source = models.CharField(max_length=500, validators=[URLValidator(schemes=["https", "http"])])
    reason = models.TextField(blank=True)
    active = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()  # type: ignore[no-untyped-call]

    class Meta:
        ordering = ("language", "concept", "created_at")
        # Which rules hold now, and whether they changed since a process read them.
        indexes = [models.Index(fields=["updated_at"], name="triage_rule_changed")]

    def __str__(self) -> str:
        return f"{self.concept.replace('_', ' ')} ({self.language})"
