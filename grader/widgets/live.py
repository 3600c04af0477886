"""A matplotlib picture that is redrawn in place, fast enough to follow a slider."""

import base64
import html
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from . import style

HERE = Path(__file__).parent
SCALE = 2  # pixels drawn for each CSS pixel, until the browser says how many it shows


def encode_png(pixels: np.ndarray, level: int = 1) -> bytes:
    """PNG bytes of (H, W, 4) uint8 pixels, in half the time PIL needs.

    Drawing takes 1 ms and encoding takes the rest, so this is the line that decides how a
    slider feels. Every row is stored as its difference from the row above ("up"), which costs
    one subtraction; PIL tries five filters for each row.
    """
    height, width, channels = pixels.shape
    flat = pixels.reshape(height, width * channels)
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = 2  # filter type "up"
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits, RGBA
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows, level)),
            chunk(b"IEND", b""),
        ]
    )


class LiveFigure(anywidget.AnyWidget):
    """A matplotlib figure as an image that is redrawn in place.

    The background (axes, ticks, titles, everything that stays) is drawn once and kept.
    `update` draws only the moving artists on top of it.

    The browser sets `ratio` to the pixels it really shows, so that none is drawn, sent and decoded
    in vain: on a plain screen this is a quarter of what a HiDPI screen needs.

    Parameters
    ----------
    figure : Figure made by `style.subplots` (no pyplot)
    moving : artists that change when a slider moves, drawn in this order
    alt : what the picture shows, for those who cannot see it
    """

    _esm = (HERE / "live.js").read_text(encoding="utf-8")
    _css = (HERE / "live.css").read_text(encoding="utf-8")
    value = traitlets.Bytes(b"").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    width = traitlets.Int(0).tag(sync=True)
    ratio = traitlets.Float(SCALE).tag(sync=True)

    def __init__(self, figure: Figure, moving: Iterable[Artist] = (), alt: str = ""):
        width = round(figure.get_figwidth() * figure.dpi)
        self._dpi = figure.dpi
        figure.set_dpi(self._dpi * SCALE)
        self.figure = figure
        self.moving = list(moving)
        self.background = None
        for artist in self.moving:
            artist.set_animated(True)
        super().__init__(alt=alt, width=width)

    def update(self) -> None:
        """Show the moving artists as they are now (about 10 ms)."""
        if self.background is None:
            self.redraw()
            return
        canvas = self.figure.canvas
        canvas.restore_region(self.background)
        renderer = canvas.get_renderer()
        for artist in self.moving:
            artist.draw(renderer)
        self.value = encode_png(np.asarray(canvas.buffer_rgba()))

    def redraw(self) -> None:
        """Draw everything again: after limits, ticks, titles or legends changed (about 80 ms)."""
        canvas = self.figure.canvas
        with style.rc():  # ticks are made while drawing
            canvas.draw()
        # The layout is solved once; solving it again for each redraw doubles the time.
        self.figure.set_layout_engine("none")
        self.background = canvas.copy_from_bbox(self.figure.bbox)
        self.update()

    def background_changed(self) -> None:
        """Make the next `update` draw everything again."""
        self.background = None

    @traitlets.observe("ratio")
    def _fit(self, _change) -> None:
        if self.figure is not None:
            # A hair more, so that rounding down does not lose the last pixel.
            self.figure.set_dpi(self._dpi * self.ratio + 1e-6)
            self.redraw()

    def close(self) -> None:
        """Close the widget and let go of the figure."""
        self.layout.close()
        super().close()
        self.figure = self.background = None
        self.moving = []

    def _repr_mimebundle_(self, **kwargs):
        if self.background is None and self.figure is not None:
            self.update()
        return with_picture(super()._repr_mimebundle_(**kwargs), self)

    def still(self) -> bytes:
        """The picture as it is now in a smaller file, for saving rather than for dragging."""
        if self.figure is None:
            return self.value
        self.ratio = SCALE  # sharp on every screen; a browser that shows it sets its own again
        return encode_png(np.asarray(self.figure.canvas.buffer_rgba()), level=6)


def with_picture(bundle, picture: LiveFigure, caption: str = ""):
    """A widget's mime bundle with a static PNG and alt text beside the live view.

    GitHub, nbconvert and a printed page have no kernel. They show the HTML, which carries the
    alt text everywhere, or else the PNG. `caption` is HTML.
    """
    if bundle is None:
        return None
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    png = base64.b64encode(picture.still()).decode("ascii")
    figure = (
        f'<figure><img src="data:image/png;base64,{png}" alt="{html.escape(picture.alt)}" '
        f'width="{picture.width}" style="max-width:100%;background:#fff">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
    data = {**data, "image/png": png, "text/html": figure, "text/plain": picture.alt}
    size = {"width": picture.width, "alt": picture.alt}
    return data, {**metadata, "image/png": size}
