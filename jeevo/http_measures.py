"""Requests by view and status, by django-prometheus: the two figures of its middleware that answer a question here.

Its others repeat these, or count what an operator has no use for; each would cost every webhook some microseconds and
every scrape its lines. A view's label is the name of its URL, so no address and nothing that a person wrote.
"""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import Metrics, PrometheusAfterMiddleware

from jeevo.measures import REGISTRY

KEPT = ("django_http_requests_latency_seconds_by_view_method", "django_http_responses_total_by_status_view_method")
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class _Unkept:
    def labels(self, **_: str) -> _Unkept:
        return self

    def inc(self) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


class KeptMetrics(Metrics):
    def register_metric(self, metric_cls: Any, name: str, documentation: str, labelnames: Any = (), **options: Any) -> Any:
        if name not in KEPT:
            return _Unkept()
        if "buckets" in options:
            options["buckets"] = BUCKETS
        return metric_cls(name, documentation, labelnames=labelnames, registry=REGISTRY, **options)


class HttpMeasures(PrometheusAfterMiddleware):
    metrics_cls = KeptMetrics

    def process_request(self, request: HttpRequest) -> None:
        # Where its other methods look for it.
        request.prometheus_after_middleware_event = time.perf_counter()  # type: ignore[attr-defined]

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Its response with status 500 is counted; the library would count the request twice."""

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: str) -> Any:
        if "method" in labels:
            # A stranger may give a method any name.
            labels["method"] = str(self._method(request))  # type: ignore[no-untyped-call]
        return metric.labels(**labels) if labels else metric
