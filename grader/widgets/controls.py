"""Sliders and toggles with labels that are never cut off."""

import ipywidgets


def slider(label: str, value: float, low: float, high: float, step: float = 0.1, form=".2f"):
    """A slider for a number; a slider for an integer if `step` is an int."""
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    form = "d" if isinstance(step, int) else form
    return kind(
        value, min=low, max=high, step=step, description=label, readout_format=form, **_shape(label)
    )


def log_slider(label: str, value: float, low: int, high: int, step: float = 0.1, form=".1e"):
    """A slider over powers of ten, from ``10**low`` to ``10**high``."""
    return ipywidgets.FloatLogSlider(
        value, min=low, max=high, step=step, description=label, readout_format=form, **_shape(label)
    )


def choice(label: str, options, value=None):
    """A row of toggle buttons for up to six short options, else a drop-down list."""
    options = list(options)
    value = options[0] if value is None else value
    short = len(options) <= 6 and sum(len(str(o)) for o in options) <= 60
    if not short:
        return ipywidgets.Dropdown(
            options=options, value=value, description=label, **_shape(label, width="260px")
        )
    buttons = ipywidgets.ToggleButtons(options=options, value=value, description=label)
    buttons.style.button_width = "auto"
    buttons.style.description_width = "auto"
    buttons.layout.width = "100%"
    return buttons


def steps(label: str, options, value):
    """A slider over a list of values or of (text, value) pairs."""
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=label, **_shape(label)
    )


def toggle(label: str, value: bool = False):
    """A check box."""
    return ipywidgets.Checkbox(value=value, description=label, indent=False)


def _shape(label: str, width: str | None = None) -> dict:
    room = 7 * len(label) + 14
    return {
        "style": {"description_width": f"{room}px"},
        "layout": {"width": width or f"{room + 290}px", "max_width": "100%"},
    }
