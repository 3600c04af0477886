"""A submission in a worker, spoken to as if it were here."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from grader.attempt import Call, Error, Handle, driver_source
from grader.sandbox import wire
from grader.sandbox.channel import Channel, Gone, Overrun, Patience
from grader.sandbox.submission import CellReport, Limits, LoadReport, Submission

_WALL = 3.0  # wall time allowed, in units of the CPU time allowed
_MAX_LOSSES = 2  # of workers that ended for reasons of ours, while they were loading


class Workers(Protocol):
    """Where workers come from: `grader.sandbox.client.Sandbox`."""

    def fork(self, limits: Limits) -> tuple[int, Channel]: ...

    def end(self, pid: int, patience: float = 0.0) -> int | str: ...

    def forget(self, pid: int) -> None: ...


class WorkerAttempt:
    """A submission in a worker; see `grader.attempt.Attempt`.

    When a call ends the worker, the next one gets a new worker in which the cells have been run
    again: each exercise is judged on its own.
    """

    def __init__(self, sandbox: Workers, submission: Submission, limits: Limits):
        self._sandbox = sandbox
        self._submission = submission
        self._limits = limits
        self._pid = 0
        self._channel: Channel | None = None
        self._asked = 0
        self._closed = False
        self._losses = 0
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
        if (channel := getattr(self, "_channel", None)) is not None:
            channel.close()
            self._sandbox.forget(self._pid)  # asking for its end could interrupt another question

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
            whole = self._patience(limits.load_seconds + limits.grace_seconds)
            self._channel.send(message, whole)
            for number in range(1, len(cells) + 1):
                answer = self._answer(self._patience(most, whole))
                reports.append(_cell_report(number, answer))
        except (Gone, Overrun, wire.ProtocolError) as problem:
            number = len(reports) + 1
            died = self._buried(problem)
            why = (died.error.message,) if died.error else ("still running after its time limit",)
            status = "timed_out" if died.status == "timed_out" else "died"
            reports.append(CellReport(number, status, remarks=why))
            reports += [CellReport(n, "not_run") for n in range(number + 1, len(cells) + 1)]
            where = f"cell {number} of the submission: " + why[0]
            kind = died.error.type if died.error else "TimeUp"
            died = Call(died.status, error=Error(kind, where))
        lost = died is not None and died.error is not None and died.error.type == "Lost"
        if lost and self._losses < _MAX_LOSSES:
            self._losses += 1
            self._load()
        else:
            self.load_report = LoadReport(tuple(reports), died)

    def _exchange(self, seconds: float, request: dict[str, Any]) -> Any:
        """One request, one answer; a `Call` that says why if there is none."""
        assert self._channel is not None
        start = time.monotonic()
        patience = self._patience(seconds + self._limits.grace_seconds)
        try:
            message = self._request(**request)
            self._channel.send(message, patience)
            return self._answer(patience)
        except (Gone, Overrun, wire.ProtocolError) as problem:
            return replace(self._buried(problem), seconds=time.monotonic() - start)

    def _request(self, **request: Any) -> bytes:
        self._asked += 1
        return wire.pack({"id": self._asked, **request})

    def _answer(self, patience: Patience) -> Any:
        assert self._channel is not None
        answer = wire.unpack(self._channel.receive(patience))
        if type(answer) is not tuple or len(answer) != 2 or answer[0] != self._asked:
            raise wire.ProtocolError("an answer to another question")
        return answer[1]

    def _patience(self, seconds: float, within: Patience | None = None) -> Patience:
        return Patience(self._pid, seconds, _WALL * seconds, within)

    def _buried(self, problem: Exception) -> Call:
        """End a worker that failed, and say how in a sentence."""
        if isinstance(problem, wire.ProtocolError):
            self._end()
            return _died("your code disturbed the connection to the grader")
        if isinstance(problem, Overrun):
            self._end()
            return Call("timed_out")
        return _last_words(self._end(patience=0.5))

    def _end(self, patience: float = 0.0) -> int | str:
        if self._channel is None:
            return "killed"
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


def _last_words(status: int | str) -> Call:
    if status == "lost":
        sentence = "the process that runs submissions has ended; this says nothing about your code"
        return Call("died", error=Error("Lost", sentence))
    if isinstance(status, str):
        return _died("your code cut the connection to the grader")
    if status >= 0:
        return _died(f"your code ended Python itself (exit code {status})")
    if -status == signal.SIGXCPU:
        return Call("timed_out", error=Error("TimeUp", "the submission used up its computing time"))
    reason = (signal.strsignal(-status) or f"signal {-status}").lower()
    return _died(f"Python crashed while your code was running ({reason})")
