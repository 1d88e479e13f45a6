"""Others of the kinds that the other groups have: what callers, trainers and models do that is rarer."""

import collections
import datetime
import decimal
import enum
import uuid
from typing import Any, Optional

import mlflow.pyfunc
import numpy
import pandas
import pydantic
from cases import CSV, JSON, Ask, Case, ask
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Object, ParamSchema, ParamSpec, Property, Schema, TensorSpec
from models_pyfunc import Shown, of_columns, saved
from models_sklearn import saved as saved_sklearn

random = numpy.random.default_rng(2)


class Level(enum.Enum):
    HIGH = "high"


class Count(int):
    pass


Pair = collections.namedtuple("Pair", "first second")

ANSWERS = {
    "timedelta64": lambda: [numpy.timedelta64(5, "s")],
    "enum": lambda: [Level.HIGH],
    "NA": lambda: [pandas.NA],
    "NaT": lambda: [pandas.NaT],
    "period": lambda: [pandas.Period("2025-01")],
    "date": lambda: [datetime.date(2025, 1, 2)],
    "time": lambda: [datetime.time(1, 2)],
    "datetime with a zone": lambda: [datetime.datetime(2025, 1, 2, tzinfo=datetime.timezone.utc)],
    "uuid": lambda: [uuid.UUID(int=1)],
    "fraction": lambda: [decimal.Decimal("NaN")],
    "bytes in a list": lambda: [b"\x00"],
    "bytes in a table": lambda: pandas.DataFrame({"a": [b"\x00"]}),
    "bytearray": lambda: bytearray(b"x"),
    "named tuple": lambda: Pair(1, numpy.int64(2)),
    "tuples in a list": lambda: [(1, 2), (3, 4)],
    "dicts in a list": lambda: [{"a": numpy.float64(1), "b": [numpy.int8(1)]}],
    "dict of dicts": lambda: {"a": {"b": numpy.array([1])}},
    "dict of tables": lambda: {"a": pandas.DataFrame({"x": [1]})},
    "dict of series": lambda: {"a": pandas.Series([1])},
    "dict with none as key": lambda: {None: 1},
    "dict with a boolean as key": lambda: {True: 1},
    "dict with NaN as key": lambda: {float("nan"): 1},
    "dict in order": lambda: collections.OrderedDict(b=1, a=2),
    "masked array": lambda: numpy.ma.array([1.0, 2.0], mask=[False, True]),
    "structured array": lambda: numpy.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f4")]),
    "float16": lambda: numpy.array([0.1], dtype="float16"),
    "long double": lambda: [numpy.longdouble("0.1")],
    "unsigned": lambda: numpy.array([2**64 - 1], dtype="uint64"),
    "a kind of int": lambda: [Count(5)],
    "range": lambda: range(3),
    "deque": lambda: collections.deque([1, 2]),
    "keys": lambda: {"a": 1}.keys(),
    "frozen set": lambda: frozenset([1]),
    "three dimensions": lambda: numpy.zeros((2, 1, 2)),
    "empty array": lambda: numpy.zeros((0, 2)),
    "empty table": lambda: pandas.DataFrame({"a": []}),
    "table with several indexes": lambda: pandas.DataFrame({"a": [1]}, index=pandas.MultiIndex.from_tuples([(1, 2)])),
    "table with levels of columns": lambda: pandas.DataFrame([[1]], columns=pandas.MultiIndex.from_tuples([("a", "b")])),
    "table with a column twice": lambda: pandas.DataFrame([[1, 2]], columns=["a", "a"]),
    "table with numbers as columns": lambda: pandas.DataFrame([[1, 2]]),
    "table with an index of texts": lambda: pandas.DataFrame({"a": [1]}, index=["x"]),
    "table of booleans with a gap": lambda: pandas.DataFrame({"a": pandas.array([True, None], dtype="boolean")}),
    "table of texts with a gap": lambda: pandas.DataFrame({"a": pandas.array(["x", None], dtype="string")}),
    "table of categories": lambda: pandas.DataFrame({"a": pandas.Categorical(["x", None])}),
    "table of intervals": lambda: pandas.DataFrame({"a": pandas.interval_range(0, 1)}),
    "table of timedeltas": lambda: pandas.DataFrame({"a": [pandas.Timedelta("1h")]}),
    "table of dates": lambda: pandas.DataFrame({"a": [datetime.date(2025, 1, 2)]}),
    "table with a zone": lambda: pandas.DataFrame({"a": pandas.to_datetime(["2025-01-01T00:00:00+02:00"])}),
    "table of dicts": lambda: pandas.DataFrame({"a": [{"b": numpy.int64(1)}]}),
    "table of decimals": lambda: pandas.DataFrame({"a": [decimal.Decimal("1.5")]}),
    "table of complex numbers": lambda: pandas.DataFrame({"a": [1j]}),
    "table with infinity": lambda: pandas.DataFrame({"a": [numpy.inf]}),
    "series of times": lambda: pandas.Series(pandas.to_datetime(["2025-01-01"])),
    "series with an index": lambda: pandas.Series([1, 2], index=["x", "y"]),
    "sparse series": lambda: pandas.Series(pandas.arrays.SparseArray([0, 1])),
    "line separators": lambda: ["\u2028\u0000\u00e9"],
    "a lone surrogate": lambda: ["\ud800"],
    "minus zero": lambda: [-0.0],
    "small and large": lambda: [5e-324, 1.7976931348623157e308],
    "true and one": lambda: [True, 1, 1.0],
}


class Answering(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return ANSWERS[model_input["x"].iloc[0]]()


class Whole(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[int]) -> list[int]:
        return [number + 1 for number in model_input]


class Times(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[datetime.datetime]) -> list[str]:
        return [time.isoformat() for time in model_input]


class Counts(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[dict[str, int]]) -> list[int]:
        return [sum(row.values()) for row in model_input]


class Stay(pydantic.BaseModel):
    ward: str
    days: list[int]


class Patient(pydantic.BaseModel):
    id: int
    stays: list[Stay]
    extra: Optional[dict[str, float]] = None


class Patients(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Patient]) -> list[int]:
        return [sum(sum(stay.days) for stay in patient.stays) for patient in model_input]


class Anything(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Any]) -> list[str]:
        return [repr(one) for one in model_input]


class Asked(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [{name: repr(value) for name, value in sorted((params or {}).items())}]


class Tensor(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        shown = model_input if isinstance(model_input, dict) else {"": model_input}
        return {name or "all": [str(array.dtype), list(array.shape), array.tolist()] for name, array in shown.items()}


def tensors(name, *specs):
    spec = [TensorSpec(numpy.dtype(kind), shape, column) for column, kind, shape in specs]
    return saved(Tensor(), signature=ModelSignature(Schema(spec)))


# Forms of JSON, CSV and their names, of one table with a column "x" of doubles.
ROW = '{"dataframe_records": [{"x": 1.5}]}'
ODD_JSON = [
    Ask("the body", ROW),
    Ask("white space around", f" \r\n\t{ROW}\n\n"),
    Ask("a byte order mark", "\ufeff" + ROW),
    Ask("UTF-16", ROW.encode("utf-16")),
    Ask("a null byte behind", ROW + "\u0000"),
    Ask("two documents", ROW + ROW),
    Ask("a comma too many", '{"dataframe_records": [{"x": 1.5},]}'),
    Ask("single quotes", ROW.replace('"', "'")),
    Ask("a comment", ROW + "// x"),
    Ask("a key twice", '{"dataframe_records": [{"x": 1.5}], "dataframe_records": [{"x": 2.5}]}'),
    Ask("a column twice", '{"dataframe_records": [{"x": 1.5, "x": 2.5}]}'),
    Ask("an escaped name", '{"dataframe_records": [{"\\u0078": 1.5}]}'),
    Ask("a lone surrogate", '{"dataframe_records": [{"x": 1.5, "y": "\\ud800"}]}'),
    *(
        Ask(f"the number {number[:12]}", ROW.replace("1.5", number), reason=reason)
        for number, reason in [
            ("1e999", "no_json_number"),
            ("-1e999", "no_json_number"),
            ("1e-999", None),
            ("-0.0", None),
            ("01", None),
            (".5", None),
            ("+1", None),
            ("1.", None),
            ("0x10", None),
            ("1_000", None),
            ("-Infinity", "no_json_number"),
            ("9" * 400, "too_large"),
            ("9" * 5000, "too_large"),
            ("1" + "0" * 30, None),
            ("9007199254740993", None),
            ("1.7976931348623157e308", None),
            ("1.7976931348623159e308", "no_json_number"),
            ("5e-324", None),
        ]
    ),
    ask("cells in lists", {"dataframe_records": [[1.5]]}),
    ask("records of numbers", {"dataframe_records": [1.5]}),
    ask("records of null", {"dataframe_records": [None]}),
    ask("records of an empty object", {"dataframe_records": [{}]}),
    ask("records by index", {"dataframe_records": {"0": {"x": 1.5}}}),
    ask("split with rows as objects", {"dataframe_split": {"columns": ["x"], "data": [{"x": 1.5}]}}),
    ask("split with a column twice", {"dataframe_split": {"columns": ["x", "x"], "data": [[1.5, 2.5]]}}),
    ask("split with a null column", {"dataframe_split": {"columns": [None], "data": [[1.5]]}}),
    ask("split with a number as column", {"dataframe_split": {"columns": [0], "data": [[1.5]]}}),
    ask("split with columns that are a text", {"dataframe_split": {"columns": "x", "data": [[1.5]]}}),
    ask("split with columns that are null", {"dataframe_split": {"columns": None, "data": [[1.5]]}}),
    ask("split with data that is null", {"dataframe_split": {"columns": ["x"], "data": None}}),
    ask("split with data that is an object", {"dataframe_split": {"columns": ["x"], "data": {"0": [1.5]}}}),
    ask("split with a list of numbers", {"dataframe_split": {"columns": ["x"], "data": [1.5]}}),
    ask("split with an index of texts", {"dataframe_split": {"columns": ["x"], "index": ["a"], "data": [[1.5]]}}),
    ask("split with an index that is null", {"dataframe_split": {"columns": ["x"], "index": None, "data": [[1.5]]}}),
    ask("a list of a list of a list", {"inputs": [[[1.5]]]}),
    ask("a column of lists", {"inputs": {"x": [[1.5], [2.5]]}}),
    ask("a column that is a number", {"inputs": {"x": 1.5}}),
    ask("a column that is null", {"inputs": {"x": None}}),
    ask("a column that is an object", {"inputs": {"x": {"y": 1}}}),
    ask("columns that are wider", {"inputs": {"x": [1.5, 2.5], "y": [1]}}),
    ask("ten thousand columns", {"dataframe_records": [{**{f"c{n}": n for n in range(10_000)}, "x": 1.5}]}),
    ask("ten thousand columns, and not the one", {"dataframe_records": [{f"c{n}": n for n in range(10_000)}]}),
    ask("a deep cell", {"dataframe_records": [{"x": 1.5, "y": [[[[[[1]]]]]]}]}),
    Ask("a cell of 3,000 levels", '{"dataframe_records": [{"x": ' + "[" * 3000 + "]" * 3000 + "}]}"),
    Ask("an object of 50,000 levels", '{"x":' * 50_000 + "1" + "}" * 50_000),
    Ask("no content type", ROW, None, reason="no_content_type"),
    Ask("an empty content type", ROW, "", reason="no_content_type"),
    *(
        Ask(f"the content type {kind}", ROW, kind)
        for kind in ("APPLICATION/JSON", "application/json;charset=utf8", "application/json; charset=ascii", "application/json-seq", "json", ";", "application/vnd.api+json", "text/json", "text/plain")
    ),
    Ask("a CSV", "x\n1.5\n2.5\n", CSV),
    Ask("a CSV without a line's end", "x\n1.5", CSV),
    Ask("a CSV with Windows' lines", "x\r\n1.5\r\n", CSV),
    Ask("a CSV with a byte order mark", "\ufeffx\n1.5\n", CSV),
    Ask("a CSV of its heading", "x\n", CSV),
    Ask("an empty CSV", "", CSV),
    Ask("a CSV with spaces", " x \n 1.5 \n", CSV),
    Ask("a CSV with semicolons", "x;y\n1.5;2\n", CSV),
    Ask("a CSV with a gap", "x,y\n,2\n", CSV),
    Ask("a CSV with a text", "x\nabc\n", CSV),
    Ask("a CSV with NaN", "x\nNaN\n", CSV),
    Ask("a CSV with a short line", "x,y\n1.5\n", CSV),
    Ask("a CSV with a long line", "x\n1.5,2\n", CSV),
    Ask("a CSV with a column twice", "x,x\n1.5,2.5\n", CSV),
    Ask("a CSV without the column", "y\n1.5\n", CSV),
    Ask("a CSV in Latin-1", "x,ä\n1.5,2\n".encode("latin-1"), CSV),
    Ask("a CSV in Latin-1 that says so", "x,ä\n1.5,2\n".encode("latin-1"), "text/csv; charset=latin-1"),
    Ask("a CSV with a header's word", "x\n1.5\n", "text/csv; header=present"),
    Ask("a CSV with a quote", 'x\n"1.5"\n', CSV),
]


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
