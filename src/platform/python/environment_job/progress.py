"""How far a job is, as `progressSchema` of work_progress.ts has it."""

import glob
import json
import os
import re
import time

TOLD_EVERY_SECONDS = 0.5
LAST_LINES = 12
PACKAGES = re.compile(r"^Resolved (\d+) packages?\b")
DOWNLOADING = re.compile(r"^Downloading (\S+) \(([\d.]+)([KMG])iB\)")
DOWNLOADED = re.compile(r"^ *Downloaded (\S+)")
BUILDING = re.compile(r"^ *Building (\S+)")
BUILT = re.compile(r"^ *Built (\S+)")
PREPARED = re.compile(r"^Prepared \d+ packages?\b")
MEBIBYTES = {"K": 1 / 1024, "M": 1, "G": 1024}


class Progress:
    """Read from an installer's output, line by line; told in DIRECTORY.progress.json, which is replaced as a whole."""

    def __init__(self, directory, job):
        self.directory = directory
        self.path = directory + ".progress.json"
        self.purpose = job["purpose"]
        self.limit = job["limit_seconds"]
        self.begin = time.monotonic()
        self.start_time = recorded_start_time(job["record"])
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


def recorded_start_time(record):
    with open(record, encoding="utf-8") as file:
        return json.load(file)["start_time"]
