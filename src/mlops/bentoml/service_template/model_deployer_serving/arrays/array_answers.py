"""From arrays of one or several requests to the answer of each, letter by letter what the slow way writes."""

import json

import numpy

from ..model.predictions import JSON, as_logged, predict_many, predict_one, score_of

class Asked:
    """`rows` is an array; `is_one` tells the pipeline's contract from MLflow's protocol."""

    __slots__ = ("is_one", "return_proba", "rows")

    def __init__(self, rows, is_one, return_proba=True):
        self.rows = rows
        self.is_one = is_one
        self.return_proba = return_proba


class NotByArrays(Exception):
    """The slow way must answer: an answer is no number, or has no form in JSON."""


class ArrayAnswers:
    # A larger body is read and predicted by itself, in a thread.
    TOGETHER_BYTES = 64 * 1024

    def __init__(self, runtime, model_version):
        self._requests, self._model = runtime.arrays
        self.takes_several = self._model.takes_several
        classes = getattr(runtime.classes, "tolist", lambda: None)()
        told = {"model_type": runtime.model_type, "model_version": model_version, "features_used": runtime.names}
        self._classes, self._told = json.dumps(classes), json.dumps(told)[1:-1]

    def read(self, work, body, content_type):
        """What `work` would be asked; None where the request is for the slow way."""
        if work is predict_one:
            row = self._requests.one(body)
            return None if row is None else Asked(row[0], True, row[1])
        if work is not predict_many or (content_type or JSON) != JSON:
            return None
        rows = self._requests.many(body)
        return None if rows is None else Asked(rows, False)

    def of(self, asked):
        """[(the answer's JSON, prediction, score)] in the order of `asked`; several have one row each.

        Raises NotByArrays, or what the model raises.
        """
        rows = asked[0].rows if len(asked) == 1 else numpy.concatenate([one.rows for one in asked])
        predictions, probabilities = self._model.predict(rows, len(asked) > 1)
        for numbers in (predictions, probabilities):
            if numbers is not None and numbers.dtype.kind == "f" and not numpy.isfinite(numbers).all():
                raise NotByArrays
        predictions = predictions.tolist()
        answers, at = [], 0
        for one in asked:
            upto = at + len(one.rows)
            if one.is_one:
                shares = None if probabilities is None else probabilities[at].tolist()
                answers.append(self._one(predictions[at], shares, one.return_proba))
            else:
                answers.append(self._many(predictions[at:upto]))
            at = upto
        return answers

    def _one(self, prediction, shares, return_proba):
        is_shown = shares is not None and return_proba
        told = json.dumps(shares) if is_shown else "null"
        text = f'"prediction": {_json(prediction)}, "probabilities": {told}'
        text += f', "classes": {self._classes if is_shown else "null"}, {self._told}'
        if shares is not None:
            text += f', "confidence": {max(shares)!r}'
        return "{" + text + "}", prediction, score_of(prediction, shares)

    def _many(self, predictions):
        logged = as_logged(predictions)
        return '{"predictions": ' + _json(predictions) + "}", logged, score_of(logged, None)


def _json(value):
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise NotByArrays from error
