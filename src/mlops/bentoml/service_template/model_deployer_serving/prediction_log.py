"""One JSON line for each prediction, in a file of bounded size.

The judge of a shadow pairs the lines of two deployments by `x_request_id`. A prediction never fails because its line
could not be written: the first failure of a row of failures is reported on standard error, and writing goes on.
"""

import hashlib
import json
import os
import sys
import threading

MAX_BYTES = 32 * 1024 * 1024
KEPT_FILES = 3
MAX_PREDICTION_BYTES = 16 * 1024


class PredictionLog:
    """Appends to `path`; at `max_bytes` the file becomes `path.1`, and so on up to `kept_files`. None writes nothing."""

    def __init__(self, path, max_bytes=MAX_BYTES, kept_files=KEPT_FILES):
        self._path = path
        self._max_bytes = max_bytes
        self._kept_files = kept_files
        self._lock = threading.Lock()
        self._descriptor = None
        self._size = 0
        self._failing = False

    @property
    def folder(self):
        return os.path.dirname(self._path) if self._path else None

    def append(self, entry):
        if not self._path:
            return
        try:
            line = (_json({**entry, "prediction": _bounded(entry["prediction"])}) + "\n").encode("utf-8")
            with self._lock:
                self._write(line)
            self._failing = False
        except (OSError, ValueError) as error:
            if not self._failing:
                self._failing = True
                print(f"prediction log {self._path}: {error}; predictions go on unlogged", file=sys.stderr, flush=True)

    def _write(self, line):
        if self._descriptor is not None and self._size + len(line) > self._max_bytes:
            self._rotate()
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._size = os.fstat(self._descriptor).st_size
        # One write for a line, so that a reader never sees lines of two threads mixed.
        self._size += os.write(self._descriptor, line)

    def _rotate(self):
        os.close(self._descriptor)
        self._descriptor = None
        for number in range(self._kept_files - 1, 0, -1):
            older = f"{self._path}.{number}"
            if os.path.exists(older):
                os.replace(older, f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")


def _bounded(prediction):
    """A large prediction by its digest, which is enough to tell whether two models agree."""
    if isinstance(prediction, (bool, int, float)):
        return prediction
    text = _json(prediction)
    if len(text) <= MAX_PREDICTION_BYTES:
        return prediction
    return f"sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def _json(value):
    return json.dumps(value, separators=(",", ":"), default=str)
