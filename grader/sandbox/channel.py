"""The grader's end of the two pipes to a worker, with a limit on how long it listens."""

from __future__ import annotations

import contextlib
import os
import select
import time

from grader.sandbox.wire import LENGTH, ProtocolError, in_pieces


class Overrun(Exception):
    """The worker has used up its time."""


class Gone(Exception):
    """The worker has closed its end: it has ended, or is about to."""


class Patience:
    """Wall and CPU time that one answer may take.

    Processor time is what counts: on a busy machine an honest solution waits long for its turn.
    The wall limit is for code that sleeps.

    Parameters
    ----------
    pid : int
        Of the worker.
    cpu, wall : float
        Seconds.
    within : Patience, optional
        With a larger whole, whose end is an end for this too.
    """

    def __init__(self, pid: int, cpu: float, wall: float, within: Patience | None = None):
        self._clock = _cpu_clock(pid)
        self._cpu_end = self._cpu() + cpu
        self._wall_end = time.monotonic() + wall
        if within is not None:
            self._cpu_end = min(self._cpu_end, within._cpu_end)
            self._wall_end = min(self._wall_end, within._wall_end)

    def left(self) -> float:
        """Seconds until it is worth looking again; raises `Overrun` when there are none."""
        wall = self._wall_end - time.monotonic()
        cpu = self._cpu_end - self._cpu()
        if wall <= 0 or cpu <= 0:
            raise Overrun
        return min(wall, max(cpu, 0.005))

    def _cpu(self) -> float:
        try:
            return time.clock_gettime(self._clock) if self._clock is not None else 0.0
        except OSError:  # it has just ended; the pipe will tell
            return 0.0


def _cpu_clock(pid: int) -> int | None:
    """The clock that counts another process's processor time; None where there is no such."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) computes
    try:
        time.clock_gettime(clock)
    except (OSError, AttributeError, OverflowError):
        return None
    return clock


class Channel:
    """Sends requests to one worker and reads its answers, whole and within limits.

    Parameters
    ----------
    requests, answers : int
        Descriptors: the writing end of one pipe, the reading end of the other. Owned from here on.
    most : int
        Bytes an answer may have.
    """

    def __init__(self, requests: int, answers: int, most: int):
        self._requests = requests
        self._answers = answers
        self._most = most
        self._heard = bytearray()  # read, and not yet asked for
        for fd in (requests, answers):
            os.set_blocking(fd, False)

    def send(self, message: bytes, patience: Patience) -> None:
        """Send one message; whatever the worker has said unasked is a `ProtocolError`."""
        if self._heard or self._ready(self._answers, select.POLLIN, 0):
            if not self._heard and not os.read(self._answers, 1):
                raise Gone
            raise ProtocolError("the worker spoke before it was asked")
        for part in in_pieces(message):
            self._write(part, patience)

    def _write(self, part: bytes, patience: Patience) -> None:
        rest = memoryview(part)
        while rest:
            if self._ready(self._requests, select.POLLOUT, patience.left()):
                try:
                    rest = rest[os.write(self._requests, rest[: 2**20]) :]
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    raise Gone from None

    def receive(self, patience: Patience) -> bytearray:
        """Wait for one message."""
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size, patience))
        if length > self._most:
            raise ProtocolError(f"a message of {length:,} bytes; {self._most:,} are allowed")
        return self._exactly(length, patience)

    def close(self) -> None:
        for fd in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._requests = self._answers = -1

    def _exactly(self, count: int, patience: Patience) -> bytearray:
        while len(self._heard) < count:
            if not self._ready(self._answers, select.POLLIN, patience.left()):
                continue
            try:
                # often a whole message at once
                most = min(max(count - len(self._heard), 2**16), 2**20)
                piece = os.read(self._answers, most)
            except BlockingIOError:
                continue
            if not piece:
                raise Gone
            self._heard += piece
        got = self._heard[:count]
        del self._heard[:count]
        return got

    @staticmethod
    def _ready(fd: int, event: int, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(fd, event)
        return bool(waiting.poll(seconds * 1000))
