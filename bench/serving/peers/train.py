"""Trains one model of the bench and saves it for every server: `model.joblib` on arrays, `model` by MLflow on the same
values with names.

usage: train.py DIRECTORY MODEL COLUMNS REQUIREMENT...
"""

import os
import sys

import joblib
import mlflow.sklearn
import numpy
import pandas
from mlflow.models import infer_signature
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODELS = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": lambda: RandomForestClassifier(100, random_state=0),
    "boosted": lambda: HistGradientBoostingClassifier(random_state=0),
}

directory, name, columns, *requirements = sys.argv[1:]
columns = int(columns)
random = numpy.random.default_rng(0)
rows = random.normal(size=(2000, columns))
classes = (rows[:, :5].sum(axis=1) + random.normal(size=2000) > 0).astype(int)
joblib.dump(MODELS[name]().fit(rows, classes), os.path.join(directory, "model.joblib"))

table = pandas.DataFrame(rows, columns=[f"feature_{number}" for number in range(columns)])
model = MODELS[name]().fit(table, classes)
mlflow.sklearn.save_model(
    model,
    os.path.join(directory, "model"),
    signature=infer_signature(table, model.predict(table)),
    input_example=table.head(1),
    pip_requirements=requirements,
    skops_trusted_types=[
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss.link.Interval",
        "sklearn.tree._tree.Tree",
    ],
)
