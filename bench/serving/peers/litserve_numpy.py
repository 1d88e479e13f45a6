"""usage: litserve_numpy.py PORT DIRECTORY"""

import os
import sys

import joblib
import litserve
import numpy


class Served(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load(os.path.join(sys.argv[2], "model.joblib"))

    def decode_request(self, request):
        return numpy.array(request["instances"])

    def predict(self, rows):
        return self.model.predict(rows)

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Served(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
