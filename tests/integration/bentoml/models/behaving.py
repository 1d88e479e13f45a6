"""What this model does follows from its only value; what it prints and writes is what a model may."""

import os
import subprocess
import sys
import tempfile
import time

import mlflow.pyfunc
from mlflow.models import set_model

LEAKED = []
CALLS = []


class Behaving(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        wanted = int(model_input["x"].iloc[0])
        CALLS.append(wanted)
        deadline = time.monotonic() + 600
        while wanted == 1 and not os.path.exists(os.path.join(tempfile.gettempdir(), "go_on")):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        while wanted == 2:
            time.sleep(3600)
        if wanted == 3:
            raise RuntimeError("the feature store is away")
        if wanted == 4:
            print("p" * 1_000_000, flush=True)
        if wanted == 5:
            with open("written.txt", "w") as written:
                written.write("by the model")
        if wanted == 7:
            LEAKED.append(bytearray(os.urandom(1) * 20_000_000))
        if wanted == 8 and CALLS.count(8) == 50:
            os._exit(3)
        if wanted == 9:
            return [float("nan")]
        if wanted == 10:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
        return ["z" * 10_000_000] if wanted == 6 else [wanted]


set_model(Behaving())
