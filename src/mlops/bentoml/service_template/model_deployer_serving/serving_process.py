"""The process that answers: the service's application, and BentoML's own /livez, /healthz, /readyz and /metrics.

Bodies, metric names and labels are those of `bentoml serve`, but for a path that nothing answers; no bentoml is needed at
run time.
"""

import asyncio
import gc
import logging
import os
import socket

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from . import deployers_secret
from .scoring_app import ScoringApp
from .traffic_metrics import TrafficMetrics


# A router's threads learn of a new route one after another; a server that is told to end answers until none asks any more.
SETTLING_SECONDS = 0.3
MAX_SETTLING_SECONDS = 5.0
# The router ends idle connections itself, far sooner: a process that stood still must not end one that a request waits in.
KEEP_ALIVE_SECONDS = 75


async def alive(_request):
    return PlainTextResponse("\n")


def answer_requests(listener, backlog, graceful_seconds, tell_ready):
    """Loads the model, listens, and returns when it was told to end and what was under way has its answer."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    scoring = ScoringApp(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    metrics = TrafficMetrics(scoring.app, scoring.settings["bento_tag"], scoring.is_counted)
    # What the model prints, or starts, does not have it.
    os.environ.pop(deployers_secret.VARIABLE, None)
    scoring.prepare()
    # What was loaded stays, and is never looked through again.
    gc.freeze()
    gc.enable()

    async def ready(_request):
        return PlainTextResponse("\n", 200 if scoring.is_ready() else 503)

    own = [("/livez", alive), ("/healthz", alive), ("/readyz", ready), ("/metrics", metrics.scrape)]
    scoring.app.routes.extend(Route(path, answer, methods=["GET"]) for path, answer in own)
    config = uvicorn.Config(
        metrics,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=backlog,
        timeout_graceful_shutdown=graceful_seconds,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    listener.listen(backlog)
    tell_ready()
    SettlingServer(config).run(sockets=[listener])


class SettlingServer(uvicorn.Server):
    """Closes its listener and its idle connections once no request has come for a moment."""

    async def shutdown(self, sockets=None):
        logging.info("told to end: answers whoever asks it still")
        now = asyncio.get_running_loop().time
        last = now() + MAX_SETTLING_SECONDS
        answered = -1
        while now() < last and not self.force_exit and (answered != self.answered or self.is_asked):
            answered = self.answered
            await asyncio.sleep(SETTLING_SECONDS)
        for listener in sockets or []:
            # The supervisor has it too: closed here alone, it would take connections that nobody answers.
            listener.shutdown(socket.SHUT_RDWR)
        await super().shutdown(sockets)

    @property
    def answered(self):
        return self.server_state.total_requests

    @property
    def is_asked(self):
        """Whether somebody has a connection whose first request is still to be read."""
        return any(connection.cycle is None for connection in self.server_state.connections)
