"""A request's body to its answer, its prediction and its score: the pipeline's contract and MLflow's scoring protocol."""

from model_input import BadInput, PredictRequest, from_features, from_invocation
from model_runtime import blames_input, has_no_json

MAX_LOGGED_ROWS = 32


def predict_one(runtime, body, model_version):
    """Returns (answer, prediction, score)."""
    wanted = PredictRequest(body)
    given = from_features(wanted.features, runtime.schema)
    predictions, probabilities = _guarded(given, runtime.predict_with_probabilities)
    prediction = predictions[0]
    row = probabilities[0] if probabilities is not None else None
    content = {
        "prediction": prediction,
        "probabilities": row if wanted.return_proba else None,
        "classes": runtime.classes if wanted.return_proba and row is not None else None,
        "model_type": runtime.model_type,
        "model_version": model_version,
        "features_used": given.names or list(wanted.features),
    }
    # A model without probabilities has no confidence to state: the key is left out, and the caller's default holds.
    if row is not None:
        content["confidence"] = max(row)
    return content, prediction, _score_of(prediction, row)


def predict_many(runtime, body, _model_version):
    given = from_invocation(body, runtime.schema)
    predictions = _guarded(given, runtime.predict)
    logged = predictions[0] if given.rows == 1 else predictions[:MAX_LOGGED_ROWS]
    return {"predictions": predictions}, logged, _score_of(logged, None)


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def _guarded(given, call):
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


def _score_of(prediction, probabilities):
    """One number to compare two models by: the last class's probability of two, the largest of more, or the value."""
    if probabilities is not None:
        return probabilities[-1] if len(probabilities) == 2 else max(probabilities)
    is_number = isinstance(prediction, (int, float)) and not isinstance(prediction, bool)
    return float(prediction) if is_number else None
