"""Neural Networks by Hand: exercises, checks and pictures.

In a notebook::

    from grader import check, hint, progress

The package is lazy: nothing is loaded before it is asked for, so that a process which runs
learners' code can import `grader.sandbox` without ever loading an answer.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "check": "notebook",
    "compare": "notebook",
    "hint": "notebook",
    "progress": "notebook",
    "gradcheck": "numerical",
}

__all__ = ["check", "compare", "gradcheck", "hint", "progress"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"grader.{_HOME[name]}"), name)
    raise AttributeError(
        f"grader has no {name!r}; it offers {', '.join(sorted(_HOME))}, "
        "grader.nn (answers of earlier chapters), grader.datasets and grader.widgets"
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
