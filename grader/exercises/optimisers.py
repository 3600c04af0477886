"""Chapter 07, optimisers and schedules: what to do with a gradient once it is right.

Rules keep their memory in `config`, so they are checked by a driver that walks several steps:
many mistakes are invisible after one.
"""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("07_optimisers", "Optimisers and schedules")


# --- minibatches: one epoch in pieces ------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="sizes, examples",
    difficulty=2,
    minutes=10,
    hints=(
        "Shuffle once, then cut. What has to be shuffled so that X and y stay together?",
        "`rng.permutation(len(X))` gives the row numbers in a random order. Cut these into pieces; "
        "a slice that reaches beyond the end is shorter, and no error.",
        "With `order = rng.permutation(len(X))`: for every `i` in `range(0, len(X), batch_size)`, "
        "`rows = order[i : i + batch_size]`, then `yield X[rows], y[rows]`. The whole answer "
        "stands in `solutions/07_optimisers`.",
    ),
    afterthought="How many updates does one epoch give for batch sizes 1, 32 and N?",
)
def minibatches(X, y, batch_size, rng):
    """One epoch in random pieces: every example comes exactly once.

    Parameters
    ----------
    X : (N, ...) array
        Examples. X and y are left as they are.
    y : (N,) array
        Their labels.
    batch_size : int
        Size of each batch; the last one is smaller if N is no multiple of it.
    rng : numpy.random.Generator
        Draws the order. It moves on, so the next epoch gets another order.

    Yields
    ------
    X_batch, y_batch
        Rows that belong together. (A list of such pairs will do as well.)
    """
    order = rng.permutation(len(X))
    for i in range(0, len(X), batch_size):
        rows = order[i : i + batch_size]
        yield X[rows], y[rows]


def drive_epoch(minibatches, X, y, batch_size, seed):
    """Sizes of the batches, and how often the examples come; y holds a number for each example."""
    batches = minibatches(X, y, batch_size, np.random.default_rng(seed))
    if batches is None:
        return None, None
    if isinstance(batches, tuple) and len(batches) == 2 and isinstance(batches[0], np.ndarray):
        raise TypeError("one batch came back, where one pair for each batch is expected")
    sizes, seen = [], []
    for X_batch, y_batch in batches:
        sizes.append(len(X_batch))
        seen.extend(np.asarray(y_batch).tolist())
        if len(sizes) > len(X) + 3:
            break  # a loop without an end
    counts = [seen.count(number) for number in y.tolist()]
    if min(counts) == 0:
        return np.array(sizes), "some never come"
    return np.array(sizes), "some come twice" if max(counts) > 1 else "each comes once"


def _numbered(rng, shape):
    """Examples, and a different number for each."""
    return rng.standard_normal(shape), 10 + rng.permutation(shape[0])


@chapter.cases(minibatches)
def minibatch_cases(rng):
    for shape, size in [((10, 3), 4), ((12, 2), 4), ((37, 5), 8), ((7, 2), 9), ((11, 2, 3, 5), 3)]:
        X, y = _numbered(rng, shape)
        seed = int(rng.integers(1000))
        label = f"N = {shape[0]}, batch_size = {size}"
        yield Case((X, y, size, seed), drive=drive_epoch, label=label)


def drive_pairs(minibatches, X, y, batch_size, seed):
    """Does every row of X come with its own y?"""
    rows = {number: X[i].copy() for i, number in enumerate(y.tolist())}
    for X_batch, y_batch in minibatches(X, y, batch_size, np.random.default_rng(seed)):
        for x, number in zip(X_batch, np.asarray(y_batch).tolist(), strict=False):
            if not np.array_equal(x, rows[number]):
                return False
    return True


@chapter.property(
    minibatches,
    "pairs_kept",
    "Rows of X come with labels of other examples: X and y are not reordered in the same way. A "
    "net would train on noise.",
)
def minibatch_pairs(rng):
    X, y = _numbered(rng, (13, 3))
    yield Case((X, y, 5, int(rng.integers(1000))), drive=drive_pairs, label="N = 13")


def drive_two_epochs(minibatches, X, y, batch_size, seed):
    """Two epochs with one generator: is the second one another?"""
    rng = np.random.default_rng(seed)
    first = [np.asarray(b).tolist() for _, b in minibatches(X, y, batch_size, rng)]
    second = [np.asarray(b).tolist() for _, b in minibatches(X, y, batch_size, rng)]
    if first == second:
        return "both epochs have the same order"
    if sorted(map(sorted, first)) == sorted(map(sorted, second)):
        return "the same examples share a batch in both epochs"
    return "a new order"


@chapter.property(
    minibatches,
    "order_drawn_anew",
    "The second epoch repeats the first: the order has to be drawn anew each time, for the "
    "examples and not only for the batches.",
)
def minibatch_orders(rng):
    X, y = _numbered(rng, (40, 2))
    yield Case((X, y, 8, int(rng.integers(1000))), drive=drive_two_epochs, label="two epochs")


def drive_same_seed(minibatches, X, y, batch_size, seed):
    """Two generators with one seed: the same epoch?"""
    epochs = []
    for _ in range(2):
        rng = np.random.default_rng(seed)
        epochs.append([np.asarray(b).tolist() for _, b in minibatches(X, y, batch_size, rng)])
    return epochs[0] == epochs[1]


@chapter.property(
    minibatches,
    "same_seed_same_batches",
    "Two generators with the same seed give different epochs: it looks as if the order is drawn "
    "from another source than `rng`. Such a run cannot be repeated.",
)
def minibatch_seeds(rng):
    X, y = _numbered(rng, (40, 2))
    yield Case((X, y, 8, int(rng.integers(1000))), drive=drive_same_seed, label="one seed, twice")


@chapter.mistake(
    minibatches,
    "last_dropped",
    "The last, smaller batch is missing: with N = 10 and batches of 4, two examples never come.",
    "Let the loop run over `range(0, N, batch_size)`, not over `N // batch_size` batches.",
)
def minibatches_last_dropped(X, y, batch_size, rng):
    order = rng.permutation(len(X))
    for k in range(len(X) // batch_size):
        rows = order[k * batch_size : (k + 1) * batch_size]
        yield X[rows], y[rows]


@chapter.mistake(
    minibatches,
    "with_replacement",
    "Some examples come twice and others not at all: each batch looks drawn on its own. In an "
    "epoch every example comes exactly once.",
    "Draw ONE permutation, and cut it.",
)
def minibatches_with_replacement(X, y, batch_size, rng):
    for i in range(0, len(X), batch_size):
        rows = rng.integers(0, len(X), min(batch_size, len(X) - i))
        yield X[rows], y[rows]


@chapter.mistake(
    minibatches,
    "full_size_with_replacement",
    "Every batch is full, and some examples come twice: each batch looks drawn on its own from "
    "all examples.",
    "Draw ONE permutation, and cut it.",
)
def minibatches_full_size_with_replacement(X, y, batch_size, rng):
    for _ in range(0, len(X), batch_size):
        rows = rng.integers(0, len(X), batch_size)
        yield X[rows], y[rows]


@chapter.mistake(
    minibatches,
    "pairs_broken",
    "X and y are each shuffled in an order of their own: the labels belong to other examples.",
    "Draw one order, and use it for both.",
)
def minibatches_pairs_broken(X, y, batch_size, rng):
    first, second = rng.permutation(len(X)), rng.permutation(len(X))
    for i in range(0, len(X), batch_size):
        yield X[first[i : i + batch_size]], y[second[i : i + batch_size]]


@chapter.mistake(
    minibatches,
    "not_shuffled",
    "Every epoch has the same order: it looks as if nothing is shuffled, or always from the same "
    "seed.",
    "`order = rng.permutation(len(X))`, inside the function.",
)
def minibatches_not_shuffled(X, y, batch_size, rng):
    for i in range(0, len(X), batch_size):
        yield X[i : i + batch_size], y[i : i + batch_size]


@chapter.mistake(
    minibatches,
    "batches_shuffled_only",
    "The order of the batches changes, their content does not: the same examples share a batch "
    "in every epoch.",
    "Shuffle the examples first, then cut.",
)
def minibatches_batches_shuffled_only(X, y, batch_size, rng):
    starts = np.arange(0, len(X), batch_size)
    ends = [k for k in starts if k + batch_size > len(X)]
    full = rng.permutation([k for k in starts if k + batch_size <= len(X)])
    for i in [*full, *ends]:
        i = int(i)
        yield X[i : i + batch_size], y[i : i + batch_size]


@chapter.mistake(
    minibatches,
    "another_generator",
    "The same seed does not give the same batches: the order seems to come from another source "
    "than `rng`, such as `np.random.permutation`.",
    "`rng.permutation(len(X))`, with the `rng` that is handed in.",
)
def minibatches_another_generator(X, y, batch_size, rng):
    order = np.random.default_rng().permutation(len(X))
    for i in range(0, len(X), batch_size):
        rows = order[i : i + batch_size]
        yield X[rows], y[rows]


@chapter.mistake(
    minibatches,
    "equal_pieces",
    "The batches have nearly equal sizes instead of `batch_size` each: it looks like "
    "`np.array_split`.",
    "Cut after every `batch_size` examples; only the last batch may be smaller.",
)
def minibatches_equal_pieces(X, y, batch_size, rng):
    order = rng.permutation(len(X))
    return [(X[r], y[r]) for r in np.array_split(order, -(-len(X) // batch_size))]


@chapter.mistake(
    minibatches,
    "first_batch_only",
    "One batch came back and the function ended: it looks like `return` inside the loop.",
    "`yield` hands out a batch and goes on; or collect the pairs in a list.",
)
def minibatches_first_batch_only(X, y, batch_size, rng):
    order = rng.permutation(len(X))[:batch_size]
    return X[order], y[order]


# --- walking several steps with a rule -----------------------------------------------------------


def drive_rule(rule, w, gradients, config):
    """Walk one step for each gradient; all positions, and the states that `config` holds then."""
    path, states = [], ("velocity", "cache", "m", "v", "t")
    for k, dw in enumerate(gradients):
        came = rule(w, dw) if k == 0 and config is None else rule(w, dw, config)
        if came is None:
            return None, None
        if not isinstance(came, (tuple, list)) or len(came) < 2:
            raise TypeError("one value came back, where two are expected: next_w, config")
        w, config = came[0], came[1]
        if w is None:
            return None, None
        if config is not None and not isinstance(config, dict):
            raise TypeError(f"the second value is {type(config).__name__}; config is a dict")
        path.append(np.array(w))
    same = all(step.shape == path[0].shape for step in path)
    kept = {name: config[name] for name in states if name in (config or {})}
    return np.array(path) if same else path[-1], kept


def drive_plain_rule(rule, w, gradients, config):
    """The same for a rule without states: only the positions."""
    path = []
    for k, dw in enumerate(gradients):
        came = rule(w, dw) if k == 0 and config is None else rule(w, dw, config)
        if came is None:
            return None
        if not isinstance(came, (tuple, list)) or len(came) < 2:
            raise TypeError("one value came back, where two are expected: next_w, config")
        w, config = came[0], came[1]
        if w is None:
            return None
        path.append(np.array(w))
    same = all(step.shape == path[0].shape for step in path)
    return np.array(path) if same else path[-1]


def _walk(rng, steps, shape):
    """A start and gradients of both signs, far from any epsilon."""
    w = rng.normal(0, 1, shape)
    size = rng.uniform(2, 5, (steps, *shape))
    return w, size * rng.choice([-1.0, 1.0], size.shape)


def _rule_cases(rng, settings, preset, drive=drive_rule):
    """One step, several steps, other settings, and states that are there already."""
    yield Case((*_walk(rng, 1, (3,)), None), drive=drive, label="one step, config=None")
    yield Case(
        (*_walk(rng, 4, (4, 5)), None),
        drive=drive,
        label="4 steps from config=None; the first index of next_w is the step",
    )
    yield Case(
        (*_walk(rng, 5, (2, 3, 5)), settings),
        drive=drive,
        label=", ".join(f"{name} {value:g}" for name, value in settings.items()) + "; 5 steps",
    )
    shape = (5, 7)
    states = {name: make(shape) for name, make in preset.items()}
    yield Case(
        (*_walk(rng, 3, shape), {"learning_rate": 0.07, **states}),
        drive=drive,
        label=f"{', '.join(preset) or 'learning_rate'} given in config; 3 steps",
    )
    w, gradients = _walk(rng, 2, (4,))
    gradients[:, 1] = 0.0
    yield Case((w, gradients, None), drive=drive, label="2 steps; one entry has no gradient")


# --- plain gradient descent ----------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="next_w",
    difficulty=1,
    minutes=4,
    hints=(
        "The gradient points uphill. Which sign leads down?",
        "`config` is a dict, or `None` at the first call: make it `{}` then, and read the rate "
        "with a default.",
        "`config = {} if config is None else config`, `rate = config.setdefault('learning_rate', "
        "1e-2)`, then return `w - rate * dw, config`. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="The other rules have the same signature. What does that spare the trainer?",
)
def sgd(w, dw, config=None):
    """One step of plain gradient descent: w - learning_rate * dw.

    Parameters
    ----------
    w : array of any shape
    dw : array like w
        The gradient of the loss.
    config : dict or None
        May hold "learning_rate" (1e-2 if it does not).

    Returns
    -------
    next_w : array like w
    config : dict
        To be handed in again at the next step.
    """
    config = {} if config is None else config
    rate = config.setdefault("learning_rate", 1e-2)
    return w - rate * dw, config


@chapter.cases(sgd)
def sgd_cases(rng):
    yield from _rule_cases(rng, {"learning_rate": 0.3}, {}, drive_plain_rule)


@chapter.mistake(
    sgd,
    "uphill",
    "The weights moved along the gradient, which points uphill: the loss would rise.",
    "Subtract: `w - rate * dw`.",
)
def sgd_uphill(w, dw, config=None):
    config = config or {}
    return w + config.get("learning_rate", 1e-2) * dw, config


@chapter.mistake(
    sgd,
    "learning_rate_dropped",
    "The step is the whole gradient: the learning rate seems not to be used.",
    "Multiply the gradient by the learning rate.",
)
def sgd_learning_rate_dropped(w, dw, config=None):
    return w - dw, config or {}


@chapter.mistake(
    sgd,
    "learning_rate_fixed",
    "The step is always 0.01 times the gradient: `config['learning_rate']` seems not to be used.",
    "0.01 is the default only; a rate in `config` comes first.",
)
def sgd_learning_rate_fixed(w, dw, config=None):
    return w - 1e-2 * dw, config or {}


@chapter.mistake(
    sgd,
    "learning_rate_squared",
    "The learning rate is multiplied in twice.",
    "Once is enough: `w - rate * dw`.",
)
def sgd_learning_rate_squared(w, dw, config=None):
    config = config or {}
    return w - config.get("learning_rate", 1e-2) ** 2 * dw, config


@chapter.mistake(
    sgd,
    "config_not_returned",
    "Only the weights came back. Two values are asked for: the next step needs `config` again.",
    "`return next_w, config`.",
)
def sgd_config_not_returned(w, dw, config=None):
    return w - (config or {}).get("learning_rate", 1e-2) * dw


@chapter.mistake(
    sgd,
    "config_is_none",
    "At the first call `config` is `None`, and `None` has no entries.",
    "First line: `config = {} if config is None else config`.",
)
def sgd_config_is_none(w, dw, config=None):
    return w - config["learning_rate"] * dw, config


@chapter.mistake(
    sgd,
    "step_returned",
    "The step came back, not the new weights.",
    "Return `w` minus the step.",
)
def sgd_step_returned(w, dw, config=None):
    config = config or {}
    return config.get("learning_rate", 1e-2) * dw, config


# --- momentum ------------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="next_w, config",
    difficulty=2,
    minutes=8,
    hints=(
        "Think of a ball: the old velocity is kept in part, the slope adds to it, and the weights "
        "move by the velocity.",
        "v = mu * v - rate * dw, then w + v. The new v has to be stored in `config['velocity']`, "
        "or the next step starts from rest.",
        "`v = config.get('velocity', np.zeros_like(w))`, `v = mu * v - rate * dw`, "
        "`config['velocity'] = v`, `return w + v, config`. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="The gradient stays the same for ever. How long do the steps get, in units of "
    "rate * dw?",
)
def sgd_momentum(w, dw, config=None):
    """One step of gradient descent with momentum: v = mu v - learning_rate dw, then w + v.

    Parameters
    ----------
    w : array of any shape
    dw : array like w
        The gradient of the loss.
    config : dict or None
        May hold "learning_rate" (1e-2), "momentum" mu (0.9) and the state "velocity", an array
        like w (zeros).

    Returns
    -------
    next_w : array like w
    config : dict
        With the new "velocity".
    """
    config = {} if config is None else config
    rate = config.setdefault("learning_rate", 1e-2)
    mu = config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = mu * v - rate * dw
    config["velocity"] = v
    return w + v, config


@chapter.cases(sgd_momentum)
def momentum_cases(rng):
    settings = {"learning_rate": 0.2, "momentum": 0.7}
    preset = {"velocity": lambda shape: rng.normal(0, 0.5, shape)}
    yield from _rule_cases(rng, settings, preset)


def _momentum_parts(w, config):
    config = {} if config is None else config
    rate, mu = config.get("learning_rate", 1e-2), config.get("momentum", 0.9)
    return config, rate, mu, config.get("velocity", np.zeros_like(w))


@chapter.mistake(
    sgd_momentum,
    "velocity_sign",
    "The weights run uphill: the velocity collects +rate * dw and is then added.",
    "v = mu * v - rate * dw, and w + v.",
)
def sgd_momentum_velocity_sign(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    v = mu * v + rate * dw
    return w + v, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "velocity_counted_uphill",
    "The first steps are right, but the stored velocity has the opposite sign: it fits "
    "v = mu * v + rate * dw and w - v. A velocity that is handed in is then read backwards.",
    "v points where the weights move: v = mu * v - rate * dw, and w + v.",
)
def sgd_momentum_velocity_counted_uphill(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    v = mu * v + rate * dw
    return w - v, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "rate_outside",
    "The steps fit v = mu * v + dw and w - rate * v, a form that some libraries use. Here the "
    "velocity contains the rate already, so a velocity that is handed in means something else.",
    "v = mu * v - rate * dw, and w + v.",
)
def sgd_momentum_rate_outside(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    v = mu * v + dw
    return w - rate * v, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "learning_rate_squared",
    "The learning rate is multiplied in twice: in the velocity, and again in the step.",
    "The velocity contains the rate already: `w + v`.",
)
def sgd_momentum_learning_rate_squared(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    v = mu * v - rate * dw
    return w + rate * v, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "velocity_not_stored",
    "The velocity is not stored in `config`: every step starts from rest, and the rule is plain "
    "gradient descent.",
    "`config['velocity'] = v` before the return.",
)
def sgd_momentum_velocity_not_stored(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    return w + mu * v - rate * dw, config


@chapter.mistake(
    sgd_momentum,
    "velocity_not_used",
    "A velocity is kept, but the step does not use it: the weights move by -rate * dw alone.",
    "Move by the velocity: `w + v`.",
)
def sgd_momentum_velocity_not_used(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    return w - rate * dw, {**config, "velocity": mu * v - rate * dw}


@chapter.mistake(
    sgd_momentum,
    "one_step_late",
    "The weights move by the OLD velocity: the first step goes nowhere.",
    "Renew the velocity first, then move.",
)
def sgd_momentum_one_step_late(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    return w + v, {**config, "velocity": mu * v - rate * dw}


@chapter.mistake(
    sgd_momentum,
    "average",
    "The gradient enters with a weight of 1 - mu: that is a moving average, as in Adam. The "
    "steps are 1 / (1 - mu) times too short.",
    "v = mu * v - rate * dw.",
)
def sgd_momentum_average(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    v = mu * v - (1 - mu) * rate * dw
    return w + v, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "momentum_fixed",
    "The momentum is always 0.9: `config['momentum']` seems not to be used.",
    "0.9 is the default only; a value in `config` comes first.",
)
def sgd_momentum_momentum_fixed(w, dw, config=None):
    config, rate, _, v = _momentum_parts(w, config)
    v = 0.9 * v - rate * dw
    return w + v, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "nesterov",
    "These steps are those of Nesterov's momentum, which looks one step ahead. It is a good rule, "
    "and another one.",
    "Move by the new velocity alone: `w + v`.",
)
def sgd_momentum_nesterov(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    v = mu * v - rate * dw
    return w + mu * v - rate * dw, {**config, "velocity": v}


@chapter.mistake(
    sgd_momentum,
    "config_not_returned",
    "Only the weights came back. The next step needs `config`, where the velocity is kept.",
    "`return next_w, config`.",
)
def sgd_momentum_config_not_returned(w, dw, config=None):
    config, rate, mu, v = _momentum_parts(w, config)
    return w + mu * v - rate * dw


# --- RMSProp -------------------------------------------------------------------------------------

# Eps inside or outside the root, and Adam's correction moved into the rate: with gradients of 2
# to 5 all right forms agree to a tenth of this; every wrong form is off by 1e-3 or more.
FORMS_AGREE = 1e-6


@chapter.exercise(
    points=3,
    returns="next_w, config",
    difficulty=2,
    minutes=8,
    rtol=FORMS_AGREE,
    hints=(
        "Every weight gets a rate of its own: the step is divided by the usual size of its "
        "gradient.",
        "`cache` is a running mean of the SQUARED gradient: most of the old, a little of the new. "
        "The usual size is its root.",
        "`cache = decay * cache + (1 - decay) * dw**2`, store it, then "
        "`w - rate * dw / (np.sqrt(cache) + epsilon)`. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="All gradients are made 1000 times larger. What happens to the steps?",
)
def rmsprop(w, dw, config=None):
    """One step of RMSProp: the gradient, divided by its own running size.

    cache = decay_rate * cache + (1 - decay_rate) * dw^2; the step is
    learning_rate * dw / (sqrt(cache) + epsilon), downhill.

    Parameters
    ----------
    w : array of any shape
    dw : array like w
        The gradient of the loss.
    config : dict or None
        May hold "learning_rate" (1e-2), "decay_rate" (0.99), "epsilon" (1e-8) and the state
        "cache", an array like w (zeros).

    Returns
    -------
    next_w : array like w
    config : dict
        With the new "cache".
    """
    config = {} if config is None else config
    rate = config.setdefault("learning_rate", 1e-2)
    decay = config.setdefault("decay_rate", 0.99)
    epsilon = config.setdefault("epsilon", 1e-8)
    cache = config.get("cache", np.zeros_like(w))
    cache = decay * cache + (1 - decay) * dw**2
    config["cache"] = cache
    return w - rate * dw / (np.sqrt(cache) + epsilon), config


@chapter.cases(rmsprop)
def rmsprop_cases(rng):
    settings = {"learning_rate": 0.05, "decay_rate": 0.8}
    preset = {"cache": lambda shape: rng.uniform(2, 12, shape)}
    yield from _rule_cases(rng, settings, preset)


def _rmsprop(w, dw, config, bug):
    config = {} if config is None else dict(config)
    rate, decay = config.get("learning_rate", 1e-2), config.get("decay_rate", 0.99)
    old = config.get("cache", np.zeros_like(w))
    if bug == "decay_fixed":
        decay = 0.99
    keep, add = (1 - decay, decay) if bug == "decay_swapped" else (decay, 1 - decay)
    if bug in ("weight_missing", "never_forgets"):
        add = 1
    if bug == "never_forgets":
        keep = 1
    cache = keep * old + add * (dw if bug == "not_squared" else dw**2)
    if bug != "cache_not_stored":
        config["cache"] = cache
    if bug == "old_cache":
        cache = old
    with np.errstate(all="ignore"):
        below = cache + 1e-8 if bug == "no_root" else np.sqrt(cache) + 1e-8
    sign = 1 if bug == "uphill" else -1
    return w + sign * rate * dw / below, config


def _declare(answer, rule, bugs):
    """Mistakes of a rule that takes the name of its bug."""
    for bug, (message, remedy) in bugs.items():

        def wrong(w, dw, config=None, bug=bug):
            return rule(w, dw, config, bug)

        chapter.mistake(answer, bug, message, remedy)(wrong)


SIZE_BUGS = {
    "no_root": (
        "The step is divided by the mean SQUARE of the gradient: the root is missing. Large "
        "gradients then give small steps.",
        "Divide by `np.sqrt(cache) + epsilon`.",
    ),
    "uphill": (
        "The weights moved along the gradient, which points uphill.",
        "Subtract the step.",
    ),
    "cache_not_stored": (
        "The new `cache` is not stored in `config`: every step begins with the old one.",
        "`config['cache'] = cache` before the return.",
    ),
    "old_cache": (
        "The step is divided by the OLD cache, which is 0 at the first step: it becomes enormous.",
        "Renew the cache first, then take the step.",
    ),
}

_declare(
    rmsprop,
    _rmsprop,
    {
        **SIZE_BUGS,
        "decay_swapped": (
            "Old and new have each other's weight: the cache keeps 1 - decay_rate of the old and "
            "takes decay_rate of the new. It has no memory to speak of.",
            "`decay * cache + (1 - decay) * dw**2`.",
        ),
        "weight_missing": (
            "The squared gradient enters with a weight of 1: the factor (1 - decay_rate) is "
            "missing.",
            "`decay * cache + (1 - decay) * dw**2`.",
        ),
        "never_forgets": (
            "The cache adds up all squares and forgets nothing: that is Adagrad.",
            "`decay * cache + (1 - decay) * dw**2`.",
        ),
        "not_squared": (
            "The cache is a mean of the gradient, not of its square: it becomes negative, and the "
            "root of a negative number is nan.",
            "Square the gradient: `dw**2`.",
        ),
        "decay_fixed": (
            "The decay rate is always 0.99: `config['decay_rate']` seems not to be used.",
            "0.99 is the default only; a value in `config` comes first.",
        ),
    },
)


# --- Adam ----------------------------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="next_w, config",
    difficulty=3,
    minutes=15,
    rtol=FORMS_AGREE,
    hints=(
        "Adam joins two running means: m of the gradient (as momentum does) and v of its square "
        "(as RMSProp does). Both start at 0, so both are too small at first.",
        "After t steps the weights in m add up to 1 - beta1**t. Dividing by that sum repairs the "
        "start. Count t up before it is used; store m and v UNcorrected.",
        "`t += 1`, `m = b1 * m + (1 - b1) * dw`, `v = b2 * v + (1 - b2) * dw**2`, store the three; "
        "then `m_hat = m / (1 - b1**t)`, `v_hat = v / (1 - b2**t)` and "
        "`w - rate * m_hat / (np.sqrt(v_hat) + epsilon)`. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="How long is the first step, whatever the gradient is?",
)
def adam(w, dw, config=None):
    """One step of Adam, with bias correction.

    m and v are running means of dw and of dw^2, with weights beta1 and beta2 for the old. The
    step is learning_rate * m_hat / (sqrt(v_hat) + epsilon), downhill, where m_hat = m / (1 -
    beta1^t) and v_hat = v / (1 - beta2^t). `config` keeps m and v as they are, without correction.

    Parameters
    ----------
    w : array of any shape
    dw : array like w
        The gradient of the loss.
    config : dict or None
        May hold "learning_rate" (1e-3), "beta1" (0.9), "beta2" (0.999), "epsilon" (1e-8) and the
        states "m" and "v", arrays like w (zeros), and "t", the number of steps taken (0). t is
        incremented before it is used.

    Returns
    -------
    next_w : array like w
    config : dict
        With the new "m", "v" and "t".
    """
    config = {} if config is None else config
    rate = config.setdefault("learning_rate", 1e-3)
    beta1 = config.setdefault("beta1", 0.9)
    beta2 = config.setdefault("beta2", 0.999)
    epsilon = config.setdefault("epsilon", 1e-8)
    t = config.get("t", 0) + 1
    m = beta1 * config.get("m", np.zeros_like(w)) + (1 - beta1) * dw
    v = beta2 * config.get("v", np.zeros_like(w)) + (1 - beta2) * dw**2
    config.update(m=m, v=v, t=t)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - rate * m_hat / (np.sqrt(v_hat) + epsilon), config


@chapter.cases(adam)
def adam_cases(rng):
    settings = {"learning_rate": 0.05, "beta1": 0.7, "beta2": 0.9}
    preset = {
        "m": lambda shape: rng.normal(0, 2, shape),
        "v": lambda shape: rng.uniform(2, 12, shape),
        "t": lambda shape: 5,
    }
    yield from _rule_cases(rng, settings, preset)


def _adam(w, dw, config, bug):
    config = {} if config is None else dict(config)
    rate = config.get("learning_rate", 1e-3)
    b1, b2 = config.get("beta1", 0.9), config.get("beta2", 0.999)
    t = config.get("t", 0)
    m, v = config.get("m", np.zeros_like(w)), config.get("v", np.zeros_like(w))
    if bug == "betas_swapped":
        b1, b2 = b2, b1
    if bug == "betas_fixed":
        b1, b2 = 0.9, 0.999
    used = t if bug in ("t_never_counted", "t_counted_late") else t + 1
    square = dw if bug == "not_squared" else dw**2
    if bug == "decay_swapped":
        m, v = (1 - b1) * m + b1 * dw, (1 - b2) * v + b2 * square
    else:
        m, v = b1 * m + (1 - b1) * dw, b2 * v + (1 - b2) * square
    with np.errstate(all="ignore"):
        below1 = 1 - (b1 * used if bug == "times_t" else np.float64(b1) ** used)
        below2 = 1 - (b2 * used if bug == "times_t" else np.float64(b2) ** used)
        below1 = 1 if bug in ("no_bias_correction", "m_not_corrected") else below1
        below2 = 1 if bug in ("no_bias_correction", "v_not_corrected") else below2
        m_hat, v_hat = m / below1, v / below2
        size = v_hat + 1e-8 if bug == "no_root" else np.sqrt(v_hat) + 1e-8
        step = rate * (dw if bug == "m_not_used" else m_hat) / size
    if bug == "corrected_stored":
        m, v = m_hat, v_hat
    if bug != "states_not_stored":
        config.update(m=m, v=v, t=t if bug in ("t_never_counted", "t_not_stored") else t + 1)
    return (w + step if bug == "uphill" else w - step), config


_declare(
    adam,
    _adam,
    {
        "no_bias_correction": (
            "These values equal Adam without bias correction: m and v start at 0 and are too small "
            "at first, v far more so. With the usual betas the first step is about 3 times too "
            "long.",
            "Divide m by 1 - beta1**t and v by 1 - beta2**t before the step.",
        ),
        "t_never_counted": (
            "`t` is never incremented. It stays as it came; from `config=None` that is 0, and "
            "1 - beta**0 is 0: a division by zero.",
            "`t = config['t'] + 1` first, and store it.",
        ),
        "t_not_stored": (
            "The new `t` is not stored in `config`: every step is corrected as if it were the "
            "same one.",
            "`config['t'] = t` before the return.",
        ),
        "t_counted_late": (
            "`t` is incremented after its use. The first step then divides by 1 - beta**0, which "
            "is 0.",
            "Count first: the first step is t = 1.",
        ),
        "corrected_stored": (
            "The corrected moments are stored back in `config`: the next step corrects them again.",
            "Keep m and v as they are; m_hat and v_hat live for one step.",
        ),
        "m_not_corrected": (
            "v is corrected and m is not: the first step is ten times too short with beta1 = 0.9.",
            "m_hat = m / (1 - beta1**t).",
        ),
        "v_not_corrected": (
            "m is corrected and v is not: the first step is about 32 times too long with "
            "beta2 = 0.999.",
            "v_hat = v / (1 - beta2**t).",
        ),
        "times_t": (
            "The correction is 1 - beta * t: beta is multiplied by t where a power is meant.",
            "`beta1**t`, not `beta1 * t`.",
        ),
        "betas_swapped": (
            "beta1 and beta2 are exchanged: m belongs to beta1, v to beta2.",
            "beta1 for the mean of the gradient, beta2 for the mean of its square.",
        ),
        "betas_fixed": (
            "beta1 and beta2 are always 0.9 and 0.999: those in `config` seem not to be used.",
            "The numbers are defaults only; values in `config` come first.",
        ),
        "decay_swapped": (
            "Old and new have each other's weight: m keeps 1 - beta1 of the old and takes beta1 "
            "of the new, and v likewise.",
            "`beta1 * m + (1 - beta1) * dw`.",
        ),
        "no_root": (
            "The step is divided by v_hat itself: the root is missing.",
            "Divide by `np.sqrt(v_hat) + epsilon`.",
        ),
        "not_squared": (
            "v is a mean of the gradient, not of its square: the root of a negative number is nan.",
            "Square the gradient: `dw**2`.",
        ),
        "m_not_used": (
            "The step takes the gradient itself where m_hat is meant: that is RMSProp with a "
            "correction.",
            "`rate * m_hat / (...)`.",
        ),
        "states_not_stored": (
            "m, v and t are not stored in `config`: every step is a first step.",
            "Store all three before the return.",
        ),
        "uphill": (
            "The weights moved uphill: the step is added.",
            "Subtract the step.",
        ),
    },
)


# --- the cosine ----------------------------------------------------------------------------------


def drive_schedule(schedule, steps, settings):
    """The rate at each of the steps."""
    rates = [schedule(step, *settings) for step in steps]
    if any(rate is None for rate in rates):
        return None
    return np.array([float(rate) for rate in rates])


def _schedule_cases(*settings):
    """Cases from (label, last step, settings)."""

    def cases(rng):
        for label, last, values in settings:
            steps = list(range(last + 1))
            yield Case((steps, values), drive=drive_schedule, label=label)

    return cases


@chapter.exercise(
    points=3,
    returns="rates",
    difficulty=2,
    minutes=8,
    hints=(
        "Half a wave, from its top to its valley, stretched over `total` steps. Then flat.",
        "(1 + cos(pi * x)) / 2 falls from 1 to 0 while x goes from 0 to 1. What must x do after "
        "the end? And how are 1 and 0 moved to base and floor?",
        "`x = min(step / total, 1)`, then `floor + (base - floor) * (1 + np.cos(np.pi * x)) / 2`. "
        "The whole answer stands in `solutions/07_optimisers`.",
    ),
    afterthought="Where does it fall fastest? Compare the rate halfway with the straight line.",
)
def cosine_decay(step, base, total, floor=0.0):
    """Cosine annealing: half a cosine wave from base to floor.

    Parameters
    ----------
    step : int
        From 0 on.
    base : float
        The rate at step 0.
    total : int
        The step at which floor is reached; after it the rate stays there.
    floor : float
        The lowest rate.

    Returns
    -------
    rate : float
    """
    share = min(step / total, 1)
    return floor + (base - floor) * (1 + np.cos(np.pi * share)) / 2


chapter.cases(cosine_decay)(
    _schedule_cases(
        ("base 0.1, total 10", 10, (0.1, 10)),
        ("base 0.1, total 20, floor 0.02", 20, (0.1, 20, 0.02)),
        ("base 0.4, total 15, floor 0.1, and on to step 50", 50, (0.4, 15, 0.1)),
    )
)


def _share(step, total):
    return min(step / total, 1)


@chapter.mistake(
    cosine_decay,
    "climbs_again",
    "Right up to the end, and then the rate climbs again: at twice `total` it is back at base.",
    "`min(step / total, 1)` holds the wave at its valley.",
)
def cosine_decay_climbs_again(step, base, total, floor=0.0):
    return floor + (base - floor) * (1 + np.cos(np.pi * step / total)) / 2


@chapter.mistake(
    cosine_decay,
    "whole_wave",
    "The rate falls to its lowest value halfway and is back at base at the end: a whole wave, "
    "2 pi, where half of one is meant.",
    "The angle goes from 0 to pi.",
)
def cosine_decay_whole_wave(step, base, total, floor=0.0):
    return floor + (base - floor) * (1 + np.cos(2 * np.pi * _share(step, total))) / 2


@chapter.mistake(
    cosine_decay,
    "quarter_wave",
    "These values follow base * cos between 0 and pi/2: a quarter of a wave. It starts flat and "
    "ends steep.",
    "(1 + cos(pi * x)) / 2 is flat at both ends.",
)
def cosine_decay_quarter_wave(step, base, total, floor=0.0):
    return floor + (base - floor) * np.cos(np.pi / 2 * _share(step, total))


@chapter.mistake(
    cosine_decay,
    "floor_added",
    "The floor is added on top: the first rate is base + floor. The wave must be base - floor "
    "high.",
    "`floor + (base - floor) * ...`.",
)
def cosine_decay_floor_added(step, base, total, floor=0.0):
    return floor + base * (1 + np.cos(np.pi * _share(step, total))) / 2


@chapter.mistake(
    cosine_decay,
    "floor_cuts",
    "The wave goes down to 0 and is cut off at the floor: it looks like `max(floor, ...)`. The "
    "wave itself should end at the floor.",
    "`floor + (base - floor) * ...`.",
)
def cosine_decay_floor_cuts(step, base, total, floor=0.0):
    return max(floor, base * (1 + np.cos(np.pi * _share(step, total))) / 2)


@chapter.mistake(
    cosine_decay,
    "floor_ignored",
    "The rate goes down to 0: `floor` seems not to be used.",
    "`floor + (base - floor) * ...`.",
)
def cosine_decay_floor_ignored(step, base, total, floor=0.0):
    return base * (1 + np.cos(np.pi * _share(step, total))) / 2


@chapter.mistake(
    cosine_decay,
    "half_missing",
    "The first rate is twice the right one: 1 + cos is 2 at the start, and the half is missing.",
    "(1 + cos(pi * x)) / 2.",
)
def cosine_decay_half_missing(step, base, total, floor=0.0):
    return floor + (base - floor) * (1 + np.cos(np.pi * _share(step, total)))


@chapter.mistake(
    cosine_decay,
    "starts_at_one",
    "The curve is one step ahead: the first step has the rate of the second. Steps count from 0.",
    "`step / total`, not `(step + 1) / total`.",
)
def cosine_decay_starts_at_one(step, base, total, floor=0.0):
    return cosine_decay(step + 1, base, total, floor)


@chapter.mistake(
    cosine_decay,
    "restarts",
    "At step `total` the rate jumps back to base: it looks like `step % total`. Those are warm "
    "restarts, a schedule of their own.",
    "`min(step / total, 1)`.",
)
def cosine_decay_restarts(step, base, total, floor=0.0):
    return cosine_decay(step % total, base, total, floor)


# --- debug: Adam with warm-up and cosine, five bugs planted --------------------------------------

DEBUG_STUB = '''def debug_adam_run(w, gradients, base, warm, total):
    """Adam with a schedule, one step for each gradient, with five bugs in five lines.

    The rate climbs in `warm` equal parts to the cosine from `base` to 0, which ends at step
    `total`. Returns rates, one for each step, and path, the weights after each step.
    """
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    w = w.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    rates, path = [], []
    for step, dw in enumerate(gradients):
        # the rate: warm-up times cosine
        climb = min(step / warm, 1)
        cosine = (1 + np.cos(np.pi * step / total)) / 2
        rate = base * climb * cosine
        # Adam
        t = step + 1
        m = beta1 * m + (1 - beta1) * dw
        v = (1 - beta2) * v + beta2 * dw**2
        m = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        w -= rate * m / (np.sqrt(v_hat) + epsilon)
        rates.append(rate)
        path.append(w)
    return np.array(rates), np.array(path)
'''


def _adam_run(w, gradients, base, warm, total, bugs=()):
    """The run of the debug exercise with only the named bugs left in."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    rates, path = [], []
    for step, dw in enumerate(gradients):
        climb = min((step if "warm" in bugs else step + 1) / warm, 1)
        share = step / total if "climb" in bugs else min(step / total, 1)
        rate = base * climb * (1 + np.cos(np.pi * share)) / 2
        t = step + 1
        m = 0.9 * m + (1 - 0.9) * dw
        square = dw**2
        v = 0.001 * v + 0.999 * square if "swapped" in bugs else 0.999 * v + 0.001 * square
        m_hat = m / (1 - 0.9**t)
        m = m_hat if "stored" in bugs else m
        w = w - rate * m_hat / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        rates.append(rate)
        path.append(w)
    if "alias" in bugs:
        path = [w] * len(path)
    return np.array(rates), np.array(path)


@chapter.exercise(
    points=4,
    returns="rates, path",
    difficulty=3,
    minutes=18,
    title="Debug: Adam with a schedule, five bugs",
    stub=DEBUG_STUB,
    rtol=FORMS_AGREE,
    hints=(
        "Rates first, they do not depend on the gradients: print the first one, and those after "
        "step `total`. Then the path: are its entries different from each other?",
        "With a constant gradient m_hat is that gradient and v_hat its square, so every step of a "
        "right Adam is as long as the rate, to the last digit. Divide step by rate: the steps "
        "that are off tell about v, and about what is stored in m.",
        "(step + 1) / warm; min(step / total, 1); path.append(w.copy()); beta2 * v + (1 - beta2) * "
        "dw**2; m_hat under a name of its own. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="Which of the five would the loss curve have shown?",
)
def debug_adam_run(w, gradients, base, warm, total):
    """Adam with a schedule, one step for each gradient, with five bugs in five lines.

    The rate climbs in `warm` equal parts to the cosine from `base` to 0, which ends at step
    `total`. Returns rates, one for each step, and path, the weights after each step.
    """
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    w = w.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    rates, path = [], []
    for step, dw in enumerate(gradients):
        # the rate: warm-up times cosine
        climb = min((step + 1) / warm, 1)
        cosine = (1 + np.cos(np.pi * min(step / total, 1))) / 2
        rate = base * climb * cosine
        # Adam
        t = step + 1
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        w -= rate * m_hat / (np.sqrt(v_hat) + epsilon)
        rates.append(rate)
        path.append(w.copy())
    return np.array(rates), np.array(path)


@chapter.cases(debug_adam_run)
def debug_cases(rng):
    for steps, shape, base, warm, total in [
        (9, (3,), 0.1, 3, 6),
        (7, (2, 4), 0.3, 2, 5),
        (12, (5, 3), 0.05, 4, 9),
    ]:
        label = f"{steps} steps, base = {base}, warm = {warm}, total = {total}"
        yield Case((*_walk(rng, steps, shape), base, warm, total), label=label)


# In the order in which measuring finds them: the rates, the record, then the rule.
PLANTED = {
    "warm": "The first rate is worth a look: what does the first step do with it?",
    "climb": "The first rate is right. What do the rates do after step `total`?",
    "alias": "The rates are right. Compare the entries of `path` with each other: what does "
    "`path.append(w)` keep when `w` is then changed in place?",
    "swapped": "Rates and record are right, the steps are not. With a constant gradient each "
    "step should be as long as the rate. Which of old and new does v keep?",
    "stored": "With a constant gradient the first step is right and the later ones are not. "
    "What does `m` hold when the next step begins?",
}


def _planted(bugs):
    def run(w, gradients, base, warm, total):
        return _adam_run(w, gradients, base, warm, total, bugs)

    return run


for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(debug_adam_run, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}")(
            _planted(_bugs)
        )


# --- more: Adagrad -------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="next_w, config",
    difficulty=2,
    minutes=6,
    optional=True,
    rtol=FORMS_AGREE,
    hints=(
        "Adagrad is RMSProp with a perfect memory: it adds up all squared gradients.",
        "`cache` only grows, so every weight's rate only falls.",
        "`cache = cache + dw**2`, store it, then `w - rate * dw / (np.sqrt(cache) + epsilon)`. "
        "The whole answer stands in `solutions/07_optimisers`.",
    ),
    afterthought="With gradients of equal size, how does the step shrink with the number of "
    "steps? Which schedule of this chapter comes near to that?",
)
def adagrad(w, dw, config=None):
    """One step of Adagrad: the gradient, divided by the root of the sum of all its squares.

    cache = cache + dw^2; the step is learning_rate * dw / (sqrt(cache) + epsilon), downhill.

    Parameters
    ----------
    w : array of any shape
    dw : array like w
        The gradient of the loss.
    config : dict or None
        May hold "learning_rate" (1e-2), "epsilon" (1e-8) and the state "cache", an array like w
        (zeros).

    Returns
    -------
    next_w : array like w
    config : dict
        With the new "cache".
    """
    config = {} if config is None else config
    rate = config.setdefault("learning_rate", 1e-2)
    epsilon = config.setdefault("epsilon", 1e-8)
    cache = config.get("cache", np.zeros_like(w)) + dw**2
    config["cache"] = cache
    return w - rate * dw / (np.sqrt(cache) + epsilon), config


@chapter.cases(adagrad)
def adagrad_cases(rng):
    preset = {"cache": lambda shape: rng.uniform(2, 12, shape)}
    yield from _rule_cases(rng, {"learning_rate": 0.3}, preset)


def _adagrad(w, dw, config, bug):
    config = {} if config is None else dict(config)
    rate, old = config.get("learning_rate", 1e-2), config.get("cache", np.zeros_like(w))
    old = 0.99 * old if bug == "forgets" else 0 * old if bug == "only_now" else old
    cache = old + (0.01 if bug == "forgets" else 1) * dw**2
    if bug != "cache_not_stored":
        config["cache"] = cache
    cache = old if bug == "old_cache" else cache
    below = (cache if bug == "no_root" else np.sqrt(cache)) + 1e-8
    return w + (1 if bug == "uphill" else -1) * rate * dw / below, config


_declare(
    adagrad,
    _adagrad,
    {
        **SIZE_BUGS,
        "forgets": (
            "The cache forgets: it is RMSProp's running mean. Adagrad adds up all squares.",
            "`cache + dw**2`, both with a weight of 1.",
        ),
        "only_now": (
            "The cache holds the last square alone: every step is as long as the rate, and the "
            "gradient's size never counts.",
            "Add to what `config['cache']` holds.",
        ),
    },
)


# --- more: the other schedules -------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="rates",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "A straight line in `step`, from base at 0 to floor at `total`. And after that?",
        "x = step / total, but never more than 1. The line is base + (floor - base) * x.",
        "`x = min(step / total, 1)`, then `base + (floor - base) * x`. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="Without the clamp the rate becomes negative. What does training do then?",
)
def linear_decay(step, base, total, floor=0.0):
    """Linear decay: a straight line from base to floor.

    Parameters
    ----------
    step : int
        From 0 on.
    base : float
        The rate at step 0.
    total : int
        The step at which floor is reached; after it the rate stays there.
    floor : float
        The lowest rate.

    Returns
    -------
    rate : float
    """
    return base + (floor - base) * min(step / total, 1)


chapter.cases(linear_decay)(
    _schedule_cases(
        ("base 0.1, total 10", 10, (0.1, 10)),
        ("base 0.1, total 20, floor 0.02", 20, (0.1, 20, 0.02)),
        ("base 0.4, total 15, floor 0.1, and on to step 50", 50, (0.4, 15, 0.1)),
    )
)


@chapter.mistake(
    linear_decay,
    "goes_below",
    "Right up to the end, and then the line goes on: below the floor, and below 0, where training "
    "climbs uphill.",
    "`min(step / total, 1)` stops the line at its end.",
)
def linear_decay_goes_below(step, base, total, floor=0.0):
    return base + (floor - base) * step / total


@chapter.mistake(
    linear_decay,
    "floor_cuts",
    "The line runs to 0 and is cut off at the floor: it looks like `max(floor, ...)`. The line "
    "itself should end at the floor.",
    "`base + (floor - base) * x`.",
)
def linear_decay_floor_cuts(step, base, total, floor=0.0):
    return max(floor, base * (1 - _share(step, total)))


@chapter.mistake(
    linear_decay,
    "floor_ignored",
    "The rate goes down to 0: `floor` seems not to be used.",
    "`base + (floor - base) * x`.",
)
def linear_decay_floor_ignored(step, base, total, floor=0.0):
    return base * (1 - _share(step, total))


@chapter.mistake(
    linear_decay,
    "floor_added",
    "The floor is added on top: the first rate is base + floor.",
    "`base + (floor - base) * x`.",
)
def linear_decay_floor_added(step, base, total, floor=0.0):
    return floor + base * (1 - _share(step, total))


@chapter.mistake(
    linear_decay,
    "starts_at_one",
    "The line is one step ahead: the first step has the rate of the second. Steps count from 0.",
    "`step / total`, not `(step + 1) / total`.",
)
def linear_decay_starts_at_one(step, base, total, floor=0.0):
    return linear_decay(step + 1, base, total, floor)


@chapter.mistake(
    linear_decay,
    "rises",
    "The rate rises from floor to base: the ends are exchanged.",
    "base at step 0, floor at step `total`.",
)
def linear_decay_rises(step, base, total, floor=0.0):
    return floor + (base - floor) * _share(step, total)


@chapter.exercise(
    points=1,
    returns="rates",
    difficulty=1,
    minutes=3,
    optional=True,
    hints=(
        "Read the name backwards: base divided by something that grows with the step.",
        "At step 0 the divisor is 1; it grows by k at every step.",
        "`base / (1 + k * step)`. The whole answer stands in `solutions/07_optimisers`.",
    ),
    afterthought="Texts call this one linear decay. What is linear here?",
)
def inverse_time_decay(step, base, k):
    """Inverse-time decay: base / (1 + k * step). It is often miscalled linear decay.

    Parameters
    ----------
    step : int
        From 0 on.
    base : float
        The rate at step 0.
    k : float
        How fast it falls: after 1 / k steps half of base is left.

    Returns
    -------
    rate : float
    """
    return base / (1 + k * step)


chapter.cases(inverse_time_decay)(
    _schedule_cases(
        ("base 0.1, k = 0.5", 8, (0.1, 0.5)),
        ("base 0.1, k = 0.01", 60, (0.1, 0.01)),
        ("base 2, k = 0.2", 20, (2.0, 0.2)),
    )
)


@chapter.mistake(
    inverse_time_decay,
    "straight_line",
    "These values lie on a straight line, base * (1 - k * step): that is linear decay, and it "
    "reaches 0.",
    "Divide by 1 + k * step.",
)
def inverse_time_decay_straight_line(step, base, k):
    return base * (1 - k * step)


@chapter.mistake(
    inverse_time_decay,
    "straight_line_to_zero",
    "These values lie on a straight line that stops at 0: that is linear decay.",
    "Divide by 1 + k * step.",
)
def inverse_time_decay_straight_line_to_zero(step, base, k):
    return base * max(0.0, 1 - k * step)


@chapter.mistake(
    inverse_time_decay,
    "exponential",
    "These values equal base / (1 + k)**step: that is exponential decay.",
    "base / (1 + k * step).",
)
def inverse_time_decay_exponential(step, base, k):
    return base / (1 + k) ** step


@chapter.mistake(
    inverse_time_decay,
    "natural_exponential",
    "These values equal base * exp(-k * step): that is exponential decay.",
    "base / (1 + k * step).",
)
def inverse_time_decay_natural_exponential(step, base, k):
    return base * np.exp(-k * step)


@chapter.mistake(
    inverse_time_decay,
    "brackets",
    "These values equal base / 1 + k * step: the division is done before the sum, and the rate "
    "grows.",
    "Put the sum in brackets.",
)
def inverse_time_decay_brackets(step, base, k):
    return base / 1 + k * step


@chapter.mistake(
    inverse_time_decay,
    "root",
    "These values equal base / sqrt(1 + k * step): a root too many.",
    "base / (1 + k * step).",
)
def inverse_time_decay_root(step, base, k):
    return base / np.sqrt(1 + k * step)


@chapter.exercise(
    points=1,
    returns="rates",
    difficulty=1,
    minutes=2,
    optional=True,
    hints=(
        "Each step multiplies the rate by the same number.",
        "After two steps: base * gamma * gamma.",
        "`base * gamma**step`. The whole answer stands in `solutions/07_optimisers`.",
    ),
    afterthought="On which kind of axis is this curve a straight line?",
)
def exponential_decay(step, base, gamma):
    """Exponential decay: every step multiplies the rate by gamma.

    Parameters
    ----------
    step : int
        From 0 on.
    base : float
        The rate at step 0.
    gamma : float
        Between 0 and 1.

    Returns
    -------
    rate : float
    """
    return base * gamma**step


chapter.cases(exponential_decay)(
    _schedule_cases(
        ("base 0.1, gamma = 0.7", 8, (0.1, 0.7)),
        ("base 0.1, gamma = 0.95", 60, (0.1, 0.95)),
        ("base 2, gamma = 0.8", 20, (2.0, 0.8)),
    )
)


@chapter.mistake(
    exponential_decay,
    "times_step",
    "These values equal base * gamma * step: a product where a power is meant, and 0 at the start.",
    "`gamma**step`.",
)
def exponential_decay_times_step(step, base, gamma):
    return base * gamma * step


@chapter.mistake(
    exponential_decay,
    "natural",
    "These values equal base * exp(-gamma * step): gamma is read as a speed. Here it is the "
    "factor of one step.",
    "`base * gamma**step`.",
)
def exponential_decay_natural(step, base, gamma):
    return base * np.exp(-gamma * step)


@chapter.mistake(
    exponential_decay,
    "base_inside",
    "These values equal (base * gamma)**step: the base rate went into the power.",
    "`base * gamma**step`: the power binds more tightly.",
)
def exponential_decay_base_inside(step, base, gamma):
    return (base * gamma) ** step


@chapter.mistake(
    exponential_decay,
    "starts_at_one",
    "The curve is one step ahead: step 0 has base * gamma. Steps count from 0.",
    "`gamma**step`.",
)
def exponential_decay_starts_at_one(step, base, gamma):
    return base * gamma ** (step + 1)


@chapter.mistake(
    exponential_decay,
    "one_minus_gamma",
    "Each step multiplies by 1 - gamma: gamma is what is KEPT.",
    "`gamma**step`.",
)
def exponential_decay_one_minus_gamma(step, base, gamma):
    return base * (1 - gamma) ** step


@chapter.exercise(
    points=1,
    returns="rates",
    difficulty=1,
    minutes=3,
    optional=True,
    hints=(
        "The rate stays the same for `every` steps, then falls by a factor, and so on.",
        "How many falls lie behind `step`? Whole numbers only.",
        "`base * factor ** (step // every)`. The whole answer stands in `solutions/07_optimisers`.",
    ),
    afterthought="Which smooth schedule runs through the start of each stair?",
)
def step_decay(step, base, factor, every):
    """Step decay: stairs. After every `every` steps the rate is multiplied by factor.

    Parameters
    ----------
    step : int
        From 0 on.
    base : float
        The rate of steps 0 to every - 1.
    factor : float
        Between 0 and 1.
    every : int
        Length of one stair.

    Returns
    -------
    rate : float
    """
    return base * factor ** (step // every)


chapter.cases(step_decay)(
    _schedule_cases(
        ("base 0.1, factor 0.5, every 4", 12, (0.1, 0.5, 4)),
        ("base 0.1, factor 0.1, every 10", 35, (0.1, 0.1, 10)),
        ("base 2, factor 0.8, every 3", 20, (2.0, 0.8, 3)),
    )
)


@chapter.mistake(
    step_decay,
    "no_stairs",
    "The rate falls at every step: it looks like `step / every`. That is exponential decay.",
    "`step // every` counts whole stairs.",
)
def step_decay_no_stairs(step, base, factor, every):
    return base * factor ** (step / every)


@chapter.mistake(
    step_decay,
    "one_stair",
    "There is one stair only: after the first fall the rate never falls again.",
    "`factor ** (step // every)`.",
)
def step_decay_one_stair(step, base, factor, every):
    return base * (factor if step >= every else 1)


@chapter.mistake(
    step_decay,
    "falls_early",
    "Each stair begins one step too early: it looks as if the steps counted from 1.",
    "`step // every`.",
)
def step_decay_falls_early(step, base, factor, every):
    return base * factor ** ((step + 1) // every)


@chapter.mistake(
    step_decay,
    "falls_late",
    "Each stair begins one step too late: it looks like `step > every`, or (step - 1) // every.",
    "`step // every`: step `every` is the first one with the lower rate.",
)
def step_decay_falls_late(step, base, factor, every):
    return base * factor ** (max(step - 1, 0) // every)


@chapter.mistake(
    step_decay,
    "product",
    "The rate is base * factor * (number of stairs): a product where a power is meant.",
    "`factor ** (step // every)`.",
)
def step_decay_product(step, base, factor, every):
    return base * factor * (step // every)


@chapter.mistake(
    step_decay,
    "remainder",
    "The rate jumps back to base after each stair: it looks like `step % every`.",
    "`step // every`, the whole-number quotient.",
)
def step_decay_remainder(step, base, factor, every):
    return base * factor ** (step % every)


@chapter.exercise(
    points=1,
    returns="rates",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "A straight climb to base in `warm` equal parts. What is the rate of the very first step?",
        "Step 0 has 1 / warm of base, step warm - 1 has all of it, and there it stays.",
        "`base * min((step + 1) / warm, 1)`. The whole answer stands in `solutions/07_optimisers`.",
    ),
    afterthought="`warm_up(step, cosine_decay(step, ...), warm)` joins the two. Where is its "
    "highest point?",
)
def warm_up(step, base, warm):
    """Linear warm-up: base / warm at step 0, then a straight climb, base from step warm - 1 on.

    Parameters
    ----------
    step : int
        From 0 on.
    base : float
        The rate after the climb; it may come from another schedule.
    warm : int
        How many steps the climb has, at least 1.

    Returns
    -------
    rate : float
        Never 0 on the first step.
    """
    return base * min((step + 1) / warm, 1)


chapter.cases(warm_up)(
    _schedule_cases(
        ("base 0.1, warm = 5", 4, (0.1, 5)),
        ("base 0.1, warm = 10, and on to step 30", 30, (0.1, 10)),
        ("base 2, warm = 7", 20, (2.0, 7)),
        ("warm = 1: no warm-up", 4, (0.3, 1)),
    )
)


@chapter.mistake(
    warm_up,
    "starts_at_zero",
    "The rate of the first step is 0: that step does nothing, and everything comes one step late.",
    "`(step + 1) / warm`.",
)
def warm_up_starts_at_zero(step, base, warm):
    return base * min(step / warm, 1)


@chapter.mistake(
    warm_up,
    "climbs_for_ever",
    "The climb does not end: after `warm` steps the rate grows beyond base.",
    "`min((step + 1) / warm, 1)`.",
)
def warm_up_climbs_for_ever(step, base, warm):
    return base * (step + 1) / warm


@chapter.mistake(
    warm_up,
    "one_step_longer",
    "The climb has warm + 1 parts: the full rate comes at step `warm`, one step late.",
    "`(step + 1) / warm`: step warm - 1 has the full rate.",
)
def warm_up_one_step_longer(step, base, warm):
    return base * min((step + 1) / (warm + 1), 1)


@chapter.mistake(
    warm_up,
    "no_climb",
    "The rate is base from the start: there is no warm-up.",
    "Multiply base by `min((step + 1) / warm, 1)`.",
)
def warm_up_no_climb(step, base, warm):
    return base


@chapter.mistake(
    warm_up,
    "falls",
    "The rate falls where it should climb: the ends are exchanged.",
    "base / warm at step 0, base from step warm - 1 on.",
)
def warm_up_falls(step, base, warm):
    return base * max(1 - step / warm, 1 / warm)


def drive_plateau(plateau_decay, losses, settings):
    """The rate after each of the losses, as a training run would ask for it."""
    rates = [plateau_decay(list(losses[:n]), *settings) for n in range(len(losses) + 1)]
    if any(rate is None for rate in rates):
        return None
    return np.array([float(rate) for rate in rates])


@chapter.exercise(
    points=2,
    returns="rates",
    difficulty=3,
    minutes=12,
    optional=True,
    title="`plateau_decay`: fall when nothing gets better",
    hints=(
        "Walk through the losses and keep three things: the best so far, how many checks have "
        "passed since, and the rate.",
        "A loss below the best: it becomes the best, and the count goes back to 0. Otherwise the "
        "count goes up. When it reaches `patience`: the rate falls, and the count starts again.",
        "`if loss < best: best, waited = loss, 0`, `else: waited += 1`; `if waited == patience: "
        "rate, waited = max(rate * factor, floor), 0`. The whole answer stands in "
        "`solutions/07_optimisers`.",
    ),
    afterthought="Validation losses are noisy. What would a small patience do?",
)
def plateau_decay(losses, base, factor=0.5, patience=3, floor=0.0):
    """Reduce on plateau: the rate for the next step, from the validation losses so far.

    After `patience` checks in a row without a loss below the best so far, the rate is multiplied
    by factor, and the counting of checks starts again. The best so far stays.

    Parameters
    ----------
    losses : list of float
        All validation losses so far, the oldest first. It may be empty.
    base : float
        The rate at the start.
    factor : float
        Between 0 and 1.
    patience : int
        How many checks in a row without a new best make the rate fall.
    floor : float
        The lowest rate.

    Returns
    -------
    rate : float
    """
    rate, best, waited = base, np.inf, 0
    for loss in losses:
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            rate, waited = max(rate * factor, floor), 0
    return rate


@chapter.cases(plateau_decay)
def plateau_cases(rng):
    losses = [1.0, 0.8, 0.9, 0.85, 0.84, 0.7, 0.71, 0.69, 0.75, 0.74, 0.73, 0.72, 0.71, 0.705, 0.6]
    yield Case((losses, (0.1,)), drive=drive_plateau, label="a scripted run, patience 3")
    values = [1.0, *(0.5 + 0.4 * rng.uniform(0, 1, 6)), 0.4, *rng.uniform(0.5, 0.9, 9), 0.3, 0.35]
    yield Case((values, (0.2, 0.1, 2)), drive=drive_plateau, label="patience 2, factor 0.1")
    values = [1.0, 0.6, *rng.uniform(0.7, 0.95, 11), 0.5, *rng.uniform(0.6, 0.9, 6)]
    settings = (0.4, 0.5, 2, 0.06)
    yield Case((values, settings), drive=drive_plateau, label="patience 2, floor 0.06")


def _plateau(losses, base, factor, patience, floor, bug):
    rate, best, waited, last = base, np.inf, 0, np.inf
    for loss in losses:
        if loss < (last if bug == "compared_with_the_last" else best):
            waited = waited if bug == "count_never_reset" else 0
        else:
            waited += 1
        best, last = min(best, loss), loss
        if bug == "falls_on_and_on":
            if waited >= patience:
                rate = max(rate * factor, floor)
        elif waited == patience + (bug == "one_check_late"):
            rate = rate * factor if bug == "floor_ignored" else max(rate * factor, floor)
            waited = 0
            best = np.inf if bug == "best_forgotten" else best
    return rate


for _bug, _message, _remedy in (
    (
        "compared_with_the_last",
        "Each loss is compared with the one before it, not with the best so far: a loss that goes "
        "up and a little down again counts as progress.",
        "Keep the best loss so far.",
    ),
    (
        "count_never_reset",
        "A new best does not set the count back to 0: bad checks are added up over the whole run. "
        "They have to come in a row.",
        "`waited = 0` at each new best.",
    ),
    (
        "falls_on_and_on",
        "After the first fall the rate falls at EVERY further check: the count is not started "
        "again.",
        "`waited = 0` after the rate has fallen.",
    ),
    (
        "one_check_late",
        "The rate falls one check too late: after patience + 1 checks without a new best.",
        "`waited == patience`, not `waited > patience`.",
    ),
    (
        "floor_ignored",
        "The rate falls below `floor`.",
        "`max(rate * factor, floor)`.",
    ),
    (
        "best_forgotten",
        "After a fall the best loss is forgotten: any loss then counts as a new best.",
        "Only the count starts again; the best stays.",
    ),
):

    def _wrong(losses, base, factor=0.5, patience=3, floor=0.0, bug=_bug):
        return _plateau(losses, base, factor, patience, floor, bug)

    chapter.mistake(plateau_decay, _bug, _message, _remedy)(_wrong)


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "optimisers_q1",
    "1077 examples, batches of 64, the last batch may be smaller. How many updates does one epoch "
    "give? Answer with a number.",
    answer=17,
    wrong={
        16: "16 batches hold 1024 examples; the other 53 would never come.",
        1077: "That is one update for each example: batches of 1.",
        64: "64 is the number of examples in a batch, not the number of batches.",
        1: "One update for each epoch: that is the full batch.",
    },
    explanation="1077 / 64 is 16.8, and the rest makes a batch of its own: 17. An epoch is one "
    "pass over the data, an update is one step of the weights. Batches of 32 give twice as many.",
)
chapter.quiz(
    "optimisers_q2",
    "Momentum, Adam and gradient clipping have been called ways of optimising backpropagation. "
    "What do they change?",
    choices={
        "a": "the chain rule: gradients are computed with fewer products",
        "b": "the loss that is minimised",
        "c": "the forward pass",
        "d": "what is done with the gradient after backpropagation has delivered it",
    },
    answer="d",
    wrong={
        "a": "The way back is the same with every optimiser, product by product.",
        "b": "The loss stays as it is. Only weight decay, added to the loss, would change it.",
        "c": "The forward pass knows nothing of the optimiser.",
    },
    explanation="Backpropagation computes the gradient. The optimiser decides on the step. "
    "Backpropagation contains no learning rate and adjusts none.",
)
chapter.quiz(
    "optimisers_q3",
    "Momentum 0.9, learning rate 0.01, and a gradient that is 2 at every step. How long do the "
    "steps become in the long run? Answer with a number.",
    answer=0.2,
    wrong={
        0.02: "That is the first step, and every step of plain gradient descent.",
        0.038: "That is the second step: 0.9 * 0.02 + 0.02. It goes on growing.",
        0.018: "That is what is left of the first step after one more.",
        2: "The learning rate is missing somewhere: 0.01 * 2 / (1 - 0.9).",
    },
    explanation="v = 0.9 v + 0.02 stands still at 0.02 / (1 - 0.9) = 0.2: ten times the plain "
    "step. So a rate that suited plain descent is often too large once momentum is added.",
)
chapter.quiz(
    "optimisers_q4",
    "Which rule keeps a running mean of the squared gradient, and none of the gradient itself?",
    choices={
        "a": "SGD with momentum",
        "b": "RMSProp",
        "c": "Adam",
        "d": "Adagrad",
    },
    answer="b",
    wrong={
        "a": "Momentum keeps a running sum of the gradient itself, and no squares.",
        "c": "Adam keeps both: m of the gradient, v of its square.",
        "d": "Adagrad keeps a SUM of squares. It forgets nothing, so its steps only shrink.",
    },
    explanation="SGD keeps nothing, momentum one array, RMSProp and Adagrad one, Adam two, each "
    "as large as the weights. The squares give every weight a rate of its own.",
)
chapter.quiz(
    "optimisers_q5",
    "Adam, learning rate 0.001, first step. The gradient of one weight is 0.5. How far does the "
    "weight move? Answer with a number.",
    answer=0.001,
    wrong={
        0.0005: "That is plain gradient descent. Adam divides by the gradient's own size.",
        0.00316: "That is Adam without bias correction: 0.1 / sqrt(0.001) times too long.",
        0.0001: "Here v is corrected and m is not.",
        0.5: "That is the gradient. The step is about as long as the learning rate.",
    },
    rtol=0.02,
    explanation="m_hat = 0.5 and v_hat = 0.25, so the step is 0.001 * 0.5 / 0.5. The first step is "
    "as long as the rate, whatever the gradient is, as long as it is far above epsilon.",
)
chapter.quiz(
    "optimisers_q6",
    "A text gives `lr = lr0 / (1 + k * epoch)` and calls it linear decay. What is its right name?",
    choices={
        "a": "inverse-time decay",
        "b": "linear decay, as the text says",
        "c": "exponential decay",
        "d": "step decay",
    },
    answer="a",
    wrong={
        "b": "A line would lose the same amount at every step and reach 0. This one never does.",
        "c": "Exponential decay multiplies by the same factor at every step: lr0 * gamma**epoch.",
        "d": "Step decay stays flat for a while and then falls: stairs.",
    },
    explanation="Only the divisor is linear. With lr0 = 0.1 and k = 0.01 it gives 0.0667 at epoch "
    "50; a straight line to 0 at epoch 100 gives 0.05 there, and then stops.",
)
chapter.quiz(
    "optimisers_q7",
    "`lr = 0.1 * (1 + cos(pi * epoch / 100)) / 2`, without a clamp. What is lr at epoch 200? "
    "Answer with a number.",
    answer=0.1,
    wrong={
        0: "That is epoch 100. Without a clamp the wave goes on.",
        0.05: "That is epoch 50, or 150.",
        0.2: "1 + cos is 2 there, and the half makes it 1 again.",
    },
    explanation="cos(2 pi) is 1: the rate is back at its start, and the tuned weights are shaken "
    "up. `min(epoch / 100, 1)` holds it at the bottom.",
)
chapter.quiz(
    "optimisers_q8",
    "`lr = lr0 * min(step / warm, 1)`, with steps that count from 0. What is wrong with this "
    "warm-up?",
    choices={
        "a": "nothing",
        "b": "the rate grows beyond lr0",
        "c": "the first step has a rate of 0 and does nothing",
        "d": "it never reaches lr0",
    },
    answer="c",
    wrong={
        "a": "What is min(0 / warm, 1)?",
        "b": "The min stops it at lr0.",
        "d": "At step `warm` it is there.",
    },
    explanation="One forward and one backward pass for nothing. (step + 1) / warm starts at "
    "lr0 / warm. If `step` counts epochs, a whole epoch is lost.",
)
chapter.quiz(
    "optimisers_q9",
    "Gradient descent on f(w) = 2 w**2, whose second derivative is 4. Above which learning rate "
    "does it diverge? Answer with a number.",
    answer=0.5,
    wrong={
        0.25: "At 1/4 it arrives in one step. It diverges when each step lands farther away on "
        "the other side.",
        2: "The limit is 2 divided by the second derivative.",
        1: "At 1 every step multiplies w by 1 - 4 = -3.",
        8: "The limit is 2 divided by the second derivative, not times.",
    },
    explanation="Each step multiplies w by 1 - 4 * rate. Its size is below 1 while the rate is "
    "below 2 / 4. In a net the steepest direction sets the limit for all others.",
)
chapter.quiz(
    "optimisers_q10",
    "A text says that Adam prevents vanishing and exploding gradients. Which sentence is right?",
    choices={
        "a": "It is true: the moments keep the gradients at size 1",
        "b": "Gradients are what they are; Adam rescales the steps, which helps until a gradient "
        "is lost near epsilon, or explodes in a single step",
        "c": "Only momentum does that",
        "d": "It is true for vanishing gradients, at any depth",
    },
    answer="b",
    wrong={
        "a": "The moments change the step. Backpropagation delivers the same gradient to every "
        "rule.",
        "c": "Momentum adds gradients up; small ones stay small.",
        "d": "The lesson measures it: with more layers Adam fails as well.",
    },
    explanation="At the first step the gradients are equal for all rules: they come from the net. "
    "Dividing by their size can make up for a small one, not for one that is gone.",
)
chapter.quiz(
    "optimisers_q11",
    "The batch size goes from 256 down to 8. What happens to an epoch in NumPy?",
    choices={
        "a": "it runs faster, because each batch is smaller",
        "b": "nothing changes: the same examples pass through",
        "c": "it makes fewer updates",
        "d": "it takes longer, makes 32 times more updates, and each of them is noisier",
    },
    answer="d",
    wrong={
        "a": "One update is cheaper, and there are many more. Small matrices use the processor "
        "badly.",
        "b": "Each call of NumPy has a price, whatever the size of its arrays.",
        "c": "More batches, more updates.",
    },
    explanation="The variance of the gradient goes with 1 / batch size. Many cheap, noisy updates "
    "may still arrive sooner than few exact ones; the clock decides, not the epoch.",
)
chapter.quiz(
    "optimisers_q12",
    "Standardised inputs make gradient descent converge in fewer steps. Why?",
    choices={
        "a": "there are fewer examples",
        "b": "the curvatures of the loss come closer together, so one rate suits all directions",
        "c": "each step becomes cheaper to compute",
        "d": "the learning rate adjusts itself",
    },
    answer="b",
    wrong={
        "a": "Every example stays.",
        "c": "The arrays are as large as before: a step costs the same.",
        "d": "In plain gradient descent nothing adjusts it.",
    },
    explanation="The steepest direction limits the rate, the flattest one sets the pace. Their "
    "ratio is the condition number. Standardising makes it smaller.",
)
