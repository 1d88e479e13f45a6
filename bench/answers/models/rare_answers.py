"""What a model may answer that few do."""

import collections
import datetime
import decimal
import enum
import uuid

import mlflow.pyfunc
import numpy
import pandas


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
    "object array of numbers": lambda: numpy.array([1, 2], dtype=object),
    "nullable numbers without a gap": lambda: pandas.DataFrame({"a": pandas.array([1, 2], dtype="Int64")}),
    "instants of seconds": lambda: numpy.array(["2025-01-01T01:02:03"], dtype="datetime64[s]"),
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
