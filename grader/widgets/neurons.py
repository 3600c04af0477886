"""Chapter 01: one neuron's line, hidden units as movable lines, a net that bends a curve.

`train_two_layer` is the trainer that the chapter's result uses before training is explained.
"""

from collections.abc import Callable

import contourpy
import numpy as np
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from . import learner, style
from .controls import choice, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

EDGE = 2.0  # the plane is drawn from -EDGE to EDGE
YES, NO = style.BLUE, style.RED
LINES = (style.GREEN, style.PURPLE, style.INK)  # the hidden units of the second explorer
FIELD = LinearSegmentedColormap.from_list("no to yes", ["#F0A884", "#FFFFFF", "#8FC1E3"])


def sigmoid(z):
    """1 / (1 + exp(-z)), written so that large z does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


# --- points in the plane -----------------------------------------------------------------------


def _two_groups(rng):
    centres = np.array([[-0.1, -0.2], [1.2, 1.05]])
    y = np.arange(40) % 2
    return centres[y] + 0.36 * rng.standard_normal((40, 2)), y


def _xor(rng):
    corner = np.arange(40) % 4
    signs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])[corner]
    x = signs + 0.24 * rng.standard_normal((40, 2))
    return x, (signs[:, 0] != signs[:, 1]).astype(int)


TRIANGLE = np.array([[-1.3, -1.0], [1.35, -0.8], [0.1, 1.45]])


def _triangle(rng):
    x = rng.uniform(-1.85, 1.85, (160, 2))
    sides = np.stack(
        [_across(p, q, x) for p, q in zip(TRIANGLE, np.roll(TRIANGLE, -1, axis=0), strict=True)]
    )
    keep = np.abs(sides).min(axis=0) > 0.12  # nothing on the border
    return x[keep][:70], (sides.min(axis=0) > 0)[keep][:70].astype(int)


def _across(p, q, x):
    """Signed distance of points from the line through p and q, positive on its left."""
    d = (q - p) / np.linalg.norm(q - p)
    return d[0] * (x[:, 1] - p[1]) - d[1] * (x[:, 0] - p[0])


def _stripe(rng):
    x = rng.uniform(-1.85, 1.85, (120, 2))
    t = x[:, 0] - 0.4 * x[:, 1]
    keep = np.abs(np.abs(t) - 0.65) > 0.12
    return x[keep][:70], (np.abs(t) < 0.65)[keep][:70].astype(int)


POINTS = {
    "two groups": _two_groups(np.random.default_rng(5)),
    "XOR": _xor(np.random.default_rng(2)),
    "triangle": _triangle(np.random.default_rng(3)),
    "stripe": _stripe(np.random.default_rng(4)),
}


# --- drawing -----------------------------------------------------------------------------------

SIDE = 61  # the field is computed on SIDE x SIDE points
_ticks = np.linspace(-EDGE, EDGE, SIDE)
GRID = np.stack(np.meshgrid(_ticks, _ticks), axis=-1).reshape(-1, 2)  # (SIDE * SIDE, 2)


BANDS = np.linspace(0, 1, 17)  # flat colours: drawn and sent in a third of the time of an image
SHADES = FIELD((BANDS[:-1] + BANDS[1:]) / 2)


def _plane(ax, title):
    """An empty square plane; returns its field, to be painted by `_paint`."""
    field = PathCollection([], linewidths=0.6)
    ax.add_collection(field, autolim=False)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title, xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE))
    ax.set(xticks=range(-2, 3), yticks=range(-2, 3), aspect="equal")
    ax.grid(False)
    return field


def _paint(field, values):
    """Colour the plane by values from 0 (no) to 1 (yes), (SIDE * SIDE,) in the order of GRID."""
    values = np.clip(values.reshape(SIDE, SIDE), 1e-9, 1 - 1e-9)
    generator = contourpy.contour_generator(
        _ticks, _ticks, values, fill_type=contourpy.FillType.OuterCode
    )
    paths, colours = [], []
    for low, high, shade in zip(BANDS[:-1], BANDS[1:], SHADES, strict=True):
        for points, codes in zip(*generator.filled(low, high), strict=True):
            paths.append(Path(points, codes))
            colours.append(shade)
    field.set_paths(paths)
    field.set_facecolor(colours)
    field.set_edgecolor(colours)


def _marks(ax, **more):
    """Points of the two classes: blue discs for yes, red triangles for no."""
    look = {"ls": "none", "mec": "white", "mew": 0.8, **more}
    (yes,) = ax.plot([], [], "o", color=YES, ms=7, label="yes", **look)
    (no,) = ax.plot([], [], "^", color=NO, ms=7, label="no", **look)
    return yes, no


def _place(marks, across, up, y):
    """Put the points of both classes where they belong."""
    for mark, kind in zip(marks, (1, 0), strict=True):
        mark.set_data(across[y == kind], up[y == kind])


def _span(w, b):
    """End points of the line w x + b = 0, longer than the plane, and its foot from the origin."""
    length = np.hypot(*w)
    if length < 1e-9:
        return np.full((2, 2), np.nan), np.full(2, np.nan), np.zeros(2)
    unit = np.asarray(w) / length
    foot = -b / length * unit
    along = np.array([-unit[1], unit[0]])
    return np.stack([foot - 4 * along, foot + 4 * along]), foot, unit


def _first(result):
    """The output of a learner's forward function, which may return (out, cache)."""
    return result[0] if isinstance(result, tuple) and result else result


# --- one neuron --------------------------------------------------------------------------------


def explore_neuron(
    f: Callable | None = None,
    points: str = "two groups",
    predict: str | None = "Now w = (1, 1) and b = 0. Which way does the line move when b grows to "
    "1.5: towards the blue points or away from them? And what changes when w1, w2 and b are all "
    "doubled?",
) -> Explorer:
    """One neuron in the plane: its line, its answers as a field, and its response curve.

    Parameters
    ----------
    f : the learner's ``neuron_forward(x, w, b)``; it then paints the field, and is compared with
        the reference
    points : the points to begin with, "two groups" or "XOR"
    predict : the question above the picture
    """
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 4.0), width_ratios=(1, 1.05))
        field = _plane(left, "the plane of inputs")
        (line,) = left.plot([], [], color=style.HERE, lw=2.2)
        (arrow,) = left.plot([], [], color=style.HERE, lw=2.2)
        (head,) = left.plot([], [], color=style.HERE, lw=2.2, solid_joinstyle="miter")
        marks = _marks(left)
        z = np.linspace(-8, 8, 321)
        right.plot(z, sigmoid(z), color=style.GREY, lw=1.6)
        right.axvline(0, color=style.HERE, lw=1.6)
        right.text(0.25, 0.02, "the line: z = 0", fontsize=9.5)
        right.set(title="its answer to each point", xlabel="$z = w_1 x_1 + w_2 x_2 + b$")
        right.set(ylabel="$a$ = sigmoid($z$)", xlim=(-8, 8), ylim=(-0.05, 1.05))
        answers = _marks(right, alpha=0.85)
        right.legend(handles=answers, loc="upper left")
    picture = LiveFigure(
        figure,
        [field, line, *marks, arrow, head, *answers],
        alt="Left: points of two kinds in a plane, coloured by a neuron's answer, with the line "
        "where it is undecided. Right: the answers to the points along the sigmoid.",
    )

    def move(points, w1, w2, b):
        x, y = POINTS[points]
        w = np.array([w1, w2])
        values = sigmoid(GRID @ w + b)
        own, problem = values, ""
        if f is not None:
            try:
                own = _first(learner.call(f, GRID, w, b))
                own = learner.as_array(own, values.shape, f)
            except LearnerProblem as found:
                own, problem = values, str(found)
        _paint(field, own)
        ends, foot, unit = _span(w, b)
        line.set_data(*ends.T)
        tip = foot + 0.5 * unit
        side = 0.11 * np.array([-unit[1], unit[0]])
        arrow.set_data(*np.stack([foot, tip]).T)
        head.set_data(*np.stack([tip - 0.16 * unit + side, tip, tip - 0.16 * unit - side]).T)
        sums = x @ w + b
        _place(marks, *x.T, y)
        _place(answers, np.clip(sums, -8, 8), sigmoid(sums), y)
        proper = int(((sums > 0) == (y == 1)).sum())
        n = style.number
        if np.hypot(w1, w2) < 1e-9:
            reading = f"Without weights there is no line: the answer is {n(sigmoid(b))} everywhere."
        else:
            away = n(abs(b) / np.hypot(w1, w2), 2)
            reading = f"The line lies **{away}** from the origin; the arrow is w and points to yes."
        reading += f" On their proper side: **{proper} of {len(y)}** points."
        if f is not None and not problem:
            gap = np.abs(own - values).max()
            reading += f" `{learner.name_of(f)}` differs from the reference by at most {n(gap)}."
        return reading, problem

    controls = {
        "points": choice("points", ["two groups", "XOR"], points),
        "w1": slider("w1", 1.0, -4.0, 4.0, 0.1, ".1f"),
        "w2": slider("w2", 1.0, -4.0, 4.0, 0.1, ".1f"),
        "b": slider("b", 0.0, -4.0, 4.0, 0.1, ".1f"),
    }
    caption = (
        "Left: blue where the neuron says yes, red where it says no, white where it cannot decide. "
        "Right: each point at its own z. Long weights make the step between no and yes steep."
    )
    solved = {"w1": 2.0, "w2": 2.0, "b": -2.6} if points == "two groups" else None
    return explorer(picture, move, controls, predict, caption, still=solved)


# --- hidden units as lines ---------------------------------------------------------------------

SOLVED = {  # angle and shift of three lines, then votes: what the static picture shows
    "XOR": ((45, -0.7), (-135, -0.7), (0, 3.0), 1.5),
    "stripe": ((-22, -0.6), (158, -0.6), (0, 3.0), 1.5),
    "triangle": ((94, -1.0), (-151, -0.9), (-30, -0.7), 2.5),
}


def lines_as_net(lines, votes: float, steepness: float):
    """The two-layer net of some lines that vote.

    Parameters
    ----------
    lines : sequence of (angle, shift)
        Each line's unit says yes where cos(angle) x1 + sin(angle) x2 > shift.
    votes : float
        The net says yes if the hidden values add up to more than this.
    steepness : float
        Length of each unit's weights.

    Returns
    -------
    W1, b1, W2, b2 : arrays
    """
    angle = np.radians([a for a, _ in lines])
    W1 = steepness * np.stack([np.cos(angle), np.sin(angle)])  # (2, H)
    b1 = -steepness * np.array([shift for _, shift in lines])
    return W1, b1, np.ones((len(lines), 1)), np.array([-float(votes)])


def explore_hidden_lines(
    f: Callable | None = None,
    points: str = "XOR",
    predict: str | None = "Two lines are enough for XOR; line 3 is out of sight and always says "
    "no. How must lines 1 and 2 lie, and how many yes votes must the output ask for? Solve it, "
    "then try the triangle.",
) -> Explorer:
    """Three hidden units as lines in the plane, and an output unit that counts their votes.

    Parameters
    ----------
    f : the learner's ``two_layer_forward(x, W1, b1, W2, b2)``; it then paints the field
    points : the points to begin with, "XOR", "stripe" or "triangle"
    predict : the question above the picture
    """
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 4.1), width_ratios=(1.1, 1))
        field = _plane(left, "the plane of inputs")
        lines, ticks, names = [], [], []
        for number, colour in enumerate(LINES, 1):
            lines += left.plot([], [], color=colour, lw=2.4)
            ticks += left.plot([], [], color=colour, lw=2.4)
            look = {"color": colour, "weight": "bold", "ha": "center", "va": "center"}
            names.append(left.text(0, 0, str(number), clip_on=True, **look))
        border = LineCollection([], colors=style.GREY, linewidths=2.0, linestyles=(0, (3, 2)))
        left.add_collection(border)
        marks = _marks(left)
        right.set(title="votes for yes", xlabel="sum of the three hidden values", ylim=(-0.1, 1.1))
        right.set(xlim=(-0.1, 3.1), xticks=range(4), yticks=[])
        right.text(0.02, 1.02, "yes-points", color=YES, fontsize=9.5)
        right.text(0.02, -0.06, "no-points", color=NO, fontsize=9.5)
        right.grid(axis="y", visible=False)
        votes_line = right.axvline(1.5, color=style.HERE, lw=1.8)
        counted = _marks(right, alpha=0.8)
    moving = [field, border, *lines, *ticks, *names, *marks, votes_line, *counted]
    picture = LiveFigure(
        figure,
        moving,
        alt="Left: points of two kinds in a plane with three numbered lines, one per hidden unit; "
        "the net's answer is the colour. Right: how many hidden units say yes to each point.",
    )
    height = np.random.default_rng(0).uniform(0, 1, 200)  # points keep apart on the right

    def move(points, votes, steepness, **at):
        x, y = POINTS[points]
        placed = [(at[f"angle{i}"], at[f"shift{i}"]) for i in (1, 2, 3)]
        net = lines_as_net(placed, votes, steepness)
        W1, b1, W2, b2 = net

        def reference(rows):
            return sigmoid(rows @ W1 + b1) @ W2 + b2

        values = reference(GRID)
        own, problem = values, ""
        if f is not None:
            try:
                own = learner.as_array(_first(learner.call(f, GRID, *net)), values.shape, f)
            except LearnerProblem as found:
                own, problem = values, str(found)
        _paint(field, 0.5 + 0.5 * np.tanh(2 * own))
        own = own.reshape(SIDE, SIDE)
        shape = contourpy.contour_generator(_ticks, _ticks, own).lines(0.0)
        border.set_segments([s for s in shape if len(s) > 1])
        for i in range(3):
            ends, foot, unit = _span(W1[:, i], b1[i])
            lines[i].set_data(*ends.T)
            ticks[i].set_data(*np.stack([foot, foot + 0.3 * unit]).T)
            names[i].set_position(foot + 0.42 * unit)
        hidden = sigmoid(x @ W1 + b1)
        total = hidden.sum(axis=1)
        votes_line.set_xdata([votes, votes])
        _place(marks, *x.T, y)
        _place(counted, total, 0.1 + 0.33 * height[: len(y)] + 0.5 * y, y)
        good = int(((reference(x)[:, 0] > 0) == (y == 1)).sum())
        reading = (
            f"Yes where more than **{style.number(votes, 1)}** of 3 units vote yes: "
            f"**{good} of {len(y)}** points right."
        )
        if good == len(y):
            reading += " All of them."
        if f is not None and not problem:
            gap = style.number(np.abs(own.ravel() - values.ravel()).max())
            reading += f" `{learner.name_of(f)}` differs from the reference by at most {gap}."
        return reading, problem

    start = ((0, -0.8), (90, -0.8), (0, 3.0))
    controls = {"points": choice("points", ["XOR", "stripe", "triangle"], points)}
    for i, (angle, shift) in enumerate(start, 1):
        controls[f"angle{i}"] = slider(f"line {i}: angle", angle, -180, 180, 1)
        controls[f"shift{i}"] = slider(f"line {i}: shift", shift, -3.0, 3.0, 0.1, ".1f")
    controls["votes"] = slider("votes needed", 1.5, 0.5, 2.5, 0.5, ".1f")
    controls["steepness"] = slider("steepness", 8.0, 1.0, 20.0, 0.5, ".1f")
    still: dict = {"points": points, "votes": SOLVED[points][3]}
    for i, (angle, shift) in enumerate(SOLVED[points][:3], 1):
        still |= {f"angle{i}": angle, f"shift{i}": shift}
    caption = (
        "Each numbered line is one hidden unit; its short tick points to its yes side. The dashed "
        "border is where the net changes its mind. On the right the output unit sees nothing but "
        "votes: it parts them with one cut."
    )
    return explorer(picture, move, controls, predict, caption, still=still)


# --- a curve from bends ------------------------------------------------------------------------

XS = np.linspace(-3, 3, 301)
TARGETS = {
    "wave": lambda x: np.sin(2 * x) + 0.3 * x,
    "step": lambda x: np.where(x > 0.5, 1.0, -0.6),
    "peak": lambda x: 1.6 * np.exp(-3 * (x - 0.6) ** 2) - 0.5,
}


def bend_fit(y, units: int, steepness: float, x=XS):
    """A net of one input, `units` sigmoid units and one output, as close to y as it gets.

    The hidden units' bends stand at equal distances; only the output layer is fitted, in closed
    form (least squares with a touch of damping).

    Returns
    -------
    out : (N,) array
    parts : (N, units) array
        What each hidden unit contributes.
    """
    edges = np.linspace(x[0], x[-1], units + 1)
    bends = (edges[:-1] + edges[1:]) / 2
    hidden = sigmoid(steepness * (x[:, None] - bends))  # (N, units)
    A = np.column_stack([hidden, np.ones(len(x))])
    damped = A.T @ A + 1e-7 * len(x) * np.eye(units + 1)
    v = np.linalg.solve(damped, A.T @ y)
    return A @ v, hidden * v[:-1]


def explore_bends(
    target: Callable | None = None,
    predict: str | None = "How many hidden units does the wave need until the curves can hardly "
    "be told apart? Say a number, then drag. Then try the step: what does steepness do there?",
) -> Explorer:
    """A net with one input that bends a line into a curve, with its hidden units' shares.

    Parameters
    ----------
    target : the learner's own curve, ``target(x)`` for an array x between -3 and 3
    predict : the question above the picture
    """
    targets = dict(TARGETS)
    if target is not None:
        targets = {"own": target, **targets}
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.5), sharey=True)
        look = {"color": style.PALE, "lw": 6, "label": "target"}
        (goal,) = left.plot(XS, 0 * XS, **look)
        (curve,) = left.plot(XS, 0 * XS, color=style.BLUE, label="net")
        left.set(title="the net's curve", xlabel="x", ylabel="output", xlim=(-3, 3))
        left.set_ylim(-2.4, 2.4)
        left.legend(loc="upper left", ncols=2)
        parts = LineCollection([], linewidths=1.6, colors=style.GREEN)
        right.add_collection(parts)
        right.set(title="what each hidden unit adds", xlabel="x", xlim=(-3, 3))
    picture = LiveFigure(
        figure,
        [goal, curve, parts],
        alt="Left: a target curve and the curve of a net with one hidden layer. Right: the "
        "S-shaped share of each hidden unit; they add up to the curve on the left.",
    )

    def move(goal_name, units, steepness):
        name, f = goal_name, targets[goal_name]
        y = f(XS) if f is not target else learner.as_array(learner.call(f, XS), XS.shape, f)
        out, shares = bend_fit(y, units, steepness)
        goal.set_ydata(y)
        curve.set_ydata(out)
        middle = shares - shares.mean(axis=0)  # centred, so that all are in sight
        parts.set_segments([np.column_stack([XS, share]) for share in middle.T])
        gap = style.number(np.abs(out - y).max())
        shown = f"`{learner.name_of(f)}`" if name == "own" else f"the {name}"
        return (
            f"{units} hidden units, {3 * units + 1} parameters. Largest gap to {shown}: **{gap}**."
        )

    controls = {
        "goal_name": choice("target", targets),
        "units": slider("hidden units", 2, 1, 24, 1),
        "steepness": slider("steepness", 3.0, 0.5, 40.0, 0.5, ".1f"),
    }
    caption = (
        "The bends stand at equal distances and the output weights are fitted in closed form; a "
        "trained net would also move its bends. On the right each share is drawn around its mean."
    )
    return explorer(picture, move, controls, predict, caption, still={"units": 8})


# --- still pictures ----------------------------------------------------------------------------


def draw_neuron() -> Figure:
    """One neuron as a picture: inputs, weights, sum, activation."""
    with style.rc():
        figure, (ax,) = style.subplots(size=(8.6, 2.7))
        ax.axis("off")
        ax.set(xlim=(0, 8.6), ylim=(0, 2.7), aspect="equal")
        arrow = {"arrowstyle": "-|>", "color": style.GREY, "shrinkA": 14, "shrinkB": 17}
        word = {"ha": "center", "va": "center"}
        for y, k in ((2.2, "1"), (1.35, "2"), (0.5, "3")):
            ax.annotate("", (3.3, 1.35), (1.0, y), arrowprops=arrow)
            ax.text(1.0, y, f"$x_{k}$", **word, bbox={"boxstyle": "circle", "fc": "white"})
            at = 2.05, y + (1.35 - y) * 0.42
            ax.text(*at, f"$w_{k}$", **word, color=style.BLUE, backgroundcolor="white")
        ax.annotate("", (3.3, 1.35), (3.3, 2.4), arrowprops={**arrow, "shrinkA": 9})
        ax.text(3.3, 2.5, "$b$", **word, color=style.BLUE)
        ax.text(
            3.3,
            1.35,
            r"$\Sigma$",
            **word,
            fontsize=17,
            bbox={"boxstyle": "circle,pad=0.35", "fc": "#E8F1F8"},
        )
        ax.annotate("", (5.35, 1.35), (3.3, 1.35), arrowprops=arrow)
        ax.text(4.3, 1.52, "$z$", **word)
        ax.text(
            5.35,
            1.35,
            "$f$",
            **word,
            fontsize=15,
            bbox={"boxstyle": "circle,pad=0.45", "fc": "#E8F1F8"},
        )
        ax.annotate("", (7.1, 1.35), (5.35, 1.35), arrowprops={**arrow, "shrinkB": 4})
        ax.text(7.3, 1.35, "$a$", **word)
        for x, text in (
            (1.0, "inputs"),
            (3.3, "sum and bias"),
            (5.35, "activation"),
            (7.3, "output"),
        ):
            ax.text(x, 0.06, text, **word, color=style.GREY, fontsize=9.5)
    return figure


def draw_layer(n=5, d=3, m=4, row=1, column=2) -> Figure:
    """The product of a batch with a layer, as grids of cells."""
    grids = [("x", n, d, 0.0), ("w", d, m, 4.6), ("b", 1, m, 10.1), ("out", n, m, 15.6)]
    with style.rc():
        figure, (ax,) = style.subplots(size=(8.6, 2.7))
        ax.axis("off")
        ax.set(xlim=(-0.3, 20), ylim=(6.1, -0.9), aspect="equal")
        for name, rows, columns, left in grids:
            top = (n - rows) / 2
            for i in range(rows):
                for j in range(columns):
                    mine = (name in ("x", "out") and i == row, name != "x" and j == column)
                    both = all(mine) if name == "out" else any(mine)
                    ax.add_patch(
                        Rectangle(
                            (left + j, top + i),
                            1,
                            1,
                            lw=1,
                            fc=style.SKY if both else "#E8F1F8" if any(mine) else "white",
                            ec=style.GREY,
                        )
                    )
            shape = f"({m},)" if name == "b" else f"({rows}, {columns})"
            ax.text(left + columns / 2, top - 0.35, f"{name} {shape}", ha="center", fontsize=10)
        for at, sign in ((3.8, "@"), (9.35, "+"), (14.85, "=")):
            ax.text(at, n / 2, sign, ha="center", va="center", fontsize=17, color=style.GREY)
        ax.text(1.5, 5.6, "a row is an example", ha="center", fontsize=9.5)
        ax.text(6.6, 5.6, "a column is a neuron", ha="center", fontsize=9.5)
        ax.text(12.1, 5.6, "one bias per neuron", ha="center", fontsize=9.5)
        ax.text(17.6, 5.6, "that neuron's z for that example", ha="center", fontsize=9.5)
    return figure


def draw_net(x, W1, b1, W2, b2) -> Figure:
    """A small two-layer net: values of the example x in its units, weights on its lines."""
    hidden = sigmoid(x @ W1 + b1)
    layers = [x, hidden, hidden @ W2 + b2]
    with style.rc():
        figure, (ax,) = style.subplots(size=(8.0, 3.3))
        ax.axis("off")
        word = {"ha": "center", "va": "center"}
        ax.set(xlim=(-0.6, 8.0), ylim=(-0.45, 3.1))
        spots = [
            [(0.6 + 3.3 * k, 2.7 - (i + 0.5) * 2.7 / len(a)) for i in range(len(a))]
            for k, a in enumerate(layers)
        ]
        for k, W in enumerate((W1, W2)):
            for i, p in enumerate(spots[k]):
                for j, q in enumerate(spots[k + 1]):
                    ax.plot(*zip(p, q, strict=True), color=style.PALE, lw=6 * abs(W[i, j]))
                    t = 0.3 if k == 0 else 0.5
                    at = np.array(p) + t * (np.array(q) - p)
                    look = {"boxstyle": "square,pad=0.08", "fc": "white", "ec": "none"}
                    ax.text(*at, f"{W[i, j]:.1f}", fontsize=9, color=style.BLUE, bbox=look, **word)
        for k, a in enumerate(layers):
            for (cx, cy), value in zip(spots[k], a, strict=True):
                ax.text(
                    cx,
                    cy,
                    f"{value:.3f}",
                    fontsize=10,
                    **word,
                    bbox={"boxstyle": "circle,pad=0.4", "fc": "#E8F1F8", "ec": style.GREY},
                )
        for (cx, cy), bias in zip(spots[1] + spots[2], [*b1, *b2], strict=True):
            ax.text(cx + 0.27, cy + 0.27, f"{bias:+.1f}", fontsize=9, color=style.BLUE)
        for k, name in enumerate(
            ("input layer: given", "hidden layer: sigmoid", "output layer: a score")
        ):
            ax.text(0.6 + 3.3 * k, -0.3, name, ha="center", fontsize=9.5, color=style.GREY)
    return figure


# --- the trainer -------------------------------------------------------------------------------


def train_two_layer(
    x: np.ndarray,
    y: np.ndarray,
    hidden: int = 16,
    steps: int = 1000,
    lr: float = 0.05,
    bend: bool = True,
    seed: int = 0,
) -> tuple[tuple[np.ndarray, ...], list[float]]:
    """Find weights of a net with one hidden layer for a classification task.

    Supplied here and opened later: the gradients are chapter 02's, the loss chapter 04's, the
    step (Adam) chapter 07's.

    Parameters
    ----------
    x : (N, D) array
    y : (N,) array of int, the class of each example
    hidden : number of hidden units
    steps : number of steps, each on the whole batch
    lr : step size
    bend : False leaves out the sigmoid of the hidden layer
    seed : draws the weights to start from

    Returns
    -------
    params : W1, b1, W2, b2, for ``two_layer_forward(x, *params)``
    losses : the loss before each step
    """
    rng = np.random.default_rng(seed)
    features, classes = x.shape[1], int(y.max()) + 1
    params = [
        4 * rng.standard_normal((features, hidden)),
        2 * rng.standard_normal(hidden),
        0.1 * rng.standard_normal((hidden, classes)),
        np.zeros(classes),
    ]
    first, second = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    wanted = np.eye(classes)[y]  # (N, C), 1 at the right class
    losses = []
    for t in range(1, steps + 1):
        W1, b1, W2, b2 = params
        z = x @ W1 + b1
        h = sigmoid(z) if bend else z
        scores = h @ W2 + b2
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        losses.append(float(-np.log(np.maximum((share * wanted).sum(axis=1), 1e-300)).mean()))
        dscores = (share - wanted) / len(x)
        dz = dscores @ W2.T
        if bend:
            dz = dz * h * (1 - h)
        grads = (x.T @ dz, dz.sum(axis=0), h.T @ dscores, dscores.sum(axis=0))
        for i, g in enumerate(grads):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g * g
            step = first[i] / (1 - 0.9**t) / (np.sqrt(second[i] / (1 - 0.999**t)) + 1e-8)
            params[i] = params[i] - lr * step
    return tuple(params), losses
