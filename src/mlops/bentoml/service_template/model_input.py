"""From a request's JSON to what a model takes. All that is wrong with a request is a BadInput with a sentence."""

import json
import math

NUMBER_TYPES = {"float": "float32", "double": "float64", "integer": "int32", "long": "int64"}
FORMATS = ("dataframe_split", "dataframe_records", "inputs", "instances")
MAX_NAMES_SHOWN = 10


class BadInput(Exception):
    """The request is at fault; the message is for its sender."""


def parse_json(body):
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadInput(f"the body must be a JSON object, not {_kind(value)}")
    return value


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON number")


class PredictRequest:
    """The pipeline's contract: `{entity_id, features: object, time_horizon, return_proba}`; only features is required."""

    def __init__(self, body):
        request = parse_json(body)
        self.features = request.get("features")
        if not isinstance(self.features, dict) or not self.features:
            raise BadInput('"features" must be an object with at least one feature, such as {"recency": 10}')
        self.return_proba = request.get("return_proba", True)
        if not isinstance(self.return_proba, bool):
            raise BadInput(f'"return_proba" must be true or false, not {_kind(self.return_proba)}')
        for name in ("entity_id", "time_horizon"):
            if not isinstance(request.get(name, ""), (str, int)):
                raise BadInput(f'"{name}" must be a string, not {_kind(request[name])}')


class Schema:
    """Columns in the order of the model's signature or training data; None for `columns` where neither is known."""

    def __init__(self, columns=None, tensor_type=None):
        # [(name, MLflow type or None, required)]
        self.columns = columns
        self.tensor_type = tensor_type

    @staticmethod
    def from_signature(signature):
        fields = json.loads((signature or {}).get("inputs") or "[]")
        if fields and fields[0].get("type") == "tensor":
            return Schema(tensor_type=fields[0]["tensor-spec"]["dtype"])
        if not fields or any("name" not in field for field in fields):
            return Schema()
        return Schema([(field["name"], field["type"], field.get("required", True)) for field in fields])

    @staticmethod
    def from_names(names):
        return Schema([(str(name), None, True) for name in names])

    def names(self):
        return None if self.columns is None else [name for name, _, _ in self.columns]


class ModelInput:
    """`data` is a DataFrame or an array. `checked`: every value is a finite number or a boolean of the declared type."""

    def __init__(self, data, names, checked, rows):
        self.data = data
        self.names = names
        self.checked = checked
        self.rows = rows


def from_features(features, schema):
    return _from_records([features], schema)


def from_invocation(body, schema):
    """MLflow's scoring protocol: exactly one of dataframe_split, dataframe_records, inputs, instances."""
    request = parse_json(body)
    given = [name for name in FORMATS if name in request]
    if len(given) != 1:
        raise BadInput(f"give exactly one of {', '.join(FORMATS)}; the body has {_shown(request) or 'none'}")
    if request.get("params"):
        raise BadInput('"params" is not supported by this model')
    value = request[given[0]]
    if given[0] == "dataframe_split":
        return _from_split(value, schema)
    if given[0] == "dataframe_records":
        return _from_records(value, schema)
    if isinstance(value, dict):
        return _from_columns(value, schema)
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _from_records(value, schema)
    return _from_array(value, schema)


def _from_split(value, schema):
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BadInput('"dataframe_split" must be {"columns": [...], "data": [[...], ...]}')
    columns = value.get("columns")
    if columns is None:
        return _from_array(value["data"], schema)
    if not isinstance(columns, list):
        raise BadInput('"columns" must be a list of names')
    for index, row in enumerate(value["data"]):
        if not isinstance(row, list) or len(row) != len(columns):
            raise BadInput(f"row {index} must be a list of {len(columns)} values, one for each column")
    names = [str(column) for column in columns]
    return _from_records([dict(zip(names, row)) for row in value["data"]], schema)


def _from_columns(value, schema):
    columns = {name: cells if isinstance(cells, list) else [cells] for name, cells in value.items()}
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1:
        raise BadInput('the columns under "inputs" must be of one length')
    return _from_records([dict(zip(columns, row)) for row in zip(*columns.values())], schema)


def _from_records(records, schema):
    if not isinstance(records, list) or not records or not all(isinstance(row, dict) for row in records):
        raise BadInput("give at least one row, each an object of feature names and values")
    if schema.columns is None:
        columns = [(name, None, True) for name in records[0]]
    else:
        columns = schema.columns
    missing = [name for name, _, required in columns if required and any(name not in row for row in records)]
    if missing:
        raise BadInput(f"missing feature{'s' if len(missing) > 1 else ''}: {_shown(missing)}")
    present = [column for column in columns if column[2] or any(column[0] in row for row in records)]
    return _table(present, [[row.get(name) for name, _, _ in present] for row in records], schema)


def _from_array(value, schema):
    if not isinstance(value, list) or not value:
        raise BadInput("give at least one row, as a list of values or as an object")
    if schema.columns is None:
        return _tensor(value, schema.tensor_type)
    rows = value if isinstance(value[0], list) else [[cell] for cell in value]
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(schema.columns):
            raise BadInput(f"row {index} must be a list of {len(schema.columns)} values: {_shown(schema.names())}")
    return _table(schema.columns, rows, schema)


def _tensor(value, dtype):
    import numpy

    try:
        data = numpy.array(value, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"the rows are no array of {dtype or 'one shape'}: {error}") from error
    if data.dtype.kind == "f" and not numpy.isfinite(data).all():
        raise BadInput("the rows hold a number that is not finite")
    # Without a declared type nothing says what the model takes, so its own complaint is the sender's to hear.
    return ModelInput(data, None, dtype is not None and data.dtype.kind in "fiub", len(value))


def _table(columns, rows, schema):
    import numpy
    import pandas

    names = [name for name, _, _ in columns]
    for row in rows:
        for index, (name, kind, required) in enumerate(columns):
            row[index] = _cell(name, kind, required, row[index])
    checked = all(kind in NUMBER_TYPES or kind == "boolean" for _, kind, _ in columns)
    checked = checked and not any(isinstance(cell, float) and math.isnan(cell) for row in rows for cell in row)
    if schema.tensor_type is not None:
        return _tensor(rows, schema.tensor_type)
    try:
        if all(kind == "double" for _, kind, _ in columns):
            data = pandas.DataFrame(numpy.array(rows, dtype="float64"), columns=names)
        else:
            cells = zip(*rows)
            data = pandas.DataFrame({name: _series(kind, column) for (name, kind, _), column in zip(columns, cells)})
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"the features make no table: {error}") from error
    return ModelInput(data, names, checked, len(rows))


def _series(kind, column):
    import numpy
    import pandas

    if kind in NUMBER_TYPES:
        return numpy.array(column, dtype=NUMBER_TYPES[kind])
    if kind == "datetime":
        return pandas.to_datetime(pandas.Series(column))
    return list(column)


def _cell(name, kind, required, value):
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f'feature "{name}" is too large a number')
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        raise BadInput(f'feature "{name}" is too large a number')
    if kind is None:
        if isinstance(value, (dict, list)):
            raise BadInput(f'feature "{name}" must be a single value, not {_kind(value)}')
        return value
    if kind in ("float", "double"):
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadInput(f'feature "{name}" must be a number, not {_kind(value)}')
        return float(value)
    if kind in ("integer", "long"):
        return _whole(name, kind, value)
    if kind == "boolean" and not isinstance(value, bool):
        raise BadInput(f'feature "{name}" must be true or false, not {_kind(value)}')
    if kind in ("string", "datetime") and not (isinstance(value, str) or value is None):
        raise BadInput(f'feature "{name}" must be a string, not {_kind(value)}')
    return value


def _whole(name, kind, value):
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    if not whole:
        raise BadInput(f'feature "{name}" must be a whole number, not {_kind(value)}')
    bits = 31 if kind == "integer" else 63
    if not -(2**bits) <= value < 2**bits:
        raise BadInput(f'feature "{name}" is too large a number')
    return int(value)


def _kind(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value:.10g}"
    if isinstance(value, str):
        return f'the string "{value[:40]}"'
    return "a list" if isinstance(value, list) else "an object"


def _shown(names):
    names = list(names)
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return ", ".join(str(name)[:80] for name in names[:MAX_NAMES_SHOWN]) + more
