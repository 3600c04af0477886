"""Text of notebook cells and files made ready to run: magics out, broken blocks apart."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass
from functools import lru_cache

from grader import parsing

_RUNS_PYTHON = {"time", "timeit", "capture", "prun"}  # cell magics around ordinary Python
_HARMLESS = {"matplotlib", "load_ext", "reload_ext", "autoreload", "config", "pylab", "precision"}
_HARMLESS |= {"timeit", "who", "whos", "pinfo", "pinfo2", "pdb", "xmode", "clear", "colors"}
_ASSIGNED = re.compile(r"^(\s*)([A-Za-z_][\w, ]*)=\s*([!%].*)$")
_ASKED = re.compile(r"^\s*[\w.]+\?{1,2}\s*$")
_MAX_JOINED = 30  # pieces tried together when one alone does not parse


@dataclass(frozen=True)
class Broken:
    """A stretch of text that is not Python."""

    line: int
    message: str
    text: str


@lru_cache(maxsize=1)  # whoever looks for magics and whoever runs the cell need the same tree
def parse(source: str) -> ast.Module:
    """Parse a cell without passing on Python's remarks about its style."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parsing.parse(source)


def without_magics(source: str) -> tuple[str, list[str]]:
    """Replace what only IPython understands.

    Returns
    -------
    source : str
        Python with the same number of lines.
    remarks : list of str
        What was left out and might be missed.
    """
    if _parses(source):
        return source, []
    lines = source.split("\n")
    remarks: list[str] = []
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        name = lines[first][2:].split(None, 1)[0] if lines[first][2:].strip() else ""
        if name not in _RUNS_PYTHON:
            return "", [f"the cell starts with %%{name} and is skipped"]
        lines[first] = ""
    for i, line in enumerate(lines):
        if _may_be_magic(line) and not _goes_on("\n".join(lines[:i])):
            lines[i], remark = _replaced(line)
            if remark:
                remarks.append(f"line {i + 1}: {remark}")
    return "\n".join(lines), remarks


def split_blocks(source: str) -> list[tuple[ast.Module | None, Broken | None]]:
    """Cut a file with a syntax error at its top-level statements; parse each on its own.

    Line numbers stay those of the file. A block that does not parse comes as `Broken`.
    """
    lines = source.split("\n")
    starts = [i for i, line in enumerate(lines) if _starts_block(line, lines[i - 1] if i else "")]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    ends = [*starts[1:], len(lines)]
    blocks: list[tuple[ast.Module | None, Broken | None]] = []
    i = 0
    while i < len(starts):
        # a piece may be the beginning of a longer statement: a docstring, an open bracket
        for last in range(i, min(i + _MAX_JOINED, len(starts))):
            text = "\n" * starts[i] + "\n".join(lines[starts[i] : ends[last]])
            if (tree := _parsed(text)) is not None:
                blocks.append((tree, None))
                i = last + 1
                break
        else:
            blocks.append((None, _problem(lines, starts[i], ends[i])))
            i += 1
    return blocks


def _starts_block(line: str, before: str) -> bool:
    if not line.strip() or line[0] in " \t#)]}":
        return False
    if re.match(r"(else|elif|except|finally)\b", line):
        return False
    return not before.startswith("@") and not before.endswith("\\")


def _problem(lines: list[str], start: int, end: int) -> Broken:
    try:
        parse("\n" * start + "\n".join(lines[start:end]))
    except SyntaxError as problem:
        line = problem.lineno or start + 1
        text = lines[line - 1].strip() if line <= len(lines) else ""
        return Broken(line, problem.msg, text)
    except (ValueError, RecursionError, MemoryError) as problem:
        return Broken(start + 1, str(problem), lines[start].strip())
    raise AssertionError("the block parses after all")


def _parsed(source: str) -> ast.Module | None:
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parses(source: str) -> bool:
    return _parsed(source) is not None


def _may_be_magic(line: str) -> bool:
    return line.lstrip()[:1] in ("%", "!", "?") or bool(_ASSIGNED.match(line) or _ASKED.match(line))


def _goes_on(before: str) -> bool:
    """Whether `before` ends inside a bracket or a string: then `%` there is an operator."""
    if before.endswith("\\"):
        return True
    try:
        for _ in tokenize.generate_tokens(io.StringIO(before).readline):
            pass
    except tokenize.TokenError as problem:
        return "EOF in multi-line" in str(problem)
    except (SyntaxError, ValueError):
        pass
    return False


def _replaced(line: str) -> tuple[str, str]:
    """Python in place of a magic, and a remark if something was lost."""
    indent = line[: len(line) - len(line.lstrip())]
    if assigned := _ASSIGNED.match(line):
        return f"{indent}{assigned[2].strip()} = None", f"{assigned[3].strip()!r} was not run"
    text = line.strip()
    if _ASKED.match(line) or text.startswith("?"):
        return indent + "pass", ""
    if text.startswith("!"):
        return indent + "pass", f"the shell command {text!r} was not run"
    name, _, rest = text.lstrip("%").partition(" ")
    if name == "time" and rest.strip():
        return indent + rest.strip(), ""
    return indent + "pass", "" if name in _HARMLESS else f"{text!r} was not run"
