"""The same work for many submissions, in several processes at once.

Processes are forked after everything that a class shares has been computed, so none computes it
again. Each has a sandbox of its own. Where Python does not fork safely, threads do the work.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from grader.bulk import GradeError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # tasks handed out before they are needed, per process
_work: Callable | None = None  # what a forked process does; it cannot be sent, only inherited


def results(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with `work(item)`, as soon as it is known, in any order.

    Raises
    ------
    GradeError
        If a process is ended from outside.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        for item in items:
            yield item, work(item)
        return
    executor = _executor(work, jobs)
    try:
        yield from _as_completed(executor, work, items, jobs)
    except BrokenProcessPool:
        raise GradeError(
            "A grading process was ended from outside, perhaps for want of memory. What was "
            f"graded is kept: start again, with --jobs {max(1, jobs // 2)}."
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _executor(work: Callable, jobs: int) -> Executor:
    global _work
    if sys.platform != "linux":
        return ThreadPoolExecutor(jobs, "grading")
    _work = work
    gc.collect()
    gc.freeze()  # a collection in a child would copy the pages of what it looks at
    try:
        context = get_context("fork")
        executor = ProcessPoolExecutor(jobs, context, _begin, (os.getpid(),))
        executor.submit(os.getpid)  # all processes start now, before any thread does
    finally:
        gc.unfreeze()
        _work = None
    return executor


def _begin(parent: int) -> None:
    """In a new process: leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from grader.sandbox.confine import end_with_parent

    end_with_parent(parent)


def _inherited(item: object) -> object:
    assert _work is not None
    return _work(item)


def _as_completed(
    executor: Executor, work: Callable, items: Sequence[Item], jobs: int
) -> Iterator[tuple[Item, Result]]:
    task = _inherited if isinstance(executor, ProcessPoolExecutor) else work
    rest = iter(items)
    running: dict[Future, Item] = {}
    while True:
        for item in rest:
            running[executor.submit(task, item)] = item
            if len(running) >= _AHEAD * jobs:
                break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()
