"""Prometheus figures of the requests, by the names, labels and buckets that BentoML 1.4 has for a service of its own.

A scrape sees one process, so that none of Prometheus' files for several processes is needed; when that process started
tells one life of the figures from the next. The deployer's own readiness checks are no traffic and not counted.
"""

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from starlette.responses import Response

NAMESPACE = "bentoml_service"
RUNNER_NAME = "model_service"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0)
disable_created_metrics()
SERVICE = ["service_name", "service_version", "runner_name"]


class TrafficMetrics:
    """An ASGI application around another one; `is_counted(scope)` tells which requests have figures."""

    def __init__(self, app, bento_tag, is_counted):
        name, _, version = bento_tag.partition(":")
        self._app = app
        self._is_counted = is_counted
        self._service = {"service_name": name, "service_version": version, "runner_name": RUNNER_NAME}
        self._registry = CollectorRegistry()
        answered = ["endpoint", "http_response_code", *SERVICE]
        self._durations = self._figure(Histogram, "request_duration_seconds", answered, buckets=SECONDS)
        self._total = self._figure(Counter, "request_total", answered)
        self._in_progress = self._figure(Gauge, "request_in_progress", ["endpoint", *SERVICE])
        self._last = self._figure(Gauge, "last_request_timestamp_seconds", SERVICE).labels(**self._service)
        started = Gauge("process_start_time_seconds", "when this process began to count", registry=self._registry)
        started.set_to_current_time()
        # Of each endpoint, and of each of its statuses: to find them by their labels costs more than to count.
        self._counting = {}
        self._answered = {}

    def _figure(self, kind, name, labels, **options):
        text = name.replace("_", " ")
        return kind(name, text, labels, namespace=NAMESPACE, registry=self._registry, **options)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not self._is_counted(scope):
            await self._app(scope, receive, send)
            return
        endpoint = scope["path"]
        started = time.perf_counter()
        self._last.set_to_current_time()
        in_progress = self._counting.get(endpoint)
        if in_progress is None:
            in_progress = self._counting[endpoint] = self._in_progress.labels(endpoint=endpoint, **self._service)
        status = None

        async def watched_send(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                total, durations = self._figures_of(endpoint, status)
                total.inc()
                durations.observe(time.perf_counter() - started)
            await send(message)

        in_progress.inc()
        try:
            await self._app(scope, receive, watched_send)
        finally:
            in_progress.dec()

    def _figures_of(self, endpoint, status):
        known = self._answered.get((endpoint, status))
        if known is None:
            labels = {"endpoint": endpoint, "http_response_code": status, **self._service}
            known = self._answered[(endpoint, status)] = (self._total.labels(**labels), self._durations.labels(**labels))
        return known

    async def scrape(self, _request):
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
