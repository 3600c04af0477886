"""Chapter 06, initialisation and the flow of gradients: where weights start, and what arrives."""

from itertools import combinations, pairwise

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
#   rng       equal or not equal: two draws of 35 floats do not coincide, and half of their
#             entries do not either, not even in single precision (chance below 1e-100).
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
        "entries are copies": bool(np.unique(np.asarray(first)).size <= np.size(first) / 2),
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
        chapter.property(answer, "uniform", message, accept=looks_uniform)(large_draws(drive_reach))
    chapter.property(
        answer,
        "rng",
        "The draw does not come from `rng` alone. The same generator must give the same weights, "
        "another one other weights, a second call new ones, and every entry is a draw of its own.",
    )(rng_cases)


def common_mistakes(answer):
    """The mistakes that all four share."""
    make = answer
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
    chapter.mistake(
        answer,
        "old_interface_uniform",
        "`rng` is a Generator, NumPy's newer interface. It has no `rand` and no `randn`.",
        "`rng.uniform(low, high, (a, b))` and `rng.standard_normal((a, b))`.",
    )(lambda fan_in, fan_out, rng: rng.rand(fan_in, fan_out))


def scaled(deviation):
    """A normal draw with the deviation that a formula of the fans gives."""
    return lambda fan_in, fan_out, rng: rng.normal(0, deviation(fan_in, fan_out), (fan_in, fan_out))


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
common_mistakes(he_normal)
HE_NORMAL = {
    "variance_as_deviation": (
        "The deviation of these weights is 2 / fan_in; that is the VARIANCE asked for. "
        "`rng.normal` "
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
common_mistakes(xavier_uniform)
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
        "The limit is sqrt(12 / (fan_in + fan_out)): the variance is twice the right one.",
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
    for k, (i, o) in enumerate(pairwise(sizes), start=1):
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
    "Each array is scaled so that its largest entry fits: the small entries shrank too. Clipping "
    "by "
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
        Positive.

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
        (random_gradients(rng, (2, 5, 3), 0.1), 50.0), drive=drive_unchanged, label="max_norm 50"
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


# --- debug: a step through a deep net, five bugs planted -----------------------------------------

DEBUG_STUB = '''def debug_clipped_gradients(x, y, W1, W2, W3, max_norm):
    """Loss of a net with a skip connection, its clipped gradients, and their norm before clipping.

    Five bugs in five lines. The loss is meant to be a mean over the N examples.
    x (N, D) -> tanh (N, H) -> plus tanh (N, H) -> softmax (N, C); y (N, C) is one-hot.
    Returns loss, dW1, dW2, dW3, norm.
    """
    # forward
    a1 = np.tanh(x @ W1)
    z2 = a1 @ W2
    a2 = a1 + np.tanh(z2)  # the skip connection: a1 goes round the second layer
    scores = a2 @ W3
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(y * np.log(p)).sum()
    # backward
    dscores = (p - y) / len(x)
    dW3 = a2.T @ dscores
    da2 = dscores @ W3.T
    dz2 = da2 * (1 - a2**2)
    dW2 = a1.T @ dz2
    da1 = dz2 @ W2.T
    dz1 = da1 * (1 - a1**2)
    dW1 = x.T @ dz1
    # clipping by the global norm
    norm = sum(np.sqrt((g**2).sum()) for g in (dW1, dW2, dW3))
    factor = max_norm / norm
    return loss, factor * dW1, factor * dW2, factor * dW3, norm
'''


def _clipped_gradients(x, y, W1, W2, W3, max_norm, bugs=()):
    """The step of the debug exercise with only the named bugs left in."""
    a1 = np.tanh(x @ W1)
    t2 = np.tanh(a1 @ W2)
    a2 = a1 + t2
    scores = a2 @ W3
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(y * np.log(p)).sum() / (1 if "mean" in bugs else len(x))
    dscores = (p - y) / (1 if "sums" in bugs else len(x))
    da2 = dscores @ W3.T
    value = np.tanh(t2) if "tanh_twice" in bugs else a2 if "slope" in bugs else t2
    dz2 = da2 * (1 - value**2)
    da1 = dz2 @ W2.T + (0 if "skip" in bugs else da2)
    dz1 = da1 * (1 - a1**2)
    grads = [x.T @ dz1, a1.T @ dz2, a2.T @ dscores]
    squares = [(g**2).sum() for g in grads]
    norm = np.sum(np.sqrt(squares)) if "norm" in bugs else np.sqrt(np.sum(squares))
    factor = max_norm / norm if "always" in bugs or norm > max_norm else 1.0
    return (loss, *(factor * g for g in grads), norm)


@chapter.exercise(
    points=5,
    returns="loss, dW1, dW2, dW3, norm",
    difficulty=3,
    minutes=20,
    title="Debug: a skip connection and a clip, five bugs",
    stub=DEBUG_STUB,
    hints=(
        "Keep clipping out of the way first: with `max_norm` set to the norm that comes back, the "
        "factor is 1. Then measure from the end: `dW3`, `dW2`, `dW1`.",
        "The gradient is that of a mean over N examples; is the loss a mean? The slope of tanh "
        "is taken at the output of "
        "tanh, and a2 is more than that. Two roads lead from a1 to the loss: how many lead back?",
        "The loss divided by `len(x)`; `1 - np.tanh(z2)**2`; `da1 = dz2 @ W2.T + da2`; the root "
        "of the sum of "
        "all squares; `min(1.0, max_norm / norm)`. The whole answer stands in "
        "`solutions/06_initialisation`.",
    ),
    afterthought="With the skip connection, what is the smallest share of da2 that reaches da1?",
)
def debug_clipped_gradients(x, y, W1, W2, W3, max_norm):
    """Loss of a net with a skip connection, its clipped gradients, and their norm before clipping.

    Five bugs in five lines. The loss is meant to be a mean over the N examples.
    x (N, D) -> tanh (N, H) -> plus tanh (N, H) -> softmax (N, C); y (N, C) is one-hot.
    Returns loss, dW1, dW2, dW3, norm.
    """
    # forward
    a1 = np.tanh(x @ W1)
    z2 = a1 @ W2
    a2 = a1 + np.tanh(z2)  # the skip connection: a1 goes round the second layer
    scores = a2 @ W3
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(y * np.log(p)).sum() / len(x)
    # backward
    dscores = (p - y) / len(x)
    dW3 = a2.T @ dscores
    da2 = dscores @ W3.T
    dz2 = da2 * (1 - np.tanh(z2) ** 2)
    dW2 = a1.T @ dz2
    da1 = dz2 @ W2.T + da2
    dz1 = da1 * (1 - a1**2)
    dW1 = x.T @ dz1
    # clipping by the global norm
    norm = np.sqrt(sum((g**2).sum() for g in (dW1, dW2, dW3)))
    factor = min(1.0, max_norm / norm)
    return loss, factor * dW1, factor * dW2, factor * dW3, norm


@chapter.cases(debug_clipped_gradients)
def debug_cases(rng):
    for n, d, h, c, max_norm in [(5, 3, 7, 4, 100.0), (7, 4, 5, 3, 0.05), (3, 5, 2, 6, 0.2)]:
        y = np.eye(c)[rng.integers(0, c, n)]
        weights = [rng.normal(0, 0.7, size) for size in [(d, h), (h, h), (h, c)]]
        yield Case(
            (rng.normal(0, 1, (n, d)), y, *weights, max_norm),
            label=f"N = {n}, a {d}-{h}-{h}-{c} net, max_norm = {max_norm}",
        )


# In the order in which measuring finds them: from the loss towards the input, then the clip.
PLANTED = {
    "mean": "`dW3` does not fit the loss: between them lies a factor N. Which of the two is a mean "
    "over the examples, and which should be?",
    "slope": "`dW3` fits the loss, `dW2` does not: 1 - a**2 is the slope of tanh where a is the "
    "output of TANH. What else is in a2?",
    "skip": "`dW3` and `dW2` fit the loss, `dW1` does not: a1 reaches the loss by two roads. Each "
    "of them brings a gradient back.",
    "norm": "The gradients fit the loss before clipping; their norm is not right. Norms do not add "
    "up.",
    "always": "Gradients that are short enough come back longer: the factor may be larger than 1.",
}


def _planted(bugs):
    def step(x, y, W1, W2, W3, max_norm):
        return _clipped_gradients(x, y, W1, W2, W3, max_norm, bugs)

    return step


for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(
            debug_clipped_gradients, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        )(_planted(_bugs))

chapter.mistake(
    debug_clipped_gradients,
    "tanh_twice",
    "Only the slope of the second tanh is off: it looks as if the output of tanh goes through tanh "
    "once more.",
    "With t = tanh(z2), the slope is 1 - t**2.",
)(_planted(("tanh_twice",)))
chapter.mistake(
    debug_clipped_gradients,
    "fits_but_is_a_sum",
    "Loss and gradients fit each other, and both are sums over the examples. A mean was asked for: "
    "a step must not grow with the batch.",
    "Divide both by `len(x)`.",
)(_planted(("mean", "sums")))


# --- more: the other two initialisers ------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="shape",
    difficulty=1,
    minutes=6,
    optional=True,
    rtol=0.05,
    hints=(
        "Uniform numbers between -a and a have variance a^2 / 3.",
        "a^2 / 3 = 2 / fan_in: solve for a.",
        "`a = np.sqrt(6 / fan_in)`, then `rng.uniform(-a, a, (fan_in, fan_out))`. The whole answer "
        "stands in `solutions/06_initialisation`.",
    ),
    afterthought="Would a histogram of the weights tell after 1,000 steps how they were drawn?",
)
def he_uniform(fan_in, fan_out, rng):
    """He's start with uniform numbers: between -a and a, variance 2 / fan_in.

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
    a = np.sqrt(6 / fan_in)  # a^2 / 3 is the variance
    return rng.uniform(-a, a, (fan_in, fan_out))


initialiser(he_uniform, "2 / fan_in", normal=False)
common_mistakes(he_uniform)
HE_UNIFORM = {
    "deviation_as_limit": (
        "The limit is sqrt(2 / fan_in). That is the standard DEVIATION; uniform numbers reach "
        "sqrt(3) deviations far.",
        "a = sqrt(6 / fan_in).",
        lambda i, o: np.sqrt(2 / i),
    ),
    "three": (
        "The limit is sqrt(3 / fan_in): half of the variance is missing.",
        "a^2 / 3 = 2 / fan_in gives 6 under the root.",
        lambda i, o: np.sqrt(3 / i),
    ),
    "fan_out": (
        "The variance is 2 / fan_out. What reaches one unit is a sum over its fan_in INPUTS.",
        "Divide by `fan_in`.",
        lambda i, o: np.sqrt(6 / o),
    ),
    "xavier": (
        "The variance is 2 / (fan_in + fan_out): that is Xavier's rule.",
        "He's rule looks at `fan_in` alone.",
        lambda i, o: np.sqrt(6 / (i + o)),
    ),
    "root_missing": (
        "The limit is 6 / fan_in: the square root is missing.",
        "a = sqrt(6 / fan_in).",
        lambda i, o: 6 / i,
    ),
}
for _key, (_message, _remedy, _limit) in HE_UNIFORM.items():
    chapter.mistake(he_uniform, _key, _message, _remedy)(spread(_limit))
chapter.mistake(
    he_uniform,
    "one_sided",
    "All weights are positive: drawn between 0 and a. Their mean pushes every layer to one side.",
    "Draw between -a and a.",
)(one_sided(lambda i, o: np.sqrt(6 / i)))
chapter.mistake(
    he_uniform,
    "normal_draw",
    "The variance is right, the numbers are normal: that is `he_normal`.",
    "Draw with `rng.uniform(-a, a, ...)`.",
)(scaled(lambda i, o: np.sqrt(2 / i)))


@chapter.exercise(
    points=2,
    returns="shape",
    difficulty=1,
    minutes=5,
    optional=True,
    rtol=0.05,
    hints=(
        "The variance is 2 / (fan_in + fan_out); mind the brackets.",
        "`rng.normal` asks for the standard deviation, the root of the variance.",
        "`rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))`. The whole answer "
        "stands in `solutions/06_initialisation`.",
    ),
    afterthought="For which layers do Xavier and 1 / fan_in agree?",
)
def xavier_normal(fan_in, fan_out, rng):
    """Xavier Glorot's start with normal numbers: mean 0, variance 2 / (fan_in + fan_out).

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
    return rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))


initialiser(xavier_normal, "2 / (fan_in + fan_out)", normal=True)
common_mistakes(xavier_normal)
XAVIER_NORMAL = {
    "variance_as_deviation": (
        "The deviation is 2 / (fan_in + fan_out); that is the VARIANCE asked for.",
        "Take the square root.",
        lambda i, o: 2 / (i + o),
    ),
    "one_over_the_sum": (
        "The variance is 1 / (fan_in + fan_out): the 2 is missing.",
        "2 / (fan_in + fan_out) is one over the MEAN of the fans.",
        lambda i, o: np.sqrt(1 / (i + o)),
    ),
    "he": (
        "The variance is 2 / fan_in: that is He's rule.",
        "Xavier's rule takes both fans.",
        lambda i, o: np.sqrt(2 / i),
    ),
    "one_over_fan_in": (
        "The variance is 1 / fan_in: right for the way forward, and only for square layers "
        "Xavier's rule.",
        "2 / (fan_in + fan_out).",
        lambda i, o: np.sqrt(1 / i),
    ),
    "brackets": (
        "The variance is `2 / fan_in + fan_out`: the division is done before the sum.",
        "Put the sum in brackets.",
        lambda i, o: np.sqrt(2 / i + o),
    ),
    "limit_as_deviation": (
        "The deviation is sqrt(6 / (fan_in + fan_out)): that is the LIMIT of the uniform form.",
        "The deviation is sqrt(2 / (fan_in + fan_out)).",
        lambda i, o: np.sqrt(6 / (i + o)),
    ),
    "variance_one": (
        "The variance is 1: the draw is not scaled. A printed text says Xavier's start gives "
        "'mean 0, variance 1'; that would be the signal, not the weights.",
        "The weights have variance 2 / (fan_in + fan_out).",
        lambda i, o: 1.0,
    ),
}
for _key, (_message, _remedy, _deviation) in XAVIER_NORMAL.items():
    chapter.mistake(xavier_normal, _key, _message, _remedy)(scaled(_deviation))
chapter.mistake(
    xavier_normal,
    "uniform_draw",
    "The variance is right, the numbers are uniform: that is `xavier_uniform`.",
    "Draw with `rng.normal` or `rng.standard_normal`.",
)(spread(lambda i, o: np.sqrt(6 / (i + o))))


# --- more: are there twins among the units? ------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="count",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "A unit of the layer is one COLUMN of w: the weights that lead to it.",
        "Round first; then `np.unique` with `axis=1` keeps each different column once.",
        "`np.unique(w.round(6), axis=1).shape[1]`. The whole answer stands in "
        "`solutions/06_initialisation`.",
    ),
    afterthought="A layer of 100 units has 1 different column. How many units does it really have?",
)
def distinct_units(w):
    """How many different units a layer has.

    Parameters
    ----------
    w : (D, M) array
        Weights: column j leads to unit j.

    Returns
    -------
    count : int
        The number of different columns. Columns that agree in every entry, rounded to 6
        decimals, are one unit.
    """
    return np.unique(w.round(6), axis=1).shape[1]


@chapter.cases(distinct_units)
def distinct_units_cases(rng):
    yield Case((np.zeros((5, 7)),), label="all weights 0")
    w = rng.choice([-2.0, -1.0, 0.5, 3.0], (4, 6))
    w[0] = 1.25, -0.25, 1.25, 0.75, -0.25, 1.25  # column by column: at least three different ones
    w[:, 2], w[:, 5], w[:, 4] = w[:, 0], w[:, 0] + 1e-9, w[:, 1]
    yield Case((w,), label="6 columns, some twice")
    w = np.arange(33.0).reshape(3, 11) / 8
    w[:, 7:] = w[:, :1]
    w[1, :] = 2.5
    yield Case((w,), label="11 columns; one row is constant")
    yield Case((rng.normal(0, 1, (2, 9)),), label="a random draw")


@chapter.mistake(
    distinct_units,
    "rows_counted",
    "These are the different ROWS: the inputs' side. A unit is a column.",
    "`axis=1`.",
)
def distinct_units_rows_counted(w):
    return np.unique(w.round(6), axis=0).shape[0]


@chapter.mistake(
    distinct_units,
    "entries_counted",
    "These are the different numbers in w. Two units may share a number and still differ.",
    "Compare whole columns: `axis=1`.",
)
def distinct_units_entries_counted(w):
    return np.unique(w.round(6)).size


@chapter.mistake(
    distinct_units,
    "not_rounded",
    "Columns that differ by a rounding error are counted as two.",
    "Round to 6 decimals first.",
)
def distinct_units_not_rounded(w):
    return np.unique(w, axis=1).shape[1]


@chapter.mistake(
    distinct_units,
    "all_counted",
    "All columns are counted, twins too.",
    "Count each different column once.",
)
def distinct_units_all_counted(w):
    return w.shape[1]


@chapter.mistake(
    distinct_units,
    "rank",
    "This is the rank. Two columns may be different and still depend on each other.",
    "Count different columns.",
)
def distinct_units_rank(w):
    return np.linalg.matrix_rank(w.round(6))


# --- more: let the data set the scale ------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="scaled",
    difficulty=3,
    minutes=15,
    optional=True,
    hints=(
        "Walk through the layers with a batch of real inputs. At each layer: what deviation does "
        "z = x @ w have?",
        "Divide w by that deviation; then z has deviation 1. The NEXT layer must see the new "
        "signal, after the ReLU.",
        "In the loop: `w = w / (x @ w).std()`, keep it, `x = np.maximum(x @ w, 0)`. The whole "
        "answer "
        "stands in `solutions/06_initialisation`.",
    ),
    afterthought="He's rule guesses what the data do. When is the guess wrong?",
)
def lsuv_init(x, weights):
    """Data-dependent start: each layer rescaled until its z has standard deviation 1.

    The net has ReLU after each layer and no biases: z = x @ w, and the next layer's x is
    max(0, z). The deviation of a layer is taken over all entries of its z, examples and units
    together. (After D. Mishkin, J. Matas, 2016: LSUV, without its orthogonal start.)

    Parameters
    ----------
    x : (N, D) array
        A batch of real inputs.
    weights : list of arrays
        Fresh weights; shapes (D, H1), (H1, H2), ...

    Returns
    -------
    scaled : list of arrays
        The weights, each multiplied by one positive number.
    """
    scaled = []
    for w in weights:
        w = w / (x @ w).std()
        scaled.append(w)
        x = np.maximum(x @ w, 0)
    return scaled


@chapter.cases(lsuv_init)
def lsuv_cases(rng):
    for n, sizes, scale in [
        (7, (3, 5, 4), 1.0),
        (11, (6, 8, 5, 7), 0.1),
        (9, (4, 10, 3, 6, 5), 4.0),
    ]:
        x = rng.normal(0.5, 1.5, (n, sizes[0]))
        weights = [scale * rng.normal(0, 1, pair) + 0.2 for pair in pairwise(sizes)]
        yield Case((x, weights), label=f"{n} examples, layers {' - '.join(map(str, sizes))}")


def _lsuv(divisor, signal):
    """The walk with another divisor, or another signal for the next layer."""

    def walk(x, weights):
        scaled = []
        for w in weights:
            new = w / divisor(x, w)
            scaled.append(new)
            x = signal(x, w, new)
        return scaled

    return walk


def _after_relu(x, old, new):
    return np.maximum(x @ new, 0)


LSUV = {
    "old_signal": (
        "The first layer is right, the later ones are not: they see the signal of the weights "
        "BEFORE rescaling.",
        "Compute the next x with the new w.",
        lambda x, w: (x @ w).std(),
        lambda x, old, new: np.maximum(x @ old, 0),
    ),
    "relu_left_out": (
        "The first layer is right, the later ones are not: the ReLU between the layers is left "
        "out.",
        "x = np.maximum(x @ w, 0).",
        lambda x, w: (x @ w).std(),
        lambda x, old, new: x @ new,
    ),
    "inputs_for_all": (
        "Each layer's weights are measured on nothing but themselves: divided by their own "
        "deviation. The data play no part.",
        "Divide by the deviation of x @ w.",
        lambda x, w: w.std(),
        _after_relu,
    ),
    "divided_by_variance": (
        "The weights are divided by the VARIANCE of z; that overshoots. Scaling by c scales the "
        "deviation by c, and the variance by c^2.",
        "Divide by the standard deviation.",
        lambda x, w: (x @ w).var(),
        _after_relu,
    ),
    "root_mean_square": (
        "The weights are divided by the root mean square of z: the mean is not subtracted. That "
        "is another measure where z has a mean.",
        "`(x @ w).std()` measures from the mean.",
        lambda x, w: np.sqrt(((x @ w) ** 2).mean()),
        _after_relu,
    ),
    "after_the_relu": (
        "The weights are divided by the deviation of max(0, z), the layer's output. The task asks "
        "for z.",
        "Measure before the ReLU.",
        lambda x, w: np.maximum(x @ w, 0).std(),
        _after_relu,
    ),
    "each_unit": (
        "Each unit has a scale of its own: the deviation is taken over axis 0. Here one number "
        "serves the whole layer.",
        "`.std()` without an axis.",
        lambda x, w: (x @ w).std(axis=0),
        _after_relu,
    ),
}
for _key, (_message, _remedy, _divisor, _signal) in LSUV.items():
    chapter.mistake(lsuv_init, _key, _message, _remedy)(_lsuv(_divisor, _signal))


# --- more: start where another training ended ----------------------------------------------------


@chapter.exercise(
    points=3,
    returns="params",
    difficulty=2,
    minutes=12,
    optional=True,
    hints=(
        "Begin with a copy of the fresh parameters. Which of them does a checkpoint replace?",
        "The average starts AT the first checkpoint and moves a share 1 - beta towards each later "
        "one.",
        "`average = beta * average + (1 - beta) * c[name]` for each later checkpoint c; keep the "
        "fresh value where name or shape does not fit. The whole answer stands in "
        "`solutions/06_initialisation`.",
    ),
    afterthought="A net for 10 classes is to start a net for 3. Which parameters stay fresh?",
)
def init_from_checkpoints(params, checkpoints, beta):
    """Warm start: weights from an exponential moving average of saved ones.

    The average begins as the first checkpoint. With each later one it becomes
    beta * average + (1 - beta) * checkpoint.

    Parameters
    ----------
    params : dict of str to array
        Fresh parameters of the new net.
    checkpoints : list of dict of str to array
        Saved parameters, oldest first; all have the same names and shapes.
    beta : float
        From 0 (the last checkpoint alone) to 1 (the first alone).

    Returns
    -------
    params : dict of str to array
        The average, for each name that the checkpoints have with the same shape; the fresh
        values for the others. Names that the new net lacks are left out.
    """
    new = {}
    for name, fresh in params.items():
        saved = checkpoints[0].get(name)
        if saved is None or saved.shape != fresh.shape:
            new[name] = fresh
            continue
        for later in checkpoints[1:]:
            saved = beta * saved + (1 - beta) * later[name]
        new[name] = saved
    return new


@chapter.cases(init_from_checkpoints)
def checkpoint_cases(rng):
    for count, beta, body, old_head, new_head in [
        (3, 0.8, (4, 3), 5, 2),
        (4, 0.3, (2, 5), 3, 7),
        (3, 0.6, (3, 6), 4, 1),
    ]:

        def net(head, extra):
            made = {"W1": rng.normal(0, 1, body), "b1": rng.normal(0, 1, body[1])}
            made["W2"] = rng.normal(0, 1, (body[1], head))
            return made | {extra: rng.normal(0, 1, head)}

        fresh = net(new_head, "b_new")
        saved = [net(old_head, "b_old") for _ in range(count)]
        label = f"{count} checkpoints, beta = {beta}, another output layer"
        yield Case((fresh, saved, beta), label=label)


def _warm_start(average):
    """A warm start with another way to average a list of arrays."""

    def start(params, checkpoints, beta):
        new = {}
        for name, fresh in params.items():
            known = name in checkpoints[0] and checkpoints[0][name].shape == fresh.shape
            saved = [c[name] for c in checkpoints] if known else None
            new[name] = average(saved, beta, fresh) if known else fresh
        return new

    return start


def _moving(saved, beta, start):
    average = start
    for each in saved:
        average = beta * average + (1 - beta) * each
    return average


CHECKPOINTS = {
    "shares_exchanged": (
        "The shares look exchanged: beta for the new checkpoint, 1 - beta for the average.",
        "average = beta * average + (1 - beta) * checkpoint.",
        lambda saved, beta, fresh: _moving(saved[1:], 1 - beta, saved[0]),
    ),
    "last_only": (
        "These are the values of the last checkpoint: no average is taken.",
        "Walk through the checkpoints and move the average a little each time.",
        lambda saved, beta, fresh: saved[-1],
    ),
    "plain_mean": (
        "This is the plain mean of the checkpoints: `beta` seems not to be used.",
        "Later checkpoints move the average by a share 1 - beta.",
        lambda saved, beta, fresh: np.mean(saved, axis=0),
    ),
    "starts_at_zero": (
        "The values are too small: the average seems to start at 0, not at the first checkpoint.",
        "Start with the first checkpoint.",
        lambda saved, beta, fresh: _moving(saved, beta, 0 * fresh),
    ),
    "starts_fresh": (
        "The fresh random values are mixed into the average: it seems to start from them.",
        "Start with the first checkpoint.",
        lambda saved, beta, fresh: _moving(saved, beta, fresh),
    ),
    "nothing_loaded": (
        "All values are the fresh ones: nothing of the checkpoints came in.",
        "Replace what fits in name and shape.",
        lambda saved, beta, fresh: fresh,
    ),
}
for _key, (_message, _remedy, _average) in CHECKPOINTS.items():
    chapter.mistake(init_from_checkpoints, _key, _message, _remedy)(_warm_start(_average))


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "initialisation_q1",
    "What do the words *vanishing* and *exploding* gradient mean?",
    choices={
        "a": "the loss becomes 0, or infinite",
        "b": "the learning rate is too small, or too large",
        "c": "on the way back through many layers the gradient shrinks, or grows, by about the "
        "same "
        "factor at each layer",
        "d": "the weights become 0, or very large, during training",
    },
    answer="c",
    wrong={
        "a": "A loss of 0 would be a success. The words speak of the gradient on its way back.",
        "b": "The rate multiplies all layers' gradients alike. What vanishes is the gradient of "
        "the EARLY layers beside that of the late ones.",
        "d": "That may follow. The words describe the gradient, and it can vanish before any "
        "training, with ordinary weights.",
    },
    explanation="Each layer multiplies by weights and slopes. 0.8 a layer leaves 1 % after 20 "
    "layers, 1.25 gives 87 times as much. Both are powers, hence both are straight lines on a "
    "logarithmic axis.",
)
chapter.quiz(
    "initialisation_q2",
    "Why do weights start as RANDOM numbers?",
    choices={
        "a": "so that the units of a layer differ: equal units get equal gradients and stay equal",
        "b": "so that training avoids local optima",
        "c": "so that the gradient does not vanish",
        "d": "because the gradient of any loss is undefined at 0",
    },
    answer="a",
    wrong={
        "b": "That is often said. A random start has no knowledge of optima; what it does for "
        "certain is to break the symmetry between units.",
        "c": "Randomness alone does nothing for the size of a gradient; the SCALE of the draw "
        "does.",
        "d": "The gradient exists there. It is the same for all units of a layer, and that is the "
        "trouble.",
    },
    explanation="Two units with equal weights in and out compute the same and receive the same "
    "gradient, at every step. The lesson counts: 32 hidden units, one distinct column, after 200 "
    "steps too.",
)
chapter.quiz(
    "initialisation_q3",
    "A layer has fan_in = 50 and fan_out = 20, and a ReLU behind it. What is the standard "
    "deviation "
    "of He's normal start? Answer with a number.",
    answer=0.2,
    wrong={
        0.04: "That is the variance, 2 / 50. The deviation is its square root.",
        0.1: "That is sqrt(0.01), where 2 / fan_in is 0.04.",
        0.31622776601683794: "That is sqrt(2 / 20): He's rule divides by fan_in.",
        0.1690308509457033: "That is sqrt(2 / 70): Xavier's rule.",
        0.1414213562373095: "That is sqrt(1 / 50): the 2 that makes up for the ReLU is missing.",
    },
    explanation="sqrt(2 / 50) = 0.2. He's rule is about the variance of the WEIGHTS; it is not "
    "'based on the variance of the activation function', as a printed text has it.",
)
chapter.quiz(
    "initialisation_q4",
    "fan_in = 10, fan_out = 14. Xavier's uniform start draws between -a and a. What is a? Answer "
    "with a number.",
    answer=0.5,
    wrong={
        0.28867513459481287: "That is the standard deviation. Uniform numbers reach sqrt(3) "
        "deviations far.",
        0.25: "That is 6 / 24; the square root is missing.",
        0.7745966692414834: "That is sqrt(6 / 10): He's rule.",
        0.08333333333333333: "That is the variance, 2 / 24.",
    },
    explanation="a = sqrt(6 / 24) = 0.5, since a^2 / 3 = 2 / 24. The WEIGHTS do not have variance "
    "1: it is the signal whose variance is kept.",
)
chapter.quiz(
    "initialisation_q5",
    "A dict holds the gradients W1 = [3, 4] and b1 = [12]. `clip_by_global_norm` with max_norm = "
    "6.5: what becomes of the 12? Answer with a number.",
    answer=6,
    wrong={
        6.5: "That is clipping by value, or array by array. One factor serves the whole dict.",
        12: "The global norm is 13, larger than 6.5: all entries shrink.",
        4.588235294117647: "That divides by 17, the sum of the norms 5 and 12. The global norm is "
        "the root of 25 + 144.",
    },
    explanation="The global norm is sqrt(9 + 16 + 144) = 13, the factor 6.5 / 13 = 0.5. All three "
    "entries are halved, so the direction stays.",
)
chapter.quiz(
    "initialisation_q6",
    "A 20-layer sigmoid net is started. SGD is exchanged for Adam. What changes about the gradient "
    "that backpropagation computes at the FIRST step?",
    choices={
        "a": "it grows in the early layers, because Adam adapts to each parameter",
        "b": "it no longer vanishes, but it may explode",
        "c": "it becomes the same size in all layers",
        "d": "nothing: same net, same weights, same gradient. Adam changes the step made from it",
    },
    answer="d",
    wrong={
        "a": "Adam adapts the STEP of each parameter. The gradient is the derivative of the loss, "
        "and the loss knows no optimiser.",
        "b": "The optimiser has no hand in the derivative.",
        "c": "Adam's first STEPS have nearly one size in all layers, as long as gradients are well "
        "above its epsilon. The gradients have not.",
    },
    explanation="That is why the lesson measures gradients and training apart. Adam's rescaled "
    "steps help nets of moderate depth to train; at 20 sigmoid layers, gradients near its "
    "epsilon carry no usable signal.",
)
chapter.quiz(
    "initialisation_q7",
    "A text lists 'L1 or L2 regularisation' among the remedies for vanishing gradients. What "
    "does an "
    "L2 penalty do to a gradient on its way back?",
    choices={
        "a": "it adds a constant to it, so that it cannot vanish",
        "b": "it pulls the weights towards 0, and smaller weights shrink it further; at most it "
        "can "
        "hold back an explosion",
        "c": "it makes it larger at early layers and smaller at late ones",
        "d": "it sets it to 0 for the weights that are not needed",
    },
    answer="b",
    wrong={
        "a": "It adds 2 l2 w to the gradient of w: a pull towards 0. The signal of the DATA does "
        "not become larger.",
        "c": "The penalty knows no layers' order.",
        "d": "Setting weights to 0 is what an L1 penalty may do; it brings no gradient back to "
        "life.",
    },
    explanation="The way back multiplies by the weights, layer after layer. Smaller weights, "
    "smaller product.",
)
chapter.quiz(
    "initialisation_q8",
    "A net has 5 convolutional layers, each with a ReLU, 3 max-pooling layers and 2 fully "
    "connected "
    "layers. What is its depth, counted in layers that learn? Answer with a number.",
    answer=7,
    wrong={
        5: "The fully connected layers learn as well. Depth is not the number of convolutions.",
        10: "Pooling has no parameters.",
        15: "Neither pooling nor ReLU has parameters.",
    },
    explanation="Depth counts layers with parameters that are learned: 5 + 2. More depth can "
    "express more with fewer units; it also multiplies more factors on the way back.",
)
chapter.quiz(
    "initialisation_q9",
    "A 30-layer net has a larger error than a 10-layer net, on the TRAINING data too. What is "
    "that?",
    choices={
        "a": "overfitting: the deeper net has more parameters",
        "b": "a data set that is too small",
        "c": "a failure of optimisation: the deeper net could do as well, and training does not "
        "get "
        "there",
        "d": "proof that 10 layers are the best depth for these data",
    },
    answer="c",
    wrong={
        "a": "Overfitting shows as a SMALL training error beside a large test error.",
        "b": "Fewer data make it easier to fit the training set, not harder.",
        "d": "It shows what this start and this optimiser reach. With residual layers or "
        "normalisation the order may turn round.",
    },
    explanation="It is called degradation. Extra layers could copy their input and lose nothing; "
    "plain layers do not find that. Residual layers start near it (He and others, 2016).",
)
chapter.quiz(
    "initialisation_q10",
    "A text recommends 'momentum initialisation' and 'adaptive initialisation'. Which sentence is "
    "right?",
    choices={
        "a": "both are standard methods, built into every library",
        "b": "'momentum initialisation' is the start of Adam's first moment at 0",
        "c": "'adaptive initialisation' is another name for the Adam optimiser",
        "d": "neither is an established name; the nearest real things are a warm start from saved "
        "(perhaps averaged) weights, and data-dependent starts such as LSUV",
    },
    answer="d",
    wrong={
        "a": "No common library has an initialiser of either name.",
        "b": "That start exists and has no such name; it says nothing about weights.",
        "c": "Adam is an optimiser: it works at every step, an initialiser only before the first.",
    },
    explanation="A term that no paper defines cannot be checked. What can: average the weights of "
    "saved nets and start there; or run one batch and rescale each layer until its output has "
    "variance 1.",
)
chapter.quiz(
    "initialisation_q11",
    "'How can backpropagation be optimised?' Which of these acts on the gradient that training "
    "uses, "
    "between `backward` and the step?",
    choices={
        "a": "pruning weights after training",
        "b": "clipping by the global norm",
        "c": "sharing weights between layers",
        "d": "storing the weights with 8 bits for prediction",
    },
    answer="b",
    wrong={
        "a": "That makes a trained net smaller. Backpropagation is over by then.",
        "c": "That is a decision about the model; its gradient is computed as before.",
        "d": "That is compression for prediction; no gradient takes part.",
    },
    explanation="The order is: forward, backward, clip, step. A good start, an adaptive optimiser "
    "and clipping make TRAINING work better. Pruning and compression are about the model's size.",
)
chapter.quiz(
    "initialisation_q12",
    "A deep net does not learn. What comes first?",
    choices={
        "a": "measure: the size of the signal and of the gradient at each layer, before training",
        "b": "exchange the optimiser for Adam",
        "c": "add layers",
        "d": "add L2 regularisation and clip the gradients",
    },
    answer="a",
    wrong={
        "b": "It may help or not; without a measurement nobody knows which.",
        "c": "More layers multiply more factors.",
        "d": "Both hold gradients back. Against a gradient that has vanished they do nothing.",
    },
    explanation="A falling line, a rising one and a level one ask for different things: a larger "
    "start, a smaller start or clipping, and a look elsewhere: learning rate, data, bugs.",
)
