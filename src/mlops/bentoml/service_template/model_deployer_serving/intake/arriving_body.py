"""Bodies as they arrive, within bounds of size and time."""

import asyncio

from .. import serving_limits as limits
from ..prediction_pool import Busy


class TooLarge(Exception):
    pass


class TooLate(Exception):
    pass


class Disconnected(Exception):
    pass


class ArrivingBodies:
    """All bodies that this process holds, together within a bound."""

    def __init__(self):
        self._held_bytes = 0

    async def read(self, receive, chunks):
        """Appends what arrives to `chunks`, for `let_go`. Raises TooLarge, TooLate, Busy or Disconnected."""
        await _within(limits.BODY_SECONDS, self._read(receive, chunks))

    async def _read(self, receive, chunks):
        # What is refused is read on and thrown away, within bounds: a connection that is closed over unread bytes is
        # reset, and its caller never reads why.
        size, refusal, is_whole = 0, None, False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk, is_whole = message.get("body", b""), not message.get("more_body")
            size += len(chunk)
            if refusal is not None and size > limits.MAX_BODY_BYTES + limits.MAX_THROWN_AWAY_BYTES:
                break
            if refusal is None:
                self._held_bytes += len(chunk)
                chunks.append(chunk)
                refusal = self._refusal_of(size)
            if refusal is not None:
                self.let_go(chunks)
        if refusal is not None:
            raise refusal

    def _refusal_of(self, size):
        if size > limits.MAX_BODY_BYTES:
            return TooLarge()
        return Busy() if self._held_bytes > limits.MAX_HELD_BYTES else None

    def let_go(self, chunks):
        self._held_bytes -= sum(map(len, chunks))
        chunks.clear()


async def _within(seconds, coroutine):
    """Raises TooLate when it takes longer. Unlike asyncio.wait_for it makes no task, of which each request has one already."""
    task, is_late = asyncio.current_task(), False

    def end():
        nonlocal is_late
        is_late = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        return await coroutine
    except asyncio.CancelledError:
        if is_late:
            raise TooLate from None
        raise
    finally:
        timer.cancel()
