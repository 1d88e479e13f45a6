"""Runs a command on a terminal of its own, and types when it has said what is waited for.

usage: on_terminal.py COLUMNS TYPED COMMAND [ARGUMENT ...]
TYPED is JSON: pairs of a text that is waited for and the keys that are typed then, in this order.
Prints one JSON document: everything that the command wrote, control characters and all, and its exit code.
"""

import fcntl
import json
import os
import pty
import struct
import sys
import termios


def main():
    columns, typed, command = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execvp(command[0], command)
    written, searched = b"", 0
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
        while typed and typed[0][0].encode() in written[searched:]:
            searched = len(written)
            os.write(terminal, typed.pop(0)[1].encode())
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    print(json.dumps({"written": written.decode(), "code": code, "untyped": typed}))


main()
