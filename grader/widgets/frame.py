"""The frame every explorer stands in: question, controls, picture, reading, caption.

How to make a new explorer stands in docs/authors.md, under Pictures.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import ipywidgets
from IPython import get_ipython

from . import style
from .learner import LearnerProblem
from .live import LiveFigure, with_picture


class Latest:
    """Calls a function for the newest request only, so that a fast drag never queues up.

    A request that comes while the kernel had no rest since the last drawing is not served
    at once: one later call is planned, and it reads the values as they are by then.
    """

    def __init__(self, function: Callable[[], None]):
        self.function = function
        self.rest_until = 0.0
        self.planned = None

    def __call__(self, _change=None) -> None:
        if self.planned is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no event loop: a script or a test
            self._run()
            return
        wait = self.rest_until - time.monotonic()
        if wait <= 0:
            self._run()
        else:
            self.planned = loop.call_later(wait, self._run)

    def _run(self) -> None:
        self.planned = None
        start = time.monotonic()
        self.function()
        # Half as much rest as work: time for the kernel to read what else has arrived.
        self.rest_until = time.monotonic() + (time.monotonic() - start) / 2

    def cancel(self) -> None:
        """Drop a planned call."""
        if self.planned is not None:
            self.planned.cancel()
        self.planned = None


_OF_CELL: dict[str, tuple[str, list]] = {}


def replace_older(widget: ipywidgets.Widget) -> None:
    """Close what an earlier run of this notebook cell left behind; a figure holds 10 MB."""
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return
    parent = kernel.get_parent("shell") or {}
    cell = parent.get("metadata", {}).get("cellId")
    run = parent.get("header", {}).get("msg_id", "")
    if not cell:
        return
    previous, widgets = _OF_CELL.get(cell, ("", []))
    if previous != run:
        for old in widgets:
            old.close()
        widgets = []
    _OF_CELL[cell] = (run, [*widgets, widget])


class Explorer(ipywidgets.VBox):
    """Question, controls, picture, reading and caption, from top to bottom.

    Made by `explorer`. `controls` holds the sliders by name, `picture` the `LiveFigure`,
    `reading` and `problem` the sentences shown at the moment.
    """

    def __init__(self, picture, update, controls, predict, caption, still):
        self.picture = picture
        self.controls = dict(controls)
        self._move = update
        self._still = dict(still or {})
        self._caption = caption
        self._shown: dict | None = None
        self._reading = ipywidgets.HTML()
        self._problem = ipywidgets.HTML()
        rows = [_text("nn-predict", f"**Predict first.** {predict}")] if predict else []
        if controls:
            bar = ipywidgets.Box(list(self.controls.values()))
            bar.add_class("nn-controls")
            rows.append(bar)
        rows += [picture, self._reading, self._problem]
        rows += [_text("nn-caption", caption)] if caption else []
        super().__init__(rows)
        replace_older(self)
        self.add_class("nn-explorer")
        self._latest = Latest(self.show)
        for control in self.controls.values():
            control.observe(self._latest, "value")
        self.show()

    @property
    def values(self) -> dict:
        """What the controls say now, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def show(self) -> None:
        """Bring picture and sentences to the controls' values."""
        if self.values != self._shown:
            self._show(self.values)

    def _show(self, values: dict) -> None:
        self._shown = values
        try:
            reading, problem = self._move(**values), ""
        except LearnerProblem as found:
            reading, problem = None, str(found)
        except Exception as error:  # a widget never shows a traceback
            reading, problem = None, f"This picture stopped with {type(error).__name__}: {error}"
        if isinstance(reading, tuple):
            reading, problem = reading
        self.reading, self.problem = reading or "", problem or ""
        self._reading.value = _block("nn-reading", self.reading)
        self._problem.value = _block("nn-problem", self.problem)
        self.picture.update()

    def close(self) -> None:
        """Close every widget inside and forget the figure."""
        self._latest.cancel()
        self._move = None
        close_all(self)

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if self._move is None:  # closed
            return bundle
        if self._still:
            self._show({**self.values, **self._still})
        try:
            caption = " ".join(style.to_html(text) for text in (self.reading, self._caption))
            return with_picture(bundle, self.picture, caption)
        finally:
            self.show()


def explorer(
    picture: LiveFigure,
    update: Callable[..., str | tuple[str, str] | None],
    controls: Mapping[str, ipywidgets.Widget],
    predict: str | None = None,
    caption: str = "",
    still: Mapping | None = None,
) -> Explorer:
    """Put a question, controls and a picture into one frame.

    Parameters
    ----------
    picture : the figure to keep up to date
    update : called with the controls' values by name; moves artists; returns the sentence to
        show under the picture, or ``(sentence, problem)``. A `LearnerProblem` is shown as a
        sentence too.
    controls : sliders and toggles by the names of `update`'s parameters
    predict : the question to answer before moving anything
    caption : what to see in the picture
    still : values that differ in the static picture, which answers what the learner finds out
    """
    return Explorer(picture, update, controls, predict, caption, still)


def _text(kind: str, text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(_block(kind, text))


def _block(kind: str, text: str) -> str:
    return f'<div class="{kind}">{style.to_html(text)}</div>' if text else ""


def close_all(widget: ipywidgets.Widget) -> None:
    """Close a widget, what it contains, and the layout, style and link that each brings along."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    widget.unobserve_all()
    if isinstance(widget, LiveFigure):
        widget.close()
        return
    for name in ("layout", "style", "link"):
        if isinstance(part := getattr(widget, name, None), ipywidgets.Widget):
            part.close()
    ipywidgets.Widget.close(widget)
