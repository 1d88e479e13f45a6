"""usage: kserve_numpy.py PORT DIRECTORY"""

import os
import sys

port, directory = sys.argv[1], sys.argv[2]
# The library reads the arguments of the program itself.
sys.argv = sys.argv[:1]

import joblib  # noqa: E402
import kserve  # noqa: E402
import numpy  # noqa: E402


class Served(kserve.Model):
    def __init__(self):
        super().__init__("model")
        self.model = joblib.load(os.path.join(directory, "model.joblib"))
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        return {"predictions": self.model.predict(numpy.array(payload["instances"])).tolist()}


if __name__ == "__main__":
    kserve.ModelServer(http_port=int(port), enable_grpc=False, enable_latency_logging=False).start([Served()])
