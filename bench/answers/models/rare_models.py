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


class Chat(mlflow.pyfunc.ChatModel):
    def predict(self, context, messages, params):
        from mlflow.types.llm import ChatChoice, ChatCompletionResponse, ChatMessage

        said = ChatMessage(role="assistant", content=f"{messages[-1].content} {params.temperature}")
        return ChatCompletionResponse(choices=[ChatChoice(index=0, message=said)], id="x", created=1)


class Agent(mlflow.pyfunc.ChatAgent):
    def predict(self, messages, context=None, custom_inputs=None):
        from mlflow.types.agent import ChatAgentMessage, ChatAgentResponse

        return ChatAgentResponse(messages=[ChatAgentMessage(role="assistant", content=messages[-1].content, id="1")])


class Responding(mlflow.pyfunc.ResponsesAgent):
    def predict(self, request):
        from mlflow.types.responses import ResponsesAgentResponse

        return ResponsesAgentResponse(output=[self.create_text_output_item(str(len(request.input)), "1")])
