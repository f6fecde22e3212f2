"""Knowledge in the console, one module a noun."""

from __future__ import annotations

from knowledge.admin import documents, evaluations, golden, imports, indexes, passages, questions, trials

__all__ = ["documents", "evaluations", "golden", "imports", "indexes", "passages", "questions", "trials"]
