"""The model of this bento, with its preprocessing: a request to what is predicted."""

import functools
import os

from ..arrays.array_model import ArrayModel
from .mlflow_adapter import MlflowModel, ModelFailed, Parser
from .model_folder import read_description, read_example, signature_fields
from .own_modules import modules_apart
from .plain_model import PlainModel, load_plain
from .plain_table import PlainSchema
from ..refusal import BadInput, shown
from .trained_categories import with_categories

PREPROCESSING_FILES = (".joblib", ".pkl", ".pickle")
MADE_UP = {"string": "", "boolean": False, "datetime": "2000-01-01T00:00:00"}


class ModelRuntime:
    """Loads on creation; calls may come from several threads at once."""

    def __init__(self, model_directory, preprocessing_directory=None):
        description = read_description(model_directory)
        self.example = read_example(preprocessing_directory or model_directory)
        self.model = load_plain(model_directory, description) or MlflowModel(model_directory)
        native = self.model.native()
        predict_proba = getattr(native, "predict_proba", None)
        self._predict_proba = predict_proba and with_categories(predict_proba, native)
        self._predict = native.predict if self.model.predicts_otherwise() else self.model.predict_fitting
        last = native.steps[-1][1] if hasattr(native, "steps") else native
        self.model_type = type(last).__name__ if native is not None else "PyFuncModel"
        self.classes = getattr(native, "classes_", None)
        self._transform, self._taker, first = None, self.model, native
        if preprocessing_directory:
            with modules_apart(model_directory):
                first, description = self._add_preprocessing(preprocessing_directory)
        self.fields = signature_fields(description)
        self.params = signature_fields(description, "params")
        self._plain = None if self._has_own_way() else PlainSchema.of(self.fields)
        self.names = self._plain.names if self._plain else _trained_names(first, self.fields)
        # (how requests become arrays, the model that takes them), or None
        self.arrays = self._by_arrays(native) if preprocessing_directory is None else None
        # Which feature is which is told by its place alone.
        self.is_nameless = self.names is None and (_is_nameless(self.fields) or hasattr(first, "n_features_in_"))

    def _add_preprocessing(self, directory):
        transformer, description, taker = _load_preprocessing(directory)
        self._transform = getattr(transformer, "transform", None) or transformer.predict
        self._taker = taker
        return transformer, description

    def _by_arrays(self, native):
        if self._plain is None or self.params or not isinstance(self.model, PlainModel):
            return None
        try:
            from ..arrays.array_requests import ArrayRequests
        except ImportError:
            # An environment without msgspec: slower, and the same answers.
            return None
        columns = self._plain.columns
        model = ArrayModel.of(native, self._plain.names) if ArrayRequests.takes(columns) else None
        return None if model is None else (ArrayRequests(columns), model)

    @functools.cached_property
    def parser(self):
        # A preprocessing that no MLflow describes takes a table as it is.
        return Parser() if self._taker is None else self._taker.parser

    def _has_own_way(self):
        return self._taker is not None and self._taker.has_type_hints()

    def scored(self, request):
        """(what the model's predict gives for a JSON scoring request, whether its answer is wrapped). Raises BadInput."""
        if self._plain is not None and not request.get("params") and not self.params:
            table = self._plain.table(request)
            if table is not None:
                return self._predicted(table), True
        parsed = self.parser.json(request)
        return self.scored_data(parsed), parsed.is_wrapped

    def scored_data(self, parsed):
        self._check_names(parsed.data)
        if self._transform is None:
            return self.model.predict(parsed)
        if self._taker is None:
            return self._predicted(parsed.data)
        return self._taker.predict(parsed, instead=self._predicted_inside)

    def scored_features(self, features):
        """(predictions, probabilities or None) for one row of named features. Raises BadInput."""
        if self.is_nameless:
            raise BadInput(
                "the model was trained on arrays without names, so that no feature can be told by its name: "
                "ask /invocations, or log the model with a signature of named columns"
            )
        if self._plain is not None and not self.params:
            return self._guarded(self._with_probabilities, self._plain.from_records([features]))
        if self.names is not None and not self.fields:
            missing = [name for name in self.names if name not in features]
            if missing:
                raise BadInput(f"missing feature{'s' if len(missing) > 1 else ''}: {shown(missing)}", column=missing[0])
            features = {name: features[name] for name in self.names}
        parsed = self.parser.json({"dataframe_records": [features]})
        if self._taker is None:
            return self._guarded(self._with_probabilities, parsed.data)
        return self._taker.predict(parsed, instead=self._with_probabilities)

    def sample(self):
        """({a scoring request of one row}, where it comes from), or (None, None) when nothing tells what a row is."""
        if self.example is not None:
            return self.example, "input_example"
        names, kinds = self.names, None
        if self._plain is not None:
            kinds = [kind for _, kind, _ in self._plain.columns]
        if names:
            row = [MADE_UP.get(kind, 0) for kind in kinds or ["double"] * len(names)]
            return {"dataframe_split": {"columns": names, "data": [row]}}, "schema"
        return None, None

    def sample_with_probabilities(self):
        """The sample's row as features by their names; None where it names none, or the model gives no probabilities."""
        table = (self.sample()[0] or {}).get("dataframe_split")
        is_named = isinstance(table, dict) and table.get("columns") and table.get("data")
        if self._predict_proba is None or self.is_nameless or not is_named:
            return None
        return dict(zip(table["columns"], table["data"][0]))

    def _predicted(self, data):
        if self._transform is None:
            return self.model.predict_fitting(data)
        return self.model.predict_fitting(self._guarded(self._transform, data))

    def _predicted_inside(self, data):
        return _unwrapped(self._predicted, data)

    def _with_probabilities(self, data):
        if self._transform is not None:
            data = self._transform(data)
        predictions = _unwrapped(self._predict, data)
        return predictions, None if self._predict_proba is None else self._predict_proba(data)

    def _guarded(self, call, data):
        try:
            return call(data)
        except ModelFailed:
            raise
        except Exception as error:
            raise ModelFailed from error

    def _check_names(self, data):
        """What a model that has no signature was trained on is its schema, in that order."""
        if self.fields or self.names is None or not hasattr(data, "columns"):
            return
        given = list(data.columns)
        missing = [name for name in self.names if name not in given]
        if missing:
            raise BadInput(f"missing feature{'s' if len(missing) > 1 else ''}: {shown(missing)}", column=missing[0])
        if given != self.names:
            raise BadInput(f"the columns must be those of the training data in their order: {shown(self.names)}")


def _unwrapped(call, data):
    """What the model has raised itself, where another guard is around already."""
    try:
        return call(data)
    except ModelFailed as failure:
        raise failure.__cause__ from None


def _load_preprocessing(directory):
    """(the transformer, its description, what takes a request by its signature or None)"""
    if os.path.exists(os.path.join(directory, "MLmodel")):
        taker = MlflowModel(directory)
        native = taker.native()
        return native if hasattr(native, "transform") else _Predicting(taker), read_description(directory), taker
    files = sorted(name for name in os.listdir(directory) if name.endswith(PREPROCESSING_FILES))
    if len(files) != 1:
        raise ValueError(f"preprocessing needs an MLmodel file or exactly one of {PREPROCESSING_FILES}; it has {files}")
    import joblib

    return joblib.load(os.path.join(directory, files[0])), {}, None


class _Predicting:
    def __init__(self, taker):
        self.predict = functools.partial(_unwrapped, taker.predict_fitting)


def _trained_names(first, fields):
    """The names that the training data had, for a model without a signature."""
    names = getattr(first, "feature_names_in_", None)
    return [str(name) for name in names] if names is not None and not fields else None


def _is_nameless(fields):
    return bool(fields) and any("name" not in field for field in fields)
