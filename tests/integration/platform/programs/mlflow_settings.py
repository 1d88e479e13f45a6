"""Prints the variables by which `mlflow server` and our own program start the application, as two JSON objects.

usage: mlflow_settings.py PROGRAM DATABASE ARTIFACTS
"""

import json
import runpy
import sys

import mlflow.server
from mlflow.cli import cli

PORT = "1"


class Started:
    def wait(self):
        return 0


def main():
    program, database, artifacts = sys.argv[1:]
    seen = {}

    def started(_command, extra_env, **_):
        seen.update(extra_env)
        return Started()

    mlflow.server._exec_cmd = started
    storage = ["--backend-store-uri", database, "--serve-artifacts", "--artifacts-destination", artifacts]
    cli(["server", "--host", "127.0.0.1", "--port", PORT, "--workers", "1", *storage], standalone_mode=False)
    print(json.dumps({"theirs": seen, "ours": runpy.run_path(program)["settings"](database, artifacts)}))


main()
