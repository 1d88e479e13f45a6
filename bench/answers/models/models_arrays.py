"""Every part of scikit-learn that is asked by arrays (array_model.py), alone and behind each transformer, and near misses."""

import warnings

import numpy
import pandas
from cases import Case
from models_sklearn import saved
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

random = numpy.random.default_rng(1)
ROWS = pandas.DataFrame(random.normal(size=(120, 5)) * [1, 10, 100, 0.1, 1], columns=["a", "b", "c", "d", "e"])
VALUES = ROWS.a + ROWS.b / 10 - ROWS.c / 100
TWO, THREE = (VALUES > 0).astype(int), numpy.where(VALUES > 1, "high", numpy.where(VALUES < -1, "low", "middle"))


class Undecided(LogisticRegression):
    """Whose probabilities are equal to the last bit, although it decides."""

    def fit(self, *trained):
        super().fit(*trained)
        self.coef_ *= 1e-19
        return self


# Whole numbers beside a double, and nothing but whole numbers, which sklearn keeps as such.
MIXED = ROWS.assign(b=ROWS.b.round().astype("int64"), c=ROWS.c.round().astype("int32"))
WHOLE = (ROWS * 100).round().astype("int64")


def case(name, model, target, rows=ROWS):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, target)
    if isinstance(model, Undecided):
        model.__class__ = LogisticRegression
    return Case(f"arrays: {name}", saved(model, rows.head(40)), rows.head(40))


def transformers():
    from sklearn.decomposition import PCA
    from sklearn.feature_selection import SelectKBest, VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import (
        MaxAbsScaler,
        MinMaxScaler,
        Normalizer,
        PolynomialFeatures,
        RobustScaler,
        StandardScaler,
    )

    plain = (MaxAbsScaler, MinMaxScaler, Normalizer, PolynomialFeatures, RobustScaler, SimpleImputer, StandardScaler)
    return [*(kind() for kind in plain), PCA(3), SelectKBest(k=3), VarianceThreshold(0.001)]


def classifiers():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neural_network import MLPClassifier
    from sklearn.tree import DecisionTreeClassifier

    # Two trees, and a tree of one question, whose leaves often share out their rows alike.
    forests = [RandomForestClassifier(2, max_depth=3), ExtraTreesClassifier(8), RandomForestClassifier(50)]
    boosted = [GradientBoostingClassifier(n_estimators=20), HistGradientBoostingClassifier(max_iter=20)]
    trees = [DecisionTreeClassifier(), DecisionTreeClassifier(max_depth=1)]
    smooth = [LogisticRegression(), LogisticRegression(C=1e9), Undecided(fit_intercept=False)]
    smooth += [GaussianNB(), LinearDiscriminantAnalysis(), QuadraticDiscriminantAnalysis(), MLPClassifier(8, max_iter=30)]
    return forests + boosted + trees + smooth


def regressors():
    from sklearn.ensemble import (
        ExtraTreesRegressor,
        GradientBoostingRegressor,
        HistGradientBoostingRegressor,
        RandomForestRegressor,
    )
    from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
    from sklearn.tree import DecisionTreeRegressor

    trees = [ExtraTreesRegressor(8), RandomForestRegressor(8), DecisionTreeRegressor()]
    trees += [GradientBoostingRegressor(n_estimators=20), HistGradientBoostingRegressor(max_iter=20)]
    return [*trees, ElasticNet(), Lasso(0.01), LinearRegression(), Ridge()]


def near_misses():
    """What looks alike and must go the slow way, or answer as it does."""
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from sklearn.svm import SVC

    class Cautious(LogisticRegression):
        def predict(self, rows):
            return numpy.where(self.predict_proba(rows)[:, 1] > 0.9, 1, 0)

    framed = make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression())
    yield case("a class made from another", Cautious(), TWO)
    yield case("tables within", framed, TWO)
    yield case("a function within", make_pipeline(FunctionTransformer(numpy.sign), LogisticRegression()), TWO)
    yield case("columns kept apart", HistGradientBoostingClassifier(max_iter=5, categorical_features=[]), TWO)
    yield case("a model within", GradientBoostingClassifier(n_estimators=5, init=LogisticRegression()), TWO)
    yield case("several outputs", RandomForestClassifier(5), numpy.column_stack([TWO, 1 - TWO]))
    yield case("one class", RandomForestClassifier(5), numpy.zeros(len(TWO)))
    yield case("probabilities of another kind", make_pipeline(StandardScaler(), SVC()), TWO)


def cases():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeRegressor

    for number, model in enumerate(classifiers()):
        for classes in (TWO, THREE):
            yield case(f"{type(model).__name__} {number}, {len(set(classes))} classes", clone(model), classes)
    for model in regressors():
        yield case(type(model).__name__, model, VALUES)
    for transformer in transformers():
        for last, target in ((LogisticRegression(), THREE), (DecisionTreeRegressor(), VALUES)):
            model = make_pipeline(clone(transformer), last)
            yield case(f"{type(transformer).__name__}, {type(last).__name__}", model, target)
    for model, target in ((LogisticRegression(), TWO), (LinearRegression(), VALUES), (RandomForestClassifier(20), THREE)):
        for kind, rows in (("whole numbers beside doubles", MIXED), ("whole numbers", WHOLE)):
            yield case(f"{kind}, {type(model).__name__}", clone(model), target, rows)
            yield case(f"{kind}, scaled {type(model).__name__}", make_pipeline(StandardScaler(), clone(model)), target, rows)
    yield from near_misses()
