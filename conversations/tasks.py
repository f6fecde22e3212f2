"""Thin doors for the answers lane. Tasks carry keys; a lost or repeated one changes nothing."""

from __future__ import annotations

import os
from uuid import UUID

from celery import shared_task
from celery.signals import worker_init, worker_process_init
from django.db import DatabaseError, connections
from django.utils import timezone

from conversations import answering, compose, delivery, trials
from knowledge import embedding_indexes, embeddings, unanswered
from knowledge import trials as all_trials

# Set by whoever starts the worker; the indexing lane loads the model when it first needs it, and operations never.
_WITH_MODEL = ("worker-answers",)


@shared_task(name="conversations.answer_contact")
def answer_contact(key: str) -> None:
    answering.answer_contact(UUID(key))


@shared_task(name="conversations.send_message")
def send_message(key: str) -> None:
    delivery.send(UUID(key))


@shared_task(name="conversations.run_trial")
def run_trial(key: str) -> None:
    trials.run(UUID(key), now=timezone.now())


@shared_task(name="conversations.forget_trials")
def forget_trials() -> None:
    all_trials.forget_old(now=timezone.now())


@shared_task(name="conversations.fill_question_vectors")
def fill_question_vectors() -> None:
    unanswered.fill_vectors()


@worker_init.connect
def load_model(**_: object) -> None:
    """The model is loaded once by the worker and shared by the processes it forks: a process that died is replaced
    in milliseconds, and the weights are in memory once."""
    if os.environ.get("JEEVO_PROCESS") in _WITH_MODEL:
        embeddings.warm_up(_model_in_use())
        compose.warm_up()


def _model_in_use() -> str:
    try:
        return embedding_indexes.current_model()
    except DatabaseError:
        return embeddings.model_name()
    finally:
        # A connection does not survive the fork that follows.
        connections.close_all()


@worker_process_init.connect
def use_threads(**_: object) -> None:
    if os.environ.get("JEEVO_PROCESS") in _WITH_MODEL:
        embeddings.set_threads()
