"""Chapter 09, a CNN classifier and augmentation: layers become a net, pictures become many.

Augmentation draws at random. Where the draw can be given (degrees, factors) values are compared;
everywhere else a driver says in words what it saw, and never compares drawn numbers.
"""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter
from grader.exercises.activations import relu_backward, relu_forward
from grader.exercises.backprop import affine_backward
from grader.exercises.convolution import (
    conv_backward,
    conv_forward,
    max_pool_backward,
    max_pool_forward,
)
from grader.exercises.losses import softmax_loss
from grader.exercises.neurons import affine_forward
from grader.exercises.optimisers import minibatches

chapter = Chapter("09_cnn", "A CNN classifier, and augmentation")


def _declare(answer, variant, bugs):
    """A mistake for every (message, remedy) in `bugs`; `variant(bug)` builds the wrong answer."""
    for bug, (message, remedy) in bugs.items():
        chapter.mistake(answer, bug, message, remedy)(variant(bug))


# --- counting parameters --------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="total, shapes",
    difficulty=2,
    minutes=8,
    hints=(
        "Walk through the layers with one variable for the shape, and add up what each layer "
        "learns. Which kinds of layer learn nothing?",
        "A filter has C * size * size weights and one bias. Along one side, (length + 2 * pad - "
        "size) // stride + 1 places fit; a pool has the same formula with its stride = its size.",
        "conv: `total += F * (C * size**2 + 1)`, shape `(F, H', W')`; pool: shape `(C, H // size, "
        "W // size)`; flatten: `(C * H * W,)`; affine: `total += (D + 1) * units`, shape "
        "`(units,)`. The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="Which single layer holds most of the parameters of the 28 x 28 net, and why?",
)
def count_cnn_parameters(layers, input_shape):
    """Parameters of a described network, and the shape behind every layer.

    Parameters
    ----------
    layers : list of tuple
        In order. ``("conv", filters, size, stride, pad)``, square filters with a bias each;
        ``("pool", size)``, windows of size x size, side by side, what does not fill a window is
        dropped; ``("relu",)``; ``("flatten",)``; ``("affine", units)`` with biases, on a flat
        input.
    input_shape : (C, H, W) tuple

    Returns
    -------
    total : int
        Numbers that are learned.
    shapes : list of tuple
        Shape of one example behind each layer: (C, H, W) or (D,).
    """
    total, shape, shapes = 0, tuple(input_shape), []
    for kind, *sizes in layers:
        if kind == "conv":
            filters, size, stride, pad = sizes
            C, H, W = shape
            total += filters * (C * size * size + 1)
            H, W = ((side + 2 * pad - size) // stride + 1 for side in (H, W))
            shape = (filters, H, W)
        elif kind == "pool":
            C, H, W = shape
            shape = (C, H // sizes[0], W // sizes[0])
        elif kind == "flatten":
            shape = (int(np.prod(shape)),)
        elif kind == "affine":
            total += (shape[0] + 1) * sizes[0]
            shape = (sizes[0],)
        shapes.append(shape)
    return total, shapes


def reference_cnn(pad=0):
    """32C3 - P2 - 64C3 - P2 - FC128 - FC10, for pictures of 28 x 28."""
    conv = [("conv", 32, 3, 1, pad), ("relu",), ("pool", 2)]
    conv += [("conv", 64, 3, 1, pad), ("relu",), ("pool", 2)]
    return [*conv, ("flatten",), ("affine", 128), ("relu",), ("affine", 10)]


def drive_count(count_cnn_parameters, layers, input_shape):
    """The total as an int, the shapes as lists of ints."""
    result = count_cnn_parameters([tuple(layer) for layer in layers], tuple(input_shape))
    if result is None or not isinstance(result, (tuple, list)) or len(result) < 2:
        return result
    total, shapes = result[0], result[1]
    if total is None or shapes is None:
        return None, None
    shapes = [
        [int(side) if side == int(side) else float(side) for side in np.ravel(np.array(shape))]
        for shape in shapes
    ]
    return int(total) if float(total) == int(total) else float(total), shapes


@chapter.cases(count_cnn_parameters)
def count_cases(rng):
    small = [("conv", 5, 3, 1, 1), ("relu",), ("flatten",), ("affine", 4)]
    stride = [("conv", 6, 5, 2, 2), ("pool", 3), ("conv", 7, 3, 2, 0), ("flatten",), ("affine", 3)]
    filters, units = (int(n) for n in rng.integers(2, 9, 2))
    drawn = [("conv", filters, 3, 1, 0), ("pool", 2), ("flatten",), ("affine", units), ("relu",)]
    drawn += [("affine", 11)]
    for layers, shape, label in [
        (small, (2, 6, 9), "one conv layer, H = 6, W = 9"),
        (stride, (3, 22, 33), "stride 2, pad 2, H = 22, W = 33"),
        (drawn, (4, 11, 8), "a pool that does not tile"),
        (reference_cnn(), (1, 28, 28), "the 28 x 28 net, without padding"),
        (reference_cnn(1), (1, 28, 28), "the 28 x 28 net, padded"),
    ]:
        yield Case((layers, shape), drive=drive_count, label=label)


def _count_with(bug):
    def count(layers, input_shape):
        total, shape, shapes = 0, tuple(input_shape), []
        for kind, *sizes in layers:
            if kind == "conv":
                filters, size, stride, pad = sizes
                C, H, W = shape
                C = {"channels_forgotten": 1, "channels_of_the_picture": input_shape[0]}.get(bug, C)
                total += filters * (C * size**2 + (bug != "conv_biases_forgotten"))
                if bug == "per_position":
                    places = [(s + 2 * pad - size) // stride + 1 for s in (H, W)]
                    total += (places[0] * places[1] - 1) * filters * (C * size**2 + 1)
                pad = {"pad_once": pad / 2, "pad_ignored": 0}.get(bug, pad)
                stride = 1 if bug == "stride_ignored" else stride
                plus = 0 if bug == "plus_one_forgotten" else 1
                H, W = (int(side + 2 * pad - size) // stride + plus for side in (H, W))
                shape = (filters, H, H if bug == "square" else W)
            elif kind == "pool":
                C, H, W = shape
                shape = (C, H // sizes[0], W // sizes[0])
                if bug == "pool_rounds_up":
                    shape = (C, -(-H // sizes[0]), -(-W // sizes[0]))
                if bug == "pool_learns":
                    total += C * (sizes[0] ** 2 + 1)
            elif kind == "flatten":
                shape = (int(np.prod(shape)),)
            elif kind == "affine":
                both = bug == "affine_biases_forgotten"
                total += (shape[0] + (not both)) * sizes[0]
                shape = (sizes[0],)
            shapes.append(shape)
        return total, shapes

    return count


_declare(
    count_cnn_parameters,
    _count_with,
    {
        "conv_biases_forgotten": (
            "The total is short by one number for each filter: the biases of the conv layers.",
            "filters * (C * size * size + 1).",
        ),
        "affine_biases_forgotten": (
            "The total is short by one number for each unit: the biases of the affine layers.",
            "(D + 1) * units.",
        ),
        "channels_forgotten": (
            "Each filter is counted as one size x size square. A filter has one such square for "
            "every channel that comes in.",
            "C * size * size weights for each filter.",
        ),
        "channels_of_the_picture": (
            "Every conv layer is counted with the channels of the PICTURE. The second layer sees "
            "the maps of the first.",
            "Take C from the shape in front of the layer.",
        ),
        "per_position": (
            "The filters are counted anew at every position. They are shared: one set of weights "
            "visits all positions.",
            "H' and W' are not in the count.",
        ),
        "pool_learns": (
            "The pools are counted as if they had weights. A maximum learns nothing.",
            "Pool, ReLU and flatten add 0.",
        ),
        "plus_one_forgotten": (
            "The maps are one row and one column too small: the last position of the window is "
            "missing.",
            "(side + 2 * pad - size) // stride + 1.",
        ),
        "pad_ignored": (
            "The shapes are those without padding.",
            "(side + 2 * pad - size) // stride + 1.",
        ),
        "pad_once": (
            "The padding is counted on one side only. There are `pad` pixels on both.",
            "2 * pad.",
        ),
        "stride_ignored": (
            "The shapes are those of stride 1.",
            "Divide by the stride with `//`, then add 1.",
        ),
        "square": (
            "The width is taken from the height: right for square pictures only.",
            "Compute H' and W' each from its own side.",
        ),
        "pool_rounds_up": (
            "The pools round up where windows do not tile. Here the rest is dropped.",
            "H // size.",
        ),
    },
)


# --- the net --------------------------------------------------------------------------------------


@chapter.exercise(
    points=6,
    returns="scores, loss, grads",
    difficulty=4,
    minutes=20,
    hints=(
        "It is `TwoLayerNet` of chapter 05 with three more steps in front. Every step has a "
        "forward and a backward that are there already; keep each cache.",
        "The pad is (filter_size - 1) // 2, so conv keeps H and W; the pool halves both. So W2 has "
        "num_filters * (H // 2) * (W // 2) rows. `affine_forward` flattens by itself, and "
        "`affine_backward` gives dx the shape that came in.",
        "Forward: conv (W1, b1), ReLU, pool, affine (W2, b2), ReLU, affine (W3, b3). Back: "
        "softmax_loss, affine, ReLU, affine, pool, ReLU, conv, each with its cache; then reg * W "
        "for W1, W2, W3. The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="Where could the ReLU and the pool change places, and what would that save?",
)
class ThreeLayerConvNet:
    """A small CNN: conv - ReLU - 2x2 max pool - affine - ReLU - affine - softmax.

    The convolution has stride 1 and a pad of (filter_size - 1) // 2, so it keeps H and W. The
    pool has stride 2.

    Parameters
    ----------
    input_dim : (C, H, W) tuple
        H and W are even.
    num_filters, filter_size : int
        F filters of filter_size x filter_size, which is odd.
    hidden_dim, num_classes : int
    weight_scale : float
        Standard deviation of all first weights, which are normal with mean 0. Biases start at 0.
    reg : float
        Strength of the penalty 0.5 * reg * (sum(W1**2) + sum(W2**2) + sum(W3**2)).
    dtype : numpy type
        Of all parameters.
    seed : int, optional

    Attributes
    ----------
    params : dict
        W1 (F, C, filter_size, filter_size), b1 (F,), W2 (F * H/2 * W/2, hidden_dim), b2, W3
        (hidden_dim, num_classes), b3.
    """

    def __init__(
        self,
        input_dim=(1, 8, 8),
        num_filters=32,
        filter_size=3,
        hidden_dim=64,
        num_classes=10,
        weight_scale=5e-2,
        reg=0.0,
        dtype=np.float64,
        seed=None,
    ):
        rng = np.random.default_rng(seed)
        self.reg = reg
        self.params = {}
        C, H, W = input_dim
        ### BEGIN SOLUTION
        shapes = {
            "W1": (num_filters, C, filter_size, filter_size),
            "W2": (num_filters * (H // 2) * (W // 2), hidden_dim),
            "W3": (hidden_dim, num_classes),
        }
        sizes = {"b1": num_filters, "b2": hidden_dim, "b3": num_classes}
        for name, shape in shapes.items():
            self.params[name] = (weight_scale * rng.standard_normal(shape)).astype(dtype)
        for name, size in sizes.items():
            self.params[name] = np.zeros(size, dtype=dtype)
        ### END SOLUTION

    def loss(self, X, y=None):
        """Scores, or the loss and its gradients.

        Parameters
        ----------
        X : (N, C, H, W) array
        y : (N,) array of int, optional
            The right class of each example.

        Returns
        -------
        scores : (N, num_classes) array
            If `y` is None.
        loss, grads : float, dict
            If `y` is given: softmax cross-entropy averaged over N, plus the penalty, and its
            gradient for every entry of `params`, by the same names.
        """
        W1, b1, W2, b2, W3, b3 = (self.params[k] for k in ("W1", "b1", "W2", "b2", "W3", "b3"))
        conv_param = {"stride": 1, "pad": (W1.shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        ### BEGIN SOLUTION
        maps, conv = conv_forward(X, W1, b1, conv_param)  # (N, F, H, W)
        maps, first_bend = relu_forward(maps)
        maps, pool = max_pool_forward(maps, pool_param)  # (N, F, H/2, W/2)
        hidden, second = affine_forward(maps, W2, b2)  # (N, hidden_dim)
        hidden, second_bend = relu_forward(hidden)
        scores, third = affine_forward(hidden, W3, b3)  # (N, num_classes)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * sum((W * W).sum() for W in (W1, W2, W3))

        dhidden, dW3, db3 = affine_backward(dscores, third)
        dhidden = relu_backward(dhidden, second_bend)
        dmaps, dW2, db2 = affine_backward(dhidden, second)  # dmaps (N, F, H/2, W/2)
        dmaps = max_pool_backward(dmaps, pool)
        dmaps = relu_backward(dmaps, first_bend)
        _, dW1, db1 = conv_backward(dmaps, conv)
        grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
        for name in ("W1", "W2", "W3"):
            grads[name] = grads[name] + self.reg * self.params[name]
        return loss, grads
        ### END SOLUTION


def drive_conv_net(ThreeLayerConvNet, X, y, params, reg):
    """Scores, loss and gradients with given parameters; asked twice, the second answer counts."""
    net = ThreeLayerConvNet(
        input_dim=X.shape[1:],
        num_filters=params["W1"].shape[0],
        filter_size=params["W1"].shape[2],
        hidden_dim=params["b2"].size,
        num_classes=params["b3"].size,
        weight_scale=0.1,
        reg=reg,
    )
    for name in params:
        net.params[name] = params[name].copy()
    net.loss(X.copy(), y.copy())
    scores = net.loss(X.copy())
    result = net.loss(X.copy(), y.copy())
    if result is None:
        return None
    return (scores, *result[:2])


def drive_conv_params(ThreeLayerConvNet, input_dim, filters, size, hidden, classes, scale):
    """What a new net's parameters look like: shapes, and the size of the numbers."""
    net = ThreeLayerConvNet(
        input_dim=tuple(input_dim),
        num_filters=filters,
        filter_size=size,
        hidden_dim=hidden,
        num_classes=classes,
        weight_scale=scale,
        dtype=np.float32,
    )
    seen = {}
    for name in ("W1", "b1", "W2", "b2", "W3", "b3"):
        value = np.asarray(net.params[name])
        seen[name + " has shape"] = list(value.shape)
        seen[name + " is float32"] = value.dtype == np.float32
        if name.startswith("b"):
            seen[name + " is zero"] = bool((value == 0).all())
        else:
            ratio = float(value.astype(float).std()) / scale  # 1, give or take the luck of the draw
            seen[name + ", deviation / weight_scale"] = round(min(ratio, 9))
    return seen


def _conv_case(rng, n, input_dim, filters, size, hidden, classes):
    """Inputs and parameters for which no ReLU sits near 0 and no maximum is close to a second."""
    C, H, W = input_dim
    half = size // 2
    D = filters * (H // 2) * (W // 2)
    while True:
        X = rng.standard_normal((n, C, H, W))
        params = {
            "W1": rng.normal(0, 1 / np.sqrt(C * size**2), (filters, C, size, size)),
            "b1": rng.normal(0, 0.5, filters),
            "W2": rng.normal(0, 1 / np.sqrt(D), (D, hidden)),
            "b2": rng.normal(0, 0.5, hidden),
            "W3": rng.normal(0, 0.8, (hidden, classes)),
            "b3": rng.normal(0, 0.5, classes),
        }
        padded = np.pad(X, ((0, 0), (0, 0), (half, half), (half, half)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (2, 3))
        z = np.einsum("nchwij,fcij->nfhw", windows, params["W1"])
        z = z + params["b1"][:, None, None]
        tiles = z.reshape(n, filters, H // 2, 2, W // 2, 2).swapaxes(3, 4)
        tiles = np.sort(tiles.reshape(n, filters, H // 2, W // 2, 4), axis=-1)
        hidden_z = np.maximum(tiles[..., -1], 0).reshape(n, -1) @ params["W2"] + params["b2"]
        scores = np.maximum(hidden_z, 0) @ params["W3"] + params["b3"]
        clear = min(np.abs(z).min(), np.diff(tiles).min(), np.abs(hidden_z).min()) > 1e-4
        mixed = (hidden_z < 0).any() and (hidden_z > 0).any() and (scores < 0).any()
        if clear and mixed and (z < 0).any() and (tiles[..., -1] > 0).any():
            return X, params


@chapter.cases(ThreeLayerConvNet)
def conv_net_cases(rng):
    for n, dim, filters, size, hidden, classes, reg in [
        (3, (2, 4, 6), 4, 3, 5, 7, 0.0),
        (4, (1, 6, 2), 3, 5, 6, 2, 0.6),
        (5, (3, 2, 4), 2, 1, 4, 6, 0.05),
    ]:
        X, params = _conv_case(rng, n, dim, filters, size, hidden, classes)
        y = rng.integers(0, classes, n)
        label = f"X has shape {X.shape}, {filters} filters of {size} x {size}, reg = {reg}"
        yield Case((X, y, params, reg), drive=drive_conv_net, label=label)


@chapter.property(
    ThreeLayerConvNet,
    "first_params",
    "The parameters of a new net are not as described: W1, W2 and W3 random with deviation "
    "`weight_scale`, the biases zero, all of type `dtype`, with shapes that fit H and W.",
)
def conv_net_first_params(rng):
    for args in [((2, 8, 12), 9, 3, 15, 8, 0.02), ((3, 6, 4), 25, 5, 11, 13, 3.0)]:
        yield Case(args, drive=drive_conv_params, label=f"input_dim = {args[0]}")


def _conv_net_with(bug):
    """A `ThreeLayerConvNet` with one bug."""

    class Variant(ThreeLayerConvNet):
        def __init__(self, input_dim, num_filters, filter_size, hidden_dim, **more):
            super().__init__(input_dim, num_filters, filter_size, hidden_dim, **more)
            params, (_, H, W) = self.params, input_dim
            scale, kind = more["weight_scale"], params["W1"].dtype
            rng = np.random.default_rng()
            rows = {
                "square_picture": num_filters * (H // 2) ** 2,
                "pool_not_counted": num_filters * H * W,
            }.get(bug)
            if rows:
                params["W2"] = (scale * rng.standard_normal((rows, hidden_dim))).astype(kind)
            for name in params:
                if bug == "weights_zero" and name[0] == "W":
                    params[name] = np.zeros_like(params[name])
                if bug == "weight_scale_unused" and name[0] == "W":
                    params[name] = rng.standard_normal(params[name].shape).astype(kind)
                if bug == "dtype_ignored":
                    params[name] = params[name].astype(float)

        def loss(self, X, y=None):
            p, reg = self.params, self.reg
            half = (p["W1"].shape[2] - 1) // 2
            half = {"no_padding": 0, "pad_hard_coded": 1}.get(bug, half)
            pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
            z, conv = conv_forward(X, p["W1"], p["b1"], {"stride": 1, "pad": half})
            a, bend1 = relu_forward(z)
            maps, pool = max_pool_forward(z if bug == "first_relu_missing" else a, pool_param)
            z2, second = affine_forward(maps, p["W2"], p["b2"])
            a2, bend2 = relu_forward(z2)
            hidden = z2 if bug == "second_relu_missing" else a2
            scores, third = affine_forward(hidden, p["W3"], p["b3"])
            if bug == "relu_on_scores":
                scores, bend3 = relu_forward(scores)
            if y is None:
                e = np.exp(scores - scores.max(axis=1, keepdims=True))
                e = e / e.sum(axis=1, keepdims=True)
                return {"probabilities": e, "classes": scores.argmax(axis=1)}.get(bug, scores)
            loss, dscores = softmax_loss(scores, y)
            if bug == "not_averaged":
                loss, dscores = loss * len(y), dscores * len(y)
            if bug == "relu_on_scores":
                dscores = relu_backward(dscores, bend3)
            penalised = {
                "conv_not_penalised": ("W2", "W3"),
                "only_conv_penalised": ("W1",),
                "biases_penalised": tuple(p),
            }.get(bug, ("W1", "W2", "W3"))
            in_loss = {
                "no_penalty": 0, "penalty_only_in_gradient": 0, "half_missing_in_loss": 1,
                "whole_penalty": 1,
            }.get(bug, 0.5)  # fmt: skip
            in_grad = {
                "no_penalty": 0, "penalty_only_in_loss": 0, "gradient_doubled": 2,
                "whole_penalty": 2,
            }.get(bug, 1)  # fmt: skip
            loss += in_loss * reg * sum((p[name] ** 2).sum() for name in penalised)
            da, dW3, db3 = affine_backward(dscores, third)
            if bug not in ("second_relu_missing", "second_relu_backward"):
                da = relu_backward(da, bend2)
            dmaps, dW2, db2 = affine_backward(da, second)
            dmaps = max_pool_backward(dmaps, pool)
            if bug not in ("first_relu_missing", "first_relu_backward"):
                dmaps = relu_backward(dmaps, bend1)
            _, dW1, db1 = conv_backward(dmaps, conv)
            grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
            for name in penalised:
                grads[name] = grads[name] + in_grad * reg * p[name]
            if bug == "bias_gradients_missing":
                grads = {name: grads[name] for name in ("W1", "W2", "W3")}
            return loss, grads

    return Variant


_declare(
    ThreeLayerConvNet,
    _conv_net_with,
    {
        "no_penalty": (
            "Right without regularisation; with `reg` above 0 the penalty is missing in the loss "
            "and in the gradients.",
            "0.5 * reg * sum(W * W) in the loss, reg * W in the gradient, for W1, W2 and W3.",
        ),
        "penalty_only_in_loss": (
            "The loss holds the penalty; the gradients do not.",
            "Add reg * W to each of dW1, dW2 and dW3.",
        ),
        "penalty_only_in_gradient": (
            "The gradients hold the penalty, the loss does not.",
            "Add 0.5 * reg * sum(W * W) to the loss.",
        ),
        "whole_penalty": (
            "The penalty is twice the one asked for: it looks like reg * sum(W * W), with its "
            "gradient.",
            "0.5 * reg * sum(W * W) in the loss, reg * W in the gradient.",
        ),
        "half_missing_in_loss": (
            "The gradients are right; the loss holds the penalty without its factor 0.5.",
            "0.5 * reg * sum(W * W).",
        ),
        "gradient_doubled": (
            "The loss is right; the gradients hold 2 * reg * W. The 0.5 in the loss cancels the 2.",
            "Add reg * W.",
        ),
        "biases_penalised": (
            "The penalty holds the biases too. Only W1, W2 and W3 are in it.",
            "Leave b1, b2 and b3 out.",
        ),
        "conv_not_penalised": (
            "The penalty holds W2 and W3 and leaves the filters W1 out.",
            "Add both terms for W1 as well.",
        ),
        "only_conv_penalised": (
            "The penalty holds the filters W1 only; W2 and W3 belong in it as well.",
            "Add both terms for W2 and W3.",
        ),
        "no_padding": (
            "It stops where the maps meet W2: it looks as if the convolution has no padding, so "
            "its maps are smaller than the picture.",
            "pad = (filter_size - 1) // 2, as in `conv_param`.",
        ),
        "pad_hard_coded": (
            "It looks as if the pad is always 1: right for filters of 3 x 3, too small for 5 x 5, "
            "too large for 1 x 1.",
            "pad = (filter_size - 1) // 2, as in `conv_param`.",
        ),
        "first_relu_missing": (
            "These values equal those of a net with no ReLU between convolution and pool.",
            "Pass the maps through `relu_forward` before the pool, and back through "
            "`relu_backward`.",
        ),
        "second_relu_missing": (
            "These values equal those of a net with no ReLU between the two affine layers.",
            "Pass the hidden layer through `relu_forward`.",
        ),
        "relu_on_scores": (
            "No score is negative: it looks as if the last layer has a ReLU too.",
            "Scores go to the softmax as they are.",
        ),
        "first_relu_backward": (
            "Scores and loss are right; `W1` and `b1` equal what results when the way back skips "
            "the ReLU behind the convolution.",
            "Between pool and convolution call `relu_backward`.",
        ),
        "second_relu_backward": (
            "Scores and loss are right; `W2` and everything before it equal what results when the "
            "way back skips the hidden ReLU.",
            "Between the two affine layers call `relu_backward`.",
        ),
        "probabilities": (
            "`loss(X)` returns probabilities. Asked without y, the net gives scores: what comes "
            "out of the last affine layer. The softmax is part of the loss.",
            "Return the scores before any softmax.",
        ),
        "classes": (
            "`loss(X)` returns one class for each example, where all scores are asked for.",
            "Return the scores, (N, num_classes).",
        ),
        "not_averaged": (
            "Loss and gradients look like a sum over the examples where the mean is meant.",
            "`softmax_loss` averages already; take its results as they are.",
        ),
        "bias_gradients_missing": (
            "`grads` has no entry for the biases. Every parameter needs its gradient.",
            "Keep the db of every backward function.",
        ),
        "square_picture": (
            "W2 has num_filters * (H/2) * (H/2) rows: right for square pictures only.",
            "num_filters * (H // 2) * (W // 2).",
        ),
        "pool_not_counted": (
            "W2 has num_filters * H * W rows. The pool halves both sides before the maps arrive "
            "there.",
            "num_filters * (H // 2) * (W // 2).",
        ),
        "weights_zero": (
            "The first weights are all 0: all filters would be alike, and no gradient passes.",
            "weight_scale * rng.standard_normal(shape).",
        ),
        "weight_scale_unused": (
            "The first weights have deviation 1: it looks as if `weight_scale` is not used.",
            "Multiply the random numbers by `weight_scale`.",
        ),
        "dtype_ignored": (
            "The parameters are float64, whatever `dtype` says.",
            "`.astype(dtype)` for the weights, `np.zeros(size, dtype=dtype)` for the biases.",
        ),
    },
)


# --- the solver -----------------------------------------------------------------------------------


@chapter.exercise(
    points=5,
    returns="loss_history, train_acc_history, val_acc_history, best_val_acc, params",
    difficulty=3,
    minutes=15,
    hints=(
        "Two loops: epochs, and inside them batches. Inside a batch a third one, over the names "
        "of the parameters. What happens once a step, what once an epoch?",
        "Once a step: loss and gradients, then for every name `w, config = "
        "self.update_rule(w, dw, self.configs[name])`, both stored back. Once an epoch: both "
        "accuracies, the best one so far with COPIES of the parameters, and the decay.",
        "A batch: `for X, y in minibatches(d['X_train'], d['y_train'], self.batch_size, "
        "self.rng)`. The decay: `config['learning_rate'] *= self.lr_decay` for each of "
        "`self.configs.values()`. After all epochs: `self.model.params.update(best)`. The whole "
        "answer stands in `solutions/09_cnn`.",
    ),
    afterthought="best_val_acc is the best of many looks. Is it an honest estimate?",
)
class Solver:
    """Trains any model that has `params` and `loss`, and keeps a record.

    Parameters
    ----------
    model : object
        `model.params` is a dict of arrays; `model.loss(X, y)` gives (loss, grads),
        `model.loss(X)` the scores (N, C).
    data : dict
        X_train, y_train, and, for the choice of the best epoch, X_val, y_val. They are left as
        they are.
    update_rule : callable
        `rule(w, dw, config) -> (next_w, config)`, of chapter 07. It may work on w in place.
    optim_config : dict, optional
        Settings of the rule, with `learning_rate`. Every parameter gets a copy of its own.
    lr_decay : float
        Every learning rate is multiplied by it at the end of each epoch.
    batch_size, num_epochs : int
        An epoch takes every training example once, in a new order; its last batch may be smaller.
    augment : callable, optional
        `augment(X, rng) -> X` changes each training batch before the net sees it; accuracies are
        measured on the pictures as they are.
    seed : int, optional

    Attributes
    ----------
    loss_history : list of float
        The loss of every step.
    train_acc_history, val_acc_history : list of float
        Shares of right answers on the whole training and validation part, after each epoch.
        Without X_val the second one stays empty.
    best_val_acc : float
        The highest entry of val_acc_history.
    """

    def __init__(
        self, model, data, update_rule, optim_config=None, lr_decay=1.0, batch_size=64,
        num_epochs=10, augment=None, seed=None,
    ):  # fmt: skip
        self.model = model
        self.data = data
        self.update_rule = update_rule
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.augment = augment
        self.rng = np.random.default_rng(seed)
        settings = {"learning_rate": 1e-2, **(optim_config or {})}
        self.configs = {name: dict(settings) for name in model.params}
        self.loss_history = []
        self.train_acc_history = []
        self.val_acc_history = []
        self.best_val_acc = 0.0

    def accuracy(self, X, y, batch_size=256):
        """Share of the rows of X whose highest score is the one of y."""
        ### BEGIN SOLUTION
        right = 0
        for i in range(0, len(X), batch_size):
            scores = self.model.loss(X[i : i + batch_size])
            right += (scores.argmax(axis=1) == y[i : i + batch_size]).sum()
        return right / len(X)
        ### END SOLUTION

    def train(self):
        """Run all epochs; afterwards the model holds the parameters of the best epoch.

        The best epoch is the first one with the highest validation accuracy. Without X_val it is
        the last one.
        """
        ### BEGIN SOLUTION
        d, params = self.data, self.model.params
        best = {name: w.copy() for name, w in params.items()}
        for _ in range(self.num_epochs):
            for X, y in minibatches(d["X_train"], d["y_train"], self.batch_size, self.rng):
                if self.augment is not None:
                    X = self.augment(X, self.rng)
                loss, grads = self.model.loss(X, y)
                self.loss_history.append(loss)
                for name in params:
                    params[name], self.configs[name] = self.update_rule(
                        params[name], grads[name], self.configs[name]
                    )
            self.train_acc_history.append(self.accuracy(d["X_train"], d["y_train"]))
            if "X_val" in d:
                self.val_acc_history.append(self.accuracy(d["X_val"], d["y_val"]))
            if "X_val" not in d or self.val_acc_history[-1] > self.best_val_acc:
                self.best_val_acc = max(self.val_acc_history, default=0.0)
                best = {name: w.copy() for name, w in params.items()}
            for config in self.configs.values():
                config["learning_rate"] *= self.lr_decay
        params.update(best)
        ### END SOLUTION


def drive_solver(Solver, X, y, X_val, y_val, first, goal, settings, in_place):
    """The record of a training whose losses depend on the parameters alone, not on the batch."""

    class Model:
        """Calls class 1 where x > edge[0]; the loss pulls the parameters towards the goal."""

        def __init__(self):
            self.params = {name: value.copy() for name, value in first.items()}

        def loss(self, X, y=None):
            if y is None:
                edge = self.params["edge"][0]
                return np.stack([edge - X[:, 0], X[:, 0] - edge], axis=1)
            grads = {name: self.params[name] - goal[name] for name in goal}
            return 0.5 * sum(float((g**2).sum()) for g in grads.values()), grads

    def momentum(w, dw, config=None):
        config = {} if config is None else config
        config["velocity"] = 0.5 * config.get("velocity", np.zeros(w.shape)) + dw
        if in_place:
            w -= config["learning_rate"] * config["velocity"]
            return w, config
        return w - config["learning_rate"] * config["velocity"], config

    data = {"X_train": X.copy(), "y_train": y.copy()}
    data.update(X_val=X_val.copy(), y_val=y_val.copy())
    model, config = Model(), {"learning_rate": settings["learning_rate"]}
    solver = Solver(
        model,
        data,
        update_rule=momentum,
        optim_config=config,
        lr_decay=settings["lr_decay"],
        batch_size=settings["batch_size"],
        num_epochs=settings["num_epochs"],
    )
    solver.train()
    histories = [solver.loss_history, solver.train_acc_history, solver.val_acc_history]
    histories = [np.array(history, dtype=float) for history in histories]
    return (*histories, float(solver.best_val_acc), model.params)


@chapter.cases(Solver)
def solver_cases(rng):
    for n, m, batch, epochs, decay, in_place in [
        (7, 11, 3, 5, 0.6, False),
        (10, 13, 4, 6, 1.0, True),
        (9, 17, 20, 7, 0.8, True),
    ]:
        settings = {"learning_rate": 0.12, "lr_decay": decay, "batch_size": batch}
        settings |= {"num_epochs": epochs}
        while True:
            X, X_val = rng.normal(0, 1.5, (n, 2)), rng.normal(0, 1.5, (m, 2))
            y = (X[:, 0] > rng.normal(0, 0.7)).astype(int)
            y_val = (X_val[:, 0] > rng.normal(0, 0.7)).astype(int)
            first = {"edge": rng.normal(-3, 0.3, 3), "other": rng.standard_normal((2, 4))}
            goal = {"edge": rng.normal(3, 0.3, 3), "other": rng.standard_normal((2, 4))}
            args = (X, y, X_val, y_val, first, goal, settings, in_place)
            _, train, val, best, _ = drive_solver(Solver, *args)
            alone = (val == best).sum() == 1 and 0 < np.argmax(val) < epochs - 1
            if (
                alone
                and best > max(val[0], val[-1])
                and len(set(train)) > 2
                and best != train.max()
            ):
                break
        label = f"{n} examples, batches of {batch}, {epochs} epochs, lr_decay = {decay}"
        yield Case(args, drive=drive_solver, label=label)


def drive_batches(Solver, n, batch, epochs):
    """In words: what the model is fed in training."""
    fed = []

    class Model:
        def __init__(self):
            self.params = {"w": np.zeros(2)}

        def loss(self, X, y=None):
            if y is None:
                return np.tile([0.0, 1.0], (len(X), 1))
            fed.append((np.array(X)[:, 0].tolist(), np.array(y).tolist()))
            return 1.0, {"w": np.ones(2)}

    def rule(w, dw, config):
        return w - dw, config

    y = np.arange(n)
    X = np.stack([y, y], axis=1).astype(float)
    data = {"X_train": X.copy(), "y_train": y.copy(), "X_val": X[:3], "y_val": y[:3]}
    Solver(Model(), data, rule, batch_size=batch, num_epochs=epochs).train()
    if not fed:
        return "the model is never asked for a loss"
    if any(rows != labels for rows, labels in fed):
        return "labels belong to other examples"
    if len(fed) % epochs:
        return "epochs differ in their number of batches"
    size = len(fed) // epochs
    orders = [
        [row for rows, _ in fed[i : i + size] for row in rows] for i in range(0, len(fed), size)
    ]
    if any(len(set(order)) < len(order) for order in orders):
        return "some examples come twice in an epoch"
    if any(len(order) < n for order in orders):
        return "some examples are missing in an epoch"
    if any(order == sorted(order) for order in orders):
        return "the examples come in the order of the data"
    return "a new order each epoch" if orders[0] != orders[1] else "the same order each epoch"


@chapter.property(
    Solver,
    "every_example_once",
    "The batches of an epoch do not hold every training example exactly once, in a new order.",
)
def solver_batches(rng):
    n = int(rng.integers(40, 60))
    yield Case((n, 8, 3), drive=drive_batches, label=f"{n} examples, batches of 8")


def drive_augment(Solver, n):
    """In words: when `augment` is applied."""
    seen = {"loss": [], "scores": []}

    class Model:
        def __init__(self):
            self.params = {"w": np.zeros(2)}

        def loss(self, X, y=None):
            seen["scores" if y is None else "loss"].append(float(np.min(X)))
            if y is None:
                return np.tile([0.0, 1.0], (len(X), 1))
            return 1.0, {"w": np.ones(2)}

    data = {"X_train": np.ones((n, 2)), "y_train": np.zeros(n, dtype=int)}
    data.update(X_val=np.ones((5, 2)), y_val=np.zeros(5, dtype=int))
    Solver(
        Model(),
        data,
        lambda w, dw, config: (w - dw, config),
        batch_size=4,
        num_epochs=3,
        augment=lambda X, rng: X + 9 + 0 * rng.random(),
    ).train()
    if (data["X_train"] != 1).any():
        return "the training examples themselves are changed"
    if set(seen["loss"]) == {1.0}:
        return "augment is never applied"
    if max(seen["loss"]) > 10:
        return "augment is applied again and again to the same pictures"
    if seen["scores"] and max(seen["scores"]) > 1:
        return "accuracies are measured on augmented pictures"
    return "training batches only" if min(seen["loss"]) == 10 else "some batches only"


@chapter.property(
    Solver,
    "augment_in_training_only",
    "`augment` is not applied as described: once to every training batch, never when an accuracy "
    "is measured, and the data stay as they are.",
)
def solver_augment(rng):
    yield Case((int(rng.integers(9, 15)),), drive=drive_augment, label="with augment")


def drive_no_validation(Solver, n):
    """Without X_val: how many accuracies there are, and the parameters after three epochs."""

    class Model:
        def __init__(self):
            self.params = {"w": np.zeros(2)}

        def loss(self, X, y=None):
            if y is None:
                return np.tile([0.0, 1.0], (len(X), 1))
            return 1.0, {"w": np.ones(2)}

    data = {"X_train": np.ones((n, 2)), "y_train": np.arange(n) % 2}
    model = Model()
    solver = Solver(model, data, lambda w, dw, config: (w - dw, config), batch_size=n, num_epochs=3)
    solver.train()
    history = np.array(solver.train_acc_history, dtype=float)
    return history, len(solver.val_acc_history), model.params["w"]


@chapter.property(
    Solver,
    "without_validation",
    "Without X_val in the data the solver does not behave as described: train_acc_history is kept, "
    "val_acc_history stays empty, and the parameters of the last epoch stay.",
)
def solver_no_validation(rng):
    yield Case((int(rng.integers(7, 20)),), drive=drive_no_validation, label="no X_val, 3 epochs")


def _solver_with(bug):
    class Variant(Solver):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            if bug == "one_config_for_all":
                shared = next(iter(self.configs.values()))
                self.configs = dict.fromkeys(self.configs, shared)

        def train(self):
            d, params = self.data, self.model.params
            best = {name: w.copy() for name, w in params.items()}
            needs_val = bug == "validation_required"
            whole = len(d["X_train"]) // self.batch_size * self.batch_size
            if bug == "accuracy_before_training" and "X_val" in d:
                self.train_acc_history.append(self.accuracy(d["X_train"], d["y_train"]))
                self.val_acc_history.append(self.accuracy(d["X_val"], d["y_val"]))
                self.best_val_acc = self.val_acc_history[-1]
            for _ in range(self.num_epochs):
                losses, seed = [], 3 if bug == "same_order" else self.rng
                if bug == "augment_changes_the_data" and self.augment is not None:
                    d["X_train"][...] = self.augment(d["X_train"], self.rng)
                batches = minibatches(
                    d["X_train"], d["y_train"], self.batch_size, np.random.default_rng(seed)
                )
                batches = list(batches)
                if bug == "never_shuffled":
                    order, size = np.arange(len(d["X_train"])), self.batch_size
                    rows = [order[i : i + size] for i in range(0, len(order), size)]
                    batches = [(d["X_train"][r], d["y_train"][r]) for r in rows]
                if bug == "with_replacement":
                    rows = [self.rng.integers(0, len(d["X_train"]), len(y)) for _, y in batches]
                    batches = [(d["X_train"][r], d["y_train"][r]) for r in rows]
                if bug == "last_batch_dropped" and whole:
                    batches = batches[: whole // self.batch_size]
                for X, y in batches:
                    if self.augment is not None and bug not in (
                        "augment_never",
                        "augment_changes_the_data",
                    ):
                        X = self.augment(X, self.rng)
                    loss, grads = self.model.loss(X, y)
                    losses.append(loss)
                    for name in params:
                        config = self.configs[name]
                        config = dict(config) if bug == "state_thrown_away" else config
                        w, config = self.update_rule(params[name], grads[name], config)
                        if bug != "weights_not_stored":
                            params[name] = w
                        if bug != "state_thrown_away":
                            self.configs[name] = config
                    if bug == "decay_every_step":
                        self._decay()
                self.loss_history += [np.mean(losses)] if bug == "one_loss_an_epoch" else losses
                train, val = (
                    self.accuracy(self._seen(d[f"X_{part}"]), d[f"y_{part}"])
                    for part in ("train", "val" if "X_val" in d or needs_val else "train")
                )
                self.train_acc_history.append(train)
                self.val_acc_history.append(train if bug == "val_is_train" else val)
                judged = train if bug == "best_by_train" else self.val_acc_history[-1]
                if "X_val" not in self.data:
                    self.val_acc_history, best = [], {n: w.copy() for n, w in params.items()}
                elif judged > self.best_val_acc or (bug == "last_is_best"):
                    self.best_val_acc = judged
                    best = {name: w.copy() for name, w in params.items()}
                    best = dict(params) if bug == "best_not_copied" else best
                if bug not in ("no_decay", "decay_every_step"):
                    self._decay()
            if bug != "best_not_restored":
                params.update(best)

        def _decay(self):
            for config in self.configs.values():
                config["learning_rate"] *= self.lr_decay

        def _seen(self, X):
            wrong = bug == "augment_at_the_measurement" and self.augment is not None
            return self.augment(X, self.rng) if wrong else X

    return Variant


_declare(
    Solver,
    _solver_with,
    {
        "decay_every_step": (
            "The learning rate falls at every STEP. With 17 steps an epoch that is 17 times too "
            "fast.",
            "The decay stands behind the loop over the batches.",
        ),
        "no_decay": (
            "The learning rate never falls: `lr_decay` seems not to be used.",
            "At the end of an epoch: config['learning_rate'] *= self.lr_decay, for each config.",
        ),
        "best_not_restored": (
            "The record is right; the model is left with the parameters of the LAST epoch. Either "
            "nothing is put back, or what was kept is a second name for the same dict.",
            "At each new best keep {name: w.copy() for name, w in params.items()}; at the end "
            "params.update(best).",
        ),
        "best_not_copied": (
            "The model ends with the parameters of the last epoch, as if the best ones were kept "
            "without a copy: the updates then change the kept ones too.",
            "{name: w.copy() for name, w in params.items()}.",
        ),
        "best_by_train": (
            "The best epoch is chosen by TRAINING accuracy. That favours the epoch that has "
            "learned most by heart.",
            "Compare validation accuracies.",
        ),
        "last_is_best": (
            "The best accuracy is the last one: it looks as if it is stored without a comparison.",
            "Store it only when it is higher than the best so far.",
        ),
        "validation_required": (
            "It stops where the data have no X_val: then there is nothing to choose the epoch by, "
            "and the last one stays.",
            "if 'X_val' in self.data: ...",
        ),
        "val_is_train": (
            "val_acc_history holds the accuracies of the training part.",
            "Measure it on X_val, y_val.",
        ),
        "one_config_for_all": (
            "All parameters share one config, so they share one velocity: their memories are "
            "mixed up.",
            "One copy of the settings for each name.",
        ),
        "state_thrown_away": (
            "The rule forgets its velocity between steps: the config that it returns is not kept.",
            "w, self.configs[name] = self.update_rule(...).",
        ),
        "weights_not_stored": (
            "The parameters never change: what the rule returns is not stored.",
            "self.model.params[name] = next_w.",
        ),
        "one_loss_an_epoch": (
            "loss_history has one entry for each epoch; one for each step is asked for.",
            "Append inside the loop over the batches.",
        ),
        "accuracy_before_training": (
            "The accuracies have one entry more: a first one, before any step.",
            "Measure after each epoch only.",
        ),
        "last_batch_dropped": (
            "There are too few steps: the last, smaller batch of each epoch is left out.",
            "`minibatches` gives it; take all batches that it yields.",
        ),
        "with_replacement": (
            "Some examples come twice in an epoch and others not at all: each batch looks drawn on "
            "its own.",
            "Cut one permutation into batches: `minibatches` does it.",
        ),
        "never_shuffled": (
            "The examples come in the order of the data, epoch for epoch. If the data are sorted, "
            "each batch knows a few classes only.",
            "Draw a new order each epoch: `minibatches` does it.",
        ),
        "same_order": (
            "Every epoch repeats the order of the first: the generator is made anew each time.",
            "Pass `self.rng`, which moves on.",
        ),
        "augment_never": (
            "`augment` is never applied.",
            "`X = self.augment(X, self.rng)`, if it is not `None`.",
        ),
        "augment_at_the_measurement": (
            "Accuracies are measured on augmented pictures. Then they depend on luck, and on "
            "pictures that nobody asked about.",
            "Augment training batches only.",
        ),
        "augment_changes_the_data": (
            "The training examples themselves are changed, so the changes add up from epoch to "
            "epoch.",
            "Augment the batch, and leave data['X_train'] alone.",
        ),
    },
)


# --- augmentation: helpers for its checks ---------------------------------------------------------


def drive_given(augment, x, setting, name, value):
    """The result when the draw is given."""
    return augment(x.copy(), setting, np.random.default_rng(0), **({name: value} if name else {}))


def drive_input(augment, x, setting, extra):
    """Is x as it was?"""
    before = x.copy()
    augment(x, setting, np.random.default_rng(1), **extra)
    return bool(x.shape == before.shape and (x == before).all())


def drive_draws(augment, x, setting, seed, extra):
    """In words: who draws what, for a batch of equal pictures."""
    x = np.stack([x] * 6)
    rng = np.random.default_rng(seed)
    calls = [np.array(augment(x.copy(), setting, rng, **extra)) for _ in range(12)]
    rng, again = np.random.default_rng(seed), calls[0]
    if len(again) != len(x):
        return "the shape changes"
    if any((call != augment(x.copy(), setting, rng, **extra)).any() for call in calls[:5]):
        return "the same seed gives other results: the draw does not come from `rng`"
    if all((call == calls[0]).all() for call in calls):
        if again.shape == x.shape and (again == x).all():
            return "nothing is changed"
        return "every call gives the same: the generator is made anew each time"
    if all((call == call[:1]).all() for call in calls):
        return "one draw for the whole batch"
    return "a draw for each picture"


def _manners(answer, setting, size, extra=None):
    """Two parts that every augmentation has: x stays as it is, and each picture draws its own."""
    extra = extra or {}

    @chapter.property(
        answer,
        "input_unchanged",
        "The pictures that were handed in are changed. They are the training data: after ten "
        "epochs ten changes would lie on top of each other. Make a copy first.",
    )
    def unchanged(rng):
        x = rng.uniform(0.2, 0.8, (9, *size))
        yield Case((x, setting, extra), drive=drive_input, label=f"x has shape {x.shape}")

    @chapter.property(
        answer,
        "draws",
        "Each picture of the batch draws its own change, from `rng`: the same seed gives the same "
        "batch, and the next call another one.",
    )
    def draws(rng):
        x, seed = rng.uniform(0.2, 0.8, size), int(rng.integers(1000))
        yield Case((x, setting, seed, extra), drive=drive_draws, label="6 equal pictures")


# What is said of the three mistakes in drawing that all augmentations share.
DRAWS = {
    "changes_the_input": (
        "The values are right, and the training pictures themselves are changed: the work is done "
        "in place.",
        "Begin with a copy, or build a new array.",
    ),
    "one_for_all": (
        "All pictures of the batch get the same draw.",
        "Draw one number for each of the N pictures: `size=N`.",
    ),
    "own_generator": (
        "Every call gives the same result: it looks as if a generator with a fixed seed is made "
        "anew inside.",
        "Draw from the `rng` that is handed in.",
    ),
    "global_generator": (
        "The draw does not come from `rng`: the same seed gives other results, so no run can be "
        "repeated.",
        "`rng.random(...)`, `rng.uniform(...)`, not `np.random. ...`.",
    ),
}


def _source(bug, rng):
    """The generator that a function with this bug draws from."""
    if bug == "global_generator":
        return np.random.default_rng()
    return np.random.default_rng(0) if bug == "own_generator" else rng


def _give(bug, x, out):
    """The result; for one bug the input takes it over first."""
    if bug == "changes_the_input" and out.shape == x.shape:
        x[...] = out
    return out


# --- flip -----------------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    difficulty=2,
    minutes=6,
    hints=(
        "A mirror image is a slice with a step of -1. Which of the four axes runs from left to "
        "right?",
        "Left and right: `x[:, :, :, ::-1]`. Draw N numbers between 0 and 1; where one is below p, "
        "the picture is taken from the mirrored batch.",
        "`flip = rng.random(len(x)) < p`, then `np.where(flip[:, None, None, None], x[..., ::-1], "
        "x)`; with `vertical` it is `x[:, :, ::-1]`. The whole answer stands in "
        "`solutions/09_cnn`.",
    ),
    afterthought="For which of the ten digits does a flip keep the label?",
)
def random_flip(x, p, rng, vertical=False):
    """Mirror each picture with probability p, left to right.

    Parameters
    ----------
    x : (N, C, H, W) array
        It is left as it is.
    p : float
        Probability of a flip, for each picture on its own.
    rng : numpy.random.Generator
    vertical : bool
        If True, top and bottom change places instead.

    Returns
    -------
    out : (N, C, H, W) array
    """
    mirrored = x[:, :, ::-1] if vertical else x[:, :, :, ::-1]
    flip = rng.random(len(x)) < p  # (N,)
    return np.where(flip[:, None, None, None], mirrored, x)


@chapter.cases(random_flip)
def flip_cases(rng):
    for shape, p, vertical in [
        ((3, 2, 4, 5), 1.0, False),
        ((4, 1, 5, 3), 1.0, True),
        ((5, 3, 2, 6), 0.0, False),
    ]:
        args = (rng.standard_normal(shape), p, "vertical", vertical)
        label = f"x has shape {shape}, p = {p:g}, vertical = {vertical}"
        yield Case(args, drive=drive_given, label=label)


def drive_flip_share(random_flip, x, p):
    """In words: how often a picture is mirrored."""
    out = np.asarray(random_flip(x.copy(), p, np.random.default_rng(5)))
    if out.shape != x.shape:
        return "the shape changes"
    flipped = (np.abs(out - x[:, :, :, ::-1]) < 1e-5).all(axis=(1, 2, 3))
    kept = (np.abs(out - x) < 1e-5).all(axis=(1, 2, 3))
    if not (flipped | kept).all():
        return "some pictures are neither kept nor mirrored"
    share = flipped.mean()
    if abs(share - p) < 0.1:
        return "a share of about p is mirrored"
    return "a share of about 1 - p is mirrored" if abs(share - 1 + p) < 0.1 else "another share"


@chapter.property(
    random_flip, "share", "The share of the pictures that are mirrored is not about p."
)
def flip_shares(rng):
    for p in (0.2, 0.7):
        x = rng.standard_normal((800, 1, 2, 3))  # 0.1 is more than 5 standard deviations
        yield Case((x, p), drive=drive_flip_share, label=f"800 pictures, p = {p}")


_manners(random_flip, 0.5, (2, 3, 4))


def _flip_with(bug):
    def flip(x, p, rng, vertical=False):
        rng = _source(bug, rng)
        axis = {"axes_exchanged": 3 if vertical else 2}.get(bug, 2 if vertical else 3)
        axis = 3 if bug == "vertical_ignored" else 1 if bug == "channels" else axis
        axis = 0 if bug == "batch" else axis
        mirrored = np.flip(x, axis)
        if bug == "both":
            mirrored = x[:, :, ::-1, ::-1]
        if bug == "turned" and x.shape[2] == x.shape[3]:
            mirrored = x.swapaxes(2, 3)
        chance = 0.5 if bug == "p_ignored" and 0 < p < 1 else p
        flip = rng.random(1 if bug == "one_for_all" else len(x)) < chance
        flip = (
            ~flip if bug == "keeps_with_p" else np.ones(len(x), bool) if bug == "always" else flip
        )
        return _give(bug, x, np.where(flip[:, None, None, None], mirrored, x))

    return flip


_declare(
    random_flip,
    _flip_with,
    {
        **DRAWS,
        "axes_exchanged": (
            "Left-right and up-down are exchanged. Axis 2 holds the rows, axis 3 the columns.",
            "x[:, :, :, ::-1] mirrors left to right.",
        ),
        "vertical_ignored": (
            "The pictures are always mirrored left to right: `vertical` seems not to be used.",
            "With `vertical`, take x[:, :, ::-1].",
        ),
        "both": (
            "The pictures are turned by 180 degrees: both axes are reversed at once.",
            "Reverse one axis only.",
        ),
        "channels": (
            "The CHANNELS are reversed: red and blue change places, and the picture stays.",
            "Axis 1 holds the channels; columns are axis 3.",
        ),
        "batch": (
            "The order of the pictures in the batch is reversed: they would get the labels of "
            "others.",
            "Axis 0 holds the examples; columns are axis 3.",
        ),
        "keeps_with_p": (
            "p is the probability of a flip; here it is the probability of being kept.",
            "Mirror where the drawn number is below p.",
        ),
        "always": (
            "Every picture is mirrored, whatever p is.",
            "np.where(flip, mirrored, x), with one draw for each picture.",
        ),
        "p_ignored": (
            "Half of the pictures are mirrored, whatever p is.",
            "rng.random(len(x)) < p.",
        ),
    },
)


# --- crop -----------------------------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="out",
    difficulty=3,
    minutes=10,
    hints=(
        "A crop of h rows can begin in H - h + 1 places. Each picture draws its own place, the "
        "same one for all its channels.",
        "`np.pad` with ((0, 0), (0, 0), (pad, pad), (pad, pad)) puts the border around. "
        "`rng.integers(0, n)` gives 0 to n - 1: n itself never comes.",
        "With H and W of the PADDED picture: `top = rng.integers(0, H - h + 1, size=N)`, `left = "
        "rng.integers(0, W - w + 1, size=N)`, and a loop: `out[n] = x[n, :, top[n]:top[n] + h, "
        "left[n]:left[n] + w]`. The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="Which change does a crop of (H, W) with pad 2 make? What is it good for?",
)
def random_crop(x, size, rng, pad=0):
    """Cut a window out of each picture, at a random place.

    Every place has the same chance. With a pad the picture first gets a border of zeros, so that
    a window of the old size shifts the picture.

    Parameters
    ----------
    x : (N, C, H, W) array
        It is left as it is.
    size : (h, w) tuple
        h <= H + 2 * pad and w <= W + 2 * pad.
    rng : numpy.random.Generator
    pad : int
        Zeros on each of the four sides before the cut.

    Returns
    -------
    out : (N, C, h, w) array
    """
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    N, C, H, W = x.shape
    h, w = size
    top = rng.integers(0, H - h + 1, size=N)
    left = rng.integers(0, W - w + 1, size=N)
    out = np.empty((N, C, h, w), dtype=x.dtype)
    for n in range(N):
        out[n] = x[n, :, top[n] : top[n] + h, left[n] : left[n] + w]
    return out


@chapter.cases(random_crop)
def crop_cases(rng):
    """Windows as large as the (padded) picture: one place only, so the values are known."""
    for shape, pad in [((3, 2, 4, 5), 0), ((4, 1, 3, 2), 2), ((2, 3, 6, 3), 1)]:
        size = (shape[2] + 2 * pad, shape[3] + 2 * pad)
        args = (rng.uniform(0.1, 1, shape), size, "pad", pad)
        label = f"x has shape {shape}, pad = {pad}, size = {size}"
        yield Case(args, drive=drive_given, label=label)


def drive_places(random_crop, shape, size, pad, seed):
    """In words: where the windows lie."""
    N, C, H, W = shape
    h, w = size
    x = 1 + np.arange(np.prod(shape), dtype=float).reshape(shape)  # no number twice
    out = np.asarray(random_crop(x.copy(), size, np.random.default_rng(seed), pad=pad))
    if out.shape != (N, C, h, w):
        return "shape " + str(out.shape) + " instead of " + str((N, C, h, w))
    around = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    around[:, :, pad : pad + H, pad : pad + W] = x
    tops, lefts = H + 2 * pad - h + 1, W + 2 * pad - w + 1
    count, hits = np.zeros((tops, lefts), int), np.zeros(N, bool)
    for i in range(tops):
        for j in range(lefts):
            found = (out == around[:, :, i : i + h, j : j + w]).all(axis=(1, 2, 3))
            count[i, j] = found.sum()
            hits |= found
    if not hits.all():
        some = "no picture" if not hits.any() else "not every picture"
        return some + " is a window of its own padded original"
    rows, columns = count.sum(axis=1), count.sum(axis=0)
    if count.max() == N and count.size > 1:
        return "all windows lie at the same place"
    if rows[-1] == 0 or columns[-1] == 0:
        return "the last place of the window never comes"
    if (rows == 0).any() or (columns == 0).any():
        return "some places never come"
    if tops == lefts and count.sum() == np.trace(count):
        return "row and column of the window are always the same"
    expected = N / (tops * lefts)
    if (count > 3.5 * expected).any() or (count < expected / 3.5).any():
        return "some places come much more often than others"
    return "every place comes"


@chapter.property(
    random_crop,
    "places",
    "The windows do not lie as described: each one inside its own picture, all channels at the "
    "same place, every place with the same chance.",
)
def crop_places(rng):
    for shape, size, pad in [
        ((360, 2, 5, 4), (3, 3), 0),
        ((450, 1, 4, 6), (4, 6), 1),
        ((270, 3, 3, 5), (2, 4), 0),
    ]:
        shape = (shape[0] + int(rng.integers(20)), *shape[1:])
        args = (shape, size, pad, int(rng.integers(1000)))
        label = f"{shape[0]} pictures of {shape[2]} x {shape[3]}, windows of {size}, pad = {pad}"
        yield Case(args, drive=drive_places, label=label)


_manners(random_crop, (5, 6), (2, 5, 6), {"pad": 1})


def _crop_with(bug):
    def crop(x, size, rng, pad=0):
        rng, original, N = _source(bug, rng), x, len(x)
        h, w = size
        if bug == "pad_ignored":
            pad = 0
        mode = {"mode": "edge"} if bug == "border_repeated" else {}
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), **mode)
        H, W = x.shape[2:]
        tops, lefts = max(H - h + 1, 1), max(W - w + 1, 1)
        if bug == "last_missing":
            tops, lefts = max(tops - 1, 1), max(lefts - 1, 1)
        if bug == "sides_exchanged":
            tops, lefts = lefts, tops
        top, left = rng.integers(0, tops, N), rng.integers(0, lefts, N)
        if bug == "same_for_both":
            top = left = rng.integers(0, min(tops, lefts), N)
        if bug == "centre":
            top, left = np.full(N, (H - h) // 2), np.full(N, (W - w) // 2)
        if bug == "one_for_all":
            top, left = np.repeat(top[:1], N), np.repeat(left[:1], N)
        out = np.zeros((N, x.shape[1], h, w))
        for n in range(N):
            for c in range(x.shape[1]):
                i, j = top[n], left[n]
                if bug == "each_channel_its_own":
                    i, j = rng.integers(0, tops), rng.integers(0, lefts)
                piece = x[n, c, i : i + h, j : j + w]
                out[n, c, : piece.shape[0], : piece.shape[1]] = piece
        return _give(bug, original, out)

    return crop


_declare(
    random_crop,
    _crop_with,
    {
        **DRAWS,
        "last_missing": (
            "The last row or column never comes into the window. `rng.integers(0, n)` stops before "
            "n, and there are H - h + 1 places, not H - h.",
            "rng.integers(0, H - h + 1, size=N), and the same for the width.",
        ),
        "pad_ignored": (
            "`pad` seems not to be used: no border is put around the pictures.",
            "np.pad the two last axes by `pad` on each side.",
        ),
        "border_repeated": (
            "The border repeats the outermost pixels; zeros are asked for.",
            "np.pad without a mode fills with zeros.",
        ),
        "same_for_both": (
            "The window moves along the diagonal only: row and column get the same number.",
            "Draw top and left each on its own.",
        ),
        "sides_exchanged": (
            "The range for the rows is used for the columns: right for square pictures only.",
            "top goes up to H - h, left up to W - w.",
        ),
        "each_channel_its_own": (
            "Each channel is cut at another place: red, green and blue do not fit any more.",
            "One place for each picture, for all its channels.",
        ),
        "centre": (
            "The window always lies in the middle. That is the crop for testing; for training the "
            "place is drawn.",
            "Draw top and left with rng.integers.",
        ),
    },
)


# --- standardise ----------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="out, mean, std",
    difficulty=2,
    minutes=7,
    rtol=1e-6,
    hints=(
        "One number for each channel: over which three axes is the mean taken?",
        "The mean over (0, 2, 3) has shape (C,). To subtract it from (N, C, H, W) it needs two "
        "more axes: `mean[:, None, None]`.",
        "`if mean is None: mean, std = x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3))`, then `std = "
        "np.where(std == 0, 1, std)` and `out = (x - mean[:, None, None]) / std[:, None, None]`. "
        "The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="Why are test pictures given the numbers of the training part?",
)
def standardise(x, mean=None, std=None):
    """Bring every channel to mean 0 and deviation 1, or use numbers that are given.

    Parameters
    ----------
    x : (N, C, H, W) array
        It is left as it is.
    mean, std : (C,) arrays, optional
        Those of the training part, for pictures that come later. Without them they are computed
        from x, one number for each channel (the deviation divides by the number of values).

    Returns
    -------
    out : (N, C, H, W) array
    mean, std : (C,) arrays
        The numbers that were used. A deviation of 0 is replaced by 1.
    """
    if mean is None:
        mean, std = x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3))
        std = np.where(std == 0, 1, std)
    out = (x - mean[:, None, None]) / std[:, None, None]
    return out, mean, std


@chapter.cases(standardise)
def standardise_cases(rng):
    for shape in [(3, 2, 4, 5), (5, 3, 2, 6), (4, 1, 3, 2)]:
        own = rng.uniform(0.3, 2, (shape[1], 1, 1))
        x = rng.normal(rng.normal(0, 2, (shape[1], 1, 1)), own, shape)
        yield Case((x,), label=f"x has shape {shape}")
        mean, std = rng.normal(0, 1, shape[1]), rng.uniform(0.4, 3, shape[1])
        yield Case((x, mean, std), label=f"x has shape {shape}; mean and std are given")


def drive_blank_channel(standardise, x, new):
    """A channel that is the same everywhere in training, and not later: both results."""
    out, mean, std = standardise(x.copy())[:3]
    later = standardise(new.copy(), mean, std)[0]
    return np.array(out), np.array(later)


@chapter.property(
    standardise,
    "constant_channel",
    "A channel without any deviation is not handled as described: divide it by 1. With a tiny "
    "number in place of 1, a later picture that differs a little becomes huge.",
)
def standardise_constant(rng):
    x, new = rng.standard_normal((4, 3, 2, 5)), rng.standard_normal((3, 3, 2, 5))
    x[:, 1] = 0.5
    yield Case((x, new), drive=drive_blank_channel, label="channel 1 is 0.5 everywhere")


def _standardise_with(bug):
    def standardise(x, mean=None, std=None):
        axes = {"one_for_all_channels": (0, 1, 2, 3), "per_pixel": 0, "per_picture": (1, 2, 3)}
        axes = axes.get(bug, (0, 2, 3))
        if mean is None or bug == "given_ignored":
            mean, std = x.mean(axis=axes), x.std(axis=axes)
            std = {"variance": std**2, "n_minus_1": np.std(x, axis=axes, ddof=1)}.get(bug, std)
            if bug == "one_for_all_channels":
                mean, std = np.full(x.shape[1], mean), np.full(x.shape[1], std)
            if bug == "tiny_instead_of_1":
                std = std + 1e-8
            elif bug != "zero_deviation":
                std = np.where(std == 0, 1, std)
        m, s = mean, std
        if m.ndim == 1:
            ends = (slice(None), None, None)
            first = (slice(None), None, None, None)
            m, s = (m[first], s[first]) if bug == "per_picture" else (m[ends], s[ends])
        out = x / s if bug == "not_centred" else x - m if bug == "not_divided" else (x - m) / s
        return out, mean, std

    return standardise


_declare(
    standardise,
    _standardise_with,
    {
        "one_for_all_channels": (
            "One mean and one deviation for all channels together. Each channel has its own.",
            "x.mean(axis=(0, 2, 3)).",
        ),
        "per_pixel": (
            "Every pixel has a mean of its own. That is right for tables; a filter that visits all "
            "positions wants them on one scale.",
            "Average over the rows and columns too: axis=(0, 2, 3).",
        ),
        "per_picture": (
            "Every PICTURE has a mean of its own, so bright and dark pictures become alike.",
            "Average over the examples too: axis=(0, 2, 3).",
        ),
        "given_ignored": (
            "`mean` and `std` are computed anew although they are given: test pictures would be "
            "judged on a scale of their own.",
            "Compute them only if `mean is None`.",
        ),
        "variance": (
            "It is divided by the variance, not by its root.",
            "x.std(axis=(0, 2, 3)).",
        ),
        "n_minus_1": (
            "The deviation divides by the number of values minus 1.",
            "x.std without ddof.",
        ),
        "not_centred": (
            "The mean is not subtracted.",
            "(x - mean) / std.",
        ),
        "not_divided": (
            "The mean is subtracted, and nothing is divided by the deviation.",
            "(x - mean) / std.",
        ),
        "zero_deviation": (
            "A channel that is the same everywhere gives nan or inf: it is divided by 0.",
            "np.where(std == 0, 1, std).",
        ),
        "tiny_instead_of_1": (
            "A channel that is the same everywhere is divided by a tiny number. It looks fine on "
            "the training part; a later picture becomes huge.",
            "np.where(std == 0, 1, std).",
        ),
    },
)


# --- debug: a small CNN, six bugs planted ---------------------------------------------------------

DEBUG_STUB = '''def debug_cnn_gradients(x, y, W1, b1, W2, b2):
    """Loss and gradients of conv - ReLU - 2x2 max pool - affine - softmax. Six things are wrong.

    The convolution has stride 1 and no padding. The loss is the cross-entropy, averaged over N.

    Parameters
    ----------
    x : (N, C, H, W) array
    y : (N,) array of int
    W1, b1 : (F, C, HH, WW) and (F,) arrays; H - HH + 1 and W - WW + 1 are even
    W2, b2 : (D, M) and (M,) arrays

    Returns
    -------
    loss, dW1, db1, dW2, db2
    """
    N, C, H, W = x.shape
    F, C, HH, WW = W1.shape
    Ho, Wo = H - HH + 1, W - HH + 1
    z = np.zeros((N, F, Ho, Wo)) + b1[:, None, None]
    for i in range(HH):
        for j in range(WW):
            z += np.einsum("nchw,fc->nfhw", x[:, :, i : i + Ho, j : j + Wo], W1[:, :, i, j])
    a = np.maximum(z, 0)
    tiles = a.reshape(N, F, Ho // 2, 2, Wo // 2, 2)
    p = tiles.max(axis=(3, 5))  # (N, F, Ho/2, Wo/2)
    flat = p.reshape(-1, N).T  # (N, D)
    scores = flat @ W2 + b2

    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    dscores = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(dscores[np.arange(N), y]).mean()
    dscores[np.arange(N), y] -= 1

    dW2, db2 = flat.T @ dscores, dscores.sum(axis=0)
    dp = (dscores @ W2.T).reshape(p.shape)[:, :, :, None, :, None]
    da = (np.ones(tiles.shape) * dp).reshape(a.shape)
    dz = da * (da > 0)
    dW1, db1 = np.zeros(W1.shape), dz.sum(axis=0)
    for i in range(HH):
        for j in range(WW):
            dW1[:, :, i, j] = np.einsum("nfhw,nchw->fc", dz, x[:, :, i : i + Ho, j : j + Wo])
    return loss, dW1, db1, dW2, db2
'''


@chapter.exercise(
    points=4,
    returns="loss, dW1, db1, dW2, db2",
    difficulty=4,
    minutes=12,
    title="Debug: six bugs, peeled one at a time",
    stub=DEBUG_STUB,
    hints=(
        "Run it. The first bug stops it: for which kernels would the sizes be right? After that, "
        "let the gradient check in the next cell say which gradients agree with the loss.",
        "Order of search: is each row of `flat` ONE picture? Is the mean of the loss "
        "in dscores? "
        "Which of the four pixels of a pool window made the maximum? Which number decides whether "
        "a ReLU is open? How many biases are there?",
        "W - WW + 1; p.reshape(N, -1); dscores /= N; (tiles == p[:, :, :, None, :, None]) * dp; "
        "da * (z > 0); dz.sum(axis=(0, 2, 3)). The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="Which of the six would be gone with square kernels and one picture at a time?",
)
def debug_cnn_gradients(x, y, W1, b1, W2, b2):
    """Loss and gradients of conv - ReLU - 2x2 max pool - affine - softmax. Six things are wrong.

    The convolution has stride 1 and no padding. The loss is the cross-entropy, averaged over N.

    Parameters
    ----------
    x : (N, C, H, W) array
    y : (N,) array of int
    W1, b1 : (F, C, HH, WW) and (F,) arrays; H - HH + 1 and W - WW + 1 are even
    W2, b2 : (D, M) and (M,) arrays

    Returns
    -------
    loss, dW1, db1, dW2, db2
    """
    N, C, H, W = x.shape
    F, C, HH, WW = W1.shape
    Ho, Wo = H - HH + 1, W - WW + 1
    z = np.zeros((N, F, Ho, Wo)) + b1[:, None, None]
    for i in range(HH):
        for j in range(WW):
            z += np.einsum("nchw,fc->nfhw", x[:, :, i : i + Ho, j : j + Wo], W1[:, :, i, j])
    a = np.maximum(z, 0)
    tiles = a.reshape(N, F, Ho // 2, 2, Wo // 2, 2)
    p = tiles.max(axis=(3, 5))  # (N, F, Ho/2, Wo/2)
    flat = p.reshape(N, -1)  # (N, D)
    scores = flat @ W2 + b2

    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    dscores = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(dscores[np.arange(N), y]).mean()
    dscores[np.arange(N), y] -= 1
    dscores /= N

    dW2, db2 = flat.T @ dscores, dscores.sum(axis=0)
    dp = (dscores @ W2.T).reshape(p.shape)[:, :, :, None, :, None]
    da = ((tiles == p[:, :, :, None, :, None]) * dp).reshape(a.shape)
    dz = da * (z > 0)
    dW1, db1 = np.zeros(W1.shape), dz.sum(axis=(0, 2, 3))
    for i in range(HH):
        for j in range(WW):
            dW1[:, :, i, j] = np.einsum("nfhw,nchw->fc", dz, x[:, :, i : i + Ho, j : j + Wo])
    return loss, dW1, db1, dW2, db2


@chapter.cases(debug_cnn_gradients)
def debug_cnn_cases(rng):
    for n, c, h, w, f, hh, ww, m in [(3, 2, 5, 8, 4, 2, 3, 5), (4, 1, 3, 7, 3, 2, 4, 2)]:
        x = rng.standard_normal((n, c, h, w))
        W1, b1 = rng.normal(0, 0.5, (f, c, hh, ww)), rng.normal(0, 0.3, f)
        rows = f * ((h - hh + 1) // 2) * ((w - ww + 1) // 2)
        W2, b2 = rng.normal(0, 0.6, (rows, m)), rng.standard_normal(m)
        y = np.arange(n) % m
        label = f"{n} pictures of {h} x {w}, kernels of {hh} x {ww}"
        yield Case((x, y, W1, b1, W2, b2), label=label)


def planted_cnn(left):
    """The gradients with only the bugs in `left`: size, flat, mean, pool, relu, bias."""

    def gradients(x, y, W1, b1, W2, b2):
        (N, _, H, W), (F, _, HH, WW) = x.shape, W1.shape
        Ho, Wo = H - HH + 1, W - (HH if "size" in left else WW) + 1
        z = np.zeros((N, F, Ho, Wo)) + b1[:, None, None]
        for i in range(HH):
            for j in range(WW):
                z += np.einsum("nchw,fc->nfhw", x[:, :, i : i + Ho, j : j + Wo], W1[:, :, i, j])
        a = np.maximum(z, 0)
        tiles = a.reshape(N, F, Ho // 2, 2, Wo // 2, 2)
        p = tiles.max(axis=(3, 5))
        flat = p.reshape(-1, N).T if "flat" in left else p.reshape(N, -1)
        scores = flat @ W2 + b2
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        dscores = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(dscores[np.arange(N), y]).mean()
        dscores[np.arange(N), y] -= 1
        dscores = dscores if "mean" in left else dscores / N
        dp = (dscores @ W2.T).reshape(p.shape)[:, :, :, None, :, None]
        won = np.ones(tiles.shape) if "pool" in left else tiles == p[:, :, :, None, :, None]
        da = (won * dp).reshape(a.shape)
        dz = da * ((da if "relu" in left else z) > 0)
        dW1 = np.zeros(W1.shape)
        for i in range(HH):
            for j in range(WW):
                dW1[:, :, i, j] = np.einsum("nfhw,nchw->fc", dz, x[:, :, i : i + Ho, j : j + Wo])
        db1 = dz.sum(axis=0 if "bias" in left else (0, 2, 3))
        return loss, dW1, db1, flat.T @ dscores, dscores.sum(axis=0)

    return gradients


DEBUG_CLUES = {
    "flat": "the loss itself is off. It looks as if a row of `flat` holds pieces of several "
    "pictures: the right shape, from an order that mixes the examples",
    "mean": "the gradients are N times too large for the loss, which is a mean",
    "pool": "`W1` and `b1` are off: the gradient reaches all four pixels of a pool window, where "
    "only the one that was the maximum has moved the output",
    "relu": "`W1` and `b1` are off: the gate of the ReLU looks at the sign of the GRADIENT. It is "
    "open where its input z was above 0",
    "bias": "`db1` has a number for every position. A filter has one bias, so the sum goes over "
    "examples, rows and columns",
}
chapter.mistake(
    debug_cnn_gradients,
    "size_left",
    "It stops in the convolution: the width of the map looks as if it were computed with the "
    "HEIGHT of the kernel. Other bugs may wait behind this one.",
    "Wo = W - WW + 1.",
)(planted_cnn({"size", *DEBUG_CLUES}))
for _count in range(1, 6):
    for _left in combinations(DEBUG_CLUES, _count):
        _how_many = ("One bug is", "Two bugs are", "Three bugs are", "Four bugs are",
                     "It runs, and five bugs are")[_count - 1]  # fmt: skip
        chapter.mistake(
            debug_cnn_gradients,
            "_".join(_left) + "_left",
            f"{_how_many} left. {'This' if _count == 1 else 'One of them'}: "
            f"{DEBUG_CLUES[_left[0]]}.",
        )(planted_cnn(set(_left)))


# --- more: reading a picture between its pixels ---------------------------------------------------


@chapter.exercise(
    points=3,
    difficulty=4,
    minutes=15,
    optional=True,
    hints=(
        "Between four pixels the value is a mix of the four, in parts that depend on how near "
        "each one is. At a pixel it is that pixel.",
        "`top = np.floor(rows)`, `down = rows - top`: the pixel above has the part 1 - down, the "
        "one below has the part down. The same for left and right; the four parts are products.",
        "For each of the four neighbours (i, j): its part, times 1 if it lies inside and 0 if not, "
        "times `x[n, :, i, j]` with i and j clipped, where `n = np.arange(N)[:, None, None]`. That "
        "has shape (N, h, w, C); `np.moveaxis(out, -1, 1)`. The whole answer stands in "
        "`solutions/09_cnn`.",
    ),
    afterthought="What does repeated rotation by one degree do to the sharpness of a picture?",
)
def bilinear_sample(x, rows, columns):
    """Read pictures at places between the pixels.

    The value at (row, column) is the mix of the four pixels around it: a pixel at distances a and
    b (in rows and columns, below 1) has the part (1 - a) (1 - b). Pixels outside count as 0.

    Parameters
    ----------
    x : (N, C, H, W) array
    rows, columns : (N, h, w) arrays
        Where picture n is read; the middle of pixel [i, j] is at row i, column j.

    Returns
    -------
    out : (N, C, h, w) array
    """
    N, C, H, W = x.shape
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left  # 0 to 1
    n = np.arange(N)[:, None, None]
    out = np.zeros((*rows.shape, C))
    for i, part_i in ((top, 1 - down), (top + 1, down)):
        for j, part_j in ((left, 1 - right), (left + 1, right)):
            inside = (i >= 0) & (i < H) & (j >= 0) & (j < W)
            pixel = x[n, :, np.clip(i, 0, H - 1), np.clip(j, 0, W - 1)]  # (N, h, w, C)
            out += (part_i * part_j * inside)[..., None] * pixel
    return np.moveaxis(out, -1, 1)


@chapter.cases(bilinear_sample)
def bilinear_cases(rng):
    for shape, size, edge in [((2, 1, 4, 6), (3, 2), 0.0), ((3, 2, 5, 4), (4, 6), 1.6)]:
        N, _, H, W = shape
        rows = rng.uniform(-edge, H - 1 + edge, (N, *size))
        columns = rng.uniform(-edge, W - 1 + edge, (N, *size))
        where = "also outside the pictures" if edge else "inside the pictures"
        args = (rng.standard_normal(shape), rows, columns)
        yield Case(args, label=f"x has shape {shape}, {where}")


def _sample(x, rows, columns, bug=""):
    """`bilinear_sample`, with a bug."""
    (_, _, H, W), n = x.shape, np.arange(len(x))[:, None, None]
    if bug == "rows_and_columns":
        rows, columns = columns, rows
    if bug == "nearest":
        rows, columns = np.floor(rows + 0.5), np.floor(columns + 0.5)
    whole = np.trunc if bug == "truncated" else np.floor
    top, left = whole(rows).astype(int), whole(columns).astype(int)
    down, right = rows - top, columns - left
    if bug == "parts_exchanged":
        down, right = 1 - down, 1 - right
    if bug == "floor":
        down, right = 0 * down, 0 * right
    out = 0
    for i, part_i in ((top, 1 - down), (top + 1, down)):
        for j, part_j in ((left, 1 - right), (left + 1, right)):
            inside = (i >= 0) & (i < H) & (j >= 0) & (j < W) | (bug == "edge_repeated")
            i_in, j_in = np.clip(i, 0, H - 1), np.clip(j, 0, W - 1)
            if bug == "wraps":
                inside, i_in, j_in = inside | True, i % H, j % W
            out = out + (part_i * part_j * inside)[..., None] * x[n, :, i_in, j_in]
    return np.moveaxis(out, -1, 1)


_declare(
    bilinear_sample,
    lambda bug: lambda x, rows, columns: _sample(x, rows, columns, bug),
    {
        "edge_repeated": (
            "Inside the pictures all is right; outside, the outermost pixels are repeated where 0 "
            "is asked for.",
            "Multiply the part of a neighbour outside by 0.",
        ),
        "wraps": (
            "Outside, the picture begins again from the other side: negative indices, or `%`.",
            "Multiply the part of a neighbour outside by 0.",
        ),
        "rows_and_columns": (
            "Rows and columns are exchanged. The first index is the row, top to bottom.",
            "x[n, :, i, j] with i from `rows`.",
        ),
        "nearest": (
            "Each place gets the value of its nearest pixel, with no mixing.",
            "Mix the four pixels around the place.",
        ),
        "floor": (
            "Each place gets the pixel above and to the left of it, with no mixing.",
            "Mix the four pixels around the place.",
        ),
        "parts_exchanged": (
            "The parts are exchanged: the FARTHER pixel has the larger part.",
            "The upper pixel has the part 1 - down.",
        ),
        "truncated": (
            "Inside all is right; at negative places the neighbours are wrong: `int` cuts towards "
            "0, `floor` goes down.",
            "np.floor(rows).astype(int).",
        ),
    },
)


# --- more: rotation and scaling -------------------------------------------------------------------


@chapter.exercise(
    points=3,
    difficulty=4,
    minutes=15,
    optional=True,
    hints=(
        "Do not move the pixels. Ask for every pixel of the RESULT where in the original it comes "
        "from: the same place, turned back.",
        "Count from the middle: di = row - (H - 1) / 2 and dj = column - (W - 1) / 2. A result "
        "that is turned counterclockwise by t comes from column dj cos t - di sin t and row "
        "dj sin t + di cos t, counted from there too.",
        "`i, j = np.mgrid[:H, :W]`; t of shape (N, 1, 1), in radians; then `bilinear_sample(x, "
        "middle_i + dj * sin + di * cos, middle_j + dj * cos - di * sin)`. The whole answer stands "
        "in `solutions/09_cnn`.",
    ),
    afterthought="By how many degrees may a 6 be turned before it is a 9?",
)
def random_rotation(x, max_degrees, rng, degrees=None):
    """Turn each picture about its middle, by an angle of its own.

    The middle is at row (H - 1) / 2, column (W - 1) / 2. The size stays, values between the pixels
    come from `bilinear_sample`, so what was outside is 0.

    Parameters
    ----------
    x : (N, C, H, W) array
        It is left as it is.
    max_degrees : float
        Angles are uniform from -max_degrees to max_degrees.
    rng : numpy.random.Generator
    degrees : (N,) array, optional
        The angles, if they are not to be drawn. Positive is counterclockwise, as one sees it.

    Returns
    -------
    out : (N, C, H, W) array
    """
    N, C, H, W = x.shape
    if degrees is None:
        degrees = rng.uniform(-max_degrees, max_degrees, N)
    angle = np.deg2rad(degrees)[:, None, None]
    cos, sin = np.cos(angle), np.sin(angle)  # (N, 1, 1)
    i, j = np.mgrid[:H, :W]
    di, dj = i - (H - 1) / 2, j - (W - 1) / 2
    rows = (H - 1) / 2 + dj * sin + di * cos  # (N, H, W)
    columns = (W - 1) / 2 + dj * cos - di * sin
    return bilinear_sample(x, rows, columns)


def drive_range(augment, setting, measure, low, high, seed):
    """In words: does the change that is drawn fill the range from `low` to `high`?"""
    i, j = np.mgrid[:5, :5] - 2.0
    if measure in ("brightness", "contrast", "saturation"):
        signs = np.where((i + j) % 2 == 0, 0.1, -0.1)
        grey = 0.45 + (signs if measure == "contrast" else 0 * i)
        colour = np.array([0.1, 0.0, -0.1]) * (measure == "saturation")
        one = grey + colour[:, None, None]
    else:
        one = np.stack([i, j])  # two slopes: bilinear mixing keeps them exact
    x = np.stack([one] * 80)
    out = np.asarray(augment(x.copy(), setting, np.random.default_rng(seed)), dtype=float)
    if out.shape != x.shape:
        return "shape " + str(out.shape) + " instead of " + str(x.shape)
    if measure == "angle":
        slope = out[:, 1, 2, 3] - out[:, 1, 2, 2], out[:, 0, 2, 3] - out[:, 0, 2, 2]
        drawn = np.rad2deg(np.arctan2(slope[1], slope[0]))
    elif measure == "factor":
        drawn = 1 / (out[:, 1, 2, 3] - out[:, 1, 2, 2])
    elif measure == "brightness":
        drawn = out.mean(axis=(1, 2, 3)) / 0.45
    elif measure == "contrast":
        drawn = (out[:, 0, 2, 2] - out[:, 0, 2, 3]) / 0.2
    else:
        drawn = (out[:, 0, 2, 2] - out[:, 2, 2, 2]) / 0.2
    share = (drawn - low) / (high - low)
    if share.min() < -0.01 or share.max() > 1.01:
        return "the drawn changes go beyond the range"
    ends = [
        name for name, far in [("lower", share.min() > 0.2), ("upper", share.max() < 0.8)] if far
    ]
    return "the " + " and ".join(ends) + " end never comes" if ends else "the range is filled"


def _range(answer, key, *ranges):
    """A part: the drawn changes fill the range; `ranges` are (setting, measure, low, high)."""

    @chapter.property(answer, key, "The drawn changes do not fill the range that is asked for.")
    def drawn(rng):
        for setting, measure, low, high in ranges:
            args = (setting, measure, low, high, int(rng.integers(1000)))
            label = f"80 pictures, {measure} from {low:g} to {high:g}"
            yield Case(args, drive=drive_range, label=label)


@chapter.cases(random_rotation)
def rotation_cases(rng):
    for shape, degrees, label in [
        ((3, 2, 5, 5), [90.0, -90.0, 180.0], "quarter and half turns"),
        ((4, 1, 4, 7), [*rng.uniform(20, 70, 2), *rng.uniform(-70, -20, 2)], "H = 4, W = 7"),
    ]:
        args = (rng.uniform(0.2, 1, shape), 45.0, "degrees", np.array(degrees))
        yield Case(args, drive=drive_given, label=f"{label}, degrees = {np.round(degrees)}")


_range(random_rotation, "range", (30.0, "angle", -30.0, 30.0), (8.0, "angle", -8.0, 8.0))
_manners(random_rotation, 40.0, (2, 5, 6))


def _rotation_with(bug):
    def rotation(x, max_degrees, rng, degrees=None):
        rng, (N, _, H, W) = _source(bug, rng), x.shape
        if degrees is None:
            low = {"one_sided": 0}.get(bug, -max_degrees)
            degrees = rng.uniform(low, max_degrees, N)
            if bug == "normal":
                degrees = max_degrees * rng.standard_normal(N)
            if bug == "one_for_all":
                degrees = np.full(N, degrees[0])
        angle = degrees[:, None, None] if bug == "radians" else np.deg2rad(degrees)[:, None, None]
        cos, sin = np.cos(angle), np.sin(-angle if bug == "clockwise" else angle)
        i, j = np.mgrid[:H, :W]
        middle = {"corner": (0, 0), "half_a_pixel_off": (H / 2, W / 2)}.get(
            bug, ((H - 1) / 2, (W - 1) / 2)
        )
        if bug == "sides_exchanged":
            middle = middle[::-1]
        di, dj = i - middle[0], j - middle[1]
        rows, columns = middle[0] + dj * sin + di * cos, middle[1] + dj * cos - di * sin
        how = bug if bug in ("edge_repeated", "nearest", "wraps") else ""
        return _give(bug, x, _sample(x, rows, columns, how))

    return rotation


SAMPLED = {
    "edge_repeated": (
        "The corners hold repeated border pixels; what was outside is 0.",
        "`bilinear_sample` gives 0 outside.",
    ),
    "wraps": (
        "What leaves the picture comes in again on the other side.",
        "`bilinear_sample` gives 0 outside.",
    ),
    "nearest": (
        "Each pixel takes the value of the nearest one; `bilinear_sample` mixes four.",
        "Pass rows and columns to `bilinear_sample` without rounding them.",
    ),
}
_declare(
    random_rotation,
    _rotation_with,
    {
        **DRAWS,
        **SAMPLED,
        "clockwise": (
            "The pictures are turned the other way. Rows count downwards, so the usual formula of "
            "mathematics turns clockwise here.",
            "Exchange the signs of the two sines.",
        ),
        "radians": (
            "Degrees are taken for radians.",
            "np.deg2rad(degrees).",
        ),
        "corner": (
            "The pictures are turned about their upper left corner.",
            "Subtract the middle, turn, and add it again.",
        ),
        "half_a_pixel_off": (
            "The turn is about (H / 2, W / 2), half a pixel off: the rows are 0 to H - 1, so their "
            "middle is (H - 1) / 2.",
            "(H - 1) / 2 and (W - 1) / 2.",
        ),
        "sides_exchanged": (
            "The middle is computed with H and W exchanged: right for square pictures only.",
            "Rows go with H, columns with W.",
        ),
        "one_sided": (
            "Only turns to one side are drawn.",
            "rng.uniform(-max_degrees, max_degrees, N).",
        ),
        "normal": (
            "Some turns are larger than max_degrees: it looks like normal numbers.",
            "rng.uniform(-max_degrees, max_degrees, N).",
        ),
    },
)


@chapter.exercise(
    points=2,
    difficulty=3,
    minutes=8,
    optional=True,
    hints=(
        "As for the rotation: ask for every pixel of the result where it comes from. If things "
        "look twice as large, do places in the original lie farther apart, or closer together?",
        "The distance from the middle is divided by the factor.",
        "`rows = (H - 1) / 2 + (i - (H - 1) / 2) / factors[:, None, None]`, the same for the "
        "columns, then `bilinear_sample`. The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="What is lost for good when a picture is made smaller and larger again?",
)
def random_scaling(x, limits, rng, factors=None):
    """Make what each picture shows larger or smaller, about its middle; the size of x stays.

    The middle is at row (H - 1) / 2, column (W - 1) / 2. Values come from `bilinear_sample`, so
    what was outside is 0.

    Parameters
    ----------
    x : (N, C, H, W) array
        It is left as it is.
    limits : (low, high) tuple
        Factors are uniform from low to high; with 2 everything looks twice as large.
    rng : numpy.random.Generator
    factors : (N,) array, optional
        The factors, if they are not to be drawn.

    Returns
    -------
    out : (N, C, H, W) array
    """
    N, C, H, W = x.shape
    if factors is None:
        factors = rng.uniform(limits[0], limits[1], N)
    i, j = np.mgrid[:H, :W]
    rows = (H - 1) / 2 + (i - (H - 1) / 2) / factors[:, None, None]  # (N, H, W)
    columns = (W - 1) / 2 + (j - (W - 1) / 2) / factors[:, None, None]
    return bilinear_sample(x, rows, columns)


@chapter.cases(random_scaling)
def scaling_cases(rng):
    for shape in [(3, 2, 4, 7), (4, 1, 6, 5)]:
        factors = np.array([*rng.uniform(0.5, 0.9, shape[0] - 2), 1.3, 2.0])
        args = (rng.uniform(0.2, 1, shape), (0.5, 2.0), "factors", factors)
        yield Case(args, drive=drive_given, label=f"x has shape {shape}, factors are given")


_range(
    random_scaling,
    "range",
    ((0.8, 1.25), "factor", 0.8, 1.25),
    ((1.1, 1.9), "factor", 1.1, 1.9),
)
_manners(random_scaling, (0.7, 1.4), (2, 5, 6))


def _scaling_with(bug):
    def scaling(x, limits, rng, factors=None):
        rng, (N, _, H, W) = _source(bug, rng), x.shape
        if factors is None:
            low, high = limits
            ends = (1 - high / 2, 1 + high / 2) if bug == "strength" else limits
            factors = rng.uniform(*ends, N)
            if bug == "two_sizes":
                factors = rng.choice([low, low + 0.1 * (high - low)], N)
            if bug == "one_for_all":
                factors = np.full(N, factors[0])
        f = factors[:, None, None]
        f = 1 / f if bug == "inverse" else np.sqrt(f) if bug == "area" else f
        middle = {"corner": (0, 0), "half_a_pixel_off": (H / 2, W / 2)}.get(
            bug, ((H - 1) / 2, (W - 1) / 2)
        )
        i, j = np.mgrid[:H, :W]
        rows = middle[0] + (i - middle[0]) / f
        columns = middle[1] + (j - middle[1]) / (1 + 0 * f if bug == "rows_only" else f)
        how = bug if bug in SAMPLED else ""
        return _give(bug, x, _sample(x, rows, columns, how))

    return scaling


_declare(
    random_scaling,
    _scaling_with,
    {
        **DRAWS,
        **SAMPLED,
        "inverse": (
            "Larger and smaller are exchanged: with a factor of 2 things look half as large.",
            "Divide the distance from the middle by the factor.",
        ),
        "area": (
            "The AREA grows by the factor: its root is used for the sides.",
            "Divide the distance from the middle by the factor itself.",
        ),
        "corner": (
            "The pictures grow from their upper left corner.",
            "Subtract the middle, divide, and add it again.",
        ),
        "half_a_pixel_off": (
            "The middle is taken at (H / 2, W / 2), half a pixel off.",
            "(H - 1) / 2 and (W - 1) / 2.",
        ),
        "rows_only": (
            "Only the rows are scaled: the pictures are stretched.",
            "The same factor for rows and columns.",
        ),
        "strength": (
            "The factors do not lie between low and high.",
            "rng.uniform(limits[0], limits[1], N).",
        ),
        "two_sizes": (
            "The factors do not reach the upper end of the range.",
            "rng.uniform(limits[0], limits[1], N).",
        ),
    },
)


@chapter.exercise(
    points=2,
    difficulty=3,
    minutes=10,
    optional=True,
    hints=(
        "Both grids cover the same picture. Row i of the result has its middle at (i + 0.5) / h of "
        "the height: which row of the original is there?",
        "(i + 0.5) * H / h - 0.5, in rows of the original. For nearest: the floor of (i + 0.5) * H "
        "/ h. For bilinear, clip to 0 ... H - 1 so that the border does not turn dark.",
        "`rows = np.clip((np.arange(h) + 0.5) * H / h - 0.5, 0, H - 1)`; broadcast rows[:, None] "
        "and columns[None] to (N, h, w) and call `bilinear_sample`. The whole answer stands in "
        "`solutions/09_cnn`.",
    ),
    afterthought="From 28 x 28 to 7 x 7, bilinear looks at how many of the 784 pixels?",
)
def resize(x, size, kind="bilinear"):
    """Bring pictures to another size; the corners of both grids are the same.

    Row i of the result has its middle at row (i + 0.5) * H / h - 0.5 of the original.

    Parameters
    ----------
    x : (N, C, H, W) array
    size : (h, w) tuple
    kind : {"bilinear", "nearest"}
        Mix the four pixels around (places beyond the outermost pixels are moved onto them), or
        take the pixel in which the place lies.

    Returns
    -------
    out : (N, C, h, w) array
    """
    N, C, H, W = x.shape
    h, w = size
    rows = (np.arange(h) + 0.5) * H / h - 0.5
    columns = (np.arange(w) + 0.5) * W / w - 0.5
    if kind == "nearest":
        rows, columns = np.floor(rows + 0.5).astype(int), np.floor(columns + 0.5).astype(int)
        return x[:, :, rows[:, None], columns]
    rows, columns = np.clip(rows, 0, H - 1), np.clip(columns, 0, W - 1)
    rows = np.broadcast_to(rows[:, None], (N, h, w))
    return bilinear_sample(x, rows, np.broadcast_to(columns, (N, h, w)))


@chapter.cases(resize)
def resize_cases(rng):
    for shape, size, kind in [
        ((3, 2, 4, 6), (7, 9), "bilinear"),
        ((2, 1, 7, 9), (5, 4), "bilinear"),
        ((3, 1, 5, 7), (8, 4), "nearest"),
    ]:
        x = rng.uniform(0.2, 1, shape)
        yield Case((x, size), {"kind": kind}, label=f"x has shape {shape}, size = {size}, {kind}")


def _resize_with(bug):
    def resize(x, size, kind="bilinear"):
        N, _, H, W = x.shape
        h, w = size[::-1] if bug == "width_first" else size
        rows, columns = ((np.arange(k) + 0.5) * K / k - 0.5 for k, K in ((h, H), (w, W)))
        if bug == "corner":
            rows, columns = np.arange(h) * H / h, np.arange(w) * W / w
        if bug == "ends_on_ends":
            rows, columns = np.linspace(0, H - 1, h), np.linspace(0, W - 1, w)
        if kind == "nearest" and bug != "always_bilinear" or bug == "always_nearest":
            half = 0 if bug == "corner" else 0.5
            rows, columns = (np.floor(places + half).astype(int) for places in (rows, columns))
            return x[:, :, rows[:, None], columns]
        if bug != "dark_border":
            rows, columns = np.clip(rows, 0, H - 1), np.clip(columns, 0, W - 1)
        rows = np.broadcast_to(rows[:, None], (N, h, w))
        return _sample(x, rows, np.broadcast_to(columns, (N, h, w)))

    return resize


_declare(
    resize,
    _resize_with,
    {
        "corner": (
            "The places are i * H / h: the upper left corners of pixels, where their middles are "
            "asked for. The picture moves up to the left by a part of a pixel.",
            "(i + 0.5) * H / h - 0.5.",
        ),
        "ends_on_ends": (
            "The first and last pixels of both grids lie on each other (np.linspace(0, H - 1, h)). "
            "Here the CORNERS of the pictures do.",
            "(i + 0.5) * H / h - 0.5.",
        ),
        "dark_border": (
            "The border turns dark: it is mixed with zeros from outside.",
            "Clip the places to 0 ... H - 1 first.",
        ),
        "width_first": (
            "Height and width of `size` are exchanged. Many image libraries want (width, height); "
            "arrays have (height, width).",
            "h, w = size.",
        ),
        "always_bilinear": (
            "`kind` seems not to be used: pixels are mixed where the nearest one is asked for.",
            "With 'nearest', index x by the floor of (i + 0.5) * H / h.",
        ),
        "always_nearest": (
            "`kind` seems not to be used: no pixels are mixed.",
            "With 'bilinear', call `bilinear_sample`.",
        ),
    },
)


# --- more: colour and noise -----------------------------------------------------------------------


@chapter.exercise(
    points=3,
    difficulty=3,
    minutes=12,
    optional=True,
    hints=(
        "All three are the same idea: move away from something, by a factor. Brightness moves away "
        "from black, contrast from the mean grey, saturation from each pixel's own grey.",
        "grey = 0.299 R + 0.587 G + 0.114 B. Contrast: m + c * (x - m), one m for each picture; "
        "saturation: g + s * (x - g), one g for each pixel.",
        "`b, c, s = factors.T[:, :, None, None, None]`; `x = x * b`; `m = grey(x).mean(axis=(1, 2, "
        "3), keepdims=True)`, and so on; one `np.clip(x, 0, 1)` at the end. The whole answer "
        "stands in `solutions/09_cnn`.",
    ),
    afterthought="Would saturation before contrast give another picture? Work it out, or try.",
)
def color_jitter(x, strengths, rng, factors=None):
    """Change brightness, contrast and saturation of each picture, in this order.

    ``x * b``; then ``m + c * (x - m)`` with the picture's mean grey m; then ``g + s * (x - g)``
    with each pixel's grey g; at the very end everything is clipped to 0 ... 1. Grey is
    0.299 red + 0.587 green + 0.114 blue, of what the steps before have made.

    Parameters
    ----------
    x : (N, 3, H, W) array
        Red, green, blue, 0 to 1. It is left as it is.
    strengths : (3,) tuple
        The factors b, c and s are uniform from 1 - strength to 1 + strength.
    rng : numpy.random.Generator
    factors : (N, 3) array, optional
        b, c and s of each picture, if they are not to be drawn.

    Returns
    -------
    out : (N, 3, H, W) array
    """

    def grey(x):
        return np.einsum("nchw,c->nhw", x, [0.299, 0.587, 0.114])[:, None]  # (N, 1, H, W)

    if factors is None:
        strengths = np.asarray(strengths)
        factors = rng.uniform(1 - strengths, 1 + strengths, (len(x), 3))
    b, c, s = np.asarray(factors).T[:, :, None, None, None]  # each (N, 1, 1, 1)
    x = x * b
    mean = grey(x).mean(axis=(1, 2, 3), keepdims=True)
    x = mean + c * (x - mean)
    own = grey(x)
    return np.clip(own + s * (x - own), 0, 1)


@chapter.cases(color_jitter)
def jitter_cases(rng):
    for n, h, w, low, high, label in [
        (3, 4, 5, 0.35, 0.6, "nothing to clip"),
        (4, 5, 3, 0.0, 1.0, "with something to clip"),
    ]:
        most = 0.35 if high < 1 else 0.7
        factors = 1 + rng.choice([-1, 1], (n, 3)) * rng.uniform(0.1, most, (n, 3))
        args = (rng.uniform(low, high, (n, 3, h, w)), (0.5, 0.5, 0.5), "factors", factors)
        yield Case(args, drive=drive_given, label=f"{n} pictures of {h} x {w}, {label}")


_range(
    color_jitter,
    "range",
    ((0.4, 0.0, 0.0), "brightness", 0.6, 1.4),
    ((0.0, 0.5, 0.0), "contrast", 0.5, 1.5),
    ((0.0, 0.0, 0.3), "saturation", 0.7, 1.3),
)
_manners(color_jitter, (0.3, 0.3, 0.3), (3, 4, 5))


def _jitter_with(bug):
    def jitter(x, strengths, rng, factors=None):
        rng, original = _source(bug, rng), x
        parts = [1 / 3] * 3 if bug == "plain_grey" else [0.299, 0.587, 0.114]
        parts = parts[::-1] if bug == "blue_first" else parts

        def grey(x):
            return np.einsum("nchw,c->nhw", x, parts)[:, None]

        if factors is None:
            s = np.asarray(strengths)
            factors = rng.uniform(1 if bug == "only_stronger" else 1 - s, 1 + s, (len(x), 3))
            factors = factors[:1].repeat(len(x), axis=0) if bug == "one_for_all" else factors
        b, c, s = np.asarray(factors).T[:, :, None, None, None]

        def contrast(x):
            mean = grey(x).mean(axis=(1, 2, 3), keepdims=True)
            mean = {
                "contrast_about_half": 0.5,
                "contrast_by_channel": x.mean((2, 3), keepdims=True),
                "contrast_by_batch": grey(x).mean(),
            }.get(bug, mean)
            return mean + c * (x - mean)

        def saturation(x):
            return grey(x) + s * (x - grey(x))

        x = x + (b - 1) if bug == "brightness_added" else x * b
        for step in (contrast, saturation):
            x = step(np.clip(x, 0, 1) if bug == "clipped_each_step" else x)
        return _give(bug, original, x if bug == "not_clipped" else np.clip(x, 0, 1))

    return jitter


_declare(
    color_jitter,
    _jitter_with,
    {
        **DRAWS,
        "not_clipped": (
            "Some numbers lie outside 0 ... 1: the result is not clipped.",
            "np.clip(x, 0, 1) at the end.",
        ),
        "clipped_each_step": (
            "It looks as if every step is clipped. Here the clip comes once, at the end.",
            "One np.clip, after the saturation.",
        ),
        "brightness_added": (
            "The brightness is added, b - 1; here it is multiplied.",
            "x * b.",
        ),
        "contrast_about_half": (
            "The contrast turns about 0.5, not about the mean grey of the picture.",
            "m = mean of grey over the picture.",
        ),
        "contrast_by_channel": (
            "The contrast turns about the mean of each channel: that changes the colours too.",
            "One mean grey for each picture.",
        ),
        "contrast_by_batch": (
            "The contrast turns about the mean grey of the whole BATCH: a picture depends on its "
            "neighbours.",
            "Average over axes 1, 2, 3, with keepdims.",
        ),
        "plain_grey": (
            "Grey is the plain mean of red, green and blue. The eye sees green as brightest: "
            "0.299, 0.587, 0.114.",
            "0.299 R + 0.587 G + 0.114 B.",
        ),
        "blue_first": (
            "The weights of red and blue are exchanged, as if the picture came from a library that "
            "stores blue first.",
            "0.299 for red, 0.114 for blue.",
        ),
        "only_stronger": (
            "The factors are all above 1.",
            "rng.uniform(1 - strength, 1 + strength).",
        ),
    },
)


@chapter.exercise(
    points=2,
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "Gaussian: add a number to every entry. Salt and pepper: most entries stay, a few become 0 "
        "or 1.",
        "`rng.normal(0, amount, x.shape)`; and for the other kind `rng.random(x.shape) < amount` "
        "says which entries are hit, a second draw says whether they become 0 or 1.",
        "`np.clip(x + rng.normal(0, amount, x.shape), 0, 1)`; `np.where(hit, rng.integers(0, 2, "
        "x.shape), x)`. The whole answer stands in `solutions/09_cnn`.",
    ),
    afterthought="Which of the two kinds changes the mean of a white picture more?",
)
def add_noise(x, amount, rng, kind="gaussian"):
    """Add noise to pictures; every entry of the array draws its own.

    Parameters
    ----------
    x : (N, C, H, W) array
        0 to 1. It is left as it is.
    amount : float
        Gaussian: the standard deviation. Salt and pepper: the share of entries that are replaced.
    rng : numpy.random.Generator
    kind : {"gaussian", "salt_and_pepper"}
        Add normal numbers with mean 0 and clip to 0 ... 1; or replace entries by 0 or 1, with
        equal chance.

    Returns
    -------
    out : (N, C, H, W) array
    """
    if kind == "gaussian":
        return np.clip(x + rng.normal(0, amount, x.shape), 0, 1)
    hit = rng.random(x.shape) < amount
    return np.where(hit, rng.integers(0, 2, x.shape), x)


@chapter.cases(add_noise)
def noise_cases(rng):
    for kind in ("gaussian", "salt_and_pepper"):
        args = (rng.uniform(0, 1, (3, 2, 4, 5)), 0.0, "kind", kind)
        yield Case(args, drive=drive_given, label=f"amount = 0, {kind}")


def drive_noise(add_noise, shape, amount, kind, seed):
    """In words: what the noise looks like on an even grey."""
    x = np.full(shape, 0.5)
    d = np.asarray(add_noise(x.copy(), amount, np.random.default_rng(seed), kind=kind)) - 0.5
    if d.shape != shape:
        return "shape " + str(d.shape) + " instead of " + str(shape)
    if not d.any():
        return "no noise"
    if (d == d[:, :1, :1, :1]).all():
        return "one number for each picture"
    for axis, name in [(0, "pictures"), (1, "channels"), (2, "rows"), (3, "columns")]:
        if (d == d.take([0], axis=axis)).all():
            return "the same noise in all " + name
    if kind == "salt_and_pepper":
        if not np.isin(d, [-0.5, 0.0, 0.5]).all():
            return "other numbers than 0, 1 and those of the picture"
        salt, pepper = (d > 0).mean(), (d < 0).mean()
        if min(salt, pepper) < 0.3 * max(salt, pepper):
            return "more salt than pepper" if salt > pepper else "more pepper than salt"
        share = (salt + pepper) / amount
        return "too few" if share < 0.8 else "too many" if share > 1.2 else "as asked for"
    deviation = d.std()
    if abs(d.mean()) > 0.2 * deviation:
        return "the noise has a mean"
    if abs(deviation / amount - 1) > 0.1:
        return "too weak" if deviation < amount else "too strong"
    return "as asked for" if abs((d**4).mean() / deviation**4 - 3) < 0.5 else "not a normal bell"


@chapter.property(
    add_noise, "statistics", "The noise does not have the amount or the form that is asked for."
)
def noise_statistics(rng):
    for amount, kind in [(0.08, "gaussian"), (0.2, "salt_and_pepper"), (0.03, "gaussian")]:
        args = ((40, 3, 8, 11), amount, kind, int(rng.integers(1000)))
        yield Case(args, drive=drive_noise, label=f"{kind}, amount = {amount}")


def drive_noise_limits(add_noise, x, seed):
    """Do strong noise and bright pictures stay within 0 and 1?"""
    out = np.asarray(add_noise(x.copy(), 0.4, np.random.default_rng(seed)))
    return bool(out.min() >= 0 and out.max() <= 1)


@chapter.property(
    add_noise, "limits", "Some numbers lie outside 0 ... 1: gaussian noise has to be clipped."
)
def noise_limits(rng):
    x = rng.uniform(0, 1, (4, 2, 5, 6))
    yield Case((x, int(rng.integers(1000))), drive=drive_noise_limits, label="amount = 0.4")


_manners(add_noise, 0.1, (2, 4, 5))


def _noise_with(bug):
    def noise(x, amount, rng, kind="gaussian"):
        rng = _source(bug, rng)
        shape = (1, *x.shape[1:]) if bug == "one_for_all" else x.shape
        shape = (len(x), 1, 1, 1) if bug == "one_number" else shape
        shape = (len(x), 1, *x.shape[2:]) if bug == "same_in_channels" else shape
        if kind == "gaussian" or bug == "kind_ignored":
            scale = np.sqrt(amount) if bug == "variance" else amount
            drawn = rng.normal(0, scale, shape)
            if bug == "uniform":
                drawn = rng.uniform(-amount, amount, shape)
            if bug == "positive":
                drawn = amount * rng.random(shape)
            out = x + drawn
            return _give(bug, x, out if bug == "not_clipped" else np.clip(out, 0, 1))
        hit = rng.random(shape) < (2 * amount if bug == "each_with_amount" else amount)
        colour = rng.integers(0, 1 if bug == "only_pepper" else 2, shape)
        return _give(bug, x, np.where(hit, colour, x))

    return noise


_declare(
    add_noise,
    _noise_with,
    {
        **DRAWS,
        "not_clipped": (
            "Some numbers lie outside 0 ... 1: the gaussian noise is not clipped.",
            "np.clip(..., 0, 1).",
        ),
        "variance": (
            "The noise is too strong: it looks as if `amount` is taken for the variance.",
            "rng.normal takes the standard deviation.",
        ),
        "uniform": (
            "The noise is too weak, as if it were uniform from -amount to amount.",
            "rng.normal(0, amount, x.shape).",
        ),
        "positive": (
            "The noise only brightens: `rng.random` gives 0 to 1.",
            "rng.normal(0, amount, x.shape).",
        ),
        "one_number": (
            "One number for each picture: that changes its brightness and is no noise.",
            "Draw an array of the shape of x.",
        ),
        "same_in_channels": (
            "All channels get the same noise; every entry draws its own.",
            "Draw an array of the shape of x.",
        ),
        "only_pepper": (
            "The replaced entries are all 0: `rng.integers(0, 1)` stops before 1.",
            "rng.integers(0, 2, x.shape).",
        ),
        "each_with_amount": (
            "Twice as many entries are replaced as asked for: `amount` is the share of both "
            "together.",
            "rng.random(x.shape) < amount, then 0 or 1.",
        ),
        "kind_ignored": (
            "`kind` seems not to be used: the noise is always gaussian.",
            "With 'salt_and_pepper', replace entries by 0 or 1.",
        ),
    },
)


# --- quiz -----------------------------------------------------------------------------------------

chapter.quiz(
    "cnn_q1",
    "What is a convolutional network, in one sentence?",
    choices={
        "a": "a net whose layers are fully connected and whose inputs are pictures",
        "b": "a net with layers of small filters, each used at every place of its input, so that "
        "neighbourhood counts and weights are shared",
        "c": "a net that turns a picture into its Fourier transform",
        "d": "any net with more than three layers",
    },
    answer="b",
    wrong={
        "a": "A fully connected net works as well with shuffled pixels: it knows no neighbours.",
        "c": "A convolution can be computed so; what is learned are the filters.",
        "d": "The number of layers is depth. It says nothing of convolution.",
    },
    explanation="Sharing and locality are the two ideas. They suit pictures, sound and other "
    "grids; for a table whose columns have no order they are the wrong ideas.",
)
chapter.quiz(
    "cnn_q2",
    "Which of these is NOT a segmentation: a class for every pixel?",
    choices={
        "a": "marking which pixels of a scan belong to a tumour",
        "b": "road, car, sky, for each pixel of a photograph",
        "c": "cutting a person out of the background",
        "d": "finding edges",
    },
    answer="d",
    wrong={
        "a": "Each pixel gets a class, tumour or not: that is segmentation.",
        "b": "Three classes, one for each pixel: segmentation.",
        "c": "Two classes, person and background: segmentation.",
    },
    explanation="Edges are places where the brightness changes; two of them may not even close a "
    "region. CNNs serve for classification, detection (boxes), segmentation, faces, video, "
    "denoising: all these need other outputs behind the same kind of layers.",
)
chapter.quiz(
    "cnn_q3",
    "Maps of shape (64, 5, 5) reach a fully connected layer of 128 units. How many parameters does "
    "it have? Answer with a number.",
    answer=204928,
    wrong={
        204800: "Those are the weights; each unit has a bias too.",
        8320: "That is one weight for each of the 64 MAPS. The layer has one for every number in "
        "them: 1600.",
        1600: "That is the length of the flattened input.",
        73856: "That would be a conv layer of 128 filters of 3 x 3 on 64 maps.",
    },
    explanation="1600 * 128 + 128: nine tenths of the 28 x 28 net of this chapter. The maps are "
    "laid flat, and every unit weighs all of them together: what was local is brought into one "
    "verdict.",
)
chapter.quiz(
    "cnn_q4",
    "What is the multilayer perceptron at the end of a CNN for?",
    choices={
        "a": "it turns the features that the convolutions have found into scores for the classes",
        "b": "it looks for edges",
        "c": "it makes the net independent of the size of the pictures",
        "d": "it computes the gradient",
    },
    answer="a",
    wrong={
        "b": "The filters of the first layer do that, at every place.",
        "c": "On the contrary: its weight matrix fits one size only.",
        "d": "Backpropagation goes through all layers; none computes the gradient for the others.",
    },
    explanation="Convolutions say what is where; the perceptron combines it. Averaging each map "
    "over all its places (global average pooling) can replace the flattening and takes any size.",
)
chapter.quiz(
    "cnn_q5",
    "A text says of the last layer: 'no activation, used to output the probabilities of the "
    "classes'. What comes out of such a layer?",
    choices={
        "a": "probabilities, since training makes them so",
        "b": "numbers between 0 and 1 that need not sum to 1",
        "c": "logits: any numbers; a softmax, or a loss that contains it, has to follow",
        "d": "one-hot vectors",
    },
    answer="c",
    wrong={
        "a": "Nothing in an affine layer keeps its outputs between 0 and 1.",
        "b": "That would be a sigmoid's outputs.",
        "d": "Those are what labels look like.",
    },
    explanation="In the lesson the rows of such outputs sum to anything. And the other half of the "
    "trap: a loss that applies a softmax itself must be given logits, not probabilities.",
)
chapter.quiz(
    "cnn_q6",
    "Between conv and pool of a net (picture 28 x 28, 32 filters of 3 x 3, no padding, then an "
    "affine layer of 10) the 2 x 2 pool is taken away. How does the number of parameters change?",
    choices={
        "a": "it falls: the parameters of the pool are gone",
        "b": "the pool has none, but the affine layer behind it grows to four times its weights",
        "c": "not at all: pools have no parameters",
        "d": "the conv layer grows to four times its weights",
    },
    answer="b",
    wrong={
        "a": "A maximum has nothing to learn.",
        "c": "True of the pool, not of the net: what follows sees 26 x 26 places, not 13 x 13.",
        "d": "Filters are as large as before: their number of weights does not know the picture.",
    },
    explanation="'Pooling reduces the number of parameters' is half a truth: only a layer that is "
    "connected to every place shrinks. In a net of convolutions alone, pooling saves none.",
)
chapter.quiz(
    "cnn_q7",
    "Which change of a training picture of a handwritten 6 keeps its label?",
    choices={
        "a": "a turn by 180 degrees",
        "b": "a flip from left to right",
        "c": "a cut to its upper half",
        "d": "a shift by one pixel",
    },
    answer="d",
    wrong={
        "a": "That makes a 9.",
        "b": "Nobody writes such a 6; it may look like a strange 2 or 5, or like nothing.",
        "c": "The bow is gone.",
    },
    explanation="Crops, flips, turns, scaling, colour and noise: each keeps the label for some "
    "tasks and not for others. The change must be one that could happen and that does not matter.",
)
chapter.quiz(
    "cnn_q8",
    "A team augments all pictures tenfold, shuffles them, and then splits them into training and "
    "test. What does the test score say?",
    choices={
        "a": "it is too good: altered copies of test pictures are in training",
        "b": "it is too bad: test pictures are harder",
        "c": "it is fair, since the split is random",
        "d": "it is fair, and ten times as exact",
    },
    answer="a",
    wrong={
        "b": "Harder or not, the net has seen their siblings.",
        "c": "Random over copies is not random over originals.",
        "d": "Ten copies of one picture are not ten independent pictures.",
    },
    explanation="Split first, then augment the training part alone. The lesson measures how much "
    "the wrong order flatters.",
)
chapter.quiz(
    "cnn_q9",
    "Which of these does NOT prevent overfitting?",
    choices={
        "a": "data augmentation",
        "b": "a penalty on the weights",
        "c": "cross-validation",
        "d": "early stopping",
    },
    answer="c",
    wrong={
        "a": "More variety is harder to learn by heart.",
        "b": "It holds the function back (chapter 13).",
        "d": "It ends training before the details are learned (chapter 13).",
    },
    explanation="Cross-validation MEASURES how well a model generalises, and so helps to choose. "
    "The trained net is the same with and without it. More data, augmentation, a smaller net, "
    "penalties, dropout and early stopping act on the training itself.",
)
chapter.quiz(
    "cnn_q10",
    "A picture from an image library has shape (480, 640, 3) and dtype uint8. A net wants "
    "(1, 3, 480, 640), 0 to 1. Which line is right?",
    choices={
        "a": "x.reshape(1, 3, 480, 640) / 255",
        "b": "x.transpose(2, 0, 1)[None] / 255",
        "c": "x.T[None] / 255",
        "d": "(x / 255).astype(np.uint8).transpose(2, 0, 1)[None]",
    },
    answer="b",
    wrong={
        "a": "The shape is right, and the numbers lie in the wrong places: reshape keeps the order "
        "in memory, so each 'channel' is a third of the picture with its colours interleaved.",
        "c": "T reverses all axes: (3, 640, 480), the picture lies on its side.",
        "d": "uint8 holds whole numbers: nearly all pixels become 0.",
    },
    explanation="Axes are moved with transpose. Two more traps: OpenCV reads blue, green, red, PIL "
    "red, green, blue; and uint8 wraps around, so 200 + 100 is 44.",
)
chapter.quiz(
    "cnn_q11",
    "Test pictures are standardised with their own mean and deviation, not with those of training. "
    "What is wrong with that?",
    choices={
        "a": "nothing, as long as the mean is 0 afterwards",
        "b": "the labels change",
        "c": "the same picture gets other numbers depending on which pictures come with it, and a "
        "single one cannot be judged at all in the same way",
        "d": "it is too slow",
    },
    answer="c",
    wrong={
        "a": "The net was trained on ONE scale. A batch of dark pictures would be brightened.",
        "b": "Labels are not touched.",
        "d": "It costs the same.",
    },
    explanation="Scale, like weights, is part of the trained model: fitted on training, then kept. "
    "Resizing and the order of channels are part of it in the same way.",
)
chapter.quiz(
    "cnn_q12",
    "`model.compile(optimizer='adam', loss='sparse_categorical_crossentropy')`, then "
    "`model.fit(...)`, in a framework. What does `compile` do to the weights?",
    choices={
        "a": "it trains them for one epoch",
        "b": "it sets them to 0",
        "c": "it checks them against the data",
        "d": "nothing: it notes the rule and the loss that `fit` will use",
    },
    answer="d",
    wrong={
        "a": "Training is `fit`.",
        "b": "All weights 0 would be a dead start.",
        "c": "`compile` has not seen any data.",
    },
    explanation="Frameworks give names to the same steps: a model holds layers, `compile` notes "
    "optimiser and loss, `fit` is the Solver's loop, `evaluate` measures, `predict` is a forward "
    "pass. The lesson builds all four verbs on one page.",
)
