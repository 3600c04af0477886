"""Chapter 12, GANs: the losses of two nets that train each other, and one round of their game.

Every loss comes with its gradient with respect to the logits. Which way that gradient points is
the whole difference between a forger who learns and one who confesses.
"""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("12_gan", "GANs")

LOG_RTOL = 1e-6  # leaves room for a constant such as 1e-8 inside a logarithm
SIZES = ((3, 5), (7, 4), (5, 8))  # real and generated examples; never equal


def _softplus(z):
    """log(1 + e^z), without overflow."""
    return np.logaddexp(0, z)


def _sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))


def _logits(rng, n):
    """A column of logits of both signs, none near 0 or 1."""
    z = rng.uniform(0.2, 0.8, (n, 1)) + rng.integers(0, 3, (n, 1))
    z *= rng.choice([-1.0, 1.0], (n, 1))
    z[0], z[1] = -abs(z[0]), abs(z[1])
    return z


def _pair_cases(rng):
    for n, m in SIZES:
        label = f"N = {n} real, M = {m} generated"
        yield Case((_logits(rng, n) + 0.03, _logits(rng, m)), label=label)


def _fake_cases(rng):
    for n in (3, 7, 5):
        yield Case((_logits(rng, n),), label=f"N = {n} generated")


def drive_extreme(loss_of, *logits):
    """Loss and gradients at large logits; warnings are not judged here, values are."""
    with np.errstate(all="ignore"):
        found = loss_of(*logits)
    return [found[i] for i in range(len(logits) + 1)]


def _extreme_pairs(rng):
    """Real and generated logits near 1000 and near -1000."""
    real, fake = np.array([[1000.0], [-900.0], [800.0]]), np.array([[700.0], [-1000.0]])
    yield Case((real, fake), drive=drive_extreme, label="logits of both signs, near 1000")
    yield Case((-real, -fake), drive=drive_extreme, label="the same with the other sign")
    fake = np.array([[300.0], [400.0], [600.0], [-500.0]])  # e^600 is a float yet
    yield Case((abs(real), fake), drive=drive_extreme, label="generated ones near 400")


def _extreme_fakes(rng):
    fake = np.array([[1000.0], [-900.0], [800.0], [-700.0]])
    yield Case((fake,), drive=drive_extreme, label="logits of both signs, near 1000")
    yield Case((-fake[:3],), drive=drive_extreme, label="the same with the other sign")


UNSTABLE = (
    "With logits near 1000 or -1000 the loss or a gradient is wrong or not a number. The sigmoid "
    "rounds to 0 or 1 there and its logarithm is lost; e^1000 is too large for a float. (A "
    "constant inside the logarithm gives a number, but not the right one.)"
)
SUM = "Loss and gradients are added up over the examples, where means are asked."
NOT_DIVIDED = (
    "The loss is right; the gradients are too large by the number of examples. The loss is a "
    "mean, so its slope is divided too."
)
SLOPE_TWICE = (
    "The gradients have a factor D (1 - D) too many: the slope of the sigmoid. The logarithm's own "
    "slope cancels it."
)
THROUGH_P = (
    "Right for moderate logits, not a number for large ones: it looks like the detour over "
    "D = sigmoid(logit). There D rounds to 0 or 1, and log(0) is -inf."
)
SIGN = "Loss and gradients have the opposite sign: "


def _scaled(loss_of, on_loss=None, on_gradients=None):
    """A wrong version: loss and gradients of `loss_of`, each changed by a function of the logits.

    `on_loss(loss, *logits)` gives the new loss, `on_gradients(gradient, logits)` each gradient.
    """

    def wrong(*logits):
        loss, *gradients = loss_of(*logits)
        if on_loss is not None:
            loss = on_loss(loss, *logits)
        if on_gradients is not None:
            gradients = [on_gradients(g, z) for g, z in zip(gradients, logits, strict=True)]
        return loss, *gradients

    return wrong


def _common_mistakes(loss_of, log=True):
    """Mistakes that every loss of this chapter shares."""
    chapter.mistake(loss_of, "gradient_not_divided", NOT_DIVIDED, "Divide by the batch size.")(
        _scaled(loss_of, None, lambda g, z: g * len(z))
    )
    chapter.mistake(
        loss_of,
        "gradient_sign",
        "The loss is right; its gradient has the opposite sign. A step with it raises the loss.",
        "Compare one entry with a finite difference of the loss.",
    )(_scaled(loss_of, None, lambda g, z: -g))
    if log:
        chapter.mistake(loss_of, "slope_twice", SLOPE_TWICE, "Simplify on paper first.")(
            _scaled(loss_of, None, lambda g, z: g * _sigmoid(z) * _sigmoid(-z))
        )


# --- the discriminator: a classifier of real and generated ---------------------------------------


@chapter.exercise(
    points=4,
    returns="loss, dlogits_real, dlogits_fake",
    difficulty=3,
    minutes=12,
    rtol=LOG_RTOL,
    hints=(
        "It is the cross-entropy of chapter 04, twice: label 1 for the real batch, label 0 for the "
        "generated one. Each batch has a mean of its own.",
        "With D = sigmoid(z): -log D = log(1 + e^(-z)), and -log(1 - D) = log(1 + e^z). Their "
        "slopes are D - 1 and D. `np.logaddexp(0, z)` is log(1 + e^z) at any size.",
        "`np.logaddexp(0, -logits_real).mean() + np.logaddexp(0, logits_fake).mean()`; gradients "
        "(D - 1) / N on the real side and D / M on the other. The whole answer stands in "
        "`solutions/12_gan`.",
    ),
    afterthought="What is the loss of a discriminator that says 1/2 to everything?",
)
def discriminator_loss(logits_real, logits_fake):
    """What the discriminator minimises, and its gradients (Goodfellow and others, 2014).

    D = sigmoid(logit) is the probability of "real". The logits may be as large as 1000 or -1000.

    Parameters
    ----------
    logits_real : (N, 1) array
        The discriminator's output for real examples.
    logits_fake : (M, 1) array
        Its output for generated examples.

    Returns
    -------
    loss : float
        Mean of -log D over the real examples plus mean of -log(1 - D) over the generated ones.
    dlogits_real : (N, 1) array
        Gradient of the loss with respect to `logits_real`.
    dlogits_fake : (M, 1) array
        Gradient of the loss with respect to `logits_fake`.
    """
    loss = np.logaddexp(0, -logits_real).mean() + np.logaddexp(0, logits_fake).mean()
    dlogits_real = -np.exp(-np.logaddexp(0, logits_real)) / len(logits_real)  # (D - 1) / N
    dlogits_fake = np.exp(-np.logaddexp(0, -logits_fake)) / len(logits_fake)  # D / M
    return loss, dlogits_real, dlogits_fake


chapter.cases(discriminator_loss)(_pair_cases)
chapter.property(discriminator_loss, "stable_at_1000", UNSTABLE)(_extreme_pairs)
_common_mistakes(discriminator_loss)


def _d_through_p(r, f):
    p, q = 1 / (1 + np.exp(-r)), 1 / (1 + np.exp(-f))
    return -np.log(p).mean() - np.log(1 - q).mean(), (p - 1) / len(r), q / len(f)


def _difference(r, f):
    """The objective p_R - p_G of some texts, as a loss on probabilities."""
    p, q = _sigmoid(r), _sigmoid(f)
    return q.mean() - p.mean(), -p * (1 - p) / len(r), q * (1 - q) / len(f)


def _exchanged(loss_of):
    def wrong(r, f):
        loss, df, dr = loss_of(f, r)
        return loss, dr, df

    return wrong


def _d_summed(r, f):
    _, dr, df = discriminator_loss(r, f)
    return _softplus(-r).sum() + _softplus(f).sum(), dr * len(r), df * len(f)


def _d_one_mean(r, f):
    loss, dr, df = _d_summed(r, f)
    n = len(r) + len(f)
    return loss / n, dr / n, df / n


def _d_fake_by_n(r, f):
    loss, dr, df = discriminator_loss(r, f)
    k = len(f) / len(r)
    return _softplus(-r).mean() + _softplus(f).mean() * k, dr, df * k


def _d_of_probability(r, f):
    p, q = _sigmoid(r), _sigmoid(f)
    return discriminator_loss(r, f)[0], -1 / p / len(r), 1 / (1 - q) / len(f)


def _d_half(r, f):
    return tuple(part / 2 for part in discriminator_loss(r, f))


def _d_maximised(r, f):
    return tuple(-part for part in discriminator_loss(r, f))


def _d_real_only(r, f):
    return _softplus(-r).mean(), discriminator_loss(r, f)[1], np.zeros_like(f)


def _d_fake_only(r, f):
    return _softplus(f).mean(), np.zeros_like(r), discriminator_loss(r, f)[2]


def _d_overflow(r, f):
    return (np.log1p(np.exp(-r)).mean() + np.log1p(np.exp(f)).mean(), *discriminator_loss(r, f)[1:])


def _d_sigmoid_left_out(r, f):
    return discriminator_loss(r, f)[0], (r - 1) / len(r), f / len(f)


for _key, _wrong, _message, _remedy in (
    (
        "labels_exchanged",
        _exchanged(discriminator_loss),
        "These values are right with the labels exchanged: real examples are taught to be 0 and "
        "generated ones to be 1.",
        "-log D belongs to the real batch, -log(1 - D) to the generated one.",
    ),
    (
        "objective_for_a_loss",
        _d_maximised,
        SIGN + "this is mean log D + mean log(1 - D), which the discriminator MAXIMISES. A loss is "
        "minimised.",
        "Put a minus in front of both logarithms.",
    ),
    (
        "difference_of_probabilities",
        _difference,
        "These values equal mean D(fake) - mean D(real), the difference of the probabilities. It "
        "is another objective: it has no logarithm, so a sure and wrong verdict hardly pulls.",
        "-log D and -log(1 - D), each averaged.",
    ),
    (
        "one_mean_for_both",
        _d_one_mean,
        "These values are one mean over all N + M examples. Each batch should have its own mean, "
        "or the larger one counts more.",
        "mean over N, plus mean over M.",
    ),
    (
        "half",
        _d_half,
        "Loss and gradients are half of what is asked: the two means are averaged. Here they are "
        "added.",
        "Leave out the division by 2.",
    ),
    ("sum_for_mean", _d_summed, SUM, "Divide by N on the real side, by M on the other."),
    (
        "fake_divided_by_n",
        _d_fake_by_n,
        "The generated part is divided by the number of REAL examples.",
        "N for the real batch, M for the generated one.",
    ),
    (
        "fake_term_missing",
        _d_real_only,
        "Only the real examples count: the term for the generated ones is missing. To call "
        "everything real would then be perfect.",
        "Add the mean of -log(1 - D) over the generated batch.",
    ),
    (
        "real_term_missing",
        _d_fake_only,
        "Only the generated examples count: the term for the real ones is missing. To call "
        "everything generated would then be perfect.",
        "Add the mean of -log D over the real batch.",
    ),
    (
        "gradient_of_the_probability",
        _d_of_probability,
        "The loss is right; the gradients are those with respect to D, after the sigmoid. They are "
        "asked with respect to the logits, before it.",
        "Multiply by D (1 - D): D - 1 and D are left.",
    ),
    (
        "sigmoid_left_out",
        _d_sigmoid_left_out,
        "The loss is right; the gradients use the logit where the probability belongs.",
        "D = sigmoid(logit) in (D - 1) / N and D / M.",
    ),
    ("through_the_probability", _d_through_p, THROUGH_P, "`np.logaddexp(0, z)` does not overflow."),
    (
        "overflow",
        _d_overflow,
        "Right for moderate logits; where the discriminator is sure and wrong by 1000, the loss is "
        "inf: it looks like log(1 + e^z), where e^z overflows.",
        "`np.logaddexp(0, z)`, or max(z, 0) + log(1 + e^(-|z|)).",
    ),
):
    chapter.mistake(discriminator_loss, _key, _message, _remedy)(_wrong)


# --- the generator: two losses with one goal -----------------------------------------------------


@chapter.exercise(
    points=3,
    returns="loss, dlogits_fake",
    difficulty=2,
    minutes=8,
    rtol=LOG_RTOL,
    hints=(
        "The generator wants D to be LARGE for its examples. Which of -log D and -log(1 - D) falls "
        "when D rises?",
        "-log D with D = sigmoid(z) is log(1 + e^(-z)). Its slope is D - 1: always negative, and "
        "near -1 where the forgery is recognised.",
        "`np.logaddexp(0, -logits_fake).mean()`, and (D - 1) / N. The whole answer stands in "
        "`solutions/12_gan`.",
    ),
    afterthought="Where does it pull hardest: at a good forgery or at a bad one?",
)
def generator_loss(logits_fake):
    """What the generator minimises, non-saturating form: mean of -log D(G(z)), and its gradient.

    D = sigmoid(logit) is the probability of "real". The logits may be as large as 1000 or -1000.
    (Goodfellow and others, 2014, section 3.)

    Parameters
    ----------
    logits_fake : (N, 1) array
        The discriminator's output for generated examples.

    Returns
    -------
    loss : float
    dlogits_fake : (N, 1) array
        Gradient of the loss with respect to `logits_fake`.
    """
    loss = np.logaddexp(0, -logits_fake).mean()
    dlogits_fake = -np.exp(-np.logaddexp(0, logits_fake)) / len(logits_fake)  # (D - 1) / N
    return loss, dlogits_fake


@chapter.exercise(
    points=2,
    returns="loss, dlogits_fake",
    difficulty=2,
    minutes=6,
    rtol=LOG_RTOL,
    hints=(
        "The discriminator's loss has one term that the generator can change. In a game of two, "
        "the generator wants the opposite of it.",
        "log(1 - D) with D = sigmoid(z) is -log(1 + e^z). Its slope is -D.",
        "`-np.logaddexp(0, logits_fake).mean()`, and -D / N. The whole answer stands in "
        "`solutions/12_gan`.",
    ),
    afterthought="Why is this one called saturating? Compare both gradients at a logit of -6.",
)
def generator_loss_saturating(logits_fake):
    """What the generator minimises, minimax form: mean of log(1 - D(G(z))), and its gradient.

    D = sigmoid(logit) is the probability of "real". The logits may be as large as 1000 or -1000.
    The loss is negative. (Goodfellow and others, 2014, equation 1.)

    Parameters
    ----------
    logits_fake : (N, 1) array
        The discriminator's output for generated examples.

    Returns
    -------
    loss : float
    dlogits_fake : (N, 1) array
        Gradient of the loss with respect to `logits_fake`.
    """
    loss = -np.logaddexp(0, logits_fake).mean()
    dlogits_fake = -np.exp(-np.logaddexp(0, -logits_fake)) / len(logits_fake)  # -D / N
    return loss, dlogits_fake


def _helps_the_critic(z):
    return _softplus(z).mean(), _sigmoid(z) / len(z)


def _lowers_d(z):
    p = _sigmoid(z)
    return p.mean(), p * (1 - p) / len(z)


def _raises_d(z):
    p = _sigmoid(z)
    return -p.mean(), -p * (1 - p) / len(z)


def _g_climbs(z):
    return -_softplus(-z).mean(), _sigmoid(-z) / len(z)


def _g_through_p(z):
    p = 1 / (1 + np.exp(-z))
    return -np.log(p).mean(), (p - 1) / len(z)


def _gs_through_p(z):
    p = 1 / (1 + np.exp(-z))
    return np.log(1 - p).mean(), -p / len(z)


for _loss, _other, _uphill, _unstable in (
    (generator_loss, generator_loss_saturating, _g_climbs, _g_through_p),
    (generator_loss_saturating, generator_loss, _helps_the_critic, _gs_through_p),
):
    chapter.cases(_loss)(_fake_cases)
    chapter.property(_loss, "stable_at_1000", UNSTABLE)(_extreme_fakes)
    _common_mistakes(_loss)
    chapter.mistake(_loss, "sum_for_mean", SUM, "Divide both by N.")(
        _scaled(_loss, lambda loss, z: loss * len(z), lambda g, z: g * len(z))
    )
    chapter.mistake(_loss, "through_the_probability", THROUGH_P, "Use `np.logaddexp`.")(_unstable)
    chapter.mistake(
        _loss,
        "wrong_way",
        SIGN + "this loss falls when the discriminator RECOGNISES the forgery. The gradient with "
        "respect to the logit must be negative everywhere.",
        "The generator wants D(G(z)) to rise.",
    )(_uphill)
    chapter.mistake(
        _loss,
        "lowers_d",
        "These values minimise mean D(G(z)) itself. The generator has to RAISE it: with this loss "
        "the forgeries become easier to spot, step by step.",
        "The gradient with respect to the logit must be negative.",
    )(_lowers_d)
    chapter.mistake(
        _loss,
        "raises_d",
        "The direction is right, the loss is another one: minus mean D(G(z)), with no logarithm. "
        "Its pull vanishes on both sides.",
        "Take the logarithm before the mean.",
    )(_raises_d)
    _name = "saturating" if _loss is generator_loss else "non-saturating"
    chapter.mistake(
        _loss,
        "the_other_form",
        f"These values belong to the {_name} form. Both forms want D(G(z)) to rise; they pull at "
        "different places.",
        "-log D here." if _loss is generator_loss else "log(1 - D) here.",
    )(_other)
    chapter.mistake(
        _loss,
        "gradient_of_the_other_form",
        f"The loss is right; the gradient belongs to the {_name} form.",
        "(D - 1) / N here." if _loss is generator_loss else "-D / N here.",
    )(lambda z, loss=_loss, other=_other: (loss(z)[0], other(z)[1]))

chapter.mistake(
    generator_loss,
    "wrong_label",
    "These values are mean -log(1 - D), the discriminator's own term with its target 0. The "
    "gradient is positive: the generator learns to be recognised.",
    "The generator's target is the label of REAL examples.",
)(_helps_the_critic)
chapter.mistake(
    generator_loss_saturating,
    "wrong_logarithm",
    "These values are mean log D. It is smallest where the forgery is recognised for sure.",
    "log(1 - D), which falls when D rises.",
)(_g_climbs)


# --- the sign probe ------------------------------------------------------------------------------


def drive_probe(sign_probe, kind, logits):
    """Probe a loss made here: right ones, and ones with a wrong sign in loss or gradient."""

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def loss_of(z):
        z = np.asarray(z, dtype=float)
        n = max(z.size, 1)
        p = sigmoid(z)
        table = {
            "non-saturating": (np.log1p(np.exp(-z)).mean(), (p - 1) / n),
            "saturating": (-np.log1p(np.exp(z)).mean(), -p / n),
            "minimises D": (p.mean(), p * (1 - p) / n),
            "gradient with the wrong sign": (np.log1p(np.exp(-z)).mean(), (1 - p) / n),
            "loss with the wrong sign": (-np.log1p(np.exp(-z)).mean(), (p - 1) / n),
            "squared distance to 1": (0.5 * ((z - 1) ** 2).mean(), (z - 1) / n),
        }
        return table[kind]

    found = sign_probe(loss_of, logits)
    return found[0], found[1], found[2]


@chapter.exercise(
    points=3,
    returns="slopes, measured, right",
    difficulty=2,
    minutes=10,
    rtol=1e-5,
    hints=(
        "A batch of one logit: `np.array([[z]])`. Called with it, the loss gives a number and a "
        "gradient of one entry.",
        "`measured`: (loss at z + h minus loss at z - h) / (2 h). Two conditions make it right: "
        "each slope is negative, and each agrees with the measured one.",
        "`right = np.all(slopes < 0) and np.allclose(slopes, measured, rtol=1e-3, atol=1e-6)`. The "
        "whole answer stands in `solutions/12_gan`.",
    ),
    afterthought="Why is a test of the sign alone not enough? And one against finite differences "
    "alone?",
)
def sign_probe(loss_of, logits, h=1e-5):
    """Which way does a generator loss push? Its slope at a few logits, claimed and measured.

    Each logit is probed alone, as a batch of shape (1, 1).

    Parameters
    ----------
    loss_of : callable
        ``loss_of(logits_fake) -> (loss, dlogits_fake)``.
    logits : (K,) array
        Where to probe: -6, 0 and 6 say much.
    h : float
        Step of the central difference.

    Returns
    -------
    slopes : (K,) array
        The gradient that `loss_of` returns at each logit.
    measured : (K,) array
        The slope of its loss at each logit, by a central difference.
    right : bool
        True if every slope is negative (so that D rises) and agrees with the measured one, to a
        relative 1e-3.
    """
    slopes, measured = np.zeros(len(logits)), np.zeros(len(logits))
    for i, z in enumerate(logits):
        slopes[i] = loss_of(np.array([[z]]))[1][0, 0]
        above, below = loss_of(np.array([[z + h]]))[0], loss_of(np.array([[z - h]]))[0]
        measured[i] = (above - below) / (2 * h)
    right = np.all(slopes < 0) and np.allclose(slopes, measured, rtol=1e-3, atol=1e-6)
    return slopes, measured, bool(right)


@chapter.cases(sign_probe)
def sign_probe_cases(rng):
    kinds = (
        *("non-saturating", "saturating", "minimises D", "gradient with the wrong sign"),
        *("loss with the wrong sign", "squared distance to 1"),
    )
    for kind in kinds:
        logits = np.array([-3.5, 0.3, 3.2]) + rng.uniform(-0.2, 0.2, 3)
        yield Case((kind, logits), drive=drive_probe, label=f"a loss: {kind}")
    yield Case(
        ("saturating", np.array([-2.1, 1.4, 0.2, 2.6, -0.8])), drive=drive_probe, label="K = 5"
    )


def _probe_with(bug):
    def wrong(loss_of, logits, h=1e-5):
        slopes, measured, _ = sign_probe(loss_of, logits, h)
        negative, fits = slopes < 0, np.allclose(slopes, measured, rtol=1e-3, atol=1e-6)
        if bug == "one_batch":
            slopes = slopes / len(logits)
        if bug == "not_halved":
            measured = measured * 2
        if bug == "reversed_difference":
            measured = -measured
        verdicts = {
            "sign_alone": negative.all(),
            "agreement_alone": fits,
            "positive_wanted": (slopes > 0).all() and fits,
            "any_for_all": negative.any() and fits,
            "sign_of_the_measured": (measured < 0).all(),
        }
        return slopes, measured, bool(verdicts.get(bug, negative.all() and fits))

    return wrong


for _bug, _message, _remedy in (
    (
        "one_batch",
        "The slopes are too small by K: the logits are probed in one batch, whose mean divides "
        "each slope.",
        "One call for each logit, with `np.array([[z]])`.",
    ),
    (
        "not_halved",
        "The measured slopes are twice too large.",
        "Divide by 2 h: from z - h to z + h.",
    ),
    (
        "reversed_difference",
        "The measured slopes have the opposite sign.",
        "Loss at z + h MINUS loss at z - h.",
    ),
    (
        "sign_alone",
        "A loss whose gradient does not belong to it is called right: only the sign of the "
        "gradient is looked at.",
        "Compare it with the measured slope too.",
    ),
    (
        "agreement_alone",
        "A loss that pushes the wrong way is called right, because its gradient fits it.",
        "Ask for negative slopes too.",
    ),
    (
        "positive_wanted",
        "The verdicts are those of positive slopes. Descent goes AGAINST the slope: a negative one "
        "makes the logit rise.",
        "`slopes < 0`.",
    ),
    (
        "any_for_all",
        "A loss that pushes the right way at some logits only is called right.",
        "`np.all`, not `np.any`.",
    ),
    (
        "sign_of_the_measured",
        "The verdict looks at the measured slopes alone. The training would use the other ones.",
        "Both: negative, and in agreement.",
    ),
):
    chapter.mistake(sign_probe, _bug, _message, _remedy)(_probe_with(_bug))


# --- one round of the game -----------------------------------------------------------------------


def drive_round(train_step, sizes_g, sizes_d, seed, real, noises):
    """Some rounds with two small nets made here; losses and all weights come back."""

    class Net:
        """Affine layers with tanh between them; `update` is momentum, so each call counts."""

        def __init__(self, sizes, rng):
            self.params, self.speed = {}, {}
            for k in range(1, len(sizes)):
                i, o = sizes[k - 1], sizes[k]
                self.params[f"W{k}"] = rng.normal(0, 0.9, (i, o))
                self.params[f"b{k}"] = rng.normal(0, 0.3, o)

        def forward(self, x):
            p, inputs, last = self.params, [], len(self.params) // 2
            for k in range(1, last + 1):
                inputs.append(x)
                x = x @ p[f"W{k}"] + p[f"b{k}"]
                if k < last:
                    x = np.tanh(x)
            weights = [p[f"W{k}"].copy() for k in range(1, last + 1)]
            return x, (inputs, weights)

        def backward(self, dout, cache):
            inputs, weights = cache
            grads = {}
            for k in range(len(inputs), 0, -1):
                x = inputs[k - 1]
                grads[f"W{k}"], grads[f"b{k}"] = x.T @ dout, dout.sum(axis=0)
                dout = dout @ weights[k - 1].T
                if k > 1:
                    dout = dout * (1 - x**2)
            return dout, grads

        def update(self, grads):
            for name, value in self.params.items():
                speed = 0.5 * self.speed.get(name, np.zeros_like(value)) - 0.4 * grads[name]
                self.speed[name] = speed
                self.params[name] = value + speed

    rng = np.random.default_rng(seed)
    G, D = Net(sizes_g, rng), Net(sizes_d, rng)
    losses = []
    for z in noises:
        found = train_step(G, D, real.copy(), z.copy())
        if found is None:
            return None
        losses.append([float(found[0]), float(found[1])])
    losses = np.array(losses)
    return losses[:, 0], losses[:, 1], D.params, G.params


@chapter.exercise(
    points=4,
    returns="d_loss, g_loss, D, G",
    difficulty=4,
    minutes=16,
    rtol=1e-5,
    hints=(
        "Two halves. In the first, the generated examples are data like any other: forward through "
        "D twice (real, generated), backward twice, ADD the two gradients, one update of D.",
        "In the second, forward the same generated examples through the NEW D. `D.backward` gives "
        "a gradient of the examples; hand it on to `G.backward`. Of D's own gradients nothing is "
        "used here.",
        "`fake, g_cache = G.forward(z)`; first half with `discriminator_loss`; then `logits, cache "
        "= D.forward(fake)`, `g_loss, dlogits = generator_loss(logits)`, `dfake, _ = "
        "D.backward(dlogits, cache)`, `_, grads = G.backward(dfake, g_cache)`, `G.update(grads)`. "
        "The whole answer stands in `solutions/12_gan`.",
    ),
    afterthought="The generator never sees a real example. How does it learn what they look like?",
)
def train_step(G, D, real, z):
    """One round: one update of the discriminator, then one of the generator.

    Both nets can do three things: ``out, cache = net.forward(x)``,
    ``dx, grads = net.backward(dout, cache)``, where `grads` is a dict of arrays by parameter name,
    and ``net.update(grads)``: one step downhill, with a memory of earlier steps. So each net is
    updated exactly once.

    The discriminator learns by `discriminator_loss` on the real batch and on ``G(z)``. Then the
    generator learns by `generator_loss` (non-saturating) on the same ``G(z)``, judged by the
    discriminator AFTER its update.

    Parameters
    ----------
    G, D : nets
        Generator, noise (M, K) to examples (M, F); discriminator, examples to logits (M, 1).
    real : (N, F) array
        Real examples.
    z : (M, K) array
        Noise.

    Returns
    -------
    d_loss, g_loss : float
        The loss of each net before its update.
    """
    fake, g_cache = G.forward(z)
    # the discriminator: the generated examples are data here
    logits_real, real_cache = D.forward(real)
    logits_fake, fake_cache = D.forward(fake)
    d_loss, dreal, dfake = discriminator_loss(logits_real, logits_fake)
    _, grads = D.backward(dreal, real_cache)
    _, more = D.backward(dfake, fake_cache)
    D.update({name: grads[name] + more[name] for name in grads})
    # the generator: its gradient comes through the discriminator, which stays as it is
    logits_fake, fake_cache = D.forward(fake)
    g_loss, dlogits = generator_loss(logits_fake)
    dfake, _ = D.backward(dlogits, fake_cache)
    _, grads = G.backward(dfake, g_cache)
    G.update(grads)
    return d_loss, g_loss


@chapter.cases(train_step)
def train_step_cases(rng):
    for rounds, n, m, k, f, h in ((1, 5, 3, 2, 3, 4), (2, 4, 6, 3, 2, 5), (3, 7, 5, 1, 2, 3)):
        real = rng.normal(0.8, 0.7, (n, f))
        noises = [rng.normal(0, 1, (m, k)) for _ in range(rounds)]
        seed = int(rng.integers(2**31))
        label = f"{rounds} round{'s' * (rounds > 1)}, N = {n} real, M = {m} generated"
        args = ((k, h, f), (f, h + 1, 1), seed, real, noises)
        yield Case(args, drive=drive_round, label=label)


def _round_with(bug):
    g_loss_of = {
        "wrong_way": _helps_the_critic,
        "lowers_d": _lowers_d,
        "saturating": generator_loss_saturating,
    }.get(bug, generator_loss)

    def through(G, D, fake, g_cache):
        logits, cache = D.forward(fake)
        loss, dlogits = g_loss_of(logits)
        dfake, d_grads = D.backward(dlogits, cache)
        return loss, G.backward(dfake, g_cache)[1], d_grads

    def wrong(G, D, real, z):
        fake, g_cache = G.forward(z)
        if bug == "generator_first":
            g_loss, grads, _ = through(G, D, fake, g_cache)
            G.update(grads)
            fake, g_cache = G.forward(z)
        if bug == "old_discriminator":
            g_loss, g_grads, _ = through(G, D, fake, g_cache)
        zr, cr = D.forward(real)
        zf, cf = D.forward(fake)
        d_loss, dr, df = discriminator_loss(zr, zf)
        if bug == "labels_exchanged":
            d_loss, df, dr = discriminator_loss(zf, zr)
        dx_real, one = D.backward(dr, cr)
        dx_fake, two = D.backward(df, cf)
        if bug == "generator_by_the_other_loss":
            g_grads = G.backward(dx_fake, g_cache)[1]
        if bug == "two_updates":
            D.update(one)
            D.update(two)
        elif bug == "real_gradient_lost":
            D.update(two)
        elif bug == "fake_gradient_lost":
            D.update(one)
        elif bug == "uphill":
            D.update({n: -one[n] - two[n] for n in one})
        elif bug != "discriminator_stays":
            D.update({n: one[n] + two[n] for n in one})
        if bug == "generator_first":
            return d_loss, g_loss
        g_loss_now, grads, d_grads = through(G, D, fake, g_cache)
        if bug == "discriminator_not_frozen":
            D.update(d_grads)
        if bug == "old_discriminator":
            g_loss_now, grads = g_loss, g_grads
        if bug == "generator_by_the_other_loss":
            grads = g_grads
        if bug != "generator_stays":
            G.update(grads)
        return (g_loss_now, d_loss) if bug == "losses_exchanged" else (d_loss, g_loss_now)

    return wrong


for _bug, _message, _remedy in (
    (
        "wrong_way",
        "The generator is updated so that the discriminator recognises its examples better: it "
        "uses the discriminator's own target, 0.",
        "`generator_loss` of the logits, whose target is 1.",
    ),
    (
        "lowers_d",
        "The generator minimises D(G(z)). It has to raise it.",
        "`generator_loss` of the logits.",
    ),
    (
        "saturating",
        "The generator is updated with the saturating loss. The non-saturating one is asked.",
        "`generator_loss`, not `generator_loss_saturating`.",
    ),
    (
        "generator_first",
        "The generator is updated first and the discriminator afterwards. Here the discriminator "
        "goes first.",
        "First the update of D, then forward through the new D.",
    ),
    (
        "old_discriminator",
        "The generator's gradient comes through the discriminator as it was BEFORE its update.",
        "Forward the generated examples through D once more, after `D.update`.",
    ),
    (
        "labels_exchanged",
        "The discriminator is taught that generated examples are real, and real ones generated.",
        "`discriminator_loss(logits_real, logits_fake)`, in this order.",
    ),
    (
        "generator_by_the_other_loss",
        "The gradient of the DISCRIMINATOR's loss was handed on to the generator. The losses look "
        "right; the generator walks the wrong way.",
        "A backward pass of its own, from `generator_loss`.",
    ),
    (
        "two_updates",
        "The discriminator is updated twice: once for the real batch, once for the generated one. "
        "An optimiser with a memory counts both.",
        "Add the two dicts of gradients, then one update.",
    ),
    (
        "real_gradient_lost",
        "The discriminator learns from the generated examples only: the second gradient has "
        "replaced the first.",
        "Add the two dicts of gradients.",
    ),
    (
        "fake_gradient_lost",
        "The discriminator learns from the real examples only.",
        "Add the gradients of the generated batch.",
    ),
    ("uphill", "The discriminator steps uphill.", "`update` goes downhill; hand it the gradients."),
    ("discriminator_stays", "The discriminator is not updated.", "`D.update(...)`, once."),
    ("generator_stays", "The generator is not updated.", "`G.update(...)`, once."),
    (
        "discriminator_not_frozen",
        "The discriminator is updated in the generator's half too: it is taught to be fooled.",
        "In the second half D only hands a gradient on. Throw its own gradients away.",
    ),
    ("losses_exchanged", "The two losses are returned in the other order.", "`d_loss, g_loss`."),
):
    chapter.mistake(train_step, _bug, _message, _remedy)(_round_with(_bug))


# --- a label for both nets -----------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=1,
    minutes=6,
    common_cache=True,
    hints=(
        "A label is a name, not an amount. One column for each class, a 1 in the right one.",
        "`np.eye(num_classes)[y]` picks row y[i] of the unit matrix for each example.",
        "`np.concatenate([x, np.eye(num_classes)[y]], axis=1)`. The whole answer stands in "
        "`solutions/12_gan`.",
    ),
    afterthought="Both nets get the label. What would the generator do with it if only it had one?",
)
def conditional_input(x, y, num_classes):
    """Examples or noise with their label behind them, one-hot (Mirza and Osindero, 2014).

    Parameters
    ----------
    x : (N, D) array
        Noise for a generator, examples for a discriminator.
    y : (N,) array of int
        Labels, 0 to num_classes - 1.
    num_classes : int
        C. Not every class need be in the batch.

    Returns
    -------
    out : (N, D + C) array
        x, then C columns with a 1 in the column of the label.
    cache : anything
        What `conditional_input_backward` needs.
    """
    out = np.concatenate([x, np.eye(num_classes)[y]], axis=1)
    return out, x.shape[1]


@chapter.cases(conditional_input)
def conditional_cases(rng):
    for n, d, c in ((3, 2, 5), (6, 4, 3), (5, 3, 7)):
        y = rng.integers(0, c - 1, n)  # the last class is not in the batch
        y[:2] = rng.permutation(c - 1)[:2]
        yield Case((rng.normal(0.3, 1, (n, d)), y, c), label=f"N = {n}, D = {d}, C = {c}")


for _key, _message, _remedy, _wrong in (
    (
        "label_as_a_number",
        "The label itself is a column: class 6 then counts three times class 2. There should be "
        "one column for each class.",
        "One-hot: `np.eye(num_classes)[y]`.",
        lambda x, y, C: np.column_stack([x, y]),
    ),
    (
        "label_in_front",
        "The label's columns stand in front of x. They are asked behind it.",
        "`[x, one_hot]`, in this order.",
        lambda x, y, C: np.hstack([np.eye(C)[y], x]),
    ),
    (
        "classes_of_the_batch",
        "There are too few columns: as many as the largest label of this batch needs. The next "
        "batch would have another width, and no weight matrix fits both.",
        "`num_classes` columns, always.",
        lambda x, y, C: np.hstack([x, np.eye(y.max() + 1)[y]]),
    ),
    (
        "classes_from_1",
        "The ones stand one column too far to the left: the labels are counted from 0.",
        "Column y, not y - 1.",
        lambda x, y, C: np.hstack([x, np.eye(C)[y - 1]]),
    ),
    (
        "label_alone",
        "Only the label's columns came back: x is missing.",
        "Concatenate x and the one-hot labels.",
        lambda x, y, C: np.eye(C)[y],
    ),
    (
        "as_rows",
        "Each label's columns hold a share of the batch: the one-hot table looks turned.",
        "Row i holds the label of example i.",
        lambda x, y, C: np.hstack([x, np.roll(np.eye(C)[y], 1, axis=0)]),
    ),
):
    if _key == "as_rows":
        _message = "The labels belong to other rows: each example has the label of its neighbour."
    chapter.mistake(conditional_input, _key, _message, _remedy)(
        lambda x, y, num_classes, wrong=_wrong: (wrong(x, y, num_classes), x.shape[1])
    )


# --- debug: both gradients of a tiny GAN ---------------------------------------------------------

DEBUG_STUB = '''def debug_gan_gradients(real, z, w, b, A, c):
    """Both losses of a tiny GAN and all their gradients, with five bugs.

    The generator is one layer, fake = z A + c; the discriminator is one neuron with the logit
    x w + b. real (N, F), z (M, K), w (F,), b a number, A (K, F), c (F,).
    d_loss: mean of -log D(real) plus mean of -log(1 - D(fake)). g_loss: mean of -log D(fake).
    Returns d_loss, dw, db (gradients of d_loss), g_loss, dA, dc (gradients of g_loss).
    """
    fake = z @ A + c
    D_real = 1 / (1 + np.exp(-(real @ w + b)))
    D_fake = 1 / (1 + np.exp(-(fake @ w + b)))
    # the discriminator
    d_loss = D_fake.mean() - D_real.mean()
    dz_real = (D_real - 1) / len(real)
    dz_fake = D_fake / len(real)
    dw = real.T @ dz_real
    dw = fake.T @ dz_fake
    db = dz_real.sum() + dz_fake.sum()
    # the generator
    g_loss = -np.log(1 - D_fake).mean()
    dz = D_fake / len(fake)
    dfake = np.outer(dz, w)
    dA = z.T @ dfake
    dc = dfake.mean(axis=0)
    return d_loss, dw, db, g_loss, dA, dc
'''


def _gan_gradients(real, z, w, b, A, c, bugs=()):
    """The debug exercise with only the named bugs left in."""
    fake = z @ A + c
    p, q = _sigmoid(real @ w + b), _sigmoid(fake @ w + b)
    d_loss = -np.log(p).mean() - np.log(1 - q).mean()
    if "objective" in bugs:
        d_loss = q.mean() - p.mean()
    dz_real, dz_fake = (p - 1) / len(real), q / len(real if "batch" in bugs else fake)
    dw = fake.T @ dz_fake + (0 if "overwritten" in bugs else real.T @ dz_real)
    db = dz_real.sum() + dz_fake.sum()
    g_loss, dz = -np.log(q).mean(), (q - 1) / len(fake)
    if "confession" in bugs:
        g_loss, dz = -np.log(1 - q).mean(), q / len(fake)
    dfake = np.outer(dz, w)
    dc = dfake.mean(axis=0) if "mean" in bugs else dfake.sum(axis=0)
    return d_loss, dw, db, g_loss, z.T @ dfake, dc


@chapter.exercise(
    points=5,
    returns="d_loss, dw, db, g_loss, dA, dc",
    difficulty=3,
    minutes=14,
    title="Debug: a tiny GAN, five bugs",
    stub=DEBUG_STUB,
    rtol=LOG_RTOL,
    hints=(
        "From top to bottom: is `d_loss` the loss that the text names? Then compare `dw` and `db` "
        "with finite differences of it. Let real and z have different numbers of rows.",
        "What happens to the first `dw`? Then probe the generator: is `g_loss` smaller when D is "
        "fooled? And does a bias gather the gradients of all rows by a mean?",
        "-log D(real) and -log(1 - D(fake)); `dz_fake = D_fake / len(fake)`; add both parts of "
        "`dw`; `g_loss = -np.log(D_fake).mean()` with `dz = (D_fake - 1) / len(fake)`; `dc = "
        "dfake.sum(axis=0)`. The whole answer stands in `solutions/12_gan`.",
    ),
    afterthought="Which of the five would still be there after a gradient check of each loss?",
)
def debug_gan_gradients(real, z, w, b, A, c):
    """Both losses of a tiny GAN and all their gradients, with five bugs.

    The generator is one layer, fake = z A + c; the discriminator is one neuron with the logit
    x w + b. real (N, F), z (M, K), w (F,), b a number, A (K, F), c (F,).
    d_loss: mean of -log D(real) plus mean of -log(1 - D(fake)). g_loss: mean of -log D(fake).
    Returns d_loss, dw, db (gradients of d_loss), g_loss, dA, dc (gradients of g_loss).
    """
    fake = z @ A + c
    D_real = 1 / (1 + np.exp(-(real @ w + b)))
    D_fake = 1 / (1 + np.exp(-(fake @ w + b)))
    # the discriminator
    d_loss = -np.log(D_real).mean() - np.log(1 - D_fake).mean()
    dz_real = (D_real - 1) / len(real)
    dz_fake = D_fake / len(fake)
    dw = real.T @ dz_real + fake.T @ dz_fake
    db = dz_real.sum() + dz_fake.sum()
    # the generator
    g_loss = -np.log(D_fake).mean()
    dz = (D_fake - 1) / len(fake)
    dfake = np.outer(dz, w)
    dA = z.T @ dfake
    dc = dfake.sum(axis=0)
    return d_loss, dw, db, g_loss, dA, dc


@chapter.cases(debug_gan_gradients)
def debug_cases(rng):
    for n, m, f, k in ((5, 3, 2, 4), (4, 7, 3, 2), (6, 5, 4, 3)):
        w = rng.uniform(0.3, 0.8, f) * rng.choice([-1.0, 1.0], f)
        A = rng.uniform(0.3, 0.8, (k, f)) * rng.choice([-1.0, 1.0], (k, f))
        c, b = rng.uniform(0.2, 0.6, f), float(rng.uniform(0.2, 0.5))
        args = (rng.normal(0.4, 1, (n, f)), rng.normal(0, 1, (m, k)), w, b, A, c)
        yield Case(args, label=f"N = {n}, M = {m}, F = {f}, K = {k}")


# In the order in which measuring finds them.
PLANTED = {
    "objective": "`d_loss` is the difference of two probabilities, not the two means of "
    "logarithms that the text names.",
    "overwritten": "`dw` does not fit `d_loss`. Follow it line by line: is anything of the real "
    "batch left in it?",
    "batch": "The discriminator's gradients do not fit its loss: `db` shows it. By which number "
    "is each batch divided?",
    "confession": "The discriminator is right. `g_loss` falls when D(fake) FALLS: probe its sign.",
    "mean": "Only `dc` is wrong, by the number of rows. A bias reaches every row: how are their "
    "gradients gathered?",
}
for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(
            debug_gan_gradients, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        )(lambda *args, bugs=_bugs: _gan_gradients(*args, bugs=bugs))


# --- more: least squares -------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="loss, dlogits_real, dlogits_fake",
    difficulty=2,
    minutes=7,
    optional=True,
    hints=(
        "No sigmoid and no logarithm: the output itself should be 1 for real and 0 for generated.",
        "Half of the mean square of (real - 1), plus half of the mean square of the generated.",
        "`0.5 * ((logits_real - 1) ** 2).mean() + 0.5 * (logits_fake ** 2).mean()`, gradients "
        "(logits_real - 1) / N and logits_fake / M. The whole answer stands in "
        "`solutions/12_gan`.",
    ),
    afterthought="A generated example with an output of 5: how hard does this loss pull, and how "
    "hard the other one?",
)
def discriminator_loss_least_squares(logits_real, logits_fake):
    """Least-squares loss of the discriminator: 1 for real, 0 for generated (Mao et al. 2017).

    The outputs are compared with their targets as they are, without a sigmoid.

    Parameters
    ----------
    logits_real : (N, 1) array
        The discriminator's output for real examples.
    logits_fake : (M, 1) array
        Its output for generated examples.

    Returns
    -------
    loss : float
        Half of the mean square of (logits_real - 1), plus half of the mean square of logits_fake.
    dlogits_real : (N, 1) array
    dlogits_fake : (M, 1) array
    """
    loss = 0.5 * ((logits_real - 1) ** 2).mean() + 0.5 * (logits_fake**2).mean()
    return loss, (logits_real - 1) / len(logits_real), logits_fake / len(logits_fake)


@chapter.exercise(
    points=2,
    returns="loss, dlogits_fake",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "The generator wants the output for its examples to be the target of real ones.",
        "Half of the mean square of (logits_fake - 1).",
        "`0.5 * ((logits_fake - 1) ** 2).mean()` and `(logits_fake - 1) / N`. The whole answer "
        "stands in `solutions/12_gan`.",
    ),
    afterthought="At which logits does this loss push DOWN? Is that a wrong sign?",
)
def generator_loss_least_squares(logits_fake):
    """Least-squares loss of the generator: its examples should get 1 (Mao et al. 2017).

    Parameters
    ----------
    logits_fake : (N, 1) array
        The discriminator's output for generated examples; no sigmoid is applied.

    Returns
    -------
    loss : float
        Half of the mean square of (logits_fake - 1).
    dlogits_fake : (N, 1) array
    """
    return 0.5 * ((logits_fake - 1) ** 2).mean(), (logits_fake - 1) / len(logits_fake)


def _on_sigmoid(loss_of):
    """The loss on probabilities; gradients by the chain rule."""

    def wrong(*logits):
        loss, *gradients = loss_of(*(_sigmoid(z) for z in logits))
        pairs = zip(gradients, logits, strict=True)
        return loss, *(g * _sigmoid(z) * _sigmoid(-z) for g, z in pairs)

    return wrong


def _ls_summed(r, f):
    loss = 0.5 * ((r - 1) ** 2).sum() + 0.5 * (f**2).sum()
    return loss, r - 1, f + 0


def _ls_one_mean(r, f):
    n = len(r) + len(f)
    return tuple(part / n for part in _ls_summed(r, f))


for _loss, _cases in (
    (discriminator_loss_least_squares, _pair_cases),
    (generator_loss_least_squares, _fake_cases),
):
    chapter.cases(_loss)(_cases)
    _common_mistakes(_loss, log=False)
    chapter.mistake(
        _loss,
        "without_the_half",
        "Loss and gradients are twice too large: the halves in front of the squares are missing.",
        "0.5 in front of each mean square.",
    )(_scaled(_loss, lambda loss, *z: 2 * loss, lambda g, z: 2 * g))
    chapter.mistake(
        _loss,
        "gradient_doubled",
        "The loss is right and the gradient twice too large: the 2 of the square and the half "
        "cancel.",
        "The slope of 0.5 (z - 1)^2 is z - 1.",
    )(_scaled(_loss, None, lambda g, z: 2 * g))
    chapter.mistake(
        _loss,
        "sigmoid_first",
        "A sigmoid is applied before the squares. Here the outputs are compared as they are: that "
        "is what keeps the pull alive far away.",
        "Leave out the sigmoid.",
    )(_on_sigmoid(_loss))
chapter.mistake(discriminator_loss_least_squares, "sum_for_mean", SUM, "Use means.")(_ls_summed)
chapter.mistake(
    discriminator_loss_least_squares,
    "one_mean_for_both",
    "These values are one mean over all N + M examples; each batch should have its own.",
    "mean over N, plus mean over M.",
)(_ls_one_mean)
chapter.mistake(
    discriminator_loss_least_squares,
    "labels_exchanged",
    "The targets are exchanged: 1 is for real, 0 for generated.",
    "(logits_real - 1) and (logits_fake - 0).",
)(_exchanged(discriminator_loss_least_squares))
chapter.mistake(generator_loss_least_squares, "sum_for_mean", SUM, "Use the mean.")(
    lambda f: (0.5 * ((f - 1) ** 2).sum(), f - 1)
)
chapter.mistake(
    generator_loss_least_squares,
    "target_0",
    "The target is 0, that of the discriminator for generated examples. The generator wants 1.",
    "(logits_fake - 1).",
)(lambda f: (0.5 * (f**2).mean(), f / len(f)))


# --- more: a difference of scores ----------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="loss, dscores_real, dscores_fake",
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "The critic wants high scores for real examples and low ones for generated ones.",
        "The mean over the generated minus the mean over the real. What is the slope of a mean?",
        "`scores_fake.mean() - scores_real.mean()`; gradients full of -1/N and 1/M. The whole "
        "answer stands in `solutions/12_gan`.",
    ),
    afterthought="What keeps the scores from growing for ever? (Something else has to.)",
)
def critic_loss(scores_real, scores_fake):
    """The loss of a Wasserstein critic, without its constraint (Arjovsky and others, 2017).

    The scores are any numbers; no sigmoid is applied.

    Parameters
    ----------
    scores_real : (N, 1) array
    scores_fake : (M, 1) array

    Returns
    -------
    loss : float
        Mean of scores_fake minus mean of scores_real.
    dscores_real : (N, 1) array
    dscores_fake : (M, 1) array
    """
    loss = scores_fake.mean() - scores_real.mean()
    return (
        loss,
        np.full_like(scores_real, -1 / len(scores_real)),
        np.full_like(scores_fake, 1 / len(scores_fake)),
    )


chapter.cases(critic_loss)(_pair_cases)
_common_mistakes(critic_loss, log=False)
for _key, _message, _remedy, _wrong in (
    (
        "maximised",
        SIGN + "the critic maximises real minus generated, so its loss is generated minus real.",
        "`scores_fake.mean() - scores_real.mean()`.",
        lambda r, f: tuple(-part for part in critic_loss(r, f)),
    ),
    (
        "sigmoid_first",
        "The scores went through a sigmoid first: a difference of probabilities. Its slope "
        "vanishes wherever the critic is sure.",
        "Leave out the sigmoid.",
        _difference,
    ),
    (
        "sum_for_mean",
        SUM,
        "Use means.",
        lambda r, f: (f.sum() - r.sum(), -np.ones_like(r), np.ones_like(f)),
    ),
    (
        "one_number_for_all",
        "The loss is right; the gradients are single numbers. Each score has a slope of its own.",
        "`np.full_like(scores_real, -1 / N)`.",
        lambda r, f: (critic_loss(r, f)[0], -1 / len(r), 1 / len(f)),
    ),
):
    chapter.mistake(critic_loss, _key, _message, _remedy)(_wrong)


# --- more: the way back from a conditional input -------------------------------------------------


@chapter.exercise(
    points=1,
    returns="dx",
    gradient_of=conditional_input,
    difficulty=1,
    minutes=3,
    optional=True,
    hints=(
        "x was copied into some of the columns. What does a copy do to a gradient?",
        "The first D columns of `dout` belong to x. The label is given; it needs no gradient.",
        "`dout[:, :D]`, with D from the cache. The whole answer stands in `solutions/12_gan`.",
    ),
    afterthought="In the generator's half of a round, which net needs this function?",
)
def conditional_input_backward(dout, cache):
    """Gradient of `conditional_input` with respect to x.

    Parameters
    ----------
    dout : (N, D + C) array
        Upstream gradient.
    cache : anything
        What `conditional_input` kept.

    Returns
    -------
    dx : (N, D) array
    """
    return dout[:, :cache]


for _key, _message, _remedy, _wrong in (
    (
        "all_columns",
        "The gradient still has the label's columns.",
        "Keep the first D columns.",
        lambda dout, cache: dout,
    ),
    (
        "label_columns",
        "These are the columns of the label. x stands in front.",
        "`dout[:, :D]`.",
        lambda dout, cache: dout[:, cache:],
    ),
    (
        "last_columns",
        "These are the LAST D columns. x stands in front.",
        "`dout[:, :D]`.",
        lambda dout, cache: dout[:, -cache:],
    ),
    (
        "first_rows",
        "The first D ROWS were kept. A row is an example; x fills columns.",
        "`dout[:, :D]`, with the colon in front.",
        lambda dout, cache: dout[:cache],
    ),
):
    chapter.mistake(conditional_input_backward, _key, _message, _remedy)(_wrong)


# --- more: the best discriminator ----------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="D, loss",
    difficulty=3,
    minutes=10,
    optional=True,
    rtol=1e-7,
    hints=(
        "Look at one outcome alone. It adds -(p log D + q log(1 - D)) to the loss. For which D is "
        "that smallest?",
        "Its slope is -p / D + q / (1 - D). It is zero where D = p / (p + q).",
        "`D = np.where(p + q > 0, p / (p + q), 0.5)`, with 0 log 0 = 0 in the loss: sum only over "
        "entries with p > 0, and over those with q > 0. The whole answer stands in "
        "`solutions/12_gan`.",
    ),
    afterthought="What is the loss when p and q are the same, and what when they never overlap?",
)
def best_discriminator(p, q):
    """The discriminator that nobody can improve, for two known distributions.

    (Goodfellow and others, 2014, proposition 1.)

    Parameters
    ----------
    p : (K,) array
        Probability of each of K outcomes in the data. Zeros are possible.
    q : (K,) array
        The same for the generator.

    Returns
    -------
    D : (K,) array
        The best D for each outcome; 0.5 where neither ever comes.
    loss : float
        Its loss: the sum of -p log D and of -q log(1 - D), where 0 log 0 counts as 0.
    """
    D = np.full(len(p), 0.5)
    seen = p + q > 0
    D[seen] = p[seen] / (p + q)[seen]
    loss = -(p[p > 0] * np.log(D[p > 0])).sum() - (q[q > 0] * np.log(1 - D[q > 0])).sum()
    return D, loss


@chapter.cases(best_discriminator)
def best_discriminator_cases(rng):
    for k, zeros in ((4, ()), (6, (0, 5)), (9, (2, 3, 8))):
        p, q = rng.uniform(0.2, 1, k), rng.uniform(0.2, 1, k)
        for place, i in enumerate(zeros):
            (p, q)[place % 2][i] = 0
        if k == 9:
            p[3] = q[3] = p[6] = q[6] = 0  # nobody ever goes there
        yield Case((p / p.sum(), q / q.sum()), label=f"K = {k}" + ", with zeros" * bool(zeros))


def _best(p, q, D=None, loss=None):
    right = best_discriminator(p, q)
    return right[0] if D is None else D, right[1] if loss is None else loss


def _best_with_nan(p, q):
    with np.errstate(all="ignore"):
        D = p / (p + q)
        return D, -(p * np.log(D) + q * np.log(1 - D)).sum()


def _best_zero_log(p, q):
    D = best_discriminator(p, q)[0]
    with np.errstate(all="ignore"):
        return D, -(p * np.log(D) + q * np.log(1 - D)).sum()


def _best_mean(p, q):
    D, loss = best_discriminator(p, q)
    return D, loss / len(p)


for _key, _message, _remedy, _wrong in (
    (
        "exchanged",
        "These are the values of q / (p + q): the discriminator's D is the probability of REAL.",
        "p over the sum.",
        lambda p, q: (best_discriminator(q, p)[0], best_discriminator(p, q)[1]),
    ),
    (
        "hard_verdict",
        "D is 0 or 1, whichever is likelier. That is the best VERDICT; for the cross-entropy a "
        "sure verdict is too dear where both occur.",
        "The share p / (p + q).",
        lambda p, q: _best(p, q, D=np.where(p + q > 0, (p > q) * 1.0, 0.5)),
    ),
    (
        "zero_over_zero",
        "Where neither p nor q is above 0, D is 0 / 0: not a number.",
        "Put 0.5 there.",
        _best_with_nan,
    ),
    (
        "zero_log_zero",
        "The loss is not a number: 0 times log 0. An outcome that never comes costs nothing.",
        "Sum only where p > 0, and where q > 0.",
        _best_zero_log,
    ),
    (
        "sign_of_the_loss",
        "The loss has the opposite sign: logarithms of probabilities are negative.",
        "Put a minus in front.",
        lambda p, q: _best(p, q, loss=-best_discriminator(p, q)[1]),
    ),
    (
        "mean_over_outcomes",
        "The loss is divided by K. The probabilities are the weights of this mean already.",
        "Sum, do not average.",
        _best_mean,
    ),
):
    chapter.mistake(best_discriminator, _key, _message, _remedy)(_wrong)


# --- more: which modes are hit -------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="modes, share",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "A table of distances, one row for each sample, one column for each centre. "
        "`samples[:, None] - centres` has shape (N, K, D).",
        "`near = distance < radius`. A centre is hit when its column holds at least `least` True; "
        "a sample is near when its row holds any.",
        "`near = np.linalg.norm(samples[:, None] - centres, axis=2) < radius`, then "
        "`(near.sum(axis=0) >= least).sum()` and `near.any(axis=1).mean()`. The whole answer "
        "stands in `solutions/12_gan`.",
    ),
    afterthought="Can the share be high while only one mode is hit? And the other way round?",
)
def mode_coverage(samples, centres, radius, least=1):
    """How many modes are hit, and how many samples lie near any.

    Parameters
    ----------
    samples : (N, D) array
        Generated examples.
    centres : (K, D) array
        Centres of the data's modes.
    radius : float
        A sample is near a centre when it is closer than this.
    least : int
        A mode is hit when at least so many samples are near its centre.

    Returns
    -------
    modes : int
        How many of the K centres are hit.
    share : float
        Share of the samples that are near at least one centre.
    """
    near = np.linalg.norm(samples[:, None] - centres, axis=2) < radius  # (N, K)
    return int((near.sum(axis=0) >= least).sum()), near.any(axis=1).mean()


@chapter.cases(mode_coverage)
def mode_coverage_cases(rng):
    for d, radius, least, counts in (
        (2, 0.5, 1, (4, 0, 3, 1)),
        (2, 2.0, 3, (5, 2, 3, 0, 1)),
        (3, 0.7, 2, (1, 6, 2, 0, 1, 3)),
    ):
        k = len(counts)
        centres = np.zeros((k, d))
        centres[:, 0], centres[:, 1] = 9.0 * np.arange(k), rng.uniform(-3, 3, k)
        samples = []
        for centre, count in zip(centres, counts, strict=True):
            for _ in range(count):  # on a shell inside the radius: near, and not too near
                step = rng.uniform(0.6, 0.9, d) * rng.choice([-1.0, 1.0], d) / np.sqrt(d)
                samples.append(centre + radius * step)
            # in the corner of the box around the circle, and outside the circle
            samples.append(centre + 0.93 * radius * rng.choice([-1.0, 1.0], d))
        samples = rng.permutation(np.array(samples))
        label = f"{len(samples)} samples, {k} centres in {d}-D, radius {radius}, least {least}"
        yield Case((samples, centres, radius, least), label=label)


def _near(samples, centres):
    return samples[:, None] - centres


for _key, _message, _remedy, _wrong in (
    (
        "squared_distance",
        "The SQUARED distance is compared with the radius.",
        "Take the root, or square the radius.",
        lambda d, radius, least: (d**2).sum(axis=2) < radius,
    ),
    (
        "box_for_circle",
        "Each coordinate is compared for itself: a box around the centre. Its corners are farther "
        "away than the radius.",
        "Root of the sum of squares.",
        lambda d, radius, least: (np.abs(d) < radius).all(axis=2),
    ),
    (
        "city_blocks",
        "The coordinates' distances are added, not combined by Pythagoras.",
        "Root of the sum of squares.",
        lambda d, radius, least: np.abs(d).sum(axis=2) < radius,
    ),
):
    chapter.mistake(mode_coverage, _key, _message, _remedy)(
        lambda samples, centres, radius, least=1, wrong=_wrong: (
            int((wrong(_near(samples, centres), radius, least).sum(axis=0) >= least).sum()),
            wrong(_near(samples, centres), radius, least).any(axis=1).mean(),
        )
    )
chapter.mistake(
    mode_coverage,
    "least_ignored",
    "A single sample is enough here: `least` seems not to be used.",
    "Count the samples of each centre and compare with `least`.",
)(lambda samples, centres, radius, least=1: mode_coverage(samples, centres, radius))
chapter.mistake(
    mode_coverage,
    "share_of_modes",
    "The share is that of the modes that are hit. It is asked for the samples.",
    "`near.any(axis=1).mean()`.",
)(
    lambda s, c, radius, least=1: (
        mode_coverage(s, c, radius, least)[0],
        mode_coverage(s, c, radius, least)[0] / len(c),
    )
)
chapter.mistake(
    mode_coverage,
    "more_than_least",
    "A mode with exactly `least` samples counts as missed.",
    "`>=`, not `>`.",
)(
    lambda s, c, radius, least=1: (
        mode_coverage(s, c, radius, least + 1)[0],
        mode_coverage(s, c, radius)[1],
    )
)


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "gan_q1",
    "What is the order of one round of training a GAN?",
    choices={
        "a": "the generator is trained on noise alone first; the discriminator follows when it is "
        "done",
        "b": "both nets are updated together by one loss that both minimise",
        "c": "generate from noise; update the discriminator on real and generated examples; then "
        "update the generator by what the discriminator says about its examples",
        "d": "the discriminator is trained until it makes no mistake, and is never touched again",
    },
    answer="c",
    wrong={
        "a": "Without a discriminator the generator has no loss. It starts with random weights and "
        "learns through the discriminator only.",
        "b": "They want opposite things: what one of them gains, the other loses.",
        "d": "A finished discriminator would be sure of itself everywhere, and it would not know "
        "tomorrow's forgeries.",
    },
    explanation="Noise, forgeries, one update of the critic, one update of the forger, and again. "
    "Neither net is trained to the end before the other.",
)
chapter.quiz(
    "gan_q2",
    "How does the generator learn what real examples look like?",
    choices={
        "a": "through the gradient that comes back from the discriminator, and in no other way",
        "b": "it is given pairs of noise and the real image that belongs to it",
        "c": "real images are mixed into its noise",
        "d": "it minimises the squared distance to the nearest real image",
    },
    answer="a",
    wrong={
        "b": "No noise belongs to any image. That is what makes the task hard, and the idea new.",
        "c": "Its input is noise, and nothing else (with a label, in a conditional GAN).",
        "d": "That would need a measure of likeness. The discriminator is the measure, and it is "
        "learned.",
    },
    explanation="The discriminator sees both kinds and says for each generated example in which "
    "direction it would look more real. That direction is dL/dx, handed on to the generator.",
)
chapter.quiz(
    "gan_q3",
    "The discriminator gives a generated example a logit of 0. What is the gradient of the "
    "non-saturating generator loss with respect to this logit, in a batch of one? Answer with a "
    "number.",
    answer=-0.5,
    wrong={
        0.5: "The sign is that of the discriminator's own loss. The generator wants the logit to "
        "rise, and a step goes against the gradient.",
        0: "A logit of 0 means D = 1/2: the forger is half way, not at the end.",
        -1: "It is near -1 for a logit of -6, where the forgery is recognised.",
        -0.25: "That has the slope of the sigmoid in it once too often.",
    },
    explanation="D - 1 = 1/2 - 1. At logits of -6, 0 and 6 it is -0.9975, -0.5 and -0.0025.",
)
chapter.quiz(
    "gan_q4",
    "At some point x the data have a density of 0.3 and the generator's examples one of 0.1. What "
    "does the best discriminator say there? Answer with a number.",
    answer=0.75,
    wrong={
        0.3: "That is the density of the data. D weighs it against the other one.",
        0.25: "That is the share of GENERATED examples; D is the probability of real.",
        1: "Some examples at this point are generated, so certainty would cost.",
        0.5: "Only where both densities are equal.",
        3: "That is the ratio of the densities. D is p / (p + q).",
    },
    explanation="p / (p + q) = 0.3 / 0.4. When the generator is perfect, p = q everywhere, and the "
    "best answer is 1/2 for everything.",
)
chapter.quiz(
    "gan_q5",
    "A discriminator says 1/2 to everything. How large is its loss, mean -log D plus mean "
    "-log(1 - D)? Answer with a number.",
    answer=1.3863,
    rtol=2e-3,
    wrong={
        0.6931: "That is one of the two terms.",
        1: "1/2 + 1/2; the logarithms are missing.",
        -1.3863: "That is the objective it maximises. The loss has the other sign.",
        0: "A loss of 0 means: sure and right about everything.",
    },
    explanation="2 log 2. It is what the best discriminator has left against a perfect generator. "
    "The loss alone does not say so: a lazy discriminator has it too.",
)
chapter.quiz(
    "gan_q6",
    "A forgery is recognised: its logit is -6. How many times stronger is the gradient (with "
    "respect to the logit) of the non-saturating loss than that of the minimax loss? Answer with a "
    "number.",
    answer=403.43,
    rtol=2e-3,
    wrong={
        6: "The logit stands in an exponent: (1 - D) / D = e^6.",
        1: "They are equal only at a logit of 0.",
        0.00248: "That is the other way round: the minimax loss is weaker by this factor.",
        36: "e^6, not 6 squared.",
    },
    explanation="(1 - D) / D = e^6, about 403. Early on nearly all forgeries are recognised, and "
    "the minimax loss is nearly flat there.",
)
chapter.quiz(
    "gan_q7",
    "A text says: the generator minimises p_G = D(G(z)), the discriminator maximises p_R - p_G. "
    "What is wrong?",
    choices={
        "a": "nothing: this is the minimax loss",
        "b": "the generator has the wrong sign; and the difference is another objective than the "
        "one with logarithms, with a pull that vanishes where the discriminator is sure",
        "c": "the discriminator has the wrong sign; the generator is right",
        "d": "p_G cannot be computed",
    },
    answer="b",
    wrong={
        "a": "The minimax loss is log D(real) + log(1 - D(fake)); the generator minimises the "
        "SECOND term, which raises D.",
        "c": "The discriminator does want p_R high and p_G low. Who wants p_G low as well would "
        "help it.",
        "d": "It is the output of the discriminator.",
    },
    explanation="One probe shows it: the slope of p_G with respect to the logit is D (1 - D), "
    "positive everywhere. The generator would learn to be recognised.",
)
chapter.quiz(
    "gan_q8",
    "Every generated digit is a 1 and looks perfect. What is this called, and what shows it?",
    choices={
        "a": "overfitting; the loss on the training data shows it",
        "b": "vanishing gradients; the losses show it",
        "c": "convergence; nothing is wrong",
        "d": "mode collapse; counting the classes of many samples shows it",
    },
    answer="d",
    wrong={
        "a": "No single image need be copied. What is missing is variety.",
        "b": "The losses may look healthy. Nothing in them counts variety.",
        "c": "The data have ten kinds of digits. Nine never come.",
    },
    explanation="The discriminator judges one example at a time, and one 1 is beyond reproach. "
    "So quality and coverage are measured apart: samples near a mode, and modes hit.",
)
chapter.quiz(
    "gan_q9",
    "A conditional GAN on 8x8 digits with 10 classes, in batches of 32. Which shape has the "
    "discriminator's input?",
    answer=(32, 74),
    wrong={
        (32, 64): "That is the image without its label.",
        (32, 65): "The label as one number would make class 8 eight times class 1.",
        (32, 10): "That is the label without its image.",
        (74, 32): "Examples are rows.",
    },
    explanation="64 pixels and 10 columns for the label, one-hot. The generator's input has the "
    "same 10 columns behind its noise.",
)
chapter.quiz(
    "gan_q10",
    "The discriminator's loss falls to nearly 0 and stays there. What does it mean?",
    choices={
        "a": "it tells nearly all forgeries from real examples: the generator is losing",
        "b": "training is done: the smaller the loss, the better the samples",
        "c": "the generator is perfect",
        "d": "the learning rate of the generator is 0",
    },
    answer="a",
    wrong={
        "b": "In a game a small loss of one side is a success of that side only.",
        "c": "Against a perfect generator nobody gets below 2 log 2.",
        "d": "It might be, but a generator that learns too slowly or the wrong way gives the same "
        "picture.",
    },
    explanation="Loss curves of a GAN say who is ahead, not how good the samples are. Samples are "
    "judged by looking, and by numbers made for it.",
)
chapter.quiz(
    "gan_q11",
    'Images are to be generated: "a 3, please". Which of these cannot do it as it stands?',
    choices={
        "a": "a conditional GAN",
        "b": "a generator of its own for each digit",
        "c": "an autoencoder with a random code, trained with labels (a conditional VAE)",
        "d": "a classifier of digits that reaches 99 %",
    },
    answer="d",
    wrong={
        "a": "It was made for this: the label is part of the generator's input.",
        "b": "Ten nets, and each learns from a tenth of the data, but it can.",
        "c": "Its decoder turns a random code and a label into an image (chapter 18).",
    },
    explanation="A classifier goes from image to label. It knows what separates a 3 from an 8, and "
    "not what images look like; a GAN's discriminator is such a net, and needs its generator.",
)
