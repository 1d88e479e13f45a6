"""Others of the kinds that the other groups have: what callers, trainers and models do that is rarer."""

import datetime

import numpy
import pandas
from cases import Case, ask
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Object, ParamSchema, ParamSpec, Property, Schema, TensorSpec
from models_pyfunc import Shown, of_columns, saved
from models_sklearn import saved as saved_sklearn
from odd_tables import ODD_JSON
from rare_answers import ANSWERS, Answering
from rare_models import Agent, Anything, Asked, Chat, Counts, Patients, Responding, Tensor, Times, Whole

random = numpy.random.default_rng(2)


def tensors(name, *specs):
    spec = [TensorSpec(numpy.dtype(kind), shape, column) for column, kind, shape in specs]
    return saved(Tensor(), signature=ModelSignature(Schema(spec)))


def trained():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
    from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.svm import LinearSVC

    rows = pandas.DataFrame(random.normal(size=(80, 3)), columns=["a", "b", "c"])
    two, many = (rows.a > 0).astype(int), (rows > 0).astype(int)
    yield "many labels, neighbours", KNeighborsClassifier(3).fit(rows, many), rows, {}
    yield "many outputs, logistic", MultiOutputClassifier(LogisticRegression()).fit(rows, many[["a", "b"]]), rows, {}
    yield "many outputs, linear", MultiOutputRegressor(LinearRegression()).fit(rows, rows[["a", "b"]] * 2), rows, {}
    yield "calibrated", CalibratedClassifierCV(LinearSVC(), cv=3).fit(rows, two), rows, {}
    yield "clusters", KMeans(3, n_init=1, random_state=0).fit(rows), rows, {}
    yield "outliers", LocalOutlierFactor(novelty=True).fit(rows), rows, {}
    yield "probabilities", LogisticRegression().fit(rows, two), rows, {"predict_fn": "predict_proba"}
    yield "their logarithms", LogisticRegression().fit(rows, two), rows, {"predict_fn": "predict_log_proba"}
    texts = pandas.DataFrame({"text": ["good day", "bad day", "good"] * 9, "n": range(27)})
    words = ColumnTransformer([("words", TfidfVectorizer(), "text")], remainder="passthrough")
    yield "texts", make_pipeline(words, LogisticRegression()).fit(texts, texts.text.str.startswith("good")), texts, {}
    kinds = pandas.DataFrame({"kind": ["x", "y", None] * 9, "n": [1.0, None, 2.0] * 9})
    encoded = ColumnTransformer([("kind", OneHotEncoder(), ["kind"])])
    yield "an unknown category", make_pipeline(encoded, LogisticRegression()).fit(kinds, [0, 1, 0] * 9), kinds, {}
    odd = rows.set_axis(["a b", "ü.x", 'q"'], axis=1)
    yield "odd names", LogisticRegression().fit(odd, two), odd, {}
    numbered = rows.set_axis([0, 1, 2], axis=1)
    yield "numbers as names", LinearRegression().fit(numbered.to_numpy(), two), numbered, {}
    apart = rows.set_axis([10, 20, 30], axis=1)
    yield "numbers apart as names", LinearRegression().fit(apart.to_numpy(), two), apart, {}
    yield "an array", KNeighborsClassifier(3).fit(rows.to_numpy(), two), rows.to_numpy(), {}
    yield "an array of float32", LinearRegression().fit(rows.to_numpy("float32"), two), rows.to_numpy("float32"), {}


def hinted():
    yield Case("others: whole numbers by hint", saved(Whole(), input_example=[1, 2]), [1, 2])
    yield Case("others: times by hint", saved(Times(), input_example=[datetime.datetime(2025, 1, 2)]), None)
    yield Case("others: counts by hint", saved(Counts(), input_example=[{"a": 1}]), [{"a": 1}])
    patient = {"id": 1, "stays": [{"ward": "x", "days": [1, 2]}], "extra": {"k": 1.5}}
    wrong = [
        {**patient, "id": "one"},
        {**patient, "stays": [{"ward": "x"}]},
        {**patient, "stays": [{"ward": "x", "days": ["many"]}]},
        {**patient, "stays": {}},
        {**patient, "extra": {"k": "x"}},
        {**patient, "extra": None},
        {**patient, "id": 1.0},
        {**patient, "id": True},
        {},
    ]
    asks = [ask(f"a patient {one}"[:70], {form: [one]}) for one in wrong for form in ("inputs", "dataframe_records")]
    yield Case("others: nested pydantic", saved(Patients(), input_example=[patient]), [patient], asks=asks)
    any_asks = [ask(f"any {one}", {"inputs": [one]}) for one in (None, 1, 1.5, "x", [1], {"a": None}, True)]
    yield Case("others: anything by hint", saved(Anything(), input_example=["x"]), None, asks=any_asks)


def chats():
    said = [{"role": "user", "content": "x"}]
    told = [
        {"messages": said},
        {"messages": said, "temperature": 0.5},
        {"messages": said, "temperature": "hot"},
        {"messages": said, "unknown": 1},
        {"messages": said, "stream": True},
        {"messages": [{"role": "user"}]},
        {"messages": "x"},
        {"messages": []},
        {"input": said},
        {"input": "x"},
        {"prompt": "x"},
        {"inputs": {"messages": [said]}},
    ]
    asks = [ask(f"a chat {one}"[:60], one) for one in told]
    for model in (Chat(), Agent(), Responding()):
        yield Case(f"others: {type(model).__name__}", saved(model), None, asks=asks)


def asked():
    person = Object([Property("name", DataType.string), Property("age", DataType.long, required=False)])
    specs = [
        ParamSpec("many", "double", [1.0], (-1,)),
        ParamSpec("on", "boolean", True),
        ParamSpec("when", "datetime", "2025-01-02T00:00:00"),
        ParamSpec("count", "integer", 1),
        ParamSpec("long", "long", 1),
        ParamSpec("ratio", "float", 0.5),
        ParamSpec("word", "string", "x"),
        ParamSpec("who", person, {"name": "x"}),
    ]
    signature = ModelSignature(Schema([ColSpec("double", "x")]), params=ParamSchema(specs))
    told = [
        {},
        {"many": [1, 2.5]},
        {"many": []},
        {"many": 5},
        {"many": ["x"]},
        {"many": [None]},
        {"on": False},
        {"on": 1},
        {"on": "true"},
        {"when": "2025-03-04"},
        {"when": "2025-03-04T05:06:07Z"},
        {"when": 5},
        {"when": "soon"},
        {"count": 2},
        {"count": 2.0},
        {"count": 2.5},
        {"count": 3_000_000_000},
        {"count": "2"},
        {"long": 2**62},
        {"long": 2**70},
        {"ratio": 1},
        {"ratio": 1e300},
        {"ratio": None},
        {"word": 5},
        {"word": None},
        {"who": {"name": "y", "age": 5}},
        {"who": {"age": 5}},
        {"who": {"name": 5}},
        {"who": []},
        {"count": 2, "unknown": 1},
    ]
    asks = [ask(f"params {one}", {"inputs": [{"x": 1.5}], "params": one}) for one in told]
    return Case("others: params of each kind", saved(Asked(), signature=signature), None, asks=asks)


def cases():
    label = of_columns(("x", "string", True))
    answers = [ask(name, {"inputs": [{"x": name}]}) for name in ANSWERS]
    yield Case("others: answers", saved(Answering(), signature=label), None, asks=answers)
    one = of_columns(("x", "double", True))
    yield Case("others: odd JSON and CSV", saved(Shown(), signature=one), None, asks=ODD_JSON)
    yield Case("others: odd JSON without a signature", saved(Shown()), None, asks=ODD_JSON)
    yield asked()
    yield from hinted()
    yield from chats()
    for name, model, example, more in trained():
        shown = example.head(4) if hasattr(example, "head") else example[:4]
        yield Case(f"others: {name}", saved_sklearn(model, shown, **more), shown)
    flags = [ask(f"flags {one}", {"inputs": one}) for one in ([[True, False]], [[1, 0]], [["x", "y"]], [[None, True]], [True, False], [[[True]]])]
    yield Case("others: a tensor of booleans", tensors("flags", (None, "bool", (-1, 2))), None, asks=flags)
    pictures = [ask(f"a picture {one}", {form: one}) for one in ([[[1, 2], [3, 4]]], [[[1.5, 2], [3, 4]]], [[[300, 2], [3, 4]]], [[[-1, 2], [3, 4]]], [[1, 2]], [[[1]]]) for form in ("inputs", "instances")]
    yield Case("others: a tensor of bytes", tensors("pictures", (None, "uint8", (-1, 2, 2))), None, asks=pictures)
    words = [ask(f"words {one}", {"inputs": one}) for one in ([["a", "b"]], [[1, 2]], [[None, "b"]], ["a"], [["a"], ["b"]])]
    yield Case("others: a tensor of texts", tensors("words", (None, "str", (-1, 2))), None, asks=words)
    mixed = {"i": [1, 2], "d": [[0.5], [1.5]], "s": ["x", "y"]}
    odd = [mixed, {**mixed, "i": [1]}, {**mixed, "i": [1.5, 2]}, {**mixed, "s": [1, 2]}, {**mixed, "d": [0.5, 1.5]}, {**mixed, "i": 1}, {"i": [1, 2]}]
    forms = [ask(f"tensors {one}", {"inputs": one}) for one in odd]
    forms += [ask("tensors by row", {"instances": [{"i": 1, "d": [0.5], "s": "x"}]}), ask("tensors as a table", {"dataframe_split": {"columns": ["i", "d", "s"], "data": [[1, [0.5], "x"]]}})]
    yield Case("others: tensors of several kinds", tensors("mixed", ("i", "int32", (-1,)), ("d", "float64", (-1, 1)), ("s", "str", (-1,))), None, asks=forms)
