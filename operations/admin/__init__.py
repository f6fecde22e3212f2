"""Operations in the console, one module a noun; and what other packages put there that people should not find."""

from __future__ import annotations

from django.contrib import admin
from rest_framework.authtoken.models import TokenProxy

from operations.admin import contacts, follow_ups, incidents

__all__ = ["contacts", "follow_ups", "incidents"]

# It shows every token in clear; `manage.py api_token` makes one, shows it once, and revokes it.
admin.site.unregister(TokenProxy)
