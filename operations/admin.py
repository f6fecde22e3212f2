"""What other packages put into the console and people should not find there."""

from __future__ import annotations

from django.contrib import admin
from rest_framework.authtoken.models import TokenProxy

from operations import notice_admin, subscriber_admin  # noqa: F401 (they register their pages)

# It shows every token in clear; `manage.py api_token` makes one, shows it once, and revokes it.
admin.site.unregister(TokenProxy)
