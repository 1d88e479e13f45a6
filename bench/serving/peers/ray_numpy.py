"""usage: ray_numpy.py PORT DIRECTORY"""

import os
import signal
import sys

import joblib
import numpy
import ray
from ray import serve

port, directory = int(sys.argv[1]), sys.argv[2]


@serve.deployment(max_ongoing_requests=64)
class Served:
    def __init__(self, path):
        self.model = joblib.load(path)

    async def __call__(self, request):
        rows = (await request.json())["instances"]
        return {"predictions": self.model.predict(numpy.array(rows)).tolist()}


ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 1024 * 1024, _node_ip_address="127.0.0.1")
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(Served.bind(os.path.join(directory, "model.joblib")), name="model", route_prefix="/predict")
signal.sigwait({signal.SIGTERM, signal.SIGINT})
serve.shutdown()
ray.shutdown()
