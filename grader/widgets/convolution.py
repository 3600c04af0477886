"""Chapter 08: convolution, by hand. A kernel to edit over a picture, drawn in the browser.

`convolution.js` computes and draws; this module holds what it shows, and draws the static picture
for pages without a kernel.
"""

import base64
import html
import io
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from . import style
from .frame import replace_older

HERE = Path(__file__).parent
EDGES = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
LARGEST = 7  # cells of a kernel along one side: more do not fit the page

PREDICT = (
    "This kernel subtracts what lies on the left from what lies on the right. Which places of the "
    "map will be white, which black, which grey? Then set a single weight in the middle to 1 and "
    "all others to 0: what will the map be?"
)


class ConvolutionWidget(anywidget.AnyWidget):
    """The widget behind `explore_convolution`; its state is what the browser and Python share.

    Attributes
    ----------
    pixels, size : the picture as bytes 0 to 255, and its rows and columns
    kernel : rows of weights
    stride, pad, dilation : int
    row, column : which pixel of the map is worked out
    """

    _esm = (HERE / "convolution.js").read_text(encoding="utf-8")
    _css = (HERE / "convolution.css").read_text(encoding="utf-8")
    pixels = traitlets.Bytes(b"").tag(sync=True)
    size = traitlets.List().tag(sync=True)
    kernel = traitlets.List().tag(sync=True)
    stride = traitlets.Int(1).tag(sync=True)
    pad = traitlets.Int(0).tag(sync=True)
    dilation = traitlets.Int(1).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    predict = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **state):
        super().__init__(**state)
        replace_older(self)

    def close(self) -> None:
        """Close the widget and its layout."""
        self.layout.close()
        super().close()

    @property
    def picture(self) -> np.ndarray:
        """The picture as the browser sees it, (H, W), 0 to 1."""
        return np.frombuffer(self.pixels, np.uint8).reshape(self.size) / 255.0

    def work_out(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The window under the kernel, the kernel, and the whole map."""
        kernel = np.array(self.kernel, float)
        padded = np.pad(self.picture, self.pad)
        reach = [self.dilation * (k - 1) + 1 for k in kernel.shape]
        windows = np.lib.stride_tricks.sliding_window_view(padded, reach)
        windows = windows[
            :: self.stride, :: self.stride, :: self.dilation, :: self.dilation
        ]  # (H', W', HH, WW)
        out = np.einsum("ijkl,kl->ij", windows, kernel)
        row, column = min(self.row, len(out) - 1), min(self.column, out.shape[1] - 1)
        return windows[row, column], kernel, out

    def still(self) -> bytes:
        """Picture, window, kernel and map as a PNG that needs no script."""
        window, kernel, out = self.work_out()
        reach = abs(out).max() or 1.0
        low = -reach if (kernel < 0).any() else 0.0
        row, column = min(self.row, len(out) - 1), min(self.column, out.shape[1] - 1)
        tall, wide = (self.dilation * (k - 1) + 1 for k in kernel.shape)
        with style.rc():
            figure, axes = style.subplots(
                1, 4, size=(8.6, 3.0), width_ratios=(1.5, 0.85, 0.85, 1.5)
            )
            pictures = (np.pad(self.picture, self.pad), window, kernel, out)
            titles = ("picture", "window", "kernel", "map")
            ranges = ((0, 1), (0, 1), (-4, 4), (low, reach))
            for ax, shown, title, (a, b) in zip(axes, pictures, titles, ranges, strict=True):
                ax.imshow(shown, cmap="gray" if title != "kernel" else "PuOr_r", vmin=a, vmax=b)
                ax.set(xticks=[], yticks=[], title=title)
                ax.grid(False)
            for ax in axes[1:3]:
                for (i, j), value in np.ndenumerate(window if ax is axes[1] else kernel):
                    dark = ax is axes[1] and value < 0.5
                    colour = "white" if dark else "black"
                    ax.text(j, i, f"{value:.2g}", ha="center", va="center", color=colour, size=8.5)
            top, left = row * self.stride - 0.5, column * self.stride - 0.5
            frame = {"fill": False, "ec": style.ORANGE, "lw": 2}
            axes[0].add_patch(_box((left, top), wide, tall, **frame))
            axes[3].add_patch(_box((column - 0.5, row - 0.5), 1, 1, **frame))
            total = style.number(float((window * kernel).sum()))
            axes[3].set_xlabel(f"this pixel: {total}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, facecolor="white")
        return buffer.getvalue()

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        alt = (
            f"A kernel of {len(self.kernel)} by {len(self.kernel[0])} weights over a picture of "
            f"{self.size[0]} by {self.size[1]} pixels, the window it covers, and the map it gives."
        )
        png = base64.b64encode(self.still()).decode("ascii")
        caption = (
            "Window times kernel, summed, is one pixel of the map. In JupyterLab the kernel can be "
            "edited and the window moved."
        )
        figure = (
            f'<figure><img src="data:image/png;base64,{png}" alt="{html.escape(alt)}" width="860" '
            f'style="max-width:100%;background:#fff"><figcaption>{caption}</figcaption></figure>'
        )
        return {**data, "image/png": png, "text/html": figure, "text/plain": alt}, metadata


def _box(corner, width, height, **look):
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **look)


def explore_convolution(
    picture: np.ndarray | None = None,
    kernel=EDGES,
    stride: int = 1,
    pad: int = 0,
    dilation: int = 1,
    predict: str | None = PREDICT,
) -> ConvolutionWidget:
    """A kernel to edit over a picture, its window to move, and the arithmetic of one pixel.

    Parameters
    ----------
    picture : (H, W) array, 0 to 1; by default the course's photograph at 75 by 64 pixels
    kernel : rows of weights, up to 7 by 7
    stride, pad, dilation : where the sliders begin
    predict : the question above the picture

    Raises
    ------
    ValueError
        for a picture or a kernel of another kind.
    """
    if picture is None:
        from grader.datasets import load_photograph

        picture = load_photograph(75)
    grey, weights = np.asarray(picture, float), np.array(kernel, float)
    if grey.ndim != 2 or not 0 <= grey.min() <= grey.max() <= 1:
        raise ValueError(
            f"picture must be a (H, W) array of numbers from 0 to 1, but its shape is {grey.shape} "
            f"and it runs from {grey.min():g} to {grey.max():g}."
        )
    if weights.ndim != 2 or not 0 < max(weights.shape) <= LARGEST:
        raise ValueError(f"kernel must have up to {LARGEST} rows and columns of numbers.")
    height, width = grey.shape
    return ConvolutionWidget(
        pixels=np.rint(255 * grey).astype(np.uint8).tobytes(),
        size=[height, width],
        kernel=weights.tolist(),
        stride=stride,
        pad=pad,
        dilation=dilation,
        row=int(0.42 * height) // stride,
        column=int(0.36 * width) // stride,
        predict=predict or "",
    )
