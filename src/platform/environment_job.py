"""Makes a folder once and to its end, whoever asked for it and whatever became of them.

usage: environment_job.py DIRECTORY JOB_JSON

JOB_JSON: {"purpose": str, "commands": [[argument, ...], ...], "warm_up": [[argument, ...], ...],
           "probe": [argument, ...], "limit_seconds": float}

Runs the commands one after the other, at a low priority, and passes their output on. A folder with the marker
complete.json is whole and is left alone; one without is the remains of a job that was cut off and is made anew, from
what the installer's cache holds. A command of `warm_up` may fail. The marker is the output of the probe's command,
written last. How far it is stands
in DIRECTORY.progress.json, replaced as a whole each time; its shape is `progressSchema` in work_progress.ts.

A command whose output names the network as the reason is tried again, each time later.

exit codes: 0 the folder is whole, 1 it is not (the progress says why)
"""

import glob
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time

# More would starve it where all cores are busy: a tenth of a core for what a caller waits for.
NICENESS = 5
NETWORK_TRIES = 5
TOLD_EVERY_SECONDS = 0.5
LAST_LINES = 12
NETWORK = re.compile(
    r"error sending request|failed to (connect|lookup|resolve)|connection (refused|reset|aborted|closed|error)"
    r"|timed? ?out|temporary failure in name resolution|network is unreachable|newconnectionerror|incompletebody"
    r"|incomplete message|unexpected eof|\b(500|502|503|504)\b",
    re.IGNORECASE,
)
PACKAGES = re.compile(r"^Resolved (\d+) packages?\b")
DOWNLOADING = re.compile(r"^Downloading (\S+) \(([\d.]+)([KMG])iB\)")
DOWNLOADED = re.compile(r"^ *Downloaded (\S+)")
BUILDING = re.compile(r"^ *Building (\S+)")
BUILT = re.compile(r"^ *Built (\S+)")
PREPARED = re.compile(r"^Prepared \d+ packages?\b")
MEBIBYTES = {"K": 1 / 1024, "M": 1, "G": 1024}


class LimitReached(Exception):
    pass


def start_time_of_self():
    try:
        with open("/proc/self/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode("ascii")
    except FileNotFoundError:
        answer = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(os.getpid())],
            env={**os.environ, "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            check=True,
        )
        return " ".join(answer.stdout.decode("ascii").split())


class Progress:
    def __init__(self, directory, job):
        self.directory = directory
        self.path = directory + ".progress.json"
        self.purpose = job["purpose"]
        self.limit = job["limit_seconds"]
        self.begin = time.monotonic()
        self.start_time = start_time_of_self()
        self.lines = []
        self.packages = None
        self.sizes = {}
        self.fetched = set()
        self.building = []
        self.prepared = False
        self.waiting = None
        self.told_at = 0.0

    def seconds(self):
        return time.monotonic() - self.begin

    def take(self, line):
        self.lines = [*self.lines, line][-200:]
        if match := PACKAGES.match(line):
            self.packages = int(match[1])
        elif match := DOWNLOADING.match(line):
            self.sizes[match[1]] = float(match[2]) * MEBIBYTES[match[3]]
        elif match := DOWNLOADED.match(line):
            self.fetched.add(match[1])
        elif match := BUILDING.match(line):
            self.building.append(match[1])
        elif match := BUILT.match(line):
            self.building = [name for name in self.building if name != match[1]]
        elif PREPARED.match(line):
            self.prepared = True

    def doing(self):
        if self.waiting is not None:
            return self.waiting
        if self.packages is None:
            return "resolving packages"
        installed = len(glob.glob(os.path.join(self.directory, "lib", "python*", "site-packages", "*.dist-info")))
        if self.prepared or installed > 2:
            return f"installing {min(installed, self.packages)} of {self.packages} packages"
        if self.building and len(self.fetched) == len(self.sizes):
            return f"building {', '.join(self.building[:3])}, of {self.packages} packages"
        done = sum(size for name, size in self.sizes.items() if name in self.fetched)
        whole = sum(self.sizes.values())
        of = f", {done:.0f} of {whole:.0f} MiB" if whole >= 1 else ""
        return f"fetching {self.packages} packages{of}"

    def tell(self, state="running", always=False):
        now = time.monotonic()
        if not always and now - self.told_at < TOLD_EVERY_SECONDS:
            return
        self.told_at = now
        said = {
            "state": state,
            "what": self.purpose,
            "doing": self.doing() if state == "running" else state,
            "seconds": round(self.seconds(), 1),
            "limit_seconds": self.limit,
            "pid": os.getpid(),
            "start_time": self.start_time,
            "last_lines": [line for line in self.lines if line.strip() != ""][-LAST_LINES:],
        }
        scratch = f"{self.path}.{os.getpid()}"
        with open(scratch, "w", encoding="utf-8") as file:
            json.dump(said, file)
        os.replace(scratch, self.path)


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
    low = ["ionice", "-c", "2", "-n", "7"] if shutil.which("ionice") else []
    for command in job["commands"]:
        if not run_through_outages([*low, *command], progress):
            return False
    progress.waiting = "compiling what is imported at a start"
    for command in job["warm_up"]:
        run([*low, *command], progress)
    answer = subprocess.run(job["probe"], stdout=subprocess.PIPE, check=True).stdout
    scratch = marker + ".new"
    with open(scratch, "wb") as file:
        file.write(answer)
    os.replace(scratch, marker)
    return True


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
    return 0 if is_whole else 1


sys.exit(main())
