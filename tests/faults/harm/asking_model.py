"""A model that asks an HTTP server before each prediction, and does what that answers.

The address stands in `upstream.json` beside the model. An answer is a JSON object: `print_bytes` are written to standard
output, `fail` raises, and `clock_offset_s` puts the process's clock off by so many seconds.
"""

import datetime
import http.client
import json
import os
import sys
import time

_real_time = time.time
_offset_s = 0.0


class _ShiftedDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(time.time(), tz)


def _shift_clock(seconds):
    global _offset_s
    if seconds == _offset_s:
        return
    _offset_s = seconds
    time.time = lambda: _real_time() + _offset_s
    for module in list(sys.modules.values()):
        if module is not sys.modules[__name__] and getattr(module, "datetime", None) is datetime.datetime:
            module.datetime = _ShiftedDatetime


class AskingModel:
    def __init__(self, host, port):
        self._address = (host, port)

    def predict(self, data, params=None):
        told = self._ask()
        _shift_clock(told.get("clock_offset_s", 0.0))
        if told.get("print_bytes"):
            print("x" * told["print_bytes"], flush=True)
        if told.get("fail"):
            raise RuntimeError("the upstream says that this fails")
        return [float(value) for value in data["x"]]

    def _ask(self):
        connection = http.client.HTTPConnection(*self._address)
        try:
            connection.request("GET", "/")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def _load_pyfunc(path):
    with open(os.path.join(path, "upstream.json"), encoding="utf-8") as file:
        address = json.load(file)
    return AskingModel(address["host"], address["port"])
