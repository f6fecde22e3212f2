"""What other packages put into the console and people should not find there."""

from __future__ import annotations

from django.contrib import admin
from rest_framework.authtoken.models import TokenProxy

from operations import maintenance_admin

__all__ = ["maintenance_admin"]

# It shows every token in clear; `manage.py api_token` makes one, shows it once, and revokes it.
admin.site.unregister(TokenProxy)
