"""Holds an exclusive lock for its caller until standard input ends, as it does when the caller dies.

usage: file_lock.py PATH

Prints `locked` once it holds the lock.

exit codes: 73 the disk has no room for the file, 1 anything else; the reason is on standard error, in one line
"""

import errno
import fcntl
import os
import sys

try:
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
except OSError as problem:
    print(problem.strerror, file=sys.stderr)
    sys.exit(73 if problem.errno in (errno.ENOSPC, errno.EDQUOT) else 1)
print("locked", flush=True)
sys.stdin.buffer.read()
