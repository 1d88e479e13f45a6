"""The floor: one model behind FastAPI, arrays in and classes out, nothing checked. usage: fastapi_numpy.py PORT DIRECTORY"""

import os
import sys

import joblib
import numpy
import uvicorn
from fastapi import FastAPI, Request

model = joblib.load(os.path.join(sys.argv[2], "model.joblib"))
app = FastAPI()


@app.post("/predict")
async def predict(request: Request):
    rows = (await request.json())["instances"]
    return {"predictions": model.predict(numpy.array(rows)).tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False)
