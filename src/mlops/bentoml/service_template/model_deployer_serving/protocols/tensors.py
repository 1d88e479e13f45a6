"""Tensors of the Open Inference Protocol, and what they are in MLflow's scoring protocol and in numpy."""

import itertools
import json
import math

from ..model.predictions import as_rows
from ..refusal import BadInput, NotEncodable, kind_of

# By MLflow's type of a column.
OF_COLUMNS = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64"}
WHOLE = {f"{sign}INT{bits}": (sign == "", bits) for sign in ("", "U") for bits in (8, 16, 32, 64)}
FLOATS = frozenset(("FP16", "BF16", "FP32", "FP64"))


def datatype_of(dtype):
    """Of a numpy dtype; what is neither a number nor a boolean is text."""
    if dtype.kind in "iuf":
        return {"i": "INT", "u": "UINT", "f": "FP"}[dtype.kind] + str(8 * dtype.itemsize)
    return "BOOL" if dtype.kind == "b" else "BYTES"


def described(fields, prefix):
    """The tensors of a signature's fields as the protocol's metadata has them."""
    import numpy

    tensors = []
    for number, field in enumerate(fields):
        spec = field.get("tensor-spec")
        datatype = OF_COLUMNS.get(field.get("type"), "BYTES") if spec is None else datatype_of(numpy.dtype(spec["dtype"]))
        shape = [-1] if spec is None else spec["shape"]
        name = f"{prefix}{number}" if field.get("name") in (None, "") else str(field["name"])
        tensors.append({"name": name, "datatype": datatype, "shape": shape})
    return tensors


class Tensor:
    """One of a request: `flat` has its values row by row. Raises BadInput."""

    def __init__(self, told):
        if not isinstance(told, dict) or not isinstance(told.get("name"), str):
            raise BadInput('each of "inputs" must be an object with a name')
        self.name = told["name"]
        self.shape, self._datatype = told.get("shape"), told.get("datatype")
        if not isinstance(self.shape, list) or not all(type(size) is int and size >= 0 for size in self.shape):
            raise self._bad('needs a "shape", a list of whole numbers')
        if self._datatype not in (*WHOLE, *FLOATS, "BOOL", "BYTES"):
            raise self._bad(f"has an unknown datatype {kind_of(self._datatype)}")
        parameters = told.get("parameters", {})
        if not isinstance(parameters, dict):
            raise self._bad('needs an object as its "parameters"')
        if "binary_data_size" in parameters:
            raise self._bad("comes as binary data, which is not supported: send JSON")
        self.flat = _flat(told.get("data"))
        if self.flat is None or len(self.flat) != math.prod(self.shape):
            raise self._bad(f'needs "data" of {math.prod(self.shape)} values, as its shape {self.shape} says')
        for place, value in enumerate(self.flat):
            if not self._fits(value):
                raise self._bad(f"has {kind_of(value)} among its {self._datatype}", place // max(1, math.prod(self.shape[1:])))

    def _bad(self, sentence, row=None):
        return BadInput(f'the input "{self.name}" {sentence}', column=self.name, row=row)

    def _fits(self, value):
        if self._datatype in FLOATS:
            return type(value) in (int, float)
        if self._datatype in WHOLE:
            is_signed, bits = WHOLE[self._datatype]
            least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if is_signed else (0, 2**bits)
            return type(value) is int and least <= value < most
        return isinstance(value, bool if self._datatype == "BOOL" else str)

    @property
    def nested(self):
        values = self.flat
        for size in reversed(self.shape[1:]):
            values = [values[at : at + size] for at in range(0, len(values), size)] if size else [[]] * math.prod(self.shape[:-1])
        return values

    def column(self):
        """Its values as one column of a table."""
        if len(self.shape) == 1 or (len(self.shape) == 2 and self.shape[1] == 1):
            return self.flat
        raise self._bad(f"must have the shape [n] or [n, 1] as a column, not {self.shape}")

    def parsed_column(self):
        """For a column whose cells are lists or objects: each as JSON's text."""
        try:
            return [json.loads(value) for value in self.column()]
        except (TypeError, ValueError, RecursionError) as error:
            raise self._bad("must hold JSON's text in each value") from error


def _flat(data):
    if not isinstance(data, list):
        return None
    while data and all(isinstance(item, list) for item in data):
        data = list(itertools.chain.from_iterable(data))
    return None if any(isinstance(item, (list, dict)) for item in data) else data


def told(raw, names):
    """The tensors of what a model has answered; `names` are those of the signature. Raises NotEncodable."""
    arrays = list(_arrays(raw))
    if len(names) != len(arrays):
        names = [None] * len(arrays)
    tensors = []
    for number, (own, values) in enumerate(arrays):
        array = _uniform(values)
        name = own if own is not None else names[number] or f"output-{number}"
        tensors.append({"name": name, "shape": list(array.shape), "datatype": datatype_of(array.dtype), "data": array.ravel().tolist()})
    return tensors


def _uniform(values):
    """An array of one kind of value; numpy makes texts of numbers beside texts, and numbers of booleans."""
    import numpy

    if getattr(getattr(values, "dtype", None), "kind", None) in tuple("iufb") and hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if isinstance(values, numpy.ndarray) and values.dtype.kind in "iufb" and not numpy.ma.is_masked(values):
        return values
    # Times and the like are what /invocations makes of them.
    told = as_rows(values.tolist() if hasattr(values, "tolist") else values)
    try:
        cells = numpy.asarray(told, dtype=object)
        kinds = {type(cell) for cell in cells.ravel()}
        if kinds <= {int, float} or kinds in ({bool}, {str}):
            array = numpy.asarray(told, dtype=object if kinds == {str} else None)
            # Whole numbers beyond 64 bits, or among floats, would become others.
            if array.tolist() == told:
                return array
    except ValueError as error:
        raise NotEncodable(f"it is no tensor: {error}") from error
    raise NotEncodable("it is no tensor of numbers, booleans or texts: ask /invocations")


def _arrays(raw):
    """(its own name or None, values) of each tensor in an answer."""
    if hasattr(raw, "columns") and hasattr(raw, "iloc"):
        # Of several columns by one name the last, as in JSON.
        places = {name: place for place, name in enumerate(raw.columns)}
        return [(str(name), raw.iloc[:, place]) for name, place in places.items()]
    if isinstance(raw, dict):
        return [(str(name), values) for name, values in raw.items()]
    return [(None, raw)]
