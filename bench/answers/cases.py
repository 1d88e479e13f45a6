"""What the bench compares: models, and what each is asked."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

JSON, CSV = "application/json", "text/csv"


@dataclasses.dataclass
class Ask:
    """`reason` names the row of docs/serving.md by which our answer may be another one than MLflow's.

    `expected` is a status and a body for what MLflow's server is not asked, since it would end.
    """

    name: str
    body: str | bytes
    content_type: str | None = JSON
    reason: str | None = None
    expected: tuple[int, str] | None = None


@dataclasses.dataclass
class Case:
    """`save(path)` saves the model with MLflow; `example` is what `mlflow.pyfunc` is asked besides."""

    name: str
    save: Callable[[str], None]
    example: Any = None
    params: dict[str, Any] | None = None
    asks: list[Ask] = dataclasses.field(default_factory=list)
    # The model was trained on pandas' categories, which MLflow's server does not give it.
    told_categories: bool = False
    # A preprocessing that is saved apart; MLflow's server is not asked then, which knows none.
    preprocessing: Callable[[str], None] | None = None
    # The predictions for `example`, a table, where MLflow's server cannot tell them.
    expected: Callable[[], list[Any]] | None = None


def ask(name: str, content: Any, **more: Any) -> Ask:
    return Ask(name, json.dumps(content), **more)


ODD_BODIES = [
    Ask("an empty body", ""),
    Ask("no JSON", "not json"),
    Ask("no UTF-8", b'{"inputs": "\xff"}'),
    Ask("a bare list", "[1, 2]"),
    Ask("a bare number", "5"),
    Ask("a bare null", "null"),
    Ask("an empty object", "{}"),
    Ask("no known format", '{"rows": [1]}'),
    Ask("two formats", '{"inputs": [1], "instances": [1]}'),
    Ask("a signature name", '{"inputs": [1], "signature_name": "x"}'),
    Ask("split without data", '{"dataframe_split": {"columns": ["a"]}}'),
    Ask("split that is a list", '{"dataframe_split": [1]}'),
    Ask("split with another key", '{"dataframe_split": {"data": [[1]], "rows": 1}}'),
    Ask("records that are an object", '{"dataframe_records": {"a": 1}}'),
    Ask("records that are a number", '{"dataframe_records": 5}'),
    Ask("inputs that are null", '{"inputs": null}'),
    Ask("deep nesting", '{"inputs": ' + "[" * 5000 + "]" * 5000 + "}"),
    Ask("deeper nesting", "[" * 100_000),
    Ask("another content type", "<a/>", "text/xml"),
    Ask("another charset", '{"inputs": [1]}', "application/json; charset=latin-1"),
    Ask("a parameter of the content type", '{"inputs": [1]}', "application/json; version=2"),
    Ask("CSV that is none", '"', CSV),
]

# By MLflow's type, what is put into a column of it, and the row of docs/serving.md where MLflow takes it nevertheless.
CELLS = {
    "double": [("3.5", "value_changed"), (True, "value_changed"), (None, None), ([1], None), (10**400, "too_large")],
    "float": [("3.5", "value_changed"), (None, None), (1e300, "too_large")],
    "long": [(3.5, "value_changed"), (3.0, None), ("3", "value_changed"), (None, "null_kept"), (2**70, None)],
    "integer": [(3.5, "value_changed"), (3_000_000_000, "value_changed"), (None, "null_kept"), ("x", None)],
    "boolean": [(None, "null_kept"), (1, "value_changed"), ("yes", "value_changed")],
    "string": [(5, "value_changed"), (None, None), ({"a": 1}, "value_changed")],
    "datetime": [
        ("2025-01-02T03:04:05Z", "time_zone"),
        (5, "value_changed"),
        ("soon", None),
        (None, None),
        ("2025-01-02 03:04:05.678", None),
        ("20250102", "time_form"),
        ("01/02/2025", "time_form"),
        (" 2025-01-02", "time_form"),
        ("9999-12-31", "time_form"),
        ("1735786800", "time_form"),
    ],
}


def asks_of_table(table: dict[str, Any], types: dict[str, str]) -> list[Ask]:
    """Each form of a table, and each kind of mistake. `table` is a dataframe_split."""
    columns, data = table["columns"], table["data"]
    records = [dict(zip(columns, row)) for row in data]
    by_column = {name: [row[name] for row in records] for name in columns}
    lines = [",".join(f'"{name}"' for name in columns)]
    lines += [",".join("" if cell is None else str(cell) for cell in row) for row in data]
    backwards = {"columns": columns[::-1], "data": [row[::-1] for row in data]}
    # MLflow makes the text "None" of a string that is null under these.
    null = "null_kept" if any(cell is None for row in data for cell in row) else None
    asks = [
        ask("split", {"dataframe_split": table}),
        ask("split backwards", {"dataframe_split": backwards}),
        ask("split with an index", {"dataframe_split": {**table, "index": list(range(7, 7 + len(data)))}}),
        ask("split with a wrong index", {"dataframe_split": {**table, "index": [1] * (len(data) + 1)}}),
        ask("split without columns", {"dataframe_split": {"data": data}}),
        ask("split with a short row", {"dataframe_split": {"columns": columns, "data": [*data, data[0][:-1]]}}),
        ask("split without rows", {"dataframe_split": {"columns": columns, "data": []}}),
        ask("records", {"dataframe_records": records}),
        ask("no records", {"dataframe_records": []}),
        ask("an extra column", {"dataframe_records": [{**row, "unused": "x"} for row in records]}),
        ask("inputs of records", {"inputs": records}, reason=null),
        ask("inputs by column", {"inputs": by_column}, reason=null),
        ask("inputs of one row", {"inputs": records[0]}, reason=null),
        ask("inputs of one row and more", {"inputs": {**records[0], "unused": "x"}}),
        ask("inputs of lists", {"inputs": data}),
        ask("instances of records", {"instances": records}, reason=null),
        ask("instances of lists", {"instances": data}),
        ask("no instances", {"instances": []}),
        Ask("CSV", "\n".join(lines) + "\n", CSV),
        *(ask(f"a table beside {key}", {"dataframe_split": table, key: "x"}) for key in ("messages", "prompt", "input", "unknown")),
        ask("unknown params", {"dataframe_split": table, "params": {"unknown": 1}}),
        ask("params of a wrong kind", {"dataframe_split": table, "params": 5}),
        ask("a hundred rows", {"dataframe_split": {"columns": columns, "data": data * 100}}),
        ask("columns of unequal length", {"inputs": {**by_column, columns[0]: by_column[columns[0]] * 2}}),
    ]
    asks += [ask(f"without {name}", {"dataframe_records": _without(records, name)}) for name in columns[:2]]
    asks += [
        ask("a key that one row lacks", {"dataframe_records": [*records, *_without(records, columns[0])]}, reason="key_left_out")
    ]
    for kind, name in {kind: name for name, kind in types.items() if name in columns}.items():
        for cell, reason in CELLS.get(kind, []):
            for form in ("dataframe_records", "inputs"):
                changed = [{**records[0], name: cell}]
                told = "null_kept" if cell is None and form == "inputs" else reason or null
                asks.append(ask(f"{form}: {kind} {json.dumps(cell)[:20]}", {form: changed}, reason=told))
    for name in [name for name, kind in types.items() if kind == "datetime"][:1]:
        mixed = [{**records[0], name: "2025-01-02"}, {**records[0], name: "2025-01-02T03:04:05.678"}]
        asks += [ask(f"{form}: times of several forms", {form: mixed}, reason="time_form") for form in ("dataframe_records", "inputs")]
    no_number = json.dumps({"dataframe_records": [{**records[0], columns[0]: "?"}]})
    asks += [Ask(f"the number {name}", no_number.replace('"?"', name), reason="no_json_number") for name in ("NaN", "Infinity")]
    return asks


def asks_of_expected(case: Case) -> list[tuple[str, Ask, Any]]:
    """[(path, ask, the answer's part that is compared)] of the table that a case has its predictions for."""
    if case.expected is None:
        return []
    table = case.example.to_dict(orient="split")
    records = [dict(zip(table["columns"], row)) for row in table["data"]]
    predictions = case.expected()
    forms = {"dataframe_split": {key: table[key] for key in ("columns", "data")}, "dataframe_records": records, "inputs": records}
    asks = [("/invocations", ask(f"expected: {form}", {form: told, "params": case.params}), {"predictions": predictions}) for form, told in forms.items()]
    is_told = not case.params
    return asks + [("/predict", ask("expected: /predict", {"features": records[0]}), {"prediction": predictions[0]})] * is_told


def _without(records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{key: cell for key, cell in row.items() if key != name} for row in records]


def asks_of_inputs(inputs: Any) -> list[Ask]:
    """Forms of a request under "inputs" that is no table, and what is wrong with it."""
    asks = [ask("inputs", {"inputs": inputs}), ask("instances", {"instances": inputs})]
    asks += [
        ask(f"inputs of {json.dumps(other)[:30]}", {"inputs": other})
        for other in ([], {}, "text", 5, ["text"], [[]], [[1], [2, 3]], {"unknown": [1]}, [None], [[1.5, "x"]], True)
    ]
    if isinstance(inputs, list):
        asks += [
            ask("inputs twice", {"inputs": inputs + inputs}),
            ask("one level more", {"inputs": [inputs]}),
            ask("one level less", {"inputs": inputs[0]}),
            ask("split without columns", {"dataframe_split": {"data": inputs}}),
        ]
    if isinstance(inputs, dict):
        asks += [ask(f"without {name}", {"inputs": {k: v for k, v in inputs.items() if k != name}}) for name in inputs]
        asks += [ask("an extra input", {"inputs": {**inputs, "unused": [1]}})]
    asks += [ask("unknown params", {"inputs": inputs, "params": {"unknown": 1}})]
    return asks
