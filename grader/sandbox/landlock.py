"""File access for workers, by Linux's Landlock: libraries may be read, and nothing else.

Rules are made once, in the zygote; a worker puts them in force with one call. A rule holds for a
folder and all below it and cannot leave anything out, so `allow` walks around what is secret.

Landlock is described in the kernel's documentation, `userspace-api/landlock`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import stat
import struct
import sys
from collections.abc import Iterable, Iterator

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on every processor
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# All kinds of access to files that a version of Landlock knows: 13 of them in version 1.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP, _SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def version() -> int:
    """Landlock's version in this kernel; 0 where there is none."""
    if _libc is None:
        return 0
    return max(0, _libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


class Rules:
    """What may be read.

    Parameters
    ----------
    readable : iterable of str
        Files, and folders with all that they hold.
    listable : iterable of str
        Folders of which only the names may be read.

    Attributes
    ----------
    fd : int
        The kernel's handle; a worker keeps it open until it is in force.

    Raises
    ------
    OSError
        Where there is no Landlock.
    """

    def __init__(self, readable: Iterable[str], listable: Iterable[str] = ()):
        known = version()
        if not known:
            raise OSError("this kernel has no Landlock")
        handled = struct.pack("=QQQ", (1 << _FILE_RIGHTS[min(known, 5)]) - 1, _TCP, _SCOPES)[
            : 8 if known < 4 else 16 if known < 6 else 24
        ]
        made = _call(_CREATE, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint32(0))
        # a worker's pipes take the lowest numbers
        self.fd = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, 64)
        os.close(made)
        for path in readable:
            self._add(path, _READ_FILE | _READ_DIR)
        for path in listable:
            self._add(path, _READ_DIR)

    def enforce(self) -> None:
        """Put the rules in force in this process, for good; needs `no_new_privs`."""
        _call(_RESTRICT, ctypes.c_int(self.fd), ctypes.c_uint32(0))

    def _add(self, path: str, access: int) -> None:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:  # a library folder that is named but not there
            return
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                access &= _READ_FILE
            rule = struct.pack("=Qi", access, fd)
            _call(_ADD, ctypes.c_int(self.fd), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        finally:
            os.close(fd)


def allow(folders: Iterable[str], secret: Iterable[str]) -> tuple[list[str], list[str]]:
    """All of `folders` except what is `secret`.

    Returns
    -------
    readable, listable : lists of str
        For `Rules`: a folder that holds a secret is listed, and its other entries are readable.
    """
    hidden = [os.path.realpath(path) for path in secret]
    readable: list[str] = []
    listable: list[str] = []
    waiting = [os.path.realpath(folder) for folder in folders]
    while waiting:
        path = waiting.pop()
        if any(_within(path, one) for one in hidden):
            continue
        if any(_within(one, path) for one in hidden):
            listable.append(path)
            waiting += _entries(path)
        else:
            readable.append(path)
    return readable, listable


def _entries(folder: str) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_symlink():  # its target, if it matters, is in a folder of its own
                yield entry.path


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _call(number: int, *arguments: object) -> int:
    assert _libc is not None
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return int(result)
