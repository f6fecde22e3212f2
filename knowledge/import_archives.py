"""A zip becomes files of its own, one after the other; the bad members are said and the good ones go on.

How many members were taken out is kept with each of them, so an import that was stopped goes on behind the last.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from knowledge import extraction, import_problems, importing
from knowledge.import_claims import Claim
from knowledge.models import ImportItem


def unpack(item: ImportItem, *, path: Path, claim: Claim) -> None:
    """Raises Refused for a zip that cannot be read at all, or where no member could be taken out."""
    for member in islice(extraction.entries(path), item.records, None):
        claim.beat(now=timezone.now())
        with transaction.atomic():
            claim.check()
            item.records, item.attempts = item.records + 1, 1
            if isinstance(member, extraction.Problem):
                import_problems.note(item, [member])
            else:
                importing.add_member(claim.batch, name=f"{item.name}/{member.name}", path=member.path)
            item.save(update_fields=["records", "attempts", "bad", "problems"])
    taken = item.records - item.bad
    if not taken:
        raise extraction.Refused("No file could be taken out of this zip. The reasons are listed with it.")
    files = "One file was" if taken == 1 else f"{taken:,} files were"
    ImportItem.objects.filter(pk=item.pk).update(status=ImportItem.Status.ADDED, reason=f"{files} taken out of it.")
    importing.drop_file(item)
