"""The Celery application. Tasks carry keys only; the rows in Postgres are the queue."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")

app = Celery("jeevo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Where somebody listens, Celery leaves logging as the settings made it. Its --loglevel would silence our own lines too."""
