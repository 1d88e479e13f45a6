"""From a connection to a prediction and its answer: the body within its bounds, a thread, a line in the log."""

import time
from functools import partial

from .. import serving_limits as limits
from ..kept_rows import KeptRows
from ..model.mlflow_adapter import ModelFailed, status_of
from ..prediction_pool import Busy, HungUp, PredictionPool, TooLong
from ..refusal import BadInput, NotEncodable, error_content, first_line
from .arriving_body import ArrivingBodies, Disconnected, TooLarge, TooLate
from .exchange import PROBE_HEADER, Answer, Request, marks_of
from .request_body import unpacked

RETRY_AFTER = {"retry-after": "1"}
CLOSING = {"connection": "close"}


class RequestIntake:
    """Makes ASGI handlers of what predicts: `work(runtime, body, content_type, model_version)`."""

    def __init__(self, settings, deployment_id, prediction_log, process_log, secret):
        self.runtime = None
        self.arrays = None
        self.pool = PredictionPool(limits.PREDICTION_THREADS, limits.PREDICTION_QUEUE, limits.PREDICTION_SECONDS)
        self._model_version = settings["model_version"]
        self._deployment_id = deployment_id
        self._prediction_log = prediction_log
        self._kept_rows = KeptRows(prediction_log.folder)
        self._process_log = process_log
        self._secret = secret
        self._bodies = ArrivingBodies()

    def use(self, runtime):
        self.runtime = runtime
        if runtime.arrays is not None:
            from ..arrays.array_answers import ArrayAnswers

            self.arrays = ArrayAnswers(runtime, self._model_version)

    def call(self, work, body, content_type):
        """(the answer's JSON, prediction, score). Raises BadInput, ModelFailed or NotEncodable."""
        if self.arrays is not None:
            asked = self.arrays.read(work, body, content_type)
            if asked is not None:
                try:
                    return self.arrays.of([asked])[0]
                except Exception:
                    pass  # which the slow way raises again, in the model's own words
        return work(self.runtime, body, content_type, self._model_version)

    def handler_of(self, work):
        async def handle(scope, receive, send):
            chunks = []
            try:
                answer = await self._answered(work, scope, receive, chunks)
                await answer(scope, receive, send)
            finally:
                self._bodies.let_go(chunks)

        return handle

    async def _answered(self, work, scope, receive, chunks):
        try:
            await self._bodies.read(receive, chunks)
            request = Request(work, b"".join(chunks), scope["headers"], scope["path"])
            watch = partial(hung_up, receive)
            if self._goes_with_others(request):
                return await self.pool.run(request, watch, together=self._carry_out_together)
            return await self.pool.run(partial(self._carry_out, request), watch)
        except TooLarge:
            sentence = f"the body is larger than {limits.MAX_BODY_BYTES} bytes"
            return self._refuse(413, "BODY_TOO_LARGE", sentence, CLOSING)
        except TooLate:
            sentence = f"the body did not arrive within {limits.BODY_SECONDS:g} s"
            return self._refuse(408, "BODY_TOO_LATE", sentence, CLOSING)
        except Busy:
            sentence = f"all {self.pool.threads} prediction threads are taken: try again"
            return self._refuse(503, "TEMPORARILY_UNAVAILABLE", sentence, {**RETRY_AFTER, **CLOSING})
        except TooLong:
            sentence = f"no prediction within MODEL_DEPLOYER_PREDICTION_SECONDS={self.pool.seconds:g}"
            return self._refuse(504, "PREDICTION_TOO_LONG", sentence)
        except (HungUp, Disconnected):
            self._process_log.report("hung_up", "a caller hung up before its answer")
            return Answer("", 499)

    def _refuse(self, status, code, sentence, headers=None):
        """An answer to a request that no prediction was made for, and its place in the log."""
        self._process_log.report(f"answered_{status}", sentence)
        return Answer(error_content(code, sentence), status, headers)

    def _goes_with_others(self, request):
        """A request of one row of numbers, read here: its thread then has nothing to do but to predict."""
        arrays = self.arrays
        if arrays is None or not arrays.takes_several or request.encoding or len(request.body) > arrays.TOGETHER_BYTES:
            return False
        request.asked = arrays.read(request.work, request.body, request.content_type)
        return request.asked is not None and len(request.asked.rows) == 1

    def _carry_out_together(self, requests):
        """In a thread: the answers of several, each as it would be by itself."""
        for request in requests:
            request.begin()
        try:
            told = self.arrays.of([request.asked for request in requests])
        except Exception:
            return [self._carry_out(request) for request in requests]
        return [self._logged(request, Answer(*found[:1]), *found[1:]) for request, found in zip(requests, told)]

    def _carry_out(self, request):
        """In a thread: the prediction, its line in the log, and always an answer."""
        request.begin()
        prediction = score = None
        try:
            body = unpacked(request.body, request.encoding, limits.MAX_BODY_BYTES)
            content, prediction, score = self.call(request.work, body, request.content_type)
            answer = Answer(content)
        except BadInput as error:
            self._process_log.report(f"answered_{error.status}", str(error))
            answer = Answer(error.content(), error.status)
        except Exception as error:
            answer = self._failed(error)
        return self._logged(request, answer, prediction, score)

    def is_probe(self, headers):
        """Whether the deployer has sent this to see that the server answers."""
        return any(name == PROBE_HEADER for name, _ in headers) and self._is_own(*marks_of(dict(reversed(headers))))

    def _is_own(self, probe, secret):
        return self._deployment_id != "" and probe == self._deployment_id and self._secret.is_told(secret)

    def _logged(self, request, answer, prediction, score):
        if not self._is_own(request.probe, request.secret):
            entry = {
                "x_request_id": request.request_id,
                "deployment_id": self._deployment_id,
                "time": request.began.isoformat(timespec="milliseconds"),
                "status": answer.status,
                "latency_ms": round((time.perf_counter() - request.started) * 1000, 3),
                "prediction": prediction,
                "score": score,
            }
            row = self._kept_rows.of(request)
            self._prediction_log.append(entry if row is None else {**entry, "row": row})
        return answer

    def _failed(self, error):
        if isinstance(error, NotEncodable):
            self._process_log.report("not_encodable", str(error), error)
            sentence = f"the model's answer has no form in JSON: {error}"
            return Answer(error_content("ANSWER_NOT_ENCODABLE", sentence, error_type=cause_of(error)), 500)
        raised = error.__cause__ if isinstance(error, ModelFailed) and error.__cause__ is not None else error
        chosen = status_of(raised)
        kind = type(raised).__name__
        if chosen is not None and chosen[0] < 500:
            self._process_log.report(f"answered_{chosen[0]}", first_line(raised))
            return Answer(error_content(chosen[1], first_line(raised), error_type=kind), chosen[0])
        self._process_log.report("model_failed", first_line(raised), raised)
        sentence = f"the model failed: {kind}: {first_line(raised)}"
        return Answer(error_content("MODEL_FAILED", sentence, error_type=kind), 500)


def cause_of(error):
    return type(error.__cause__ or error).__name__


async def hung_up(receive):
    while (await receive())["type"] != "http.disconnect":
        pass
