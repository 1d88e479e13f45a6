"""The short way for tables of plain named scalars, which most models take: faster than MLflow's own functions, and strict.

Where MLflow changes a value so that it fits, 3.5 to 3 for one, or takes null for false, this refuses it by column and row.
What else it makes is what MLflow makes; whatever it is not sure of is MLflow's.
"""

import math

from ..refusal import BadInput, kind_of, shown

NUMBER_TYPES = {"float": "float32", "double": "float64", "integer": "int32", "long": "int64"}
PLAIN_TYPES = frozenset((*NUMBER_TYPES, "boolean", "string", "datetime"))
FORMATS = ("dataframe_split", "dataframe_records", "inputs", "instances")
# Beside which MLflow takes none of the formats, but the whole request for what is asked.
CHATS = ("messages", "prompt", "input")


class PlainSchema:
    """The columns of a signature that has nothing but plain named scalars."""

    def __init__(self, columns):
        # [(name, MLflow type, required)]
        self.columns = columns
        self.names = [name for name, _, _ in columns]
        self._all_double = all(kind == "double" for _, kind, _ in columns)

    @staticmethod
    def of(fields):
        """None for any other signature. `fields` is the list of inputs that a signature has as JSON."""
        # MLflow takes a name that is empty, or no text, for another one than it is.
        named = all(isinstance(field.get("name"), str) and field["name"] != "" for field in fields)
        if not fields or not named or any(field.get("type") not in PLAIN_TYPES for field in fields):
            return None
        columns = [(field["name"], field["type"], field.get("required", True)) for field in fields]
        return PlainSchema(columns) if len({name for name, _, _ in columns}) == len(columns) else None

    def table(self, request):
        """The DataFrame of a scoring request, its params aside; None where MLflow's own functions must tell. Raises BadInput."""
        given = [name for name in FORMATS if name in request]
        if len(given) != 1 or any(name in request for name in CHATS):
            return None
        value = request[given[0]]
        if given[0] == "dataframe_split":
            return self._from_split(value)
        if isinstance(value, list):
            is_records = value and all(isinstance(row, dict) for row in value)
            is_ragged = is_records and given[0] == "instances" and len({frozenset(row) for row in value}) > 1
            return self.from_records(value) if is_records and not is_ragged else None
        return self._from_columns(value) if given[0] in ("inputs", "instances") and isinstance(value, dict) else None

    def from_records(self, records):
        missing = [name for name, _, required in self.columns if required and any(name not in row for row in records)]
        if missing:
            raise missing_features(missing)
        present = [column for column in self.columns if column[2] or any(column[0] in row for row in records)]
        return self._frame(present, [[row.get(name, math.nan) for row in records] for name, _, _ in present])

    def _from_split(self, value):
        if not isinstance(value, dict) or not set(value) <= {"columns", "data", "index"}:
            return None
        columns, data, index = value.get("columns"), value.get("data"), value.get("index")
        is_table = isinstance(columns, list) and isinstance(data, list) and data and len(set(map(str, columns))) == len(columns)
        if not is_table or not all(isinstance(name, str) for name in columns):
            return None
        if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
            return None
        if index is not None and not (isinstance(index, list) and len(index) == len(data)):
            return None
        table = self._by_name(dict(zip(columns, zip(*data))))
        if index is not None:
            table.index = index
        return table

    def _from_columns(self, value):
        cells = {name: value[name] for name in self.names if name in value}
        if all(isinstance(column, list) for column in cells.values()):
            lengths = {len(column) for column in cells.values()}
            is_known = len(lengths) == 1 and lengths != {0}
            return self._by_name(cells) if is_known and len(cells) == len(value) else None
        is_row = len(cells) == len(value) and not any(isinstance(cell, (list, dict)) for cell in value.values())
        return self._by_name({name: [cell] for name, cell in cells.items()}) if is_row else None

    def _by_name(self, cells):
        missing = [name for name, _, required in self.columns if required and name not in cells]
        if missing:
            raise missing_features(missing)
        present = [column for column in self.columns if column[0] in cells]
        return self._frame(present, [cells[name] for name, _, _ in present])

    def _frame(self, present, columns):
        import numpy
        import pandas

        checked = [_column(*described, cells) for described, cells in zip(present, columns)]
        if self._all_double and len(present) == len(self.columns):
            return pandas.DataFrame(numpy.array(checked, dtype="float64").T, columns=self.names)
        return pandas.DataFrame({name: column for (name, _, _), column in zip(present, checked)})


def _column(name, kind, required, cells):
    """The cells as what a DataFrame makes its column of. A key that is left out of a record is NaN."""
    if kind in ("float", "double"):
        return _floats(name, kind, cells)
    if kind in ("integer", "long"):
        return _wholes(name, kind, required, cells)
    if kind == "datetime":
        return _datetimes(name, cells)
    for row, cell in enumerate(cells):
        is_left_out = cell is None or cell is not cell
        if kind == "boolean" and not isinstance(cell, bool) and (required or not is_left_out):
            raise BadInput(f'feature "{name}" must be true or false, not {kind_of(cell)}', column=name, row=row)
        if kind == "string" and not isinstance(cell, str) and not is_left_out:
            raise BadInput(f'feature "{name}" must be a string, not {kind_of(cell)}', column=name, row=row)
    return list(cells)


def _floats(name, kind, cells):
    import numpy

    numbers = []
    for row, cell in enumerate(cells):
        if type(cell) is not float:
            if cell is None:
                cell = math.nan
            elif type(cell) is not int:
                raise BadInput(f'feature "{name}" must be a number, not {kind_of(cell)}', column=name, row=row)
            else:
                cell = _float_of(name, cell, row)
        elif math.isinf(cell):
            raise _too_large(name, row)
        numbers.append(cell)
    if kind == "double":
        return numbers
    with numpy.errstate(over="ignore"):
        singles = numpy.array(numbers, dtype="float32")
    if numpy.isinf(singles).any():
        raise _too_large(name, int(numpy.isinf(singles).argmax()))
    return singles


def _float_of(name, cell, row):
    try:
        return float(cell)
    except OverflowError as error:
        raise _too_large(name, row) from error


def _wholes(name, kind, required, cells):
    import numpy

    bits = 31 if kind == "integer" else 63
    numbers, has_gaps = [], False
    for row, cell in enumerate(cells):
        if cell is None or cell is not cell:
            if required:
                raise BadInput(f'feature "{name}" must be a whole number, not null', column=name, row=row)
            has_gaps, cell = True, math.nan
        elif isinstance(cell, bool) or not isinstance(cell, (int, float)) or not _is_whole(cell):
            raise BadInput(f'feature "{name}" must be a whole number, not {kind_of(cell)}', column=name, row=row)
        elif not -(2**bits) <= cell < 2**bits:
            raise _too_large(name, row)
        numbers.append(cell)
    # A whole number has no gaps: a column with some is one of floats, as pandas reads it.
    return numpy.array(numbers, dtype="float64" if has_gaps else NUMBER_TYPES[kind])


def _is_whole(cell):
    return isinstance(cell, int) or (math.isfinite(cell) and cell == int(cell))


def _datetimes(name, cells):
    """Without a zone, as MLflow's type has none: a time with one is told in UTC."""
    import pandas

    for row, cell in enumerate(cells):
        if not isinstance(cell, str) and cell is not None and cell == cell:
            raise BadInput(f'feature "{name}" must be a string, not {kind_of(cell)}', column=name, row=row)
    column = pandas.Series(list(cells), dtype="object")
    for form in ("ISO8601", None):
        try:
            told = pandas.to_datetime(column, utc=True, format=form).dt.tz_localize(None)
            return told.dt.as_unit("ns")
        except (ValueError, TypeError, OverflowError) as error:
            failure = error
    row = next((row for row, cell in enumerate(cells) if _is_no_time(cell)), None)
    raise BadInput(f'feature "{name}" is no time: {str(failure)[:200]}', column=name, row=row) from failure


def _is_no_time(cell):
    import pandas

    return cell is not None and pandas.isna(pandas.to_datetime(cell, utc=True, errors="coerce"))


def missing_features(names):
    sentence = f"missing feature{'s' if len(names) > 1 else ''}: {shown(names)}"
    return BadInput(sentence, "INVALID_PARAMETER_VALUE", column=names[0])


def _too_large(name, row):
    return BadInput(f'feature "{name}" is too large a number', column=name, row=row)
