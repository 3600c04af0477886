"""Whether two pieces of work are the same but for names, layout and comments.

Short functions are alike because there are few ways to write them. So only long ones are compared,
and equality is a question for a person, never a verdict.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache

from grader.build import source_of
from grader.exercise import Exercise
from grader.parsing import parse

MIN_NODES = 90  # of a syntax tree: about ten lines


def digests(cells: Iterable[str], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """A digest for each long function or class called one of `names`; the last definition counts.

    Parameters
    ----------
    cells : iterable of str
        Code that may not parse; such cells are passed over.
    """
    wanted = set(names)
    found: dict[str, str] = {}
    for source in cells:
        if "def" not in source and "class" not in source:
            continue
        try:
            tree = parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in wanted:
                found.pop(node.name, None)
                if text := normalised(node):
                    found[node.name] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return tuple(sorted(found.items()))


@cache
def published(exercise: Exercise) -> str:
    """The digest of the course's own answer; empty where it is short."""
    return dict(digests([source_of(exercise.answer)], [exercise.name])).get(exercise.name, "")


def normalised(node: ast.AST) -> str:
    """The tree as text without names of its own, docstrings and positions; empty if short."""
    try:
        nodes = list(ast.walk(node))
        if len(nodes) < MIN_NODES:
            return ""
        names: dict[str, str] = {}
        own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        own |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        for each in nodes:
            if isinstance(each, ast.Name) and each.id in own:
                each.id = names.setdefault(each.id, f"v{len(names)}")
            elif isinstance(each, ast.arg):
                each.arg = names.setdefault(each.arg, f"v{len(names)}")
                each.annotation = None
            elif isinstance(each, ast.FunctionDef | ast.ClassDef):
                each.body = [s for s in each.body if not _is_text(s)] or [ast.Pass()]
        return ast.dump(node)
    except RecursionError:
        return ""


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
