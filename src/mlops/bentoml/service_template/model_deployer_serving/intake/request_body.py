"""From a request's bytes to JSON, strictly, and the pipeline's own contract."""

import json
import zlib

from ..refusal import BadInput, kind_of

# Of a gzip file, which may have several, one behind the other.
MAX_MEMBERS = 1000
PACKED_AT_ONCE = 64 * 1024


def unpacked(body, encoding, max_bytes):
    """The body without its content encoding; what it would unpack to is bounded. Raises BadInput."""
    if encoding in ("", "identity"):
        return body
    # By RFC 9110 an old name of the same.
    encoding = "gzip" if encoding == "x-gzip" else encoding
    if encoding not in ("gzip", "deflate"):
        raise BadInput(f'the content encoding "{encoding[:40]}" is not supported: send gzip, deflate or none', status=415)
    left, plain, size = memoryview(body), [], 0
    for _ in range(MAX_MEMBERS if encoding == "gzip" else 1):
        unpacking = zlib.decompressobj(wbits=47 if encoding == "gzip" else 15)
        while not unpacking.eof:
            if not left:
                raise BadInput(f"the body is not whole: its {encoding} ends too early")
            try:
                part = unpacking.decompress(left[:PACKED_AT_ONCE], max_bytes + 1 - size)
            except zlib.error as error:
                raise BadInput(f"the body is not {encoding}: {error}") from error
            size += len(part)
            if size > max_bytes:
                raise BadInput(f"the body is larger than {max_bytes} bytes", "BODY_TOO_LARGE", 413)
            plain.append(part)
            left = left[min(len(left), PACKED_AT_ONCE) - len(unpacking.unused_data) :]
        if not left:
            return b"".join(plain)
    raise BadInput(f"the body goes on behind the end of its {encoding}")


def parse_json(body):
    """A JSON object. Raises BadInput, for NaN and infinities too, which are no JSON."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadInput(f"the body must be a JSON object, not {kind_of(value)}")
    return value


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON number")


class PredictRequest:
    """The pipeline's contract: `{entity_id, features: object, time_horizon, return_proba}`; only features is required."""

    def __init__(self, body):
        request = parse_json(body)
        self.features = request.get("features")
        if not isinstance(self.features, dict) or not self.features:
            raise BadInput('"features" must be an object with at least one feature, such as {"recency": 10}')
        self.return_proba = request.get("return_proba", True)
        if not isinstance(self.return_proba, bool):
            raise BadInput(f'"return_proba" must be true or false, not {kind_of(self.return_proba)}')
        for name in ("entity_id", "time_horizon"):
            if not isinstance(request.get(name, ""), (str, int)):
                raise BadInput(f'"{name}" must be a string, not {kind_of(request[name])}')
