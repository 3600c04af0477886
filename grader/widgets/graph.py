"""Chapter 02: a computation graph to walk through, forward and backward, in the browser.

`graph.js` computes and draws; this module reads the program, places the nodes, and draws the
static picture for pages without a kernel.
"""

import ast
import html
from collections.abc import Callable
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from . import learner, style
from .activations import sigmoid
from .learner import LearnerProblem

HERE = Path(__file__).parent
WIDTH, HEIGHT = 98, 70  # size of a node; graph.js uses the same
ACROSS, DOWN, MARGIN, LANE = 180, 96, 6, 26

ONE_NEURON = """
u = w * x
z = u + b
a = sigmoid(z)
e = a - y
L = e ** 2
"""

PREDICT = (
    "Set x to 0. Which gradients become 0 then, and which do not? Walk backward first, then try "
    "it with the sliders."
)

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


class GraphWidget(anywidget.AnyWidget):
    """The widget behind `explore_graph`; its state is what the browser and Python share.

    Attributes
    ----------
    inputs : value of each input
    step : position in the walk: 0 start, 1..K forward, K + 1 the seed, then K backward
    power : the nudge is 10 ** power
    own, problem : the learner's gradients, or the sentence that says why there are none
    """

    _esm = (HERE / "graph.js").read_text(encoding="utf-8")
    _css = (HERE / "graph.css").read_text(encoding="utf-8")
    nodes = traitlets.List().tag(sync=True)
    size = traitlets.List().tag(sync=True)
    inputs = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    power = traitlets.Float(-2.0).tag(sync=True)
    predict = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    own_name = traitlets.Unicode("").tag(sync=True)
    own = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self, program: str, inputs: dict, gradients: Callable | None, predict: str):
        nodes = read_program(program)
        size = place(nodes)
        names = [n["name"] for n in nodes if not n["op"]]
        if set(inputs) != set(names):
            raise ValueError(f"inputs are {', '.join(inputs)}; the program uses {', '.join(names)}")
        self._gradients = gradients
        super().__init__(
            nodes=nodes,
            size=list(size),
            inputs={name: float(inputs[name]) for name in names},
            predict=predict,
            alt=f"Computation graph of {nodes[-1]['name']}: "
            + "; ".join(f"{n['name']} = {n['formula']}" for n in nodes if n["op"]),
            own_name=learner.name_of(gradients) if gradients else "",
        )
        self.observe(self._ask_learner, "inputs")
        self._ask_learner()

    def _ask_learner(self, _change=None) -> None:
        """Bring the learner's column up to date."""
        if self._gradients is None:
            return
        try:
            result = learner.call(self._gradients, **self.inputs)
            if not isinstance(result, dict):
                shape = (len(self.inputs),)
                array = learner.as_array(result, shape, self._gradients)
                result = dict(zip(self.inputs, array, strict=True))
            own = {}
            for name in self.inputs:
                if result.get(name) is not None:
                    own[name] = float(learner.as_array(result[name], (), self._gradients))
            self.own, self.problem = own, ""
        except LearnerProblem as problem:
            self.own, self.problem = {}, str(problem).replace("`", "")

    def close(self) -> None:
        """Close the widget and its layout."""
        self._gradients = None
        self.unobserve_all()
        self.layout.close()
        super().close()

    def static_svg(self) -> str:
        """The whole graph after the backward pass, as a picture that needs no script."""
        values, gradients = evaluate(self.nodes, self.inputs)
        places = {n["name"]: n for n in self.nodes}
        out = self.nodes[-1]["name"]
        parts = [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="sans-serif" '
            f'viewBox="0 0 {self.size[0]} {self.size[1]}" width="{self.size[0]}" '
            f'text-anchor="middle"><title>{html.escape(self.alt)}</title>'
            '<rect width="100%" height="100%" fill="white"/>'
        ]
        for node in self.nodes:
            for parent, lane in zip(node["parents"], node["lanes"], strict=True):
                x1, y1 = node["x"], node["y"] + HEIGHT / 2
                parts.append(
                    f'<path d="{curve(places[parent], node, lane)}" fill="none" stroke="#888" '
                    f'stroke-width="2"/><path fill="#888" '
                    f'd="M{x1 - 10},{y1 - 5} L{x1 - 1},{y1} L{x1 - 10},{y1 + 5} z"/>'
                )
        for node in self.nodes:
            x, y, name = node["x"] + WIDTH / 2, node["y"], node["name"]
            title = f"{name} = {node['formula']}" if node["op"] else name
            rows = (
                (20, style.INK, 14, title),
                (40, style.BLUE, 14, style.number(values[name])),
                (59, style.RED, 12.5, f"∂{out}/∂{name}  {style.number(gradients[name])}"),
            )
            parts.append(
                f'<rect x="{node["x"]}" y="{y}" width="{WIDTH}" height="{HEIGHT}" '
                f'rx="{8 if node["op"] else 22}" fill="{"white" if node["op"] else "#f3f3f3"}" '
                'stroke="#888" stroke-width="1.5"/>'
            )
            parts += [
                f'<text x="{x}" y="{y + dy}" fill="{colour}" font-size="{points}">'
                f"{html.escape(text)}</text>"
                for dy, colour, points, text in rows
            ]
        return "".join(parts) + "</svg>"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        svg = self.static_svg()
        caption = "Values in blue, gradients in red. In JupyterLab this picture can be walked."
        figure = f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"
        data = {**data, "image/svg+xml": svg, "text/html": figure, "text/plain": self.alt}
        return data, metadata


def explore_graph(
    program: str = ONE_NEURON,
    gradients: Callable | None = None,
    predict: str | None = PREDICT,
    **inputs: float,
) -> GraphWidget:
    """A computation graph to walk through, with a nudge test for every input beside it.

    Parameters
    ----------
    program : one operation a line (``+ - * /``, ``** 2``, ``sigmoid``, ``tanh``, ``relu``,
        ``exp``, ``log``); the last line is the output. By default one sigmoid neuron with its
        squared error.
    gradients : the learner's function, called with the inputs by name
        (``gradients(w=..., x=..., b=..., y=...)``); returns the gradients in the order in which
        the inputs appear in the program, or a dict
    predict : the question above the picture
    inputs : the value each input begins with
    """
    if program == ONE_NEURON:
        inputs = {"w": 1.0, "x": 2.0, "b": -1.5, "y": 1.0, **inputs}
    elif predict == PREDICT:  # a question about another graph
        predict = None
    return GraphWidget(program, inputs, gradients, predict or "")
