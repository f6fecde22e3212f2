"""Encrypted columns and the keyed hash that finds a person without storing their number in clear.

Values are sealed with Fernet; the first key of FIELD_KEYS seals, every key opens, so keys can be
rotated. An encrypted column cannot be searched: asking for anything but NULL is a programming error.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, MultiFernet
from django import forms
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models


@lru_cache(maxsize=4)
def _sealer(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def seal(text: str) -> bytes:
    return _sealer(tuple(settings.FIELD_KEYS)).encrypt(text.encode())


def unseal(sealed: bytes, keys: Sequence[str] | None = None) -> str:
    """`keys`: those of a recovery kit, where the settings have not read them yet."""
    return _sealer(tuple(settings.FIELD_KEYS if keys is None else keys)).decrypt(sealed).decode()


def keyed_hash(value: str) -> str:
    """HMAC-SHA256 under INDEX_KEY, the first 128 bits as hex: equal for equal values, useless without the key."""
    return hmac.new(settings.INDEX_KEY.encode(), value.encode(), "sha256").hexdigest()[:32]


if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field


class EncryptedTextField(_Field):
    description = "Text, encrypted at rest"

    def db_type(self, connection: Any) -> str:
        return "bytea"

    def get_prep_value(self, value: Any) -> bytes | None:
        return None if value is None else seal(value)

    def from_db_value(self, value: Any, *_: Any) -> Any:
        return None if value is None else unseal(bytes(value))

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted and can only be asked whether it is null")
        return super().get_lookup(lookup_name)

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": forms.CharField, "widget": forms.Textarea, **kwargs})


class EncryptedJSONField(EncryptedTextField):
    description = "JSON, encrypted at rest"

    def get_prep_value(self, value: Any) -> bytes | None:
        return None if value is None else seal(json.dumps(value, ensure_ascii=False))

    def from_db_value(self, value: Any, *_: Any) -> Any:
        return None if value is None else json.loads(unseal(bytes(value)))
