"""Models that are Python classes and functions: what they take by their hints, and whatever a model may answer or raise."""

from typing import Any

import mlflow.pyfunc
import numpy
import pandas
import pydantic
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE


class Scaled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["x"] * params["scale"] + (1 if params["mode"] == "more" else 0)


class Lengths(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str], params=None) -> list[int]:
        return [len(text) for text in model_input]


class Visit(pydantic.BaseModel):
    name: str
    count: int
    note: str | None = None


class Visits(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Visit]) -> list[str]:
        return [f"{visit.name} {visit.count}" for visit in model_input]


class EachVisit(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Visit]) -> list[Visit]:
        return model_input


class Keys(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[dict[str, Any]]) -> list[list[str]]:
        return [sorted(row) for row in model_input]


class Numbers(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[list[float]]) -> list[float]:
        return [sum(row) for row in model_input]


class TwoTensors(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["a"].sum(axis=1) + model_input["b"][:, 0]


class NamedOutput(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return {"sum": model_input["a"].sum(axis=1), "first": model_input["a"][:, 0]}


class Shown(mlflow.pyfunc.PythonModel):
    """Answers with what it was given, as text that tells types apart."""

    def predict(self, context, model_input, params=None):
        kinds = "" if not hasattr(model_input, "dtypes") else [str(kind) for kind in model_input.dtypes]
        rows = model_input.to_dict("records") if hasattr(model_input, "to_dict") else model_input
        # The same text, whether it came as numpy's or as Python's own.
        return [repr(rows).replace("np.str_", "").replace("('x')", "'x'"), str(kinds), str(params)]


ANSWERS = {
    "dict": lambda: {"a": [1, 2], "b": numpy.float32(0.5)},
    "dict of arrays": lambda: {"a": numpy.array([[1.5, 2]])},
    "dict with a number as key": lambda: {1: "x"},
    "dict with a numpy key": lambda: {numpy.int64(1): "x"},
    "dict with a tuple as key": lambda: {(1, 2): "x"},
    "series": lambda: pandas.Series([1, 2]),
    "named series": lambda: pandas.Series(["x"], name="label"),
    "table": lambda: pandas.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "table of arrays": lambda: pandas.DataFrame({"a": [numpy.array([1, 2])]}),
    "table with NaN": lambda: pandas.DataFrame({"a": [1.0, numpy.nan]}),
    "table with times": lambda: pandas.DataFrame({"a": pandas.to_datetime(["2025-01-01"])}),
    "table with NA": lambda: pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64")}),
    "text": lambda: "good",
    "number": lambda: 5,
    "numpy number": lambda: numpy.float64(2.5),
    "none": lambda: None,
    "bytes": lambda: b"\x00good",
    "timestamp": lambda: pandas.Timestamp("2025-01-01T00:00:00Z"),
    "datetime64": lambda: [numpy.datetime64("2025-01-01")],
    "timedelta": lambda: [pandas.Timedelta("1h")],
    "numpy floats": lambda: [numpy.float32(0.5)],
    "numpy integers": lambda: [numpy.int64(1)],
    "numpy NaN": lambda: [numpy.float32("nan")],
    "infinity": lambda: [float("inf")],
    "NaN in an array": lambda: numpy.array([[numpy.nan]]),
    "set": lambda: {1, 2},
    "tuple": lambda: (1, "a"),
    "complex": lambda: [1j],
    "complex array": lambda: numpy.array([1j]),
    "decimal": lambda: [__import__("decimal").Decimal("1.5")],
    "object": lambda: [object()],
    "generator": lambda: (number for number in (1, 2)),
    "array": lambda: numpy.arange(6).reshape(2, 3),
    "scalar array": lambda: numpy.array(5),
    "text array": lambda: numpy.array(["a", "b"]),
    "object array": lambda: numpy.array([{"a": numpy.int64(1)}, None], dtype=object),
    "arrays in a list": lambda: [numpy.array([0.5, 0.5]), numpy.array([1])],
    "booleans": lambda: numpy.array([True, False]),
    "numpy boolean": lambda: [numpy.bool_(True)],
    "large integer": lambda: [2**80],
    "index": lambda: pandas.Index([1, 2]),
    "categories": lambda: pandas.Series(["a", "b"], dtype="category"),
    "model": lambda: Visit(name="x", count=1),
    "empty": lambda: [],
    "sparse": lambda: __import__("scipy.sparse").sparse.csr_matrix([[1]]),
    "itself": lambda: (lambda nested: nested.append(nested) or nested)([]),
}


class Answering(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return ANSWERS[model_input["x"].iloc[0]]()


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("not told")


class Raising(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        raised = model_input["x"].iloc[0]
        if raised == "invalid":
            raise MlflowException("no such region", error_code=INVALID_PARAMETER_VALUE)
        if raised == "internal":
            raise MlflowException("no store")
        if raised == "unspeakable":
            raise Unspeakable
        if raised in ("exit", "interrupt"):
            raise {"exit": SystemExit, "interrupt": KeyboardInterrupt}[raised](3)
        raise {"key": KeyError, "value": ValueError, "type": TypeError, "memory": MemoryError}[raised]("no such region")


def doubled(model_input: list[float]) -> list[float]:
    return [2 * number for number in model_input]


def plain_function(model_input):
    return [len(model_input)]


class Survival(mlflow.pyfunc.PythonModel):
    def __init__(self, fitter):
        self.fitter = fitter

    def predict(self, context, model_input, params=None):
        return self.fitter.predict_survival_function(model_input, times=[1, 5, 10]).T


class Uplift(mlflow.pyfunc.PythonModel):
    def __init__(self, treated, control):
        self.treated, self.control = treated, control

    def predict(self, context, model_input, params=None):
        return self.treated.predict_proba(model_input)[:, 1] - self.control.predict_proba(model_input)[:, 1]
