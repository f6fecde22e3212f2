"""Operations in the console, one module a noun; and what other packages put there that people should not find."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.models import User
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.models import TokenProxy

from operations import backup_admin, maintenance_admin, notice_admin, restore_admin, subscriber_admin
from operations.admin import contacts, erasing, follow_ups, incidents
from operations.people import FailedSignIns, PersonAdmin

# Imported for the pages that they register.
__all__ = [
    "backup_admin",
    "contacts",
    "erasing",
    "follow_ups",
    "incidents",
    "maintenance_admin",
    "notice_admin",
    "restore_admin",
    "subscriber_admin",
]

# It shows every token in clear; `manage.py api_token` makes one, shows it once, and revokes it.
admin.site.unregister(TokenProxy)
# They show keys; a device is set up by its owner and taken away on the page of the person.
admin.site.unregister((TOTPDevice, StaticDevice))
admin.site.unregister(User)
admin.site.register(User, PersonAdmin)
admin.site.register(AccessAttempt, FailedSignIns)
