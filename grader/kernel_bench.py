"""How fast the layers of the course compute: a table of `make bench`.

The answers of the chapters beside the plain loops that learners write first, and beside PyTorch
where it is installed (one thread each, float32).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.table import Table

from grader.exercises import get

REPEATS = 9
IMAGES = 64
LOOPED = 1  # images that the loops are timed on; their time is multiplied up
PICTURES = ((16, 32, 8), (8, 32, 28), (32, 64, 32))  # channels, filters, height and width


def kernels() -> Table:
    """Milliseconds of each layer, forward and backward, and ratios."""
    table = Table(title=f"Layers, ms: {IMAGES} images, kernels 3x3, pools 2x2, float32, one thread")
    for column in ("layer", "ours", "loops", "loops / ours", "PyTorch", "ours / PyTorch"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for row in (*_convolutions(), *_pooling(), *_norm(), *_lstm()):
        name, ours, loops, torch = row
        table.add_row(name, f"{ours:.2f}", *_beside(ours, loops), *_beside(torch, ours, torch))
    return table


def _beside(under: float | None, over: float | None, shown: float | None = None) -> list[str]:
    """A time and the ratio over / under, as text; dashes where one is missing."""
    if under is None or over is None:
        return ["–", "–"]
    return [f"{over if shown is None else shown:.2f}", f"{over / under:.1f}"]


def median_ms(work: Callable[..., object], *arguments: Any, repeats: int = REPEATS) -> float:
    """Median CPU time of `work(*arguments)`, in ms, after one run that does not count."""
    work(*arguments)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work(*arguments)
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


def _answer(name: str) -> Callable[..., Any]:
    return get(name).answer


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _convolutions():
    """Rows: name, ms, ms of the loops, ms of PyTorch."""
    param = {"stride": 1, "pad": 1}
    for channels, filters, side in PICTURES:
        x = _numbers(IMAGES, channels, side, side)
        w, b = _numbers(filters, channels, 3, 3), _numbers(filters)
        out, cache = _answer("conv_forward")(x, w, b, param)
        few = x[:LOOPED]
        some, kept = _answer("conv_forward_naive")(few, w, b, param)
        name = f"conv {channels} to {filters}, {side}x{side}"
        both = _torch_convolution(x, w, b, out)
        scale = IMAGES / LOOPED
        loops = scale * median_ms(_answer("conv_forward_naive"), few, w, b, param, repeats=1)
        yield (
            f"{name}, forward",
            median_ms(_answer("conv_forward"), x, w, b, param),
            loops,
            both[0],
        )
        loops = scale * median_ms(_answer("conv_backward_naive"), some, kept, repeats=1)
        yield (
            f"{name}, backward",
            median_ms(_answer("conv_backward"), out, cache),
            loops,
            both[1],
        )


def _pooling():
    x = _numbers(IMAGES, 32, 28, 28)
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = _answer("max_pool_forward")(x, param)
    scale, few = IMAGES / LOOPED, x[:LOOPED]
    some, kept = _answer("max_pool_forward_naive")(few, param)

    def torch_pool(torch, f):
        pictures = torch.from_numpy(x)
        return lambda: f.max_pool2d(pictures, 2)

    name = "max pool 32, 28x28"
    loops = scale * median_ms(_answer("max_pool_forward_naive"), few, param, repeats=1)
    yield (
        f"{name}, forward",
        median_ms(_answer("max_pool_forward"), x, param),
        loops,
        _torch_time(torch_pool),
    )
    loops = scale * median_ms(_answer("max_pool_backward_naive"), some, kept, repeats=1)
    ours = median_ms(_answer("max_pool_backward"), out, cache)
    yield f"{name}, backward", ours, loops, None


def _norm():
    x, gamma, beta = _numbers(512, 256), _numbers(256), _numbers(256)
    param = {"mode": "train"}
    out, cache = _answer("batchnorm_forward")(x, gamma, beta, param)

    def torch_norm(torch, f):
        numbers = [torch.from_numpy(a) for a in (x, gamma, beta)]
        return lambda: f.batch_norm(numbers[0], None, None, *numbers[1:], training=True)

    yield (
        "batch norm 512x256, forward",
        median_ms(_answer("batchnorm_forward"), x, gamma, beta, param),
        None,
        _torch_time(torch_norm),
    )
    ours = median_ms(_answer("batchnorm_backward_alt"), out, cache)
    yield "batch norm 512x256, backward", ours, None, None


def _lstm():
    n, t, d, h = 32, 50, 16, 32
    x, h0 = _numbers(n, t, d), _numbers(n, h)
    wx, wh, b = 0.1 * _numbers(d, 4 * h), 0.1 * _numbers(h, 4 * h), _numbers(4 * h)

    def ours() -> None:
        out, cache = _answer("lstm_forward")(x, h0, wx, wh, b)
        _answer("lstm_backward")(out, cache)

    def torch_lstm(torch, f):
        net = torch.nn.LSTM(d, h, batch_first=True)
        numbers = torch.from_numpy(x).requires_grad_()
        return lambda: net(numbers)[0].sum().backward()

    yield (
        f"LSTM {n}x{t}x{d} to {h}, both",
        median_ms(ours),
        None,
        _torch_time(torch_lstm),
    )


def _torch_convolution(x, w, b, dout) -> tuple[float | None, float | None]:
    def forward(torch, f):
        numbers = [torch.from_numpy(a) for a in (x, w, b)]
        return lambda: f.conv2d(*numbers, padding=1)

    def both(torch, f):
        numbers = [torch.from_numpy(a).requires_grad_() for a in (x, w, b)]
        return lambda: f.conv2d(*numbers, padding=1).backward(torch.from_numpy(dout))

    ahead, whole = _torch_time(forward), _torch_time(both)
    return ahead, None if whole is None or ahead is None else whole - ahead


def _torch_time(make: Callable[[Any, Any], Callable[[], object]]) -> float | None:
    """Median time of what `make(torch, torch.nn.functional)` gives; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return median_ms(make(torch, torch.nn.functional))
