"""Chapter 02: a computation graph to walk through, forward and backward, in the browser.

`graph.js` computes and draws; this module holds what it shows, and draws the static picture for
pages without a kernel.
"""

import html
from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

from . import learner, style
from .frame import replace_older
from .graph_program import HEIGHT, WIDTH, curve, evaluate, place, read_program
from .learner import LearnerProblem

HERE = Path(__file__).parent
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
        replace_older(self)

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
