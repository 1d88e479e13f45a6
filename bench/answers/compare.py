"""Compares what a bento answers with what MLflow's scoring server and `mlflow.pyfunc` answer, for the models of one group.

usage: compare.py TEMPLATE GROUP RESULT [MODEL...]

TEMPLATE is the folder of the service's code, GROUP a module of `models/`, RESULT a JSON file to write.
"""

import asyncio
import contextlib
import importlib
import io
import json
import logging
import os
import sys
import tempfile
import traceback
import warnings

from cases import ODD_BODIES, Ask, asks_of_expected, asks_of_inputs, asks_of_table
from protocols import compared_protocols
from verdicts import parsed, verdict

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


def call(app, ask, path="/invocations"):
    """(status, body) of a POST to an ASGI application."""
    body = ask.body if isinstance(ask.body, bytes) else ask.body.encode("utf-8")
    headers = [] if ask.content_type is None else [(b"content-type", ask.content_type.encode())]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers}
    scope |= {"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1)}
    status, parts, sent = 500, [], [{"type": "http.request", "body": body}]

    async def receive():
        if sent:
            return sent.pop()
        await asyncio.Event().wait()

    async def send(message):
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    async def run():
        try:
            await app(scope, receive, send)
        except Exception:  # the server's own middleware has answered 500 already
            pass

    asyncio.run(run())
    return status, b"".join(parts).decode("utf-8", "replace")


@contextlib.contextmanager
def untold():
    """Boosters as they were installed, for MLflow's server, which runs in this process too."""
    from model_deployer_serving.model.trained_categories import MARK

    kinds = [sys.modules[name].Booster for name in ("lightgbm", "xgboost") if name in sys.modules]
    told = [(kind, name, method) for kind in kinds for name, method in vars(kind).items() if hasattr(method, MARK)]
    for kind, name, method in told:
        setattr(kind, name, method.__wrapped__)
    try:
        yield
    finally:
        for kind, name, method in told:
            setattr(kind, name, method)


def served(directory):
    from model_deployer_serving.scoring_app import ScoringApp

    settings = {"bento_tag": "model:v1", "model_name": "model", "model_version": "1", "artifact_digest": ""}
    with open(os.path.join(directory, "service.json"), "w", encoding="utf-8") as file:
        json.dump(settings, file)
    scoring = ScoringApp(directory)
    scoring.load()
    return scoring


def asks_of(case, directory):
    asks = list(case.asks)
    example = os.path.join(directory, "serving_input_example.json")
    if os.path.exists(example):
        with open(example, encoding="utf-8") as file:
            # A gap, which MLflow writes as NaN, is null in JSON.
            request = json.loads(file.read(), parse_constant=lambda _name: None)
        asks.insert(0, Ask("the example", json.dumps(request)))
        if "dataframe_split" in request and "columns" in request["dataframe_split"]:
            from mlflow.models import Model

            schema = Model.load(directory).get_input_schema()
            fields = schema.to_dict() if schema is not None else []
            types = {field["name"]: field["type"] for field in fields if "name" in field}
            asks += asks_of_table(request["dataframe_split"], types)
        elif "inputs" in request:
            asks += asks_of_inputs(request["inputs"])
    return asks + ODD_BODIES


def pyfunc_answer(model, case):
    from mlflow.pyfunc import scoring_server

    text = io.StringIO()
    scoring_server.predictions_to_json(model.predict(case.example, params=case.params), text)
    return 200, text.getvalue()


def compared_ways(scoring, asks):
    """[(ask, by arrays, by tables)]: what a server answers that asks its model by arrays, one row and many at a time."""
    from model_deployer_serving.model.predictions import predict_many, predict_one

    intake = scoring.intake
    arrays = intake.arrays
    tables = [json.loads(ask.body).get("dataframe_split") for ask in asks if ask.name == "the example"]
    if arrays is None or not tables or "columns" not in tables[0]:
        return
    asked = []
    for row in tables[0]["data"]:
        features = dict(zip(tables[0]["columns"], row))
        asked += [
            ("/predict", Ask("/predict by arrays", json.dumps({"features": features}))),
            ("/predict", Ask("/predict by arrays", json.dumps({"features": features, "return_proba": False}))),
            ("/invocations", Ask("/invocations by arrays", json.dumps({"dataframe_records": [features]}))),
        ]
    by_arrays = [call(scoring.app, ask, path) for path, ask in asked]
    works = [predict_one if path == "/predict" else predict_many for path, _ in asked]
    read = [arrays.read(work, ask.body.encode(), "application/json") for work, (_, ask) in zip(works, asked)]
    together = arrays.of(read)
    intake.arrays = None
    try:
        by_tables = [call(scoring.app, ask, path) for path, ask in asked]
    finally:
        intake.arrays = arrays
    for (_, ask), one, slow, among in zip(asked, by_arrays, by_tables, together):
        yield ask, one, slow
        if arrays.takes_several:
            yield Ask(f"{ask.name}, among others", ""), (200, among[0]), slow


def compare(case):
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

    with tempfile.TemporaryDirectory() as directory:
        model_directory = os.path.join(directory, "model")
        case.save(model_directory)
        if case.preprocessing is not None:
            case.preprocessing(os.path.join(directory, "preprocessing"))
        scoring = served(directory)
        model = mlflow.pyfunc.load_model(model_directory)
        theirs = scoring_server.init(model)
        verdicts, differing = {}, []

        def note(ask, ours, reference):
            told = verdict(ask, ours, reference, case.told_categories)
            verdicts[told or "different"] = verdicts.get(told or "different", 0) + 1
            if told is None:
                shown = {"status": reference[0], "body": reference[1][-300:]}
                differing.append({"ask": ask.name, "ours": [ours[0], ours[1][:300]], "theirs": shown})

        for path, ask, expected in asks_of_expected(case):
            status, text = call(scoring.app, ask, path)
            told = {key: parsed(text).get(key) for key in expected} if status == 200 else text
            note(ask, (status, json.dumps(told)), (200, json.dumps(expected)))
        asks = [] if case.preprocessing is not None else asks_of(case, model_directory)
        if case.example is not None and not case.told_categories and asks:
            note(Ask("mlflow.pyfunc", ""), call(scoring.app, asks[0]), pyfunc_answer(model, case))
        for ask in asks:
            ours = call(scoring.app, ask)
            with untold():
                note(ask, ours, ask.expected or call(theirs, ask))
        for ask, by_arrays, by_tables in compared_ways(scoring, asks):
            note(ask, by_arrays, by_tables)
        for ask, told, expected in compared_protocols(scoring, asks, call):
            note(ask, told, expected)
        return {"model": case.name, "requests": sum(verdicts.values()), "verdicts": verdicts, "different": differing}


def main():
    template, group, result, *wanted = sys.argv[1:]
    sys.path[:0] = [template, os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")]
    results = []
    for case in importlib.import_module(group).cases():
        if wanted and case.name not in wanted:
            continue
        try:
            results.append(compare(case))
        except ImportError as error:
            results.append({"model": case.name, "skipped": str(error)})
        except Exception:
            results.append({"model": case.name, "failed": traceback.format_exc()[-3000:]})
    with open(result, "w", encoding="utf-8") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main()
