"""A file tree, a network and other namespaces of their own for workers, by the `bwrap` command.

Where bubblewrap is installed and works, the zygote is started inside it: workers then do not even
learn which files this machine has. Process ids stay the machine's own, since limits on processor
time are read by id.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/proc")
_HIDDEN = ("exercises", "_data", "tests")  # of the package: answers, and what leads to them


@cache
def prefix() -> tuple[str, ...]:
    """What to put in front of a command so that it runs inside; empty where that cannot be had."""
    program = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if program is None or sys.platform != "linux":
        return ()
    command = (program, *_arguments())
    try:
        trial = subprocess.run(
            [*command, sys.executable, "-I", "-B", "-c", "import numpy, sys; sys.exit(7)"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return command if trial.returncode == 7 else ()


def _arguments() -> list[str]:
    arguments = ["--unshare-ipc", "--unshare-net", "--unshare-uts", "--new-session"]
    if os.geteuid() == 0:  # workers still change to users of their own
        arguments += ["--cap-drop", "ALL"]
        for capability in ("SETUID", "SETGID", "KILL", "DAC_READ_SEARCH"):
            arguments += ["--cap-add", f"CAP_{capability}"]
    else:
        arguments += ["--unshare-user"]
    arguments += ["--dev", "/dev"]
    for path in [*_SYSTEM, *_python()]:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            arguments += ["--ro-bind", path, path]
    for name in _HIDDEN:
        if os.path.isdir(os.path.join(_PACKAGE, name)):
            arguments += ["--tmpfs", os.path.join(_PACKAGE, name)]
    return [*arguments, "--chdir", "/"]


def _python() -> list[str]:
    """Where the interpreter and its packages lie, and this package."""
    paths = sysconfig.get_paths()
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [sys.prefix, sys.base_prefix, *(paths[key] for key in keys if key in paths), _PACKAGE]
    found += [os.path.dirname(os.path.realpath(sys.executable))]
    found += [path for path in sys.path if os.path.isdir(os.path.join(path, "numpy"))]
    real = dict.fromkeys(path for path in found if path not in ("/", "/usr"))
    return sorted(path for path in real if not path.startswith(("/usr/", "/lib/")))
