"""The bug zoo: classic mistakes in backpropagation, each let loose on real digits.

One net, 64 - 32 - 10, sigmoid in both layers, trained by plain minibatch SGD on the squared
error, ``L = (1/m) sum over samples and outputs of (A2 - y)^2``. Squared error and not
cross-entropy, because then every step of the chain rule is in the code (factor 2, 1/m, two
slopes) and can be got wrong.

`BUGS` holds the right backward pass (``"correct"``) and its mistaken copies; each copy differs in
the marked lines only, and the source shown is the source that runs. `train` runs one,
`zoo_table` all. The names are those of the course's named mistakes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from grader.datasets import Split, load_digits

HIDDEN = 32
BATCH = 20  # not 64, 32 or 10, so that a wrong `m` is a wrong number
LEARNING_RATE = 1.0  # suits the right gradient (by validation); every bug gets the same
TOLERANCE = 1e-6  # what a gradient check lets pass
# Feedback alignment sends errors back through this matrix, drawn once and never trained.
FEEDBACK = np.random.default_rng(2016).standard_normal((10, HIDDEN)) / np.sqrt(HIDDEN)  # (10, H)

Arrays = dict[str, np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """The logistic function, any shape, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def forward(x: np.ndarray, params: Arrays) -> tuple[np.ndarray, ...]:
    """Z1, A1 of shape (m, H) and Z2, A2 of shape (m, 10), for x of shape (m, 64)."""
    Z1 = x @ params["W1"] + params["b1"]
    A1 = sigmoid(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    return Z1, A1, Z2, sigmoid(Z2)


def loss(x: np.ndarray, y: np.ndarray, params: Arrays) -> float:
    """Squared error, summed over the outputs, averaged over the batch; y is one-hot, (m, 10)."""
    A2 = forward(x, params)[-1]
    return float(((A2 - y) ** 2).sum() / len(x))


def backward(x, y, cache, params):
    """Gradients of the loss, right ones."""
    Z1, A1, Z2, A2 = cache
    W2 = params["W2"]
    m = len(x)
    dA2 = 2 * (A2 - y) / m  # (m, 10)
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = A1.T @ dZ2  # (H, 10)
    db2 = dZ2.sum(axis=0)  # (10,)
    dA1 = dZ2 @ W2.T  # (m, H)
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = x.T @ dZ1  # (64, H)
    db1 = dZ1.sum(axis=0)  # (H,)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


@dataclass(frozen=True)
class Bug:
    """One cage of the zoo.

    `source` is the whole backward pass that runs, the changed lines marked; `changed` those lines
    alone (empty for the right one); ``backward(x, y, cache, params)`` gives a dict of gradients.
    """

    name: str
    title: str
    description: str
    source: str
    changed: str
    backward: Callable[..., Arrays]


def _cage(name: str, title: str, description: str, *wrong: str) -> Bug:
    """Replace the lines of `backward` that set the same variables as the lines `wrong`."""
    body = inspect.getsource(backward).replace("  # noqa: RUF059", "").rstrip().split("\n")
    body.pop(1)  # the docstring, which calls the gradients right
    for line in wrong:
        target = line.split(" = ")[0]
        (place,) = [i for i, old in enumerate(body) if old.startswith(f"    {target} = ")]
        body[place] = f"    {line}  # <-- here"
    source = "\n".join(body)
    space = {"np": np, "LEARNING_RATE": LEARNING_RATE, "FEEDBACK": FEEDBACK}
    # Our own text, never a learner's.
    exec(compile(source, f"<bug zoo: {name}>", "exec"), space)
    return Bug(name, title, description, source, "\n".join(wrong), space["backward"])


# fmt: off
_CAGES = (
    _cage("correct", "nothing wrong", "Every factor of the chain rule is there."),
    _cage("missing_A1", "the slope of the hidden layer lacks a",
          "The slope of a sigmoid is a (1 - a); here only (1 - a) is left.",
          "dZ1 = dA1 * (1 - A1)"),
    _cage("missing_1_minus_A1", "the slope of the hidden layer lacks (1 - a)",
          "The slope of a sigmoid is a (1 - a); here only a is left.",
          "dZ1 = dA1 * A1"),
    _cage("no_hidden_deriv", "the slope of the hidden layer is forgotten",
          "The error passes the hidden sigmoid as if it were a straight line.",
          "dZ1 = dA1"),
    _cage("sigmoid_prime_on_Z1", "the hidden slope is computed from z",
          "a (1 - a) is a slope only if a is the activation; z (1 - z) is a parabola.",
          "dZ1 = dA1 * Z1 * (1 - Z1)"),
    _cage("sigmoid_prime_on_Z2", "the output slope is computed from z",
          "The same slip, one layer later.",
          "dZ2 = dA2 * Z2 * (1 - Z2)"),
    _cage("output_deriv_missing", "the slope of the output layer is forgotten",
          "The error enters the net without passing the output sigmoid.",
          "dZ2 = dA2"),
    _cage("bce_delta_with_mse", "the delta of another loss",
          "A2 - y belongs to binary cross-entropy; the loss reported is the squared error.",
          "dZ2 = (A2 - y) / m"),
    _cage("no_1_over_m", "the batch is summed, not averaged",
          f"{BATCH} times too long: giant steps. At a rate {BATCH} times smaller it would train "
          "well.",
          "dA2 = 2 * (A2 - y)"),
    _cage("m_is_features", "m counts the features",
          f"Divided by 64 pixels and not by {BATCH} samples: the right direction, small steps.",
          "m = x.shape[1]"),
    _cage("missing_factor_2", "the 2 of the square is lost",
          "All gradients are half as long as they should be.",
          "dA2 = (A2 - y) / m"),
    _cage("sign_flipped", "y - a instead of a - y",
          "Every step climbs the loss.",
          "dA2 = 2 * (y - A2) / m"),
    _cage("dW2_without_A1", "dW2 without the hidden activations",
          "Every hidden unit gets the same gradient, as if all were fully on.",
          "dW2 = np.ones_like(A1).T @ dZ2"),
    _cage("dW2_uses_Z1", "dW2 from z instead of a",
          "The hidden values before the sigmoid stand where those after it belong.",
          "dW2 = Z1.T @ dZ2"),
    _cage("first_layer_frozen", "the first layer never moves",
          "dW1 stays zero: a random first layer with a trained second one. Also a yardstick.",
          "dW1 = np.zeros((x.shape[1], W2.shape[0]))"),
    _cage("db_mean_not_sum", "bias gradients averaged, not summed",
          "1/m is already inside, so averaging divides by m twice.",
          "db2 = dZ2.mean(axis=0)", "db1 = dZ1.mean(axis=0)"),
    _cage("stale_order_updated_W2", "W2 is updated too early",
          "The error travels back through weights that have already taken their step.",
          "dA1 = dZ2 @ (W2 - LEARNING_RATE * dW2).T"),
    _cage("feedback_alignment", "a fixed random matrix in place of W2.T",
          "Not a slip but a finding: the forward weights turn towards the random ones, "
          "and the net learns (Lillicrap et al. 2016, Nature Communications 7:13276).",
          "dA1 = dZ2 @ FEEDBACK"),
)
# fmt: on
BUGS: dict[str, Bug] = {bug.name: bug for bug in _CAGES}
NOT_BUGS = ("correct", "feedback_alignment")  # on show, but not counted as bugs


@dataclass(frozen=True)
class Comparison:
    """A gradient beside the right one; every number is that of the worst of the four arrays.

    Attributes
    ----------
    relative_error : float
        max|a - b| / max(max|a|, max|b|); nan if the gradient is not finite.
    worst : str
        Which array that is: ``"W1"``, ``"b1"``, ``"W2"`` or ``"b2"``.
    cosine : float
        The lowest cosine of the angle between the two: 1 is the same direction.
    """

    relative_error: float
    worst: str
    cosine: float

    @property
    def passed(self) -> bool:
        """Whether a gradient check is content. nan is not."""
        return self.relative_error < TOLERANCE

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.passed:
            return f"passes: relative error {self.relative_error:.0e} at most"
        if np.isnan(self.relative_error):
            return f"stops it: d{self.worst} is not finite"
        return f"stops it: d{self.worst} has a relative error of {self.relative_error:.2g}"


@dataclass(frozen=True)
class Run:
    """What one training run showed.

    Attributes
    ----------
    bug : str
    seed : int
    losses : tuple of float
        Loss on the training part, before training and after each epoch.
    accuracy : float
        On the test part, 0 to 1. A net that became nan answers 0 to everything: about 10 %.
    check : Comparison
        The gradient check, before any training: central differences on a fixed batch.
    final : Comparison
        The gradient after training beside the right one, same batch.
    """

    bug: str
    seed: int
    losses: tuple[float, ...]
    accuracy: float
    check: Comparison
    final: Comparison


def compare(grads: Arrays, right: Arrays) -> Comparison:
    """Compare two dicts of gradients, array by array; shapes must agree."""
    errors, cosines = {}, []
    for name, b in right.items():
        a = grads[name]
        if a.shape != b.shape:
            raise ValueError(f"The gradient of {name} has shape {a.shape}; expected {b.shape}.")
        scale = max(np.abs(a).max(), np.abs(b).max(), np.finfo(float).tiny)
        errors[name] = float(np.abs(a - b).max() / scale)
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        cosines.append(float((a * b).sum() / lengths) if lengths > 0 else 0.0)
    # nan counts as the worst of all, so it must not get lost in max().
    worst = max(errors, key=lambda name: np.inf if np.isnan(errors[name]) else errors[name])
    return Comparison(errors[worst], worst, float(np.min(cosines)))


def initial_params(seed: int, hidden: int = HIDDEN) -> Arrays:
    """W1 (64, H) and W2 (H, 10) normal with variance 1 / fan_in; b1 (H,) and b2 (10,) zero."""
    rng = np.random.default_rng(seed)
    return {
        "W1": rng.standard_normal((64, hidden)) / np.sqrt(64),
        "b1": np.zeros(hidden),
        "W2": rng.standard_normal((hidden, 10)) / np.sqrt(hidden),
        "b2": np.zeros(10),
    }


@lru_cache(maxsize=1)
def _data() -> Split:
    return load_digits()


def _check_batch() -> tuple[np.ndarray, np.ndarray]:
    """Seven fixed samples: few, for speed, and not 10, 20, 32 or 64."""
    data = _data()
    return data.x_train[:7], np.eye(10)[data.y_train[:7]]  # (7, 64), (7, 10)


@lru_cache(maxsize=8)
def numerical_gradients(seed: int, h: float = 1e-5) -> Arrays:
    """Central differences for every parameter at the start: only `loss`, called twice for each."""
    x, y = _check_batch()
    params = initial_params(seed)
    grads = {}
    for name, value in params.items():
        grad = np.empty_like(value)
        for i in np.ndindex(value.shape):
            kept = value[i]
            value[i] = kept + h
            above = loss(x, y, params)
            value[i] = kept - h
            below = loss(x, y, params)
            value[i] = kept
            grad[i] = (above - below) / (2 * h)
        grads[name] = grad
    return grads


def gradient_check(bug: str, seed: int = 0) -> Comparison:
    """What a gradient check says of `bug` before any time is spent on training."""
    x, y = _check_batch()
    params = initial_params(seed)
    grads = _find(bug).backward(x, y, forward(x, params), params)
    return compare(grads, numerical_gradients(seed))


def _find(bug: str) -> Bug:
    if bug not in BUGS:
        raise ValueError(f"There is no bug {bug!r} in the zoo; there are: {', '.join(BUGS)}.")
    return BUGS[bug]


def train(bug: str = "correct", seed: int = 0, epochs: int = 40) -> Run:
    """Train the net on the digits with the gradients of `bug`. Takes about 0.2 seconds.

    Parameters
    ----------
    bug : str
        A key of `BUGS`.
    seed : int
        Draws the first weights and the order of the samples; the same for every bug.
    epochs : int

    Raises
    ------
    ValueError
        If there is no such bug.
    """
    step = _find(bug).backward
    data = _data()
    x, y = data.x_train, np.eye(10)[data.y_train]  # (1077, 64), (1077, 10)
    params = initial_params(seed)
    rng = np.random.default_rng([seed, 1])
    losses = [loss(x, y, params)]
    # Some bugs run off to infinity: that is the result, not an accident.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x), BATCH):
                rows = order[start : start + BATCH]
                grads = step(x[rows], y[rows], forward(x[rows], params), params)
                for name, grad in grads.items():
                    params[name] -= LEARNING_RATE * grad
            losses.append(loss(x, y, params))
        outputs = forward(data.x_test, params)[-1]  # (360, 10)
        accuracy = float((outputs.argmax(axis=1) == data.y_test).mean())
        xb, yb = _check_batch()
        cache = forward(xb, params)
        final = compare(step(xb, yb, cache, params), backward(xb, yb, cache, params))
    return Run(bug, seed, tuple(losses), accuracy, gradient_check(bug, seed), final)


@dataclass(frozen=True)
class Row:
    """One line of the zoo's table.

    `accuracy` is the mean over the seeds, `points_lost` the right net's minus this one's in points
    of per cent, `check` the gradient check of the first seed, `runs` one `Run` a seed.
    """

    bug: str
    accuracy: float
    points_lost: float
    check: Comparison
    runs: tuple[Run, ...]


def zoo_table(seeds: Iterable[int] = (0,), bugs: Iterable[str] | None = None) -> list[Row]:
    """Train every cage of the zoo (or `bugs`) for every seed; ``"correct"`` always comes first."""
    seeds = tuple(seeds)
    names = ["correct", *(name for name in (bugs or BUGS) if name != "correct")]
    rows: list[Row] = []
    for name in names:
        runs = tuple(train(name, seed) for seed in seeds)
        accuracy = float(np.mean([run.accuracy for run in runs]))
        right = rows[0].accuracy if rows else accuracy
        rows.append(Row(name, accuracy, 100 * (right - accuracy), runs[0].check, runs))
    return rows


def hidden_by_training(rows: list[Row], points: float = 2.0) -> list[str]:
    """The bugs that cost no more than `points`: training alone would not have shown them."""
    return [row.bug for row in rows if row.bug not in NOT_BUGS and row.points_lost <= points]


def format_table(rows: list[Row]) -> str:
    """The table as text: accuracy, points lost, what the gradient check says."""
    lines = [f"{'bug':24} {'test':>6} {'lost':>6} {'rel. error':>10} {'cosine':>7}  check"]
    for row in rows:
        verdict = "passes" if row.check.passed else f"stops it (d{row.check.worst})"
        lines.append(
            f"{row.bug:24} {row.accuracy:6.1%} {row.points_lost:6.1f} "
            f"{row.check.relative_error:10.1e} {row.check.cosine:7.3f}  {verdict}"
        )
    return "\n".join(lines)
