"""Runs a command on a terminal of its own, below a shell that waits for the next one, and hands on all that it prints.

usage: terminal_session.py COMMAND [ARGUMENT ...]
Says the shell's process id first, and later "COMMAND <id>". The terminal is closed when this program ends.
"""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios


def sit():
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reset = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = subprocess.Popen(sys.argv[1:], preexec_fn=reset)
    print(f"COMMAND {command.pid}", flush=True)
    code = command.wait()
    print(f"ENDED {code}", flush=True)
    signal.pause()


def main():
    child, terminal = pty.fork()
    if child == 0:
        sit()
    os.write(1, f"SHELL {child}\n".encode())
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        os.write(1, chunk)
    os.waitpid(child, 0)


main()
