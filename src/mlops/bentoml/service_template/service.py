"""The service that every bento of the deployer holds. Its values stand in service.json beside it.

POST /predict      the pipeline's contract
POST /invocations  MLflow's scoring protocol
GET  /info         which bento, artifact and deployment answers
GET  /sample       a scoring request that this model should be able to answer
GET  /health       whether it would take a request, and what its predictions do; told by the event loop alone

Environment: MODEL_DEPLOYER_DEPLOYMENT_ID, MODEL_DEPLOYER_PREDICTION_LOG (a path; unset writes no log),
MODEL_DEPLOYER_PREDICTION_THREADS.
"""

import json
import os
import sys
import time
import traceback
from functools import partial
from datetime import datetime, timezone

import bentoml
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from model_input import BadInput, PredictRequest, from_features, from_invocation
from model_runtime import ModelRuntime, blames_input, has_no_json, read_description
from prediction_log import PredictionLog
from prediction_pool import Busy, HungUp, PredictionPool, TooLong

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL_DIRECTORY = os.path.join(HERE, "model")
PREPROCESSING_DIRECTORY = os.path.join(HERE, "preprocessing")
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_LOGGED_ROWS = 32
QUEUE = 64
PREDICTION_SECONDS = 14.0
RETRY_AFTER = {"retry-after": "1"}
DEPLOYMENT_ID = os.environ.get("MODEL_DEPLOYER_DEPLOYMENT_ID", "")
# Sent by the deployer's own readiness checks with the deployment id, so that they don't count as predictions.
PROBE_HEADER = "x-model-deployer-probe"

with open(os.path.join(HERE, "service.json"), encoding="utf-8") as settings_file:
    SETTINGS = json.load(settings_file)
# Here and not only when the model is loaded, so that `bentoml build` refuses what could never be served.
read_description(MODEL_DIRECTORY)

prediction_log = PredictionLog(os.environ.get("MODEL_DEPLOYER_PREDICTION_LOG"))
pool = PredictionPool(int(os.environ.get("MODEL_DEPLOYER_PREDICTION_THREADS", "8")), QUEUE, PREDICTION_SECONDS)
loaded = {}


class TooLarge(Exception):
    pass


def answer(content, status=200, headers=None):
    body = json.dumps(content, separators=(",", ":"), allow_nan=False, default=str).encode("utf-8")
    return Response(body, status, headers, "application/json")


async def read_body(request):
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def predict_one(runtime, body):
    """Returns (answer, prediction, score)."""
    wanted = PredictRequest(body)
    given = from_features(wanted.features, runtime.schema)
    predictions, probabilities = guarded(given, runtime.predict_with_probabilities)
    prediction = predictions[0]
    row = probabilities[0] if probabilities is not None else None
    content = {
        "prediction": prediction,
        "probabilities": row if wanted.return_proba else None,
        "classes": runtime.classes if wanted.return_proba and row is not None else None,
        "model_type": runtime.model_type,
        "model_version": SETTINGS["model_version"],
        "features_used": given.names or list(wanted.features),
    }
    # A model without probabilities has no confidence to state: the key is left out, and the caller's default holds.
    if row is not None:
        content["confidence"] = max(row)
    return content, prediction, score_of(prediction, row)


def predict_many(runtime, body):
    given = from_invocation(body, runtime.schema)
    predictions = guarded(given, runtime.predict)
    logged = predictions[0] if given.rows == 1 else predictions[:MAX_LOGGED_ROWS]
    return {"predictions": predictions}, logged, score_of(logged, None)


def guarded(given, call):
    try:
        outcome = call(given)
    except Exception as error:
        if blames_input(error, given.checked):
            raise BadInput(f"the model does not take these values: {first_line(error)}") from error
        raise
    for values in outcome if isinstance(outcome, tuple) else (outcome,):
        if has_no_json(values):
            raise ArithmeticError("the model answered with a number that is not finite")
    return outcome


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def report(error):
    """The traceback to standard error, at most one a second: a model that fails on each request must not fill the disk.

    The bar keeps it apart from the errors of a start, which the deployer looks for at the beginning of lines.
    """
    now = time.monotonic()
    if now - loaded.get("reported_at", -1.0) < 1.0:
        return
    loaded["reported_at"] = now
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    print("\n".join(f"prediction | {line}" for line in text.splitlines()), file=sys.stderr, flush=True)


def score_of(prediction, probabilities):
    """One number to compare two models by: the last class's probability of two, the largest of more, or the value."""
    if probabilities is not None:
        return probabilities[-1] if len(probabilities) == 2 else max(probabilities)
    is_number = isinstance(prediction, (int, float)) and not isinstance(prediction, bool)
    return float(prediction) if is_number else None


def carry_out(work, body, request_id, is_probe):
    """In a thread: the prediction, its line in the log, and always an answer."""
    started, arrived = time.perf_counter(), datetime.now(timezone.utc)
    prediction = score = None
    try:
        content, prediction, score = work(loaded["runtime"], body)
        response = answer(content)
    except BadInput as error:
        response = answer({"error": str(error)}, 400)
    except Exception as error:
        report(error)
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
        try:
            body = await read_body(request)
        except TooLarge:
            return answer({"error": f"the body is larger than {MAX_BODY_BYTES} bytes"}, 413)
        request_id = request.headers.get("x-request-id", "")[:200] or None
        is_probe = DEPLOYMENT_ID != "" and request.headers.get(PROBE_HEADER) == DEPLOYMENT_ID
        try:
            call = partial(carry_out, work, body, request_id, is_probe)
            return await pool.run(call, partial(hung_up, request))
        except Busy:
            return answer({"error": f"all {pool.threads} prediction threads are taken: try again"}, 503, RETRY_AFTER)
        except TooLong:
            return answer({"error": f"the prediction took longer than {pool.seconds:g} s"}, 504)
        except HungUp:
            return Response(status_code=499)

    return handle


async def hung_up(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def health(request):
    predictions = pool.figures()
    return answer(
        {
            "deployment_id": DEPLOYMENT_ID or None,
            "bento_tag": SETTINGS["bento_tag"],
            "ready": "runtime" in loaded and predictions["hung"] < predictions["threads"],
            "predictions": predictions,
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


app = Starlette(
    routes=[
        Route("/predict", handler_of(predict_one), methods=["POST"]),
        Route("/invocations", handler_of(predict_many), methods=["POST"]),
        Route("/info", info, methods=["GET"]),
        Route("/sample", sample, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ]
)


# One line a request in the server's log would fill the disk; predictions have a bounded log of their own.
@bentoml.service(name="model_service", workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
@bentoml.asgi_app(app, path="/")
class ModelService:
    def __init__(self):
        has_preprocessing = os.path.isdir(PREPROCESSING_DIRECTORY)
        loaded["runtime"] = ModelRuntime(MODEL_DIRECTORY, PREPROCESSING_DIRECTORY if has_preprocessing else None)
