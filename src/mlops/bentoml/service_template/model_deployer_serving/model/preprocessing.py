"""A preprocessing that was logged apart from its model, and what it gives as the model's signature has it."""

import functools
import os

from .mlflow_adapter import MlflowModel, unwrapped
from .model_folder import read_description
from .plain_table import NUMBER_TYPES

FILES = (".joblib", ".pkl", ".pickle")


def load_preprocessing(directory):
    """(the transformer, its description, what takes a request by its signature or None)"""
    if os.path.exists(os.path.join(directory, "MLmodel")):
        taker = MlflowModel(directory)
        native = taker.native()
        return native if hasattr(native, "transform") else _Predicting(taker), read_description(directory), taker
    files = sorted(name for name in os.listdir(directory) if name.endswith(FILES))
    if len(files) != 1:
        raise ValueError(f"preprocessing needs an MLmodel file or exactly one of {FILES}; it has {files}")
    import joblib

    return joblib.load(os.path.join(directory, files[0])), {}, None


class _Predicting:
    def __init__(self, taker):
        self.predict = functools.partial(unwrapped, taker.predict_fitting)


def as_signed(data, fields):
    """`data` with the names, the order and the number types of a signature's fields, as far as it can be told what is which.

    An array has a named signature's columns in their order. What does not fit stays as it is: the model tells why.
    """
    if len(fields) == 1 and "tensor-spec" in fields[0] and "name" not in fields[0]:
        return _as_tensor(data, fields[0]["tensor-spec"]["dtype"])
    names = [field.get("name") for field in fields]
    if not names or None in names or any("tensor-spec" in field for field in fields):
        return data
    if type(data).__name__ == "ndarray" and data.ndim == 2 and data.shape[1] == len(names):
        import pandas

        data = pandas.DataFrame(data, columns=names)
    if not hasattr(data, "columns") or not data.columns.is_unique or not set(names) <= set(data.columns):
        return data
    data = data[names]
    kinds = {field["name"]: NUMBER_TYPES.get(field["type"]) for field in fields}
    other = {name: kind for name, kind in kinds.items() if kind is not None and _may_become(data[name].dtype, kind)}
    return data.astype(other) if other else data


def _as_tensor(data, kind):
    array = data.to_numpy() if hasattr(data, "columns") else data
    is_other = type(array).__name__ == "ndarray" and _may_become(array.dtype, kind)
    return array.astype(kind) if is_other else array


def _may_become(dtype, kind):
    """Numbers of another type, but none that would lose what is behind the point."""
    import numpy

    is_number = isinstance(dtype, numpy.dtype) and dtype.kind in "iuf"
    return is_number and dtype != kind and numpy.can_cast(dtype, numpy.dtype(kind), "same_kind")
