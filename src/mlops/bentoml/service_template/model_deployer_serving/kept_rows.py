"""Which requests are logged with their input, and what of it.

The deployer writes rows.json beside the prediction log: {"sample": .01, "hidden": [...], "hashed": [...]}. Without that file
nothing is kept. Hidden texts become "hidden" and hidden numbers null, so that the
row can be asked again in its form; hashed fields become a hash with a key of this process, before anything is written.
"""

import hashlib
import hmac
import json
import os
import secrets
import time

LOOK_SECONDS = 1.0
MAX_BYTES = 16 * 1024
ALL = "*"


class KeptRows:
    def __init__(self, folder, now=time.monotonic):
        self._path = os.path.join(folder, "rows.json") if folder else None
        self._now = now
        self._looked = None
        self._read = None
        self._settings = None
        self._key = secrets.token_bytes(32)

    def of(self, request):
        """What is kept of a request: {"path", "input"}; None for one that is not drawn, is large, or is no JSON."""
        settings = self._current()
        if settings is None or request.request_id is None or request.encoding or len(request.body) > MAX_BYTES:
            return None
        if not _is_drawn(request.request_id, settings["sample"]):
            return None
        try:
            content = json.loads(request.body)
            return {"path": request.path, "input": self._without(content, settings)}
        except (ValueError, RecursionError):
            return None

    def _current(self):
        if self._path is None:
            return None
        now = self._now()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._settings

    def _look(self):
        try:
            found = os.stat(self._path)
            if (found.st_mtime_ns, found.st_ino) != self._read:
                with open(self._path, encoding="utf-8") as file:
                    told = json.load(file)
                self._settings = {
                    "sample": float(told["sample"]),
                    "hidden": frozenset(told["hidden"]),
                    "hashed": frozenset(told["hashed"]),
                }
                self._read = (found.st_mtime_ns, found.st_ino)
        except (OSError, ValueError, KeyError, TypeError):
            self._settings = self._read = None

    def _without(self, value, settings):
        if isinstance(value, list):
            return [self._without(one, settings) for one in value]
        if not isinstance(value, dict):
            # What stands in no field has no name to be hidden by.
            return _hidden(value) if ALL in settings["hidden"] else self._hash(value) if ALL in settings["hashed"] else value
        names = value.get("columns")
        if isinstance(names, list) and isinstance(value.get("data"), list):
            rows = [self._row(row, names, settings) for row in value["data"]]
            return {**value, "data": rows}
        return {name: self._field(name, one, settings) for name, one in value.items()}

    def _row(self, row, names, settings):
        if not isinstance(row, list) or len(row) != len(names):
            return None
        return [self._field(name, one, settings) for name, one in zip(names, row)]

    def _field(self, name, value, settings):
        if isinstance(value, (dict, list)) and name not in settings["hidden"] and name not in settings["hashed"]:
            return self._without(value, settings)
        if name in settings["hidden"] or ALL in settings["hidden"]:
            return _hidden(value)
        if name in settings["hashed"] or ALL in settings["hashed"]:
            return self._hash(value)
        return value

    def _hash(self, value):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return "hash:" + hmac.new(self._key, text.encode("utf-8"), hashlib.sha256).hexdigest()[:16]


def _hidden(value):
    return "hidden" if isinstance(value, str) else None


def _is_drawn(request_id, sample):
    if sample >= 1:
        return True
    first = hashlib.sha256(request_id.encode("utf-8")).digest()[:4]
    return int.from_bytes(first, "big") < sample * 2**32
