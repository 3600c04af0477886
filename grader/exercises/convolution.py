"""Chapter 08, convolution and pooling: one small kernel, used at every place of a picture."""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("08_convolution", "Convolution and pooling")


# --- how large the map is ------------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="size",
    difficulty=1,
    minutes=5,
    hints=(
        "On squared paper: 7 cells, a window of 3. At how many places can its left edge stand?",
        "Padding makes the line longer by 2 pad. Dilation makes the window reach over "
        "dilation * (kernel - 1) + 1 cells. Places = how far the window can travel, in strides, "
        "plus the first one.",
        "`(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1`. The whole answer stands "
        "in `solutions/08_convolution`.",
    ),
    afterthought="Which padding keeps the size, for stride 1 and an odd kernel?",
)
def conv_output_size(size, kernel, stride=1, pad=0, dilation=1):
    """Number of places along one axis at which a window fits.

    Parameters
    ----------
    size : int
        Cells of the picture along this axis.
    kernel : int
        Cells of the window.
    stride : int
        How far the window moves from one place to the next.
    pad : int
        Cells of zeros added on EACH side.
    dilation : int
        Distance between neighbouring cells of the window; 1 means side by side.

    Returns
    -------
    size : int
        A last place that would stick out is left out.
    """
    reach = dilation * (kernel - 1) + 1
    return (size + 2 * pad - reach) // stride + 1


@chapter.cases(conv_output_size)
def output_size_cases(rng):
    for size, kernel, stride, pad, dilation in [
        (7, 3, 1, 0, 1),
        (32, 5, 1, 2, 1),
        (10, 3, 2, 0, 1),
        (10, 3, 1, 0, 2),
        (28, 4, 3, 1, 1),
        (11, 2, 4, 3, 3),
    ]:
        label = f"size {size}, kernel {kernel}, stride {stride}, pad {pad}, dilation {dilation}"
        yield Case((size, kernel, stride, pad, dilation), label=label)
    more = tuple(int(n) for n in rng.integers([40, 4, 4, 1, 2], [60, 7, 7, 4, 5]))
    yield Case(more, label="sizes drawn at random")


OUTPUT_SIZE_BUGS = {
    "first_place_missing": (
        "Each size is one too small: the distance is counted, the first place is not.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,
        "Add 1: a window that cannot move at all still has one place.",
    ),
    "padded_on_one_side": (
        "The padding seems to be counted once. It is added on both sides.",
        lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
        "The line has size + 2 pad cells.",
    ),
    "padding_left_out": (
        "These sizes equal what results without padding.",
        lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1,
        "The line has size + 2 pad cells.",
    ),
    "rounded_up": (
        "These sizes are rounded up: the last window would stick out of the picture.",
        lambda n, k, s, p, d: -((d * (k - 1) + 1 - n - 2 * p) // s) + 1,
        "Round down: `//`.",
    ),
    "one_before_the_division": (
        "The 1 seems to be added before the division by the stride. With stride 1 that makes no "
        "difference; with stride 2 it does.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s,
        "Divide first; then add 1 for the first place.",
    ),
    "not_rounded": (
        "Some of these sizes have a fraction: the division is not rounded down.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1,
        "Use `//`.",
    ),
    "dilation_left_out": (
        "These sizes equal what results without dilation. Three cells at distance 2 reach over 5.",
        lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
        "Put the reach, dilation * (kernel - 1) + 1, where the kernel's size stands.",
    ),
    "dilation_as_stride": (
        "It looks as if the dilation were a stride. It spreads the cells of one window; how far "
        "the window moves is the stride's business alone.",
        lambda n, k, s, p, d: (n + 2 * p - k) // (s * d) + 1,
        "Only the reach of the window depends on the dilation.",
    ),
    "kernel_times_dilation": (
        "The reach looks like kernel * dilation. Between k cells there are k - 1 gaps.",
        lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
        "The reach is dilation * (kernel - 1) + 1.",
    ),
}
for _bug, (_message, _rule, _remedy) in OUTPUT_SIZE_BUGS.items():

    def _wrong_size(size, kernel, stride=1, pad=0, dilation=1, rule=_rule):
        return rule(size, kernel, stride, pad, dilation)

    chapter.mistake(conv_output_size, _bug, _message, _remedy)(_wrong_size)


# --- convolution, by loops -----------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="out, cache",
    difficulty=3,
    minutes=20,
    hints=(
        "Make the padded picture first: zeros around the last two axes only. Then four loops: "
        "picture n, filter f, row i, column j of the map.",
        "The window of output row i begins at padded row i * stride and is HH rows high; columns "
        "in the same way. It takes ALL channels.",
        "`out[n, f, i, j] = np.sum(xp[n, :, i*s : i*s + HH, j*s : j*s + WW] * w[f]) + b[f]`. The "
        "whole answer stands in `solutions/08_convolution`.",
    ),
    afterthought="How many multiplications is that for one picture? Which loop could go first?",
)
def conv_forward_naive(x, w, b, conv_param):
    """A convolutional layer, by loops.

    Every filter is laid over every place of the zero-padded picture. One entry of `out` is the
    sum over the window of picture times filter, over all channels, plus the filter's bias. The
    filter is not flipped (strictly speaking this is cross-correlation, as in all libraries).

    Parameters
    ----------
    x : (N, C, H, W) array
        N pictures with C channels.
    w : (F, C, HH, WW) array
        F filters.
    b : (F,) array
    conv_param : dict
        "stride": int, in both directions. "pad": int, zeros on each side of H and of W.

    Returns
    -------
    out : (N, F, H', W') array
        H' = 1 + (H + 2 pad - HH) // stride, and W' in the same way: rounded down, so that a
        window that would stick out is left out.
    cache
        Whatever `conv_backward_naive` needs.
    """
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    window = xp[n, :, top : top + HH, left : left + WW]  # (C, HH, WW)
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


def _conv_case(rng, n, c, h, w, f, hh, ww, stride, pad, **more):
    """One layer, drawn at random; `more` holds the optional keys."""
    label = f"x {(n, c, h, w)}, w {(f, c // more.get('groups', 1), hh, ww)}, stride {stride}, "
    label += ", ".join([f"pad {pad}", *(f"{key} {value}" for key, value in more.items())])
    return Case(
        (
            rng.normal(0.2, 1, (n, c, h, w)),
            rng.normal(0, 1, (f, c // more.get("groups", 1), hh, ww)),
            rng.normal(0, 1, f),
            {"stride": stride, "pad": pad, **more},
        ),
        label=label,
    )


@chapter.cases(conv_forward_naive)
def conv_cases(rng):
    yield _conv_case(rng, 3, 2, 4, 5, 4, 3, 2, 1, 0)
    yield _conv_case(rng, 4, 3, 7, 5, 2, 2, 3, 2, 1)
    yield _conv_case(rng, 3, 1, 4, 6, 2, 4, 3, 1, 2)
    yield _conv_case(rng, 3, 2, 7, 9, 4, 2, 1, 3, 0)


def _places(shape, kernel, stride, dilation):
    """Index arrays (H', 1, HH, 1) and (1, W', 1, WW) of every cell of every window."""
    rows, columns = (
        np.arange(0, size - step * (k - 1), by)[:, None] + step * np.arange(k)
        for size, k, by, step in zip(shape, kernel, stride, dilation, strict=True)
    )
    return rows[:, None, :, None], columns[None, :, None, :]


def _pad(x, before, after, **how):
    return np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)), **how)


def _conv(x, w, b, conv_param, bug=""):
    """The layer with one of the classic bugs, also for dilation and groups."""
    s, p = conv_param["stride"], conv_param["pad"]
    d, g = conv_param.get("dilation", 1), conv_param.get("groups", 1)
    pads = {"no_padding": (0, 0), "pad_is_one": (1, 1), "one_sided": (0, p)}
    how = {"mode": "edge"} if bug == "edge_repeated" else {}
    xp = _pad(x, *pads.get(bug, (p, p)), **how)
    strides = {"stride_ignored": (1, 1), "stride_rows_only": (s, 1), "dilation_as_stride": (d, d)}
    steps = (1, 1) if bug in ("dilation_ignored", "dilation_as_stride") else (d, d)
    at = _places(xp.shape[2:], w.shape[2:], strides.get(bug, (s, s)), steps)
    windows = xp[(slice(None), slice(None), *at)]  # (N, C, H', W', HH, WW)
    if bug == "dilation_ignored":
        fits = _places(xp.shape[2:], w.shape[2:], (s, s), (d, d))
        windows = windows[:, :, : fits[0].shape[0], : fits[1].shape[1]]
    if bug == "first_channel":
        windows = windows * (np.arange(x.shape[1]) == 0)[:, None, None, None, None]
    kernel = w[:, :, ::-1, ::-1] if bug == "flipped" else w
    if bug == "window_order":
        moved = np.moveaxis(windows, 1, -1)  # the columns in the order HH, WW, C
        windows = np.moveaxis(moved.reshape(*moved.shape[:3], *w.shape[1:]), (3,), (1,))
    per = len(w) // g
    owner = np.arange(len(w)) % g if bug == "groups_interleaved" else np.arange(len(w)) // per
    C = w.shape[1]
    out = np.stack(
        [
            np.einsum("ncijkl,ckl->nij", windows[:, o * C : (o + 1) * C], kernel[f])
            for f, o in enumerate(owner)
        ],
        axis=1,
    )
    if bug == "mean":
        out = out / w[0].size
    if bug == "output_order":
        out = np.moveaxis(out, 1, -1).reshape(out.shape)
    return out + (0 if bug == "no_bias" else b[:, None, None])


def _pads_every_axis(x, w, b, conv_param):
    """`np.pad(x, pad)` pads N and C too; the loops then run over the pictures that x had."""
    s, p = conv_param["stride"], conv_param["pad"]
    xp = np.pad(x, p)
    H, W = (1 + (n + 2 * p - k) // s for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
    out = np.zeros((len(x), len(w), H, W))
    for n, f, i, j in np.ndindex(out.shape):
        window = xp[n, :, i * s : i * s + w.shape[2], j * s : j * s + w.shape[3]]
        out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


def _square_forward(x, w, b, conv_param):
    """W' is taken for H'."""
    s, p = conv_param["stride"], conv_param["pad"]
    xp = _pad(x, p, p)
    size = 1 + (x.shape[2] + 2 * p - w.shape[2]) // s
    out = np.zeros((len(x), len(w), size, size))
    for n, f, i, j in np.ndindex(out.shape):
        window = xp[n, :, i * s : i * s + w.shape[2], j * s : j * s + w.shape[3]]
        out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


CONV_BUGS = {
    "no_bias": (
        "Each map is off by its filter's bias: `b` seems not to be added.",
        "Add `b[f]` to every entry of map f.",
    ),
    "flipped": (
        "These values equal what results when the filter is flipped in both directions. That is "
        "convolution as mathematics defines it; a layer does not flip.",
        "Multiply the window by `w[f]` as it is.",
    ),
    "no_padding": (
        "These maps are as small as without padding.",
        "Put `pad` rows and columns of zeros around each picture first.",
    ),
    "pad_is_one": (
        "These maps equal what results with a padding of 1, whatever `pad` says.",
        'Use `conv_param["pad"]`.',
    ),
    "one_sided": (
        "These maps equal what results when the zeros are added on one side only.",
        "Pad on both sides: `(pad, pad)` for H and for W.",
    ),
    "edge_repeated": (
        "Inside, these maps are right; at the border they equal what results when the edge pixels "
        "are repeated. The task pads with zeros.",
        "`np.pad` does so without a `mode`.",
    ),
    "stride_ignored": (
        "These maps equal what results with a stride of 1.",
        "Window (i, j) begins at row i * stride and column j * stride.",
    ),
    "stride_rows_only": (
        "The stride seems to be used for the rows and not for the columns.",
        "Columns too: window (i, j) begins at column j * stride.",
    ),
    "first_channel": (
        "These values equal what results from the first channel alone. A filter has one layer for "
        "each channel, and all of them are summed.",
        "The window is `xp[n, :, ...]`, of shape (C, HH, WW).",
    ),
    "mean": (
        "These values are too small by the number of weights of one filter: it looks like a mean "
        "where a sum is meant.",
        "Sum the products; the weights themselves decide on the scale.",
    ),
    "square_assumed": (
        "It looks as if the maps are taken to be square: W' is computed from H and HH.",
        "Compute H' from H and HH, and W' from W and WW.",
    ),
    "pads_every_axis": (
        "The windows do not fit the filters: it looks like `np.pad(x, pad)`, which pads the "
        "pictures and the channels too.",
        "`np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))`.",
    ),
}


def _conv_mistakes(exercise, bugs, own=()):
    """Hang the bugs of `_conv` on a forward exercise; `own` holds those written out."""
    for bug, (message, remedy) in bugs.items():

        def wrong(x, w, b, conv_param, bug=bug):
            return _conv(x, w, b, conv_param, bug), (x, w, b, conv_param)

        chapter.mistake(exercise, bug, message, remedy)(dict(own).get(bug, wrong))


WRITTEN_OUT = {"square_assumed": _square_forward, "pads_every_axis": _pads_every_axis}
_conv_mistakes(conv_forward_naive, CONV_BUGS, WRITTEN_OUT)


@chapter.exercise(
    points=4,
    returns="dx, dw, db",
    gradient_of=conv_forward_naive,
    common_cache=True,
    difficulty=4,
    minutes=20,
    hints=(
        "Walk through the same loops. One output entry is sum(window * w[f]) + b[f]; its arriving "
        "gradient g = dout[n, f, i, j] goes to three places.",
        "To the filter: g * window. To the window: g * w[f]. To the bias: g. A pixel lies in many "
        "windows and a filter is used at many places, so all three are ADDED (`+=`).",
        "Collect `dxp` in the padded size; at the end `dx = dxp[:, :, pad : pad + H, pad : pad + "
        "W]`, which is right for pad = 0 too. The whole answer stands in "
        "`solutions/08_convolution`.",
    ),
    afterthought="Which pixels get no gradient at all when the stride is larger than the kernel?",
)
def conv_backward_naive(dout, cache):
    """Gradients of a convolutional layer, by loops.

    Parameters
    ----------
    dout : (N, F, H', W') array
        Gradient of the loss with respect to the layer's output.
    cache
        What the own `conv_forward_naive` returned.

    Returns
    -------
    dx : (N, C, H, W) array
    dw : (F, C, HH, WW) array
    db : (F,) array
    """
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    _, _, H, W = x.shape
    _, _, HH, WW = w.shape
    N, F, H_out, W_out = dout.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    rows, columns = slice(top, top + HH), slice(left, left + WW)
                    dw[f] += dout[n, f, i, j] * xp[n, :, rows, columns]
                    dxp[n, :, rows, columns] += dout[n, f, i, j] * w[f]
    dx = dxp[:, :, pad : pad + H, pad : pad + W]  # not [pad:-pad], which is empty for pad = 0
    return dx, dw, dout.sum(axis=(0, 2, 3))


def _conv_back(dout, cache, bugs=()):
    """The gradients with bugs left in, also for dilation and groups."""
    x, w, b, conv_param = cache
    s, p = conv_param["stride"], conv_param["pad"]
    d, g = conv_param.get("dilation", 1), conv_param.get("groups", 1)
    N, F, H_out, W_out = dout.shape
    everything = dout
    if "square_assumed" in bugs:
        if H_out > W_out:
            raise IndexError(f"index {W_out} is out of bounds for axis 3 with size {W_out}")
        dout = dout[:, :, :, :H_out]
        W_out = H_out
    xp = _pad(x, p, p)
    by = (1 if "stride_rows" in bugs else s, 1 if "stride_columns" in bugs else s)
    step = 1 if "dilation_ignored" in bugs else d
    rows, columns = _places(xp.shape[2:], w.shape[2:], by, (step, step))
    at = (slice(None), slice(None), rows[:H_out], columns[:, :W_out])
    windows = xp[at]  # (N, C, H', W', HH, WW)
    kernel = w[:, :, ::-1, ::-1] if "flipped" in bugs else w
    order = np.arange(F).reshape(-1, g).T if "groups_interleaved" in bugs else None
    parts = np.split(np.arange(F), g) if order is None else list(order)
    C = w.shape[1]
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for group, members in enumerate(parts):
        mine = slice(group * C, (group + 1) * C)
        up = dout[:, members]  # (N, F of this group, H', W')
        if "last_filter_only" in bugs:
            back = np.einsum("nij,ckl->ncijkl", up[:, -1], kernel[members[-1]])
        else:
            back = np.einsum("nfij,fckl->ncijkl", up, kernel[members])
        here = dxp[:, mine]
        if "overwritten" in bugs or "last_filter_only" in bugs:
            for i, j in np.ndindex(H_out, W_out):
                here[:, :, rows[i, 0], columns[0, j]] = back[:, :, i, j]
        else:
            np.add.at(here, at, back)
        dw[members] = np.einsum("nfij,ncijkl->fckl", up, windows[:, mine])
    if "dw_last" in bugs:
        dw = dout[-1, :, -1, -1, None, None, None] * windows[-1, :, -1, -1]
    if "dw_mean" in bugs:
        dw = dw / N
    H, W = x.shape[2:]
    dx = dxp[:, :, p : p + H, p : p + W]
    if "crop" in bugs:
        dx = dxp[:, :, p:-p, p:-p]
    if "crop_one" in bugs:
        dx = dxp[:, :, 1:-1, 1:-1]
    if "uncropped" in bugs:
        dx = dxp
    axes = {"bias_per_picture": (2, 3), "bias_all": None, "bias_axis": (0, 1, 2)}
    db = everything.sum(axis=next((axes[name] for name in bugs if name in axes), (0, 2, 3)))
    return dx, dw, everything.mean(axis=(0, 2, 3)) if "bias_mean" in bugs else db


CONV_BACK_BUGS = {
    "crop": (
        "`dx` is empty when pad = 0: it looks like `dxp[:, :, pad:-pad, pad:-pad]`. The slice "
        "`[0:-0]` is `[0:0]`.",
        "Cut with `pad : pad + H` and `pad : pad + W`.",
    ),
    "crop_one": (
        "`dx` is right for pad = 1 and has the wrong size otherwise: it looks like `[1:-1]`.",
        "Cut with `pad : pad + H` and `pad : pad + W`.",
    ),
    "uncropped": (
        "`dx` still carries its border: it has the size of the padded picture.",
        "Cut the border off: `pad : pad + H` and `pad : pad + W`.",
    ),
    "last_filter_only": (
        "`dx` equals what results when each contribution overwrites the one before. A pixel lies "
        "in several windows and is seen by every filter.",
        "Use `+=` where the gradient enters the window.",
    ),
    "overwritten": (
        "`dx` equals what results when a window overwrites what its neighbour left. Where windows "
        "overlap, contributions add up.",
        "Use `+=` where the gradient enters the window.",
    ),
    "dw_last": (
        "`dw` equals the contribution of one place of one picture, the last: the others are "
        "overwritten. A filter is used at every place, and all places add up.",
        "Use `+=` for `dw[f]`.",
    ),
    "dw_mean": (
        "`dw` is N times too small. The division by the number of pictures belongs to the loss; "
        "`dout` carries it already.",
        "Take out the division by N.",
    ),
    "flipped": (
        "`dx` equals what results from the flipped filter. In a loop over the windows the filter "
        "goes back as it came.",
        "Add `dout[n, f, i, j] * w[f]` to the window.",
    ),
    "stride_rows": (
        "The windows of the way back seem to begin at row i where the forward's begin at i * "
        "stride.",
        "Use the same windows as forward.",
    ),
    "stride_columns": (
        "The windows of the way back seem to begin at column j where the forward's begin at "
        "j * stride.",
        "Use the same windows as forward.",
    ),
    "square_assumed": (
        "It looks as if the maps are taken to be square: the loop over columns ends at H'.",
        "Take both from `dout.shape`: H' rows, W' columns.",
    ),
    "bias_per_picture": (
        "`db` has one row for each picture; `b` has one number for each filter.",
        "Sum `dout` over pictures, rows and columns: axes 0, 2 and 3.",
    ),
    "bias_mean": (
        "`db` equals the MEAN of `dout` over pictures and places. Every place adds its share.",
        "Use `sum`, not `mean`.",
    ),
    "bias_all": (
        "`db` is a single number: `dout` is summed over the filters too.",
        "Sum over axes 0, 2 and 3.",
    ),
    "bias_axis": (
        "`db` has one number for each column of the map: it looks like a sum over axes 0, 1, 2.",
        "The filter is axis 1: sum over the other three.",
    ),
}


def _with_bugs(*names):
    return lambda dout, cache: _conv_back(dout, cache, names)


for _bug, (_message, _remedy) in CONV_BACK_BUGS.items():
    chapter.mistake(conv_backward_naive, _bug, _message, _remedy)(_with_bugs(_bug))


# --- pooling -------------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=2,
    minutes=8,
    hints=(
        "The windows are found as for the convolution, without padding. What is taken from each "
        "window is its largest entry, and each channel is treated on its own.",
        "Stride and window size are different things: windows may overlap, or leave gaps.",
        "`out[:, :, i, j] = x[:, :, i*s : i*s + ph, j*s : j*s + pw].max(axis=(2, 3))`. The whole "
        "answer stands in `solutions/08_convolution`.",
    ),
    afterthought="How many parameters does this layer have?",
)
def max_pool_forward_naive(x, pool_param):
    """Max pooling: the largest entry of each window, channel by channel.

    Parameters
    ----------
    x : (N, C, H, W) array
    pool_param : dict
        "pool_height", "pool_width", "stride": int. No padding; windows may overlap (stride
        smaller than the window) or leave gaps (stride larger).

    Returns
    -------
    out : (N, C, H', W') array
        H' = 1 + (H - pool_height) // stride, rounded down: rows that fill no window are left
        out. W' in the same way.
    cache
        Whatever `max_pool_backward_naive` needs.
    """
    ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    H_out, W_out = 1 + (H - ph) // stride, 1 + (W - pw) // stride
    out = np.zeros((N, C, H_out, W_out))
    for i in range(H_out):
        for j in range(W_out):
            top, left = i * stride, j * stride
            window = x[:, :, top : top + ph, left : left + pw]  # (N, C, ph, pw)
            out[:, :, i, j] = window.max(axis=(2, 3))
    return out, (x, pool_param)


@chapter.cases(max_pool_forward_naive)
def pool_cases(rng):
    """Entries at a distance from each other, so that no maximum is shared; more of them below 0."""
    for shape, ph, pw, stride in [
        ((3, 2, 4, 6), 2, 3, 1),
        ((3, 2, 8, 6), 2, 2, 2),
        ((4, 3, 7, 5), 3, 2, 2),
        ((3, 4, 7, 11), 2, 3, 4),
    ]:
        count = int(np.prod(shape))
        order = rng.permutation(count) + rng.uniform(-0.2, 0.2, count)
        x = (order * (4 / count) - 2.8).reshape(shape)
        param = {"pool_height": ph, "pool_width": pw, "stride": stride}
        yield Case((x, param), label=f"x {shape}, window {ph} x {pw}, stride {stride}")


def _pool(x, pool_param, how="max", bug=""):
    """Pooling with one of the classic bugs."""
    ph, pw, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    by = {"stride_is_window": (ph, pw), "stride_ignored": (1, 1)}.get(bug, (s, s))
    kernel = (pw, ph) if bug == "sides_swapped" else (ph, pw)
    if bug == "padded_at_the_end":
        short = [-(size - k) % s for size, k in zip(x.shape[2:], kernel, strict=True)]
        x = np.pad(x, ((0, 0), (0, 0), (0, short[0]), (0, short[1])))
    windows = x[(slice(None), slice(None), *_places(x.shape[2:], kernel, by, (1, 1)))]
    if bug == "abs":
        windows = abs(windows)
    if bug == "corner":
        return windows[..., 0, 0]
    if bug == "over_channels":
        return windows.max(axis=(1, 4, 5))
    if bug == "divided_by_stride":
        return windows.sum(axis=(4, 5)) / s**2
    if bug == "from_zero":
        windows = np.maximum(windows, 0)
    return getattr(windows, how)(axis=(4, 5))


POOL_BUGS = {
    "stride_is_window": (
        "These maps equal what results when the windows are laid edge to edge: the stride seems "
        "to be taken from the window's size.",
        'Windows begin at multiples of `pool_param["stride"]`; they may overlap.',
    ),
    "stride_ignored": (
        "These maps equal what results with a stride of 1.",
        "Window (i, j) begins at row i * stride and column j * stride.",
    ),
    "sides_swapped": (
        "It looks as if the height and the width of the window are exchanged.",
        "`pool_height` belongs to rows, `pool_width` to columns.",
    ),
    "padded_at_the_end": (
        "There are windows that stick out of the picture: the size seems to be rounded up.",
        "Round down: rows and columns that fill no window are left out.",
    ),
    "over_channels": (
        "The channels are gone: it looks as if the maximum is taken over them too.",
        "Each channel keeps its own map: take the maximum over the window's rows and columns only.",
    ),
}
MAX_BUGS = {
    "from_zero": (
        "No entry is below zero: it looks as if the running maximum starts at 0. In a window of "
        "negative numbers the largest one is negative too.",
        "Start from the first entry, or from `-np.inf`.",
    ),
    "abs": (
        "These values equal the largest SIZE in each window, without its sign.",
        "Take the largest entry; -3 is smaller than 1.",
    ),
    "corner": (
        "These values are the top left entry of each window.",
        "Take the maximum over the window's rows and columns.",
    ),
}


def _pool_mistakes(exercise, how, bugs):
    for bug, (message, remedy) in bugs.items():

        def wrong(x, pool_param, bug=bug):
            return _pool(x, pool_param, how, bug), (x, pool_param)

        chapter.mistake(exercise, bug, message, remedy)(wrong)


def _other_pooling(exercise, key, message, how):
    def wrong(x, pool_param):
        return _pool(x, pool_param, how), (x, pool_param)

    chapter.mistake(exercise, key, message)(wrong)


AVERAGE = "These values equal the mean of each window; max pooling takes the largest entry."
_pool_mistakes(max_pool_forward_naive, "max", POOL_BUGS | MAX_BUGS)
_other_pooling(max_pool_forward_naive, "average", AVERAGE, "mean")


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=max_pool_forward_naive,
    common_cache=True,
    difficulty=3,
    minutes=10,
    hints=(
        "Nudge an entry that is not the largest of its window: the output does not move. So who "
        "gets the gradient?",
        "One entry can be the largest of SEVERAL overlapping windows: contributions add up.",
        "In each window: `row, column = np.unravel_index(window.argmax(), window.shape)`, then "
        "`dx[n, c, top + row, left + column] += dout[n, c, i, j]`. The whole answer stands in "
        "`solutions/08_convolution`.",
    ),
    afterthought="What share of the entries of `dx` can be non-zero, for 2 x 2 with stride 2?",
)
def max_pool_backward_naive(dout, cache):
    """Gradient of max pooling.

    Parameters
    ----------
    dout : (N, C, H', W') array
    cache
        What the own `max_pool_forward_naive` returned.

    Returns
    -------
    dx : (N, C, H, W) array
        Where several entries of a window share the maximum, any of them may be chosen.
    """
    x, pool_param = cache
    ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H_out, W_out = dout.shape
    dx = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    window = x[n, c, top : top + ph, left : left + pw]
                    row, column = np.unravel_index(window.argmax(), window.shape)
                    dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx


def _pool_back(dout, cache, bug=""):
    """The gradient of pooling, window by window, with one of the classic bugs."""
    x, pool_param = cache
    ph, pw, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    by = {"stride_is_window": (ph, pw), "stride_ignored": (1, 1)}.get(bug, (s, s))
    dx = np.zeros_like(x)
    for i, j in np.ndindex(dout.shape[2:]):
        at = np.s_[:, :, i * by[0] : i * by[0] + ph, j * by[1] : j * by[1] + pw]
        window, up = x[at], dout[:, :, i, j, None, None]
        if not window.size:
            continue
        share = (window == window.max(axis=(2, 3), keepdims=True)).astype(float)
        share = {
            "everyone": np.ones_like(share),
            "evenly": np.ones_like(share) / (ph * pw),
            "times_the_entry": share * window,
            "smallest": (window == window.min(axis=(2, 3), keepdims=True)).astype(float),
            "mean": np.ones_like(share) / (ph * pw),
            "mean_not_divided": np.ones_like(share),
            "mean_by_stride": np.ones_like(share) / s**2,
            "mean_overwritten": np.ones_like(share) / (ph * pw),
        }.get(bug, share)
        if bug == "overwritten" or bug == "mean_overwritten":
            dx[at] = up * share
        elif bug == "entry_overwritten":
            dx[at] = np.where(share > 0, up, dx[at])
        elif bug == "upstream_missing":
            dx[at] += share
        else:
            dx[at] += up * share
    return dx


POOL_BACK_BUGS = {
    "overwritten": (
        "Where windows overlap, the later one wipes out what the earlier one left: it looks like "
        "`dx[window] = ...`.",
        "Use `+=`.",
    ),
    "entry_overwritten": (
        "An entry that is the largest of two windows gets the gradient of one of them only: it "
        "looks like `=` where `+=` is meant.",
        "Use `+=`.",
    ),
    "everyone": (
        "Every entry of a window gets the whole gradient; only the largest one moves the output.",
        "Multiply by a mask that is 1 at the largest entry and 0 elsewhere.",
    ),
    "evenly": (
        "The gradient is spread evenly over each window: that is average pooling.",
        "All of it goes to the largest entry.",
    ),
    "upstream_missing": (
        "These values count in how many windows an entry is the largest: `dout` seems not "
        "to be used.",
        "Multiply the mask by `dout`.",
    ),
    "times_the_entry": (
        "The gradient is multiplied by the entry itself. The slope of the largest entry is 1.",
        "Pass on `dout` unchanged.",
    ),
    "smallest": (
        "The gradient goes to the SMALLEST entry of each window.",
        "Use `argmax`.",
    ),
    "stride_is_window": (
        "The windows of the way back seem to lie edge to edge; forward they begin at multiples of "
        "the stride.",
        "Use the same windows as forward.",
    ),
}
for _bug, (_message, _remedy) in POOL_BACK_BUGS.items():

    def _wrong_pool_back(dout, cache, bug=_bug):
        return _pool_back(dout, cache, bug)

    chapter.mistake(max_pool_backward_naive, _bug, _message, _remedy)(_wrong_pool_back)


# --- how far a unit sees -------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="field",
    difficulty=3,
    minutes=8,
    hints=(
        "One layer of kernel 3 sees 3 pixels. A second one sees 3 neighbours of the first map: how "
        "far apart do those lie in the picture?",
        "Keep two numbers: the field, starting at 1, and the distance in pixels between "
        "neighbours of the current map, starting at 1.",
        "For each layer: `field += (kernel - 1) * dilation * jump`, then `jump *= stride`. The "
        "whole answer stands in `solutions/08_convolution`.",
    ),
    afterthought="How many layers of 3 x 3 see a whole picture of 224 pixels? And with stride 2?",
)
def receptive_field(layers):
    """Pixels of the input, along one axis, that one unit of the last map can depend on.

    Parameters
    ----------
    layers : list of (kernel, stride, dilation)
        From the input to the output; pooling layers count like convolutions.

    Returns
    -------
    field : int
        As if the picture were large enough; padding plays no part. No layers: 1.
    """
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride  # pixels between neighbours of this layer's map
    return field


@chapter.cases(receptive_field)
def receptive_field_cases(rng):
    yield Case(([(3, 1, 1), (5, 1, 1)],), label="3 then 5, stride 1")
    yield Case(([(3, 2, 1), (4, 3, 1), (2, 1, 1)],), label="strides 2, 3, 1")
    yield Case(([(3, 1, 1), (3, 1, 2), (5, 1, 4)],), label="dilations 1, 2, 4")
    yield Case(([(5, 2, 1), (2, 2, 1), (3, 1, 3), (4, 2, 2)],), label="strides and dilations")
    more = [tuple(int(n) for n in rng.integers([2, 2, 2], [6, 4, 4])) for _ in range(4)]
    yield Case((more,), label="four layers drawn at random")
    yield Case(([],), label="no layers")


def _field(layers, bug):
    field, jump = 1, 1
    for kernel, stride, dilation in layers[::-1] if bug == "from_the_end" else layers:
        if bug == "own_stride":
            jump *= stride
        reach = {"kernel_not_less_one": kernel * dilation, "no_dilation": kernel - 1}
        field += reach.get(bug, (kernel - 1) * dilation) * jump
        if bug == "last_stride_only":
            jump = stride
        elif bug == "strides_added":
            jump += stride
        elif bug == "dilation_in_the_jump":
            jump *= stride * dilation
        elif bug not in ("no_stride", "own_stride"):
            jump *= stride
    return {"starts_at_zero": field - 1}.get(bug, field)


FIELD_BUGS = {
    "no_stride": (
        "These fields equal what results without the strides. After a stride of 2, neighbours of "
        "the map lie 2 pixels apart.",
        "Multiply by the strides of all EARLIER layers.",
    ),
    "own_stride": (
        "A layer's own stride seems to widen its own window. It spreads what comes after it.",
        "Add to the field first; update the distance afterwards.",
    ),
    "last_stride_only": (
        "Only the stride of the layer before seems to count. The strides of all earlier layers "
        "multiply.",
        "`jump *= stride`, not `jump = stride`.",
    ),
    "strides_added": (
        "The strides seem to be added. Two strides of 3 move by 9 pixels, not by 6.",
        "`jump *= stride`.",
    ),
    "no_dilation": (
        "These fields equal what results without dilation.",
        "A window reaches over (kernel - 1) * dilation + 1 cells.",
    ),
    "dilation_in_the_jump": (
        "The dilation seems to be treated like a stride: neighbours of a dilated layer's map still "
        "lie side by side.",
        "Only strides move `jump`.",
    ),
    "kernel_not_less_one": (
        "Each layer seems to add its whole kernel. The pixel in the middle was counted before: "
        "a layer adds kernel - 1.",
        "`field += (kernel - 1) * dilation * jump`.",
    ),
    "starts_at_zero": (
        "Each field is one too small: before the first layer a unit sees one pixel, itself.",
        "Start with `field = 1`.",
    ),
    "from_the_end": (
        "These fields equal what results when the list is walked from the last layer to the first "
        "with this rule.",
        "The list runs from the input to the output; walk it in that order.",
    ),
}
for _bug, (_message, _remedy) in FIELD_BUGS.items():

    def _wrong_field(layers, bug=_bug):
        return _field(layers, bug)

    chapter.mistake(receptive_field, _bug, _message, _remedy)(_wrong_field)


# --- debug: the way back, four bugs planted ------------------------------------------------------

DEBUG_STUB = '''def debug_conv_backward(dout, x, w, conv_param):
    """Gradients of a convolutional layer. Four things are wrong.

    Shapes are those of `conv_backward_naive`; the bias is not needed for its own gradient.
    """
    stride, pad = conv_param["stride"], conv_param["pad"]
    HH, WW = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            at = np.s_[:, :, i * stride : i * stride + HH, j : j + WW]
            dw += np.einsum("nf,nckl->fckl", dout[:, :, i, j], xp[at])
            dxp[at] = np.einsum("nf,fckl->nckl", dout[:, :, i, j], w)
    dx = dxp[:, :, pad:-pad, pad:-pad]
    db = dout.sum(axis=(0, 1, 2))
    return dx, dw, db
'''

PLANTED = {
    "crop": "`dx` is empty when pad = 0. What does the slice `[0:-0]` give?",
    "bias_axis": "`db` has one number for each column, not for each filter: which axes are summed?",
    "stride_columns": "`dw` is right for stride 1 only. Where does window (i, j) begin?",
    "overwritten": "`dx` is wrong where windows overlap: what happens to what was there before?",
}


def debug_cases(rng):
    """The layers of the chapter, with a random gradient that arrives."""
    for case in conv_cases(rng):
        x, w, b, conv_param = case.args
        out, _ = conv_forward_naive(x, w, b, conv_param)
        yield Case((rng.normal(0, 1, out.shape), x, w, conv_param), label=case.label)


@chapter.exercise(
    points=4,
    returns="dx, dw, db",
    difficulty=3,
    minutes=15,
    title="Debug: four bugs on the way back",
    stub=DEBUG_STUB,
    hints=(
        "Begin with the shapes: which gradient does not have the shape of what it belongs to, and "
        "for which `conv_param`?",
        "Then the values. With stride 1 and a kernel of 1 x 1 nothing overlaps and no stride "
        "matters: which gradients are right there? Change one setting at a time.",
        "Cut with `pad : pad + H`; sum over axes 0, 2, 3; columns begin at `j * stride`; `dxp[at] "
        "+= ...`. The whole answer stands in `solutions/08_convolution`.",
    ),
    afterthought="Which of the four would pass a test with pad 1, stride 1 and a square picture?",
)
def debug_conv_backward(dout, x, w, conv_param):
    """Gradients of a convolutional layer. Four things are wrong.

    Shapes are those of `conv_backward_naive`; the bias is not needed for its own gradient.
    """
    stride, pad = conv_param["stride"], conv_param["pad"]
    HH, WW = w.shape[2:]
    H, W = x.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            at = np.s_[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
            dw += np.einsum("nf,nckl->fckl", dout[:, :, i, j], xp[at])
            dxp[at] += np.einsum("nf,fckl->nckl", dout[:, :, i, j], w)
    dx = dxp[:, :, pad : pad + H, pad : pad + W]
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db


chapter.cases(debug_conv_backward)(debug_cases)

# Every way to mend some of the four, so that none is taken for another.
for _count, _word in enumerate(("One bug is", "Two bugs are", "Three bugs are", "All four are"), 1):
    for _left in combinations(PLANTED, _count):

        def _still(dout, x, w, conv_param, left=_left):
            return _conv_back(dout, (x, w, None, conv_param), left)

        _key = "all_four_left" if _count == 4 else "_".join(_left) + "_left"
        _message = f"{_word} left{' in' if _count == 4 else ''}. {PLANTED[_left[0]]}"
        chapter.mistake(debug_conv_backward, _key, _message)(_still)


# --- what it costs -------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="parameters, multiplications",
    difficulty=2,
    minutes=6,
    optional=True,
    hints=(
        "Parameters: the numbers in all filters, and one bias for each filter. The size of the "
        "picture plays no part.",
        "Multiplications: each entry of the output takes one for each weight of its filter.",
        "With `H_out, W_out` from `conv_output_size`: `weights = F * C * HH * WW`; return "
        "`weights + F, weights * H_out * W_out`. The whole answer stands in "
        "`solutions/08_convolution`.",
    ),
    afterthought="One 5 x 5 kernel, or two of 3 x 3: which costs less, and what do they see?",
)
def conv_cost(image_shape, w_shape, conv_param):
    """Parameters of a convolutional layer, and its multiplications for ONE picture.

    Parameters
    ----------
    image_shape : (C, H, W)
    w_shape : (F, C / groups, HH, WW)
        Shape of the filters. With "groups", each filter sees a part of the channels only; the
        second number says how many.
    conv_param : dict
        "stride", "pad", and optionally "dilation" (1) and "groups" (1).

    Returns
    -------
    parameters : int
        Weights and biases.
    multiplications : int
        Weight times input, also where the input is a padded zero.
    """
    _, H, W = image_shape
    F, channels, HH, WW = w_shape
    stride, pad = conv_param["stride"], conv_param["pad"]
    dilation = conv_param.get("dilation", 1)
    H_out = (H + 2 * pad - dilation * (HH - 1) - 1) // stride + 1
    W_out = (W + 2 * pad - dilation * (WW - 1) - 1) // stride + 1
    weights = F * channels * HH * WW
    return weights + F, weights * H_out * W_out


@chapter.cases(conv_cost)
def cost_cases(rng):
    for image, w, param in [
        ((3, 32, 28), (16, 3, 5, 3), {"stride": 1, "pad": 2}),
        ((8, 16, 20), (12, 8, 3, 4), {"stride": 2, "pad": 1}),
        ((5, 9, 14), (7, 5, 2, 3), {"stride": 4, "pad": 0}),
        ((6, 30, 17), (10, 6, 3, 5), {"stride": 1, "pad": 0, "dilation": 2}),
        ((6, 14, 19), (18, 1, 4, 3), {"stride": 3, "pad": 1, "groups": 6}),
    ]:
        yield Case((image, w, param), label=f"picture {image}, filters {w}, {param}")


def _cost(image, w, param, bug):
    weights, s, p = int(np.prod(w)), param["stride"], param["pad"]
    d = 1 if bug == "no_dilation" else param.get("dilation", 1)
    places = 1
    for size, k in zip(image[1:], w[2:], strict=True):
        places *= size if bug == "input_size" else (size + 2 * p - d * (k - 1) - 1) // s + 1
    parameters = {
        "no_bias": weights,
        "not_shared": weights * places + w[0],
        "one_bias": weights + 1,
        "bias_per_place": weights + w[0] * places,
        "channels_forgotten": weights // w[1] + w[0],
        "all_channels": weights // w[1] * image[0] + w[0],
    }.get(bug, weights + w[0])
    multiplications = {
        "one_place": weights,
        "channels_forgotten": weights // w[1] * places,
        "all_channels": weights // w[1] * image[0] * places,
    }.get(bug, weights * places)
    return parameters, multiplications


COST_BUGS = {
    "no_bias": ("The biases are not counted: there is one for each filter.", "Add F."),
    "one_bias": ("There seems to be one bias in all; each filter has its own.", "Add F."),
    "not_shared": (
        "The parameters are counted again at each place. All places share one filter: that is "
        "what makes the layer small.",
        "The parameters do not depend on H and W.",
    ),
    "bias_per_place": (
        "There seems to be a bias for each place. The bias is shared like the filter.",
        "Add F.",
    ),
    "channels_forgotten": (
        "A filter seems to be counted with one channel. It has a layer for each channel it sees.",
        "A filter has `w_shape[1] * HH * WW` weights.",
    ),
    "all_channels": (
        "With groups, these numbers are too large: a filter sees `w_shape[1]` channels, not all.",
        "Take the number of channels from `w_shape`.",
    ),
    "input_size": (
        "The multiplications are counted at H * W places. The map has H' * W'.",
        "Multiply by the size of the output.",
    ),
    "one_place": (
        "These multiplications are those of one place of the map.",
        "Multiply by the number of places, H' * W'.",
    ),
    "no_dilation": (
        "The map seems to be counted without dilation, which makes it smaller.",
        "Use the reach dilation * (k - 1) + 1 in the output's size.",
    ),
}
for _bug, (_message, _remedy) in COST_BUGS.items():

    def _wrong_cost(image_shape, w_shape, conv_param, bug=_bug):
        return _cost(image_shape, w_shape, conv_param, bug)

    chapter.mistake(conv_cost, _bug, _message, _remedy)(_wrong_cost)


# --- average pooling -----------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=2,
    minutes=6,
    optional=True,
    hints=(
        "The windows of max pooling; another thing is taken from each.",
        "The mean over the window's rows and columns; channels stay apart.",
        "`out[:, :, i, j] = window.mean(axis=(2, 3))`. The whole answer stands in "
        "`solutions/08_convolution`.",
    ),
    afterthought="Which convolution with fixed weights does the same?",
)
def avg_pool_forward(x, pool_param):
    """Average pooling: the mean of each window, channel by channel.

    Parameters
    ----------
    x : (N, C, H, W) array
    pool_param : dict
        "pool_height", "pool_width", "stride": int. No padding; windows may overlap.

    Returns
    -------
    out : (N, C, H', W') array
        H' = 1 + (H - pool_height) // stride, rounded down; W' in the same way.
    cache
        Whatever `avg_pool_backward` needs.
    """
    ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    H_out, W_out = 1 + (H - ph) // stride, 1 + (W - pw) // stride
    out = np.zeros((N, C, H_out, W_out), x.dtype)
    for i in range(ph):
        for j in range(pw):  # one step for each cell of the window, for all windows at once
            out += x[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride]
    out /= ph * pw
    return out, (x, pool_param)


chapter.cases(avg_pool_forward)(pool_cases)
AVG_BUGS = {
    "divided_by_stride": (
        "These values equal the sum of each window divided by stride * stride; that is its size "
        "only where windows lie edge to edge.",
        "Divide by pool_height * pool_width.",
    ),
}
_pool_mistakes(avg_pool_forward, "mean", POOL_BUGS | AVG_BUGS)
_other_pooling(
    avg_pool_forward, "sum", "These values equal the SUM of each window: it is not divided.", "sum"
)
_other_pooling(
    avg_pool_forward, "largest", "These values equal the largest entry of each window.", "max"
)


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=avg_pool_forward,
    common_cache=True,
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "Every entry of a window moves the mean, all of them equally.",
        "Each gets dout / (pool_height * pool_width), added up over the windows it lies in.",
        "`dx[:, :, window] += dout[:, :, i, j, None, None] / (ph * pw)`. The whole answer stands "
        "in `solutions/08_convolution`.",
    ),
    afterthought="What does `dx` sum to, and what does that of max pooling sum to?",
)
def avg_pool_backward(dout, cache):
    """Gradient of average pooling.

    Parameters
    ----------
    dout : (N, C, H', W') array
    cache
        What the own `avg_pool_forward` returned.

    Returns
    -------
    dx : (N, C, H, W) array
    """
    x, pool_param = cache
    ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    _, _, H_out, W_out = dout.shape
    dx, share = np.zeros_like(x), dout / (ph * pw)
    for i in range(ph):
        for j in range(pw):
            dx[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride] += share
    return dx


AVG_BACK_BUGS = {
    "mean_not_divided": (
        "Each entry gets the whole gradient; its share of the mean is 1 / (pool_height * "
        "pool_width).",
        "Divide by the size of the window.",
    ),
    "mean_by_stride": (
        "The gradient seems to be divided by stride * stride.",
        "Divide by pool_height * pool_width.",
    ),
    "mean_overwritten": (
        "Where windows overlap, the later one wipes out what the earlier one left.",
        "Use `+=`.",
    ),
    "largest_only": (
        "All of the gradient goes to the largest entry: that is max pooling.",
        "Every entry of the window gets the same share.",
    ),
}
for _bug, (_message, _remedy) in AVG_BACK_BUGS.items():

    def _wrong_avg_back(dout, cache, bug=_bug):
        return _pool_back(dout, cache, bug)

    chapter.mistake(avg_pool_backward, _bug, _message, _remedy)(_wrong_avg_back)


# --- the fast versions ---------------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="out, cache",
    difficulty=4,
    minutes=25,
    optional=True,
    hints=(
        "Turn the loops inside out: HH * WW steps, one for each cell of the kernel, each for all "
        "places at once. `xp[:, :, i : i + s * H_out : s, j : j + s * W_out : s]` is what that "
        "cell sees.",
        "Collect those in `cols` (N, C, HH, WW, H_out, W_out). Read as a matrix with C * HH * WW "
        "rows, one product with `w.reshape(F, -1)` does all the rest. Dilation moves the start of "
        "a slice: `i * dilation`. Groups: split C and F into equal runs.",
        "`cols.reshape(N, groups, -1, H_out * W_out)`, `w.reshape(groups, F // groups, -1) @ "
        "cols`, reshape, add b. The whole answer stands in `solutions/08_convolution`.",
    ),
    afterthought="`cols` holds each pixel up to HH * WW times. What is traded for what?",
)
def conv_forward(x, w, b, conv_param):
    """A convolutional layer, fast; with dilation and groups.

    The same layer as `conv_forward_naive`, and two more keys. Each is 1 where it is missing.

    Parameters
    ----------
    x : (N, C, H, W) array
    w : (F, C / groups, HH, WW) array
    b : (F,) array
    conv_param : dict
        "stride", "pad": int. Optional "dilation": distance between neighbouring cells of the
        kernel. Optional "groups": channels and filters are split into that many equal runs, in
        order; a filter sees the channels of its own run only. groups = C is the depthwise
        convolution (Howard et al. 2017, arXiv:1704.04861).

    Returns
    -------
    out : (N, F, H', W') array
        H' = 1 + (H + 2 pad - dilation (HH - 1) - 1) // stride; W' in the same way.
    cache
        Whatever `conv_backward` needs.
    """
    stride, pad = conv_param["stride"], conv_param["pad"]
    dilation, groups = conv_param.get("dilation", 1), conv_param.get("groups", 1)
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - dilation * (HH - 1) - 1) // stride
    W_out = 1 + (W + 2 * pad - dilation * (WW - 1) - 1) // stride
    xp = np.zeros((N, C, H + 2 * pad, W + 2 * pad), x.dtype)
    xp[:, :, pad : pad + H, pad : pad + W] = x
    cols = np.empty((N, C, HH, WW, H_out, W_out), x.dtype)
    for i in range(HH):
        for j in range(WW):  # what cell (i, j) of the kernel sees, at all places at once
            top, left = i * dilation, j * dilation
            rows = slice(top, top + stride * H_out, stride)
            cols[:, :, i, j] = xp[:, :, rows, left : left + stride * W_out : stride]
    cols = cols.reshape(N, groups, -1, H_out * W_out)  # (N, G, C/G * HH * WW, places)
    out = w.reshape(groups, F // groups, -1) @ cols  # (N, G, F/G, places)
    out = out.reshape(N, F, H_out, W_out)
    out += b[:, None, None]  # in place: a second large array would cost as much as the product
    return out, (x.shape, cols, w, conv_param)


@chapter.cases(conv_forward)
def fast_conv_cases(rng):
    yield from conv_cases(rng)
    yield _conv_case(rng, 3, 2, 8, 9, 4, 3, 2, 1, 1, dilation=2)
    yield _conv_case(rng, 3, 4, 6, 5, 6, 3, 2, 2, 1, groups=2)
    yield _conv_case(rng, 3, 4, 5, 7, 8, 2, 3, 1, 2, groups=4)
    yield _conv_case(rng, 4, 6, 9, 8, 9, 2, 3, 2, 1, groups=3, dilation=3)


def _needs_dilation(x, w, b, conv_param):
    conv_param["dilation"]
    return _conv(x, w, b, conv_param), None


FAST_BUGS = {
    key: CONV_BUGS[key] for key in ("no_bias", "flipped", "no_padding", "pad_is_one", "mean")
} | {
    "output_order": (
        "The numbers are right and stand in the wrong places: it looks like a result in the order "
        "(N, H', W', F) that is reshaped to (N, F, H', W').",
        "`reshape` does not move axes; `transpose` does.",
    ),
    "window_order": (
        "The rows of the matrix of windows and the weights of a filter seem to stand in different "
        "orders: (HH, WW, C) against (C, HH, WW).",
        "Fill `cols` in the order (C, HH, WW), as in `w.reshape(F, -1)`.",
    ),
    "dilation_ignored": (
        "The sizes are right, the windows are not spread: dilation seems to be used for the size "
        "only.",
        "Cell (i, j) of the kernel begins at `i * dilation`, `j * dilation`.",
    ),
    "dilation_as_stride": (
        "These maps equal what results when the window MOVES by the dilation. It is spread by the "
        "dilation, and moves by the stride.",
        "Cell (i, j) of the kernel begins at `i * dilation`; steps are `stride`.",
    ),
    "groups_interleaved": (
        "With groups, the filters are dealt out in turn. The first F / groups filters belong to "
        "the first group.",
        "`w.reshape(groups, F // groups, -1)`.",
    ),
    "dilation_required": (
        "It stops where `conv_param` has no dilation: the key is optional.",
        '`conv_param.get("dilation", 1)`.',
    ),
}
_conv_mistakes(conv_forward, FAST_BUGS, {"dilation_required": _needs_dilation})


@chapter.exercise(
    points=4,
    returns="dx, dw, db",
    gradient_of=conv_forward,
    difficulty=5,
    minutes=25,
    optional=True,
    hints=(
        "Forward was: cut out, multiply, add. Backward: the gradient of a product of matrices "
        "twice, then put back what was cut out.",
        "With dout as (N, G, F/G, places): `dw` is dout @ cols^T summed over the pictures, `dcols` "
        "is w^T @ dout.",
        "Then the forward's loop over the kernel's cells with `dxp[:, :, rows, columns] += "
        "dcols[:, :, i, j]`, and the border cut off. The whole answer stands in "
        "`solutions/08_convolution`.",
    ),
    afterthought="The loop of forward reads, the one here adds. Where else did that pair appear?",
)
def conv_backward(dout, cache):
    """Gradients of `conv_forward`.

    Parameters
    ----------
    dout : (N, F, H', W') array
    cache
        What the own `conv_forward` returned.

    Returns
    -------
    dx : (N, C, H, W) array
    dw : (F, C / groups, HH, WW) array
    db : (F,) array
    """
    (N, C, H, W), cols, w, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    dilation, groups = conv_param.get("dilation", 1), conv_param.get("groups", 1)
    _, _, HH, WW = w.shape
    _, F, H_out, W_out = dout.shape
    up = dout.reshape(N, groups, F // groups, -1)  # (N, G, F/G, places)
    dw = (up @ cols.swapaxes(2, 3)).sum(axis=0).reshape(w.shape)
    dcols = w.reshape(groups, F // groups, -1).swapaxes(1, 2) @ up
    dcols = dcols.reshape(N, C, HH, WW, H_out, W_out)
    dxp = np.zeros((N, C, H + 2 * pad, W + 2 * pad), dcols.dtype)
    for i in range(HH):
        for j in range(WW):
            top, left = i * dilation, j * dilation
            rows = slice(top, top + stride * H_out, stride)
            dxp[:, :, rows, left : left + stride * W_out : stride] += dcols[:, :, i, j]
    return dxp[:, :, pad : pad + H, pad : pad + W], dw, dout.sum(axis=(0, 2, 3))


def _x_of(cache):
    """The padded picture's inside, read back from the columns where a window covers it."""
    (N, C, H, W), cols, w, conv_param = cache
    s, p, d = conv_param["stride"], conv_param["pad"], conv_param.get("dilation", 1)
    xp = np.zeros((N, C, H + 2 * p, W + 2 * p))
    rows, columns = _places(xp.shape[2:], w.shape[2:], (s, s), (d, d))
    shape = (N, C, *w.shape[2:], rows.shape[0], columns.shape[1])
    xp[:, :, rows, columns] = cols.reshape(shape).transpose(0, 1, 4, 5, 2, 3)
    return xp[:, :, p : p + H, p : p + W], w, None, conv_param


for _bug in ("crop", "crop_one", "uncropped", "overwritten", "dw_mean", "bias_mean", "bias_axis"):
    chapter.mistake(conv_backward, _bug, *CONV_BACK_BUGS[_bug])(
        lambda dout, cache, bug=_bug: _conv_back(dout, _x_of(cache), (bug,))
    )
for _bug, _message, _remedy in [
    (
        "dilation_ignored",
        "These values equal what results when the windows of the way back are not spread.",
        "Use the forward's slices: they begin at `i * dilation`, `j * dilation`.",
    ),
    (
        "groups_interleaved",
        "With groups, the filters seem to be dealt out in turn. The first F / groups filters "
        "belong to the first group.",
        "`dout.reshape(N, groups, F // groups, -1)`.",
    ),
]:
    chapter.mistake(conv_backward, _bug, _message, _remedy)(
        lambda dout, cache, bug=_bug: _conv_back(dout, _x_of(cache), (bug,))
    )


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=3,
    minutes=10,
    optional=True,
    hints=(
        "Turn the loops inside out, as for `conv_forward`: one step for each cell of the window.",
        "Keep the larger of two arrays, entry by entry: `np.maximum`.",
        "Start with the slice of cell (0, 0); then `np.maximum(out, x[...slice of (i, j)], "
        "out=out)`. The whole answer stands in `solutions/08_convolution`.",
    ),
    afterthought="Why is this faster than `.max(axis=(2, 3))` on a reshaped picture?",
)
def max_pool_forward(x, pool_param):
    """Max pooling, fast. The contract is that of `max_pool_forward_naive`.

    Parameters
    ----------
    x : (N, C, H, W) array
    pool_param : dict
        "pool_height", "pool_width", "stride": int. No padding; windows may overlap.

    Returns
    -------
    out : (N, C, H', W') array
        H' = 1 + (H - pool_height) // stride, rounded down; W' in the same way.
    cache
        Whatever `max_pool_backward` needs.
    """
    ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    H_out, W_out = 1 + (x.shape[2] - ph) // stride, 1 + (x.shape[3] - pw) // stride
    out = x[:, :, : stride * H_out : stride, : stride * W_out : stride].copy()
    for i in range(ph):
        for j in range(pw):
            seen = x[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride]
            np.maximum(out, seen, out=out)
    return out, (x, out, pool_param)


chapter.cases(max_pool_forward)(pool_cases)
_pool_mistakes(max_pool_forward, "max", POOL_BUGS | MAX_BUGS)
_other_pooling(max_pool_forward, "average", AVERAGE, "mean")


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=max_pool_forward,
    difficulty=4,
    minutes=12,
    optional=True,
    hints=(
        "One step for each cell of the window: where does its slice of x equal the output?",
        "After a ReLU many windows hold several zeros. Only one of them may get the gradient, so "
        "remember which windows have been served.",
        "`mine = (seen == out) & ~served`; add `dout * mine` to the slice of dx; `served |= mine`. "
        "The whole answer stands in `solutions/08_convolution`.",
    ),
    afterthought="What changes if all the shared maxima get the gradient? Is training wrong then?",
)
def max_pool_backward(dout, cache):
    """Gradient of max pooling, fast.

    Parameters
    ----------
    dout : (N, C, H', W') array
    cache
        What the own `max_pool_forward` returned.

    Returns
    -------
    dx : (N, C, H, W) array
        Where several entries of a window share the maximum, any one of them may be chosen.
    """
    x, out, pool_param = cache
    ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    _, _, H_out, W_out = dout.shape
    dx, served = np.zeros_like(x), np.zeros(dout.shape, bool)
    for i in range(ph):
        for j in range(pw):
            at = np.s_[:, :, i : i + stride * H_out : stride, j : j + stride * W_out : stride]
            mine = (x[at] == out) & ~served
            dx[at] += dout * mine
            served |= mine
    return dx


for _bug, (_message, _remedy) in POOL_BACK_BUGS.items():

    def _wrong_fast_back(dout, cache, bug=_bug):
        return _pool_back(dout, (cache[0], cache[2]), bug)

    chapter.mistake(max_pool_backward, _bug, _message, _remedy)(_wrong_fast_back)


# --- the same layer as one matrix ----------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="T",
    difficulty=4,
    minutes=15,
    optional=True,
    hints=(
        "One row for each entry of the output, one column for each pixel of the input, both in the "
        "order of `ravel()`.",
        "Row (f, i, j) holds w[f] at the pixels of window (i, j), and zeros elsewhere. Cells of "
        "the window that lie on the padding have no column.",
        "Fill an array of shape (F, H', W', C, H + 2 pad, W + 2 pad), one window at a time; cut "
        "the border off the last two axes; reshape. The whole answer stands in "
        "`solutions/08_convolution`.",
    ),
    afterthought="How many of its entries are different numbers? How many are zero?",
)
def conv_as_matrix(w, image_shape, conv_param):
    """The matrix T with T @ x.ravel() == out.ravel() for one picture, without the bias.

    Parameters
    ----------
    w : (F, C, HH, WW) array
    image_shape : (C, H, W)
    conv_param : dict
        "stride" and "pad".

    Returns
    -------
    T : (F H' W', C H W) array
    """
    stride, pad = conv_param["stride"], conv_param["pad"]
    C, H, W = image_shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    T = np.zeros((F, H_out, W_out, C, H + 2 * pad, W + 2 * pad))
    for i in range(H_out):
        for j in range(W_out):
            top, left = i * stride, j * stride
            T[:, i, j, :, top : top + HH, left : left + WW] = w
    inside = T[..., pad : pad + H, pad : pad + W]
    return inside.reshape(F * H_out * W_out, C * H * W)


@chapter.cases(conv_as_matrix)
def matrix_cases(rng):
    for shape, w, stride, pad in [
        ((1, 4, 5), (1, 1, 3, 2), 1, 0),
        ((2, 4, 6), (3, 2, 2, 3), 1, 1),
        ((3, 7, 5), (2, 3, 3, 2), 2, 1),
        ((2, 3, 4), (4, 2, 2, 3), 1, 2),
    ]:
        label = f"picture {shape}, filters {w}, stride {stride}, pad {pad}"
        yield Case((rng.normal(0, 1, w), shape, {"stride": stride, "pad": pad}), label=label)


def _matrix(w, image_shape, conv_param, bug):
    """Column by column: what the layer makes of a picture with one pixel lit."""
    C, H, W = image_shape
    pictures = np.eye(C * H * W).reshape(-1, C, H, W)
    known = {"transposed": "", "one_filter": ""}
    out = _conv(pictures, w, np.zeros(len(w)), conv_param, known.get(bug, bug))
    if bug == "one_filter":
        out = out[:, :1]
    T = out.reshape(len(pictures), -1).T
    return T.T if bug == "transposed" else T


for _bug, _message, _remedy in [
    (
        "transposed",
        "The matrix is transposed: its rows belong to pixels. That is the matrix of the way back.",
        "One row for each entry of the output.",
    ),
    (
        "flipped",
        "The filter stands flipped in the rows.",
        "Write w[f] into the window as it is.",
    ),
    (
        "stride_ignored",
        "There are rows for all places: the stride seems to be 1.",
        "Window (i, j) begins at i * stride, j * stride.",
    ),
    (
        "no_padding",
        "There are no rows for windows that reach over the border.",
        "Build it for the padded picture, then drop the columns of the padding.",
    ),
    (
        "one_filter",
        "There are rows for one filter only.",
        "The output has F maps: F * H' * W' rows.",
    ),
]:

    def _wrong_matrix(w, image_shape, conv_param, bug=_bug):
        return _matrix(w, image_shape, conv_param, bug)

    chapter.mistake(conv_as_matrix, _bug, _message, _remedy)(_wrong_matrix)


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "convolution_q1",
    "A convolutional layer turns pictures into maps. How is ONE number of a map made?",
    choices={
        "a": "one pixel is multiplied by one weight of its own",
        "b": "a window of one channel is multiplied by a kernel; the products stay apart",
        "c": "the window, over all channels, times the filter, all summed, plus the filter's bias",
        "d": "the window is averaged and the filter decides how strongly",
    },
    answer="c",
    wrong={
        "a": "One weight for each pixel would know nothing of its neighbours, and nothing is "
        "shared.",
        "b": "The products are summed, over all channels: one number results, not a map.",
        "d": "An average is one special filter. Its weights are all equal.",
    },
    explanation="So a filter reports how well what lies under it fits its own pattern: an edge, a "
    "corner, a colour. The map tells where. Without padding the map is a little smaller than the "
    "picture; its number of channels is free, and often grows.",
)
chapter.quiz(
    "convolution_q2",
    "How does what the layer computes differ from convolution as mathematics defines it?",
    choices={
        "a": "mathematics flips the filter in both directions first; the layer does not",
        "b": "the layer flips the filter; mathematics does not",
        "c": "mathematics knows no padding, so the two can not be compared",
        "d": "not at all",
    },
    answer="a",
    wrong={
        "b": "It is the other way round.",
        "c": "Zeros around the picture are as good in mathematics; the filter differs.",
        "d": "On a filter that is not symmetric the two give different maps; the lesson shows it.",
    },
    explanation="Strictly the layer computes a cross-correlation. Its filters are learned, so "
    "nothing is lost: a flipped filter would be learned flipped.",
)
chapter.quiz(
    "convolution_q3",
    "A picture is shifted by three pixels. What does a convolution with stride 1 give, away from "
    "the border?",
    choices={
        "a": "the same map: convolution is translation invariant",
        "b": "another map, which the first one does not determine",
        "c": "a map shifted by one pixel, the stride",
        "d": "the same map, shifted by three pixels: convolution is translation equivariant",
    },
    answer="d",
    wrong={
        "a": "Invariant means that nothing changes. Here the map moves along.",
        "b": "Every window is found again, three pixels on, with the same filter.",
        "c": "The stride is how far the window moves from one place to the next.",
    },
    explanation="Equivariant: shift in, shift out. It fails at padded borders, and with a stride "
    "of 2 for shifts that 2 does not divide. Pooling gives a little invariance, for small shifts.",
)
chapter.quiz(
    "convolution_q4",
    "What does a pooling layer do?",
    choices={
        "a": "it lowers the number of its own parameters while it trains",
        "b": "it replaces each window of a map by one number, its largest entry or its mean; it "
        "has no parameters",
        "c": "it removes the maps that matter least",
        "d": "it joins windows that by definition never overlap",
    },
    answer="b",
    wrong={
        "a": "There are none to lower. A smaller map shrinks a fully connected layer AFTER it.",
        "c": "It works inside each map and keeps all of them.",
        "d": "With a stride smaller than the window they overlap; 3 x 3 with stride 2 is common.",
    },
    explanation="Smaller maps, a wider view for what follows, and small shifts that change little. "
    "The largest entry asks whether a pattern is there; the mean asks how much of it there is.",
)
chapter.quiz(
    "convolution_q5",
    "Max pooling of the row 1, 5, 2, 4 with a window of 3 and stride 1. The gradients 1 and 10 "
    "arrive at the two outputs. What is the gradient of the entry 5? Answer with a number.",
    answer=11,
    wrong={
        10: "The 5 is the largest of BOTH windows: `=` keeps the last of two, `+=` keeps both.",
        1: "The second window, 5, 2, 4, has the 5 as its largest entry too.",
        5.5: "Both contributions count in full; nothing is averaged.",
        3.6666666666666665: "A third of each would be average pooling.",
    },
    explanation="Windows 1, 5, 2 and 5, 2, 4: the 5 wins twice, 1 + 10 = 11. The others get 0.",
)
chapter.quiz(
    "convolution_q6",
    "A line of 10 cells, a kernel of 3 with dilation 2, stride 1, no padding. How many outputs? "
    "Answer with a number.",
    answer=6,
    wrong={
        8: "That is without dilation. Three cells at distance 2 reach over 5.",
        3: "The window moves by the stride, which is 1. Dilation does not move it.",
        4: "That is a kernel of 3 with stride 2. Dilation is not a stride.",
        5: "The first place counts too: 10 - 5 moves, and one more place.",
    },
    explanation="The window reaches over 2 (3 - 1) + 1 = 5 cells, and 10 - 5 + 1 = 6. Dilation "
    "widens the view; the number of weights stays 3.",
)
chapter.quiz(
    "convolution_q7",
    "A text says: 'The stride may be a fraction, the step is an integer; they are two different "
    "things.' What is right?",
    choices={
        "a": "they are two words for one thing: how many cells the window moves, a whole number",
        "b": "the stride belongs to convolution, the step to pooling",
        "c": "the stride is how far the window moves, the step how far its cells lie apart",
        "d": "the text is right; 0.5 gives maps twice as large",
    },
    answer="a",
    wrong={
        "b": "Both layers have a stride, and the same formula for the size.",
        "c": "How far the cells of the kernel lie apart is called dilation.",
        "d": "There is no half cell to stand on. What is called fractional stride is another "
        "layer, the transposed convolution, whose whole-numbered stride spreads its input.",
    },
    explanation="One concept, a positive integer. With stride 2 both sides of the map are halved.",
)
chapter.quiz(
    "convolution_q8",
    "Which sentence about kernel size and stride is right? (All layers have C channels in and out, "
    "stride 1 and enough padding unless said otherwise.)",
    choices={
        "a": "a larger kernel always gives a more accurate network",
        "b": "a stride of 2 halves the number of the layer's weights",
        "c": "two layers of 3 x 3 see 5 x 5 pixels with 18 C C weights; one of 5 x 5 has 25 C C",
        "d": "a kernel of 1 x 1 does nothing",
    },
    answer="c",
    wrong={
        "a": "It sees more and costs more; whether it helps is measured, not known beforehand.",
        "b": "The weights stay the same. It quarters the places, and so the multiplications.",
        "d": "It mixes the channels of each pixel: a fully connected layer used at every pixel.",
    },
    explanation="Size of the kernel: how much one unit sees, at k k weights for each pair of "
    "channels. Stride: how densely it looks. Small kernels stacked see as far for less, with a "
    "bend in between.",
)
chapter.quiz(
    "convolution_q9",
    "A layer of 16 filters of 3 x 3 looks at colour pictures (3 channels) of 32 x 32, with padding "
    "1. How many parameters does it have? Answer with a number.",
    answer=448,
    wrong={
        432: "The biases are missing: one for each filter.",
        160: "A filter has a layer for each of the 3 channels: 27 weights, not 9.",
        144: "27 weights for each filter, and one bias.",
        458752: "That counts the filters again at each of the 1024 places. They are shared.",
    },
    explanation="16 (3 * 3 * 3 + 1) = 448, whatever the size of the picture. A fully connected "
    "layer between the same sizes has over 50 million. Sharing saves that storage, and says: what "
    "is worth finding here is worth finding there. Ordinary fully connected layers share nothing.",
)
chapter.quiz(
    "convolution_q10",
    "x has shape (8, 3, 32, 30), w has shape (16, 3, 5, 3), stride 2, pad 2. What is the shape of "
    "the output? Answer with a tuple.",
    answer=(8, 16, 16, 16),
    wrong={
        (8, 16, 16, 15): "Width: 30 + 4 - 3 = 31, halved and rounded down 15, and the first place.",
        (8, 16, 14, 14): "Without padding; the padding adds 4 cells to each side length.",
        (8, 3, 16, 16): "The channels of the output are the filters: 16.",
        (16, 8, 16, 16): "The pictures stay on the first axis.",
        (8, 16, 32, 32): "The stride is 2.",
    },
    explanation="1 + (32 + 4 - 5) // 2 = 16, and 1 + (30 + 4 - 3) // 2 = 16. The filters become "
    "the channels.",
)
chapter.quiz(
    "convolution_q11",
    "A 3 x 3 convolution, 2 x 2 pooling with stride 2, a 3 x 3 convolution (both with stride 1). "
    "How many pixels wide is what one unit at the end sees? Answer with a number.",
    answer=8,
    wrong={
        6: "After the pooling, neighbours of the map lie 2 pixels apart: the last layer adds 4.",
        5: "The pooling counts too: its window adds 1, and its stride doubles what comes later.",
        7: "Both happen: the window of the pooling adds 1, and the last kernel adds 2 * 2.",
        12: "A stride widens the layers after it, not its own window.",
    },
    explanation="1 + 2 = 3, + 1 = 4, + 2 * 2 = 8. One layer sees little; stacking, stride and "
    "dilation widen the view.",
)
chapter.quiz(
    "convolution_q12",
    "What makes a network a convolutional one?",
    choices={
        "a": "its input is a picture",
        "b": "layers that look at small windows with weights shared by all places",
        "c": "every unit is connected to every pixel, with a penalty on large weights",
        "d": "it has more than ten layers",
    },
    answer="b",
    wrong={
        "a": "A fully connected net can be fed a picture too; and sound or text can be convolved.",
        "c": "That is a fully connected net with regularisation.",
        "d": "LeNet of 1998 had fewer. Depth counts learnable layers of any kind.",
    },
    explanation="Local windows and shared weights; most add pooling or strides, and end in a fully "
    "connected layer or a mean over all places. Shared weights also cut what must be stored.",
)
