from django.apps import AppConfig
from django.core import checks

from knowledge.checks import starter_content_is_not_live


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        checks.register(starter_content_is_not_live)
