"""Chapter 06, initialisation and the flow of gradients: where weights start, and what arrives."""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("06_initialisation", "Initialisation and the flow of gradients")


# --- what every initialiser must keep ------------------------------------------------------------
#
# The values are the learner's own draw, so only statistics of large draws are judged.
# False alarms, for 170 x 530 = 90,100 independent entries (SD: standard deviation):
#   mean      |mean| <= 7 standard errors: chance 2.6e-12 for each draw.
#   variance  is compared with that of another draw, to 5 %. The relative SD of a sample variance is
#             sqrt((kurtosis - 1) / n): 0.47 % for normal and 0.30 % for uniform draws; the
#             difference of two has 0.67 % (0.42 %). 5 % are 7.5 SD: chance 7e-14 (far less).
#   shape     normal: kurtosis between 2.2 and 4. Its SD is sqrt(24 / n) = 0.016, so the ends are
#             49 SD away; a uniform draw has 1.8, a normal one cut at 2 SD 2.37 (accepted).
#             uniform: max |w| / SD within 1 % of sqrt(3). The largest of n entries stays 1 %
#             short of the end with chance 0.99^n < 1e-300; the SD is right to 1 % unless it is
#             off by 6.7 of its own SD (0.15 %): chance 2e-11.
#   rng       equal or not equal: two different draws of float numbers do not coincide.
# Together below 1e-10 for a whole check.

FANS = [(170, 530), (530, 170)]


def drive_shape(initialise, fan_in, fan_out):
    """The shape of one draw."""
    w = initialise(fan_in, fan_out, np.random.default_rng(11))
    return None if w is None else np.shape(w)


def drive_mean(initialise, fan_in, fan_out, seed):
    """The mean of a large draw, in standard errors."""
    w = initialise(fan_in, fan_out, np.random.default_rng(seed))
    if w is None:
        return None
    w = np.asarray(w, dtype=float)
    return float(w.mean() / max(w.std() / np.sqrt(w.size), 1e-300))


def drive_variance(initialise, fan_in, fan_out, seed):
    """The variance of a large draw."""
    w = initialise(fan_in, fan_out, np.random.default_rng(seed))
    return None if w is None else {"variance": float(np.asarray(w, dtype=float).var())}


def drive_kurtosis(initialise, fan_in, fan_out, seed):
    """How heavy the tails of a large draw are: 3 for normal numbers, 1.8 for uniform ones."""
    w = initialise(fan_in, fan_out, np.random.default_rng(seed))
    if w is None:
        return None
    w = np.asarray(w, dtype=float) - np.mean(w)
    return float((w**4).mean() / max((w**2).mean() ** 2, 1e-300))


def drive_reach(initialise, fan_in, fan_out, seed):
    """How far from 0 the largest entry of a large draw lies, in standard deviations."""
    w = initialise(fan_in, fan_out, np.random.default_rng(seed))
    if w is None:
        return None
    w = np.asarray(w, dtype=float)
    return float(np.abs(w).max() / max(w.std(), 1e-300))


def drive_rng(initialise, seed):
    """What becomes of the draw when the generator is another one, the same one, or used twice."""
    first = initialise(5, 7, np.random.default_rng(seed))
    if first is None:
        return None
    again = initialise(5, 7, np.random.default_rng(seed))
    other = initialise(5, 7, np.random.default_rng(seed + 1))
    rng = np.random.default_rng(seed)
    one, two = initialise(5, 7, rng), initialise(5, 7, rng)
    return {
        "same seed, same weights": bool(np.array_equal(first, again)),
        "other seed, same weights": bool(np.array_equal(first, other)),
        "second draw, same weights": bool(np.array_equal(one, two)),
        "all entries differ": bool(np.unique(np.asarray(first)).size == np.size(first)),
    }


def shape_cases(rng):
    for fan_in, fan_out in [(3, 5), (7, 2), (1, 4)]:
        label = f"fan_in = {fan_in}, fan_out = {fan_out}"
        yield Case((fan_in, fan_out), drive=drive_shape, label=label)


def large_draws(driver):
    def cases(rng):
        for fan_in, fan_out in FANS:
            label = f"fan_in = {fan_in}, fan_out = {fan_out}"
            yield Case((fan_in, fan_out, int(rng.integers(10**6))), drive=driver, label=label)

    return cases


def rng_cases(rng):
    yield Case((int(rng.integers(10**6)),), drive=drive_rng, label="fan_in = 5, fan_out = 7")


def centred(z, fan_in, fan_out, seed):
    return abs(z) <= 7


def looks_normal(kurtosis, fan_in, fan_out, seed):
    return 2.2 < kurtosis < 4


def looks_uniform(reach, fan_in, fan_out, seed):
    return abs(reach / np.sqrt(3) - 1) < 0.01


def initialiser(answer, variance, normal):
    """Hang cases and properties on an initialiser."""
    chapter.cases(answer)(shape_cases)
    chapter.property(
        answer, "mean", "The mean of a large draw is too far from 0: the weights lean to one side.",
        accept=centred,
    )(large_draws(drive_mean))  # fmt: skip
    chapter.property(
        answer, "variance", f"The variance of a large draw is not {variance}."
    )(large_draws(drive_variance))  # fmt: skip
    if normal:
        message = "The entries are not spread like normal (Gaussian) numbers."
        chapter.property(answer, "normal", message, accept=looks_normal)(
            large_draws(drive_kurtosis)
        )
    else:
        message = (
            "The entries are not spread evenly between -a and a: the largest one lies too far from "
            "0, or not far enough, for uniform numbers of this deviation."
        )
        chapter.property(answer, "uniform", message, accept=looks_uniform)(
            large_draws(drive_reach)
        )
    chapter.property(
        answer,
        "rng",
        "The draw does not come from `rng` alone. The same generator must give the same weights, "
        "another one other weights, a second call new ones, and every entry is a draw of its own.",
    )(rng_cases)


def common_mistakes(answer, draw, make):
    """The mistakes that all four share. `draw(rng, size)`: right numbers for fans (170, 530)-like
    sizes; `make(fan_in, fan_out, rng)`: the answer."""
    chapter.mistake(
        answer,
        "transposed",
        "The numbers are fine, the shape is (fan_out, fan_in). Weights are (in, out) here, so that "
        "`x @ w` works.",
        "The shape is `(fan_in, fan_out)`.",
    )(lambda fan_in, fan_out, rng: make(fan_in, fan_out, rng).T)
    chapter.mistake(
        answer,
        "own_generator",
        "The draw does not depend on `rng`: two generators with the same seed give two different "
        "results. It looks like `np.random...` or a generator made inside the function.",
        "Draw with `rng`: `rng.normal`, `rng.standard_normal` or `rng.uniform`.",
    )(lambda fan_in, fan_out, rng: make(fan_in, fan_out, np.random.default_rng()))
    chapter.mistake(
        answer,
        "seeded_inside",
        "The weights are the same in every call, whatever generator is given: a seed seems to be "
        "set inside the function. Two layers of one size would then start as twins.",
        "Draw with the `rng` that is given, and set no seed.",
    )(lambda fan_in, fan_out, rng: make(fan_in, fan_out, np.random.default_rng(0)))
    chapter.mistake(
        answer,
        "all_zero",
        "All weights are 0. Then all units of a layer compute the same, get the same gradient, and "
        "stay alike: symmetry is never broken.",
        "Draw random numbers.",
    )(lambda fan_in, fan_out, rng: np.zeros((fan_in, fan_out)))
    chapter.mistake(
        answer,
        "old_interface",
        "`rng` is a Generator, NumPy's newer interface. It has no `randn` and no `rand`.",
        "`rng.standard_normal((a, b))` and `rng.uniform(low, high, (a, b))`.",
    )(lambda fan_in, fan_out, rng: rng.randn(fan_in, fan_out))


def scaled(deviation):
    """A normal draw with the deviation that a formula of the fans gives."""
    return lambda fan_in, fan_out, rng: rng.normal(
        0, deviation(fan_in, fan_out), (fan_in, fan_out)
    )


def spread(limit):
    """A uniform draw from -limit to limit."""
    return lambda fan_in, fan_out, rng: rng.uniform(
        -limit(fan_in, fan_out), limit(fan_in, fan_out), (fan_in, fan_out)
    )


def one_sided(limit):
    return lambda fan_in, fan_out, rng: rng.uniform(0, limit(fan_in, fan_out), (fan_in, fan_out))


# --- He, normal ----------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="shape",
    difficulty=1,
    minutes=8,
    rtol=0.05,
    hints=(
        "The variance is 2 / fan_in. `rng.normal` asks for something else: the standard deviation.",
        "The deviation is the square root of the variance. The shape is (fan_in, fan_out).",
        "`rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))`. The whole answer stands in "
        "`solutions/06_initialisation`.",
    ),
    afterthought="Where does the 2 come from? Which share of its input does ReLU let through?",
)
def he_normal(fan_in, fan_out, rng):
    """He's start for layers before a ReLU: normal numbers, mean 0, variance 2 / fan_in.

    Parameters
    ----------
    fan_in : int
        Inputs of each unit.
    fan_out : int
        Units of the layer.
    rng : numpy.random.Generator
        Every random number comes from it.

    Returns
    -------
    w : (fan_in, fan_out) array
    """
    return rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))


initialiser(he_normal, "2 / fan_in", normal=True)
common_mistakes(he_normal, None, he_normal)
HE_NORMAL = {
    "variance_as_deviation": (
        "The deviation of these weights is 2 / fan_in; that is the VARIANCE asked for. `rng.normal` "
        "takes the standard deviation.",
        "Take the square root: `np.sqrt(2 / fan_in)`.",
        lambda i, o: 2 / i,
    ),
    "fan_out": (
        "The variance is 2 / fan_out. What reaches one unit is a sum over its fan_in INPUTS.",
        "Divide by `fan_in`.",
        lambda i, o: np.sqrt(2 / o),
    ),
    "xavier": (
        "The variance is 2 / (fan_in + fan_out): that is Xavier's rule.",
        "He's rule looks at `fan_in` alone: 2 / fan_in.",
        lambda i, o: np.sqrt(2 / (i + o)),
    ),
    "one_over_fan_in": (
        "The variance is 1 / fan_in: the 2 is missing. It makes up for the half of the signal that "
        "ReLU cuts off.",
        "The variance is 2 / fan_in.",
        lambda i, o: np.sqrt(1 / i),
    ),
    "root_of_the_two_only": (
        "The deviation is sqrt(2) / fan_in: the root covers the 2 only.",
        "`np.sqrt(2 / fan_in)`: both inside.",
        lambda i, o: np.sqrt(2) / i,
    ),
    "not_scaled": (
        "The variance is 1: the draw is not scaled at all.",
        "Multiply by `np.sqrt(2 / fan_in)`.",
        lambda i, o: 1.0,
    ),
    "fixed_scale": (
        "The deviation is 0.01 whatever the layer's size: an old habit that lets the signal of a "
        "deep net die.",
        "The deviation depends on `fan_in`.",
        lambda i, o: 0.01,
    ),
}
for _key, (_message, _remedy, _deviation) in HE_NORMAL.items():
    chapter.mistake(he_normal, _key, _message, _remedy)(scaled(_deviation))
chapter.mistake(
    he_normal,
    "uniform_draw",
    "The variance is right, the numbers are uniform: that is `he_uniform`.",
    "Draw with `rng.normal` or `rng.standard_normal`.",
)(spread(lambda i, o: np.sqrt(6 / i)))


# --- Xavier, uniform -----------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="shape",
    difficulty=2,
    minutes=10,
    rtol=0.05,
    hints=(
        "Uniform numbers between -a and a have variance a^2 / 3.",
        "Set a^2 / 3 = 2 / (fan_in + fan_out) and solve for a.",
        "`a = np.sqrt(6 / (fan_in + fan_out))`, then `rng.uniform(-a, a, (fan_in, fan_out))`. The "
        "whole answer stands in `solutions/06_initialisation`.",
    ),
    afterthought="Why both fans? One is right for the way forward. Which way does the other serve?",
)
def xavier_uniform(fan_in, fan_out, rng):
    """Xavier Glorot's start: uniform between -a and a, variance 2 / (fan_in + fan_out).

    Parameters
    ----------
    fan_in, fan_out : int
        Inputs of each unit; units of the layer.
    rng : numpy.random.Generator
        Every random number comes from it.

    Returns
    -------
    w : (fan_in, fan_out) array
    """
    a = np.sqrt(6 / (fan_in + fan_out))  # a^2 / 3 is the variance
    return rng.uniform(-a, a, (fan_in, fan_out))


initialiser(xavier_uniform, "2 / (fan_in + fan_out)", normal=False)
common_mistakes(xavier_uniform, None, xavier_uniform)
XAVIER_UNIFORM = {
    "deviation_as_limit": (
        "The limit is sqrt(2 / (fan_in + fan_out)). That is the standard DEVIATION; uniform "
        "numbers reach sqrt(3) deviations far.",
        "a = sqrt(6 / (fan_in + fan_out)).",
        lambda i, o: np.sqrt(2 / (i + o)),
    ),
    "three": (
        "The limit is sqrt(3 / (fan_in + fan_out)): half of the variance is missing.",
        "a^2 / 3 = 2 / (fan_in + fan_out) gives 6 under the root.",
        lambda i, o: np.sqrt(3 / (i + o)),
    ),
    "he": (
        "The variance is 2 / fan_in: that is He's rule.",
        "Xavier's rule takes both fans: 2 / (fan_in + fan_out).",
        lambda i, o: np.sqrt(6 / i),
    ),
    "brackets": (
        "The limit is that of `6 / fan_in + fan_out`: the division is done before the sum.",
        "Put the sum in brackets.",
        lambda i, o: np.sqrt(6 / i + o),
    ),
    "root_missing": (
        "The limit is 6 / (fan_in + fan_out): the square root is missing.",
        "a = sqrt(6 / (fan_in + fan_out)).",
        lambda i, o: 6 / (i + o),
    ),
    "mean_of_fans_twice": (
        "The limit is sqrt(12 / (fan_in + fan_out)): the variance is twice too large.",
        "Divide by fan_in + fan_out, not by half of it.",
        lambda i, o: np.sqrt(12 / (i + o)),
    ),
}
for _key, (_message, _remedy, _limit) in XAVIER_UNIFORM.items():
    chapter.mistake(xavier_uniform, _key, _message, _remedy)(spread(_limit))
chapter.mistake(
    xavier_uniform,
    "one_sided",
    "All weights are positive: drawn between 0 and a. Their mean pushes every layer to one side.",
    "Draw between -a and a.",
)(one_sided(lambda i, o: np.sqrt(6 / (i + o))))
chapter.mistake(
    xavier_uniform,
    "normal_draw",
    "The variance is right, the numbers are normal: that is `xavier_normal`.",
    "Draw with `rng.uniform(-a, a, ...)`.",
)(scaled(lambda i, o: np.sqrt(2 / (i + o))))


# --- how large is a gradient? --------------------------------------------------------------------


def random_gradients(rng, sizes, scale=1.0):
    """A dict of gradients as a net of these sizes has them, one bias a layer."""
    grads = {}
    for k, (i, o) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), start=1):
        grads[f"W{k}"] = scale * rng.normal(0, 1, (i, o))
        grads[f"b{k}"] = scale * rng.normal(0, 1, o)
    return grads


@chapter.exercise(
    points=2,
    returns="norms, total",
    difficulty=1,
    minutes=8,
    hints=(
        "The norm of an array: square every entry, add up, take the root. A matrix counts as one "
        "long row of numbers.",
        "The total is the norm of all arrays laid end to end. Norms do not add up; their squares "
        "do.",
        "`norms = {k: np.sqrt((g**2).sum()) for k, g in grads.items()}`, then the root of the sum "
        "of their squares. The whole answer stands in `solutions/06_initialisation`.",
    ),
    afterthought="Two parts with norms 3 and 4. What is the norm of the whole, and why not 7?",
)
def gradient_norms(grads):
    """Euclidean norm of each gradient, and of all of them together.

    Parameters
    ----------
    grads : dict of str to array
        Gradients of any shape.

    Returns
    -------
    norms : dict of str to float
        The norm of each array, under the same names: root of the sum of its squared entries.
    total : float
        The global norm: that of all entries of all arrays together.
    """
    norms = {name: np.sqrt((g**2).sum()) for name, g in grads.items()}
    total = np.sqrt(sum(norm**2 for norm in norms.values()))
    return norms, total


@chapter.cases(gradient_norms)
def gradient_norms_cases(rng):
    yield Case(
        ({"W1": np.array([[3.0, 0.0], [0.0, -4.0]]), "b1": np.array([12.0, 0.0])},),
        label="norms 5 and 12",
    )
    yield Case((random_gradients(rng, (4, 3, 2)),), label="a 4-3-2 net")
    grads = random_gradients(rng, (5, 7, 2, 3), 0.01)
    grads["K"] = rng.normal(0, 1, (2, 3, 4, 5))
    yield Case((grads,), label="three layers and an array of four dimensions")


@chapter.mistake(
    gradient_norms,
    "no_root",
    "These values are the sums of squares: the square root is missing.",
    "The norm is `np.sqrt((g**2).sum())`.",
)
def gradient_norms_no_root(grads):
    norms = {name: (g**2).sum() for name, g in grads.items()}
    return norms, sum(norms.values())


@chapter.mistake(
    gradient_norms,
    "norms_added",
    "`total` is the sum of the norms. Norms do not add up: their squares do, as in a right-angled "
    "triangle.",
    "Square the norms, add up, take the root.",
)
def gradient_norms_norms_added(grads):
    norms, _ = gradient_norms(grads)
    return norms, sum(norms.values())


@chapter.mistake(
    gradient_norms,
    "total_not_rooted",
    "`total` is the sum of all squares: its square root is missing.",
    "Take the root at the end.",
)
def gradient_norms_total_not_rooted(grads):
    norms, total = gradient_norms(grads)
    return norms, total**2


@chapter.mistake(
    gradient_norms,
    "sum_of_absolute_values",
    "These values are sums of absolute values, the 1-norm.",
    "The Euclidean norm squares the entries.",
)
def gradient_norms_sum_of_absolute_values(grads):
    norms = {name: np.abs(g).sum() for name, g in grads.items()}
    return norms, sum(norms.values())


@chapter.mistake(
    gradient_norms,
    "mean_of_squares",
    "These values are root MEAN squares: divided by the number of entries. A norm adds up.",
    "`sum`, not `mean`.",
)
def gradient_norms_mean_of_squares(grads):
    norms = {name: np.sqrt((g**2).mean()) for name, g in grads.items()}
    return norms, np.sqrt(np.concatenate([g.ravel() ** 2 for g in grads.values()]).mean())


@chapter.mistake(
    gradient_norms,
    "largest_entry",
    "These values are the largest entries in size.",
    "The norm adds up the squares of all entries.",
)
def gradient_norms_largest_entry(grads):
    norms = {name: np.abs(g).max() for name, g in grads.items()}
    return norms, max(norms.values())


@chapter.mistake(
    gradient_norms,
    "spectral",
    "For matrices these values are the largest singular value, which is what "
    "`np.linalg.norm(g, 2)` gives; an array of four dimensions is refused.",
    "`np.linalg.norm(g)` without the 2, or the root of the sum of squares.",
)
def gradient_norms_spectral(grads):
    norms = {name: np.linalg.norm(g, 2) for name, g in grads.items()}
    return norms, np.sqrt(sum(norm**2 for norm in norms.values()))


# --- clipping ------------------------------------------------------------------------------------


def drive_clip(clip, grads, limit):
    """Accepts new arrays, and work in place; a function that does nothing gives None."""
    before = {name: g.copy() for name, g in grads.items()}
    new = clip(grads, limit)
    moved = any(not np.array_equal(grads[name], before[name]) for name in before)
    return grads if new is None and moved else new


def drive_unchanged(clip, grads, limit):
    """What is left of gradients that lie below the limit."""
    before = {name: g.copy() for name, g in grads.items()}
    new = clip(grads, limit)
    if new is None:
        return None
    new = new[0] if isinstance(new, tuple) else new
    return {name: np.asarray(new[name]) - before[name] for name in before}


def drive_zeros(clip, grads, limit):
    """What is left of gradients that are all 0."""
    with np.errstate(all="ignore"):
        new = clip({name: 0.0 * g for name, g in grads.items()}, limit)
    if new is None:
        return None
    new = new[0] if isinstance(new, tuple) else new
    return {name: np.asarray(new[name]) for name in grads}


def is_zero(result, grads, limit):
    return all(
        np.shape(result[name]) == np.shape(g) and not np.any(result[name])
        for name, g in grads.items()
    )


@chapter.exercise(
    points=2,
    returns="clipped",
    difficulty=1,
    minutes=6,
    hints=(
        "Every entry on its own: above `limit` it becomes `limit`, below `-limit` it becomes "
        "`-limit`.",
        "NumPy has a function for that: `np.clip(array, low, high)`. Build a new dict.",
        "`{name: np.clip(g, -limit, limit) for name, g in grads.items()}`. The whole answer stands "
        "in `solutions/06_initialisation`.",
    ),
    afterthought="A gradient (10, 1), clipped by value at 1. Which way did it point, and now?",
)
def clip_by_value(grads, limit):
    """Each entry of each gradient, moved into the range from -limit to limit.

    Parameters
    ----------
    grads : dict of str to array
    limit : float
        Positive.

    Returns
    -------
    clipped : dict of str to array
        Under the same names. The old arrays may be changed in place.
    """
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}


@chapter.cases(clip_by_value)
def clip_by_value_cases(rng):
    grads = {"W1": np.array([[10.0, -0.5], [0.25, -3.0]]), "b1": np.array([1.5, -0.75])}
    yield Case((grads, 1.0), drive=drive_clip, label="limit = 1")
    for sizes, scale, limit in [((4, 3, 2), 1.0, 0.6), ((5, 2, 7), 5.0, 2.5)]:
        grads = random_gradients(rng, sizes, scale)
        grads["W1"][0, :2] = 3 * limit, -3 * limit
        grads["b1"][:2] = -2 * limit, 2 * limit
        yield Case((grads, limit), drive=drive_clip, label=f"limit = {limit}")


@chapter.mistake(
    clip_by_value,
    "upper_end_only",
    "Large positive entries are clipped, large negative ones are not.",
    "Both ends: `np.clip(g, -limit, limit)`.",
)
def clip_by_value_upper_end_only(grads, limit):
    return {name: np.minimum(g, limit) for name, g in grads.items()}


@chapter.mistake(
    clip_by_value,
    "from_zero",
    "All negative entries became 0: it looks like a range from 0 to `limit`.",
    "The range goes from `-limit` to `limit`.",
)
def clip_by_value_from_zero(grads, limit):
    return {name: np.clip(g, 0, limit) for name, g in grads.items()}


@chapter.mistake(
    clip_by_value,
    "sign_lost",
    "The sizes are right, the signs are gone: entries that were negative came out positive.",
    "Clip the entries themselves, not their absolute values.",
)
def clip_by_value_sign_lost(grads, limit):
    return {name: np.minimum(np.abs(g), limit) for name, g in grads.items()}


@chapter.mistake(
    clip_by_value,
    "scaled_by_the_largest",
    "Each array is scaled so that its largest entry fits: the small entries shrank too. Clipping by "
    "value leaves them as they are.",
    "Treat each entry on its own: `np.clip`.",
)
def clip_by_value_scaled_by_the_largest(grads, limit):
    return {name: g * min(1, limit / np.abs(g).max()) for name, g in grads.items()}


@chapter.mistake(
    clip_by_value,
    "scaled_by_the_norm",
    "Each array is scaled by its norm: that is clipping by norm, array by array.",
    "Treat each entry on its own: `np.clip`.",
)
def clip_by_value_scaled_by_the_norm(grads, limit):
    return {name: g * min(1, limit / np.sqrt((g**2).sum())) for name, g in grads.items()}


@chapter.mistake(
    clip_by_value,
    "large_entries_dropped",
    "Entries beyond the limit became 0. They should become the limit.",
    "`np.clip` moves them to the end of the range.",
)
def clip_by_value_large_entries_dropped(grads, limit):
    return {name: np.where(np.abs(g) > limit, 0, g) for name, g in grads.items()}


@chapter.mistake(
    clip_by_value,
    "nothing_changed",
    "The gradients came back unchanged. A line such as `g = np.clip(...)` in a loop gives a new "
    "array and leaves the dict alone.",
    "Store the clipped array in the dict that is returned.",
)
def clip_by_value_nothing_changed(grads, limit):
    return grads


@chapter.mistake(
    clip_by_value,
    "biases_forgotten",
    "The weights' gradients are clipped, those of the biases are not.",
    "Loop over all names.",
)
def clip_by_value_biases_forgotten(grads, limit):
    return {
        name: np.clip(g, -limit, limit) if name.startswith("W") else g for name, g in grads.items()
    }


@chapter.exercise(
    points=5,
    returns="clipped, norm",
    difficulty=3,
    minutes=15,
    rtol=1e-5,  # max_norm / (norm + 1e-6), as some libraries have it, is right too
    hints=(
        "ONE norm for all gradients together, and ONE factor for all of them: so the direction "
        "stays.",
        "The factor is max_norm / norm where norm is larger than max_norm, and 1 elsewhere. Then "
        "nothing is divided by 0 either.",
        "`factor = max_norm / norm if norm > max_norm else 1.0`, then `{name: factor * g ...}`; "
        "return the norm from BEFORE clipping too. The whole answer stands in "
        "`solutions/06_initialisation`.",
    ),
    afterthought="Why is the norm from before clipping worth a line in every training log?",
)
def clip_by_global_norm(grads, max_norm):
    """Gradients scaled down together where their global norm is above max_norm.

    Parameters
    ----------
    grads : dict of str to array
    max_norm : float
        Positive; `np.inf` means no clipping.

    Returns
    -------
    clipped : dict of str to array
        All gradients times one factor. Their global norm is max_norm if it was larger, and they
        are unchanged if it was not. Gradients that are all 0 stay 0. The old arrays may be
        changed in place.
    norm : float
        The global norm BEFORE clipping.
    """
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    factor = max_norm / norm if norm > max_norm else 1.0
    return {name: factor * g for name, g in grads.items()}, norm


@chapter.cases(clip_by_global_norm)
def clip_by_global_norm_cases(rng):
    grads = {"W1": np.array([[3.0, 0.0], [0.0, -4.0]]), "b1": np.array([12.0, 0.0])}
    yield Case((grads, 6.5), drive=drive_clip, label="norm 13, max_norm 6.5")
    for sizes, scale, max_norm in [((4, 3, 2), 3.0, 0.7), ((5, 7, 2, 3), 10.0, 5.0)]:
        grads = random_gradients(rng, sizes, scale)
        label = f"{len(grads)} arrays, max_norm {max_norm}"
        yield Case((grads, max_norm), drive=drive_clip, label=label)


@chapter.property(
    clip_by_global_norm,
    "unchanged_below",
    "Gradients whose norm is below `max_norm` came back changed. Clipping leaves them alone.",
    accept=lambda change, grads, limit: all(
        np.shape(change[name]) == np.shape(g) and np.abs(change[name]).max() <= 1e-7
        for name, g in grads.items()
    ),
)
def clip_below(rng):
    yield Case(
        (random_gradients(rng, (4, 3, 2), 0.1), 7.0), drive=drive_unchanged, label="max_norm 7"
    )
    yield Case(
        (random_gradients(rng, (2, 5, 3), 0.1), np.inf), drive=drive_unchanged, label="max_norm inf"
    )


chapter.property(
    clip_by_global_norm,
    "zero_gradients",
    "Gradients that are all 0 do not stay 0. Their norm is 0 too: is something divided by it?",
    accept=is_zero,
)(
    lambda rng: iter(
        [
            Case((random_gradients(rng, (3, 2)), 1.5), drive=drive_zeros, label="all gradients 0"),
            Case((random_gradients(rng, (2, 4, 3)), 0.5), drive=drive_zeros, label="again"),
        ]
    )
)


def _global_norm(grads):
    return np.sqrt(sum((g**2).sum() for g in grads.values()))


@chapter.mistake(
    clip_by_global_norm,
    "each_on_its_own",
    "Each array is clipped by its own norm. Together they are still too long, and they point "
    "another way than before.",
    "One norm for all arrays, one factor for all.",
)
def clip_by_global_norm_each_on_its_own(grads, max_norm):
    clipped = {
        name: g * min(1.0, max_norm / max(np.sqrt((g**2).sum()), 1e-300))
        for name, g in grads.items()
    }
    return clipped, _global_norm(grads)


@chapter.mistake(
    clip_by_global_norm,
    "always_scaled",
    "The gradients are brought to `max_norm` whether they are too long or not: short ones were "
    "stretched, and zeros are divided by 0.",
    "Scale only where norm > max_norm.",
)
def clip_by_global_norm_always_scaled(grads, max_norm):
    norm = _global_norm(grads)
    return {name: g * (max_norm / norm) for name, g in grads.items()}, norm


@chapter.mistake(
    clip_by_global_norm,
    "always_scaled_with_eps",
    "The gradients are brought to `max_norm` whether they are too long or not: short ones were "
    "stretched.",
    "Scale only where norm > max_norm.",
)
def clip_by_global_norm_always_scaled_with_eps(grads, max_norm):
    norm = _global_norm(grads)
    return {name: g * (max_norm / (norm + 1e-6)) for name, g in grads.items()}, norm


@chapter.mistake(
    clip_by_global_norm,
    "no_root",
    "The norm is the sum of squares: its square root is missing.",
    "Take the root of the sum.",
)
def clip_by_global_norm_no_root(grads, max_norm):
    norm = _global_norm(grads) ** 2
    factor = max_norm / norm if norm > max_norm else 1.0
    return {name: factor * g for name, g in grads.items()}, norm


@chapter.mistake(
    clip_by_global_norm,
    "norms_added",
    "The norm is the sum of the arrays' norms. Norms do not add up; their squares do.",
    "Root of the sum of all squares.",
)
def clip_by_global_norm_norms_added(grads, max_norm):
    norm = sum(np.sqrt((g**2).sum()) for g in grads.values())
    factor = max_norm / norm if norm > max_norm else 1.0
    return {name: factor * g for name, g in grads.items()}, norm


@chapter.mistake(
    clip_by_global_norm,
    "by_value",
    "Each entry is clipped on its own. That turns the gradient; clipping by norm only shortens it.",
    "Multiply all gradients by one factor.",
)
def clip_by_global_norm_by_value(grads, max_norm):
    return {name: np.clip(g, -max_norm, max_norm) for name, g in grads.items()}, _global_norm(grads)


@chapter.mistake(
    clip_by_global_norm,
    "norm_after",
    "The gradients are right. The norm that comes back is the one AFTER clipping; it says nothing "
    "about how long they were.",
    "Return the norm from before.",
)
def clip_by_global_norm_norm_after(grads, max_norm):
    clipped, _ = clip_by_global_norm(grads, max_norm)
    return clipped, _global_norm(clipped)


@chapter.mistake(
    clip_by_global_norm,
    "divided_by_norm",
    "The gradients have norm 1: they are divided by their norm, and `max_norm` is left out of the "
    "factor.",
    "The factor is max_norm / norm.",
)
def clip_by_global_norm_divided_by_norm(grads, max_norm):
    norm = _global_norm(grads)
    factor = 1 / norm if norm > max_norm else 1.0
    return {name: factor * g for name, g in grads.items()}, norm


@chapter.mistake(
    clip_by_global_norm,
    "factor_upside_down",
    "The gradients grew: the factor looks turned over, norm / max_norm.",
    "The factor is max_norm / norm.",
)
def clip_by_global_norm_factor_upside_down(grads, max_norm):
    norm = _global_norm(grads)
    factor = norm / max_norm if norm > max_norm else 1.0
    return {name: factor * g for name, g in grads.items()}, norm


@chapter.mistake(
    clip_by_global_norm,
    "nothing_changed",
    "The gradients came back unchanged, although their norm is too large.",
    "Store the scaled arrays in the dict that is returned.",
)
def clip_by_global_norm_nothing_changed(grads, max_norm):
    return grads, _global_norm(grads)


@chapter.mistake(
    clip_by_global_norm,
    "biases_left_out",
    "The norm counts the weights only, and the biases are not scaled.",
    "All arrays of the dict belong to the gradient.",
)
def clip_by_global_norm_biases_left_out(grads, max_norm):
    weights = {name: g for name, g in grads.items() if name.startswith("W")}
    clipped, norm = clip_by_global_norm(weights, max_norm)
    return {**grads, **clipped}, norm
