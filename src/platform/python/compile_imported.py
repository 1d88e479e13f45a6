"""Compiles the modules that a command imports, without running any of them itself.

usage: compile_imported.py ENVIRONMENT COMMAND [ARGUMENT...]

COMMAND imports them, in a containment, and prints the paths of their sources as a JSON list in its last line. What lies
below ENVIRONMENT of these is compiled beside its source, for a contained server can write nothing there. Run with -I -S:
with the environment's own `site` the code of its packages would run here.

exit code: 0, whatever the command does: what is not compiled is compiled at each start
"""

import json
import os
import py_compile
import subprocess
import sys

LONGEST_SECONDS = 600


def imported(command):
    answer = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=LONGEST_SECONDS)
    lines = answer.stdout.decode("utf-8", "replace").strip().split("\n")
    return [path for path in json.loads(lines[-1]) if isinstance(path, str)]


def main():
    environment = os.path.join(os.path.realpath(sys.argv[1]), "")
    try:
        sources = imported(sys.argv[2:])
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError) as error:
        print(f"nothing is compiled beforehand: {error}", flush=True)
        return
    for source in sources:
        if source.endswith(".py") and os.path.realpath(source).startswith(environment):
            try:
                py_compile.compile(os.path.realpath(source), doraise=True)
            except (py_compile.PyCompileError, OSError, ValueError, RecursionError) as error:
                print(error, flush=True)


main()
