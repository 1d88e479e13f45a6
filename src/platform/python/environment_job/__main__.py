"""Makes a folder once and to its end, whoever asked for it and whatever became of them.

usage: python environment_job DIRECTORY JOB_JSON

JOB_JSON: {"purpose": str, "commands": [[argument, ...], ...], "warm_up": [[argument, ...], ...],
           "probe": [argument, ...], "limit_seconds": float, "record": path}

`record` is this process's own, which the launcher has written.

Runs the commands one after the other, at a low priority, and passes their output on. A folder with the marker
complete.json is whole and is left alone; one without is the remains of a job that was cut off and is made anew, from
what the installer's cache holds. The marker is the output of the probe's command, written last; the commands of
`warm_up` follow it, and may fail. How far it is stands in DIRECTORY.progress.json.

A command whose output names the network as the reason is tried again, each time later.

exit codes: 0 the folder is whole, 1 it is not (the progress says why)
"""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time

from progress import Progress

# More would starve it where all cores are busy: a tenth of a core for what a caller waits for.
NICENESS = 5
NETWORK_TRIES = 5
WARM_UP_SECONDS = 600
NETWORK = re.compile(
    r"error sending request|failed to (connect|lookup|resolve)|connection (refused|reset|aborted|closed|error)"
    r"|timed? ?out|temporary failure in name resolution|network is unreachable|newconnectionerror|incompletebody"
    r"|incomplete message|unexpected eof|\b(500|502|503|504)\b",
    re.IGNORECASE,
)


class LimitReached(Exception):
    pass


def end_on_signal(number, _frame):
    sys.exit(128 + number)


def lines_of(child, progress):
    """The output, line by line; None each time that nothing came for a while. Raises LimitReached."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if progress.seconds() > progress.limit:
                raise LimitReached
            if not selector.select(timeout=0.25):
                yield None
                continue
            piece = os.read(child.stdout.fileno(), 65536)
            if piece == b"":
                break
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace").rstrip()
    if rest:
        yield rest.decode("utf-8", "replace").rstrip()


def run(command, progress):
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            for line in lines_of(child, progress):
                if line is not None:
                    print(line, flush=True)
                    progress.take(line)
                progress.tell()
        except BaseException:  # at its limit, or told to end: nothing may go on behind it
            end_group()
            raise
    return child.returncode


def end_group():
    """All that the installers have started is in the group that this job leads."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)


def run_through_outages(command, progress):
    for attempt in range(1, NETWORK_TRIES + 1):
        before = len(progress.lines)
        if run(command, progress) == 0:
            return True
        said = "\n".join(progress.lines[before:] if len(progress.lines) < 200 else progress.lines)
        if attempt == NETWORK_TRIES or not NETWORK.search(said):
            return False
        pause = 2**attempt / 2
        progress.waiting = f"the package index does not answer, try {attempt + 1} of {NETWORK_TRIES} follows"
        progress.tell(always=True)
        if progress.seconds() + pause > progress.limit:
            raise LimitReached
        time.sleep(pause)
        progress.waiting = None
    return False


def make(directory, job, progress):
    marker = os.path.join(directory, "complete.json")
    if os.path.exists(marker):
        return True
    shutil.rmtree(directory, ignore_errors=True)
    for command in job["commands"]:
        if not run_through_outages([*low_priority(), *command], progress):
            return False
    answer = subprocess.run(job["probe"], stdout=subprocess.PIPE, check=True).stdout
    scratch = marker + ".new"
    with open(scratch, "wb") as file:
        file.write(answer)
    os.replace(scratch, marker)
    return True


def warm_up(job):
    """Nobody waits for it: what is not compiled yet when a server is started is compiled then."""
    for command in job["warm_up"]:
        try:
            subprocess.run([*low_priority(), *command], timeout=WARM_UP_SECONDS, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(error, flush=True)


def low_priority():
    return ["ionice", "-c", "2", "-n", "7"] if shutil.which("ionice") else []


def main():
    directory, job = sys.argv[1], json.loads(sys.argv[2])
    signal.signal(signal.SIGTERM, end_on_signal)
    os.nice(NICENESS)
    progress = Progress(directory, job)
    progress.tell(always=True)
    try:
        is_whole = make(directory, job, progress)
    except LimitReached:
        progress.tell("cut", always=True)
        return 1
    except OSError as error:
        progress.take(str(error))
        is_whole = False
    progress.tell("done" if is_whole else "failed", always=True)
    if is_whole:
        warm_up(job)
    return 0 if is_whole else 1


sys.exit(main())
