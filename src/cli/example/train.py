"""Trains three classifiers on the breast cancer data that ships inside scikit-learn, and logs them to MLflow.

usage: train.py
MLFLOW_TRACKING_URI and its like say which MLflow; without it they are read from standard input as one JSON object, when
all is imported. Prints one JSON document: the runs, and rows that the demo's callers ask about.

v1 is a logistic regression on eight features; v2 one on all of them; v3 encodes the size class as well, and its encoder
refuses classes that it has not seen: it was trained without the largest tumours, so it fails on callers who send some.
"""

import json
import os
import sys

import mlflow
import numpy as np
from requirements import REQUIREMENTS
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

RARE_SIZE = 19


def prepare():
    frame = load_breast_cancer(as_frame=True)
    features = frame.data.rename(columns=lambda name: name.replace(" ", "_"))
    features["size_class"] = np.floor(features["mean_radius"]).clip(upper=RARE_SIZE).astype(float)
    return train_test_split(features, frame.target, test_size=0.35, random_state=7, stratify=frame.target)


def models(columns):
    few = columns[:8]
    plain = [name for name in columns if name != "size_class"]
    few_scaled = ColumnTransformer([("scaled", StandardScaler(), few)])
    encoded = ColumnTransformer(
        [("scaled", StandardScaler(), plain), ("size", OneHotEncoder(handle_unknown="error"), ["size_class"])]
    )
    return [
        ("v1", make_pipeline(few_scaled, LogisticRegression(max_iter=2000)), None),
        ("v2", make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), None),
        ("v3", make_pipeline(encoded, LogisticRegression(max_iter=2000)), "without the largest"),
    ]


def log_run(name, model, x_train, y_train, x_test, y_test):
    with mlflow.start_run(run_name=name) as run:
        model.fit(x_train, y_train)
        score = model.predict_proba(x_test)[:, 1]
        predicted = score >= 0.5
        true_negative, false_positive, _, _ = confusion_matrix(y_test, predicted).ravel()
        metrics = {
            "roc_auc": float(roc_auc_score(y_test, score)),
            "precision_at_k": float(precision_score(y_test, predicted)),
            "fpr": float(false_positive / (false_positive + true_negative)),
        }
        mlflow.log_metrics(metrics)
        example = x_test.head(2)
        # Without a list of them MLflow loads each model in a process of its own to find them out.
        mlflow.sklearn.log_model(model, name="model", input_example=example, pip_requirements=REQUIREMENTS)
        return {"name": name, "run_id": run.info.run_id, "metrics": metrics}


def main():
    if "MLFLOW_TRACKING_URI" not in os.environ:
        os.environ.update(json.load(sys.stdin))
    mlflow.set_experiment("breast_cancer")
    x_train, x_test, y_train, y_test = prepare()
    usual_train, usual_test = (part["size_class"] < RARE_SIZE for part in (x_train, x_test))
    runs = []
    for name, model, without in models(list(x_train.columns)):
        train = usual_train if without else slice(None)
        test = usual_test if without else slice(None)
        runs.append(log_run(name, model, x_train[train], y_train[train], x_test[test], y_test[test]))
    rows = {
        "usual": x_test[usual_test].to_dict("records"),
        "largest": x_test[~usual_test].to_dict("records"),
    }
    print(json.dumps({"runs": runs, "rows": rows}))


main()
