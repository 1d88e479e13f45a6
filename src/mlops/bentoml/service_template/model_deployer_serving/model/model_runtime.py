"""The model of this bento, with its preprocessing: a request to what is predicted."""

import functools

from ..arrays.array_model import ArrayModel
from .mlflow_adapter import MlflowModel, ModelFailed, Parsed, Parser, refusing, unwrapped
from .model_folder import read_description, read_example, signature_fields
from .own_modules import modules_apart
from .plain_model import PlainModel, load_plain
from .plain_table import PlainSchema, missing_features
from .preprocessing import as_signed, load_preprocessing
from ..refusal import BadInput, shown

MADE_UP = {"string": "", "boolean": False, "datetime": "2000-01-01T00:00:00"}


class ModelRuntime:
    """Loads on creation; calls may come from several threads at once."""

    def __init__(self, model_directory, preprocessing_directory=None):
        description = read_description(model_directory)
        self.example = read_example(preprocessing_directory or model_directory)
        self.model = load_plain(model_directory, description) or MlflowModel(model_directory)
        native = self.model.native()
        self._predict_proba = getattr(native, "predict_proba", None)
        self._predict = native.predict if self.model.predicts_otherwise() else self.model.predict_fitting
        last = native.steps[-1][1] if hasattr(native, "steps") else native
        self.model_type = type(last).__name__ if native is not None else "PyFuncModel"
        self.classes = getattr(native, "classes_", None)
        self.params = signature_fields(description, "params")
        self._transform, self._taker, self._signed, first = None, self.model, signature_fields(description), native
        if preprocessing_directory:
            with modules_apart(model_directory):
                first, description = self._add_preprocessing(preprocessing_directory)
        self.fields = signature_fields(description)
        self._plain = None if self._has_own_way() else PlainSchema.of(self.fields)
        self.names = self._plain.names if self._plain else _trained_names(first, self.fields)
        # (how requests become arrays, the model that takes them), or None
        self.arrays = self._by_arrays(native) if preprocessing_directory is None else None
        # A signature's name may be a number, and a key of JSON is always a text.
        self.names_by_text = {str(field["name"]): field["name"] for field in self.fields if "name" in field}
        # Which feature is which is told by its place alone.
        is_array = self.names is None and hasattr(first, "n_features_in_")
        self.is_nameless = _is_nameless(self.fields) if self.fields else is_array

    def _add_preprocessing(self, directory):
        transformer, description, taker = load_preprocessing(directory)
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
            with refusing():
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
            return self._predicted(parsed.data, self.model.params_of(parsed.params))
        # The params are the model's, and the preprocessing's where the model knows none.
        mine, theirs = (parsed.params, None) if self.params else (None, parsed.params)
        inside = functools.partial(unwrapped, functools.partial(self._predicted, params=self.model.params_of(mine)))
        return self._taker.predict(Parsed(parsed.data, theirs), instead=inside)

    def scored_features(self, features):
        """(predictions, probabilities or None) for one row of named features. Raises BadInput."""
        if self.is_nameless:
            raise BadInput(
                "the model was trained on arrays without names, so that no feature can be told by its name: "
                "ask /invocations, or log the model with a signature of named columns"
            )
        if self._plain is not None and not self.params:
            with refusing():
                table = self._plain.from_records([features])
            return self._guarded(self._with_probabilities, table)
        if self.names is not None and not self.fields:
            missing = [name for name in self.names if name not in features]
            if missing:
                raise missing_features(missing)
            features = {name: features[name] for name in self.names}
        features = {self.names_by_text.get(name, name): value for name, value in features.items()}
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

    def _predicted(self, data, params=None):
        if self._transform is not None:
            data = self._guarded(self._prepared, data)
        return self.model.predict_fitting(data, params)

    def _prepared(self, data):
        return as_signed(self._transform(data), self._signed)

    def _with_probabilities(self, data):
        if self._transform is not None:
            data = self._prepared(data)
        predictions = unwrapped(self._predict, data)
        return predictions, None if self._predict_proba is None else self._predict_proba(data)

    def _guarded(self, call, data):
        try:
            return call(data)
        except ModelFailed:
            raise
        except BaseException as error:
            raise ModelFailed from error

    def _check_names(self, data):
        """What a model that has no signature was trained on is its schema, in that order."""
        if self.fields or self.names is None or not hasattr(data, "columns"):
            return
        given = list(data.columns)
        missing = [name for name in self.names if name not in given]
        if missing:
            raise missing_features(missing)
        if given != self.names:
            raise BadInput(f"the columns must be those of the training data in their order: {shown(self.names)}")


def _trained_names(first, fields):
    """The names that the training data had, for a model without a signature."""
    names = getattr(first, "feature_names_in_", None)
    return [str(name) for name in names] if names is not None and not fields else None


def _is_nameless(fields):
    return bool(fields) and any("name" not in field for field in fields)
