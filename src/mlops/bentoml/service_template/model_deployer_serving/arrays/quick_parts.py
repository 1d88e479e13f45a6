"""Scikit-learn's estimators without what a row costs that was checked already, and without what ties it to its neighbours.

None is taken on trust: `quick_model` compares each model of them with the model it was made from, to the last bit.
"""

import copy

# What is compared, in calls of one row and of several: a row's answer may not depend on how many others there are.
TOGETHER = (2, 3, 17)


def nameless(model):
    """A copy that shares all that the training has made, and was trained on arrays as far as it knows."""
    twin = copy.copy(model)
    twin.__dict__.pop("feature_names_in_", None)
    return twin


def quick_model(model, method):
    """A model whose `method` gives for each of several rows what `model` gives for that row alone; None if it does not."""
    import numpy

    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    quick = _Steps([_quick(step) for step in steps])
    random = numpy.random.default_rng(0)
    rows = random.normal(size=(max(TOGETHER), model.n_features_in_)) * 10.0 ** random.integers(-3, 4, model.n_features_in_)
    try:
        alone = numpy.concatenate([getattr(model, method)(row[None]) for row in rows])
        asked = [getattr(quick, method)(rows[:count]) for count in (1, *TOGETHER)]
    except ValueError:
        return None
    return quick if all(numpy.array_equal(told, alone[: len(told)], equal_nan=True) for told in asked) else None


class _Steps:
    def __init__(self, steps):
        *self._transformers, self._last = steps

    def predict(self, rows):
        return self._last.predict(self._transformed(rows))

    def predict_proba(self, rows):
        return self._last.predict_proba(self._transformed(rows))

    def _transformed(self, rows):
        for step in self._transformers:
            rows = step.transform(rows)
        return rows


def _quick(step):
    kind = type(step)
    parts = {"StandardScaler": _Scaled, "RandomForestClassifier": _Forest, "ExtraTreesClassifier": _Forest}
    part = _Linear if hasattr(step, "coef_") else parts.get(kind.__name__)
    if part is None:
        return step
    twin = copy.copy(step)
    twin.__class__ = type(kind.__name__, (part, kind), {})
    return twin


class _Scaled:
    def transform(self, X):
        rows = X - self.mean_ if self.with_mean else X
        return rows / self.scale_ if self.with_std else rows


class _Linear:
    """Each row by a product of its own, since one for all adds in another order."""

    def decision_function(self, X):
        import numpy

        scores = numpy.matmul(X[:, None, :], self.coef_.T)[:, 0] + self.intercept_
        return scores.reshape(-1) if scores.ndim > 1 and scores.shape[1] == 1 else scores

    def predict(self, X):
        # Of a regressor; a classifier is asked for its probabilities.
        import numpy

        return numpy.matmul(X[:, None, :], self.coef_.T)[:, 0] + self.intercept_


class _Forest:
    """Its trees one after the other: the forest's own way makes a job of each, which costs ten times the tree."""

    def predict_proba(self, X):
        import numpy

        with numpy.errstate(over="ignore"):
            singles = numpy.ascontiguousarray(X, dtype="float32")
        if not numpy.isfinite(singles).all():
            # Which the forest refuses in its own words.
            return super().predict_proba(X)
        total = numpy.zeros((len(singles), len(self.classes_)))
        for estimator in self.estimators_:
            total += estimator.tree_.predict(singles)
        total /= len(self.estimators_)
        return total
