"""A time limit for code that runs in this very process."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

# Code around the guarded block: an alarm that lands here came too late and must not break it.
_GUARDS = {__file__, contextlib.__file__, __file__.replace("limits.py", "attempt.py")}


_WAITING = 3.0  # wall time allowed, in units of the computing time allowed
# the guarded code may rebind those of `time`
_computing, _now = time.thread_time, time.perf_counter


class TimeUp(BaseException):
    """The time limit has passed. Not an `Exception`, so that `except Exception` lets it through."""


class Clock:
    """Measures the guarded block; `elapsed` is in seconds."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.elapsed = 0.0


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[Clock]:
    """Raise `TimeUp` in the block once it has computed for `seconds`.

    Computing time is what counts: on a busy machine right code waits long for its turn. A block
    that only waits is stopped after three times as long.

    A bare `except` may swallow the first alarm. So each alarm sets the next one a few
    microseconds ahead: it arrives while the handler of the first still runs, outside of its
    `try`, and gets out. A loop inside compiled code ends only when that code returns. Outside
    of the main thread, and on Windows, a loop that swallows everything may go on.

    Parameters
    ----------
    seconds : float
        Computing time allowed; wall time where there is no alarm (Windows, other threads).
    """
    clock = Clock()
    on_main = threading.current_thread() is threading.main_thread()
    arm = _alarm if hasattr(signal, "setitimer") and on_main else _asynchronous
    try:
        with arm(seconds):
            yield clock
    finally:
        clock.elapsed = time.perf_counter() - clock.start


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    done = False
    tries = 0
    end, last = _computing() + seconds, _now() + _WAITING * seconds

    def ring(_signal: int, frame: FrameType | None) -> None:
        nonlocal tries
        if done:
            return
        left = min(end - _computing(), last - _now())
        if tries == 0 and left > 1e-4:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        tries += 1
        # 1 to 50 microseconds, in turn: some of them hit between two tries of the swallowing loop
        signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + 7 * tries % 50))
        if frame is not None and frame.f_code.co_filename not in _GUARDS:
            raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        done = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _asynchronous(seconds: float) -> Iterator[None]:
    """Where there is no alarm (Windows, other threads): a watchdog that raises in this thread."""
    me = ctypes.c_ulong(threading.get_ident())
    over = threading.Event()

    def watch() -> None:
        wait = seconds
        while not over.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(me, ctypes.py_object(TimeUp))
            wait = 0.01

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(me, None)
