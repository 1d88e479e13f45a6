"""Holds an exclusive lock for its caller until standard input ends, as it does when the caller dies.

usage: file_lock.py PATH

Prints `locked` once it holds the lock.
"""

import fcntl
import os
import sys

lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.buffer.read()
