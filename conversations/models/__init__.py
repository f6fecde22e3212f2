"""The rows of conversations, by what they are about."""

from conversations.models.messages import (
    FREE_TEXT_WINDOW,
    Answer,
    Citation,
    Contact,
    DeliveryEvent,
    Feedback,
    Handover,
    InboundMessage,
    OutboundMessage,
    Session,
    UnhandledEvent,
)
from conversations.models.notices import HoldingNotice
from conversations.models.rules import TriageRule

__all__ = [
    "FREE_TEXT_WINDOW",
    "Answer",
    "Citation",
    "Contact",
    "DeliveryEvent",
    "Feedback",
    "Handover",
    "HoldingNotice",
    "InboundMessage",
    "OutboundMessage",
    "Session",
    "TriageRule",
    "UnhandledEvent",
]
