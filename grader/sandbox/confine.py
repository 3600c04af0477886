"""What a worker gives up before it sees a stranger's code.

The order matters, and is the order of `confine`: user first (a change of user clears the
parent-death signal, and no process limit holds for root), then limits, then privileges.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import struct
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, replace

from grader.sandbox import landlock, seccomp

_PDEATHSIG, _DUMPABLE, _KEEPCAPS, _NO_NEW_PRIVS = 1, 4, 8, 38  # <linux/prctl.h>
_SETGID, _SETUID, _DAC_READ_SEARCH = 6, 7, 2  # <linux/capability.h>
_NOGROUP = 65534
# systemd keeps these for short-lived services: no person has one. One each, so that two workers
# cannot signal each other.
_FIRST_UID, _UIDS = 61184, 4336

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None


@dataclass(frozen=True)
class Plan:
    """What can be had on this machine, found out once."""

    base_bytes: int  # address space in use before the learner's code
    change_user: bool
    read_anything: bool  # the interpreter lies where only root may read
    rules: landlock.Rules | None = None  # which files may be read
    filtered: bool = False  # whether system calls can be


def make_plan() -> Plan:
    """Find out what this machine offers. Call after everything has been imported."""
    root = _LINUX and os.geteuid() == 0 and _has_capabilities(_SETGID, _SETUID)
    private = root and not all(map(_readable_by_all, _library_folders()))
    change_user = root and _can_change_user(private)
    readable, listable = landlock.allow(_libraries(), _secrets())
    rules = landlock.Rules(readable, listable) if landlock.version() else None
    plan = Plan(_address_space(), change_user, private, rules)
    # Each is tried in a child: a container may know the call and forbid it.
    if rules is not None and not _works(rules.enforce):
        plan = replace(plan, rules=None)
    works = seccomp.available() and _works(lambda: seccomp.enforce(seccomp.program(os.getpid())))
    return replace(plan, filtered=works)


def confine(plan: Plan, parent: int, memory_bytes: int, cpu_seconds: int) -> list[str]:
    """Give up, in this process and for good, all that a learner's code does not need.

    Returns
    -------
    list of str
        What is now in force.
    """
    on = []
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    if plan.change_user:
        on.append(_change_user(plan.read_anything))
    if end_with_parent(parent):
        on.append("ends with its parent")
    # what is left keeps SciPy's own BLAS from starting threads, which it may not, and giving up
    for name in [name for name in os.environ if not name.endswith("_NUM_THREADS")]:
        del os.environ[name]
    on.append("empty environment")
    on += _limit(plan.base_bytes + memory_bytes, cpu_seconds)
    if _prctl(_DUMPABLE, 0):
        on.append("not traceable")
    if _prctl(_NO_NEW_PRIVS, 1):
        on.append("no new privileges")
    # These two last, since each forbids what the steps above need.
    if plan.rules is not None:
        plan.rules.enforce()
        os.close(plan.rules.fd)
        on.append("libraries may be read, no other file")
    if plan.filtered:
        seccomp.enforce(seccomp.program(os.getpid()))
        on.append("system calls from a list")
    return on


def end_with_parent(parent: int) -> bool:
    """Have this process killed when `parent`, which forked it, ends; false where it cannot be."""
    if not _prctl(_PDEATHSIG, signal.SIGKILL):
        return False
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
    return True


def _change_user(read_anything: bool) -> str:
    uid = _FIRST_UID + os.getpid() % _UIDS
    if read_anything:
        _prctl(_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(_NOGROUP, _NOGROUP, _NOGROUP)
    os.setresuid(uid, uid, uid)
    if not read_anything:
        return "own user"
    # later imports must still find their files; everything else that root may do is gone
    _set_only_capability(_DAC_READ_SEARCH)
    return "own user, may read all files"


def _can_change_user(read_anything: bool) -> bool:
    """Try it in a child: a container may know too few users."""
    return _in_child(lambda: _change_user(read_anything))


def _works(enforce: Callable[[], None]) -> bool:
    """Whether a hardening step does its work where nobody may gain privileges."""

    def step() -> None:
        _prctl(_NO_NEW_PRIVS, 1)
        enforce()

    return _in_child(step)


def _in_child(act: Callable[[], object]) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _limit(memory_bytes: int, cpu_seconds: int) -> list[str]:
    on = []
    wanted = [
        ("RLIMIT_CORE", 0, ""),
        ("RLIMIT_CPU", cpu_seconds + 1, "CPU limit"),
        ("RLIMIT_FSIZE", 0, "no file contents"),
        ("RLIMIT_NOFILE", 32, "few open files"),
        ("RLIMIT_NPROC", 0, "no processes or threads"),
        ("RLIMIT_MEMLOCK", 0, ""),
        ("RLIMIT_MSGQUEUE", 0, ""),
        ("RLIMIT_AS", memory_bytes, "memory limit"),
    ]
    for name, most, label in wanted:
        if not hasattr(resource, name):
            continue
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses some of them
            # the hard CPU limit kills outright; the soft one, a second before, can be told apart
            soft = max(most - 1, 1) if name == "RLIMIT_CPU" else most
            resource.setrlimit(which, (soft, most))
            holds = name != "RLIMIT_AS" or _LINUX  # elsewhere it is accepted and ignored
            holds = holds and (name != "RLIMIT_NPROC" or os.getuid() != 0)
            on += [label] if label and holds else []
    return on


def _prctl(option: int, value: int) -> bool:
    return _libc is not None and _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0


def _set_only_capability(number: int) -> None:
    assert _libc is not None
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    mask = 1 << number
    data = struct.pack("=6I", mask, mask, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "a worker could not give up root's capabilities")


def _has_capabilities(*numbers: int) -> bool:
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                mask = int(line.split()[1], 16)
                return all(mask >> number & 1 for number in numbers)
    return False


def _libraries() -> list[str]:
    """What later imports read: Python's own folders, and those of the system's linker."""
    system = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache"]
    system += ["/usr/share/zoneinfo", "/etc/localtime", "/dev/null", "/dev/urandom", "/dev/zero"]
    return [*_library_folders(), *(path for path in sys.path if os.path.isdir(path)), *system]


def _secrets() -> list[str]:
    """The course itself, wherever it is installed: the answers are in it."""
    return [_PACKAGE, os.path.join(os.path.dirname(_PACKAGE), "solutions")]


def _library_folders() -> list[str]:
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    return [os.path.realpath(path) for key in keys if (path := sysconfig.get_paths().get(key))]


def _readable_by_all(folder: str) -> bool:
    while True:
        if not os.stat(folder).st_mode & stat.S_IXOTH:
            return False
        if folder == "/":
            return True
        folder = os.path.dirname(folder)


def _address_space() -> int:
    try:
        with open("/proc/self/statm") as sizes:
            return int(sizes.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
