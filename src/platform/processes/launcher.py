"""Becomes one named server process, or says that it already runs.

usage: launcher.py RUN_DIRECTORY NAME INSTANCE BOOT WORKING_DIRECTORY USER COMMAND [ARGUMENT...]

The lock on NAME.lock belongs to the server for as long as it lives: the descriptor stays open through exec, so the
kernel releases it at the end of the process, whatever ends it. INSTANCE and BOOT go into the record as they are. The record NAME.pid is whole before exec, so a server
whose starter was killed is found again. An empty USER keeps the caller's. Standard error is the starter's pipe until
exec closes it: silence there means that the command runs.

exit codes: 75 the name is taken, 73 a file cannot be written for want of room, 126 the command cannot be executed, 1 anything
else; the reason is on standard error, in one line
"""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

NO_ROOM = 73
TAKEN = 75
NOT_EXECUTABLE = 126
FULL = (errno.ENOSPC, errno.EDQUOT)


def fail(code, message):
    try:
        os.write(2, (message + "\n").encode("utf-8", "replace"))
    except BrokenPipeError:
        pass  # the starter is gone; the exit code still tells
    os._exit(code)


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


def write_record(path, instance, boot):
    record = {"pid": os.getpid(), "start_time": start_time_of_self(), "instance": instance, "boot": boot}
    scratch = f"{path}.{os.getpid()}"
    with open(scratch, "w", encoding="utf-8") as file:
        json.dump(record, file)
    os.replace(scratch, path)


def keep_former(log, files):
    for number in range(files - 1, 0, -1):
        if os.path.exists(f"{log}.{number}"):
            os.replace(f"{log}.{number}", f"{log}.{number + 1}")
    if os.path.exists(log):
        os.replace(log, f"{log}.1") if files > 0 else os.remove(log)


def become_user(name):
    import pwd

    entry = pwd.getpwnam(name)
    os.initgroups(name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def enter_control_group():
    """Before anything else is allocated or started, so that all of it counts."""
    processes = os.environ.pop("MODEL_DEPLOYER_GROUP_PROCESSES", "")
    if processes:
        with open(processes, "a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


def main():
    run_directory, name, instance, boot, working_directory, user = sys.argv[1:7]
    command = sys.argv[7:]
    base = os.path.join(run_directory, name)

    lock = os.open(base + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(TAKEN, f"{name} is already running")
    os.set_inheritable(lock, True)

    if os.getsid(0) != os.getpid():
        os.setsid()
    os.chdir(working_directory)
    keep_former(base + ".log", int(os.environ.get("MODEL_DEPLOYER_LOG_FILES", "3")))
    log = os.open(base + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    enter_control_group()
    write_record(base + ".pid", instance, boot)
    if user:
        become_user(user)

    starter = os.dup(2)  # closed by exec
    os.dup2(log, 1)
    os.dup2(log, 2)
    # Python ignores these, and exec would hand that on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.dup2(starter, 2)
        fail(NOT_EXECUTABLE, f"cannot execute {command[0]}: {error.strerror}")


try:
    main()
except (OSError, LookupError) as problem:
    where = getattr(problem, "filename", None) or sys.argv[1]
    if getattr(problem, "errno", None) in FULL:
        fail(NO_ROOM, os.fsdecode(where))
    fail(1, f"{os.fsdecode(where)}: {getattr(problem, 'strerror', None) or problem}")
