"""Models whose preprocessing was logged apart: what it gives has other types, another order or no names."""

import os

import joblib
import mlflow.pyfunc
import mlflow.pytorch
import mlflow.sklearn
import numpy
import pandas
from cases import Case
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema
from models_pyfunc import saved
from python_models import Scaled

random = numpy.random.default_rng(0)
NUMBERS = pandas.DataFrame(random.normal(size=(60, 3)), columns=["a", "b", "c"])
CLASSES = (NUMBERS.a + NUMBERS.b > 0).astype(int)
FEW = NUMBERS.head(3)


def saved_by(flavor, model, example, **more):
    def save(path):
        flavor.save_model(model, path, signature=infer_signature(example), input_example=example, pip_requirements=[], **more)

    return save


def of_sklearn(model, example, **more):
    return saved_by(mlflow.sklearn, model, example, serialization_format="cloudpickle", **more)


def by_joblib(transformer):
    def save(path):
        os.makedirs(path)
        joblib.dump(transformer, os.path.join(path, "scaler.joblib"))

    return save


class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


class Types(mlflow.pyfunc.PythonModel):
    """Answers with the types that it was given."""

    def predict(self, context, model_input, params=None):
        kinds = [str(kind) for kind in getattr(model_input, "dtypes", [model_input.dtype] if hasattr(model_input, "dtype") else [])]
        return [f"{type(model_input).__name__} {kinds}"] * len(model_input)


def cases():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    arrays, tables = StandardScaler().fit(NUMBERS), StandardScaler().set_output(transform="pandas").fit(NUMBERS)
    scaled, named = arrays.transform(NUMBERS), tables.transform(NUMBERS)

    def case(name, save, preprocessing, predictions, **more):
        return Case(f"prepared: {name}", save, FEW, preprocessing=preprocessing, expected=lambda: list(predictions), **more)

    on_array = LogisticRegression().fit(scaled, CLASSES)
    answers = on_array.predict(scaled[:3]).tolist()
    yield case("arrays", of_sklearn(on_array, scaled[:2]), of_sklearn(arrays, FEW), answers)
    for name, columns in (("another order", ["c", "a", "b"]), ("fewer columns", ["b", "a"])):
        model = LogisticRegression().fit(named[columns], CLASSES)
        answers = model.predict(named[columns].head(3)).tolist()
        yield case(name, of_sklearn(model, named[columns].head(2)), of_sklearn(tables, FEW), answers)
    doubled = LogisticRegression().fit(NUMBERS * 2, CLASSES)
    python = saved(Doubled(), signature=infer_signature(FEW), input_example=FEW)
    yield case("a Python function", of_sklearn(doubled, FEW), python, doubled.predict(FEW * 2).tolist())

    single, kinds = named.astype("float32"), ["float32"] * 3
    yield case("singles", saved(Types(), signature=infer_signature(single)), of_sklearn(tables, FEW), [f"DataFrame {kinds}"] * 3)
    yield case("names for an array", saved(Types(), signature=infer_signature(single)), of_sklearn(arrays, FEW), [f"DataFrame {kinds}"] * 3)
    tensor = saved(Types(), signature=infer_signature(scaled.astype("float32")))
    yield case("a tensor of singles", tensor, of_sklearn(arrays, FEW), ["ndarray ['float32']"] * 3)
    yield case("a tensor of a table", tensor, of_sklearn(tables, FEW), ["ndarray ['float32']"] * 3)
    params = ParamSchema([ParamSpec("scale", "double", 2.0), ParamSpec("mode", "string", "less")])
    signed = ModelSignature(Schema([ColSpec("double", "x")]), params=params)
    one = pandas.DataFrame({"x": [1.5, 2.0]})
    twice = saved(Doubled(), signature=infer_signature(one), input_example=one)
    for given, factor in ((None, 4), ({"scale": 3}, 6)):
        told = Case(f"prepared: params {given}", saved(Scaled(), signature=signed), one, given, preprocessing=twice)
        told.expected = lambda factor=factor: [{"x": factor * 1.5}, {"x": factor * 2.0}]
        yield told
    yield from networks(arrays)


def networks(arrays):
    try:
        import torch
    except ImportError:
        return
    # Adds nothing up, so that the order of a sum does not matter.
    model = torch.nn.ReLU()
    example = arrays.transform(FEW).astype("float32")
    answers = model(torch.from_numpy(example)).numpy().tolist()
    save = saved_by(mlflow.pytorch, model, example, serialization_format="pickle")
    for name, preprocessing in (("arrays", of_sklearn(arrays, FEW)), ("a joblib file", by_joblib(arrays))):
        yield Case(f"prepared: a network, {name}", save, FEW, preprocessing=preprocessing, expected=lambda: answers)
