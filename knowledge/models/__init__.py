"""The tables of knowledge: what may be cited, how it got here, how it is found, and how well."""

from __future__ import annotations

from knowledge.models.chunks import DIMENSIONS, Chunk, EmbeddingIndex, Term
from knowledge.models.documents import Document
from knowledge.models.evaluations import EvaluationFigure, EvaluationQuestion, EvaluationRun
from knowledge.models.imports import Import, ImportItem
from knowledge.models.questions import GoldenQuestion, Trial, UnansweredQuestion

__all__ = [
    "DIMENSIONS",
    "Chunk",
    "Document",
    "EmbeddingIndex",
    "EvaluationFigure",
    "EvaluationQuestion",
    "EvaluationRun",
    "GoldenQuestion",
    "Import",
    "ImportItem",
    "Term",
    "Trial",
    "UnansweredQuestion",
]
