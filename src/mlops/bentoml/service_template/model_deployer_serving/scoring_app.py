"""What every bento of the deployer answers. Its values stand in service.json in the bento's folder.

POST /predict       the pipeline's contract
POST /invocations   MLflow's scoring protocol
     /v2            the Open Inference Protocol: health/live, health/ready, models/NAME, models/NAME/ready and /infer
GET  /openapi.json  an OpenAPI 3.1 document of all this, from the model's signature
GET  /info          which bento, artifact and deployment answers
GET  /sample        a scoring request that this model should be able to answer
GET  /health        whether it would take a request, and what its predictions do; told by the event loop alone

Environment: MODEL_DEPLOYER_DEPLOYMENT_ID, MODEL_DEPLOYER_PREDICTION_LOG and MODEL_DEPLOYER_PROCESS_LOG (paths; unset
writes or bounds none), MODEL_DEPLOYER_WORKING_DIRECTORY (where the model runs), MODEL_DEPLOYER_SERVER_SECRET (see
deployers_secret.py), and what serving_limits.py reads.
"""

import asyncio
import contextlib
import json
import os
import time
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from .deployers_secret import DeployersSecret
from .protocols import openapi
from . import serving_limits as limits
from .protocols.inference_protocol import InferenceProtocol
from .model.mlflow_adapter import ModelFailed
from .model.model_folder import read_description, read_example
from .model.model_runtime import ModelRuntime
from .prediction_log import PredictionLog
from .model.predictions import JSON, predict_many, predict_one
from .process_log import ProcessLog, keep_bounded, thin_libraries
from .refusal import BadInput, NotEncodable, error_content, first_line
from .intake.exchange import Answer
from .intake.request_intake import RequestIntake

# The first prediction may take long; a start has a limit of its own.
WARM_UP_SECONDS = 86_400.0


class DirectRoutes(Starlette):
    """Predictions go straight to their handlers, since Starlette's way to a route costs as much as a small model."""

    def __init__(self, handlers, secret, **more):
        super().__init__(**more)
        self._handlers = handlers
        self._secret = secret

    async def __call__(self, scope, receive, send):
        handle = self._handlers.get(scope.get("path")) if scope.get("method") == "POST" else None
        if handle is None:
            handle = super().__call__ if self._secret.opens(scope) else not_here
        await handle(scope, receive, send)


async def not_here(scope, receive, send):
    answer = Answer(error_content("RESOURCE_DOES_NOT_EXIST", f"{scope['path'][:200]} is not here"), 404)
    await answer(scope, receive, send)


async def unrouted(request, error):
    """The router's own refusals, in the form of all others."""
    path = request.scope["path"][:200]
    if error.status_code == 404:
        return Answer(error_content("RESOURCE_DOES_NOT_EXIST", f"{path} is not here"), 404)
    allowed = (error.headers or {}).get("Allow", "")
    return Answer(error_content("METHOD_NOT_ALLOWED", f"{path} takes {allowed}"), error.status_code, {"allow": allowed})


class Posted:
    """An endpoint that Starlette takes for the ASGI application that it is."""

    def __init__(self, handle):
        self.handle = handle

    async def __call__(self, scope, receive, send):
        await self.handle(scope, receive, send)


class ScoringApp:
    """`app` is an ASGI application; its model is loaded by `prepare`."""

    def __init__(self, directory):
        self._model_directory = os.path.join(directory, "model")
        preprocessing = os.path.join(directory, "preprocessing")
        self._preprocessing_directory = preprocessing if os.path.isdir(preprocessing) else None
        with open(os.path.join(directory, "service.json"), encoding="utf-8") as settings_file:
            self.settings = json.load(settings_file)
        # Here and not only when the model is loaded, so that `bentoml build` refuses what could never be served.
        self._protocol = InferenceProtocol(self.settings, read_description(self._model_directory))
        read_example(self._preprocessing_directory or self._model_directory)
        self._deployment_id = os.environ.get("MODEL_DEPLOYER_DEPLOYMENT_ID", "")
        self._process_log = ProcessLog()
        prediction_log = PredictionLog(os.environ.get("MODEL_DEPLOYER_PREDICTION_LOG"))
        secret = DeployersSecret()
        self.intake = RequestIntake(self.settings, self._deployment_id, prediction_log, self._process_log, secret)
        self._warm_up = {"state": "under_way", "seconds": None, "error": None}
        self._inferring = {f"{path}/infer": self._protocol.infer for path in self._protocol.paths}
        self._protocol_paths = self._told_by_protocol()
        predicting = {"/predict": predict_one, "/invocations": predict_many, **self._inferring}
        handlers = {path: self.intake.handler_of(work) for path, work in predicting.items()}
        self.app = DirectRoutes(
            handlers,
            secret,
            routes=self._routes(handlers),
            lifespan=self._lifespan,
            exception_handlers={HTTPException: unrouted},
        )
        self._paths = frozenset((*(route.path for route in self.app.routes), *handlers, *self._protocol_paths))

    def prepare(self):
        """Bounds the process's log, leaves the bento's own folder, which holds the service's code, and loads the model."""
        path = os.environ.get("MODEL_DEPLOYER_PROCESS_LOG")
        keep_bounded(self._process_log, path, limits.LOG_BYTES, limits.LOG_FILES)
        os.chdir(os.environ.get("MODEL_DEPLOYER_WORKING_DIRECTORY") or os.getcwd())
        self.load()

    def load(self):
        self.intake.use(ModelRuntime(self._model_directory, self._preprocessing_directory))

    def is_ready(self):
        return self._warm_up["state"] != "under_way"

    def is_counted(self, scope):
        """Figures are kept for each path that is asked for: neither those that a caller invents, nor the deployer's checks."""
        return scope["path"] in self._paths and not self.intake.is_probe(scope["headers"])

    def _routes(self, handlers):
        telling = {"/info": self._info, "/sample": self._sample, "/health": self._health, "/openapi.json": self._openapi}
        own = [path for path in handlers if not path.startswith("/v2/")]
        return [
            *(Route(path, Posted(handlers[path]), methods=["POST"]) for path in own),
            *(Route(path, tell, methods=["GET"]) for path, tell in telling.items()),
            *(Route(path, self._by_protocol, methods=["GET", "POST"]) for path in ("/v2", "/v2/{rest:path}")),
        ]

    async def _by_protocol(self, request):
        """What the Open Inference Protocol asks for, by the whole path: a model's name may hold anything."""
        path = request.scope["path"]
        if path in self._inferring or (path in self._protocol_paths and request.method != "GET"):
            allowed = "POST" if path in self._inferring else "GET"
            return Answer(error_content("METHOD_NOT_ALLOWED", f"{path[:200]} takes {allowed}"), 405, {"allow": allowed})
        tell = self._protocol_paths.get(path)
        if tell is not None:
            return tell()
        name = self.settings["model_name"]
        return Answer(error_content("RESOURCE_DOES_NOT_EXIST", f"{path[:200]} is not here: the model is {name}"), 404)

    def _told_by_protocol(self):
        name = {"name": self.settings["model_name"]}
        told = {"/v2": self._server, "/v2/health/live": self._live, "/v2/health/ready": self._ready}
        for path in self._protocol.paths:
            told |= {path: self._metadata, f"{path}/ready": partial(self._ready, name)}
        return told

    def _server(self):
        return Answer({"name": "model_deployer", "version": self.settings["bento_tag"], "extensions": []})

    def _live(self):
        return Answer({"live": True})

    def _ready(self, told=None):
        is_ready = self.is_ready()
        return Answer({**(told or {}), "ready": is_ready}, 200 if is_ready else 503)

    def _metadata(self):
        return Answer(self._protocol.metadata(self.intake.runtime))

    async def _openapi(self, _request):
        return Answer(openapi.document(self.settings, self.intake.runtime, self._protocol))

    async def _health(self, _request):
        predictions = self.intake.pool.figures()
        return Answer(
            {
                "deployment_id": self._deployment_id or None,
                "bento_tag": self.settings["bento_tag"],
                "ready": self.is_ready() and predictions["hung"] < predictions["threads"],
                "predictions": predictions,
                "warm_up": self._warm_up,
            }
        )

    async def _info(self, _request):
        told = ("bento_tag", "artifact_digest", "model_name", "model_version")
        return Answer({**{key: self.settings[key] for key in told}, "deployment_id": self._deployment_id or None})

    async def _sample(self, _request):
        content, source = self.intake.runtime.sample()
        return Answer({"sample": content, "source": source})

    async def _predict_sample(self):
        """The first prediction, which may take much longer than those that follow, before any caller's."""
        started = time.monotonic()
        content, source = self.intake.runtime.sample()
        state = error = None
        try:
            if content is not None:
                await self._warmed_up(predict_many, content)
                await self._predict_probabilities()
        except Exception as failure:
            # A made-up row may be refused by a sound model.
            if source != "schema" or not isinstance(failure, (BadInput, ModelFailed)):
                raised = failure.__cause__ if isinstance(failure, ModelFailed) else failure
                state, error = "failed", f"{type(raised).__name__}: {first_line(raised)}"
                self._process_log.report("warm_up_failed", error, raised)
        seconds = round(time.monotonic() - started, 3)
        self._warm_up.update(state=state or ("no_sample" if content is None else "done"), seconds=seconds, error=error)

    async def _predict_probabilities(self):
        """The pipeline's contract asks for them too, which may import what a prediction alone does not."""
        features = self.intake.runtime.sample_with_probabilities()
        try:
            if features is not None:
                await self._warmed_up(predict_one, {"features": features})
        except (BadInput, ModelFailed, NotEncodable) as failure:
            # The model has answered its sample by then; not every model keeps this contract.
            self._process_log.report("probabilities_failed", first_line(failure.__cause__ or failure), failure)

    async def _warmed_up(self, work, content):
        call = partial(self.intake.call, work, json.dumps(content), JSON)
        await self.intake.pool.run(call, asyncio.get_running_loop().create_future, WARM_UP_SECONDS)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app):
        thin_libraries(self._process_log)
        warming = asyncio.create_task(self._predict_sample())
        yield
        warming.cancel()
