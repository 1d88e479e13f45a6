"""Requests of nothing but numbers, read straight into an array. What is anything else is for the slow way to tell."""

import itertools

import msgspec
import numpy

# JSON's numbers as float64: text, null, true and false, what is too large and any other key are refused.


class _Predict(msgspec.Struct, forbid_unknown_fields=True):
    features: dict[str, float]
    entity_id: str | int = ""
    time_horizon: str | int = ""
    return_proba: bool = True


class _Split(msgspec.Struct, forbid_unknown_fields=True):
    columns: list[str]
    data: list[list[float]]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    dataframe_split: _Split | None = None
    dataframe_records: list[dict[str, float]] | None = None


_predict = msgspec.json.Decoder(_Predict)
_table = msgspec.json.Decoder(_Table)


# Beyond it a float64 has gaps between whole numbers.
LARGEST_WHOLE = 2.0**53
SMALLEST_BY_KIND = {"integer": -(2.0**31), "long": -LARGEST_WHOLE}


class ArrayRequests:
    """For a table of doubles and whole numbers, of which there is at least one double: then all are doubles for the model.

    `columns` are [(name, MLflow's type, required)] in their order; a request that leaves one out goes the slow way.
    """

    def __init__(self, columns):
        self._names = [name for name, _, _ in columns]
        # [(place, the smallest, what is too large)] of the whole numbers
        self._wholes = [
            (place, SMALLEST_BY_KIND[kind], -SMALLEST_BY_KIND[kind])
            for place, (_, kind, _) in enumerate(columns)
            if kind != "double"
        ]

    @staticmethod
    def takes(columns):
        kinds = {kind for _, kind, _ in columns}
        return "double" in kinds and kinds <= {"double", *SMALLEST_BY_KIND}

    def one(self, body):
        """(an array of one row, whether probabilities are wanted); None where the slow way must tell."""
        try:
            asked = _predict.decode(body)
            row = [asked.features[name] for name in self._names]
        except (msgspec.MsgspecError, KeyError, ValueError, RecursionError):
            return None
        return None if self._has_other_than_whole([row]) else (numpy.array([row]), asked.return_proba)

    def many(self, body):
        """An array with a row for each of a scoring request; None where the slow way must tell."""
        try:
            asked = _table.decode(body)
            split, records = asked.dataframe_split, asked.dataframe_records
            if split is None and not records or split is not None and records is not None:
                return None
            data = [[row[name] for name in self._names] for row in records] if split is None else self._ordered(split)
        except (msgspec.MsgspecError, KeyError, ValueError, RecursionError):
            return None
        return None if data is None or self._has_other_than_whole(data) else self._array(data)

    def _ordered(self, split):
        given = split.columns
        if any(len(row) != len(given) for row in split.data) or len(set(given)) != len(given):
            return None
        if given == self._names:
            return split.data
        places = {name: place for place, name in enumerate(given)}
        order = [places[name] for name in self._names]
        return [[row[place] for place in order] for row in split.data]

    def _has_other_than_whole(self, data):
        return any(
            not (row[place].is_integer() and least <= row[place] < most) for place, least, most in self._wholes for row in data
        )

    def _array(self, data):
        if not data:
            return None
        count = len(self._names)
        flat = numpy.fromiter(itertools.chain.from_iterable(data), "float64", len(data) * count)
        # In the order of a table's columns, by which an addition of many rows may differ in its last bit.
        return numpy.asfortranarray(flat.reshape(len(data), count))
