"""A list of the system calls that a worker may make, by Linux's seccomp; all others are refused.

A filter is a program for a small machine in the kernel: it loads a word of the call's description
(number, processor, arguments), jumps by comparing, and returns a verdict. It is described in the
kernel's documentation, `userspace-api/seccomp_filter`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# What NumPy, SciPy and plain Python need to compute, import, print and raise.
_ALLOWED = """
access alarm arch_prctl brk chdir clock_getres clock_gettime clock_nanosleep close dup dup2 dup3
epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 exit exit_group faccessat faccessat2
fadvise64 fstat fstatfs fsync futex getcpu getcwd getdents64 getegid geteuid getgid getgroups
getitimer getpgrp getpid getppid getrandom getresgid getresuid getrlimit getrusage gettid
gettimeofday getuid lseek lstat madvise membarrier mincore mmap mprotect mremap msync munmap
nanosleep newfstatat pause pipe2 poll ppoll pread64 pselect6 pwrite64 read readlink readlinkat readv
restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigtimedwait
sched_getaffinity sched_yield select set_robust_list setitimer sigaltstack stat statfs statx sysinfo
time times uname write writev
"""
_X86_64 = """
read 0 write 1 open 2 close 3 stat 4 fstat 5 lstat 6 poll 7 lseek 8 mmap 9 mprotect 10 munmap 11
brk 12 rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 ioctl 16 pread64 17 pwrite64 18 readv 19
writev 20 access 21 select 23 sched_yield 24 mremap 25 msync 26 mincore 27 madvise 28 dup 32 dup2 33
pause 34 nanosleep 35 getitimer 36 alarm 37 setitimer 38 getpid 39 exit 60 kill 62 uname 63 fcntl 72
fsync 74 getcwd 79 chdir 80 readlink 89 gettimeofday 96 getrlimit 97 getrusage 98 sysinfo 99
times 100 getuid 102 getgid 104 geteuid 107 getegid 108 getppid 110 getpgrp 111 getgroups 115
getresuid 118 getresgid 120 rt_sigpending 127 rt_sigtimedwait 128 sigaltstack 131 statfs 137
fstatfs 138 prctl 157 arch_prctl 158 gettid 186 time 201 futex 202 sched_getaffinity 204
getdents64 217 restart_syscall 219 fadvise64 221 clock_gettime 228 clock_getres 229
clock_nanosleep 230 exit_group 231 epoll_wait 232 epoll_ctl 233 tgkill 234 openat 257 newfstatat 262
readlinkat 267 faccessat 269 pselect6 270 ppoll 271 set_robust_list 273 epoll_pwait 281 eventfd2 290
epoll_create1 291 dup3 292 pipe2 293 prlimit64 302 getcpu 309 getrandom 318 membarrier 324 statx 332
rseq 334 clone3 435 openat2 437 faccessat2 439
"""
_AARCH64 = """
getcwd 17 eventfd2 19 epoll_create1 20 epoll_ctl 21 epoll_pwait 22 dup 23 dup3 24 fcntl 25 ioctl 29
statfs 43 fstatfs 44 faccessat 48 chdir 49 openat 56 close 57 pipe2 59 getdents64 61 lseek 62
read 63 write 64 readv 65 writev 66 pread64 67 pwrite64 68 pselect6 72 ppoll 73 readlinkat 78
newfstatat 79 fstat 80 fsync 82 exit 93 exit_group 94 futex 98 set_robust_list 99 nanosleep 101
getitimer 102 setitimer 103 clock_gettime 113 clock_getres 114 clock_nanosleep 115
restart_syscall 128 sched_getaffinity 123 sched_yield 124 kill 129 tgkill 131 sigaltstack 132
rt_sigaction 134 rt_sigprocmask 135 rt_sigpending 136 rt_sigtimedwait 137 rt_sigreturn 139
getresuid 148 getresgid 150 times 153 getgroups 158 uname 160 getrlimit 163 getrusage 165 prctl 167
getcpu 168 gettimeofday 169 getpid 172 getppid 173 getuid 174 geteuid 175 getgid 176 getegid 177
gettid 178 sysinfo 179 brk 214 munmap 215 mremap 216 mmap 222 fadvise64 223 mprotect 226 msync 227
mincore 232 madvise 233 prlimit64 261 getrandom 278 membarrier 283 statx 291 rseq 293 clone3 435
openat2 437 faccessat2 439
"""
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}  # <linux/audit.h>
# O_TMPFILE holds the bit of O_DIRECTORY, with which folders are listed.
_TMPFILE = getattr(os, "O_TMPFILE", 0) & ~getattr(os, "O_DIRECTORY", 0)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | _TMPFILE
_F_COMMANDS = (0, 1, 2, 3, 4, 1030)  # duplicate, and read or set flags
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # is it a terminal; blocking or not
_PR_NAMES = (15, 16)  # set and get a thread's name

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # <linux/bpf_common.h>
_YES, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000  # <linux/seccomp.h>
_NO = _ERRNO | errno.EPERM
_NUMBER, _ARCH = 0, 4  # offsets in `struct seccomp_data`; arguments follow at 16
_NO_SUCH_CALL = _ERRNO | errno.ENOSYS
_MODE_FILTER, _PR_SET_SECCOMP = 2, 22

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_Instruction = tuple[int, int, int, int]  # operation, jump if so, jump if not, constant


def available() -> bool:
    """Whether this is a machine whose system calls are listed here."""
    return _libc is not None and platform.machine() in _MACHINES


def program(pid: int) -> bytes:
    """The filter for the worker `pid`, in the kernel's form.

    Parameters
    ----------
    pid : int
        The only process it may send signals to.
    """
    audit, table = _MACHINES[platform.machine()]
    words = table.split()
    numbers = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),  # calls of another processor's numbering
        (_LOAD, 0, 0, _NUMBER),
    ]
    if platform.machine() == "x86_64":
        code += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _NO_SUCH_CALL)]  # the x32 numbering
    for name in _ALLOWED.split():
        if name in numbers:
            code += _on(numbers, name, [(_RETURN, 0, 0, _YES)])
    for name in ("clone3", "openat2"):  # their flags lie behind a pointer; the old ones will do
        code += _on(numbers, name, [(_RETURN, 0, 0, _NO_SUCH_CALL)])
    for name in ("kill", "tgkill"):
        code += _on(numbers, name, _if_among(0, (pid,), _NO))
    code += _on(numbers, "fcntl", _if_among(1, _F_COMMANDS, _NO))
    code += _on(numbers, "ioctl", _if_among(1, _IOCTLS, _ERRNO | errno.ENOTTY))
    code += _on(numbers, "prctl", _if_among(0, _PR_NAMES, _NO))
    code += _on(numbers, "prlimit64", _if_null(2))  # limits are read, not set
    for name, flags in (("open", 1), ("openat", 2)):
        refused = _ERRNO | errno.EACCES
        body = [(_LOAD, 0, 0, _argument(flags)), (_ANY_BIT, 0, 1, _WRITING)]
        code += _on(numbers, name, [*body, (_RETURN, 0, 0, refused), (_RETURN, 0, 0, _YES)])
    code.append((_RETURN, 0, 0, _NO))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def enforce(filter_program: bytes) -> None:
    """Put a filter in force in this process, for good; needs `no_new_privs`.

    Raises
    ------
    OSError
        Where the kernel has no seccomp.
    """

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    assert _libc is not None
    what = Program(len(filter_program) // 8, filter_program)
    set_filter = ctypes.c_ulong(_MODE_FILTER)
    if _libc.prctl(_PR_SET_SECCOMP, set_filter, ctypes.byref(what), 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"seccomp: {os.strerror(code)}")


def _on(numbers: dict[str, int], name: str, body: list[_Instruction]) -> list[_Instruction]:
    """`body`, which returns on every path, if the call is `name`."""
    return [(_EQUAL, 0, len(body), numbers[name]), *body] if name in numbers else []


def _if_among(argument: int, values: tuple[int, ...], otherwise: int) -> list[_Instruction]:
    body: list[_Instruction] = [(_LOAD, 0, 0, _argument(argument))]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _YES)]
    return [*body, (_RETURN, 0, 0, otherwise)]


def _if_null(argument: int) -> list[_Instruction]:
    low, high = _argument(argument), _argument(argument) + 4
    return [
        (_LOAD, 0, 0, low),
        (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, high),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _YES),
        (_RETURN, 0, 0, _NO),
    ]


def _argument(number: int) -> int:
    """Where the low half of an argument lies (both processors are little-endian)."""
    return 16 + 8 * number
