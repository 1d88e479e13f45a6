"""Python functions: params, type hints, tensors by name, nested types, and whatever a model may answer or raise."""

import base64
import json
import os
import tempfile

import mlflow.pyfunc
import numpy
import pandas
from cases import Case, ask
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Map, Object, ParamSchema, ParamSpec, Property, Schema
from mlflow.types.schema import TensorSpec
from python_models import (
    ANSWERS,
    Answering,
    EachVisit,
    Keys,
    Lengths,
    NamedOutput,
    Numbers,
    Raising,
    Scaled,
    Shown,
    Survival,
    TwoTensors,
    Uplift,
    Visits,
    doubled,
    plain_function,
)


def saved(model, **more):
    def save(path):
        mlflow.pyfunc.save_model(path, python_model=model, pip_requirements=[], **more)

    return save


def of_columns(*columns):
    return ModelSignature(Schema([ColSpec(kind, name, required=required) for name, kind, required in columns]))


CODE = '''
import mlflow.pyfunc
from mlflow.models import set_model


class FromCode(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        import {helper}

        return {helper}.scored(model_input["x"])


set_model(FromCode())
'''


def from_code(path):
    with tempfile.TemporaryDirectory() as folder:
        model, helper = os.path.join(folder, "model_code.py"), os.path.join(folder, "refusal.py")
        with open(model, "w", encoding="utf-8") as file:
            file.write(CODE.format(helper="refusal"))
        with open(helper, "w", encoding="utf-8") as file:
            file.write("def scored(values):\n    return values * 3\n")
        signature = infer_signature(pandas.DataFrame({"x": [1.5]}))
        example = pandas.DataFrame({"x": [1.5]})
        more = {"code_paths": [helper], "input_example": example}
        mlflow.pyfunc.save_model(path, python_model=model, signature=signature, pip_requirements=[], **more)


def survival():
    import lifelines

    random = numpy.random.default_rng(0)
    rows = pandas.DataFrame({"age": random.normal(50, 9, 80), "dose": random.normal(size=80)})
    rows["time"], rows["ended"] = random.exponential(9, 80) + 0.1, random.integers(0, 2, 80)
    fitter = lifelines.CoxPHFitter().fit(rows, "time", "ended")
    example = rows[["age", "dose"]].head(2)
    return Case("survival", saved(Survival(fitter), signature=infer_signature(example), input_example=example), example)


def uplift():
    from sklearn.linear_model import LogisticRegression

    random = numpy.random.default_rng(0)
    rows = pandas.DataFrame(random.normal(size=(80, 2)), columns=["a", "b"])
    one, other = (LogisticRegression().fit(rows, (rows.a + sign * rows.b > 0)) for sign in (1, -1))
    example = rows.head(3)
    return Case("uplift", saved(Uplift(one, other), signature=infer_signature(example), input_example=example), example)


def nested():
    person = Object([Property("name", DataType.string), Property("ages", Array(DataType.long), required=False)])
    yield "objects", ColSpec(person, "v"), {"name": "x", "ages": [1, 2]}, [{"name": 5}, {"ages": []}, {"name": "x", "b": 1}, None]
    yield "arrays", ColSpec(Array(DataType.double), "v"), [1.5, 2.0], [[], ["a"], 5, None, [[1.5]]]
    yield "nested_arrays", ColSpec(Array(Array(DataType.string)), "v"), [["a"], ["b", "c"]], [["a"], [[1]]]
    yield "maps", ColSpec(Map(DataType.long), "v"), {"a": 1}, [{"a": "x"}, {}, 5, {"a": None}]
    yield "anything", ColSpec(AnyType(), "v", required=False), {"a": [1, "x"]}, [None, 5, "x", []]
    text = base64.b64encode(b"\x00bytes").decode()
    yield "binary", ColSpec(DataType.binary, "v"), text, [5, "no base64!", None]


def cases():
    params = ParamSchema([ParamSpec("scale", "double", 2.0), ParamSpec("mode", "string", "less")])
    signature = ModelSignature(Schema([ColSpec("double", "x")]), params=params)
    x = pandas.DataFrame({"x": [1.5, 2.0]})
    given = [
        ask(f"params {told}", {"inputs": {"x": [1.5]}, "params": told})
        for told in ({"scale": 3}, {"scale": 1.5, "mode": "more"}, {"scale": "x"}, {"scale": None}, {"other": 1}, {"scale": [1]}, [], None)
    ]
    yield Case("params", saved(Scaled(), signature=signature, input_example=(x, {"scale": 3.0})), x, {"scale": 3.0}, given)
    yield Case("texts_by_hint", saved(Lengths(), input_example=["good", "day"]), ["good", "day"])
    visits = [{"name": "x", "count": 1}]
    wrong = [
        ask(f"a visit {visit}", {"inputs": [visit]})
        for visit in ({"name": "x"}, {"name": 5, "count": 1}, {"name": "x", "count": "many"}, {"name": "x", "count": 1, "z": 1}, 5)
    ]
    yield Case("pydantic", saved(Visits(), input_example=visits), visits, asks=wrong)
    yield Case("pydantic_answers", saved(EachVisit(), input_example=visits), None, asks=wrong)
    yield Case("objects_by_hint", saved(Keys(), input_example=[{"a": 1, "b": "x"}]), [{"a": 1, "b": "x"}])
    yield Case("numbers_by_hint", saved(Numbers(), input_example=[[1.5, 2.0]]), [[1.5, 2.0]])
    yield Case("function_with_hints", saved(doubled, input_example=[1.5]), [1.5])
    yield Case("function_without_hints", saved(plain_function, input_example=["a"]), None)

    tensors = {"a": numpy.ones((2, 3), "float32"), "b": numpy.ones((2, 1), "int64")}
    named = [TensorSpec(numpy.dtype("float32"), (-1, 3), "a"), TensorSpec(numpy.dtype("int64"), (-1, 1), "b")]
    both = {name: array.tolist() for name, array in tensors.items()}
    rows = [{"a": [1, 2, 3], "b": [1]}, {"a": [4, 5, 6], "b": [2]}]
    odd = [
        ask("tensors", {"inputs": both}),
        ask("tensors by row", {"instances": rows}),
        ask("tensors as records", {"dataframe_records": rows}),
        ask("a tensor of another shape", {"inputs": {**both, "a": [[1, 2]]}}),
        ask("a tensor of texts", {"inputs": {**both, "a": [["x", "y", "z"]]}}),
        ask("a ragged tensor", {"inputs": {**both, "a": [[1, 2, 3], [1]]}}),
        ask("one tensor", {"inputs": {"a": both["a"]}}),
        ask("a list", {"inputs": [[1, 2, 3]]}),
    ]
    yield Case("named_tensors", saved(TwoTensors(), signature=ModelSignature(Schema(named))), tensors, asks=odd)
    yield Case("named_outputs", saved(NamedOutput(), signature=ModelSignature(Schema(named[:1]))), asks=odd)
    for name, spec, example, others in nested():
        asks = [ask("a table", {"dataframe_split": {"columns": ["v"], "data": [[example]]}})]
        for value in [example, *others]:
            told = [("dataframe_records", [{"v": value}]), ("inputs", [{"v": value}]), ("instances", [{"v": value}]), ("inputs", {"v": [value]})]
            asks += [ask(f"{form} {str(content)[:40]}", {form: content}) for form, content in told]
        asks += [ask("none", {"dataframe_records": [{}]}), ask("two", {"dataframe_records": [{"v": example}] * 2})]
        yield Case(name, saved(Shown(), signature=ModelSignature(Schema([spec]))), None, asks=asks)

    scalars = [("n", "long", False), ("b", "boolean", False), ("t", "datetime", False), ("s", "string", False), ("d", "double", True)]
    whole = {"n": 5, "b": True, "t": "2025-01-02T03:04:05", "s": "x", "d": 1.5}
    partly = [ask("whole", {"dataframe_records": [whole]}), ask("inputs", {"inputs": [whole]})]
    for name, _, _ in scalars:
        for form in ("dataframe_records", "inputs"):
            partly.append(ask(f"{form}: null in {name}", {form: [{**whole, name: None}]}, reason="null_kept"))
            partly.append(ask(f"{form}: no {name}", {form: [{k: v for k, v in whole.items() if k != name}]}))
    partly += [ask("a zone", {"dataframe_records": [{**whole, "t": "2025-01-02T03:04:05+02:00"}]}, reason="time_zone")]
    yield Case("optional_columns", saved(Shown(), signature=of_columns(*scalars)), None, asks=partly)

    label = of_columns(("x", "string", True))
    answers = [ask(name, {"inputs": [{"x": name}]}) for name in ANSWERS]
    yield Case("answers", saved(Answering(), signature=label), None, asks=answers)
    raised = [ask(name, {"inputs": [{"x": name}]}) for name in ("invalid", "internal", "key", "value", "type", "memory")]
    ended = (500, json.dumps({"error_code": "MODEL_FAILED"}))
    raised += [ask(name, {"inputs": [{"x": name}]}, expected=ended) for name in ("exit", "interrupt", "unspeakable")]
    yield Case("failures", saved(Raising(), signature=label), None, asks=raised)
    chat = {"messages": [{"role": "user", "content": "x"}]}
    yield Case("any_input", saved(Shown()), None, asks=[ask("messages", chat), ask("prompt", {"prompt": "x"}), ask("rows", {"inputs": [1]}), ask("table", {"dataframe_split": {"columns": ["a"], "data": [[1]]}})])
    yield Case("models_from_code", from_code, pandas.DataFrame({"x": [1.5]}))
    yield survival()
    yield uplift()
