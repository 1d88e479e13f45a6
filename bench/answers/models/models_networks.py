"""Networks by PyTorch and ONNX; what is not installed is skipped by its name."""

import importlib

import numpy
import pandas
from cases import Case, ask
from mlflow.models import infer_signature

ARRAY = numpy.random.default_rng(0).normal(size=(40, 3)).astype("float32")


def torch_case(name, example):
    def save(path):
        import mlflow.pytorch
        import torch

        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
        signature = infer_signature(example, numpy.zeros((2, 2), "float32"))
        more = {"input_example": example, "pip_requirements": [], "serialization_format": "pickle"}
        mlflow.pytorch.save_model(model, path, signature=signature, **more)

    return Case(name, save, example)


def pictures():
    example = numpy.zeros((2, 1, 4, 4), "float32")

    def save(path):
        import mlflow.pytorch
        import torch

        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten())
        signature = infer_signature(example, numpy.zeros((2, 8), "float32"))
        more = {"input_example": example, "pip_requirements": [], "serialization_format": "pickle"}
        mlflow.pytorch.save_model(model, path, signature=signature, **more)

    return Case("torch_pictures", save, example)


def onnx_model(*inputs):
    from onnx import TensorProto, helper

    described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 3]) for name in inputs]
    result = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None, 3])
    node = helper.make_node("Add", [inputs[0], inputs[-1]], ["sum"])
    graph = helper.make_graph([node], "sum", described, [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def onnx_case(name, example, *inputs, asks=()):
    def save(path):
        import mlflow.onnx

        # Loading what is saved needs it, so that the case is skipped without it.
        importlib.import_module("onnxruntime")
        signature = infer_signature(example)
        mlflow.onnx.save_model(onnx_model(*inputs), path, signature=signature, input_example=example, pip_requirements=[])

    return Case(name, save, None, asks=list(asks))


def forest():
    rows = pandas.DataFrame(ARRAY, columns=["a", "b", "c"])
    example = ARRAY[:2]

    def save(path):
        import mlflow.onnx
        import skl2onnx
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(5).fit(ARRAY, rows.a > 0)
        converted = skl2onnx.to_onnx(model, ARRAY[:1], options={id(model): {"zipmap": False}})
        mlflow.onnx.save_model(converted, path, signature=infer_signature(example), input_example=example, pip_requirements=[])

    return Case("onnx_forest", save, example)


def cases():
    yield torch_case("torch_array", ARRAY[:2])
    yield torch_case("torch_table", pandas.DataFrame(ARRAY[:2], columns=["a", "b", "c"]))
    yield pictures()
    yield onnx_case("onnx_array", ARRAY[:2], "x")
    both = {"x": ARRAY[:2], "y": ARRAY[2:4]}
    asked = [
        ask("both", {"inputs": {name: array.tolist() for name, array in both.items()}}),
        ask("one", {"inputs": {"x": ARRAY[:2].tolist()}}),
        ask("by row", {"instances": [{"x": [1, 2, 3], "y": [4, 5, 6]}]}),
    ]
    yield onnx_case("onnx_two_inputs", both, "x", "y", asks=asked)
    yield forest()
