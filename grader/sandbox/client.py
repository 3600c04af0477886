"""The grader's side: a submission in a worker, spoken to as if it were here.

::

    with Sandbox() as sandbox, sandbox.open(cells) as attempt:
        attempt.call("relu", x)
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from grader.attempt import Call, Error, Handle, driver_source
from grader.sandbox import wire
from grader.sandbox.channel import Channel, Gone, Overrun, Patience

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from grader.sandbox.zygote import main; "
_BOOT += "main(int(sys.argv[2]))"
_START_SECONDS = 30.0  # for a zygote or a worker to say that it is there
_WALL = 3.0  # wall time allowed, in units of the CPU time allowed


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    memory_mb: int = 1024  # on top of the interpreter and NumPy
    cpu_seconds: float = 300.0  # of its whole life
    cell_seconds: float = 10.0  # wall time of one cell
    load_seconds: float = 30.0  # wall time of all cells
    grace_seconds: float = 0.5  # CPU time beyond a call's own limit, until the worker is killed
    output_bytes: int = 128 * 2**20  # of one answer


@dataclass(frozen=True)
class CellReport:
    """What became of one cell.

    `status` is "ok", "error", "timed_out", "syntax_error", "not_run" or "died".
    """

    number: int
    status: str
    errors: tuple[Error, ...] = ()
    remarks: tuple[str, ...] = ()
    printed: str = ""

    @property
    def error(self) -> Error | None:
        return self.errors[0] if self.errors else None


@dataclass(frozen=True)
class LoadReport:
    """What became of all cells; `died` says so if they ended the worker."""

    cells: tuple[CellReport, ...] = ()
    died: Call | None = None

    @property
    def ok(self) -> bool:
        return self.died is None and all(cell.status == "ok" for cell in self.cells)


@dataclass(frozen=True)
class _Submission:
    cells: tuple[str, ...]
    given: dict[str, str] = field(default_factory=dict)
    main: bool = True
    keep_going: bool = False


class Sandbox:
    """Starts workers. Several threads may share one; each attempt belongs to one thread.

    Parameters
    ----------
    limits : Limits, optional
        For workers that are opened without limits of their own.
    """

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._lock = threading.RLock()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = os.getpid()
        self._mechanisms: list[str] | None = None
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
        submission = _Submission(tuple(cells), dict(given or {}), main, keep_going)
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

    def end(self, pid: int, patience: float = 0.0) -> int | None:
        """End a worker; its exit code (minus the signal's number) if it ended by itself."""
        with self._lock:
            try:
                status = self._ask({"end": pid, "patience": patience})["status"]
            except (OSError, ValueError):
                return None  # the zygote is gone, and its workers with it
        return cast("int | None", status)

    def _fork(self, limits: Limits) -> tuple[int, Channel]:
        self._start()
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
        socket.send_fds(self._control, [json.dumps(request).encode() + b"\n"], list(fds))
        return self._reply()

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
        if self._zygote is not None and self._zygote.poll() is None:
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
        self._zygote = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _BOOT, _ROOT, str(fd)],
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
            self._reply()
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


class WorkerAttempt:
    """A submission in a worker; see `grader.attempt.Attempt`.

    When a call ends the worker, the next one gets a new worker in which the cells have been run
    again: each exercise is judged on its own.
    """

    def __init__(self, sandbox: Sandbox, submission: _Submission, limits: Limits):
        self._sandbox = sandbox
        self._submission = submission
        self._limits = limits
        self._pid = 0
        self._channel: Channel | None = None
        self._asked = 0
        self._closed = False
        # our numbers -> (channel, number there): numbers in a new worker start again
        self._handles: dict[int, tuple[Channel, int]] = {}
        self._handed_out = 0
        self.load_report = LoadReport()
        self._load()

    def __enter__(self) -> WorkerAttempt:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def close(self) -> None:
        """End the worker."""
        self._closed = True
        self._end()

    def call(
        self, name: str, *args: Any, keep: int | None = None, seconds: float = 2.0, **kwargs: Any
    ) -> Call:
        """Call `name(*args, **kwargs)` there; item `keep` of the result stays there."""
        return self._ask(seconds, do="call", name=name, args=args, kwargs=kwargs, keep=keep)

    def run(self, driver: Callable, name: str, *args: Any, seconds: float = 2.0) -> Call:
        """Run a trusted driver there as `driver(object called name, *args)`."""
        source = driver_source(driver)
        return self._ask(
            seconds, do="run", name=name, source=source, entry=driver.__name__, args=args
        )

    def get(self, name: str) -> Call:
        """Read a value."""
        return self._ask(2.0, do="get", name=name)

    def has(self, name: str) -> bool:
        """Whether `name` is bound; true when nobody can tell, so that a call says what happened."""
        if self._unusable() is not None:
            return True
        answer = self._exchange(2.0, {"do": "has", "name": name})
        return answer is not False

    def _ask(self, seconds: float, **request: Any) -> Call:
        if (why_not := self._unusable()) is not None:
            return why_not
        lost = False

        def theirs(handle: Handle) -> Handle:
            nonlocal lost
            channel, number = self._handles.pop(handle.number)
            lost = lost or channel is not self._channel
            return Handle(number)

        for part in ("args", "kwargs"):
            if part in request:
                request[part] = _with_handles(request[part], theirs)
        if lost:
            return _died("the value from an earlier call was lost when your code ended Python")
        answer = self._exchange(seconds, {**request, "seconds": float(seconds)})
        if not isinstance(answer, Call):
            self._end()
            return _died("the answer of your code could not be read")
        return replace(answer, value=_with_handles(answer.value, self._ours))

    def _ours(self, handle: Handle) -> Handle:
        assert self._channel is not None
        self._handed_out += 1
        self._handles[self._handed_out] = self._channel, handle.number
        return Handle(self._handed_out)

    def _unusable(self) -> Call | None:
        """Make sure that there is a worker; say why there is none."""
        if self._closed:
            raise ValueError("this attempt is closed")
        if self._channel is None and self.load_report.died is None:
            self._load()
        return self.load_report.died

    def _load(self) -> None:
        """Run the cells in a new worker, and note what became of each."""
        cells = self._submission.cells
        reports: list[CellReport] = []
        limits = self._limits
        try:
            message = self._request(
                do="load",
                cells=cells,
                given=self._submission.given,
                main=self._submission.main,
                keep_going=self._submission.keep_going,
                cell_seconds=limits.cell_seconds,
                load_seconds=limits.load_seconds,
            )
        except wire.Unsendable:
            self.load_report = LoadReport(died=_died("the submission is too large to be run"))
            return
        self._pid, self._channel = self._sandbox.fork(limits)
        most = limits.load_seconds + limits.grace_seconds
        if not self._submission.keep_going:
            most = min(most, limits.cell_seconds + limits.grace_seconds)
        died = None
        try:
            self._channel.send(message, self._patience(most))
            for number in range(1, len(cells) + 1):
                answer = self._answer(self._patience(most))
                reports.append(_cell_report(number, answer))
        except (Gone, Overrun, wire.ProtocolError) as problem:
            number = len(reports) + 1
            died = self._buried(problem)
            why = (died.error.message,) if died.error else ("still running after its time limit",)
            status = "timed_out" if died.status == "timed_out" else "died"
            reports.append(CellReport(number, status, remarks=why))
            reports += [CellReport(n, "not_run") for n in range(number + 1, len(cells) + 1)]
            where = f"cell {number} of the submission: " + why[0]
            died = Call(died.status, error=Error("Died", where))
        self.load_report = LoadReport(tuple(reports), died)

    def _exchange(self, seconds: float, request: dict[str, Any]) -> Any:
        """One request, one answer; a `Call` that says why if there is none."""
        assert self._channel is not None
        patience = self._patience(seconds + self._limits.grace_seconds)
        try:
            message = self._request(**request)
            self._channel.send(message, patience)
            return self._answer(patience)
        except (Gone, Overrun, wire.ProtocolError) as problem:
            return self._buried(problem)

    def _request(self, **request: Any) -> bytes:
        self._asked += 1
        return wire.pack({"id": self._asked, **request})

    def _answer(self, patience: Patience) -> Any:
        assert self._channel is not None
        answer = wire.unpack(self._channel.receive(patience))
        if type(answer) is not tuple or len(answer) != 2 or answer[0] != self._asked:
            raise wire.ProtocolError("an answer to another question")
        return answer[1]

    def _patience(self, seconds: float) -> Patience:
        return Patience(self._pid, seconds, _WALL * seconds)

    def _buried(self, problem: Exception) -> Call:
        """End a worker that failed, and say how in a sentence."""
        if isinstance(problem, wire.ProtocolError):
            self._end()
            return _died("your code disturbed the connection to the grader")
        if isinstance(problem, Overrun):
            self._end()
            return Call("timed_out", seconds=0.0)
        return _last_words(self._end(patience=0.5))

    def _end(self, patience: float = 0.0) -> int | None:
        if self._channel is None:
            return None
        self._channel.close()
        self._channel = None
        return self._sandbox.end(self._pid, patience)


def _with_handles(value: Any, translate: Callable[[Handle], Handle]) -> Any:
    if isinstance(value, Handle):
        return translate(value)
    if type(value) in (tuple, list):
        return type(value)(_with_handles(item, translate) for item in value)
    if type(value) is dict:
        return {key: _with_handles(item, translate) for key, item in value.items()}
    return value


def _cell_report(number: int, answer: Any) -> CellReport:
    try:
        report = CellReport(**answer)
        shape = type(report.status), type(report.printed), type(report.errors), type(report.remarks)
        good = shape == (str, str, tuple, tuple) and report.number == number
        good = good and all(type(error) is Error for error in report.errors)
        good = good and all(type(remark) is str for remark in report.remarks)
    except TypeError:
        good = False
    if not good:
        raise wire.ProtocolError("not a report on a cell")
    return report


def _died(sentence: str) -> Call:
    return Call("died", error=Error("Died", sentence))


def _last_words(status: int | None) -> Call:
    if status is None:
        return _died("your code cut the connection to the grader")
    if status >= 0:
        return _died(f"your code ended Python itself (exit code {status})")
    if -status == 24:  # SIGXCPU
        return Call("timed_out", error=Error("TimeUp", "the submission used up its computing time"))
    reasons = {4: "illegal instruction", 6: "abort", 7: "bus error", 8: "arithmetic", 9: "killed"}
    reasons |= {11: "segmentation fault", 15: "terminated"}
    reason = reasons.get(-status, f"signal {-status}")
    return _died(f"Python crashed while your code was running ({reason})")


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
