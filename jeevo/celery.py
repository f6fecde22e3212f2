"""The Celery application. Tasks carry keys only; the rows in Postgres are the queue."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")

app = Celery("jeevo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
