"""An OpenAPI 3.1 document of what a bento answers, made from its model's signature and input example."""

from ..model.plain_table import CHATS

SCALARS = {
    "double": {"type": ["number", "null"]},
    "float": {"type": ["number", "null"]},
    "long": {"type": "integer"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "string": {"type": ["string", "null"]},
    "datetime": {"type": ["string", "null"], "description": "a time as ISO 8601 has it"},
    "binary": {"type": ["string", "null"], "contentEncoding": "base64"},
}
TEXT, WHOLE, ANY = {"type": "string"}, {"type": "integer"}, {}
STATUSES = {
    "400": "the request cannot be read, or does not fit the signature",
    "408": "the body did not arrive in time",
    "413": "the body is too large",
    "415": "the content type or the encoding is not supported",
    "500": "the model has failed, or its answer has no form in JSON",
    "503": "every thread is taken: try again",
    "504": "the prediction took too long",
}


def document(settings, runtime, protocol):
    """`protocol` is the bento's Open Inference Protocol."""
    name = settings["model_name"]
    sample, _ = runtime.sample()
    row = _row(runtime)
    at = f"/v2/models/{name}"
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": settings["model_version"], "description": f"The bento {settings['bento_tag']}."},
        "paths": {
            "/invocations": {"post": _posted("MLflow's scoring protocol", _scoring(row, runtime), _predictions(), sample)},
            "/predict": {"post": _posted("the pipeline's contract", _contract(row), _prediction(), _contract_sample(sample))},
            f"{at}/infer": {"post": _posted("predictions from tensors", _infer_request(), _infer_answer(protocol, runtime))},
            at: {"get": _told("the model's tensors")},
            f"{at}/ready": {"get": _told("whether the model is ready", {"503": {"description": "not yet"}})},
            "/v2": {"get": _told("the server")},
            "/v2/health/live": {"get": _told("whether the server lives")},
            "/v2/health/ready": {"get": _told("whether the server is ready", {"503": {"description": "not yet"}})},
            "/health": {"get": _told("whether a request would be taken, and what predictions do")},
            "/info": {"get": _told("which bento answers")},
            "/sample": {"get": _told("a request that this model should be able to answer")},
        },
        "components": {"schemas": {"Error": _error()}},
    }


def _posted(summary, schema, answered, example=None):
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    error = {"content": _json({"$ref": "#/components/schemas/Error"})}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": {"description": "the answer", "content": _json(answered)},
            **{status: {"description": why, **error} for status, why in STATUSES.items()},
        },
    }


def _told(summary, more=None):
    return {"summary": summary, "responses": {"200": {"description": summary, "content": _json({"type": "object"})}, **(more or {})}}


def _json(schema):
    return {"application/json": {"schema": schema}}


def _object(properties, required=None, **more):
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required, **more}


def _list(items):
    return {"type": "array", "items": items}


def _row(runtime):
    """An object with a value for each column; any where no column has a name."""
    fields = runtime.fields or [{"name": name, "type": "any", "required": True} for name in runtime.names or []]
    if any("name" not in field or "tensor-spec" in field for field in fields):
        return {"type": "object"}
    return _fields(fields)


def _fields(fields):
    required = [str(field["name"]) for field in fields if field.get("required", True)]
    return _object({str(field["name"]): _cell(field) for field in fields}, required)


def _cell(field):
    kind = field.get("type")
    if kind == "array":
        schema = _list(_cell(field["items"]))
    elif kind == "object":
        properties = field["properties"]
        named = [{**told, "name": name} for name, told in properties.items()]
        schema = _fields(named)
    elif kind == "map":
        schema = {"type": "object", "additionalProperties": _cell(field["values"])}
    else:
        schema = SCALARS.get(kind, ANY)
    if field.get("required", True) or "type" not in schema:
        return schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": sorted({*kinds, "null"})}


def _scoring(row, runtime):
    params = {"params": _object({field["name"]: ANY for field in runtime.params}, [])} if runtime.params else {}
    split = _object({"columns": _list({"type": ["string", "integer"]}), "data": _list(_list(ANY)), "index": _list(ANY)}, ["data"])
    forms = [("dataframe_split", split), ("dataframe_records", _list(row)), ("inputs", ANY), ("instances", ANY)]
    # A model of chats or prompts is asked without any of these, as its example is.
    asked = [key for key in CHATS if key in (runtime.example or {})]
    return {"anyOf": [_object({form: schema, **params}, [form]) for form, schema in [*forms, *((key, ANY) for key in asked)]]}


def _predictions():
    return {"description": "predictions under that key, unless the model takes chats or prompts"}


def _contract(row):
    asked = {"entity_id": {"type": ["string", "integer"]}, "features": row, "time_horizon": {"type": ["string", "integer"]}}
    return _object({**asked, "return_proba": {"type": "boolean", "default": True}}, ["features"])


def _contract_sample(sample):
    """The example's first row, where it is a table."""
    table = (sample or {}).get("dataframe_split") or {}
    if "columns" not in table or not table.get("data"):
        return None
    return {"entity_id": "1", "features": dict(zip(table["columns"], table["data"][0])), "time_horizon": "30d"}


def _prediction():
    some = {"type": ["array", "null"], "items": ANY}
    told = {"prediction": ANY, "probabilities": some, "classes": some, "model_type": TEXT, "model_version": TEXT}
    told |= {"features_used": _list(TEXT), "confidence": {"type": "number"}}
    return _object(told, [key for key in told if key != "confidence"])


def _tensor(names=None):
    name = TEXT if not names else {"type": "string", "examples": names}
    return _object({"name": name, "shape": _list(WHOLE), "datatype": TEXT, "data": {"type": "array"}})


def _infer_request():
    parameters = {"type": "object"}
    wanted = _list(_object({"name": TEXT}))
    return _object({"id": TEXT, "inputs": _list(_tensor()), "outputs": wanted, "parameters": parameters}, ["inputs"])


def _infer_answer(protocol, runtime):
    names = [tensor["name"] for tensor in protocol.metadata(runtime)["outputs"]]
    answered = {"model_name": TEXT, "model_version": TEXT, "outputs": _list(_tensor(names)), "id": TEXT}
    return _object(answered, [key for key in answered if key != "id"])


def _error():
    told = {"error_code": TEXT, "message": TEXT, "error": TEXT, "column": TEXT, "row": WHOLE, "error_type": TEXT}
    return _object(told, ["error_code", "message", "error"])
