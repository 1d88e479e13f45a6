"""The process's own log: one JSON line a kind of failure, thinned, in a file that never grows beyond its bound.

The file is cut in place, since the process and its parent hold it open; whoever writes to it, the model's own prints
and native code included, is bounded that way. What is printed while a start fails stays as it is printed: the deployer
looks there for the reason.
"""

import json
import logging
import os
import sys
import threading
import time
import traceback
from datetime import datetime, timezone

QUIET_SECONDS = 60.0
LOOK_SECONDS = 0.25
MAX_KINDS = 64
MAX_TEXT = 8192
CHUNK_BYTES = 256 * 1024


class ProcessLog:
    """Writes the first failure of a kind in full, then one line in `quiet_seconds` with how many were left out."""

    def __init__(self, quiet_seconds=QUIET_SECONDS, write=None, now=time.monotonic):
        self._quiet_seconds = quiet_seconds
        self._write = write or _to_standard_error
        self._now = now
        self._lock = threading.Lock()
        # {kind: [when its last line was written, how many were left out since, the last of them]}
        self._kinds = {}

    def report(self, event, message, error=None):
        kind = (event, type(error).__name__)
        with self._lock:
            if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
                kind = ("other", "")
            known = self._kinds.get(kind)
            if known is not None and self._now() - known[0] < self._quiet_seconds:
                known[1] += 1
                known[2] = (event, message)
                return
            left_out = 0 if known is None else known[1]
            self._kinds[kind] = [self._now(), 0, None]
        # Repeated in a kind, the traceback tells nothing new.
        self._line(event, message, left_out, error if known is None else None)

    def tell_left_out(self):
        """Lines for the kinds whose quiet time is over, and that were met meanwhile."""
        with self._lock:
            due = [known for known in self._kinds.values() if known[1] and self._now() - known[0] >= self._quiet_seconds]
            lines = [(*known[2], known[1] - 1) for known in due]
            for known in due:
                known[:] = [self._now(), 0, None]
        for event, message, left_out in lines:
            self._line(event, message, left_out)

    def _line(self, event, message, left_out, error=None):
        line = {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": event}
        line["message"] = message[:MAX_TEXT]
        if left_out:
            line["left_out"] = left_out
        if error is not None:
            line["traceback"] = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-MAX_TEXT:]
        self._write(json.dumps(line))


class ThinnedHandler(logging.Handler):
    """What BentoML, uvicorn and other libraries log, a kind being a logger's message before its values are put in."""

    def __init__(self, log):
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record):
        try:
            error = record.exc_info[1] if record.exc_info else None
            event = f"{record.name} {str(record.msg)[:200]}" if error is None else record.name
            self._log.report(event, f"{record.levelname}: {record.getMessage()}", error)
        except Exception:
            self.handleError(record)


def thin_libraries(log):
    """After a start, when nobody reads the reason of its failure any more."""
    handler = ThinnedHandler(log)
    for name in (None, "bentoml", "uvicorn.error", "circus", "mlflow", "asyncio"):
        logger = logging.getLogger(name)
        if logger.handlers:
            logger.handlers = [handler]
            logger.propagate = False
    logging.raiseExceptions = False


def bound_file(path, max_bytes, kept_files):
    """Moves what a file holds beyond `max_bytes` to `path.1`, and so on up to `kept_files`; the file stays the same file.

    The former ones lie in MODEL_DEPLOYER_FORMER_LOGS where that is set: a contained server may add no file beside its log.

    Of a file that outgrew its bound at once the newest bytes are kept. Where the copy cannot be written, the bound holds.
    """
    size = os.stat(path).st_size
    if size <= max_bytes:
        return
    former = os.path.join(os.environ.get("MODEL_DEPLOYER_FORMER_LOGS") or os.path.dirname(path), os.path.basename(path))
    for number in range(kept_files - 1, 0, -1):
        if os.path.exists(f"{former}.{number}"):
            os.replace(f"{former}.{number}", f"{former}.{number + 1}")
    try:
        if kept_files > 0:
            _copy_from(path, size - max_bytes, f"{former}.1")
    finally:
        os.truncate(path, 0)


def keep_bounded(log, path, max_bytes, kept_files):
    """A thread that does so for as long as the process lives; a disk that is full or gone does not end it."""

    def look():
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                log.tell_left_out()
                if path:
                    bound_file(path, max_bytes, kept_files)
            except OSError as error:
                log.report("log", f"{path} cannot be bounded: {error}")

    threading.Thread(target=look, name="process-log", daemon=True).start()


def _copy_from(path, offset, target):
    with open(path, "rb") as source, open(target, "wb", opener=_private) as copy:
        source.seek(offset)
        while chunk := source.read(CHUNK_BYTES):
            copy.write(chunk)


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _to_standard_error(line):
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        pass  # a full disk or a closed descriptor must not fail a request
