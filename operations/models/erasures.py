"""Who was erased, in hashes that only our keys can tell apart: kept so that no restore brings anybody back.

Each row is a line of the record outside the database as well (`operations.erasure_record`), and chained as that one is.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Erasure(models.Model):
    """No number, no name. Whoever is found by one of `people` and is older than `at` is erased again in a restored copy."""

    number = models.PositiveIntegerField(primary_key=True, help_text="The line of the record.")
    at = models.DateTimeField()
    people = ArrayField(models.CharField(max_length=64), help_text="Keyed hashes of the number and the user id.")
    key = models.CharField(max_length=12, help_text="The mark of the one of FIELD_KEYS they were made with.")
    before = models.CharField(max_length=64, help_text="The hash of the line before.")
    hash = models.CharField(max_length=64)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: a terminal, or a line that a restore had left behind.",
    )
    reason = models.CharField(max_length=200, blank=True)
    counts = models.JSONField(default=dict, blank=True, help_text="How many rows went, by what they were.")

    class Meta:
        ordering = ("-number",)

    def __str__(self) -> str:
        return f"erasure {self.number}"
