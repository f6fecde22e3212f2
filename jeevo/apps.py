from django.contrib.admin.apps import AdminConfig

from jeevo import measuring
from jeevo.celery import app as celery_app

__all__ = ["ConsoleConfig", "celery_app"]


class ConsoleConfig(AdminConfig):
    """Django's admin with Jeevo's own home page. Importing the Celery application here makes its broker
    settings the ones every process publishes with."""

    default_site = "operations.console.ConsoleSite"

    def ready(self) -> None:
        super().ready()
        measuring.install()
