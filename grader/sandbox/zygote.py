"""The parent of all workers: imports what they need, knows no answer, and forks on request.

It is a fresh interpreter, started by `client` and told what to do over a Unix socket, one line
of JSON at a time: `fork` (with the two ends of a worker's pipes) and `end`. It never holds a
learner's code, so nothing of one worker can be found in the next.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from grader.sandbox import standins, worker
from grader.sandbox.confine import make_plan
from grader.sandbox.probe import probe

# What homework imports. A module loaded here costs a worker nothing.
_PRELOAD = """
abc array bisect cmath collections.abc contextlib copy csv dataclasses datetime decimal enum
fractions functools glob gzip hashlib heapq importlib.util inspect io itertools json logging math
operator os.path pathlib pickle platform pprint random re shutil statistics string struct sys
tempfile textwrap threading time timeit traceback types typing unittest urllib.parse uuid warnings
zipfile encodings.ascii encodings.latin_1 encodings.idna
numpy.fft numpy.lib.stride_tricks numpy.linalg numpy.ma numpy.polynomial numpy.random numpy.testing
numpy.typing
"""


def main(control: int) -> None:
    """Serve the socket `control` until its other end is closed or the parent process is gone."""
    channel = socket.socket(fileno=control)
    parent = os.getppid()
    for name in _PRELOAD.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _warm_up()
    known = [name for name in sys.modules if name.startswith("grader.exercises")]
    if known:
        raise RuntimeError(f"the process that runs learners' code has loaded {known[0]}")
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if memory runs out, workers go before the grader
    finder = standins.install()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    plan = make_plan()
    protection = probe(plan)
    gc.collect()
    gc.freeze()  # a collection in a worker need not look at what was loaded here
    channel.sendall(json.dumps({"ready": asdict(protection)}).encode() + b"\n")
    live: set[int] = set()
    try:
        while (message := _next(channel, parent)) is not None:
            request, fds = message
            if "fork" in request:
                me = os.getpid()
                pid = os.fork()
                if pid == 0:
                    try:
                        worker.serve(fds[0], fds[1], plan, me, finder, request["fork"])
                    finally:
                        os._exit(97)  # whatever happened: a child must never serve the socket
                live.add(pid)
                reply: dict[str, Any] = {"pid": pid}
            else:
                reply = _end(request["end"], live, request["patience"])
            for fd in fds:
                os.close(fd)
            channel.sendall(json.dumps(reply).encode() + b"\n")
    finally:
        for pid in list(live):
            _end(pid, live)
        os._exit(0)


def _next(channel: socket.socket, parent: int) -> tuple[dict[str, Any], list[int]] | None:
    """The next request and the descriptors that came with it; None when nobody is left."""
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)
    while not waiting.poll(2000):
        if os.getppid() != parent:  # a forked copy of the parent may hold the socket open
            return None
    text, fds = b"", []
    while not text.endswith(b"\n"):
        piece, more, _, _ = socket.recv_fds(channel, 65536, 2)
        if not piece:
            return None
        text += piece
        fds += more
    return json.loads(text), fds


def _end(pid: int, live: set[int], patience: float = 0.0) -> dict[str, Any]:
    """End a worker, if it has not ended by itself, and say how it ended."""
    if pid not in live:
        return {"status": "lost"}  # a worker of an earlier zygote
    done, status = os.waitpid(pid, os.WNOHANG)
    until = time.monotonic() + patience
    while not done and time.monotonic() < until:  # its pipe closes a moment before it is gone
        time.sleep(0.001)
        done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    live.discard(pid)
    return {"status": os.waitstatus_to_exitcode(status) if done else "killed"}


def _warm_up() -> None:
    """Use the parts of NumPy that set themselves up at first use."""
    a = np.ones((4, 4))
    np.linalg.svd(a @ a)
    np.linalg.inv(np.eye(3))
    np.array2string(np.linspace(0, 1, 3))
    np.random.default_rng(0).normal(size=3)
    np.einsum("ij,jk->ik", a, a, optimize=True)
