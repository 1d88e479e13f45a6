"""The Open Inference Protocol, version 2, over HTTP and JSON: https://github.com/kserve/open-inference-protocol.

Each column of a signature is a tensor of the shape [n]; a table may come as one tensor [n, columns], in the signature's
order, too. A column of lists or objects takes the JSON text of each cell. Answers are those of /invocations.
"""

from . import tensors
from ..model.model_folder import signature_fields
from ..model.predictions import as_logged, as_text, score_of
from ..refusal import BadInput
from ..intake.request_body import parse_json

SIMPLE = frozenset((*tensors.OF_COLUMNS, "string", "datetime", "binary"))


class InferenceProtocol:
    def __init__(self, settings, description):
        self._name, self._version = settings["model_name"], settings["model_version"]
        at = f"/v2/models/{self._name}"
        self.paths = (at, f"{at}/versions/{self._version}")
        self._outputs = signature_fields(description, "outputs")

    def metadata(self, runtime):
        fields = runtime.fields or [{"name": name, "type": "double"} for name in runtime.names or []]
        return {
            "name": self._name,
            "versions": [self._version],
            "platform": "mlflow",
            "inputs": tensors.described(fields, "input-"),
            "outputs": tensors.described(self._outputs, "output-"),
        }

    def infer(self, runtime, body, _content_type, _model_version):
        """Returns (the answer's JSON, prediction, score). Raises BadInput, ModelFailed or NotEncodable."""
        request = parse_json(body)
        given = request.get("inputs")
        if not isinstance(given, list) or not given:
            raise BadInput('"inputs" must be a list of at least one tensor')
        inputs = [tensors.Tensor(one) for one in given]
        if len({one.name for one in inputs}) != len(inputs):
            raise BadInput("two of the inputs have the same name")
        raw, _ = runtime.scored({**_scoring_request(inputs, runtime), **_params(request, runtime)})
        outputs = tensors.told(raw, [field.get("name") for field in self._outputs])
        content = {"model_name": self._name, "model_version": self._version, "outputs": _wanted(request, outputs)}
        if isinstance(request.get("id"), str):
            content["id"] = request["id"]
        logged = as_logged(outputs[0]["data"] if outputs else None)
        return as_text(content), logged, score_of(logged, None)


def _scoring_request(inputs, runtime):
    fields, [first, *more] = runtime.fields, inputs
    if any("tensor-spec" in field for field in fields):
        is_named = any("name" in field for field in fields)
        return {"inputs": {one.name: one.nested for one in inputs} if is_named else first.nested}
    names = runtime.names or [field["name"] for field in fields if "name" in field]
    if not more and len(first.shape) > 1 and first.name not in names:
        # A table as one tensor.
        if names and first.shape[1:] != [len(names)]:
            raise BadInput(f'the input "{first.name}" must have the shape [n, {len(names)}], not {first.shape}', column=first.name)
        return {"dataframe_split": {"columns": names, "data": first.nested}} if names else {"inputs": first.nested}
    if not names and not more:
        is_text = any(field.get("type") not in SIMPLE for field in fields)
        return {"inputs": first.parsed_column() if is_text else first.nested}
    texts = {str(field.get("name")) for field in fields if field.get("type") not in SIMPLE}
    columns = [one.parsed_column() if one.name in texts else one.column() for one in inputs]
    if len({len(column) for column in columns}) != 1:
        raise BadInput("the inputs are columns of one table: all need the same number of rows")
    rows = [list(row) for row in zip(*columns)]
    named = [runtime.names_by_text.get(one.name, one.name) for one in inputs]
    return {"dataframe_split": {"columns": named, "data": rows}}


def _params(request, runtime):
    """Those of the request's parameters that the signature knows; clients send others, for proxies and for tracing."""
    given = request.get("parameters", {})
    if not isinstance(given, dict):
        raise BadInput('"parameters" must be an object')
    known = {field["name"] for field in runtime.params}
    params = {name: value for name, value in given.items() if name in known}
    return {"params": params} if params else {}


def _wanted(request, outputs):
    wanted = request.get("outputs")
    if not wanted:
        return outputs
    if not isinstance(wanted, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in wanted):
        raise BadInput('"outputs" must be a list of objects with a name')
    by_name = {one["name"]: one for one in outputs}
    unknown = [one["name"] for one in wanted if one["name"] not in by_name]
    if unknown:
        raise BadInput(f'the model has no output "{unknown[0][:80]}": it has {", ".join(by_name)[:400]}')
    return [by_name[one["name"]] for one in wanted]
