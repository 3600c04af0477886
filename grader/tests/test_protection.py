"""Levels of protection: tried, not assumed; and what is said where a level cannot be had."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator

import pytest

from grader.sandbox import bubblewrap
from grader.sandbox.client import Limits, Sandbox
from grader.sandbox.protection import BARRIERS, HIDING, LIMITS, MEANING, Protection

uncached = bubblewrap.prefix.__wrapped__
linux = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")


@pytest.fixture(scope="module", params=["bubblewrap", "plain"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Once inside bubblewrap, where it is installed, and once without."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setattr(bubblewrap, "prefix", tuple)
        elif not bubblewrap.prefix():
            pytest.skip("bubblewrap is not installed, or may not be used here")
        with Sandbox(Limits(cell_seconds=5.0)) as running:
            yield running


def landlock_and_seccomp() -> bool:
    from grader.sandbox import landlock, seccomp

    return landlock.version() > 0 and seccomp.available()


def said(sandbox: Sandbox, body: str) -> str:
    """ "done", or the name of the exception that `body` raised in a worker."""
    lines = textwrap.indent(textwrap.dedent(body), "        ")
    source = f"def f():\n    import os\n    try:\n{lines}\n        return 'done'\n"
    source += "    except BaseException as problem: return type(problem).__name__\n"
    with sandbox.open([source]) as attempt:
        return str(attempt.call("f").value)


@linux
def test_this_machine_is_judged_by_what_was_refused(sandbox: Sandbox) -> None:
    if not landlock_and_seccomp():
        pytest.skip("this kernel has no Landlock or no seccomp")
    protection = sandbox.protection
    inside = bool(bubblewrap.prefix())
    assert protection.level == (3 if inside else 2), protection
    assert set(protection.refused) | set(protection.possible) == {*LIMITS, *BARRIERS, *HIDING}


@linux
@pytest.mark.parametrize(
    "body",
    [
        "open('/etc/passwd').read()",
        "open('/proc/self/environ').read()",
        "os.listdir('/home')",
        "os.listdir(os.path.expanduser('~'))",
        "os.mkdir('/tmp/breach')",
        "os.mkfifo('/tmp/breach')",
        "os.symlink('/etc', '/tmp/breach')",
        "open('/tmp/breach', 'w')",
        "os.open('/dev/shm/breach', os.O_RDWR | os.O_CREAT)",
        "os.memfd_create('breach')",
        "import tempfile; tempfile.mkdtemp()",
        "import socket; socket.socket()",
        "import socket; socket.socketpair()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9', timeout=1)",
        "os.fork()",
        "os.system('true') == 0 or 1 / 0",
        "import subprocess; subprocess.run(['true'], check=True)",
        "import threading; threading.Thread(target=print).start()",
        "os.kill(os.getppid(), 0)",
        "os.kill(1, 0)",
        "os.execv('/bin/sh', ['sh'])",
        "import resource as r; r.setrlimit(r.RLIMIT_CPU, (-1, -1))",
        "import resource as r; r.prlimit(os.getppid(), r.RLIMIT_CPU, (1, 1))",
        "os.setuid(0)",
        "os.chroot('/')",
        "os.unshare(0) if hasattr(os, 'unshare') else 1 / 0",
        "import ctypes; assert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0",
    ],
)
def test_a_forbidden_act_raises(body: str, sandbox: Sandbox) -> None:
    if sandbox.protection.level < 2:
        pytest.skip("this machine cannot refuse it")
    assert said(sandbox, body) not in ("done", "None")
    assert not os.path.lexists("/tmp/breach") and not os.path.lexists("/dev/shm/breach")


@pytest.mark.parametrize(
    "body",
    [
        "import time; time.sleep(0.001)",
        "import numpy as np; assert np.random.default_rng().normal(size=9).std() > 0",
        "import numpy.fft, numpy.polynomial, decimal, sqlite3, xml.dom, csv, zoneinfo",
        "import numpy as np; np.linalg.svd(np.eye(50)); np.random.seed(None)",
        "import io, pickle; pickle.loads(pickle.dumps([1]))",
        "import inspect; inspect.getsource(inspect)",
        "import warnings; warnings.warn('one')",
        "import asyncio.events, concurrent.futures",
        "import secrets; secrets.token_bytes(4); os.urandom(4)",
        "import datetime; datetime.datetime.now().astimezone()",
        "print('x' * 10_000); import sys; sys.stdout.flush(); sys.stderr.write('y')",
        "import platform; platform.platform()",
    ],
)
def test_what_homework_needs_still_works(body: str, sandbox: Sandbox) -> None:
    assert said(sandbox, body) == "done"


@linux
def test_the_answers_are_unreadable_wherever_they_are_installed(tmp_path) -> None:
    """A folder of packages that holds a secret keeps all others readable."""
    from grader.sandbox.landlock import allow

    for name in ("grader/exercises", "numpy/core", "scipy"):
        (tmp_path / "site-packages" / name).mkdir(parents=True)
    (tmp_path / "site-packages" / "six.py").write_text("")
    packages = str(tmp_path / "site-packages")
    readable, listable = allow([packages], [f"{packages}/grader"])
    assert sorted(readable) == [f"{packages}/numpy", f"{packages}/scipy", f"{packages}/six.py"]
    assert listable == [packages]
    assert allow([packages], [str(tmp_path)]) == ([], [])


def test_a_level_counts_only_with_everything_below_it() -> None:
    assert Protection().level == 0
    assert Protection(LIMITS).level == 1
    assert Protection((*LIMITS, *BARRIERS)).level == 2
    assert Protection((*LIMITS, *BARRIERS, *HIDING)).level == 3
    assert Protection((*LIMITS, *BARRIERS[1:], *HIDING)).level == 1
    assert Protection((*BARRIERS, *HIDING)).level == 0
    assert len(MEANING) == 4


def test_where_a_level_cannot_be_had_it_says_what_to_do() -> None:
    limited = Protection(LIMITS, (*BARRIERS, *HIDING))
    assert limited.shortfall(1) == ""
    sentence = limited.shortfall(2)
    assert "level 1" in sentence and "the network" in sentence and "Landlock" in sentence
    assert sentence.endswith("--require-level 1")
    assert "bubblewrap" in Protection((*LIMITS, *BARRIERS)).shortfall(3)
    assert "container" in Protection().shortfall(2)


def test_bubblewrap_is_used_only_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: "/bin/false")
    assert uncached() == ()
