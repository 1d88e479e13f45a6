"""A request to predict from, and the answer to one."""

import json
import time
from datetime import datetime, timezone

from ..deployers_secret import SECRET_HEADER

# Sent by the deployer's own readiness checks with the deployment id, so that they don't count as predictions.
PROBE_HEADER = b"x-model-deployer-probe"


class Answer:
    """An ASGI application that answers one request. `content` is JSON's text, or what can be written as such."""

    def __init__(self, content, status=200, headers=None):
        text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), allow_nan=False)
        self.status = status
        self._body = text.encode("utf-8")
        self._headers = [(b"content-length", b"%d" % len(self._body)), (b"content-type", b"application/json")]
        for name, value in (headers or {}).items():
            self._headers.append((name.encode("latin-1"), value.encode("latin-1")))

    async def __call__(self, _scope, _receive, send):
        await send({"type": "http.response.start", "status": self.status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


class Request:
    """One to predict from: what of its headers matters, and when its prediction began."""

    __slots__ = (
        *("work", "body", "content_type", "encoding", "request_id", "probe", "secret", "path"),
        *("asked", "began", "started"),
    )

    def __init__(self, work, body, headers, path=""):
        # Of several by one name the first counts.
        told = dict(reversed(headers))
        self.work = work
        self.body = body
        self.content_type = _text(told, b"content-type") or None
        self.encoding = _text(told, b"content-encoding").strip().lower()
        self.request_id = _text(told, b"x-request-id")[:200] or None
        self.probe, self.secret = marks_of(told)
        self.path = path
        self.asked = None

    def begin(self):
        self.began = datetime.now(timezone.utc)
        self.started = time.perf_counter()


def marks_of(told):
    """(the deployment that a probe is for or "", the secret that came with it)."""
    return _text(told, PROBE_HEADER), told.get(SECRET_HEADER, b"")


def _text(headers, name):
    return headers.get(name, b"").decode("latin-1")
