"""How well this machine is protected from a worker: found out by trying what must not work.

A mechanism that is switched on may still not hold, in a container for example. So a throw-away
worker attempts each forbidden act; what was refused decides the level.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
from collections.abc import Callable

from grader.sandbox.confine import Plan, confine
from grader.sandbox.protection import BARRIERS, HIDING, LIMITS, Protection

_MEMORY = 256 * 2**20
_ANSWERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "exercises")


def probe(plan: Plan) -> Protection:
    """Try every forbidden act in a confined child. Call in the zygote."""
    outer = os.getpid()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            confine(plan, outer, _MEMORY, 10)
            found = [act for act, attempt in _acts(outer).items() if _is_refused(attempt)]
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    refused = set(json.loads(said)) if said else set()
    acts = [*LIMITS, *BARRIERS, *HIDING]
    return Protection(
        tuple(act for act in acts if act in refused),
        tuple(act for act in acts if act not in refused),
    )


def _acts(outer: int) -> dict[str, Callable[[], object]]:
    """Each forbidden act: raises `OSError` or `MemoryError` where it is refused."""

    def endless() -> None:
        if resource.getrlimit(resource.RLIMIT_CPU)[1] == resource.RLIM_INFINITY:
            return
        raise OSError("limited")

    def read() -> None:
        refused = 0
        for path in (os.path.join(_ANSWERS, "__init__.py"), "/etc/passwd"):
            try:
                open(path, "rb").close()
            except OSError:
                refused += 1
        if refused == 2:
            raise OSError("neither answers nor system files")

    def write() -> None:
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            path = os.path.join(folder, f"grader-probe-{os.getpid()}")
            with contextlib.suppress(OSError):
                open(path, "wb").close()
                os.remove(path)
                return
        raise OSError("nowhere")

    def connect() -> None:
        for family in (socket.AF_INET, socket.AF_UNIX):
            with contextlib.suppress(OSError):
                socket.socket(family, socket.SOCK_DGRAM).close()
                return
        raise OSError("no sockets")

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    def see() -> None:
        os.stat(_ANSWERS + "/__init__.py")

    return {
        "computing time": endless,
        "memory": lambda: bytearray(2 * _MEMORY),
        "reading files": read,
        "writing files": write,
        "the network": connect,
        "new processes": fork,
        "signals": lambda: os.kill(outer, 0),
        "names of files": see,
    }


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError):
        return True
    return False
