"""Knowledge in the console, one module a noun."""

from __future__ import annotations

from knowledge.admin import documents, indexes, questions

__all__ = ["documents", "indexes", "questions"]
