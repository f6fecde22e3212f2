"""The files people had uploaded, back in their folder after a lost server. What is there already is not touched."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings

from operations import kept_files, offsite, offsite_reading, sealed, verification
from operations.models import Backup
from operations.phrases import count

OLD_SETTINGS = "settings-before.txt"


def bring_back(place: offsite.Place, kept: list[Backup], scratch: Path) -> str:
    """One sentence: what was done. Without files the service starts all the same."""
    for each in kept:
        folder = scratch / f"files-{each.pk}"
        try:
            offsite_reading.fetch_backup(place, each)
            folder.mkdir(mode=0o700)
            verification.unpack_files(each, folder)
        except (sealed.Damaged, verification.NotGood, offsite.NotOffsite):
            continue
        brought = _media(folder / "unpacked" / "media", Path(settings.MEDIA_ROOT))
        shutil.copyfile(folder / "unpacked" / kept_files.SETTINGS, Path(settings.ENVIRONMENT.data) / OLD_SETTINGS)
        return (
            f"{count(brought, 'uploaded file is', 'uploaded files are')} back. The settings of before, without secrets, "
            f"are in {OLD_SETTINGS} of the data folder."
        )
    return "No uploaded files were kept outside; upload documents again where they are missing."


def _media(source: Path, target: Path) -> int:
    brought = 0
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        there = target / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)
            brought += 1
    return brought
