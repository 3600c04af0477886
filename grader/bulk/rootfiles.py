"""Small files in a course root: the secret seed, and the lock of a grading at work."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from grader.bulk import GradeError
from grader.expected import PUBLIC_SEED

SEED_FILE = ".grader_seed"
LOCK_FILE = ".grader_lock"


def class_seed(root: Path, seed: int | str | None = None) -> tuple[int, bool]:
    """The seed of this grading, and whether it must stay secret.

    Parameters
    ----------
    root : Path
        Course root; its `.grader_seed` is made at first use and kept.
    seed : int or "public", optional
        Used instead. "public" is the seed of learners' notebooks: nothing is secret then.
    """
    if seed == "public":
        return PUBLIC_SEED, False
    if seed is not None:
        try:
            number = int(seed)
        except ValueError:
            number = -1
        if number < 0:
            raise GradeError(f"The seed is a whole number from 0 on, or 'public'; not {seed!r}.")
        return number, number != PUBLIC_SEED
    path = root / SEED_FILE
    if not path.exists():
        _make_secret(path)
    try:
        number = int(path.read_text("ascii"))
        if number <= PUBLIC_SEED:
            raise ValueError
    except (OSError, ValueError):
        raise GradeError(
            f"{path} does not hold a seed. Put back the copy of it, or delete it: "
            "a new one is made then, and the cases of all exercises change."
        ) from None
    return number, True


def _make_secret(path: Path) -> None:
    with writing(path):
        number = secrets.randbits(62) + 1
        place = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{number}\n")
        try:
            os.link(place, path)  # never over one that another run has made meanwhile
        except FileExistsError:
            pass
        finally:
            os.unlink(place)


@contextlib.contextmanager
def locked(root: Path, name: str = LOCK_FILE) -> Iterator[None]:
    """One grading at a time in a course root; one of each part (`name`) of a class.

    Raises
    ------
    GradeError
        If another one is at work.
    """
    try:
        import fcntl
    except ImportError:  # no such thing on Windows, where nothing is graded either
        yield
        return
    with writing(root / name):
        file = open(root / name, "a+")  # noqa: SIM115
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read(20).strip()
            raise GradeError(
                f"Another grading is at work in {root} (process {who or 'unknown'}). "
                "Wait until it has ended."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into a sentence."""
    try:
        yield
    except OSError as problem:
        raise GradeError(
            f"{path} cannot be written ({problem.strerror}). The folder beside the submissions "
            "holds gradebook and feedback; make it writable, or copy the submissions elsewhere."
        ) from None
