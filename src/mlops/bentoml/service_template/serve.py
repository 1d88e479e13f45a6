"""Serves the bento in whose folder it lies: the same application that `bentoml serve` serves.

usage: serve.py HOST PORT GRACEFUL_SECONDS

This process imports nothing but Python's own modules. It holds the port and starts the one that loads the model and
answers; when that ends although nobody asked for it, it is started again, later each time. A model that could not be
loaded the first time is not tried again: this process ends with the same exit code.
"""

import gc
import os
import signal
import socket
import sys
import time

BACKLOG = 2048
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# One that lived as long was well, and what ended it is something new.
WELL_AFTER_SECONDS = 60.0
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def taken_port(host, port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class Supervisor:
    """`serve(listener, tell_ready)` runs in a process of its own until it ends; it calls `tell_ready` when it answers."""

    def __init__(self, listener, serve):
        self._listener = listener
        self._serve = serve
        self._child = None
        self._is_ending = False

    def run(self):
        """The exit code of the last of them."""
        for number in ENDING:
            signal.signal(number, self._end)
        pause, has_answered = FIRST_PAUSE_SECONDS, False
        while True:
            began = time.monotonic()
            answered, code = self._run_once()
            has_answered = has_answered or answered
            if self._is_ending or not has_answered:
                return code
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > WELL_AFTER_SECONDS else pause
            print(f"serve.py: the server has ended with {code}; it is started again in {pause:g} s", file=sys.stderr)
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            if self._is_ending:
                return 0

    def _run_once(self):
        """(whether it has answered, its exit code)"""
        reading, writing = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        self._child = os.fork()
        if self._child == 0:
            self._become_server(writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        os.close(writing)
        answered = os.read(reading, 1) != b""
        os.close(reading)
        _, status = os.waitpid(self._child, 0)
        self._child = None
        return answered, os.waitstatus_to_exitcode(status)

    def _become_server(self, writing):
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        close_all_but({self._listener.fileno(), writing})

        def tell_ready():
            os.write(writing, b"1")

        self._serve(self._listener, tell_ready)
        sys.exit(0)

    def _end(self, _number, _frame):
        self._is_ending = True
        if self._child is not None:
            os.kill(self._child, signal.SIGTERM)

    def _sleep(self, seconds):
        until = time.monotonic() + seconds
        while not self._is_ending and time.monotonic() < until:
            time.sleep(0.05)


def close_all_but(kept):
    """What the starter left open, its lock above all, belongs to the supervisor alone and ends with it."""
    first = 3
    for number in sorted(kept):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, 1024)


def main():
    host, port, graceful_seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

    def serve(listener, tell_ready):
        # To look through what imports make, and keep, is a tenth of a start.
        gc.disable()
        from model_deployer_serving.serving_process import answer_requests

        answer_requests(listener, BACKLOG, graceful_seconds, tell_ready)

    code = Supervisor(taken_port(host, port), serve).run()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
