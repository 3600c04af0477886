"""Small changes to a piece of code, one at a time: what mutation testing feeds to the checks."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Change = Callable[[Any], ast.AST]

_OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_NAMES = {
    **{"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum"},
    **{"sum": "mean", "mean": "sum", "var": "std", "std": "var", "argmax": "argmin"},
    **{"sqrt": "square", "exp": "expm1", "log": "log1p", "sin": "cos", "cos": "sin"},
    **{"zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like"},
    **{"floor": "ceil", "ceil": "floor", "any": "all", "all": "any", "cumsum": "cumprod"},
}
_SYMMETRIC = {"maximum", "minimum", "add", "multiply", "max", "min", "array_equal", "allclose"}


@dataclass(frozen=True)
class Mutant:
    """One small change.

    Attributes
    ----------
    before, after : str
        The expression or statement that was changed, as code.
    source : str
        The whole definition, changed.
    place : int
        Which one of several equal changes in the definition this is, from 1.
    """

    before: str
    after: str
    source: str
    place: int = 1

    def __str__(self) -> str:
        again = f" (number {self.place})" if self.place > 1 else ""
        return " ".join(f"{self.before} -> {self.after}{again}".split())


def mutants(source: str) -> Iterator[Mutant]:
    """Every version of a definition with one change.

    Parameters
    ----------
    source : str
        A function or class, without decorators.
    """
    tree = _without_text(ast.parse(source))
    done = {ast.unparse(tree)}
    count: dict[tuple[str, str], int] = {}
    for number, node in enumerate(ast.walk(tree)):
        shown = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt | ast.Slice) else ""
        for change in _changes(node):
            new = copy.deepcopy(tree)
            old = next(other for place, other in enumerate(ast.walk(new)) if place == number)
            changed = change(old)
            if changed is not old:
                _replace(new, old, changed)
            text = ast.unparse(ast.fix_missing_locations(new))
            if text in done:
                continue
            done.add(text)
            key = shown, ast.unparse(changed)
            count[key] = count.get(key, 0) + 1
            yield Mutant(*key, text, count[key])


def _changes(node: ast.AST) -> list[Change]:
    """What can be done to a node: each changes it in place, or gives another for it."""
    changes: list[Change] = []
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
        changes += [_setting("op", other()) for other in _OPERATORS.get(type(node.op), ())]
    if isinstance(node, ast.BinOp):
        if not isinstance(node.op, ast.MatMult | ast.Pow):
            changes += [_part("left"), _part("right")]
        if isinstance(node.op, ast.MatMult | ast.Sub | ast.Div):
            changes.append(_exchange)
    elif isinstance(node, ast.BoolOp):
        changes += [lambda n: n.values[0], lambda n: n.values[-1]]
    elif isinstance(node, ast.Compare):
        for other in _OPERATORS.get(type(node.ops[0]), ()):
            changes.append(_setting("ops", [other(), *node.ops[1:]]))
    elif isinstance(node, ast.UnaryOp):
        changes.append(_part("operand"))
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        changes.append(_negate)
    elif isinstance(node, ast.Constant):
        changes += [_becoming(ast.Constant(other)) for other in _other_values(node.value)]
    elif isinstance(node, ast.Call):
        changes += _changed_calls(node)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        changes.append(_part("value"))
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        changes += [_swapping(place) for place in range(len(node.value.elts) - 1)]
    elif isinstance(node, ast.Slice):
        changes += [_one_more(name) for name in ("lower", "upper") if getattr(node, name)]
    if isinstance(node, ast.AugAssign | ast.Assign):
        changes.append(_becoming(ast.Pass()))
    if isinstance(node, ast.AugAssign):
        changes.append(lambda n: ast.Assign([n.target], n.value, lineno=1))
    return changes


def _changed_calls(node: ast.Call) -> list[Change]:
    changes: list[Change] = []
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if len(node.args) == 2 and not starred and name not in _SYMMETRIC:
        changes.append(_setting("args", node.args[::-1]))
    if isinstance(node.func, ast.Attribute) and name in _NAMES:
        changes.append(_setting("func", ast.Attribute(node.func.value, _NAMES[name], ast.Load())))
        if len(node.args) == 1 and not node.keywords and not starred:
            changes.append(lambda n: n.args[0])
    for place in range(len(node.keywords)):
        changes.append(_setting("keywords", node.keywords[:place] + node.keywords[place + 1 :]))
    return changes


def _other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [value * 2, 0.0 if value else 1.0]
    return []


def _setting(name: str, value: Any) -> Change:
    def change(node: Any) -> ast.AST:
        setattr(node, name, copy.deepcopy(value))
        return node

    return change


def _part(name: str) -> Change:
    return lambda node: getattr(node, name)


def _becoming(other: ast.AST) -> Change:
    return lambda node: other


def _exchange(node: Any) -> ast.AST:
    node.left, node.right = node.right, node.left
    return node


def _negate(node: Any) -> ast.AST:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node


def _swapping(place: int) -> Change:
    def change(node: Any) -> ast.AST:
        items = node.value.elts
        items[place], items[place + 1] = items[place + 1], items[place]
        return node

    return change


def _one_more(name: str) -> Change:
    def change(node: Any) -> ast.AST:
        setattr(node, name, ast.BinOp(getattr(node, name), ast.Add(), ast.Constant(1)))
        return node

    return change


def _without_text(tree: ast.AST) -> ast.AST:
    """Without docstrings and annotations: they do nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and len(node.body) > 1:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
    return tree


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]
