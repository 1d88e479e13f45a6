"""Whether two answers are the same, and for which reasons they may differ."""

import json
import math


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def verdict(ask, ours, theirs, told_categories=False):
    """"equal", the reason of a difference that is meant, or None."""
    (our_status, our_text), (their_status, their_text) = ours, theirs
    our_body, their_body = parsed(our_text), parsed(their_text)
    if our_status == their_status:
        if our_status == 200:
            return "equal" if same(our_body, their_body) else (ask.reason if ask.reason in ("null_kept", "time_form") else None)
        is_error = isinstance(our_body, dict) and our_body.keys() >= {"error_code", "message", "error"}
        return "equal" if is_error and (ask.reason or same_code(our_body, their_body)) else None
    code = our_body.get("error_code") if isinstance(our_body, dict) else None
    if our_status == 500 and code == "MODEL_FAILED" and their_status == 400:
        return "model_failed" if "unexpected error while evaluating the model" in their_text else None
    if our_status == 500 and code == "ANSWER_NOT_ENCODABLE" and their_status == 200:
        if ask.reason == "no_tensor":
            return ask.reason
        return "not_finite" if not_finite(their_body) else None
    if our_status in (400, 413) and their_status == 500:
        return "refused_not_failed"
    if ask.reason == "null_kept" and code == "MODEL_FAILED" and their_status == 200:
        return ask.reason
    if ask.reason in ("time_zone", "time_form", "null_kept") and our_status == 200 and their_status == 400:
        return ask.reason
    if ask.reason == "no_content_type" and our_status == 200 and their_status in (415, 500):
        return ask.reason
    if told_categories and our_status == 200 and "unexpected error while evaluating the model" in their_text:
        return "categories_told"
    return ask.reason if our_status == 400 and their_status == 200 else None


def same_code(ours, theirs):
    """Of a feature that is missing, and of a model that has failed; of other mistakes MLflow's code tells by which of its functions they were found."""
    is_told = isinstance(theirs, dict) and ("missing inputs" in theirs.get("message", "") or theirs.get("error_code") == "MODEL_FAILED")
    return not is_told or ours["error_code"] == theirs["error_code"]


def not_finite(value):
    if isinstance(value, float):
        return not math.isfinite(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return any(map(not_finite, items))
