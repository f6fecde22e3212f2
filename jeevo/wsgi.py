"""The web process: webhook, console, health. It never loads a model."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeevo.settings")
os.environ.setdefault("JEEVO_PROCESS", "web")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
