"""MLflow's server, which asks for a user and a password on every route but the probe's.

usage: mlflow_server.py PORT DATABASE ARTIFACTS USER PASSWORD_FILE

`mlflow server` would start the same application in a second process, which takes twice the time and memory.
"""

import base64
import hmac
import json
import os
import sys
import uuid

PROBE = "/health"
EXPLANATION = {
    "error_code": "UNAUTHENTICATED",
    "message": "this MLflow asks for a user and a password; `model-deployer env` prints both as "
    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
}


def settings(database, artifacts):
    """The variables by which `mlflow server` hands its options to the application."""
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }


def guarded(app, user, password):
    """The ASGI application behind the two, whatever else it routes by itself."""
    expected = base64.b64encode(f"{user}:{password}".encode())
    body = json.dumps(EXPLANATION).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b'Basic realm="MLflow"'),
    ]

    def is_known(scope):
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, credentials = (given[0] if len(given) == 1 else b"").partition(b" ")
        return hmac.compare_digest(credentials.strip(), expected) and scheme.lower() == b"basic"

    async def guard(scope, receive, send):
        if scope["type"] == "lifespan" or is_known(scope):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == PROBE and scope["method"] in ("GET", "HEAD"):
            await app(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return guard


def main():
    port, database, artifacts, user, password_file = sys.argv[1:]
    with open(password_file, encoding="ascii") as file:
        password = file.read()
    # Some are read when MLflow is imported.
    os.environ.update(settings(database, artifacts))
    import uvicorn
    from mlflow.server import _UVICORN_LOG_CONFIG
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(database, database, os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"])
    guard = guarded(app, user, password)
    uvicorn.run(guard, host="127.0.0.1", port=int(port), log_config=str(_UVICORN_LOG_CONFIG))


if __name__ == "__main__":
    main()
