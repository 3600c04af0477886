"""Pictures that do not move: a figure with a caption, which is its text for screen readers."""

from __future__ import annotations

import base64
import io
from typing import Any

from matplotlib.figure import Figure

from .style import to_html

SCALE = 1.6  # pixels of the file for each pixel on the page: crisp, and still small


class Still:
    """What `show` returns: it displays itself in a notebook, and as its caption in text."""

    def __init__(self, png: bytes, width: int, caption: str):
        self.png, self.width, self.caption = png, width, caption

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        data = base64.b64encode(self.png).decode()
        text = to_html(self.caption)
        alt = self.caption.replace("`", "").replace("*", "").replace('"', "&quot;")
        return {
            "text/plain": self.caption,
            "text/html": '<figure style="margin:8px 0;max-width:100%">'
            f'<img src="data:image/png;base64,{data}" alt="{alt}" width="{self.width}" '
            'style="max-width:100%;background:#fff;border-radius:6px">'
            '<figcaption style="font-size:13px;line-height:1.45;max-width:760px;margin-top:4px;'
            f'color:var(--jp-content-font-color2,#555)">{text}</figcaption></figure>',
        }


def show(figure: Figure, caption: str) -> Still:
    """Show a figure with a caption that says what to see.

    Parameters
    ----------
    figure : matplotlib Figure
        Best made with `style.subplots`, which keeps it out of pyplot's memory.
    caption : str
        One or two sentences. They are also the picture's alternative text.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi * SCALE, facecolor="white")
    width = int(figure.get_size_inches()[0] * 100)
    return Still(buffer.getvalue(), width, caption)
