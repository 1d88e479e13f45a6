"""Logs a small scikit-learn model as a trainer does, or loads a registered version as MLflow's users do.

Usage: models.py train | models.py load <model uri>; prints one line of JSON. MLFLOW_TRACKING_URI names the server.
"""

import json
import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SAMPLE = [[2.0, 0.0], [-2.0, 0.0]]


def train() -> dict:
    features = np.random.RandomState(7).randn(100, 2)
    target = (features[:, 0] > 0).astype(int)
    with mlflow.start_run() as run:
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, target)
        columns = pd.DataFrame({"age": features[:, 0], "visits": target.astype("int32")})
        signature = infer_signature(columns, target, params={"cut": 0.5, "tags": ["a"]})
        mlflow.log_metric("roc_auc", 0.93)
        logged = mlflow.sklearn.log_model(model, name="model", signature=signature)
        mlflow.log_dict({"columns": ["a", "b"]}, "preprocessing/columns.json")
    return {"run_id": run.info.run_id, "model_id": logged.model_id}


def load(uri: str) -> dict:
    rows = pd.DataFrame(SAMPLE, columns=["age", "visits"]).astype({"visits": "int32"})
    return {"predictions": mlflow.pyfunc.load_model(uri).predict(rows).tolist()}


print(json.dumps(train() if sys.argv[1] == "train" else load(sys.argv[2])))
