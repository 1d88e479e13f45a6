"""The model of this bento, with its preprocessing, as two calls: predict and explain why not."""

import json
import math
import os

import yaml

from model_input import BadInput, ModelInput, Schema

PREPROCESSING_FILES = (".joblib", ".pkl", ".pickle")


def read_description(directory):
    """The MLmodel file of a folder. Raises ValueError when there is none or it describes no model that can be served."""
    path = os.path.join(directory, "MLmodel")
    shown = os.path.join(os.path.basename(directory), "MLmodel")
    try:
        with open(path, encoding="utf-8") as file:
            description = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{shown} cannot be read: {' '.join(str(error).split())}") from error
    flavors = description.get("flavors") if isinstance(description, dict) else None
    if not isinstance(flavors, dict) or not {"sklearn", "python_function"} & set(flavors):
        raise ValueError(f"{shown} names neither the flavor sklearn nor python_function: save the model with MLflow")
    try:
        Schema.from_signature(description.get("signature"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{shown} has a signature that cannot be read: {error!r}") from error
    return description


def read_example(directory):
    """The saved input example as a scoring request, of a table the first row that JSON can carry; None without one.

    NaN becomes null, as MLflow writes it. Raises ValueError for an example that cannot be read or sent.
    """
    shown = f"the input example {os.path.basename(directory)}/serving_input_example.json"
    try:
        with open(os.path.join(directory, "serving_input_example.json"), encoding="utf-8") as file:
            example = _without_nan(json.load(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{shown} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(example, dict):
        raise ValueError(f"{shown} is no scoring request: log the model with another input_example")
    request = {key: value for key, value in example.items() if key != "params"}
    table = request.get("dataframe_split")
    if isinstance(table, dict) and isinstance(table.get("data"), list):
        rows = [row for row in table["data"] if not has_no_json(row)][:1]
        if table["data"] and not rows:
            raise ValueError(f"{shown} has an infinite number in each row: log the model with another input_example")
        return {"dataframe_split": {**{key: value for key, value in table.items() if key != "index"}, "data": rows}}
    if has_no_json(request):
        raise ValueError(f"{shown} holds an infinite number: log the model with another input_example")
    return request


class ModelRuntime:
    """Loads on creation; calls may come from several threads at once."""

    def __init__(self, model_directory, preprocessing_directory=None):
        self._description = read_description(model_directory)
        self._example = read_example(preprocessing_directory or model_directory)
        self._transform, transformer, transformer_description = None, None, None
        if preprocessing_directory:
            transformer, transformer_description = _load_preprocessing(preprocessing_directory)
            self._transform = getattr(transformer, "transform", None) or transformer.predict
        loaded, self.model = _load_model(model_directory, self._description)
        self._predict = loaded.predict
        self._predict_proba = getattr(self.model, "predict_proba", None)
        last = self.model.steps[-1][1] if hasattr(self.model, "steps") else self.model
        self.model_type = type(last).__name__
        classes = getattr(self.model, "classes_", None)
        self.classes = to_json(classes) if classes is not None else None
        first, description = (transformer, transformer_description) if preprocessing_directory else (
            self.model,
            self._description,
        )
        self.schema = _schema_of(first, description)
        # Estimators fitted on arrays warn on every call that is given names.
        fitted_on_array = hasattr(first, "n_features_in_") and not hasattr(first, "feature_names_in_")
        self._wants_array = fitted_on_array and self.schema.columns is None

    def predict(self, given: ModelInput):
        return to_json(self._predict(self._prepared(given)))

    def predict_with_probabilities(self, given: ModelInput):
        """(predictions, probabilities); the latter None when the model has none."""
        data = self._prepared(given)
        predictions = to_json(self._predict(data))
        return predictions, None if self._predict_proba is None else to_json(self._predict_proba(data))

    def sample(self):
        """({a scoring request of one row}, where it comes from), or (None, None) when nothing tells what a row is."""
        if self._example is not None:
            return self._example, "input_example"
        if self.schema.columns:
            names = self.schema.names()
            row = [_made_up_value(kind) for _, kind, _ in self.schema.columns]
            return {"dataframe_split": {"columns": names, "data": [row]}}, "schema"
        return None, None

    def _prepared(self, given):
        data = given.data
        if self._wants_array and hasattr(data, "to_numpy"):
            data = data.to_numpy()
        return data if self._transform is None else self._transform(data)


def blames_input(error, checked):
    """Whether an error raised while predicting is the sender's: then it is answered with 400, else with 500.

    An input whose every value was checked against the schema as a finite number is not at fault for a ValueError,
    unless scikit-learn's own input validation raises it (a number too large for float32, for one).
    """
    if isinstance(error, BadInput):
        return True
    if getattr(error, "error_code", None) in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
        return True
    if not isinstance(error, (ValueError, TypeError)):
        return False
    return not checked or _innermost_module(error).startswith("sklearn.utils")


def to_json(values):
    if hasattr(values, "to_dict") and hasattr(values, "columns"):
        return values.to_dict(orient="records")
    return values.tolist() if hasattr(values, "tolist") else list(values)


def has_no_json(value):
    """NaN and infinities, at any depth."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(has_no_json(item) for item in value.values())
    return isinstance(value, list) and any(has_no_json(item) for item in value)


def _load_model(directory, description):
    """(what predicts, the native model); one and the same for scikit-learn."""
    if "sklearn" in description["flavors"]:
        import mlflow.sklearn

        model = mlflow.sklearn.load_model(directory)
        return model, model
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(directory)
    try:
        return loaded, loaded.get_raw_model()
    except (NotImplementedError, AttributeError):
        return loaded, loaded
    except Exception as error:  # MlflowException: a flavor that hides its native model still predicts
        if type(error).__name__ != "MlflowException":
            raise
        return loaded, loaded


def _load_preprocessing(directory):
    if os.path.exists(os.path.join(directory, "MLmodel")):
        description = read_description(directory)
        return _load_model(directory, description)[1 if "sklearn" in description["flavors"] else 0], description
    files = sorted(name for name in os.listdir(directory) if name.endswith(PREPROCESSING_FILES))
    if len(files) != 1:
        raise ValueError(f"preprocessing needs an MLmodel file or exactly one of {PREPROCESSING_FILES}; it has {files}")
    import joblib

    return joblib.load(os.path.join(directory, files[0])), {}


def _schema_of(first, description):
    schema = Schema.from_signature(description.get("signature"))
    if schema.columns is None and schema.tensor_type is None:
        names = getattr(first, "feature_names_in_", None)
        if names is not None:
            return Schema.from_names(names)
    return schema


def _without_nan(value):
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value


def _made_up_value(kind):
    return {"string": "", "boolean": False, "datetime": "2000-01-01T00:00:00"}.get(kind, 0)


def _innermost_module(error):
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
