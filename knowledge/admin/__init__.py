"""Knowledge in the console, one module a noun."""

from __future__ import annotations

from knowledge.admin import documents, questions

__all__ = ["documents", "questions"]
