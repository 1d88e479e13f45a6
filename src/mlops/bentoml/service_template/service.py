"""The service that every bento of the deployer holds. Its values stand in service.json beside it.

POST /predict      the pipeline's contract
POST /invocations  MLflow's scoring protocol
GET  /info         which bento, artifact and deployment answers
GET  /sample       a scoring request that this model should be able to answer
GET  /health       whether it would take a request, and what its predictions do; told by the event loop alone

Environment: MODEL_DEPLOYER_DEPLOYMENT_ID, MODEL_DEPLOYER_PREDICTION_LOG and MODEL_DEPLOYER_PROCESS_LOG (paths; unset
writes or bounds none), MODEL_DEPLOYER_WORKING_DIRECTORY (where the model runs), and what serving_limits.py reads.
"""

import asyncio
import contextlib
import json
import os
import time
from datetime import datetime, timezone
from functools import partial

import bentoml
from bentoml._internal.server.http import instruments
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from model_input import BadInput
from model_runtime import ModelRuntime, read_description, read_example
from prediction_log import PredictionLog
from prediction_pool import Busy, HungUp, PredictionPool, TooLong
from predictions import first_line, predict_many, predict_one
from process_log import ProcessLog, keep_bounded, thin_libraries
import serving_limits as limits

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL_DIRECTORY = os.path.join(HERE, "model")
PREPROCESSING_DIRECTORY = os.path.join(HERE, "preprocessing")
HAS_PREPROCESSING = os.path.isdir(PREPROCESSING_DIRECTORY)
DEPLOYMENT_ID = os.environ.get("MODEL_DEPLOYER_DEPLOYMENT_ID", "")
# Sent by the deployer's own readiness checks with the deployment id, so that they don't count as predictions.
PROBE_HEADER = "x-model-deployer-probe"
RETRY_AFTER = {"retry-after": "1"}
# What is left of the body is not waited for.
CLOSING = {"connection": "close"}
# The first prediction may take long; a start has a limit of its own.
WARM_UP_SECONDS = 86_400.0

with open(os.path.join(HERE, "service.json"), encoding="utf-8") as settings_file:
    SETTINGS = json.load(settings_file)
# Here and not only when the model is loaded, so that `bentoml build` refuses what could never be served.
read_description(MODEL_DIRECTORY)
read_example(PREPROCESSING_DIRECTORY if HAS_PREPROCESSING else MODEL_DIRECTORY)

process_log = ProcessLog()
prediction_log = PredictionLog(os.environ.get("MODEL_DEPLOYER_PREDICTION_LOG"))
pool = PredictionPool(limits.PREDICTION_THREADS, limits.PREDICTION_QUEUE, limits.PREDICTION_SECONDS)
loaded = {}
warm_up = {"state": "under_way", "seconds": None, "error": None}
held = {"bytes": 0}


class TooLarge(Exception):
    pass


def answer(content, status=200, headers=None):
    body = json.dumps(content, separators=(",", ":"), allow_nan=False, default=str).encode("utf-8")
    return Response(body, status, headers, "application/json")


def refuse(status, error, headers=None):
    """An answer to a request that no prediction was made for, and its place in the log."""
    process_log.report(f"answered_{status}", error)
    return answer({"error": error}, status, headers)


async def read_body(request, chunks):
    """Appends what arrives to `chunks`. Raises TooLarge, Busy or ClientDisconnect."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        held["bytes"] += len(chunk)
        chunks.append(chunk)
        if size > limits.MAX_BODY_BYTES:
            raise TooLarge
        if held["bytes"] > limits.MAX_HELD_BYTES:
            raise Busy


def carry_out(work, body, request_id, is_probe):
    """In a thread: the prediction, its line in the log, and always an answer."""
    started, arrived = time.perf_counter(), datetime.now(timezone.utc)
    prediction = score = None
    try:
        content, prediction, score = work(loaded["runtime"], body, SETTINGS["model_version"])
        response = answer(content)
    except BadInput as error:
        response = refuse(400, str(error))
    except Exception as error:
        process_log.report("model_failed", first_line(error), error)
        response = answer({"error": f"the model failed: {type(error).__name__}: {first_line(error)}"}, 500)
    if not is_probe:
        prediction_log.append(
            {
                "x_request_id": request_id,
                "deployment_id": DEPLOYMENT_ID,
                "time": arrived.isoformat(timespec="milliseconds"),
                "status": response.status_code,
                "latency_ms": round((time.perf_counter() - started) * 1000, 3),
                "prediction": prediction,
                "score": score,
            }
        )
    return response


def handler_of(work):
    async def handle(request):
        chunks = []
        try:
            await asyncio.wait_for(read_body(request, chunks), limits.BODY_SECONDS)
            request_id = request.headers.get("x-request-id", "")[:200] or None
            is_probe = DEPLOYMENT_ID != "" and request.headers.get(PROBE_HEADER) == DEPLOYMENT_ID
            call = partial(carry_out, work, b"".join(chunks), request_id, is_probe)
            return await pool.run(call, partial(hung_up, request))
        except TooLarge:
            return refuse(413, f"the body is larger than {limits.MAX_BODY_BYTES} bytes", CLOSING)
        except asyncio.TimeoutError:
            return refuse(408, f"the body did not arrive within {limits.BODY_SECONDS:g} s", CLOSING)
        except Busy:
            return refuse(503, f"all {pool.threads} prediction threads are taken: try again", {**RETRY_AFTER, **CLOSING})
        except TooLong:
            return refuse(504, f"no prediction within MODEL_DEPLOYER_PREDICTION_SECONDS={pool.seconds:g}")
        except (HungUp, ClientDisconnect):
            process_log.report("hung_up", "a caller hung up before its answer")
            return Response(status_code=499)
        finally:
            held["bytes"] -= sum(map(len, chunks))

    return handle


async def hung_up(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def health(request):
    predictions = pool.figures()
    is_ready = warm_up["state"] != "under_way" and predictions["hung"] < predictions["threads"]
    return answer(
        {
            "deployment_id": DEPLOYMENT_ID or None,
            "bento_tag": SETTINGS["bento_tag"],
            "ready": is_ready,
            "predictions": predictions,
            "warm_up": warm_up,
        }
    )


async def info(request):
    return answer(
        {
            "bento_tag": SETTINGS["bento_tag"],
            "artifact_digest": SETTINGS["artifact_digest"],
            "deployment_id": DEPLOYMENT_ID or None,
            "model_name": SETTINGS["model_name"],
            "model_version": SETTINGS["model_version"],
        }
    )


async def sample(request):
    content, source = loaded["runtime"].sample()
    return answer({"sample": content, "source": source})


async def predict_sample():
    """The first prediction, which may take much longer than those that follow, before any caller's."""
    started = time.monotonic()
    content, source = loaded["runtime"].sample()
    state = error = None
    try:
        if content is not None:
            call = partial(predict_many, loaded["runtime"], json.dumps(content), SETTINGS["model_version"])
            await pool.run(call, asyncio.get_running_loop().create_future, WARM_UP_SECONDS)
    except Exception as failure:
        # A made-up row may be refused by a sound model.
        if source != "schema" or not isinstance(failure, BadInput):
            state, error = "failed", f"{type(failure).__name__}: {first_line(failure)}"
            process_log.report("warm_up_failed", error, failure)
    seconds = round(time.monotonic() - started, 3)
    warm_up.update(state=state or ("no_sample" if content is None else "done"), seconds=seconds, error=error)


@contextlib.asynccontextmanager
async def lifespan(app):
    thin_libraries(process_log)
    warming = asyncio.create_task(predict_sample())
    yield
    warming.cancel()


app = Starlette(
    routes=[
        Route("/predict", handler_of(predict_one), methods=["POST"]),
        Route("/invocations", handler_of(predict_many), methods=["POST"]),
        Route("/info", info, methods=["GET"]),
        Route("/sample", sample, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ],
    lifespan=lifespan,
)


class KnownPathsMetrics(instruments.RunnerTrafficMetricsMiddleware):
    """BentoML keeps figures for each path that is asked for, on disk: those that a caller invents are not counted."""

    async def __call__(self, scope, receive, send):
        is_known = any(route.path == scope.get("path") for route in app.routes)
        await (super().__call__(scope, receive, send) if is_known else self.app(scope, receive, send))


instruments.RunnerTrafficMetricsMiddleware = KnownPathsMetrics
# Beyond our own limits, which answer in our own form.
TRAFFIC = {"timeout": limits.BODY_SECONDS + limits.PREDICTION_SECONDS + 10}


# One line a request in the server's log would fill the disk; predictions have a bounded log of their own.
@bentoml.service(name="model_service", workers=1, traffic=TRAFFIC, logging={"access": {"enabled": False}})
@bentoml.asgi_app(app, path="/")
class ModelService:
    def __init__(self):
        keep_bounded(process_log, os.environ.get("MODEL_DEPLOYER_PROCESS_LOG"), limits.LOG_BYTES, limits.LOG_FILES)
        # Not the bento's own folder, which holds the service's code.
        os.chdir(os.environ.get("MODEL_DEPLOYER_WORKING_DIRECTORY") or os.getcwd())
        loaded["runtime"] = ModelRuntime(MODEL_DIRECTORY, PREPROCESSING_DIRECTORY if HAS_PREPROCESSING else None)

    async def __is_ready__(self):
        return warm_up["state"] != "under_way"
