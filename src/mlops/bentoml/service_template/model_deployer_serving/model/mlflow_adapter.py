"""The one file that knows MLflow's private names. Each bento has its model's own MLflow; tried with 3.17.2."""

import contextlib
import contextvars
import functools
import io
import json
import os
import re
import sys

from ..refusal import BadInput, NotEncodable, first_line
from .trained_categories import tell_categories, with_categories

# How type hints take JSON; MLflow's own server sets it before it loads a model.
os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"

COLUMN = re.compile(r"(?:column |inputs \[|key )[`']?([^`'\],]+)[`',\]]?(?: is required| to type|\.|,|\])")


class ModelFailed(Exception):
    """What the model's own code has raised, as the cause: SystemExit too, which ends a request and no more."""


class Parsed:
    """`data` is what MLflow's server would hand to the model; `is_wrapped` tells of an answer under "predictions"."""

    def __init__(self, data, params=None, is_wrapped=True):
        self.data = data
        self.params = params
        self.is_wrapped = is_wrapped


class Parser:
    """Requests as MLflow's server reads them for a model with this metadata; for a table of any columns without."""

    def __init__(self, metadata=None):
        self._metadata = metadata
        self._schema = metadata.get_input_schema() if metadata is not None else None

    def json(self, request):
        """A JSON object as data and params. Raises BadInput, as those below do."""
        from mlflow.pyfunc import scoring_server

        with refusing():
            told = request if self._metadata is not None else _as_table(request)
            parsed = scoring_server._parse_json_data(told, self._metadata, self._schema)
            return Parsed(parsed.data, parsed.params, not parsed.is_unified_llm_input)

    def csv(self, body):
        from mlflow.pyfunc import scoring_server

        with refusing():
            text = io.StringIO(body.decode("utf-8"))
            return Parsed(scoring_server.parse_csv_input(csv_input=text, schema=self._schema))

    def parquet(self, body):
        from mlflow.pyfunc import scoring_server

        with refusing():
            return Parsed(scoring_server.parse_parquet_input(parquet_input=io.BytesIO(body)))


def _as_table(request):
    """Records are a table under whatever name they come, where no signature could say that they are none."""
    records = {"inputs", "instances"} & request.keys()
    rows = request[next(iter(records))] if len(records) == 1 else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return request
    return {**{name: value for name, value in request.items() if name not in records}, "dataframe_records": rows}


class MlflowModel:
    """A model that `mlflow.pyfunc` loads, asked as MLflow's own scoring server asks it."""

    def __init__(self, directory, native=None):
        """`native` is a model of scikit-learn that was loaded from the directory already."""
        self._model = _loaded(directory, native)
        tell_categories()
        self._own_predict = self._model._predict_fn
        self._instead = contextvars.ContextVar("instead", default=None)
        self._model._predict_fn = self._guarded(self._own_predict, with_categories(self._own_predict, self.native()))
        self.parser = Parser(self._model.metadata)

    def _guarded(self, declared, predict):
        """Parts what the model raises from what MLflow finds wrong with its input."""

        @functools.wraps(declared)
        def guarded(data, *args, **kwargs):
            instead = self._instead.get()
            # What stands in for the model may ask the model.
            token = self._instead.set(None)
            try:
                return predict(data, *args, **kwargs) if instead is None else instead(data)
            except BaseException as error:
                raise ModelFailed from error
            finally:
                self._instead.reset(token)

        return guarded

    def native(self):
        """What the flavor's own library has loaded; None where a flavor hides it or has none."""
        implementation = self._model._model_impl
        native = getattr(implementation, "get_raw_model", lambda: None)
        try:
            return native()
        except Exception as error:
            if type(error).__name__ in ("MlflowException", "NotImplementedError", "AttributeError"):
                return None
            raise

    def predicts_otherwise(self):
        """Whether it was saved with another `pyfunc_predict_fn` than predict."""
        flavor = self._model.metadata.flavors.get("python_function") or {}
        return flavor.get("predict_fn", "predict") != "predict"

    def has_type_hints(self):
        """Whether MLflow makes the model's input by type hints, which know more than the columns of a signature."""
        metadata = self._model.metadata
        told = [getattr(metadata, name, None) for name in ("_is_signature_from_type_hint", "_is_type_hint_from_example")]
        return any(ask is not None and ask() for ask in told)

    def predict(self, parsed, instead=None):
        """By the signature first, then by the model, or by `instead(data)`. Raises BadInput or ModelFailed."""
        token = self._instead.set(instead)
        try:
            with refusing():
                return self._model.predict(parsed.data, params=parsed.params)
        finally:
            self._instead.reset(token)

    def predict_fitting(self, data, params=None):
        """The same for data that fits the signature already, with what `params_of` has told. Raises ModelFailed."""
        return self._model._predict_fn(data, **({"params": params or self._defaults} if self._takes_params else {}))

    @functools.cached_property
    def _takes_params(self):
        import inspect

        params = inspect.signature(self._own_predict).parameters.get("params")
        return params is not None and params.kind != inspect.Parameter.VAR_KEYWORD

    @functools.cached_property
    def _defaults(self):
        return self.params_of(None)

    def params_of(self, given):
        """A request's params by the signature, which tells those that the caller does not name. Raises BadInput."""
        from mlflow.models.utils import _enforce_params_schema

        with refusing():
            return _enforce_params_schema(given, self._model.metadata.get_params_schema())


def unwrapped(call, data):
    """What the model has raised itself, where another guard is around already."""
    try:
        return call(data)
    except ModelFailed as failure:
        raise failure.__cause__ from None


def _loaded(directory, native):
    import mlflow.pyfunc
    from mlflow.models import Model

    description = Model.load(directory)
    if native is not None:
        from mlflow.sklearn import _SklearnModelWrapper

        return mlflow.pyfunc.PyFuncModel(model_meta=description, model_impl=_SklearnModelWrapper(native))
    if "python_function" in description.flavors:
        return mlflow.pyfunc.load_model(directory)
    # Saved with `pyfunc_predict_fn=None`, which MLflow's own server refuses.
    import mlflow.sklearn

    return mlflow.pyfunc.PyFuncModel(model_meta=description, model_impl=NativeModel(mlflow.sklearn.load_model(directory)))


class NativeModel:
    """One that predicts, or a transformer."""

    def __init__(self, model):
        self.get_raw_model = lambda: model
        self.predict = getattr(model, "predict", None) or model.transform


@contextlib.contextmanager
def refusing():
    """Whatever is raised within, but for what the model raises, is the request's fault: then it is a BadInput."""
    try:
        yield
    except (BadInput, ModelFailed):
        raise
    except Exception as error:
        # MLflow's sentence repeats the whole request; the one that it was raised from names what is wrong.
        inner = error.__cause__ or error.__context__
        repeats = inner is not None and "Failed to enforce schema of data" in str(error)
        message = first_line(inner if repeats else error)
        column = COLUMN.search(message)
        code = "INVALID_PARAMETER_VALUE" if getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE" else "BAD_REQUEST"
        raise BadInput(message, code, column=column.group(1) if column else None) from error


def encoded(raw, is_wrapped=True):
    """(the predictions, the answer's JSON), as MLflow's server writes them. Raises NotEncodable."""
    try:
        predictions = _jsonable(raw)
        return predictions, as_json({"predictions": predictions} if is_wrapped else predictions)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotEncodable(first_line(error)) from error


def _jsonable(raw):
    # An array is a list of its numbers for MLflow as well, whose import a model may do without.
    if type(raw).__module__ == "numpy" and type(raw).__name__ == "ndarray":
        return raw.tolist()
    from mlflow.utils.proto_json_utils import _get_jsonable_obj

    return _get_jsonable_obj(raw, pandas_orient="records")


def as_json(content):
    """Raises TypeError for what JSON has no form of, and ValueError for numbers that are not finite."""
    try:
        return json.dumps(content, default=_plain_value, allow_nan=False)
    except ValueError:
        return json.dumps(_with_texts_as_keys(content), default=_plain_value, allow_nan=False)


def _with_texts_as_keys(content):
    """A key that is no finite number is a text in JSON, as any other key is, and no value."""
    if isinstance(content, dict):
        told = {json.dumps(key) if isinstance(key, float) else key: value for key, value in content.items()}
        return {key: _with_texts_as_keys(value) for key, value in told.items()}
    return [_with_texts_as_keys(value) for value in content] if isinstance(content, (list, tuple)) else content


def _plain_value(value):
    """As MLflow's encoder has it, whose import would keep a server's first callers waiting for seconds."""
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        if type(value).__name__ == "ndarray" and value.dtype.kind in "biufUO":
            return value.tolist()
        if value.shape == () and value.dtype.kind in "biufU":
            return value.item()
    from mlflow.utils.proto_json_utils import NumpyEncoder

    return NumpyEncoder().default(value)


def status_of(error):
    """(status, code) that a model's author has chosen by raising MLflow's own exception; None for any other."""
    if "mlflow" not in sys.modules:
        return None
    from mlflow.exceptions import MlflowException

    return (error.get_http_status_code(), error.error_code) if isinstance(error, MlflowException) else None
