"""Boosted trees and statistics, each by its own flavor of MLflow; what is not installed is skipped by its name."""

import numpy
import pandas
from cases import Case
from mlflow.models import infer_signature
from models_categories import of_categories

random = numpy.random.default_rng(0)
NUMBERS = pandas.DataFrame(random.normal(size=(80, 3)), columns=["a", "b", "c"])
CLASSES = (NUMBERS.a + NUMBERS.b > 0).astype(int)
PLACES = pandas.DataFrame({"place": ["north", "south", "east", "west"] * 20, "x": NUMBERS.a})


def case(name, make, example=None):
    """`make()` gives (flavor, model, predict): nothing is imported before it is this model's turn."""
    rows = NUMBERS.head(2) if example is None else example

    def save(path):
        flavor, model, predict = make()
        signature = infer_signature(rows, predict(rows))
        flavor.save_model(model, path, signature=signature, input_example=rows, pip_requirements=[])

    return Case(name, save, rows)


def xgboost_classifier():
    import mlflow.xgboost
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=5).fit(NUMBERS, CLASSES)
    return mlflow.xgboost, model, model.predict


def xgboost_regressor():
    import mlflow.xgboost
    import xgboost

    model = xgboost.XGBRegressor(n_estimators=5).fit(NUMBERS, NUMBERS.a)
    return mlflow.xgboost, model, model.predict


def xgboost_booster():
    import mlflow.xgboost
    import xgboost

    model = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(NUMBERS, CLASSES), 5)
    return mlflow.xgboost, model, lambda rows: model.predict(xgboost.DMatrix(rows))


def lightgbm_classifier():
    import lightgbm
    import mlflow.lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(NUMBERS, CLASSES)
    return mlflow.lightgbm, model, model.predict


def lightgbm_booster():
    import lightgbm
    import mlflow.lightgbm

    model = lightgbm.train({"verbose": -1}, lightgbm.Dataset(NUMBERS, NUMBERS.a), 5)
    return mlflow.lightgbm, model, model.predict


def catboost_classifier():
    import catboost
    import mlflow.catboost

    model = catboost.CatBoostClassifier(5, verbose=0, allow_writing_files=False).fit(NUMBERS, CLASSES)
    return mlflow.catboost, model, model.predict


def catboost_texts():
    import catboost
    import mlflow.catboost

    model = catboost.CatBoostRegressor(5, verbose=0, allow_writing_files=False)
    model.fit(PLACES, NUMBERS.b, cat_features=["place"])
    return mlflow.catboost, model, model.predict


def least_squares():
    import mlflow.statsmodels
    import statsmodels.api

    model = statsmodels.api.OLS(NUMBERS.a, NUMBERS[["b", "c"]]).fit()
    return mlflow.statsmodels, model, model.predict


def logit():
    import mlflow.statsmodels
    import statsmodels.api

    model = statsmodels.api.GLM(CLASSES, NUMBERS[["b"]], family=statsmodels.api.families.Binomial()).fit()
    return mlflow.statsmodels, model, model.predict


def cases():
    for make in (xgboost_classifier, xgboost_regressor, xgboost_booster, lightgbm_classifier, lightgbm_booster, catboost_classifier):
        yield case(make.__name__, make)
    yield from of_categories()
    yield case("catboost_texts", catboost_texts, PLACES.head(3))
    yield case("least_squares", least_squares, NUMBERS[["b", "c"]].head(2))
    yield case("logit", logit, NUMBERS[["b"]].head(2))
