from django.apps import AppConfig
from django.core import checks

from conversations.sandbox.checks import sandbox_is_not_live


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"

    def ready(self) -> None:
        checks.register(sandbox_is_not_live)
