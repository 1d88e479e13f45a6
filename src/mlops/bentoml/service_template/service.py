"""The entry for BentoML itself: `bentoml build`, `bentoml serve`, its containers. The deployer serves by serve.py."""

import os

import bentoml
from bentoml._internal.server.http import instruments

from model_deployer_serving import serving_limits as limits
from model_deployer_serving.scoring_app import ScoringApp

scoring = ScoringApp(os.path.dirname(os.path.abspath(__file__)))


class KnownPathsMetrics(instruments.RunnerTrafficMetricsMiddleware):
    async def __call__(self, scope, receive, send):
        is_counted = scope["type"] == "http" and scoring.is_counted(scope)
        await (super().__call__(scope, receive, send) if is_counted else self.app(scope, receive, send))


instruments.RunnerTrafficMetricsMiddleware = KnownPathsMetrics
# Beyond our own limits, which answer in our own form.
TRAFFIC = {"timeout": limits.BODY_SECONDS + limits.PREDICTION_SECONDS + 10}


# One line a request in the server's log would fill the disk; predictions have a bounded log of their own.
@bentoml.service(name="model_service", workers=1, traffic=TRAFFIC, logging={"access": {"enabled": False}})
@bentoml.asgi_app(scoring.app, path="/")
class ModelService:
    def __init__(self):
        scoring.prepare()

    async def __is_ready__(self):
        return scoring.is_ready()
