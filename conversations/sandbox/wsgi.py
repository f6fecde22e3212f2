"""The sandbox's process: `gunicorn conversations.sandbox.wsgi:application --workers 1 --threads 16`.

One worker, because typing dots and the threads that post webhooks live in this process.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")
os.environ.setdefault("JEEVO_PROCESS", "sandbox")

import django

django.setup(set_prefix=False)

from conversations.sandbox.server import from_settings  # noqa: E402  (needs the applications loaded)

application = from_settings()
