"""Scikit-learn models that answer a plain array as they answer a table: asked without one, and rows of several callers at
a time, each of which is answered to the last bit as it is by itself.

Which estimators those are was tried one by one: `bench/answers/models_arrays.py` holds each against the slow way, and a
model with any other part is served the slow way. A table costs a single row more than the model does.
"""

from .quick_parts import nameless, quick_model

# Two classes this close may change places by the order of an addition; `predict` itself decides then.
TIE = 1e-9

# What they make of a value does not depend on the values beside it.
BY_VALUE = frozenset(
    ("MaxAbsScaler", "MinMaxScaler", "PolynomialFeatures", "RobustScaler")
    + ("SelectKBest", "SimpleImputer", "StandardScaler", "VarianceThreshold")
)
TRANSFORMERS = BY_VALUE | {"Normalizer", "PCA"}
# `predict` is the class with the largest of `predict_proba`.
CLASSIFIERS_BY_ROW = frozenset(
    ("DecisionTreeClassifier", "ExtraTreesClassifier", "GradientBoostingClassifier", "HistGradientBoostingClassifier")
    + ("LinearDiscriminantAnalysis", "LogisticRegression", "RandomForestClassifier")
)
CLASSIFIERS = CLASSIFIERS_BY_ROW | {"GaussianNB", "MLPClassifier", "QuadraticDiscriminantAnalysis"}
COUNTED = frozenset(("DecisionTreeClassifier", "ExtraTreesClassifier", "RandomForestClassifier"))
REGRESSORS = frozenset(
    ("DecisionTreeRegressor", "ExtraTreesRegressor", "GradientBoostingRegressor", "HistGradientBoostingRegressor")
    + ("RandomForestRegressor", "ElasticNet", "Lasso", "LinearRegression", "Ridge")
)


class ArrayModel:
    """`takes_several` tells whether single rows of several callers may be asked together."""

    def __init__(self, model):
        *transformers, last = (type(step).__name__ for step in _steps_of(model))
        self._model = model
        self._classes = model.classes_ if last in CLASSIFIERS else None
        may_go_together = set(transformers) <= BY_VALUE and last in CLASSIFIERS_BY_ROW | REGRESSORS
        self._by_row = quick_model(model, "predict" if self._classes is None else "predict_proba") if may_go_together else None
        self.takes_several = self._by_row is not None
        # Its `predict` is the first of the largest shares by its own definition, of a table as of a row.
        self._is_counted = self.takes_several and last in COUNTED

    @staticmethod
    def of(native, names):
        """None for a model that has to be asked by tables. `names` are the columns of its signature."""
        trained_names = getattr(native, "feature_names_in_", names)
        if not _is_known(native) or list(trained_names) != names or native.n_features_in_ != len(names):
            return None
        # A copy that knows no names, since it is asked without; it shares all that the training has made.
        model = nameless(native)
        if hasattr(model, "steps"):
            model.steps = [(name, nameless(step)) for name, step in model.steps]
        return ArrayModel(model)

    def predict(self, rows, are_several=False):
        """(predictions, probabilities or None) of float64 rows, arrays with one for each.

        With `are_several` each row is another caller's. A table of one caller has no probabilities. Raises what the model
        raises.
        """
        import numpy

        is_table = len(rows) > 1 and not are_several
        if self._classes is None or (is_table and not self._is_counted):
            model = self._model if is_table or self._by_row is None else self._by_row
            return model.predict(rows), None
        probabilities = (self._model if self._by_row is None else self._by_row).predict_proba(rows)
        predictions = self._classes.take(probabilities.argmax(axis=1), axis=0)
        if not self._is_counted:
            largest = numpy.sort(probabilities, axis=1)
            # What is no number is asked again, too.
            for row in numpy.flatnonzero(~(largest[:, -1] - largest[:, -2] > TIE)):
                predictions[row] = self._model.predict(rows[row : row + 1])[0]
        return predictions, probabilities


def _steps_of(model):
    return [step for _, step in model.steps] if hasattr(model, "steps") else [model]


def _is_known(model):
    *transformers, last = _steps_of(model) if _is_own(model, {"Pipeline"}) else [model]
    return all(_is_own(step, TRANSFORMERS) for step in transformers) and _is_final(last)


def _is_final(model):
    # Columns that the model keeps apart by their names or types, and a model within the model.
    if getattr(model, "_preprocessor", None) is not None or getattr(model, "init", None) is not None:
        return False
    if _is_own(model, CLASSIFIERS):
        classes = getattr(model, "classes_", None)
        return getattr(classes, "ndim", 0) == 1 and len(classes) > 1
    return _is_own(model, REGRESSORS)


def _is_own(model, names):
    """Exactly one of these classes, not one that somebody has made from it, and told to answer arrays."""
    kind = type(model)
    is_one = kind.__module__.partition(".")[0] == "sklearn" and kind.__name__ in names
    return is_one and not getattr(model, "_sklearn_output_config", None)
