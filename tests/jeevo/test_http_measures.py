"""Requests by page and status: counted once each, under names of ours only."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from jeevo import measures
from jeevo.http_measures import KEPT, HttpMeasures

# The library has no types.
Middleware: Any = HttpMeasures
LATENCY, RESPONSES = KEPT


def timed(view: str, method: str = "GET") -> float:
    return measures.REGISTRY.get_sample_value(f"{LATENCY}_count", {"view": view, "method": method}) or 0.0


def answered(status: int, view: str, method: str = "GET") -> float:
    return (
        measures.REGISTRY.get_sample_value(f"{RESPONSES}_total", {"status": str(status), "view": view, "method": method}) or 0.0
    )


@pytest.mark.django_db
def test_a_page_is_timed_and_counted_by_the_name_of_its_address(client: Client) -> None:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    before = timed("admin:index"), answered(200, "admin:index")
    assert client.get("/admin/?q=chest+pain").status_code == 200
    assert (timed("admin:index"), answered(200, "admin:index")) == (before[0] + 1, before[1] + 1)


@pytest.mark.django_db
def test_an_address_that_is_none_and_a_method_that_is_none_make_no_label(client: Client) -> None:
    name = "<unnamed view>"
    before = answered(404, name)
    client.get("/i-have-a-fever")
    assert answered(404, name) == before + 1
    client.generic("FEVER", "/i-have-a-fever")
    assert timed(name, "<invalid method>") >= 1
    labels = {
        value
        for metric in measures.REGISTRY.collect()
        for s in metric.samples
        if s.name.startswith("django_")
        for value in s.labels.values()
    }
    assert not [each for each in labels if "fever" in each.lower()]


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError


urlpatterns = [path("broken", broken, name="broken")]


@pytest.mark.urls(__name__)
def test_one_that_fails_is_counted_once() -> None:
    assert Client(raise_request_exception=False).get("/broken").status_code == 500
    assert (timed("broken"), answered(500, "broken")) == (1, 1)


def test_the_length_that_a_stranger_claims_is_not_read() -> None:
    answer = Middleware(lambda request: HttpResponse())(RequestFactory().get("/", CONTENT_LENGTH="a lot"))
    assert answer.status_code == 200


def test_nothing_else_of_the_library_is_kept() -> None:
    Middleware(lambda request: HttpResponse())
    there = {metric.name for metric in measures.REGISTRY.collect() if metric.name.startswith("django_")}
    assert there == set(KEPT)
