"""Builds a folder once, however many processes ask for it at the same time.

usage: build_once.py DIRECTORY PROBE_JSON COMMANDS_JSON

Holds DIRECTORY.lock while it works. A folder with a marker is whole and is left alone; one without is the remains of
a build that was cut off and is removed. COMMANDS_JSON is a list of argument lists, run one after the other; their
output is passed on. The marker DIRECTORY/complete.json is the output of PROBE_JSON's command, written last.

exit codes: 0 the folder is whole, 1 a command failed (its output says why)
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys


def say(line):
    print(line, flush=True)


def end_on_signal(number, _frame):
    sys.exit(128 + number)


def run(command):
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            for line in child.stdout:
                say(line.decode("utf-8", "replace").rstrip())
        except BaseException:  # the caller is gone or wants an end: nothing may go on behind it
            child.terminate()
            raise
    return child.returncode


def main():
    directory, probe, commands = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    marker = os.path.join(directory, "complete.json")
    signal.signal(signal.SIGTERM, end_on_signal)

    os.makedirs(os.path.dirname(directory), exist_ok=True)
    lock = os.open(directory + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another process that builds the same environment")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if os.path.exists(marker):
        return 0

    shutil.rmtree(directory, ignore_errors=True)
    for command in commands:
        if run(command) != 0:
            return 1
    answer = subprocess.run(probe, stdout=subprocess.PIPE, check=True).stdout
    scratch = marker + ".new"
    with open(scratch, "wb") as file:
        file.write(answer)
    os.replace(scratch, marker)
    return 0


sys.exit(main())
