"""A visit to the bug zoo: read a wrong backward pass, bet on it, train it, see."""

import html

import ipywidgets
import numpy as np

from grader.bug_zoo import BUGS, NOT_BUGS, Bug, Run, train

from . import style
from .frame import close_all, replace_older
from .live import LiveFigure, with_picture

QUESTION = (
    "**Predict first.** One line below is marked. How well will the net read digits it has not "
    "seen, if it learns with these gradients? Guessing blindly gives 10 %, the right gradients "
    "about 97 %. Set your bet, then train."
)
CLOSE = 2.0  # points: nearer than this to the right net, and training has hidden the bug


class BugZoo(ipywidgets.VBox):
    """The widget that `visit_bug_zoo` returns.

    Attributes
    ----------
    cage, bet, button : the drop-down list, the slider and the button
    reading : str
        The sentences under the picture; empty until the net in this cage is trained.
    visited : dict
        Points lost against the right net, by the names of the bugs trained so far.
    """

    def __init__(self, seed: int = 0):
        self.seed = seed
        self.visited: dict[str, float] = {}
        self.reading = ""
        self.cage = ipywidgets.Dropdown(
            options=[(bug.title, name) for name, bug in BUGS.items() if name != "correct"],
            description="cage",
            style={"description_width": "60px"},
            layout={"width": "480px", "max_width": "100%"},
        )
        self.bet = ipywidgets.IntSlider(
            50,
            min=0,
            max=100,
            description="I bet on",
            style={"description_width": "60px"},
            layout={"width": "380px", "max_width": "100%"},
        )
        unit = ipywidgets.HTML("% of the test digits right")
        self.button = ipywidgets.Button(description="Train", button_style="primary", icon="play")
        self._source = ipywidgets.HTML()
        self._reading = ipywidgets.HTML()
        self.picture = self._draw()
        super().__init__(
            [
                ipywidgets.HTML(_block("nn-predict", QUESTION)),
                self.cage,
                self._source,
                ipywidgets.HBox(
                    [self.bet, unit, self.button],
                    layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 14px"},
                ),
                self.picture,
                self._reading,
            ]
        )
        self.add_class("nn-explorer")
        self.cage.observe(self._enter, "value")
        self.bet.observe(self._show_bet, "value")
        self.button.on_click(self._train)
        self._enter()
        replace_older(self)

    def _draw(self) -> LiveFigure:
        """Loss curves at the left, accuracies and the bet at the right; all of it moves."""
        with style.rc():
            figure, (left, right) = style.subplots(1, 2, (8.6, 3.2), width_ratios=(3, 2))
            left.set(
                title="Training loss",
                xlabel="epoch",
                ylabel="squared error (log scale)",
                yscale="log",
                xlim=(0, 40),
                ylim=(5e-4, 20),
            )
            self._right_curve = left.plot([], [], color=style.REFERENCE, label="right net")[0]
            self._wrong_curve = left.plot(
                [], [], color=style.LEARNER, linestyle=(0, (4, 1.5)), label="this cage"
            )[0]
            left.legend(loc="lower left")
            right.set(
                title="Test accuracy",
                xlabel="% of 360 digits right",
                xlim=(0, 115),
                ylim=(-0.6, 2.6),
                yticks=[2, 1, 0],
                yticklabels=["right net", "this cage", "your bet"],
                xticks=range(0, 101, 20),
            )
            right.grid(visible=False, axis="y")
            self._bars = right.barh(
                [2, 1, 0],
                [0, 0, 0],
                height=0.6,
                color=[style.REFERENCE, style.LEARNER, "white"],
                edgecolor=style.INK,
                hatch=["", "", "///"],
            ).patches
            self._labels = [right.text(0, place, "", va="center") for place in (2, 1, 0)]
        moving = [self._right_curve, self._wrong_curve, *self._bars, *self._labels]
        return LiveFigure(figure, moving, alt="Loss and accuracy of the right and a wrong net.")

    def _set_bar(self, place: int, percent: float | None) -> None:
        self._bars[place].set_width(percent or 0)
        self._labels[place].set_position(((percent or 0) + 2, 2 - place))
        shown = "" if percent is None else f"{percent:.0f}" if place == 2 else f"{percent:.1f}"
        self._labels[place].set_text(shown if percent is not None else "?")

    def _enter(self, _change=None) -> None:
        """A new cage: show its code, hide every result."""
        bug = BUGS[self.cage.value]
        self._source.value = _code(bug)
        self._right_curve.set_data([], [])
        self._wrong_curve.set_data([], [])
        self._set_bar(0, None)
        self._set_bar(1, None)
        self.reading = self._reading.value = ""
        self._show_bet()

    def _show_bet(self, _change=None) -> None:
        self._set_bar(2, self.bet.value)
        self.picture.update()

    def _train(self, _button=None) -> None:
        self.button.disabled = True
        try:
            right, wrong = train("correct", self.seed), train(self.cage.value, self.seed)
            for curve, run in ((self._right_curve, right), (self._wrong_curve, wrong)):
                curve.set_data(range(len(run.losses)), run.losses)
            self._set_bar(0, 100 * right.accuracy)
            self._set_bar(1, 100 * wrong.accuracy)
            self.visited[wrong.bug] = 100 * (right.accuracy - wrong.accuracy)
            self.reading = self._report(right, wrong)
            self._reading.value = _block("nn-reading", self.reading)
            self.picture.alt = self.reading.replace("*", "")
            self.picture.update()
        finally:
            self.button.disabled = False

    def _report(self, right: Run, wrong: Run) -> str:
        """What happened, in sentences made from this run's numbers."""
        accuracy, lost = 100 * wrong.accuracy, self.visited[wrong.bug]
        first = (
            f"Test accuracy **{accuracy:.1f} %**, your bet was {self.bet.value} %; "
            f"the right net has {100 * right.accuracy:.1f} %."
        )
        said = [first, BUGS[wrong.bug].description]
        if not np.isfinite(wrong.losses).all():
            said.append("The weights ran off to nan: no curve, and every answer is 0.")
        elif wrong.bug not in NOT_BUGS and lost <= CLOSE:
            said.append("Who watches only the training would not have noticed.")
        said.append(f"The gradient check, before any training, **{wrong.check.verdict}**.")
        if wrong.bug == "feedback_alignment":
            said.append(
                "It is not the gradient, and yet it learns: the cosine between the two (worst "
                f"array) goes from {style.number(wrong.check.cosine, 2)} before training to "
                f"{style.number(wrong.final.cosine, 2)} after it."
            )
        bugs = [name for name in self.visited if name not in NOT_BUGS]
        hidden = sum(self.visited[name] <= CLOSE for name in bugs)
        total = len(BUGS) - len(NOT_BUGS)
        said.append(
            f"So far you have seen {len(bugs)} of {total} bugs; {hidden} stayed within "
            f"{CLOSE:.0f} points of the right net."
        )
        return " ".join(said)

    def close(self) -> None:
        """Close the widgets and forget the figure."""
        close_all(self)

    def _repr_mimebundle_(self, **kwargs):
        return with_picture(super()._repr_mimebundle_(**kwargs), self.picture)


def visit_bug_zoo(seed: int = 0) -> BugZoo:
    """Pick a bug, read its code, bet on its accuracy, train it and compare.

    Parameters
    ----------
    seed : int
        Draws the first weights and the order of the samples, the same for right and wrong.
    """
    return BugZoo(seed)


def _code(bug: Bug) -> str:
    """The backward pass as HTML; the marked lines in bold, so not by colour alone."""
    lines = []
    for line in bug.source.split("\n"):
        text = html.escape(line)
        if line.endswith("# <-- here"):
            text = f'<b style="background:#FFF2CC;color:#222222">{text}</b>'
        lines.append(text)
    look = "line-height:1.35;margin:4px 0;overflow-x:auto;font-size:13px"
    return f'<pre style="{look}">' + "\n".join(lines) + "</pre>"


def _block(kind: str, text: str) -> str:
    return f'<div class="{kind}">{style.to_html(text)}</div>'
