"""Models of scikit-learn loaded without MLflow, where MLflow does nothing but unpickle them: its import costs a start as
much as the model's own libraries. It is imported when a request needs it: CSV, params, lists without names.
"""

import functools
import importlib.util
import os
import threading

from .mlflow_adapter import MlflowModel, ModelFailed
from .trained_categories import tell_categories

LOADER = "mlflow.sklearn"


def load_plain(directory, description):
    """A PlainModel, or None where `mlflow.pyfunc` must load the model."""
    flavors = description["flavors"]
    pyfunc, own = flavors.get("python_function") or {}, flavors.get("sklearn") or {}
    is_plain = (
        pyfunc.get("loader_module") == LOADER
        and pyfunc.get("predict_fn", "predict") == "predict"
        and not any(pyfunc.get(key) or own.get(key) for key in ("code", "config"))
        and not any(description.get(key) for key in ("is_signature_from_type_hint", "type_hint_from_example"))
        and os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true") == "true"
        and importlib.util.find_spec("mlflow") is not None
    )
    path = os.path.join(directory, str(pyfunc.get("model_path") or ""))
    if not is_plain or not os.path.isfile(path):
        return None
    native = _unpickled(path, own)
    tell_categories()
    return PlainModel(directory, native)


def _unpickled(path, flavor):
    kind = flavor.get("serialization_format", "pickle")
    if kind == "skops":
        import skops.io

        return skops.io.load(path, trusted=flavor.get("skops_trusted_types"))
    if kind not in ("pickle", "cloudpickle"):
        raise ValueError(f"the model's serialization format {kind} is not known: save it with MLflow")
    import pickle

    with open(path, "rb") as file:
        # cloudpickle writes pickles that need its own module at most, which pickle imports by its name.
        return pickle.load(file)


class PlainModel:
    """The same as MlflowModel, of which it makes one when asked for more than predictions from what fits."""

    def __init__(self, directory, native):
        self._directory = directory
        self._native = native
        self._lock = threading.Lock()

    def native(self):
        return self._native

    def predicts_otherwise(self):
        return False

    def has_type_hints(self):
        return False

    def predict_fitting(self, data, _params=None):
        try:
            return self._native.predict(data)
        except BaseException as error:
            raise ModelFailed from error

    def params_of(self, given):
        return self._by_mlflow.params_of(given) if given else None

    def predict(self, parsed, instead=None):
        return self._by_mlflow.predict(parsed, instead)

    @property
    def parser(self):
        return self._by_mlflow.parser

    @property
    def _by_mlflow(self):
        with self._lock:
            return self._made

    @functools.cached_property
    def _made(self):
        return MlflowModel(self._directory, self._native)
