"""Chapter 15, normalisation: batch, layer, spatial and group norm, and a net that uses them.

All of them subtract a mean and divide by a deviation. They differ in what the mean runs over, so
one wrong line gives a family of mistakes: `_dx` holds the way back with one term spoilt.
"""

from itertools import combinations, pairwise

import numpy as np

from grader.datasets import make_moons
from grader.exercise import Case, Chapter
from grader.exercises.activations import relu_backward, relu_forward
from grader.exercises.backprop import affine_backward
from grader.exercises.losses import softmax_loss
from grader.exercises.neurons import affine_forward

chapter = Chapter("15_normalisation", "Normalisation, and repairing a deep net")


# --- batch norm, forward ---------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="out, cache",
    difficulty=3,
    minutes=16,
    hints=(
        "In train mode mean and variance come from the batch: which axis do they run along? In "
        "test mode they come from `bn_param`. After that both modes share the same two lines.",
        "xhat = (x - mean) / sqrt(var + eps), out = gamma * xhat + beta. Before that, in train "
        "mode only, bring the two running statistics up to date and store them in `bn_param`.",
        "`mean, var = x.mean(axis=0), x.var(axis=0)`, then `bn_param['running_mean'] = momentum * "
        "running_mean + (1 - momentum) * mean`, and the same for var. The whole answer stands in "
        "`solutions/15_normalisation`.",
    ),
    afterthought="In train mode the output of one example depends on the others in its batch. "
    "What would that mean for a program that answers one request at a time?",
)
def batchnorm_forward(x, gamma, beta, bn_param):
    """Batch normalisation of every feature (column) of x.

    out = gamma * (x - mean) / sqrt(var + eps) + beta, with one mean and one variance for each
    feature. Mode "train": they come from the batch, the variance divided by N, and the running
    statistics take a step: running = momentum * running + (1 - momentum) * batch. Mode "test":
    they are the running statistics, and nothing is updated. A batch of one is allowed in train
    mode: its variance is 0, so out = beta.

    (S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.)

    Parameters
    ----------
    x : (N, D) array
    gamma, beta : (D,) arrays
    bn_param : dict
        "mode" ("train" or "test"); optional "eps" (1e-5), "momentum" (0.9), and "running_mean"
        and "running_var", (D,) arrays, zeros if they are not there. Train mode stores the new
        running statistics in it.

    Returns
    -------
    out : (N, D) array
    cache
        Whatever `batchnorm_backward` needs.
    """
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean = bn_param.get("running_mean", np.zeros(x.shape[1]))
    var = bn_param.get("running_var", np.zeros(x.shape[1]))
    if bn_param["mode"] == "train":
        running_mean, running_var = mean, var
        mean, var = x.mean(axis=0), x.var(axis=0)  # (N, D) -> (D,)
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    scale = 1 / np.sqrt(var + eps)
    xhat = (x - mean) * scale
    return gamma * xhat + beta, (xhat, gamma, scale)


def _gains(rng, d):
    """gamma of both signs, none near 0 or 1, and beta."""
    return rng.uniform(1.3, 2.5, d) * rng.choice([-1.0, 1.0], d), rng.normal(0.4, 1, d)


def _columns(rng, n, d, middle=4.0, spread=1.5):
    """Features with means and deviations of their own."""
    means, deviations = rng.normal(middle, 2, d), spread * rng.uniform(0.6, 1.6, d)
    return means + deviations * rng.standard_normal((n, d))


def _running(rng, d):
    return {"running_mean": rng.normal(3, 2, d), "running_var": rng.uniform(0.3, 4, d)}


@chapter.cases(batchnorm_forward)
def batchnorm_cases(rng):
    for n, d, setting, label in [
        (4, 3, {"mode": "train"}, "train, N = 4, D = 3"),
        (7, 5, {"mode": "train", "eps": 1e-3}, "train, eps = 1e-3; mean 20, deviation 0.4"),
        (1, 4, {"mode": "train"}, "train, a batch of one"),
        (6, 2, {"mode": "test", "eps": 1e-2, **_running(rng, 2)}, "test, N = 6, eps = 1e-2"),
        (1, 3, {"mode": "test", **_running(rng, 3)}, "test, a single example"),
        (3, 4, {"mode": "test"}, "test, before any training"),
    ]:
        far = "mean 20" in label
        x = _columns(rng, n, d, 20.0, 0.4) if far else _columns(rng, n, d)
        yield Case((x, *_gains(rng, d), setting), label=label)


def drive_running(forward, batches, x_new, gamma, beta, settings):
    """The running statistics after several batches in train mode and one in test mode."""
    bn_param = {"mode": "train", "momentum": 0.9, **settings}
    if settings.get("momentum") is None:
        del bn_param["momentum"]
    for x in batches:
        if forward(x.copy(), gamma.copy(), beta.copy(), bn_param) is None:
            return None
    bn_param["mode"] = "test"
    forward(x_new.copy(), gamma.copy(), beta.copy(), bn_param)
    return {name: bn_param.get(name) for name in ("running_mean", "running_var")}


RUNNING = (
    "The running statistics are not as asked. After several batches `bn_param` should hold "
    "momentum * running + (1 - momentum) * batch, step by step from 0 (or from what it held), and "
    "a call in test mode should leave them alone."
)


@chapter.property(batchnorm_forward, "running_statistics", RUNNING)
def batchnorm_running(rng):
    for d, sizes, settings in [
        (3, (5,), {"momentum": None}),
        (4, (5, 7, 6), {"momentum": 0.7}),
        (2, (6, 3), {"momentum": 0.8, "eps": 1e-2, **_running(rng, 2)}),
    ]:
        batches = [_columns(rng, n, d) for n in sizes]
        args = (batches, _columns(rng, 8, d), *_gains(rng, d), settings)
        yield Case(args, drive=drive_running, label=f"{len(sizes)} batches, then one in test mode")


def _norm(x, axes, eps, bug="", mean=None, var=None):
    """xhat, 1 / deviation, mean and variance, with one line of standardising spoilt."""
    if mean is None:
        mean = x.mean(axis=axes, keepdims=True)
        var = x.var(axis=axes, keepdims=True, ddof=int(bug == "unbiased"))
        if bug == "mean_of_squares":
            var = (x * x).mean(axis=axes, keepdims=True)
    eps = 1e-5 if bug == "eps_fixed" else eps
    scale = {
        "eps_missing": lambda: 1 / np.sqrt(var),
        "eps_outside": lambda: 1 / (np.sqrt(var) + eps),
        "no_root": lambda: 1 / (var + eps),
        "scale_missing": lambda: np.ones_like(var),
    }.get(bug, lambda: 1 / np.sqrt(var + eps))()
    xhat = (x if bug == "mean_kept" else x - mean) * scale
    if bug == "min_max":
        low, high = x.min(axis=axes, keepdims=True), x.max(axis=axes, keepdims=True)
        xhat = (x - low) / (high - low + eps)
    return xhat, scale, mean, var


def _affine(xhat, gamma, beta, bug=""):
    if bug == "gamma_missing":
        return xhat + beta
    if bug == "beta_missing":
        return gamma * xhat
    if bug == "gains_missing":
        return xhat
    return gamma * (xhat + beta) if bug == "beta_inside" else gamma * xhat + beta


def _batchnorm(x, gamma, beta, bn_param, bug=""):
    """Batch norm with one bug."""
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    shape, fresh = x.shape[1], np.ones if bug == "var_starts_at_one" else np.zeros
    running_mean = bn_param.get("running_mean", np.zeros(shape))
    running_var = bn_param.get("running_var", fresh(shape))
    training = bn_param["mode"] == "train" or bug == "test_uses_batch"
    axes = {"per_row": 1, "one_for_all": None}.get(bug, 0)
    if not training:
        test_bug = bug if bug != "min_max" else ""
        xhat, scale, mean, var = _norm(x, 0, eps, test_bug, running_mean, running_var)
        if bug == "running_deviation":
            scale = 1 / (running_var + eps)
            xhat = (x - mean) * scale
    else:
        xhat, scale, mean, var = _norm(x, axes, eps, bug)
        if bug in ("one_for_all",):
            mean, var = np.full(shape, mean.item()), np.full(shape, var.item())
        elif axes == 0:
            mean, var = mean[0], var[0]
    if training or bug == "updated_in_test":
        if not training:
            mean, var = x.mean(axis=0), x.var(axis=0)
        if bug == "running_deviation":
            var = np.sqrt(var + eps)
        if bug == "running_unbiased":
            var = x.var(axis=0, ddof=1)
        if bug == "momentum_fixed":
            momentum = 0.9
        if bug == "momentum_swapped":
            momentum = 1 - momentum
        if bug == "momentum_ignored":
            momentum = 0.0
        if bug != "never_stored":
            bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
            bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    plain = bug == "test_without_gains" and not training
    return _affine(xhat, gamma, beta, "gains_missing" if plain else bug), (xhat, gamma, scale)


# What goes wrong in standardising, whatever the mean runs over.
STANDARD_BUGS = {
    "unbiased": (
        "These values equal what results when the variance is divided by n - 1 instead of n. With "
        "one number in the mean that is 0 / 0.",
        "The mean of the squares: `x.var(...)` without `ddof=1`.",
    ),
    "eps_missing": (
        "These values equal those without `eps`. A feature that never changes would give 0 / 0.",
        "Divide by sqrt(var + eps).",
    ),
    "eps_outside": (
        "These values equal what results when `eps` is added to the deviation, behind the root.",
        "eps belongs under the root: sqrt(var + eps).",
    ),
    "eps_fixed": (
        "It is right with the usual eps of 1e-5 and with no other: it looks as if `eps` is not "
        "read from the dict.",
        "`.get('eps', 1e-5)` reads the setting.",
    ),
    "no_root": (
        "The division is by the variance; it looks as if the square root is missing.",
        "Divide by sqrt(var + eps).",
    ),
    "scale_missing": (
        "The mean is taken away and nothing is divided: the deviation stays what it was.",
        "Divide by sqrt(var + eps).",
    ),
    "mean_kept": (
        "The values are divided by the deviation, and the mean is still there.",
        "Subtract the mean before dividing.",
    ),
    "mean_of_squares": (
        "The variance looks like the mean of x squared: the mean was not subtracted before "
        "squaring.",
        "var = mean of (x - mean) squared.",
    ),
    "min_max": (
        "The standardised values lie between 0 and 1: they equal (x - min) / (max - min). "
        "Normalisation here means mean 0 and variance 1; the range stays open.",
        "(x - mean) / sqrt(var + eps).",
    ),
    "gamma_missing": ("`gamma` seems not to be used.", "out = gamma * xhat + beta."),
    "beta_missing": ("`beta` seems not to be used.", "out = gamma * xhat + beta."),
    "beta_inside": (
        "These values equal gamma * (xhat + beta): the shift is scaled too.",
        "out = gamma * xhat + beta.",
    ),
}
BATCH_BUGS = {
    "per_row": (
        "Each ROW is standardised: mean and variance run along axis 1. That is layer norm. Batch "
        "norm gives every feature one mean over the batch.",
        "Use axis 0.",
    ),
    "one_for_all": (
        "One mean and one variance serve for the whole table: it looks as if the axis is missing.",
        "Use axis 0: one mean for each feature.",
    ),
    "test_uses_batch": (
        "Test mode uses the mean and variance of its own batch. A single example would always "
        "come out as beta.",
        "In test mode take `running_mean` and `running_var` from `bn_param`.",
    ),
    "test_without_gains": (
        "Train mode is right; test mode standardises and forgets `gamma` and `beta`.",
        "Both modes end with gamma * xhat + beta.",
    ),
    "var_starts_at_one": (
        "The running variance starts at 1; here it starts at 0, like the running mean. (Some "
        "libraries start at 1.)",
        "`bn_param.get('running_var', np.zeros(D))`.",
    ),
    "momentum_swapped": (
        "In the running statistics momentum and 1 - momentum are exchanged: the past fades much "
        "too fast.",
        "running = momentum * running + (1 - momentum) * batch.",
    ),
    "momentum_ignored": (
        "The running statistics equal those of the last batch: the past is not kept.",
        "running = momentum * running + (1 - momentum) * batch.",
    ),
    "momentum_fixed": (
        "The running statistics are right for a momentum of 0.9 and for no other: the setting is "
        "not read.",
        "`bn_param.get('momentum', 0.9)`.",
    ),
    "never_stored": (
        "The running statistics in `bn_param` never change. A new array has to be stored in the "
        "dict.",
        "`bn_param['running_mean'] = ...`, and the same for the variance.",
    ),
    "running_deviation": (
        "`running_var` holds a running DEVIATION: the root was taken before averaging.",
        "Average the variance itself; the root comes when it is used.",
    ),
    "running_unbiased": (
        "`running_var` collects the variance divided by N - 1, as PyTorch does. Here it is the "
        "same variance as in the formula, divided by N.",
        "Use the same `var` in both places.",
    ),
    "updated_in_test": (
        "Test mode changes the running statistics: the answers would depend on what was asked "
        "before.",
        "Update in train mode only.",
    ),
}
for _bug, (_message, _remedy) in {**STANDARD_BUGS, **BATCH_BUGS}.items():

    def _wrong(x, gamma, beta, bn_param, bug=_bug):
        return _batchnorm(x, gamma, beta, bn_param, bug)

    chapter.mistake(batchnorm_forward, _bug, _message, _remedy)(_wrong)


# --- batch norm, backward: every path a term ---------------------------------------------------


def _dx(dxhat, xhat, scale, axes, bug=""):
    """The way back through standardising, with one path or factor spoilt."""
    n = xhat.size // scale.size
    straight = dxhat * (1.0 if bug == "scale_missing" else scale)
    centred = xhat / scale
    power = scale**2 if bug == "cube" else scale**3
    half = 1.0 if bug == "half" else 0.5
    dvar = -half * power * (dxhat * centred).sum(axis=axes, keepdims=True)
    if bug == "variance_sign":
        dvar = -dvar
    count = {"n_minus_1": n - 1, "variance_not_divided": 1}.get(bug, n)
    through_var = 2 / count * centred * dvar
    through_mean = -straight.sum(axis=axes, keepdims=True) / (1 if bug == "mean_not_divided" else n)
    if bug in ("variance_path_missing", "diagonal"):
        through_var = 0.0
    if bug in ("mean_path_missing", "diagonal"):
        through_mean = 0.0
    if bug == "mean_sign":
        through_mean = -through_mean
    return straight + through_var + through_mean


PATH_BUGS = {
    "diagonal": (
        "`dx` holds the straight way only: dout * gamma / deviation. Mean and variance were "
        "treated as constants, and both depend on every number they are made of.",
        "Add the way through the variance and the way through the mean.",
    ),
    "mean_path_missing": (
        "The way through the MEAN is missing in `dx`; the straight way and the way through the "
        "variance are there.",
        "Each x also moves the mean by 1/n, which is subtracted everywhere: subtract the mean of "
        "the gradients.",
    ),
    "variance_path_missing": (
        "The way through the VARIANCE is missing in `dx`; the straight way and the way through "
        "the mean are there.",
        "dvar = sum(dxhat * (x - mean)) * (-1/2) * (var + eps)^(-3/2), and 2/n * (x - mean) * "
        "dvar is added to dx.",
    ),
    "mean_not_divided": (
        "In `dx` the term of the mean is n times too large: its 1/n is missing.",
        "The mean is a sum divided by n, and so is its gradient.",
    ),
    "variance_not_divided": (
        "In `dx` the term of the variance is n times too large: its 1/n is missing.",
        "var is a mean of squares: d var / dx = 2/n * (x - mean).",
    ),
    "n_minus_1": (
        "The term of the variance is divided by n - 1 where forward divides by n.",
        "d var / dx = 2/n * (x - mean).",
    ),
    "half": (
        "The term of the variance is twice too large: the 1/2 of the root's slope is missing.",
        "d (v^(-1/2)) / dv = -1/2 * v^(-3/2).",
    ),
    "cube": (
        "The term of the variance has too few factors 1/deviation: the slope of v^(-1/2) is "
        "-1/2 * v^(-3/2), the deviation to the power of -3.",
        "-1/2 * (var + eps)^(-3/2).",
    ),
    "variance_sign": (
        "The term of the variance has the wrong sign: a larger variance makes xhat SMALLER.",
        "d (v^(-1/2)) / dv is negative.",
    ),
    "mean_sign": (
        "The term of the mean has the wrong sign: the mean is subtracted, so its gradient is too.",
        "dmean = -sum of the gradients of (x - mean).",
    ),
    "scale_missing": (
        "In the straight way of `dx` the factor 1/deviation is missing.",
        "xhat = (x - mean) * scale: the gradient of (x - mean) is dxhat * scale.",
    ),
    "dx_without_gamma": (
        "`dx` equals what results when `dout` goes on without `gamma`.",
        "Begin with dxhat = dout * gamma.",
    ),
    "dgamma_of_dout": (
        "`dgamma` equals the sum of `dout` alone, like `dbeta`: the factor xhat is missing.",
        "dgamma = sum of dout * xhat.",
    ),
    "dgamma_of_x": (
        "`dgamma` is made with x - mean instead of xhat: the division by the deviation is missing.",
        "dgamma = sum of dout * xhat.",
    ),
    "gains_mean": (
        "`dgamma` and `dbeta` are means; they should be sums. A division by N belongs to the "
        "loss, and `dout` carries it already.",
        "Use `sum`.",
    ),
    "gains_not_summed": (
        "`dgamma` and `dbeta` have the shape of `dout`: they are not added up. One gamma serves "
        "many numbers.",
        "Sum over the axes along which gamma is shared.",
    ),
    "order": (
        "The gradients come in another order. The order is that of the inputs: `dx, dgamma, "
        "dbeta`.",
        "Return `dx, dgamma, dbeta`.",
    ),
}


def _back(dout, cache, axes, shared, bug=""):
    """Gradients of a norm with one bug; means run along `axes`, gamma is shared along `shared`."""
    xhat, gamma, scale = cache
    dgamma, dbeta = (dout * xhat).sum(axis=shared), dout.sum(axis=shared)
    if bug == "dgamma_of_dout":
        dgamma = dbeta
    if bug == "dgamma_of_x":
        dgamma = (dout * xhat / scale).sum(axis=shared)
    if bug == "gains_mean":
        dgamma, dbeta = (dout * xhat).mean(axis=shared), dout.mean(axis=shared)
    if bug == "gains_not_summed":
        dgamma, dbeta = dout * xhat, dout
    if bug == "gains_other_axis":
        other = tuple({0, 1} - {shared})
        dgamma, dbeta = (dout * xhat).sum(axis=other), dout.sum(axis=other)
    dxhat = dout if bug in ("dx_without_gamma", "gamma_outside") else dout * gamma
    dx = _dx(dxhat, xhat, scale, axes, bug)
    if bug == "gamma_outside":
        dx = dx * gamma
    return (dgamma, dbeta, dx) if bug == "order" else (dx, dgamma, dbeta)


def _with_paths(answer, run, more=None, without=()):
    """Hang every mistake of a way back on `answer`; `run(dout, cache, bug)` makes it."""
    for bug, (message, remedy) in {**PATH_BUGS, **(more or {})}.items():
        if bug not in without:
            chapter.mistake(answer, bug, message, remedy)(
                lambda dout, cache, bug=bug: run(dout, cache, bug)
            )


@chapter.exercise(
    points=4,
    returns="dx, dgamma, dbeta",
    gradient_of=batchnorm_forward,
    difficulty=4,
    minutes=19,
    hints=(
        "Draw the graph: x -> mean, x - mean -> variance -> 1/deviation -> xhat -> out. x reaches "
        "out along three ways: straight, through the variance, and through the mean.",
        "dxhat = dout * gamma. Straight: dxhat * scale. Through the variance: dvar = -1/2 * "
        "scale**3 * sum(dxhat * (x - mean)), which gives 2/N * (x - mean) * dvar. Through the "
        "mean: minus the mean of what has been collected so far.",
        "`dcentred = dxhat * scale + 2 / N * centred * dvar`, then `dx = dcentred - "
        "dcentred.mean(axis=0)`. The whole answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="Each column of dx sums to 0, and its product with xhat is nearly 0 too. Which "
    "two changes of x would batch norm not notice?",
)
def batchnorm_backward(dout, cache):
    """Gradients of batch normalisation in train mode, step by step through the graph.

    Parameters
    ----------
    dout : (N, D) array
        Gradient of the loss with respect to the output.
    cache
        What the own `batchnorm_forward` returned in train mode.

    Returns
    -------
    dx : (N, D) array
    dgamma, dbeta : (D,) arrays
    """
    xhat, gamma, scale = cache
    N = len(dout)
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    dxhat = dout * gamma
    centred = xhat / scale  # x - mean
    dscale = (dxhat * centred).sum(axis=0)  # (D,)
    dvar = -0.5 * scale**3 * dscale  # scale = (var + eps) ** -0.5
    dcentred = dxhat * scale + 2 / N * centred * dvar
    dmean = -dcentred.sum(axis=0)
    dx = dcentred + dmean / N
    return dx, dgamma, dbeta


@chapter.cases(batchnorm_backward)
def batchnorm_backward_cases(rng):
    for n, d, setting, label in [
        (4, 3, {"mode": "train"}, "N = 4, D = 3"),
        (7, 5, {"mode": "train", "eps": 1e-3}, "eps = 1e-3; mean 20, deviation 0.4"),
        (6, 2, {"mode": "train", "eps": 0.1, "momentum": 0.5}, "N = 6, D = 2, eps = 0.1"),
    ]:
        far = "mean 20" in label
        x = _columns(rng, n, d, 20.0, 0.4) if far else _columns(rng, n, d)
        yield Case((x, *_gains(rng, d), setting), label=label)


BATCH_BACK = {
    "gains_other_axis": (
        "`dgamma` and `dbeta` have one number for each example; they need one for each feature.",
        "Sum over axis 0.",
    ),
}


def _wrong_batch_back(dout, cache, bug):
    return _back(dout, cache, 0, 0, bug)


_with_paths(batchnorm_backward, _wrong_batch_back, BATCH_BACK)


@chapter.exercise(
    points=2,
    returns="dx, dgamma, dbeta",
    gradient_of=batchnorm_forward,
    difficulty=3,
    minutes=9,
    hints=(
        "Put the three ways into one line and use sum(x - mean) = 0: everything can be said with "
        "dout, xhat, gamma and scale.",
        "With g = dout * gamma: dx = scale * (g - mean(g) - xhat * mean(g * xhat)).",
        "`dx = gamma * scale / N * (N * dout - dbeta - xhat * dgamma)`. The whole answer stands in "
        "`solutions/15_normalisation`.",
    ),
    afterthought="The formula subtracts two projections from g. Onto what?",
)
def batchnorm_backward_alt(dout, cache):
    """Gradients of batch normalisation in train mode, in closed form.

    Parameters
    ----------
    dout : (N, D) array
    cache
        What the own `batchnorm_forward` returned in train mode.

    Returns
    -------
    dx : (N, D) array
        gamma / deviation * (dout - dbeta / N - xhat * dgamma / N).
    dgamma, dbeta : (D,) arrays
    """
    xhat, gamma, scale = cache
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    dx = gamma * scale / len(dout) * (len(dout) * dout - dbeta - xhat * dgamma)
    return dx, dgamma, dbeta


chapter.cases(batchnorm_backward_alt)(batchnorm_backward_cases)
# In one line there is no power and no half to forget.
_with_paths(batchnorm_backward_alt, _wrong_batch_back, BATCH_BACK, without=("half", "cube"))


# --- layer norm: the same along the other axis ---------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=2,
    minutes=6,
    hints=(
        "Every row is standardised by its own mean and variance. Which axis is that, and which "
        "shape must the means have to be subtracted from (N, D)?",
        "There is no mode: a row needs no other row. `keepdims=True` keeps the means as (N, 1).",
        "`mean = x.mean(axis=1, keepdims=True)`, the same for `x.var`, then gamma * (x - mean) / "
        "np.sqrt(var + eps) + beta. The whole answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="Why are there no running statistics?",
)
def layernorm_forward(x, gamma, beta, ln_param):
    """Layer normalisation of every example (row) of x.

    out = gamma * (x - mean) / sqrt(var + eps) + beta, with one mean and one variance for each
    row; the variance is divided by D. gamma and beta belong to the features. (J. L. Ba,
    J. R. Kiros, G. E. Hinton, "Layer normalization", arXiv 1607.06450, 2016.)

    Parameters
    ----------
    x : (N, D) array
    gamma, beta : (D,) arrays
    ln_param : dict
        Optional "eps" (1e-5).

    Returns
    -------
    out : (N, D) array
    cache
        Whatever `layernorm_backward` needs.
    """
    mean = x.mean(axis=1, keepdims=True)  # (N, D) -> (N, 1)
    scale = 1 / np.sqrt(x.var(axis=1, keepdims=True) + ln_param.get("eps", 1e-5))
    xhat = (x - mean) * scale
    return gamma * xhat + beta, (xhat, gamma, scale)


@chapter.cases(layernorm_forward)
def layernorm_cases(rng):
    for n, d, setting in [(3, 4, {}), (5, 7, {"eps": 1e-2}), (1, 6, {}), (6, 2, {"eps": 0.1})]:
        x = _columns(rng, n, d) + rng.normal(0, 3, (n, 1))
        yield Case((x, *_gains(rng, d), setting), label=f"N = {n}, D = {d}, ln_param = {setting}")


LAYER_BUGS = {
    "per_feature": (
        "Each COLUMN is standardised: mean and variance run along axis 0. That is batch norm. "
        "Layer norm gives every example its own mean.",
        "Use axis 1, with `keepdims=True`.",
    ),
    "one_for_all": (
        "One mean and one variance serve for the whole table: it looks as if the axis is missing.",
        "Use axis 1, with `keepdims=True`.",
    ),
}
for _bug, (_message, _remedy) in {**STANDARD_BUGS, **LAYER_BUGS}.items():

    def _wrong_layer(x, gamma, beta, ln_param, bug=_bug):
        axes = {"per_feature": 0, "one_for_all": None}.get(bug, 1)
        xhat, scale, _, _ = _norm(x, axes, ln_param.get("eps", 1e-5), bug)
        return _affine(xhat, gamma, beta, bug), (xhat, gamma, scale)

    chapter.mistake(layernorm_forward, _bug, _message, _remedy)(_wrong_layer)


@chapter.exercise(
    points=3,
    returns="dx, dgamma, dbeta",
    gradient_of=layernorm_forward,
    difficulty=3,
    minutes=8,
    hints=(
        "The same three ways as in batch norm, along axis 1. What is the number that the means "
        "divide by now?",
        "gamma differs along the axis of the means here: it must go INTO them. Begin with "
        "g = dout * gamma. And gamma is still shared by all examples.",
        "`dx = scale * (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, "
        "keepdims=True))`. The whole answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="In batch norm gamma may stand in front of the bracket. Why not here?",
)
def layernorm_backward(dout, cache):
    """Gradients of layer normalisation.

    Parameters
    ----------
    dout : (N, D) array
    cache
        What the own `layernorm_forward` returned.

    Returns
    -------
    dx : (N, D) array
    dgamma, dbeta : (D,) arrays
    """
    xhat, gamma, scale = cache
    g = dout * gamma
    along = (g * xhat).mean(axis=1, keepdims=True)  # (N, 1)
    dx = scale * (g - g.mean(axis=1, keepdims=True) - xhat * along)
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)


@chapter.cases(layernorm_backward)
def layernorm_backward_cases(rng):
    for n, d, setting in [(3, 4, {}), (5, 7, {"eps": 1e-2}), (6, 3, {"eps": 0.1})]:
        x = _columns(rng, n, d) + rng.normal(0, 3, (n, 1))
        yield Case((x, *_gains(rng, d), setting), label=f"N = {n}, D = {d}, ln_param = {setting}")


def _wrong_layer_back(dout, cache, bug):
    if bug in ("axis_0", "divided_by_n"):
        xhat, gamma, scale = cache
        dx, dgamma, dbeta = layernorm_backward(dout, cache)
        g, axis = dout * gamma, 0 if bug == "axis_0" else 1
        means = [v.sum(axis=axis, keepdims=True) / len(dout) for v in (g, g * xhat)]
        return scale * (g - means[0] - xhat * means[1]), dgamma, dbeta
    return _back(dout, cache, 1, 0, bug)


_with_paths(
    layernorm_backward,
    _wrong_layer_back,
    {
        "gamma_outside": (
            "`gamma` is multiplied on at the end, as in batch norm. Here it differs along the "
            "axis of the means, so it has to go into them.",
            "Begin with g = dout * gamma, and take the means of g.",
        ),
        "axis_0": (
            "The means in `dx` run along axis 0, as in batch norm.",
            "Means over the features: axis 1.",
        ),
        "divided_by_n": (
            "The sums in `dx` run along the right axis and are divided by N; a row has D numbers.",
            "Divide by D, or use `.mean(axis=1, keepdims=True)`.",
        ),
        "gains_other_axis": (
            "`dgamma` and `dbeta` have one number for each example: they were summed along the "
            "axis of the means. gamma belongs to the features.",
            "Sum dgamma and dbeta over axis 0.",
        ),
    },
)


# --- images: one mean for each channel --------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="out, cache",
    difficulty=3,
    minutes=8,
    hints=(
        "A channel plays the part of a feature; every pixel of every image is one more example of "
        "it. How many numbers are in one mean?",
        "Make a table with C columns and N * H * W rows, and `batchnorm_forward` does the rest. "
        "The channel axis must come last BEFORE the reshape.",
        "`rows = x.transpose(0, 2, 3, 1).reshape(-1, C)`, and back with `out.reshape(N, H, W, "
        "C).transpose(0, 3, 1, 2)`. The whole answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="Why one mean for a whole channel, and not one for each pixel?",
)
def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    """Batch normalisation of every channel: means run over examples, rows and columns.

    Parameters
    ----------
    x : (N, C, H, W) array
    gamma, beta : (C,) arrays
    bn_param : dict
        As for `batchnorm_forward`; the running statistics are (C,).

    Returns
    -------
    out : (N, C, H, W) array
    cache
        Whatever `spatial_batchnorm_backward` needs.
    """
    N, C, H, W = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, C)  # (N, C, H, W) -> (N*H*W, C)
    out, cache = batchnorm_forward(rows, gamma, beta, bn_param)
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache


def _images(rng, n, c, h, w):
    """Channels and places with means of their own, so that a wrong mean shows."""
    places = rng.normal(0, 1, (c, h, w)) + rng.normal(3, 2, (c, 1, 1))
    return places + rng.normal(0, 1.5, (n, c, h, w)) * rng.uniform(0.5, 1.5, (c, 1, 1))


@chapter.cases(spatial_batchnorm_forward)
def spatial_cases(rng):
    for shape, setting in [
        ((3, 2, 4, 5), {"mode": "train"}),
        ((5, 4, 2, 3), {"mode": "train", "eps": 1e-2}),
        ((1, 3, 5, 2), {"mode": "train"}),
        ((2, 3, 4, 5), {"mode": "test", "eps": 1e-3, **_running(rng, 3)}),
    ]:
        label = f"{setting['mode']}, x has shape {shape}"
        yield Case((_images(rng, *shape), *_gains(rng, shape[1]), setting), label=label)


@chapter.property(spatial_batchnorm_forward, "running_statistics", RUNNING)
def spatial_running(rng):
    c, settings = 3, {"momentum": 0.7}
    batches = [_images(rng, n, c, 2, 5) for n in (4, 6)]
    args = (batches, _images(rng, 2, c, 2, 5), *_gains(rng, c), settings)
    yield Case(args, drive=drive_running, label="2 batches, then one in test mode")


def _wrong_spatial(x, gamma, beta, bn_param, bug):
    N, C, H, W = x.shape
    if bug in BATCH_BUGS or bug in STANDARD_BUGS:
        rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
        out, cache = _batchnorm(rows, gamma, beta, bn_param, bug)
        return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache
    if bug == "no_transpose":
        out, cache = batchnorm_forward(x.reshape(-1, C), gamma, beta, bn_param)
        return out.reshape(x.shape), cache
    if bug == "no_transpose_back":
        rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
        out, cache = batchnorm_forward(rows, gamma, beta, bn_param)
        return out.reshape(x.shape), cache
    if bug == "channels_last":
        rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
        out, cache = batchnorm_forward(rows, gamma, beta, bn_param)
        return out.reshape(N, H, W, C), cache
    if bug == "h_and_w":
        rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
        out, cache = batchnorm_forward(rows, gamma, beta, bn_param)
        return out.reshape(N, W, H, C).transpose(0, 3, 2, 1), cache
    axes = {"per_pixel": 0, "per_image": (2, 3), "all_channels": (0, 1, 2, 3)}[bug]
    wide = {name: bn_param[name].reshape(C, 1, 1) for name in _STATES if name in bn_param}
    if bn_param["mode"] == "train":
        momentum = bn_param.get("momentum", 0.9)
        new = {"running_mean": x.mean(axis=axes), "running_var": x.var(axis=axes)}
        if bug == "all_channels":
            new = {name: np.full(C, value) for name, value in new.items()}
            for name in _STATES:
                old = bn_param.get(name, np.zeros(C))
                bn_param[name] = momentum * old + (1 - momentum) * new[name]
        mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    else:
        mean, var = wide.get("running_mean", 0.0), wide.get("running_var", 0.0)
    xhat = (x - mean) / np.sqrt(var + bn_param.get("eps", 1e-5))
    return gamma.reshape(C, 1, 1) * xhat + beta.reshape(C, 1, 1), None


_STATES = ("running_mean", "running_var")
SPATIAL_BUGS = {
    "per_pixel": (
        "Every pixel of every channel has a mean of its own: it looks as if the mean runs over "
        "the examples only. A channel should have one mean for all of its places.",
        "Mean over examples, rows and columns: axes (0, 2, 3).",
    ),
    "per_image": (
        "Each channel of each image is standardised alone: the mean runs over rows and columns "
        "only. That is instance norm.",
        "Mean over examples, rows and columns: axes (0, 2, 3).",
    ),
    "all_channels": (
        "One mean serves for all channels.",
        "Mean over examples, rows and columns: axes (0, 2, 3).",
    ),
    "no_transpose": (
        "The table was made by `reshape` alone: its columns are a mixture of channels. Only an "
        "axis that comes last becomes the columns.",
        "`x.transpose(0, 2, 3, 1).reshape(-1, C)`.",
    ),
    "no_transpose_back": (
        "The numbers seem right and stand in the wrong places: the way back to (N, C, H, W) lacks "
        "its transpose.",
        "`out.reshape(N, H, W, C).transpose(0, 3, 1, 2)`.",
    ),
    "channels_last": (
        "`out` has its channels last: (N, H, W, C).",
        "`.transpose(0, 3, 1, 2)` brings them back to axis 1.",
    ),
    "h_and_w": (
        "The numbers seem right and stand in the wrong places: it looks as if H and W are "
        "exchanged on the way back.",
        "`out.reshape(N, H, W, C).transpose(0, 3, 1, 2)`.",
    ),
}
_PASSED_ON = ("eps_fixed", "eps_outside", "unbiased", "test_uses_batch", "never_stored")
for _bug, (_message, _remedy) in {
    **SPATIAL_BUGS,
    **{bug: {**STANDARD_BUGS, **BATCH_BUGS}[bug] for bug in _PASSED_ON},
}.items():
    chapter.mistake(spatial_batchnorm_forward, _bug, _message, _remedy)(
        lambda x, gamma, beta, bn_param, bug=_bug: _wrong_spatial(x, gamma, beta, bn_param, bug)
    )


# --- debug: batch norm with five bugs ------------------------------------------------------------

DEBUG_STUB = '''def debug_batchnorm(batches, x_new, dout, gamma, beta, eps, momentum):
    """Batch norm at work, with five bugs: some batches in training, the way back through the
    last of them, then new data in test mode.

    Returns dx and dgamma of the last batch, and out_new. The running statistics start at 0.
    """
    D = x_new.shape[1]
    running_mean, running_var = np.zeros(D), np.zeros(D)
    for x in batches:
        mean = x.mean(axis=0)
        std = np.sqrt(x.var(axis=0, ddof=1) + eps)
        xhat = (x - mean) / std
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * std
    # the way back through the last batch
    dgamma = (dout * xhat).sum(axis=0)
    g = dout * gamma
    dx = (g - xhat * (g * xhat).mean(axis=0)) / std
    # new data
    out_new = (x_new - running_mean) / np.sqrt(running_var)
    return dx, dgamma, out_new
'''


def _debug(batches, x_new, dout, gamma, beta, eps, momentum, bugs=()):
    running_mean = running_var = np.zeros(x_new.shape[1])
    for x in batches:
        mean, var = x.mean(axis=0), x.var(axis=0, ddof=int("unbiased" in bugs))
        std = np.sqrt(var + eps)
        xhat = (x - mean) / std
        running_mean = momentum * running_mean + (1 - momentum) * mean
        kept = std if "deviation" in bugs else var
        running_var = momentum * running_var + (1 - momentum) * kept
    g = dout * gamma
    dx = (g - (0 if "mean" in bugs else g.mean(axis=0)) - xhat * (g * xhat).mean(axis=0)) / std
    out = (x_new - running_mean) / np.sqrt(running_var + (0 if "eps" in bugs else eps))
    out = out if "gains" in bugs else gamma * out + beta
    return dx, (dout * xhat).sum(axis=0), out


@chapter.exercise(
    points=4,
    returns="dx, dgamma, out_new",
    difficulty=3,
    minutes=12,
    title="Debug: batch norm in use, five bugs",
    stub=DEBUG_STUB,
    hints=(
        "Measure before reading: the variance of xhat, the sum of each column of dx, and "
        "out_new for data that have exactly the running statistics. What should each be?",
        "The variance of xhat is var / (var + eps), with var divided by N. Each column of dx sums "
        "to 0. out_new has mean beta and deviation near |gamma|.",
        "`x.var(axis=0)`; the running variance collects `x.var(axis=0)`, not std; `g - "
        "g.mean(axis=0) - ...`; `np.sqrt(running_var + eps)`; `gamma * (...) + beta`. The whole "
        "answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="Which of the five would the training loss have shown?",
)
def debug_batchnorm(batches, x_new, dout, gamma, beta, eps, momentum):
    """Batch norm at work, with five bugs: some batches in training, the way back through the
    last of them, then new data in test mode.

    Returns dx and dgamma of the last batch, and out_new. The running statistics start at 0.
    """
    D = x_new.shape[1]
    running_mean, running_var = np.zeros(D), np.zeros(D)
    for x in batches:
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        std = np.sqrt(var + eps)
        xhat = (x - mean) / std
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    # the way back through the last batch
    dgamma = (dout * xhat).sum(axis=0)
    g = dout * gamma
    dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / std
    # new data
    out_new = gamma * (x_new - running_mean) / np.sqrt(running_var + eps) + beta
    return dx, dgamma, out_new


@chapter.cases(debug_batchnorm)
def debug_cases(rng):
    for sizes, new, d, eps, momentum in [
        ((5, 7), 4, 3, 1e-2, 0.6),
        ((6, 4, 8), 3, 2, 0.1, 0.7),
        ((9,), 5, 4, 1e-3, 0.9),
    ]:
        batches = [_columns(rng, n, d) for n in sizes]
        dout = rng.standard_normal((sizes[-1], d))
        args = (batches, _columns(rng, new, d), dout, *_gains(rng, d), eps, momentum)
        yield Case(args, label=f"{len(sizes)} batches, D = {d}, eps = {eps}")


# In the order in which measuring finds them: the statistics, the way back, then test mode.
PLANTED = {
    "unbiased": "Look at `xhat.var(axis=0)`: it should be var / (var + eps), with a variance that "
    "is divided by N.",
    "mean": "xhat is right. The columns of `dx` do not sum to 0: which way from x to the loss is "
    "missing?",
    "deviation": "Training and the way back are right, `out_new` is not. What does `running_var` "
    "collect?",
    "eps": "The running statistics are right. What stands under the root in test mode, and what "
    "stood there in training?",
    "gains": "`out_new` is standardised and nothing else: its mean is not beta.",
}
for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(debug_batchnorm, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}")(
            lambda *args, bugs=_bugs: _debug(*args, bugs=bugs)
        )


# --- more: the way back through spatial batch norm ----------------------------------------------


@chapter.exercise(
    points=2,
    returns="dx, dgamma, dbeta",
    gradient_of=spatial_batchnorm_forward,
    difficulty=2,
    minutes=6,
    optional=True,
    hints=(
        "Forward made a table and called batch norm. The way back makes the same table of `dout`.",
        "The sizes N, C, H, W can be read from `dout`.",
        "`rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)`, then `batchnorm_backward(rows, "
        "cache)`, and dx back to (N, C, H, W). The whole answer stands in "
        "`solutions/15_normalisation`.",
    ),
    afterthought="The inverse of a transpose is a transpose. Which one undoes (0, 2, 3, 1)?",
)
def spatial_batchnorm_backward(dout, cache):
    """Gradients of spatial batch normalisation in train mode.

    Parameters
    ----------
    dout : (N, C, H, W) array
    cache
        What the own `spatial_batchnorm_forward` returned.

    Returns
    -------
    dx : (N, C, H, W) array
    dgamma, dbeta : (C,) arrays
    """
    N, C, H, W = dout.shape
    rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)  # (N*H*W, C)
    dx, dgamma, dbeta = batchnorm_backward(rows, cache)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta


@chapter.cases(spatial_batchnorm_backward)
def spatial_backward_cases(rng):
    for shape, eps in [((3, 2, 4, 5), 1e-5), ((5, 4, 2, 3), 1e-2), ((2, 3, 5, 2), 0.1)]:
        args = (_images(rng, *shape), *_gains(rng, shape[1]), {"mode": "train", "eps": eps})
        yield Case(args, label=f"x has shape {shape}")


def _wrong_spatial_back(dout, cache, bug):
    N, C, H, W = dout.shape
    if bug == "no_transpose":
        dx, dgamma, dbeta = batchnorm_backward(dout.reshape(-1, C), cache)
        return dx.reshape(dout.shape), dgamma, dbeta
    rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)
    if bug == "no_transpose_back":
        dx, dgamma, dbeta = batchnorm_backward(rows, cache)
        return dx.reshape(dout.shape), dgamma, dbeta
    if bug == "divided_by_examples":
        xhat, gamma, scale = cache
        dgamma, dbeta = (rows * xhat).sum(axis=0), rows.sum(axis=0)
        dx = gamma * scale * (rows - (dbeta + xhat * dgamma) / N)
    else:
        dx, dgamma, dbeta = _back(rows, cache, 0, 0, bug)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta


_with_paths(
    spatial_batchnorm_backward,
    _wrong_spatial_back,
    {
        "no_transpose": SPATIAL_BUGS["no_transpose"],
        "no_transpose_back": SPATIAL_BUGS["no_transpose_back"],
        "divided_by_examples": (
            "The means in `dx` are divided by N. A channel's mean is made of N * H * W numbers.",
            "n = N * H * W.",
        ),
    },
    without=("half", "cube", "order", "gains_not_summed", "gains_mean", "n_minus_1"),
)


# --- more: group norm ----------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="out, cache",
    difficulty=3,
    minutes=10,
    optional=True,
    hints=(
        "G is the NUMBER of groups. A group is C / G channels that lie side by side, of one "
        "image: how many numbers is that?",
        "`x.reshape(N, G, -1)` lays each group into one row. Standardise each row, then go back "
        "to the shape of x. gamma and beta still belong to the channels.",
        "`groups = x.reshape(N, G, -1)`, mean and variance over axis 2 with `keepdims=True`, "
        "`xhat.reshape(x.shape)`. The whole answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="Which norms are the cases G = 1 and G = C?",
)
def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    """Group normalisation: means run over one image's group of C / G neighbouring channels.

    out = gamma * (x - mean) / sqrt(var + eps) + beta; the variance is divided by the C/G * H * W
    numbers of the group. (Y. Wu, K. He, "Group normalization", ECCV 2018.)

    Parameters
    ----------
    x : (N, C, H, W) array
    gamma, beta : (1, C, 1, 1) arrays
        One number for each channel. The checks use this shape, in which they broadcast over x;
        the course's own answer takes (C,) as well.
    G : int
        Number of groups; it divides C.
    gn_param : dict
        Optional "eps" (1e-5).

    Returns
    -------
    out : (N, C, H, W) array
    cache
        Whatever `spatial_groupnorm_backward` needs.
    """
    N, C, H, W = x.shape
    groups = x.reshape(N, G, -1)  # (N, C, H, W) -> (N, G, C/G*H*W)
    mean = groups.mean(axis=2, keepdims=True)
    scale = 1 / np.sqrt(groups.var(axis=2, keepdims=True) + gn_param.get("eps", 1e-5))
    xhat = ((groups - mean) * scale).reshape(x.shape)
    out = gamma.reshape(1, C, 1, 1) * xhat + beta.reshape(1, C, 1, 1)
    return out, (xhat, gamma, scale)


@chapter.cases(spatial_groupnorm_forward)
def groupnorm_cases(rng):
    for shape, G, setting in [
        ((2, 6, 3, 4), 2, {}),
        ((3, 4, 5, 2), 1, {"eps": 1e-2}),
        ((1, 12, 2, 3), 3, {"eps": 0.1}),
    ]:
        gains = (v.reshape(1, -1, 1, 1) for v in _gains(rng, shape[1]))
        label = f"x has shape {shape}, G = {G}, gn_param = {setting}"
        yield Case((_images(rng, *shape), *gains, G, setting), label=label)


def _wrong_group(x, gamma, beta, G, gn_param, bug):
    N, C, H, W = x.shape
    eps = gn_param.get("eps", 1e-5)
    if bug == "g_is_the_size":
        G = C // G
    if bug == "one_channel_each":
        G = C
    if bug == "all_channels":
        G = 1
    groups, axes = x.reshape(N, G, -1), 2
    if bug == "strided":
        groups, axes = x.reshape(N, C // G, G, H * W), (1, 3)
    if bug == "over_the_batch":
        axes = (0, 2)
    if bug == "per_place":
        groups, axes = x.reshape(N, G, C // G, H * W), 2
    xhat, _, _, _ = _norm(groups, axes, eps, bug)
    return _affine(xhat.reshape(x.shape), gamma, beta, bug), None


GROUP_BUGS = {
    "g_is_the_size": (
        "It looks as if G is taken for the number of channels IN a group. It is the number of "
        "groups.",
        "Each group has C // G channels.",
    ),
    "one_channel_each": (
        "Every channel is standardised alone: that is instance norm, G = C.",
        "`x.reshape(N, G, -1)`: a group holds C // G channels.",
    ),
    "all_channels": (
        "G makes no difference: all channels of an image share one mean. That is layer norm, "
        "G = 1.",
        "`x.reshape(N, G, -1)`.",
    ),
    "strided": (
        "The groups are made of every G-th channel: it looks like reshape(N, C // G, G, ...). "
        "A group holds channels that lie side by side.",
        "`x.reshape(N, G, C // G, H, W)`: G comes first.",
    ),
    "over_the_batch": (
        "The means run over the batch too. Group norm looks at one image at a time.",
        "Keep axis 0 out of the mean.",
    ),
    "per_place": (
        "Every place has a mean of its own: the mean runs over the channels of a group only.",
        "Mean over channels of the group, rows and columns.",
    ),
}
for _bug, (_message, _remedy) in {**STANDARD_BUGS, **GROUP_BUGS}.items():
    chapter.mistake(spatial_groupnorm_forward, _bug, _message, _remedy)(
        lambda x, gamma, beta, G, gn_param, bug=_bug: _wrong_group(x, gamma, beta, G, gn_param, bug)
    )


@chapter.exercise(
    points=3,
    returns="dx, dgamma, dbeta",
    gradient_of=spatial_groupnorm_forward,
    difficulty=3,
    minutes=10,
    optional=True,
    hints=(
        "Layer norm's way back, along the rows of the table of groups. Which of dgamma and dx "
        "needs the groups, and which the channels?",
        "dgamma and dbeta: sum over axes 0, 2, 3 and keep the shape of gamma. dx: put "
        "g = dout * gamma into rows (N, G, -1), and use means along axis 2.",
        "`dx = scale * (g - g.mean(axis=2, keepdims=True) - h * (g * h).mean(axis=2, "
        "keepdims=True))` with h = xhat in rows, then reshape. The whole answer stands in "
        "`solutions/15_normalisation`.",
    ),
    afterthought="Nothing here asks how many images the batch has. What is that good for?",
)
def spatial_groupnorm_backward(dout, cache):
    """Gradients of group normalisation.

    Parameters
    ----------
    dout : (N, C, H, W) array
    cache
        What the own `spatial_groupnorm_forward` returned.

    Returns
    -------
    dx : (N, C, H, W) array
    dgamma, dbeta : arrays of the shape of gamma, (1, C, 1, 1) in the checks
    """
    xhat, gamma, scale = cache
    N, C, H, W = dout.shape
    dgamma = (dout * xhat).sum(axis=(0, 2, 3)).reshape(gamma.shape)
    dbeta = dout.sum(axis=(0, 2, 3)).reshape(gamma.shape)
    g = (dout * gamma.reshape(1, C, 1, 1)).reshape(N, scale.shape[1], -1)  # (N, G, C/G*H*W)
    h = xhat.reshape(g.shape)
    dx = scale * (g - g.mean(axis=2, keepdims=True) - h * (g * h).mean(axis=2, keepdims=True))
    return dx.reshape(dout.shape), dgamma, dbeta


def _wrong_group_back(dout, cache, bug):
    xhat, gamma, scale = cache
    dx, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
    N, C, H, W = dout.shape
    if bug == "gains_flat":
        return dx, dgamma.reshape(-1), dbeta.reshape(-1)
    if bug == "order":
        return dgamma, dbeta, dx
    if bug == "dgamma_of_dout":
        return dx, dbeta, dbeta
    if bug == "gains_mean":
        return dx, dgamma / (N * H * W), dbeta / (N * H * W)
    inner = dout if bug in ("dx_without_gamma", "gamma_outside") else dout * gamma
    g = inner.reshape(N, scale.shape[1], -1)
    h = xhat.reshape(g.shape)
    dx = _dx(g, h, scale, 2, bug)
    if bug in ("over_pixels", "over_examples"):
        n = H * W if bug == "over_pixels" else N
        sums = [v.sum(axis=2, keepdims=True) / n for v in (g, g * h)]
        dx = scale * (g - sums[0] - h * sums[1])
    dx = dx.reshape(dout.shape)
    return dx * gamma if bug == "gamma_outside" else dx, dgamma, dbeta


_with_paths(
    spatial_groupnorm_backward,
    _wrong_group_back,
    {
        "gains_flat": (
            "`dgamma` and `dbeta` hold the right numbers in shape (C,); gamma came as "
            "(1, C, 1, 1), and a gradient has the shape of what it belongs to.",
            "`keepdims=True`, or reshape to `gamma.shape`.",
        ),
        "gamma_outside": (
            "`gamma` is multiplied on at the end. It differs from channel to channel inside a "
            "group, so it has to go into the means.",
            "Begin with g = dout * gamma.",
        ),
        "over_pixels": (
            "The sums in `dx` are divided by H * W. A group's mean is made of C/G * H * W numbers.",
            "n = C // G * H * W.",
        ),
        "over_examples": (
            "The sums in `dx` are divided by N. A group's mean is made of C/G * H * W numbers of "
            "one image.",
            "n = C // G * H * W.",
        ),
    },
    without=("half", "cube", "n_minus_1", "gains_not_summed", "dgamma_of_x"),
)


# --- more: a net with all of it ------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="scores, loss, grads",
    difficulty=5,
    minutes=35,
    optional=True,
    hints=(
        "Begin with `FullyConnectedNet` of chapter 05. A hidden layer is now: affine, norm, ReLU, "
        "dropout. The last layer is affine alone.",
        "Each batch norm has a `bn_param` of its own, kept by the net from call to call. The mode "
        "is 'test' when `y` is `None`. In training, mask = (rng.random(shape) < keep) / keep.",
        "Keep the caches of a layer together; go back in the opposite order: mask, relu_backward, "
        "norm backward, affine_backward. The whole answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="With batch norm the bias of the hidden layers has a gradient of 0. Why?",
)
class NormalisedNet:
    """`FullyConnectedNet` of chapter 05 with normalisation and dropout.

    (affine - norm - ReLU - dropout) x (L - 1) - affine - softmax. In `loss(X, y)` the net is in
    train mode; in `loss(X)` it is in test mode: running statistics, no dropout.

    Parameters
    ----------
    hidden_dims : list of int
        Size of each hidden layer.
    input_dim, num_classes : int
    dropout_keep_ratio : float
        Probability of KEEPING a hidden unit; 1 means no dropout. A kept unit is divided by it.
    normalization : None, "batchnorm" or "layernorm"
    reg : float
        Strength of the penalty 0.5 * reg * sum(W * W) over all weight matrices. Biases, gamma
        and beta are not penalised.
    weight_scale : float
        Standard deviation of the first weights. Biases and beta start at 0, gamma at 1.
    dtype : numpy type
        Of all parameters.
    seed : int, optional

    Attributes
    ----------
    params : dict
        W1, b1, ..., WL, bL, and with normalisation gamma1, beta1, ... of the L - 1 hidden layers.
    """

    def __init__(
        self,
        hidden_dims,
        input_dim=64,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float64,
        seed=None,
    ):
        self.rng = np.random.default_rng(seed)
        self.reg, self.keep = reg, dropout_keep_ratio
        self.normalization = normalization
        self.num_layers = len(hidden_dims) + 1
        self.params = {}
        ### BEGIN SOLUTION
        sizes = [input_dim, *hidden_dims, num_classes]
        for i in range(1, self.num_layers + 1):
            shape = (sizes[i - 1], sizes[i])
            W = weight_scale * self.rng.standard_normal(shape)
            self.params[f"W{i}"] = W.astype(dtype)
            self.params[f"b{i}"] = np.zeros(sizes[i], dtype=dtype)
            if normalization and i < self.num_layers:
                self.params[f"gamma{i}"] = np.ones(sizes[i], dtype=dtype)
                self.params[f"beta{i}"] = np.zeros(sizes[i], dtype=dtype)
        self.norm_params = [{} for _ in hidden_dims]  # one for each hidden layer
        ### END SOLUTION

    def loss(self, X, y=None):
        """Scores (N, C) in test mode if `y` is None, else the loss and a dict of gradients."""
        ### BEGIN SOLUTION
        forward, backward = {
            "batchnorm": (batchnorm_forward, batchnorm_backward),
            "layernorm": (layernorm_forward, layernorm_backward),
        }.get(self.normalization, (None, None))
        p, last, caches, out = self.params, self.num_layers, [], X
        for i in range(1, last):
            out, layer = affine_forward(out, p[f"W{i}"], p[f"b{i}"])
            norm = mask = None
            if forward:
                setting = self.norm_params[i - 1]
                setting["mode"] = "test" if y is None else "train"
                out, norm = forward(out, p[f"gamma{i}"], p[f"beta{i}"], setting)
            out, bend = relu_forward(out)
            if self.keep < 1 and y is not None:
                mask = (self.rng.random(out.shape) < self.keep) / self.keep
                out = out * mask
            caches.append((layer, norm, bend, mask))
        scores, layer = affine_forward(out, p[f"W{last}"], p[f"b{last}"])
        if y is None:
            return scores

        loss, dout = softmax_loss(scores, y)
        grads = {}
        dout, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dout, layer)
        for i in range(last - 1, 0, -1):
            layer, norm, bend, mask = caches[i - 1]
            if mask is not None:
                dout = dout * mask
            dout = relu_backward(dout, bend)
            if forward:
                dout, grads[f"gamma{i}"], grads[f"beta{i}"] = backward(dout, norm)
            dout, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dout, layer)
        for i in range(1, last + 1):
            loss += 0.5 * self.reg * (p[f"W{i}"] ** 2).sum()
            grads[f"W{i}"] = grads[f"W{i}"] + self.reg * p[f"W{i}"]
        return loss, grads
        ### END SOLUTION


def drive_net(NormalisedNet, batches, X_new, params, normalization, reg):
    """Scores in test mode after some batches, then loss and gradients of the first one again."""
    depth = len([name for name in params if name.startswith("W")])
    hidden = [params["b" + str(i)].size for i in range(1, depth)]
    net = NormalisedNet(
        hidden,
        input_dim=params["W1"].shape[0],
        num_classes=params["b" + str(depth)].size,
        normalization=normalization,
        reg=reg,
        weight_scale=0.1,
    )
    for name in params:
        net.params[name] = params[name].copy()
    for X, y in batches:
        net.loss(X.copy(), y.copy())
    scores = net.loss(X_new.copy())
    loss, grads = net.loss(batches[0][0].copy(), batches[0][1].copy())
    return scores, loss, grads


@chapter.cases(NormalisedNet)
def net_cases(rng):
    for hidden, kind, d, c, reg in [
        ((4,), None, 3, 2, 0.0),
        ((5, 4), "batchnorm", 3, 4, 0.0),
        ((4, 6), "layernorm", 5, 3, 0.0),
        ((6, 6, 5), "batchnorm", 4, 3, 0.7),
    ]:
        sizes, params = (d, *hidden, c), {}
        for i, shape in enumerate(pairwise(sizes), 1):
            params[f"W{i}"] = rng.standard_normal(shape)
            params[f"b{i}"] = rng.standard_normal(shape[1])
            if kind and i < len(sizes) - 1:
                params[f"gamma{i}"], params[f"beta{i}"] = _gains(rng, shape[1])
        batches = [
            (rng.normal(0.5, 1, (n, d)), np.arange(n) % c)  # batches of different sizes
            for n in ((7, 8, 6) if kind else (5,))
        ]
        label = f"hidden layers {list(hidden)}, normalization = {kind!r}, reg = {reg}"
        args = (batches, rng.normal(0.5, 1, (3, d)), params, kind, reg)
        yield Case(args, drive=drive_net, label=label)


def drive_net_params(NormalisedNet, hidden, d, c, kind, scale):
    """Names, shapes and sizes of a new net's parameters."""
    net = NormalisedNet(
        list(hidden), input_dim=d, num_classes=c, normalization=kind, weight_scale=scale
    )
    seen = {"names": sorted(net.params)}
    for name in seen["names"]:
        value = np.asarray(net.params[name], dtype=float)
        seen[name + " has shape"] = list(value.shape)
        if name.startswith("W"):
            seen[name + ", deviation / weight_scale"] = round(min(float(value.std()) / scale, 9))
        else:
            seen[name + " starts at"] = float(value.mean())
    return seen


@chapter.property(
    NormalisedNet,
    "parameters",
    "The first parameters are not as asked: W, b for every layer, gamma (ones) and beta (zeros) "
    "for the hidden layers of a net with normalisation, and only there.",
)
def net_params(rng):
    for hidden, kind in [((20, 30), "batchnorm"), ((25, 15, 12), "layernorm"), ((18,), None)]:
        args = (hidden, 11, 9, kind, 0.02 if kind else 3.0)
        yield Case(args, drive=drive_net_params, label=f"hidden layers {list(hidden)}, {kind!r}")


def drive_dropout_back(NormalisedNet, X, y, keep, hidden):
    """Do all layers agree on the gradient along their own weights?

    Without biases, scaling any one layer's weights scales the scores alike, whatever is dropped
    in that pass. So sum(W * dW) is the same for each layer (Euler's theorem).
    """
    net = NormalisedNet(
        list(hidden),
        input_dim=X.shape[1],
        num_classes=int(y.max()) + 1,
        dropout_keep_ratio=keep,
        weight_scale=0.4,
    )
    came = net.loss(X.copy(), y.copy())
    if came is None:
        return None
    grads = came[1]
    along = [float(np.sum(net.params[n] * grads[n])) for n in sorted(grads) if n[0] == "W"]
    spread = max(along) - min(along)
    return "agree" if spread < 1e-5 * max(map(abs, along)) else "disagree"


@chapter.property(
    NormalisedNet,
    "dropout_backward",
    "With dropout the gradients of the layers do not fit together: on the way back, dropped units "
    "and the division by the ratio count as they did on the way forward, with the same draw.",
)
def net_dropout_back(rng):
    X, y = rng.normal(0, 1.5, (12, 5)), np.arange(12) % 3
    yield Case((X, y, 0.6, (17, 11)), drive=drive_dropout_back, label="two hidden layers, keep 0.6")


def drive_dropout(NormalisedNet, keep, units, W2):
    """One hidden layer of ones: which share dropout keeps, how large they are, and test mode."""
    net = NormalisedNet([units], input_dim=2, num_classes=4, dropout_keep_ratio=keep)
    for name in ("W1", "W2", "b2"):
        net.params[name] = np.zeros(net.params[name].shape)
    net.params["b1"] = np.ones(units)
    _, grads = net.loss(np.ones((1, 2)), np.array([0]))
    hidden = np.asarray(grads["W2"])[:, 0] / (0.25 - 1)  # with scores 0 every p is 1/4
    kept = hidden[hidden != 0]
    net.params["W2"] = W2.copy()
    return {
        "tenths of the units kept": round(10 * kept.size / units),
        "size of a kept unit": float(np.median(kept)) if kept.size else 0.0,
        "scores in test mode": np.asarray(net.loss(np.ones((1, 2)))),
    }


@chapter.property(
    NormalisedNet,
    "dropout",
    "Dropout is not as asked: in training each hidden unit is kept with probability "
    "`dropout_keep_ratio` and divided by it; in test mode nothing is dropped or scaled.",
)
def net_dropout(rng):
    for keep in (0.7, 0.4):
        args = (keep, 4000, rng.standard_normal((4000, 4)))
        yield Case(args, drive=drive_dropout, label=f"dropout_keep_ratio = {keep}")


def _net_with(bug):
    """A `NormalisedNet` with one bug."""

    class Variant(NormalisedNet):
        def __init__(self, hidden_dims, **options):
            super().__init__(hidden_dims, **options)
            if bug == "norm_on_scores" and self.normalization:
                size = self.params[f"b{self.num_layers}"].size
                self.params[f"gamma{self.num_layers}"] = np.ones(size)
                self.params[f"beta{self.num_layers}"] = np.zeros(size)
            for name in list(self.params):
                if bug == "gamma_starts_at_0" and name.startswith("gamma"):
                    self.params[name][:] = 0
                if bug == "no_gamma" and name[:2] in ("ga", "be"):
                    del self.params[name]
            if bug == "one_for_all_layers":
                self.norm_params = [{}] * len(self.norm_params)

        def loss(self, X, y=None):
            if bug == "shared_memory_sizes":
                self.norm_params = [{} for _ in self.norm_params]
            keep, kind = self.keep, self.normalization
            if bug == "dropout_missing":
                self.keep = 1
            if bug == "keep_is_drop" and keep < 1:
                self.keep = 1 - keep
            if bug == "norm_missing":
                self.normalization = None
            if bug == "always_batchnorm" and kind:
                self.normalization = "batchnorm"
            try:
                if y is None and bug in ("scores_in_train_mode", "dropout_in_test"):
                    return self._scores(X)
                result = super().loss(X, y)
            finally:
                self.keep, self.normalization = keep, kind
            if y is None:
                return result
            loss, grads = result
            for name, value in self.params.items():
                scales = name.startswith(("gamma", "beta"))
                if bug == "gains_penalised" and scales:
                    loss += 0.5 * self.reg * (value**2).sum()
                    grads[name] = grads[name] + self.reg * value
                if name.startswith("W"):
                    whole = 0.5 * self.reg * (value**2).sum()
                    loss += {"no_penalty": -whole, "whole_penalty": whole}.get(bug, 0.0)
                    share = {"no_penalty": -self.reg, "whole_penalty": self.reg}.get(bug, 0.0)
                    grads[name] = grads[name] + share * value
            if bug == "kept_not_divided" and keep < 1:
                grads = {n: g * (keep if n[0] == "W" else 1) for n, g in grads.items()}
            return loss, grads

        def _scores(self, X):
            """Scores with train mode's norm, or train mode's dropout."""
            p, out = self.params, X
            for i in range(1, self.num_layers):
                out = affine_forward(out, p[f"W{i}"], p[f"b{i}"])[0]
                if self.normalization:
                    mode = "train" if bug == "scores_in_train_mode" else "test"
                    setting = {**self.norm_params[i - 1], "mode": mode}
                    layer = self.normalization == "layernorm"
                    norm = layernorm_forward if layer else batchnorm_forward
                    out = norm(out, p[f"gamma{i}"], p[f"beta{i}"], setting)[0]
                out = np.maximum(out, 0)
                if bug == "dropout_in_test" and self.keep < 1:
                    out = out * self.keep
            return affine_forward(out, p[f"W{self.num_layers}"], p[f"b{self.num_layers}"])[0]

    return Variant


for _bug, (_message, _remedy) in {
    "no_penalty": (
        "Right without regularisation; with `reg` above 0 the penalty is missing in the loss and "
        "in the gradients.",
        "Add 0.5 * reg * sum(W * W) to the loss and reg * W to dW, for every layer.",
    ),
    "whole_penalty": (
        "The penalty is twice the one asked for: reg * sum(W * W) with gradient 2 * reg * W.",
        "0.5 * reg * sum(W * W), with gradient reg * W.",
    ),
    "gains_penalised": (
        "gamma and beta are in the penalty too; only the weight matrices belong there.",
        "Penalise W1, W2, ... and nothing else.",
    ),
    "norm_missing": (
        "Scores and gradients are those of a net without normalisation.",
        "affine, norm, ReLU.",
    ),
    "always_batchnorm": (
        "With 'layernorm' these values equal those of batch norm.",
        "Ask `normalization` which of the two is meant.",
    ),
    "scores_in_train_mode": (
        "Loss and gradients are right; the scores of `loss(X)` come from the batch's own mean and "
        "variance. Without `y` the net is in test mode.",
        "Set the mode of every `bn_param` at each call: `'test' if y is None`.",
    ),
    "shared_memory_sizes": (
        "The scores look as if batch norm had never seen a batch: the running statistics seem to "
        "be made anew at every call.",
        "Make the `bn_param` dicts in `__init__` and keep them.",
    ),
    "gamma_starts_at_0": ("gamma starts at 0: the hidden layers would be silent.", "Start at 1."),
    "no_gamma": (
        "`params` has no gamma and beta.",
        "Hidden layer i has `gamma{i}` (ones) and `beta{i}` (zeros) if there is normalisation.",
    ),
    "norm_on_scores": (
        "The last layer has gamma and beta too. The scores are not normalised.",
        "Only hidden layers have a norm.",
    ),
    "dropout_missing": ("No unit is ever dropped.", "Multiply by a mask after the ReLU."),
    "keep_is_drop": (
        "`dropout_keep_ratio` is taken for the probability of DROPPING.",
        "Keep a unit where a random number is below `dropout_keep_ratio`.",
    ),
    "kept_not_divided": (
        "The kept units are not divided by `dropout_keep_ratio`, so training sees a weaker signal "
        "than test mode.",
        "mask = (rng.random(shape) < keep) / keep.",
    ),
    "dropout_in_test": (
        "In test mode the hidden units are multiplied by `dropout_keep_ratio`. Training divides "
        "by it already; then test mode has nothing to do.",
        "No dropout and no factor in test mode.",
    ),
}.items():
    chapter.mistake(NormalisedNet, _bug, _message, _remedy)(_net_with(_bug))


# --- more: a plan for a deep net, judged by its validation loss ---------------------------------


@chapter.exercise(
    points=3,
    returns="verdict",
    difficulty=3,
    minutes=10,
    optional=True,
    hints=(
        "One fault hides the next. First: does a gradient reach layer 1? Which three settings "
        "decide that?",
        "With a gradient that arrives, the rate decides. Too large: the loss is no number. Too "
        "small: 30 steps lead nowhere.",
        "tanh, Xavier's start, batch norm, a rate near 0.1, some momentum, a cosine. The whole "
        "answer stands in `solutions/15_normalisation`.",
    ),
    afterthought="Which of the changes could be taken back without harm?",
)
def repair_plan():
    """A plan for a net of 20 hidden layers that has to learn two half moons in 30 steps.

    The check trains the net (16 wide, full batches of 60 points) by the plan and looks at the
    cross-entropy on 60 other points. Repaired means: below 0.35.

    Returns
    -------
    plan : dict
        "activation": "sigmoid", "tanh" or "relu". "start", the deviation of the weights:
        "small" (0.1), "xavier" (sqrt(1 / n)) or "he" (sqrt(2 / n)). "normalization": None or
        "batchnorm". "learning_rate" and "momentum": numbers. "schedule": "constant" or "cosine".
    """
    return {
        "activation": "tanh",
        "start": "xavier",
        "normalization": "batchnorm",
        "learning_rate": 0.1,
        "momentum": 0.5,
        "schedule": "cosine",
    }


def drive_repair(repair_plan, X, y, X_val, y_val):
    """Train by the plan, and put the result into words."""
    plan = repair_plan()
    if plan is None:
        return None
    depth, width, steps, rng = 20, 16, 30, np.random.default_rng(1)
    f, slope = {
        "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
        "tanh": (np.tanh, lambda a: 1 - a * a),
        "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0) * 1.0),
    }[plan["activation"]]
    sizes, W = [X.shape[1]] + [width] * depth + [2], []
    for k in range(depth + 1):
        i, o = sizes[k], sizes[k + 1]
        deviation = {"small": 0.1, "xavier": (1 / i) ** 0.5, "he": (2 / i) ** 0.5}[plan["start"]]
        W.append(deviation * rng.standard_normal((i, o)))
    b = [np.zeros(w.shape[1]) for w in W]
    speed, statistics = [np.zeros_like(p) for p in W + b], [None] * depth
    normal = {None: False, "batchnorm": True}[plan["normalization"]]
    cosine = {"constant": False, "cosine": True}[plan["schedule"]]

    def forward(x, training):
        kept = []
        for k in range(depth):
            z, scale = x @ W[k] + b[k], 1.0
            if normal:
                if training:
                    statistics[k] = z.mean(axis=0), 1 / np.sqrt(z.var(axis=0) + 1e-5)
                mean, scale = statistics[k]
                z = (z - mean) * scale
            a = f(z)
            kept.append((x, z, scale, a))
            x = a
        scores = x @ W[-1] + b[-1]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True), x, kept

    arrives = 1.0
    with np.errstate(all="ignore"):
        for step in range(steps):
            p, x, kept = forward(X, True)
            d = (p - np.eye(2)[y]) / len(X)
            dW, db, d = [x.T @ d], [d.sum(axis=0)], d @ W[-1].T
            for k in range(depth - 1, -1, -1):
                x, z, scale, a = kept[k]
                d = d * slope(a)
                if normal:
                    d = scale * (d - d.mean(axis=0) - z * (d * z).mean(axis=0))
                dW.insert(0, x.T @ d)
                db.insert(0, d.sum(axis=0))
                d = d @ W[k].T
            if step == 0:
                arrives = np.abs(dW[0]).max()
            share = 0.5 * (1 + np.cos(np.pi * step / steps)) if cosine else 1.0
            for p, g, v in zip(W + b, dW + db, speed, strict=True):
                v *= plan["momentum"]
                v -= plan["learning_rate"] * share * g
                p += v
        p = forward(X_val, False)[0]
        loss = -np.log(p[np.arange(len(y_val)), y_val] + 1e-300).mean()
    if not np.isfinite(loss):
        return "the loss is no longer a number"
    if loss < 0.35:
        return "repaired: validation loss below 0.35"
    if arrives < 1e-6:
        return "not repaired: the first gradient of layer 1 is below 1e-6"
    return "not repaired: validation loss above 0.35"


@chapter.cases(repair_plan)
def repair_cases(rng):
    X, y = make_moons(120, 0.1, np.random.default_rng(5))
    X = (X - X[:60].mean(axis=0)) / X[:60].std(axis=0)
    yield Case((X[:60], y[:60], X[60:], y[60:]), drive=drive_repair, label="two half moons")


def _plan(**changes):
    sick = {
        "activation": "sigmoid",
        "start": "small",
        "normalization": None,
        "learning_rate": 0.5,
        "momentum": 0.0,
        "schedule": "constant",
    }
    return lambda: {**sick, **changes}


chapter.mistake(
    repair_plan,
    "no_gradient",
    "Nothing of the gradient reaches layer 1: no rate and no schedule can make up for that. The "
    "activation, the start of the weights or a norm can.",
    "Bring the gradient back first.",
)(_plan())
chapter.mistake(
    repair_plan,
    "diverged",
    "The loss is no longer a number: the steps are too long for this net.",
    "A smaller rate, or a norm that bears a larger one.",
)(_plan(activation="relu", start="he", learning_rate=100.0))
chapter.mistake(
    repair_plan,
    "too_little",
    "A gradient arrives and the validation loss stays above 0.35 after 30 steps: the rate does "
    "not suit this net, or the net stands in its way.",
    "Try rates that differ by factors of 3; with and without the norm.",
)(_plan(activation="relu", start="he", normalization="batchnorm", learning_rate=1e-4))


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "normalisation_q1",
    "What is batch normalisation?",
    choices={
        "a": "it maps the outputs of a layer into the range from 0 to 1",
        "b": "it scales the weights of a layer so that their norm is 1",
        "c": "for each feature it subtracts the batch's mean, divides by the batch's deviation, "
        "then scales by gamma and shifts by beta, which are learnt",
        "d": "it divides the training set into batches of equal size",
    },
    answer="c",
    wrong={
        "a": "That is min-max scaling. A standardised feature has mean 0, variance 1 and no "
        "bounds: the lesson measures values far outside of 0 to 1.",
        "b": "It acts on what a layer computes, not on its weights.",
        "d": "Batches are its condition, not its result.",
    },
    explanation="out = gamma * (x - mean) / sqrt(var + eps) + beta. With gamma and beta the net "
    "can choose any mean and deviation, the old ones too.",
)
chapter.quiz(
    "normalisation_q2",
    "One feature has the batch 2, 4, 4, 4, 5, 5, 7, 9. gamma = 3, beta = 1, eps is negligible. "
    "What does batch norm in train mode make of the 9? Answer with a number.",
    answer=7,
    rtol=1e-4,
    wrong={
        2: "That is xhat; gamma and beta are missing.",
        4: "The division is by the variance, 4; the deviation is 2.",
        9: "That is gamma * (xhat + beta): beta comes last.",
        13: "The division by the deviation, 2, is missing.",
        6.61: "The variance was divided by N - 1 = 7; batch norm divides by N = 8.",
    },
    explanation="The mean is 5, the variance 32 / 8 = 4, so xhat = (9 - 5) / 2 = 2 and "
    "3 * 2 + 1 = 7.",
)
chapter.quiz(
    "normalisation_q3",
    "A trained net with batch norm answers one example at a time. Where do mean and variance "
    "come from?",
    choices={
        "a": "from the running statistics that were collected in training",
        "b": "from the example itself",
        "c": "from the last batch of training",
        "d": "nowhere: in test mode nothing is normalised",
    },
    answer="a",
    wrong={
        "b": "A single example minus its own mean is 0: every output would be beta. The lesson "
        "shows what that does to the accuracy.",
        "c": "One batch is a noisy sample; the running statistics are a mean over many.",
        "d": "Then every layer would get inputs of a scale it has never seen.",
    },
    explanation="With fixed statistics batch norm is an affine map of each feature. It can be "
    "multiplied into the weights before it.",
)
chapter.quiz(
    "normalisation_q4",
    "Two features have correlation 0.87 over a batch. Batch norm with gamma = 2 and 3 is applied. "
    "What is the correlation afterwards? Answer with a number.",
    answer=0.87,
    rtol=1e-3,
    wrong={
        0: "That would be decorrelation (whitening). Batch norm treats every feature alone.",
        1: "A correlation of 1 would need the two features to be one.",
        5.22: "A correlation has no scale: gamma cancels, and it never exceeds 1.",
    },
    explanation="Shifting and scaling each feature by itself leaves the correlation as it is. "
    "Batch norm standardises and does not decorrelate.",
)
chapter.quiz(
    "normalisation_q5",
    "A program computes dx = dout * gamma / deviation for batch norm in train mode. What is wrong?",
    choices={
        "a": "nothing: mean and deviation are constants",
        "b": "the batch's mean and variance depend on x; two ways from x to the loss are missing",
        "c": "the running statistics should be used on the way back",
        "d": "gamma does not belong into dx",
    },
    answer="b",
    wrong={
        "a": "They are constants in test mode. In train mode every x moves them.",
        "c": "Forward used the batch's statistics, so the way back goes through those.",
        "d": "out = gamma * xhat + beta: the gradient of xhat is dout * gamma.",
    },
    explanation="The full gradient has no component along a common shift and along a common "
    "stretch of a feature: forward does not notice those two. A gradient check finds the missing "
    "ways at once.",
)
chapter.quiz(
    "normalisation_q6",
    "Spatial batch norm on x of shape (8, 16, 5, 7). Of how many numbers is each mean made? Answer "
    "with a number.",
    answer=280,
    wrong={
        8: "That would be one mean for each pixel of each channel.",
        35: "That is one image's channel alone: instance norm.",
        560: "That is one image over all channels: layer norm.",
        4480: "That is all of x. Every channel has its own mean.",
        16: "That is the number of means.",
    },
    explanation="8 * 5 * 7 = 280 numbers in each mean, 16 means, 16 gammas and 16 betas.",
)
chapter.quiz(
    "normalisation_q7",
    "Which statement about layer norm is right?",
    choices={
        "a": "it needs running statistics for test mode",
        "b": "it standardises every feature over the batch",
        "c": "its gamma has one number for each example",
        "d": "it standardises every example over its features, so it works with a batch of one "
        "and is the same in training and test",
    },
    answer="d",
    wrong={
        "a": "Its mean needs no other example, so there is nothing to remember.",
        "b": "That is batch norm.",
        "c": "gamma belongs to the features. The next batch has other examples.",
    },
    explanation="Axis 1 instead of axis 0. Transformers and recurrent nets use it, because "
    "lengths and batches vary there.",
)
chapter.quiz(
    "normalisation_q8",
    "'Batch norm works because it reduces internal covariate shift', the drift of a layer's "
    "inputs while the layers below learn. How well is that supported?",
    choices={
        "a": "it is proven: without drift every net trains well",
        "b": "it is the authors' motivation, and contested: nets with batch norm and added drift "
        "were found to train well too",
        "c": "it is wrong by definition: batch norm does not touch distributions",
        "d": "it holds for test mode only",
    },
    answer="b",
    wrong={
        "a": "Nobody has proven that. A net with all weights 0 has no drift either.",
        "c": "It fixes the mean and the variance of each feature in each batch.",
        "d": "In test mode nothing learns, so nothing drifts.",
    },
    explanation="Ioffe and Szegedy, 2015, gave it as their reason. Santurkar and others, 2018, "
    "added noise after batch norm, so that the inputs drifted more than without it, and training "
    "stayed fast. The lesson repeats a small version and reports what it finds.",
)
chapter.quiz(
    "normalisation_q9",
    "A feature is 3 in every example of the batch. What does batch norm make of it in train mode, "
    "with eps = 1e-5, gamma = 2 and beta = 0.5? Answer with a number.",
    answer=0.5,
    wrong={
        0: "(3 - 3) / sqrt(0 + eps) is 0, and then gamma and beta follow.",
        3: "The mean is subtracted.",
        2.5: "xhat is 0 here, not 1.",
        6.5: "xhat is 0 here, not 3.",
    },
    explanation="xhat = 0 / sqrt(1e-5) = 0, so out = beta. Without eps it would be 0 / 0, which "
    "is nan.",
)
chapter.quiz(
    "normalisation_q10",
    "A deep net does not train. Which list puts remedy and ailment together rightly?",
    choices={
        "a": "weight decay against vanishing gradients; Adam against exploding ones",
        "b": "a learning-rate schedule against local minima; batch norm against overfitting",
        "c": "He's start, ReLU and norms for signals and gradients of a good size; clipping "
        "against single huge steps; rate and schedule for speed and a calm end",
        "d": "more layers against instability; dropout for speed",
    },
    answer="c",
    wrong={
        "a": "Decay shrinks weights and gradients further. Adam rescales the step and leaves the "
        "gradient as it is.",
        "b": "A schedule is a tool of optimisation and promises nothing about minima. Batch norm "
        "may regularise a little; that is a side effect.",
        "d": "Depth is the ailment here, and dropout makes training slower.",
    },
    explanation="Speed, stability and overfitting are three problems. Measure first which one it "
    "is: the gradient layer by layer, the training loss, the gap to validation.",
)
chapter.quiz(
    "normalisation_q11",
    "Strategies for better generalisation: more or augmented data (1), weight decay (2), dropout "
    "(3), early stopping (4). Where does batch norm belong?",
    choices={
        "a": "at the top of the list: it is a regularisation method",
        "b": "nowhere near it: it makes overfitting worse in every case",
        "c": "it replaces a validation set",
        "d": "beside the list: made for optimisation; the noise of small batches can regularise a "
        "little, which has to be measured",
    },
    answer="d",
    wrong={
        "a": "It is a reparameterisation that makes nets easier to train. Nothing in it asks for "
        "smaller or simpler functions.",
        "b": "Often it helps a little. The lesson measures it for one net.",
        "c": "Nothing replaces data that were not used in fitting.",
    },
    explanation="In training an example's output depends on its neighbours in the batch: a kind "
    "of noise. It is smaller for larger batches, and gone in test mode.",
)
chapter.quiz(
    "normalisation_q12",
    "Where is batch norm used, and which parameter becomes useless when it follows an affine "
    "layer?",
    choices={
        "a": "between affine or convolution and activation; the bias, whose gradient becomes 0",
        "b": "after the loss; the learning rate",
        "c": "on the input images only; none",
        "d": "in place of the activation; the weights",
    },
    answer="a",
    wrong={
        "b": "It is a layer of the net, before the loss.",
        "c": "Standardising the inputs is done once, before training. Batch norm repeats it "
        "inside, for every batch.",
        "d": "It is linear for given statistics. Without a bend the layers collapse.",
    },
    explanation="The mean takes every constant away, so the bias before it changes nothing; beta "
    "does its work. It is common in convolutional classifiers. It was also placed after the "
    "activation; which is better depends on the task.",
)
