"""Python functions with type hints that few have, and such as show what they were given."""

import datetime
from typing import Any, Optional

import mlflow.pyfunc
import pydantic


class Whole(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[int]) -> list[int]:
        return [number + 1 for number in model_input]


class Times(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[datetime.datetime]) -> list[str]:
        return [time.isoformat() for time in model_input]


class Counts(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[dict[str, int]]) -> list[int]:
        return [sum(row.values()) for row in model_input]


class Stay(pydantic.BaseModel):
    ward: str
    days: list[int]


class Patient(pydantic.BaseModel):
    id: int
    stays: list[Stay]
    extra: Optional[dict[str, float]] = None


class Patients(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Patient]) -> list[int]:
        return [sum(sum(stay.days) for stay in patient.stays) for patient in model_input]


class Anything(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Any]) -> list[str]:
        return [repr(one) for one in model_input]


class Asked(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [{name: repr(value) for name, value in sorted((params or {}).items())}]


class Tensor(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        shown = model_input if isinstance(model_input, dict) else {"": model_input}
        return {name or "all": [str(array.dtype), list(array.shape), array.tolist()] for name, array in shown.items()}
