"""What stands in a model's folder: its description, and its example as a scoring request."""

import json
import math
import os

import yaml

# libyaml's, where it was built: a signature of many columns is one long string.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_description(directory):
    """The MLmodel file of a folder. Raises ValueError when there is none or it describes no model that can be served."""
    path = os.path.join(directory, "MLmodel")
    shown = os.path.join(os.path.basename(directory), "MLmodel")
    try:
        with open(path, encoding="utf-8") as file:
            description = yaml.load(file, Loader=LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{shown} cannot be read: {' '.join(str(error).split())}") from error
    flavors = description.get("flavors") if isinstance(description, dict) else None
    if not isinstance(flavors, dict) or not {"sklearn", "python_function"} & set(flavors):
        raise ValueError(f"{shown} names neither the flavor sklearn nor python_function: save the model with MLflow")
    try:
        signature_fields(description)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{shown} has a signature that cannot be read: {error!r}") from error
    return description


def signature_fields(description, part="inputs"):
    """The fields of the signature's inputs, outputs or params as JSON has them; empty without any."""
    fields = json.loads((description.get("signature") or {}).get(part) or "[]")
    if not all(isinstance(field, dict) for field in fields):
        raise ValueError(f"its {part} are no list of fields")
    return fields


def read_example(directory):
    """The saved input example as a scoring request, of a table the first row that JSON can carry; None without one.

    NaN becomes null, as MLflow writes it. Raises ValueError for an example that cannot be read or sent.
    """
    shown = f"the input example {os.path.basename(directory)}/serving_input_example.json"
    try:
        with open(os.path.join(directory, "serving_input_example.json"), encoding="utf-8") as file:
            request = _without_nan(json.load(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{shown} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(request, dict):
        raise ValueError(f"{shown} is no scoring request: log the model with another input_example")
    table = request.get("dataframe_split")
    if isinstance(table, dict) and isinstance(table.get("data"), list):
        rows = [row for row in table["data"] if not has_no_json(row)][:1]
        if table["data"] and not rows:
            raise ValueError(f"{shown} has an infinite number in each row: log the model with another input_example")
        table = {**{key: value for key, value in table.items() if key != "index"}, "data": rows}
        return {**request, "dataframe_split": table}
    if has_no_json(request):
        raise ValueError(f"{shown} holds an infinite number: log the model with another input_example")
    return request


def has_no_json(value):
    """NaN and infinities, at any depth."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(has_no_json(item) for item in value.values())
    return isinstance(value, list) and any(has_no_json(item) for item in value)


def _without_nan(value):
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value
