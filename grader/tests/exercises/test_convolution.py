"""Chapter 08: the answers agree with the bare definition, SciPy and autograd; widgets are right."""

import json
import shutil
import subprocess

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import make_vjp
from scipy.signal import correlate2d

from grader.exercises import get, get_chapter
from grader.proof import judge
from grader.widgets import convolution as showpiece
from grader.widgets import explore_convolution, explore_kernel_size, explore_windows

TRIALS = 100


def answer(name):
    return get(name).answer


def cells(size, kernel, stride, pad, dilation):
    """For each place and each cell of the window, which cell of the line; by counting."""
    starts = [
        start
        for start in range(0, size + 2 * pad, stride)
        if start + dilation * (kernel - 1) < size + 2 * pad
    ]
    return np.array([[start + dilation * k for k in range(kernel)] for start in starts])


def windows_of(x, hh, ww, stride, pad=0, dilation=1):
    """(N, C, H', W', HH, WW), gathered by index, so that autograd can follow."""
    _, _, h, w = x.shape
    rows, columns = cells(h, hh, stride, pad, dilation), cells(w, ww, stride, pad, dilation)
    xp = anp.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    return xp[:, :, rows[:, None, :, None], columns[None, :, None, :]]


def defined(x, w, b, param):
    """The layer by its definition, group by group."""
    groups, dilation = param.get("groups", 1), param.get("dilation", 1)
    seen = windows_of(x, *w.shape[2:], param["stride"], param["pad"], dilation)
    runs = zip(anp.split(seen, groups, axis=1), anp.split(w, groups), strict=True)
    maps = [anp.einsum("ncijkl,fckl->nfij", run, filters) for run, filters in runs]
    return anp.concatenate(maps, axis=1) + anp.reshape(b, (1, -1, 1, 1))


def a_layer(rng, fast):
    stride, pad, dilation = (int(n) for n in rng.integers([1, 0, 1], [4, 3, 4 if fast else 2]))
    groups = int(rng.integers(1, 4)) if fast else 1
    hh, ww = (int(n) for n in rng.integers(1, 4, 2))
    h = int(rng.integers(0, 5)) + max(1, dilation * (hh - 1) + 1 - 2 * pad)
    w = int(rng.integers(0, 5)) + max(1, dilation * (ww - 1) + 1 - 2 * pad)
    n, c, f = (int(k) for k in rng.integers(1, 4, 3))
    param = {"stride": stride, "pad": pad}
    if fast:
        param |= {"dilation": dilation, "groups": groups}
    return (
        rng.standard_normal((n, c * groups, h, w)),
        rng.standard_normal((f * groups, c, hh, ww)),
        rng.standard_normal(f * groups),
        param,
    )


@pytest.mark.parametrize("kind, fast", [("_naive", False), ("", True)])
def test_convolution_agrees_with_its_definition_and_autograd(kind, fast, rng):
    for _ in range(TRIALS):
        x, w, b, param = a_layer(rng, fast)
        out, cache = answer("conv_forward" + kind)(x, w, b, param)
        vjp, expected = make_vjp(lambda t, p=param: defined(*t, p))((x, w, b))
        assert out.shape == expected.shape
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-11)
        dout = rng.standard_normal(out.shape)
        found = answer("conv_backward" + kind)(dout, cache)
        for got, want in zip(found, vjp(dout), strict=True):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)
        if not fast:
            debug = answer("debug_conv_backward")(dout, x, w, param)
            assert all(np.allclose(a, c, atol=1e-11) for a, c in zip(debug, found, strict=True))


def test_one_channel_agrees_with_scipy(rng):
    for _ in range(TRIALS):
        h, w = (int(n) for n in rng.integers(4, 9, 2))
        x, kernel = rng.standard_normal((h, w)), rng.standard_normal(rng.integers(1, 4, 2))
        for name in ("conv_forward_naive", "conv_forward"):
            param = {"stride": 1, "pad": 0}
            out, _ = answer(name)(x[None, None], kernel[None, None], np.zeros(1), param)
            assert np.allclose(out[0, 0], correlate2d(x, kernel, "valid"))


@pytest.mark.parametrize("name", ["max_pool_{}_naive", "max_pool_{}", "avg_pool_{}"])
def test_pooling_agrees_with_its_definition_and_autograd(name, rng):
    for _ in range(TRIALS):
        ph, pw, stride = (int(n) for n in rng.integers(1, 4, 3))
        shape = (*rng.integers(1, 4, 2), ph + int(rng.integers(0, 6)), pw + int(rng.integers(0, 6)))
        x = rng.permutation(int(np.prod(shape))).reshape(shape) / 7.0 - 3
        how = anp.max if "max" in name else anp.mean

        def pooled(t, ph=ph, pw=pw, stride=stride, how=how):
            return how(windows_of(t, ph, pw, stride), axis=(4, 5))

        param = {"pool_height": ph, "pool_width": pw, "stride": stride}
        out, cache = answer(name.format("forward"))(x, param)
        vjp, expected = make_vjp(pooled)(x)
        assert out.shape == expected.shape
        assert np.allclose(out, expected)
        dout = rng.standard_normal(out.shape)
        assert np.allclose(answer(name.format("backward"))(dout, cache), vjp(dout))


def test_one_shared_maximum_gets_the_gradient_once():
    x, param = np.zeros((2, 3, 4, 6)), {"pool_height": 2, "pool_width": 3, "stride": 2}
    for kind in ("_naive", ""):
        out, cache = answer("max_pool_forward" + kind)(x, param)
        dx = answer("max_pool_backward" + kind)(np.ones_like(out), cache)
        assert dx.sum() == out.size


def test_single_precision_stays_single():
    x, w, b = (np.ones(shape, np.float32) for shape in [(2, 3, 5, 6), (4, 3, 3, 2), (4,)])
    out, cache = answer("conv_forward")(x, w, b, {"stride": 1, "pad": 1})
    found = [out, *answer("conv_backward")(out, cache)]
    for name in ("max_pool", "avg_pool"):
        param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        pooled, cache = answer(f"{name}_forward")(x, param)
        found += [pooled, answer(f"{name}_backward")(pooled, cache)]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def test_sizes_fields_and_costs_agree_with_counting(rng):
    for _ in range(TRIALS):
        kernel, stride, pad, dilation = (int(n) for n in rng.integers([1, 1, 0, 1], [5, 5, 4, 4]))
        size = dilation * (kernel - 1) + 1 + int(rng.integers(0, 20))
        places = cells(size, kernel, stride, pad, dilation)
        assert answer("conv_output_size")(size, kernel, stride, pad, dilation) == len(places)

        layers = [tuple(int(n) for n in rng.integers(1, 4, 3)) for _ in range(rng.integers(1, 5))]
        seen = {0}  # walk back from one unit of the last map
        for k, s, d in reversed(layers):
            seen = {unit * s + d * cell for unit in seen for cell in range(k)}
        assert answer("receptive_field")(layers) == max(seen) - min(seen) + 1

        x, w, b, param = a_layer(rng, fast=True)
        parameters, multiplications = answer("conv_cost")(x.shape[1:], w.shape, param)
        assert parameters == w.size + b.size
        places = [
            len(cells(n, k, param["stride"], param["pad"], param["dilation"]))
            for n, k in zip(x.shape[2:], w.shape[2:], strict=True)
        ]
        assert multiplications == w.size * places[0] * places[1]


def test_the_matrix_is_the_layer(rng):
    for _ in range(TRIALS):
        x, w, _, param = a_layer(rng, fast=False)
        T = answer("conv_as_matrix")(w, x.shape[1:], param)
        out = defined(x, w, np.zeros(len(w)), param)
        assert np.allclose(T @ x[0].ravel(), out[0].ravel())
        assert T.shape == (out[0].size, x[0].size)


def test_every_combination_of_the_debug_bugs_has_its_own_name():
    exercise = get("debug_conv_backward")
    assert len(exercise.mistakes) == 2**4 - 1
    for seed in range(3):
        for mistake in exercise.mistakes:
            cause = judge(exercise, mistake.answer, seed).cause
            assert cause.key == f"{exercise.name}.{mistake.key}"


def test_core_work_fits_the_time():
    chapter = get_chapter("convolution")
    core = [e for e in chapter if e.kind != "quiz" and not e.optional]
    assert 60 <= sum(e.minutes for e in core) <= 90
    assert 5 <= sum(e.kind == "quiz" for e in chapter) <= 12


# --- widgets -------------------------------------------------------------------------------------


def test_the_showpiece_gives_the_layers_map_and_leaves_a_picture():
    widget = explore_convolution(stride=2, pad=1, dilation=2)
    window, kernel, out = widget.work_out()
    x, w = widget.picture[None, None], kernel[None, None]
    param = {"stride": 2, "pad": 1, "dilation": 2}
    assert np.allclose(out, answer("conv_forward")(x, w, np.zeros(1), param)[0][0, 0])
    assert np.isclose((window * kernel).sum(), out[widget.row, widget.column])
    data, _ = widget._repr_mimebundle_()
    assert data["text/html"].startswith('<figure><img src="data:image/png')
    assert "http" not in widget._esm.replace("http://www.w3.org", "")
    widget.close()
    with pytest.raises(ValueError, match="0 to 1"):
        explore_convolution(np.full((4, 5), 7.0))
    with pytest.raises(ValueError, match="up to 7"):
        explore_convolution(kernel=np.ones((9, 9)))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_browsers_map_is_the_layers_map(rng, tmp_path):
    script = (showpiece.HERE / "convolution.js").read_text().split("function render", 1)[0]
    picture, kernel = rng.random((9, 7)), rng.standard_normal((3, 2))
    param = {"stride": 2, "pad": 1, "dilation": 2}
    call = f"convolve({picture.ravel().tolist()}, 9, 7, {kernel.tolist()}, {json.dumps(param)})"
    file = tmp_path / "map.mjs"
    file.write_text(f"{script}\nconst m = {call};\nconsole.log(JSON.stringify([...m.out]));")
    said = json.loads(subprocess.run(["node", file], capture_output=True, check=True).stdout)
    want = answer("conv_forward")(picture[None, None], kernel[None, None], np.zeros(1), param)[0]
    assert np.allclose(said, want.ravel())


def test_the_windows_drawn_are_those_that_count():
    explorer = explore_windows(answer("conv_output_size"))
    for size, kernel, stride, pad, dilation in [
        (10, 3, 1, 0, 2),
        (16, 5, 4, 4, 4),
        (4, 5, 1, 0, 3),
    ]:
        explorer._show(dict(zip(explorer.controls, (size, kernel, stride, pad, dilation))))
        count = len(cells(size, kernel, stride, pad, dilation))
        assert f"**{count}** places" in explorer.reading
        assert explorer.problem == ""
    explorer.close()
    wrong = explore_windows(lambda *sizes: None)
    assert "gave None" in wrong.problem
    wrong.close()


def test_a_kernel_of_ones_own_can_be_tried():
    explorer = explore_kernel_size(lambda size: np.eye(size) / size)
    explorer._show({"kind": "the function", "size": 3})
    assert "7 × 7 = **49 weights**" in explorer.reading
    explorer.close()
    wrong = explore_kernel_size(lambda size: np.ones(size))
    assert "shape" in wrong.problem
    wrong.close()
