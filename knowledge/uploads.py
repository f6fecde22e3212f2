"""How much may be uploaded: said by its announced length before a byte is read, and counted again while it comes in.

Files are taken by the import page alone. Anywhere else they are read past and kept nowhere, because a form without a file
field has no use for one.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

# Names and values of the other fields, and the lines between the parts.
_FORM = 256 * 1024


class TooLarge(RequestDataTooBig):
    """The message is for the person who uploads."""


def most_bytes() -> int:
    limit: int = settings.ENVIRONMENT.upload_limit_mb * 1024 * 1024
    return limit


def too_large(what: str = "This upload") -> TooLarge:
    limit = settings.ENVIRONMENT.upload_limit_mb
    return TooLarge(
        f"{what} is larger than {limit} MB, which is the most that is taken at once. Nothing was stored. "
        "Split it into smaller files, or upload them one after the other."
    )


def check_length(request: HttpRequest) -> None:
    """Raises TooLarge for a request that announces more than is taken, or does not say how long it is."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > most_bytes() + _FORM:
        raise too_large()


class LimitedUpload(FileUploadHandler):
    """First of the import page's handlers: counts the bytes of all files of a request."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._room = most_bytes()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._room -= len(raw_data)
        if self._room < 0:
            raise too_large()
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class NoFiles(FileUploadHandler):
    """Everywhere else."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
