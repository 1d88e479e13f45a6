"""Boosted trees that were trained on pandas' categories: of texts, numbers and booleans, alone and in a pipeline."""

import json

import mlflow.lightgbm
import mlflow.sklearn
import mlflow.xgboost
import numpy
import pandas
from cases import Case, ask
from mlflow.models import infer_signature

random = numpy.random.default_rng(0)
PLACES = pandas.DataFrame(
    {
        "place": ["north", "south", "east", "west"] * 20,
        "floor": numpy.arange(80) % 3,
        "is_new": numpy.arange(80) % 5 < 2,
        "half": numpy.arange(80) % 7 // 2 + 0.5,
        "x": random.normal(size=80),
    }
)
TARGET = PLACES.x + (PLACES.place == "north") + PLACES.floor * PLACES.is_new + PLACES.half


def case(name, flavor, columns, make, **more):
    """`make(rows, target)` gives a model that was trained on `columns` as categories, and how it predicts."""
    table = PLACES if "place" in columns else PLACES.drop(columns="place")
    rows = table.astype({column: "category" for column in columns})
    example = table.head(6)
    model, predict = make(rows, TARGET)

    def expected():
        return predict(rows.head(6)).tolist()

    def save(path):
        more_of_sklearn = {"serialization_format": "cloudpickle"} if flavor is mlflow.sklearn else {}
        told = {"signature": infer_signature(example), "input_example": example, "pip_requirements": [], **more_of_sklearn}
        flavor.save_model(model, path, **told)

    return Case(f"categories: {name}", save, example, told_categories=True, expected=expected, **more)


def of_codes(model):
    """Categories that the trainer has made numbers of, and pandas knows nothing of."""
    example = PLACES[["floor", "x"]].head(6)

    def save(path):
        signature = infer_signature(example, model.predict(example))
        mlflow.xgboost.save_model(model, path, signature=signature, input_example=example, pip_requirements=[])

    return Case("categories: XGBoost, codes", save, example)


def of_categories():
    import lightgbm
    import xgboost
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def light(rows, target):
        model = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=2, verbose=-1).fit(rows, target)
        return model, model.predict

    def light_booster(rows, target):
        model = lightgbm.train({"verbose": -1, "num_iterations": 5}, lightgbm.Dataset(rows, target))
        return model, model.predict

    def light_inside(rows, target):
        inner = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=2, verbose=-1)
        model = make_pipeline(FunctionTransformer(), inner).fit(rows, target)
        return model, model.predict

    def extreme(rows, target):
        model = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True).fit(rows, target)
        return model, model.predict

    def extreme_booster(rows, target):
        model = xgboost.train({}, xgboost.DMatrix(rows, target, enable_categorical=True), 5)
        return model, lambda some: model.predict(xgboost.DMatrix(some, enable_categorical=True))

    def extreme_inside(rows, target):
        model = make_pipeline(FunctionTransformer(), xgboost.XGBRegressor(n_estimators=5, enable_categorical=True)).fit(rows, target)
        return model, model.predict

    def histogram(rows, target):
        model = HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype").fit(rows, target)
        return model, model.predict

    texts, both, each = ["place"], ["place", "floor"], ["place", "floor", "is_new", "half"]
    for name, columns in (("texts", texts), ("numbers", ["floor"]), ("booleans", ["is_new"]), ("several", each)):
        yield case(f"LightGBM, {name}", mlflow.lightgbm, columns, light)
    yield case("LightGBM's booster", mlflow.lightgbm, both, light_booster)
    yield case("LightGBM in a pipeline", mlflow.sklearn, both, light_inside)
    unknown = ask("an unknown place", {"dataframe_records": [{**json.loads(PLACES.head(1).to_json(orient="records"))[0], "place": "nowhere"}]})
    yield case("XGBoost, texts", mlflow.xgboost, texts, extreme, asks=[unknown])
    yield case("XGBoost, numbers", mlflow.xgboost, both, extreme)
    yield case("XGBoost's booster", mlflow.xgboost, both, extreme_booster)
    yield case("XGBoost in a pipeline", mlflow.sklearn, both, extreme_inside)
    codes = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True, feature_types=["c", "q"])
    yield of_codes(codes.fit(PLACES[["floor", "x"]], TARGET))
    yield case("scikit-learn's own", mlflow.sklearn, both, histogram)
