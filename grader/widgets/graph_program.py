"""A small program as a computation graph: its nodes, their places, values and gradients."""

import ast

import numpy as np

from .activations import sigmoid

WIDTH, HEIGHT = 98, 70  # size of a node; graph.js uses the same
ACROSS, DOWN, MARGIN, LANE = 180, 96, 6, 26

# name: (value, local derivatives, formula, local derivatives as text); v is the node's value
OPERATIONS = {
    "+": (lambda a, b: a + b, lambda v, a, b: (1.0, 1.0), "{0} + {1}", ("", "")),
    "-": (lambda a, b: a - b, lambda v, a, b: (1.0, -1.0), "{0} − {1}", ("", "")),
    "*": (lambda a, b: a * b, lambda v, a, b: (b, a), "{0} · {1}", ("{1}", "{0}")),
    "/": (
        lambda a, b: a / b,
        lambda v, a, b: (1 / b, -a / b**2),
        "{0} / {1}",
        ("1/{1}", "−{0}/{1}²"),
    ),
    "square": (lambda a: a * a, lambda v, a: (2 * a,), "{0}²", ("2{0}",)),
    "sigmoid": (sigmoid, lambda v, a: (v * (1 - v),), "σ({0})", ("{v}(1 − {v})",)),
    "tanh": (np.tanh, lambda v, a: (1 - v * v,), "tanh({0})", ("1 − {v}²",)),
    "relu": (
        lambda a: max(a, 0.0),
        lambda v, a: (float(a > 0),),
        "relu({0})",
        ("1 where {0} > 0, else 0",),
    ),
    "exp": (np.exp, lambda v, a: (v,), "exp({0})", ("{v}",)),
    "log": (np.log, lambda v, a: (1 / a,), "log({0})", ("1/{0}",)),
}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def read_program(program: str) -> list[dict]:
    """Nodes of a program with one operation a line, inputs first, in the order of computing.

    Raises
    ------
    ValueError
        for a line that is not ``name = one operation on names``.
    """
    order: list[dict] = []
    made: set[str] = set()
    inputs: list[str] = []
    for line in ast.parse(program.strip()).body:
        match line:
            case ast.Assign(targets=[ast.Name(name)], value=value) if name not in made:
                operation, parents = _operation(value)
            case _:
                operation, parents = "", []
        if operation not in OPERATIONS:
            raise ValueError(
                f"line {line.lineno}, {ast.unparse(line)!r}: expected a new name = one operation "
                f"on names, such as 'z = u + b', 'a = sigmoid(z)', 'L = e ** 2'"
            )
        inputs += [p for p in parents if p not in made and p not in inputs]
        _, _, formula, local = OPERATIONS[operation]
        order.append(
            {
                "name": name,
                "op": operation,
                "parents": parents,
                "template": formula,
                "formula": formula.format(*parents),
                "local": [text.format(*parents, v=name) for text in local],
            }
        )
        made.add(name)
    blank = {"op": "", "parents": [], "template": "", "formula": "", "local": []}
    return [{"name": name, **blank} for name in inputs] + order


def _operation(value: ast.expr) -> tuple[str, list[str]]:
    match value:
        case ast.BinOp(ast.Name(base), ast.Pow(), ast.Constant(2)):
            return "square", [base]
        case ast.BinOp(ast.Name(one), sign, ast.Name(two)):
            return SIGNS.get(type(sign), ""), [one, two]
        case ast.Call(ast.Name(function), [ast.Name(argument)]):
            return function, [argument]
    return "", []


def place(nodes: list[dict]) -> tuple[int, int]:
    """Give each node its x and y; return the width and height of the picture.

    Columns follow the depth of the computation; an input stands one column before its first
    use. Within a column, operations stand above inputs.
    """
    depth: dict[str, int] = {}
    for node in nodes:
        depth[node["name"]] = 1 + max((depth[p] for p in node["parents"]), default=-1)
    for node in nodes:
        if not node["op"]:
            uses = [depth[n["name"]] for n in nodes if node["name"] in n["parents"]]
            depth[node["name"]] = min(uses) - 1
    columns = [[n for n in nodes if depth[n["name"]] == d] for d in range(max(depth.values()) + 1)]
    tallest = max(len(column) for column in columns)
    for d, column in enumerate(columns):
        column.sort(key=lambda node: not node["op"])
        for i, node in enumerate(column):
            node["x"] = MARGIN + d * ACROSS
            node["y"] = MARGIN + int(((tallest - len(column)) / 2 + i) * DOWN)
    width = 2 * MARGIN + (len(columns) - 1) * ACROSS + WIDTH
    height = 2 * MARGIN + (tallest - 1) * DOWN + HEIGHT
    # An edge over more than one column would pass behind nodes; it takes a lane below them.
    for node in nodes:
        long = [depth[node["name"]] - depth[p] > 1 for p in node["parents"]]
        node["lanes"] = []
        for far in long:
            node["lanes"].append(height + LANE / 2 if far else None)
            height += LANE * far
    return width, height


def curve(parent: dict, node: dict, lane: float | None) -> str:
    """The path of an edge from a parent's right side to a node's left side."""
    x0, y0 = parent["x"] + WIDTH, parent["y"] + HEIGHT / 2
    x1, y1 = node["x"] - 6, node["y"] + HEIGHT / 2
    if lane is None:
        return f"M{x0},{y0} C{x0 + 30},{y0} {x1 - 24},{y1} {x1},{y1}"
    return (
        f"M{x0},{y0} C{x0 + 44},{y0} {x0 + 10},{lane} {x0 + 70},{lane} "
        f"L{x1 - 76},{lane} C{x1 - 16},{lane} {x1 - 50},{y1} {x1},{y1}"
    )


def evaluate(nodes: list[dict], inputs: dict[str, float]) -> tuple[dict, dict]:
    """Value of every node, and the gradient of the last one with respect to every node."""
    values = dict(inputs)
    for node in nodes:
        if node["op"]:
            value = OPERATIONS[node["op"]][0](*(values[p] for p in node["parents"]))
            values[node["name"]] = float(value)
    gradients = dict.fromkeys(values, 0.0)
    gradients[nodes[-1]["name"]] = 1.0
    for node in reversed(nodes):
        if node["op"]:
            name, parents = node["name"], node["parents"]
            local = OPERATIONS[node["op"]][1](values[name], *(values[p] for p in parents))
            for parent, slope in zip(parents, local, strict=True):
                gradients[parent] += gradients[name] * float(slope)
    return values, gradients
