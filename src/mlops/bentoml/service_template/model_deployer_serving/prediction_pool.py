"""The threads that predict: what they have under way, what waits for them, and for how long a caller waits.

All of it is told by the event loop, which never predicts, so that it answers while every thread is taken.
"""

import asyncio
import threading
import time
from collections import deque

# A prediction that is over by then costs no watch for a caller that hangs up.
UNWATCHED_SECONDS = 0.05
# Of rows that are predicted together.
MOST_TOGETHER = 64
# While one thread predicts rows together, those that come wait for its next call: this long, then another one helps.
ALONE_SECONDS = 0.1


class Busy(Exception):
    """Every thread predicts, and as many requests wait as may, or this one has waited for as long as may be."""


class TooLong(Exception):
    """The prediction was begun, and did not end in time; its thread stays taken until it does."""


class HungUp(Exception):
    """The caller is gone. What had not been begun never will be."""


class _Job:
    __slots__ = ("work", "together", "loop", "future", "began", "number")

    def __init__(self, work, together, loop):
        self.work = work
        self.together = together
        self.loop = loop
        self.future = loop.create_future()
        self.began = None


class _Run:
    """What one thread has under way: one job, or several of the same `together`."""

    __slots__ = ("jobs", "began")

    def __init__(self, jobs):
        self.jobs = jobs
        self.began = time.monotonic()
        for job in jobs:
            job.began = self.began

    def outcomes(self):
        """[(settle, value)] of its jobs. Whatever a model raises, SystemExit included, is its requests' alone."""
        try:
            [job, *more] = self.jobs
            values = [job.work()] if job.together is None else job.together([job.work, *(one.work for one in more)])
            return [(_settled, value) for value in values]
        except BaseException as error:
            return [(_failed, error)] * len(self.jobs)


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
        # Jobs that go together, and what the thread that took the last of them has under way.
        self._gathered = deque()
        self._gathering = None
        self._running = set()
        self._arrived = 0
        self._started = 0
        self._idle = 0

    async def run(self, work, hung_up, seconds=None, together=None):
        """What `work()` returns, or raises.

        `work` is called in a thread; `hung_up` makes a coroutine that ends when the caller does. With `together` a
        thread calls `together(works)` instead, with all that wait at that moment, for a list with an outcome for each.
        Raises Busy, TooLong or HungUp; `seconds` stands for the pool's own.
        """
        job = _Job(work, together, asyncio.get_running_loop())
        self._enqueue(job)
        try:
            return await self._outcome(job, hung_up, self.seconds if seconds is None else seconds)
        finally:
            if not job.future.done():
                self._give_up(job)

    def figures(self):
        now = time.monotonic()
        with self._changed:
            ages = [now - run.began for run in self._running]
            waiting = len(self._waiting) + len(self._gathered)
        return {
            "threads": self.threads,
            "under_way": len(ages),
            "waiting": waiting,
            "hung": sum(age > self.seconds for age in ages),
            "oldest_seconds": round(max(ages, default=0.0), 3),
        }

    def _enqueue(self, job):
        with self._changed:
            waiting = len(self._waiting) + len(self._gathered)
            if sum(len(run.jobs) for run in self._running) + waiting >= self.threads + self.queue or self._is_stuck():
                raise Busy
            needs_thread = self._idle <= len(self._waiting)
            self._arrived += 1
            job.number = self._arrived
            (self._waiting if job.together is None else self._gathered).append(job)
            if job.together is not None and not self._is_free_to_gather():
                return
            if needs_thread and self._started < self.threads:
                self._started += 1
                threading.Thread(target=self._predict, name=f"predict-{self._started}", daemon=True).start()
            self._changed.notify()

    def _is_free_to_gather(self):
        return self._gathering is None or time.monotonic() - self._gathering.began > ALONE_SECONDS

    def _is_stuck(self):
        now = time.monotonic()
        return len(self._running) == self.threads and all(now - run.began > self.seconds for run in self._running)

    def _give_up(self, job):
        with self._changed:
            for waiting in (self._waiting, self._gathered):
                if job in waiting:
                    waiting.remove(job)
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
            run = self._next()
            outcomes = run.outcomes()
            with self._changed:
                self._running.discard(run)
                if self._gathering is run:
                    self._gathering = None
            if not _hand_back(run.jobs, outcomes):
                return
            del run, outcomes

    def _next(self):
        with self._changed:
            self._idle += 1
            while (queue := self._first()) is None:
                self._changed.wait()
            self._idle -= 1
            count = 1 if queue is self._waiting else min(MOST_TOGETHER, len(queue))
            run = _Run([queue.popleft() for _ in range(count)])
            if queue is self._gathered:
                self._gathering = run
            self._running.add(run)
            return run

    def _first(self):
        """The queue whose first job came before that of the other one; None where no thread is needed."""
        queues = [self._waiting] if self._waiting else []
        if self._gathered and self._is_free_to_gather():
            queues.append(self._gathered)
        return min(queues, key=lambda queue: queue[0].number, default=None)


def _hand_back(jobs, outcomes):
    """Whether the event loop still takes them; one that has ended means that the process is about to."""
    try:
        settled = [(settle, job.future, value) for job, (settle, value) in zip(jobs, outcomes)]
        jobs[0].loop.call_soon_threadsafe(_settle_all, settled)
        return True
    except RuntimeError:
        return False


def _settle_all(settled):
    for settle, future, value in settled:
        settle(future, value)


def _settled(future, outcome):
    if not future.done():
        future.set_result(outcome)


def _failed(future, error):
    if not future.done():
        future.set_exception(error)
