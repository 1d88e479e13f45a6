"""What a bento tells of itself, held against what it answers: the Open Inference Protocol and the OpenAPI document."""

import asyncio
import json

from cases import Ask


def get(app, path):
    """The JSON of a GET to an ASGI application."""
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": []}
    parts = []

    async def send(message):
        parts.append(message.get("body", b""))

    asyncio.run(app({**scope, "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1)}, asyncio.Event().wait, send))
    return json.loads(b"".join(parts))


def compared_protocols(scoring, asks, call):
    """[(ask, what it answers, what it should)]"""
    from jsonschema import Draft202012Validator
    from openapi_spec_validator import OpenAPIV31SpecValidator

    document = get(scoring.app, "/openapi.json")
    errors = [str(error)[:200] for error in OpenAPIV31SpecValidator(document).iter_errors()]
    yield Ask("openapi.json", ""), (200, json.dumps(errors)), (200, "[]")
    examples = [ask for ask in asks if ask.name in ("the example", "records", "split")]
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]
    for ask in examples:
        errors = [error.message[:200] for error in Draft202012Validator(content["schema"]).iter_errors(json.loads(ask.body))]
        yield Ask(f"openapi.json: {ask.name}", ""), (200, json.dumps(errors)), (200, "[]")
    told = get(scoring.app, "/v2/models/model")
    for ask in examples[:1]:
        inputs = _inputs(json.loads(ask.body), told["inputs"], scoring.intake.runtime)
        if inputs is not None:
            request = {"inputs": inputs, "parameters": json.loads(ask.body).get("params", {})}
            status, text = call(scoring.app, Ask("infer", json.dumps(request)), "/v2/models/model/infer")
            expected, answered = call(scoring.app, ask)
            wanted = _flat(expected, answered)
            is_mixed = expected == 200 and len({type(leaf) for leaf in json.loads(wanted)} - {int}) > 1
            reason = "no_tensor" if is_mixed else None
            yield Ask("/infer", "", reason=reason), (status, _values(status, text)), (expected, wanted)


    yield from _answered_texts(scoring, asks, call)


def _answered_texts(scoring, asks, call):
    """Where a request is one text, and has an answer by both: what /infer tells, which is what /invocations does."""
    for ask in asks:
        row = _only_row(ask)
        if row is None or [field.get("type") for field in scoring.intake.runtime.fields] != ["string"]:
            continue
        tensor = {"name": "x", "shape": [1], "datatype": "BYTES", "data": [row["x"]]}
        status, text = call(scoring.app, Ask("infer", json.dumps({"inputs": [tensor]})), "/v2/models/model/infer")
        expected, answered = call(scoring.app, ask)
        if status == expected == 200:
            told, wanted = json.loads(_values(status, text)), json.loads(_flat(expected, answered))
            yield Ask(f"/infer: {ask.name}", ""), (200, _as_floats(told)), (200, _as_floats(wanted))


def _only_row(ask):
    try:
        [row] = json.loads(ask.body)["inputs"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return row if isinstance(row, dict) and list(row) == ["x"] and isinstance(row["x"], str) else None


def _as_floats(values):
    """A tensor has one kind of number."""
    return json.dumps([float(value) if type(value) is int else value for value in values])


def _inputs(request, tensors, runtime):
    """The example as tensors; None for one that the protocol has no form of, such as a gap."""
    split, given = request.get("dataframe_split"), request.get("inputs")
    if split is not None and "columns" in split and len(tensors) == len(split["columns"]):
        columns = {str(name): [row[place] for row in split["data"]] for place, name in enumerate(split["columns"])}
    elif isinstance(given, dict) and len(given) == len(tensors):
        columns = given
    elif isinstance(given, list) and len(tensors) == 1:
        columns = {tensors[0]["name"]: given}
    else:
        return None
    kinds = [field.get("type") for field in runtime.fields] or ["double"] * len(tensors)
    inputs = []
    for tensor, kind in zip(tensors, kinds):
        values, shape = columns[tensor["name"]], []
        if kind in ("array", "object", "map", "any"):
            values = [json.dumps(value) for value in values]
        level = values
        while isinstance(level, list):
            shape.append(len(level))
            level = level[0] if level else None
        if "null" in json.dumps(values):
            return None
        inputs.append({**tensor, "shape": shape, "data": values})
    return inputs


def _values(status, text):
    answer = json.loads(text)
    return text if status != 200 else json.dumps([value for one in answer["outputs"] for value in one["data"]])


def _flat(status, answered):
    if status != 200:
        return answered
    predictions = json.loads(answered)
    predictions = predictions.get("predictions", predictions) if isinstance(predictions, dict) else predictions
    by_column = predictions
    if isinstance(predictions, list) and predictions and all(isinstance(row, dict) for row in predictions):
        by_column = [[row[name] for row in predictions] for name in predictions[0]]
    return json.dumps(list(_leaves(by_column)))


def _leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for item in value:
        yield from _leaves(item)
