"""Chapter 01, neurons and forward propagation. So far: the fully connected layer."""

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("01_neurons", "Neurons and forward propagation")


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=1,
    minutes=8,
    common_cache=True,
    hints=(
        "An example may have any shape. Flatten each to one row first: `(N, d1, ..., dk)` "
        "becomes `(N, D)`.",
        "`x.reshape(len(x), -1)` keeps the first axis and joins the others. One matrix product "
        "with `w` then gives `(N, M)`; `b` is added to every row.",
        "`out = x.reshape(len(x), -1) @ w + b`, and the cache is `(x, w, b)`. The whole answer "
        "stands in `solutions/02_backprop`.",
    ),
    afterthought="Why does the cache keep `x` in its first shape?",
)
def affine_forward(x, w, b):
    """Output of a fully connected layer, out = x w + b.

    Parameters
    ----------
    x : (N, d1, ..., dk) array
        A batch of N examples. Each is flattened to D = d1 * ... * dk numbers.
    w : (D, M) array
    b : (M,) array

    Returns
    -------
    out : (N, M) array
    cache : tuple
        Whatever `affine_backward` needs.
    """
    out = x.reshape(len(x), -1) @ w + b  # (N, d1, ..., dk) -> (N, D) -> (N, M)
    return out, (x, w, b)


@chapter.cases(affine_forward)
def affine_cases(rng):
    for *shape, outputs in [(3, 5, 4), (5, 7, 3), (4, 2, 3, 5), (7, 2, 2, 2, 3), (6, 1, 4)]:
        features = int(np.prod(shape[1:]))
        x = rng.standard_normal(shape)
        w = rng.standard_normal((features, outputs))
        b = rng.standard_normal(outputs)
        yield Case((x, w, b), label=f"N = {shape[0]}, D = {features}, M = {outputs}")


@chapter.mistake(
    affine_forward,
    "bias_missing",
    "`out` equals the matrix product alone: it looks as if `b` is never added.",
    "Add `b`; broadcasting adds it to every row.",
)
def affine_forward_bias_missing(x, w, b):
    return x.reshape(len(x), -1) @ w, (x, w, b)


@chapter.mistake(
    affine_forward,
    "not_flattened",
    "The matrix product does not fit: it looks as if `x` is used in its first shape.",
    "Flatten each example to one row of D numbers before the product.",
)
def affine_forward_not_flattened(x, w, b):
    return x @ w + b, (x, w, b)


@chapter.mistake(
    affine_forward,
    "bias_per_row",
    "The bias does not fit: it looks as if it is turned into a column, one number per example. "
    "`b` holds one number per output, shared by all examples.",
    "Add `b` as it is, with shape `(M,)`.",
)
def affine_forward_bias_per_row(x, w, b):
    return x.reshape(len(x), -1) @ w + b[:, None], (x, w, b)


@chapter.mistake(
    affine_forward,
    "batch_mixed",
    "Rows of `out` hold numbers from several examples: it looks as if the flattening starts from "
    "the last axis instead of keeping the first.",
    "`x.reshape(len(x), -1)` keeps the examples apart.",
)
def affine_forward_batch_mixed(x, w, b):
    return x.reshape(-1, len(x)).T @ w + b, (x, w, b)
