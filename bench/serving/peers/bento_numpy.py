"""BentoML's own batching, for `bentoml serve`; MODEL_DIRECTORY names where the model lies."""

import os

import bentoml
import joblib
import numpy


@bentoml.service
class Served:
    def __init__(self):
        self.model = joblib.load(os.path.join(os.environ["MODEL_DIRECTORY"], "model.joblib"))

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.model.predict(rows)
