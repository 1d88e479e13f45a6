"""What the deployer sets for a server, by the environment; each has the value that it takes where it is not set."""

import os


def _number(name, default):
    return float(os.environ.get(f"MODEL_DEPLOYER_{name}") or default)


PREDICTION_THREADS = int(_number("PREDICTION_THREADS", 8))
# Requests that wait behind those threads.
PREDICTION_QUEUE = int(_number("PREDICTION_QUEUE", 64))
# From a whole request to its answer.
PREDICTION_SECONDS = _number("PREDICTION_SECONDS", 14)
# For a request's body to arrive.
BODY_SECONDS = _number("BODY_SECONDS", 30)
LOG_BYTES = int(_number("LOG_BYTES", 8 * 1024 * 1024))
LOG_FILES = int(_number("LOG_FILES", 3))
MAX_BODY_BYTES = 16 * 1024 * 1024
# Of a body past that, before its connection is closed.
MAX_THROWN_AWAY_BYTES = 48 * 1024 * 1024
# Of all bodies that are being read, wait, or are predicted from.
MAX_HELD_BYTES = 256 * 1024 * 1024
