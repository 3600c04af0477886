"""One worker: a forked child that gives up its rights, loads one submission and answers."""

from __future__ import annotations

import fcntl
import gc
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from grader.attempt import Call, LocalAttempt, Opaque, describe
from grader.limits import TimeUp
from grader.sandbox import wire
from grader.sandbox.confine import Plan, confine
from grader.sandbox.loading import Loading, new_module
from grader.sandbox.standins import Finder

_REQUESTS, _ANSWERS = 3, 4
_read, _write, _exit = os.read, os.write, os._exit  # a learner may rebind those of `os`


def serve(
    requests: int, answers: int, plan: Plan, parent: int, finder: Finder, limits: dict[str, Any]
) -> NoReturn:
    """Be a worker; never returns."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 16) for fd in (requests, answers)]
    os.dup2(high[0], _REQUESTS, inheritable=False)
    os.dup2(high[1], _ANSWERS, inheritable=False)
    # nothing of the parent's stays open; `confine` closes the rules for files
    rules = plan.rules.fd if plan.rules is not None else 65536
    os.closerange(_ANSWERS + 1, rules)
    os.closerange(rules + 1, 65536)
    gc.enable()
    on = confine(plan, parent, limits["memory_bytes"], limits["cpu_seconds"])
    np.random.seed(0)
    random.seed(0)
    sys.argv = [""]
    _send(wire.pack(("ready", tuple(on))))
    _Worker(finder, limits["output_bytes"]).run()


class _Worker:
    def __init__(self, finder: Finder, most: int):
        self._finder = finder
        self._most = most
        self._attempt = LocalAttempt({})

    def run(self) -> NoReturn:
        while True:
            request = wire.unpack(_receive())
            for answer in self._answers(request):
                _send(self._packed(request["id"], answer))

    def _answers(self, request: dict[str, Any]) -> Iterator[Any]:
        if request["do"] == "load":
            self._finder.given = request["given"]
            module = new_module(request["main"])
            self._attempt = LocalAttempt(module.__dict__)
            yield from Loading(
                module.__dict__,
                request["keep_going"],
                request["cell_seconds"],
                request["load_seconds"],
            ).run(request["cells"])
        else:
            yield self._answer(request)

    def _answer(self, request: dict[str, Any]) -> Any:
        attempt, name = self._attempt, request["name"]
        try:
            if request["do"] == "has":
                return attempt.has(name)
            if request["do"] == "get":
                return attempt.get(name)
            seconds = request["seconds"]
            if request["do"] == "run":
                source, entry = request["source"], request["entry"]
                return attempt.run_source(source, entry, name, *request["args"], seconds=seconds)
            keep, named = request["keep"], request["kwargs"]
            return attempt.call(name, *request["args"], keep=keep, seconds=seconds, **named)
        except TimeUp:
            return Call("timed_out")
        except BaseException as problem:  # a result too large to copy; the worker must answer
            return Call("raised", error=describe(problem))

    def _packed(self, number: int, answer: Any) -> bytes:
        try:
            return wire.pack((number, answer), self._most)
        except (wire.Unsendable, MemoryError) as problem:
            what = str(problem) or "a result that does not fit in memory"
        return wire.pack((number, replace(answer, value=Opaque(what))), self._most)


def _receive() -> bytearray:
    (length,) = wire.LENGTH.unpack(_exactly(wire.LENGTH.size))
    return _exactly(length)


def _exactly(count: int) -> bytearray:
    got = bytearray()
    while len(got) < count:
        piece = _read(_REQUESTS, min(count - len(got), 2**20))
        if not piece:
            _exit(0)  # the grader has gone
        got += piece
    return got


def _send(message: bytes) -> None:
    for part in wire.in_pieces(message):
        rest = memoryview(part)
        while rest:
            rest = rest[_write(_ANSWERS, rest) :]
