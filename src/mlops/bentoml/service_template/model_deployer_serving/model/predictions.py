"""A request's body to its answer, its prediction and its score: the pipeline's contract and MLflow's scoring protocol."""

import json

from .mlflow_adapter import as_json, encoded
from ..refusal import BadInput, NotEncodable, first_line
from ..intake.request_body import PredictRequest, parse_json

MAX_LOGGED_ROWS = 32
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"


def predict_one(runtime, body, _content_type, model_version):
    """Returns (the answer's JSON, prediction, score). Raises BadInput, ModelFailed or NotEncodable."""
    wanted = PredictRequest(body)
    predictions, probabilities = runtime.scored_features(wanted.features)
    prediction = first_of(as_rows(predictions))
    row = None if probabilities is None else of_first_row(probabilities)
    content = {
        "prediction": prediction,
        "probabilities": row if wanted.return_proba else None,
        "classes": plain(runtime.classes) if wanted.return_proba and row is not None else None,
        "model_type": runtime.model_type,
        "model_version": model_version,
        "features_used": runtime.names or list(wanted.features),
    }
    # A model without probabilities has no confidence to state, and one of several outputs none that is one number: the
    # key is left out, and the caller's default holds.
    is_one = row is not None and not isinstance(row[0], list)
    if is_one:
        content["confidence"] = max(row)
    return as_text(content), prediction, score_of(prediction, row if is_one else None)


def predict_many(runtime, body, content_type, _model_version):
    raw, is_wrapped = scored(runtime, body, content_type)
    predictions, text = encoded(raw, is_wrapped)
    logged = plain(as_logged(predictions))
    return text, logged, score_of(logged, None)


def as_logged(predictions):
    """The one of a single row, the first few of many."""
    if not isinstance(predictions, list):
        return predictions
    return predictions[0] if len(predictions) == 1 else predictions[:MAX_LOGGED_ROWS]


def scored(runtime, body, content_type):
    kind, parameters = _media_type(content_type)
    if kind not in (JSON, CSV, PARQUET):
        sentence = f'the content type "{kind[:80]}" is not supported: send {JSON}, {CSV} or {PARQUET}'
        raise BadInput(sentence, status=415)
    if parameters.pop("charset", "utf-8").lower() != "utf-8":
        raise BadInput("the body must be UTF-8", status=415)
    if parameters:
        raise BadInput(f"the content type has unknown parameters: {', '.join(parameters)[:80]}", status=415)
    if kind == JSON:
        return runtime.scored(parse_json(body))
    parse = runtime.parser.csv if kind == CSV else runtime.parser.parquet
    return runtime.scored_data(parse(body)), True


def _media_type(content_type):
    kind, *pairs = (part.strip() for part in (content_type or JSON).split(";"))
    return kind, {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def as_rows(values):
    """Predictions as JSON's own types: a table's rows are objects."""
    return plain(encoded(values)[0])


def first_of(values):
    return values[0] if isinstance(values, list) and values else values


def of_first_row(probabilities):
    """Of a model with several outputs a list for each of them."""
    if isinstance(probabilities, list):
        return [plain(output[0]) for output in probabilities]
    return first_of(as_rows(probabilities))


def plain(value):
    return json.loads(as_text(value))


def as_text(content):
    """Raises NotEncodable."""
    try:
        return as_json(content)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotEncodable(first_line(error)) from error


def score_of(prediction, probabilities):
    """One number to compare two models by: the last class's probability of two, the largest of more, or the value."""
    if probabilities is not None:
        return probabilities[-1] if len(probabilities) == 2 else max(probabilities)
    is_number = isinstance(prediction, (int, float)) and not isinstance(prediction, bool)
    return float(prediction) if is_number else None
