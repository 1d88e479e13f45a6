"""Models of scikit-learn: tables of numbers, texts, times and gaps, arrays with and without names."""

import mlflow.sklearn
import numpy
import pandas
from cases import Case
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

random = numpy.random.default_rng(0)
NUMBERS = pandas.DataFrame(random.normal(size=(60, 3)), columns=["a", "b", "c"])
CLASSES = (NUMBERS.a + NUMBERS.b > 0).astype(int)
MIXED = pandas.DataFrame(
    {"region": ["north", "south", "east"] * 20, "visits": range(60), "spend": random.normal(size=60), "is_new": [True, False] * 30}
)


def saved(model, example, predict_fn="predict", signature="inferred"):
    def save(path):
        told = infer_signature(example, model.predict(example)) if isinstance(signature, str) else signature
        mlflow.sklearn.save_model(
            model,
            path,
            serialization_format="cloudpickle",
            signature=told,
            input_example=example,
            pyfunc_predict_fn=predict_fn,
            pip_requirements=[],
        )

    return save


def case(name, model, example, **more):
    return Case(name, saved(model, example, **more), example)


def times(rows):
    return rows.assign(when=rows.when.astype("int64"))


def cases():
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import (
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        IsolationForest,
        RandomForestClassifier,
    )
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    few = NUMBERS.head(2)
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, CLASSES)
    yield case("linear_pipeline", linear, few)
    yield case("linear_probabilities", linear, few, predict_fn="predict_proba")
    yield case("forest_of_texts", RandomForestClassifier(10).fit(NUMBERS, numpy.where(CLASSES, "yes", "no")), few)
    yield case("boosted_regressor", GradientBoostingRegressor(n_estimators=10).fit(NUMBERS, NUMBERS.a), few)
    two = numpy.column_stack([CLASSES, 1 - CLASSES])
    yield case("two_outputs", LinearRegression().fit(NUMBERS, two), few)
    several = MultiOutputClassifier(LogisticRegression()).fit(NUMBERS, two)
    yield case("multi_output_probabilities", several, few, predict_fn="predict_proba")
    yield case("isolation_forest", IsolationForest(n_estimators=10).fit(NUMBERS), few)
    yield case("clusters", KMeans(2, n_init=1).fit(NUMBERS), few)
    yield case("linear_log_probabilities", linear, few, predict_fn="predict_log_proba")

    encoder = ColumnTransformer([("region", OneHotEncoder(handle_unknown="ignore"), ["region"])], remainder="passthrough")
    yield case("mixed_columns", make_pipeline(encoder, LogisticRegression()).fit(MIXED, MIXED.visits > 20), MIXED.head(3))
    strict = ColumnTransformer([("region", OneHotEncoder(), ["region"])], remainder="passthrough")
    yield case("known_categories", make_pipeline(strict, LogisticRegression()).fit(MIXED, MIXED.visits > 20), MIXED.head(3))
    gaps = MIXED[["region", "spend"]].copy()
    gaps.loc[1, "spend"], gaps.loc[2, "region"] = numpy.nan, None
    filled = ColumnTransformer(
        [("region", OneHotEncoder(handle_unknown="ignore"), ["region"]), ("spend", SimpleImputer(), ["spend"])]
    )
    tolerant = make_pipeline(filled, HistGradientBoostingClassifier(max_iter=5)).fit(gaps, MIXED.visits > 20)
    yield case("gaps", tolerant, gaps.head(3))
    whole = pandas.DataFrame({"n": numpy.arange(60, dtype="int32"), "m": numpy.arange(60), "x": numpy.ones(60, "float32")})
    yield case("whole_numbers", LinearRegression().fit(whole, NUMBERS.a), whole.head(2))
    dates = pandas.DataFrame({"when": pandas.date_range("2025-01-01", periods=60), "x": NUMBERS.a})
    dated = make_pipeline(FunctionTransformer(times), LinearRegression()).fit(dates, NUMBERS.b)
    yield case("dates", dated, dates.head(2))
    texts = ["good day", "bad night", "good night"] * 20
    words = make_pipeline(FunctionTransformer(lambda rows: rows["text"]), TfidfVectorizer(), LogisticRegression())
    text = pandas.DataFrame({"text": texts})
    yield case("texts", words.fit(text, [1, 0, 1] * 20), text.head(2))
    one = NUMBERS[["a"]]
    yield case("one_column", LinearRegression().fit(one, NUMBERS.b), one.head(3))

    array = NUMBERS.to_numpy()
    on_array = LogisticRegression().fit(array, CLASSES)
    yield case("nameless_array", on_array, array[:2])
    fixed = ModelSignature(Schema([TensorSpec(numpy.dtype("float64"), (-1, 3))]))
    yield case("table_for_a_tensor", on_array, array[:2], signature=fixed)
    yield case("array_without_signature", on_array, array[:2], signature=None)
    yield case("table_without_signature", linear, few, signature=None)
    nameless = ModelSignature(Schema([ColSpec("double")] * 3))
    yield case("nameless_columns", on_array, array[:2], signature=nameless)
    optional = Schema([ColSpec("double", "a"), ColSpec("double", "b"), ColSpec("double", "c", required=False)])
    yield case("optional_column", tolerant_of_gaps(), few, signature=ModelSignature(optional))


def tolerant_of_gaps():
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=5).fit(NUMBERS, NUMBERS.a)
