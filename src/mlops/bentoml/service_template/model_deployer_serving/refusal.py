"""The one form of what is wrong with a request, and of a prediction that failed."""

MAX_SENTENCE = 500
MAX_NAMES_SHOWN = 10


class BadInput(Exception):
    """The request is at fault; the message is for its sender. `code` is MLflow's name for the kind of fault."""

    def __init__(self, message, code="BAD_REQUEST", status=400, column=None, row=None):
        super().__init__(message)
        self.code = code
        self.status = status
        self.column = column
        self.row = row

    def content(self):
        where = {"column": self.column, "row": self.row}
        return error_content(self.code, str(self), **{key: value for key, value in where.items() if value is not None})


class NotEncodable(Exception):
    """The model has answered with something that no JSON can hold; the cause tells with what."""


def error_content(code, message, **more):
    """`error_code` and `message` are MLflow's names, `error` is the Open Inference Protocol's and the pipeline's."""
    return {"error_code": code, "message": message, "error": message, **more}


def first_line(error):
    try:
        lines = str(error).strip().splitlines()
    except Exception:
        # One of a model's own, which cannot tell of itself.
        lines = []
    return (lines or [type(error).__name__])[0][:MAX_SENTENCE]


def kind_of(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value:.10g}"
    if isinstance(value, str):
        return f'the string "{value[:40]}"'
    return "a list" if isinstance(value, list) else "an object"


def shown(names):
    names = list(names)
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return ", ".join(str(name)[:80] for name in names[:MAX_NAMES_SHOWN]) + more
