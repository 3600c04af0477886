"""The grader's side: starts workers and ends them.

::

    with Sandbox() as sandbox, sandbox.open(cells) as attempt:
        attempt.call("relu", x)
"""

from __future__ import annotations

import collections
import json
import math
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, cast

from grader.sandbox import bubblewrap, wire
from grader.sandbox.channel import Channel, Gone, Overrun, Patience
from grader.sandbox.protection import Protection
from grader.sandbox.remote import WorkerAttempt
from grader.sandbox.submission import CellReport, Limits, LoadReport, Submission

__all__ = ["CellReport", "Limits", "LoadReport", "Sandbox", "WorkerAttempt"]

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from grader.sandbox.zygote import main; "
_BOOT += "main(int(sys.argv[2]))"
_START_SECONDS = 30.0  # for a zygote or a worker to say that it is there


class Sandbox:
    """Starts workers. Several threads may share one; each attempt belongs to one thread.

    Parameters
    ----------
    limits : Limits, optional
        For workers that are opened without limits of their own.
    """

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = os.getpid()
        self._mechanisms: list[str] | None = None
        self._protection = Protection()
        self._forgotten: collections.deque[int] = collections.deque()
        self._open: weakref.WeakSet[WorkerAttempt] = weakref.WeakSet()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    @property
    def mechanisms(self) -> list[str]:
        """What protects this machine from the code in a worker, found out by starting one."""
        if self._mechanisms is None:
            self.open([]).close()
        return list(self._mechanisms or [])

    @property
    def protection(self) -> Protection:
        """What a worker was refused when it tried."""
        if self._mechanisms is None:
            self.open([]).close()
        return self._protection

    def open(
        self,
        cells: Sequence[str],
        given: Mapping[str, str] | None = None,
        main: bool = True,
        keep_going: bool = False,
        limits: Limits | None = None,
    ) -> WorkerAttempt:
        """Load a submission in a worker of its own.

        Parameters
        ----------
        cells : sequence of str
            Source of the code cells; a .py file is one cell.
        given : mapping, optional
            Sources of the modules a submission may import from the course, by name
            ("grader.nn").
        main : bool
            Whether `__name__` is "__main__" (a notebook) or "submission" (a .py file).
        keep_going : bool
            Go on within a cell after a statement that fails or does not parse (a .py file).
        limits : Limits, optional

        Raises
        ------
        RuntimeError
            Where processes cannot be forked.
        """
        submission = Submission(tuple(cells), dict(given or {}), main, keep_going)
        attempt = WorkerAttempt(self, submission, limits or self.limits)
        self._open.add(attempt)
        return attempt

    def close(self) -> None:
        """End every worker and the zygote."""
        for attempt in list(self._open):
            attempt.close()
        with self._lock:
            self._stop()

    def fork(self, limits: Limits) -> tuple[int, Channel]:
        """Start a worker that has loaded nothing yet; its process id and the way to talk to it."""
        with self._lock:
            try:
                pid, channel = self._fork(limits)
            except (OSError, ValueError):  # the zygote has died: once more, with a new one
                self._stop()
                pid, channel = self._fork(limits)
        try:
            patience = Patience(pid, _START_SECONDS, _START_SECONDS)
            word, on = wire.unpack(channel.receive(patience))
        except (Gone, Overrun, ValueError, TypeError) as problem:
            channel.close()
            self.end(pid)
            raise RuntimeError(f"a worker did not start ({problem or 'it ended'})") from None
        if self._mechanisms is None:
            self._mechanisms = list(on)
        if word != "ready" or self._mechanisms != list(on):
            channel.close()
            self.end(pid)
            raise RuntimeError(
                f"a worker started with {list(on)} instead of {self._mechanisms}: no code is run "
                "with less protection than was announced"
            )
        return pid, channel

    def end(self, pid: int, patience: float = 0.0) -> int | str:
        """End a worker.

        Returns
        -------
        int or str
            Its exit code (minus the signal's number) if it ended by itself, "killed" if not, "lost"
            if nobody knows.
        """
        with self._lock:
            try:
                status = self._ask({"end": pid, "patience": patience})["status"]
            except (OSError, ValueError):
                return "lost"  # the zygote is gone, and its workers with it
        return cast("int | str", status)

    def forget(self, pid: int) -> None:
        """Let a worker be ended when there is next something to do; safe at any moment."""
        self._forgotten.append(pid)

    def _fork(self, limits: Limits) -> tuple[int, Channel]:
        self._start()
        while self._forgotten:
            self._ask({"end": self._forgotten.popleft(), "patience": 0.0})
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        _widen(ours_out, ours_in)
        channel = Channel(ours_out, ours_in, limits.output_bytes + 2 * wire.MAX_TREE)
        order = {
            "memory_bytes": limits.memory_mb * 2**20,
            "cpu_seconds": math.ceil(limits.cpu_seconds),
            "output_bytes": limits.output_bytes,
        }
        try:
            return int(self._ask({"fork": order}, theirs_in, theirs_out)["pid"]), channel
        except BaseException:
            channel.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def _ask(self, request: dict[str, Any], *fds: int) -> dict[str, Any]:
        if self._control is None or self._owner != os.getpid():
            raise OSError("no zygote")
        try:
            socket.send_fds(self._control, [json.dumps(request).encode() + b"\n"], list(fds))
            return self._reply()
        except BaseException:  # Ctrl-C too: a reply left unread would answer the next question
            self._control.close()
            self._control = None
            raise

    def _reply(self) -> dict[str, Any]:
        assert self._control is not None
        text = b""
        while not text.endswith(b"\n"):
            piece = self._control.recv(65536)
            if not piece:
                raise OSError("the zygote has ended")
            text += piece
        return cast("dict[str, Any]", json.loads(text))

    def _start(self) -> None:
        if self._owner != os.getpid():  # a fork of the process that started it: not ours
            self._zygote = self._control = None
            self._owner = os.getpid()
        alive = self._zygote is not None and self._zygote.poll() is None
        if alive and self._control is not None:
            return
        if not hasattr(os, "fork"):
            raise RuntimeError(
                "Grading from files needs Linux, macOS or WSL: each submission runs in a process "
                "of its own. On Windows, open the notebooks in WSL, or check them in JupyterLab."
            )
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(_START_SECONDS)
        fd = theirs.fileno()
        # no folder of the current user on the path, no .pyc written, and none of our environment
        python = [sys.executable, "-I", "-B", "-c", _BOOT, _ROOT, str(fd)]
        self._zygote = subprocess.Popen(
            [*bubblewrap.prefix(), *python],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(fd,),
            start_new_session=True,
        )
        theirs.close()
        self._control = ours
        try:
            found = self._reply()["ready"]
            self._protection = Protection(tuple(found["refused"]), tuple(found["possible"]))
        except (OSError, ValueError):
            stderr = self._zygote.stderr
            self._zygote.kill()
            said = stderr.read().decode(errors="replace").strip() if stderr else ""
            self._stop()
            raise RuntimeError(
                f"the process that starts workers could not start: {said[-500:] or 'it was silent'}"
            ) from None

    def _stop(self) -> None:
        zygote, control = self._zygote, self._control
        self._zygote = self._control = None
        if control is not None:
            control.close()  # this is how it learns that it is no longer needed
        if zygote is None or self._owner != os.getpid():
            return
        try:
            zygote.wait(10)
        except subprocess.TimeoutExpired:
            zygote.kill()
            zygote.wait()
        if zygote.stderr is not None:
            zygote.stderr.close()


def _widen(*fds: int) -> None:
    """Larger pipes, where there is such a thing: arrays then cross in a few pieces."""
    try:
        import fcntl

        for fd in fds:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 2**20)
    except (ImportError, AttributeError, OSError):
        pass


def _environment() -> dict[str, str]:
    one_thread = dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
        "1",  # a thread pool does not survive a fork: the first product would wait for ever
    )
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", **one_thread}
