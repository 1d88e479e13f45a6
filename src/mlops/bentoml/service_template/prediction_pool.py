"""The threads that predict: what they have under way, what waits for them, and for how long a caller waits.

All of it is told by the event loop, which never predicts, so that it answers while every thread is taken.
"""

import asyncio
import threading
import time
from collections import deque

# A prediction that is over by then costs no watch for a caller that hangs up.
UNWATCHED_SECONDS = 0.05


class Busy(Exception):
    """Every thread predicts, and as many requests wait as may, or this one has waited for as long as may be."""


class TooLong(Exception):
    """The prediction was begun, and did not end in time; its thread stays taken until it does."""


class HungUp(Exception):
    """The caller is gone. What had not been begun never will be."""


class _Job:
    __slots__ = ("work", "loop", "future", "began")

    def __init__(self, work, loop):
        self.work = work
        self.loop = loop
        self.future = loop.create_future()
        self.began = None


class PredictionPool:
    """`threads` predict at once, `queue` requests wait behind them; no caller waits longer than `seconds`.

    The threads are daemons: one whose prediction never returns must not keep the process from ending.
    """

    def __init__(self, threads, queue, seconds):
        self.threads = threads
        self.queue = queue
        self.seconds = seconds
        self._changed = threading.Condition()
        self._waiting = deque()
        self._running = set()
        self._started = 0
        self._idle = 0

    async def run(self, work, hung_up, seconds=None):
        """What `work()` returns, or raises.

        `work` is called in a thread; `hung_up` makes a coroutine that ends when the caller does.
        Raises Busy, TooLong or HungUp; `seconds` stands for the pool's own.
        """
        job = _Job(work, asyncio.get_running_loop())
        self._enqueue(job)
        try:
            return await self._outcome(job, hung_up, self.seconds if seconds is None else seconds)
        finally:
            self._give_up(job)

    def figures(self):
        now = time.monotonic()
        with self._changed:
            ages = [now - job.began for job in self._running]
            waiting = len(self._waiting)
        return {
            "threads": self.threads,
            "under_way": len(ages),
            "waiting": waiting,
            "hung": sum(age > self.seconds for age in ages),
            "oldest_seconds": round(max(ages, default=0.0), 3),
        }

    def _enqueue(self, job):
        with self._changed:
            if len(self._running) + len(self._waiting) >= self.threads + self.queue or self._is_stuck():
                raise Busy
            if self._idle <= len(self._waiting) and self._started < self.threads:
                self._started += 1
                threading.Thread(target=self._predict, name=f"predict-{self._started}", daemon=True).start()
            self._waiting.append(job)
            self._changed.notify()

    def _is_stuck(self):
        now = time.monotonic()
        return len(self._running) == self.threads and all(now - job.began > self.seconds for job in self._running)

    def _give_up(self, job):
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
        job.future.cancel()

    async def _outcome(self, job, hung_up, seconds):
        deadline = time.monotonic() + seconds
        await asyncio.wait({job.future}, timeout=min(UNWATCHED_SECONDS, seconds))
        if not job.future.done():
            gone = asyncio.ensure_future(hung_up())
            try:
                left = max(0.0, deadline - time.monotonic())
                await asyncio.wait({job.future, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                is_gone = gone.done()
            finally:
                gone.cancel()
            if not job.future.done():
                if is_gone:
                    raise HungUp
                raise Busy if job.began is None else TooLong
        return job.future.result()

    def _predict(self):
        while True:
            job = self._next()
            try:
                settle, outcome = _settled, job.work()
            except BaseException as error:  # whatever a model raises, SystemExit included, is its request's alone
                settle, outcome = _failed, error
            with self._changed:
                self._running.discard(job)
            try:
                job.loop.call_soon_threadsafe(settle, job.future, outcome)
            except RuntimeError:
                return  # the loop has ended, and the process is about to
            del job, outcome

    def _next(self):
        with self._changed:
            self._idle += 1
            while not self._waiting:
                self._changed.wait()
            self._idle -= 1
            job = self._waiting.popleft()
            job.began = time.monotonic()
            self._running.add(job)
            return job


def _settled(future, outcome):
    if not future.done():
        future.set_result(outcome)


def _failed(future, error):
    if not future.done():
        future.set_exception(error)
