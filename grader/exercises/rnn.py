"""Chapter 10, recurrent networks: one step, a sequence, and the gradient back through time.

Sizes are all different in every case, and no state starts at zero: a state that is dropped, a
transposed square matrix or a swapped axis shows in the first case.
"""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("10_rnn", "Recurrent networks and backpropagation through time")


def _cell(rng, d, h):
    """Wx, Wh, b of a plain recurrent layer, far from saturation."""
    return rng.normal(0, 0.6, (d, h)), rng.normal(0, 0.6, (h, h)), rng.normal(0, 0.5, h)


# --- one step ------------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="next_h, cache",
    difficulty=1,
    minutes=4,
    hints=(
        "Two things reach the new state: the input and the old state. Each has its own matrix.",
        "Add `x @ Wx`, `prev_h @ Wh` and `b`. The tanh goes around the whole sum.",
        "`next_h = np.tanh(x @ Wx + prev_h @ Wh + b)`, and the cache holds x, prev_h, Wx, Wh and "
        "next_h. The whole answer stands in `solutions/10_rnn`.",
    ),
    afterthought="Could one matrix of shape (D + H, H) do the work of Wx and Wh?",
)
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    """One time step of a plain (Elman) recurrent layer: tanh(x Wx + prev_h Wh + b).

    Parameters
    ----------
    x : (N, D) array
        The input of this step.
    prev_h : (N, H) array
        The hidden state that the step before left behind.
    Wx : (D, H) array
    Wh : (H, H) array
    b : (H,) array

    Returns
    -------
    next_h : (N, H) array
    cache
        Whatever `rnn_step_backward` needs.

    References
    ----------
    J. L. Elman, Finding structure in time, Cognitive Science 14, 1990.
    """
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)  # (N, H)
    return next_h, (x, prev_h, Wx, Wh, next_h)


@chapter.cases(rnn_step_forward)
def step_cases(rng):
    for n, d, h in [(3, 4, 2), (4, 3, 5), (5, 2, 7), (1, 6, 3)]:
        label = f"N = {n}, D = {d}, H = {h}"
        x, prev_h = rng.normal(0, 1, (n, d)), rng.uniform(-1, 1, (n, h))
        yield Case((x, prev_h, *_cell(rng, d, h)), label=label)


def _step_forward_mistake(key, message, remedy, formula):
    def wrong(x, prev_h, Wx, Wh, b):
        next_h = formula(x, prev_h, Wx, Wh, b)
        return next_h, (x, prev_h, Wx, Wh, next_h)

    chapter.mistake(rnn_step_forward, key, message, remedy)(wrong)


for _mistake in (
    (
        "no_state",
        "The old state has no influence: this is a fully connected layer. What came before is "
        "forgotten at once.",
        "Add `prev_h @ Wh` before the tanh.",
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + b),
    ),
    (
        "state_transposed",
        "The values equal what results with `Wh.T`. Wh is square, so no shape complains.",
        "`prev_h @ Wh`: rows of Wh belong to the old state, columns to the new one.",
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h @ Wh.T + b),
    ),
    (
        "no_bias",
        "The bias is missing.",
        "Add `b` before the tanh.",
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h @ Wh),
    ),
    (
        "no_tanh",
        "The values are the sum before the tanh. Without a bend, many steps are one matrix.",
        "Put `np.tanh` around the whole sum.",
        lambda x, h, Wx, Wh, b: x @ Wx + h @ Wh + b,
    ),
    (
        "tanh_of_input_only",
        "The tanh covers the input only; the old state is added behind it and can grow without "
        "limit.",
        "One tanh around the whole sum.",
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + b) + h @ Wh,
    ),
    (
        "sigmoid",
        "All values lie between 0 and 1: it looks like a sigmoid where tanh is asked for.",
        "`np.tanh`.",
        lambda x, h, Wx, Wh, b: 1 / (1 + np.exp(-(x @ Wx + h @ Wh + b))),
    ),
    (
        "state_added",
        "The old state is added unchanged: it looks as if `Wh` is left out.",
        "`prev_h @ Wh`, not `prev_h`.",
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h + b),
    ),
):
    _step_forward_mistake(*_mistake)


@chapter.exercise(
    points=5,
    returns="dx, dprev_h, dWx, dWh, db",
    gradient_of=rnn_step_forward,
    difficulty=2,
    minutes=9,
    hints=(
        "Call the sum inside the tanh a. One gradient, da, leads to all five.",
        "`da = dnext_h * (1 - next_h**2)`: the slope of tanh, from its output. From there it is "
        "a fully connected layer, twice.",
        "`dx = da @ Wx.T`, `dprev_h = da @ Wh.T`, `dWx = x.T @ da`, `dWh = prev_h.T @ da`, "
        "`db = da.sum(axis=0)`. The whole answer stands in `solutions/10_rnn`.",
    ),
    afterthought="Which of the five goes on to the step before, and which ones wait to be added?",
)
def rnn_step_backward(dnext_h, cache):
    """Gradients of one time step.

    Parameters
    ----------
    dnext_h : (N, H) array
        Gradient of the loss with respect to the new state.
    cache
        From `rnn_step_forward`.

    Returns
    -------
    dx : (N, D) array
    dprev_h : (N, H) array
    dWx : (D, H) array
    dWh : (H, H) array
    db : (H,) array
    """
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)  # (N, H), through the tanh
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def _step_gradients(da, cache):
    x, prev_h, Wx, Wh, _ = cache
    return [da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)]


def _step_backward_mistake(key, message, remedy, slope=None, change=None):
    def wrong(dnext_h, cache):
        h = cache[-1]
        da = dnext_h * (1 - h**2 if slope is None else slope(h))
        grads = _step_gradients(da, cache)
        if change is not None:
            change(grads, da, cache)
        return tuple(grads)

    chapter.mistake(rnn_step_backward, key, message, remedy)(wrong)


def _put(index, formula):
    def change(grads, da, cache):
        grads[index] = formula(da, *cache)

    return change


for _key, _message, _remedy, _slope in (
    (
        "slope_missing",
        "The slope of tanh is missing: the gradient of the state is used as if it were that of "
        "the sum inside.",
        "`da = dnext_h * (1 - next_h**2)`.",
        np.ones_like,
    ),
    (
        "tanh_twice",
        "These values equal what results from 1 - tanh(next_h)**2. next_h is a tanh already.",
        "`1 - next_h**2`.",
        lambda h: 1 - np.tanh(h) ** 2,
    ),
    (
        "slope_of_sigmoid",
        "The slope is that of the sigmoid, h (1 - h). Here h is a tanh.",
        "`1 - next_h**2`.",
        lambda h: h * (1 - h),
    ),
    (
        "slope_without_square",
        "The slope looks like 1 - next_h, without the square.",
        "`1 - next_h**2`.",
        lambda h: 1 - h,
    ),
):
    _step_backward_mistake(_key, _message, _remedy, slope=_slope)

for _key, _message, _remedy, _change in (
    (
        "state_without_transpose",
        "`dprev_h` equals `da @ Wh`. The way back goes through the transpose; Wh is square, so no "
        "shape complains.",
        "`da @ Wh.T`.",
        _put(1, lambda da, x, prev_h, Wx, Wh, h: da @ Wh),
    ),
    (
        "dWh_transposed",
        "`dWh` is transposed. It is square, so no shape complains.",
        "`prev_h.T @ da`.",
        _put(3, lambda da, x, prev_h, Wx, Wh, h: da.T @ prev_h),
    ),
    (
        "dWh_of_the_new_state",
        "`dWh` is built with the NEW state. What Wh was multiplied with is `prev_h`.",
        "`prev_h.T @ da`.",
        _put(3, lambda da, x, prev_h, Wx, Wh, h: h.T @ da),
    ),
    (
        "bias_not_summed",
        "`db` has one row for each example. The bias is shared by all of them.",
        "Sum over the examples: axis 0.",
        _put(4, lambda da, *_: da),
    ),
    (
        "bias_mean",
        "`db` is the mean over the examples. A division by N belongs to the loss; `dnext_h` "
        "carries it already.",
        "`da.sum(axis=0)`.",
        _put(4, lambda da, *_: da.mean(axis=0)),
    ),
):
    _step_backward_mistake(_key, _message, _remedy, change=_change)


# --- a sequence ----------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="h, cache",
    difficulty=1,
    minutes=6,
    hints=(
        "The same step, T times. What does step t get from step t - 1?",
        "Walk over `t in range(T)` with `x[:, t]`, keep the state in one variable, and keep every "
        "step's cache in a list.",
        "`state = h0`; in the loop `state, step = rnn_step_forward(x[:, t], state, Wx, Wh, b)`, "
        "then `h[:, t] = state`. The whole answer stands in `solutions/10_rnn`.",
    ),
    afterthought="Can the loop over t be replaced by one matrix product, as the loop over examples "
    "was? Why not?",
)
def rnn_forward(x, h0, Wx, Wh, b):
    """A plain recurrent layer over whole sequences; the same weights at every step.

    Parameters
    ----------
    x : (N, T, D) array
        N sequences of T steps.
    h0 : (N, H) array
        The state before the first step.
    Wx : (D, H) array
    Wh : (H, H) array
    b : (H,) array

    Returns
    -------
    h : (N, T, H) array
        The state AFTER each step; h0 is not among them.
    cache
        Whatever `rnn_backward` needs.
    """
    N, T, _ = x.shape
    h, steps, state = np.empty((N, T, h0.shape[1])), [], h0
    for t in range(T):
        state, step = rnn_step_forward(x[:, t], state, Wx, Wh, b)
        h[:, t] = state
        steps.append(step)
    return h, steps


@chapter.cases(rnn_forward)
def sequence_cases(rng):
    for n, t, d, h in [(3, 2, 4, 5), (2, 5, 3, 4), (4, 6, 2, 3), (3, 1, 5, 2)]:
        args = rng.normal(0, 1, (n, t, d)), rng.uniform(-1, 1, (n, h)), *_cell(rng, d, h)
        yield Case(args, label=f"N = {n}, T = {t}, D = {d}, H = {h}")


def _run(x, h0, Wx, Wh, b, carry=True):
    """All states, and the steps' caches; without carry every step starts at h0."""
    states, steps, state = [], [], h0
    for t in range(x.shape[1]):
        state, step = rnn_step_forward(x[:, t], state if carry else h0, Wx, Wh, b)
        states.append(state)
        steps.append(step)
    return states, steps


@chapter.mistake(
    rnn_forward,
    "state_not_carried",
    "Every step starts at h0: the state of the step before is not handed on.",
    "Overwrite the state in each turn of the loop.",
)
def rnn_forward_state_not_carried(x, h0, Wx, Wh, b):
    states, steps = _run(x, h0, Wx, Wh, b, carry=False)
    return np.stack(states, axis=1), steps


@chapter.mistake(
    rnn_forward,
    "starts_at_zero",
    "The first step starts at zero: `h0` seems not to be used.",
    "`state = h0` before the loop.",
)
def rnn_forward_starts_at_zero(x, h0, Wx, Wh, b):
    states, steps = _run(x, np.zeros_like(h0), Wx, Wh, b)
    return np.stack(states, axis=1), steps


@chapter.mistake(
    rnn_forward,
    "last_state_only",
    "Only the last state came back. All T of them are asked for, in the shape (N, T, H).",
    "Keep the state of every step.",
)
def rnn_forward_last_state_only(x, h0, Wx, Wh, b):
    states, steps = _run(x, h0, Wx, Wh, b)
    return states[-1], steps


@chapter.mistake(
    rnn_forward,
    "h0_included",
    "There are T + 1 states: h0 stands in front. `h` holds the state after each step.",
    "Leave h0 out of `h`.",
)
def rnn_forward_h0_included(x, h0, Wx, Wh, b):
    states, steps = _run(x, h0, Wx, Wh, b)
    return np.stack([h0, *states], axis=1), steps


@chapter.mistake(
    rnn_forward,
    "states_before",
    "`h` is one step late: it holds the state BEFORE each step.",
    "Store the state after it was updated.",
)
def rnn_forward_states_before(x, h0, Wx, Wh, b):
    states, steps = _run(x, h0, Wx, Wh, b)
    return np.stack([h0, *states[:-1]], axis=1), steps


@chapter.mistake(
    rnn_forward,
    "time_first",
    "The values are right and the axes are not: time stands first, (T, N, H).",
    "`np.stack(states, axis=1)`, or write into `h[:, t]`.",
)
def rnn_forward_time_first(x, h0, Wx, Wh, b):
    states, steps = _run(x, h0, Wx, Wh, b)
    return np.stack(states, axis=0), steps


@chapter.exercise(
    points=5,
    returns="dx, dh0, dWx, dWh, db",
    gradient_of=rnn_forward,
    difficulty=4,
    minutes=16,
    hints=(
        "Walk from the last step to the first. A state has two readers: the loss at its own step, "
        "and the next step.",
        "Keep a carried gradient, zero at the end. At step t the whole gradient of the state is "
        "`dh[:, t] + carried`. The weights are the same at every step: add up their gradients.",
        "`dx[:, t], carried, step_dWx, step_dWh, step_db = rnn_step_backward(dh[:, t] + carried, "
        "cache[t])`, for t in `reversed(range(T))`; after the loop `carried` is dh0. The whole "
        "answer stands in `solutions/10_rnn`.",
    ),
    afterthought="Which matrix is the carried gradient multiplied by, again and again?",
)
def rnn_backward(dh, cache):
    """Backpropagation through time: gradients of a whole sequence.

    Parameters
    ----------
    dh : (N, T, H) array
        Gradient that reaches each state from ABOVE (the loss of its own step). What flows back
        from later steps is not in it.
    cache
        From `rnn_forward`.

    Returns
    -------
    dx : (N, T, D) array
    dh0 : (N, H) array
    dWx : (D, H) array
    dWh : (H, H) array
    db : (H,) array

    References
    ----------
    P. J. Werbos, Backpropagation through time: what it does and how to do it, Proceedings of the
    IEEE 78, 1990.
    """
    carried, dWx, dWh, db = 0, 0, 0, 0
    dx = [None] * dh.shape[1]
    for t in reversed(range(dh.shape[1])):
        step = rnn_step_backward(dh[:, t] + carried, cache[t])
        dx[t], carried = step[:2]
        dWx, dWh, db = dWx + step[2], dWh + step[3], db + step[4]
    return np.stack(dx, axis=1), carried, dWx, dWh, db


def _through_time(dh, cache, share=1.0, upstream=None, add=True, keep=0.0):
    """BPTT with one thing wrong: share of the carried part, dh, `+=`, what stays in the carry."""
    T = dh.shape[1]
    carried, total, dx = np.zeros_like(dh[:, 0]), None, [None] * T
    for t in reversed(range(T)):
        own = dh[:, t] if upstream is None else upstream(dh, t)
        dx[t], back, *grads = rnn_step_backward(own + share * carried, cache[t])
        carried = back + keep * carried
        total = grads if total is None or not add else [a + g for a, g in zip(total, grads)]
    return (np.stack(dx, axis=1), carried, *total)


@chapter.mistake(
    rnn_backward,
    "time_left_out",
    "Nothing flows back from later steps: each step is treated on its own. The gradient with "
    "respect to a state has a second part, from the step after it.",
    "Add the carried gradient to `dh[:, t]` before the step back.",
)
def rnn_backward_time_left_out(dh, cache):
    return _through_time(dh, cache, share=0.0)


@chapter.mistake(
    rnn_backward,
    "last_loss_only",
    "Only the loss of the last step is used. `dh` has something to add at every step.",
    "`dh[:, t] + carried` at every t.",
)
def rnn_backward_last_loss_only(dh, cache):
    last = dh.shape[1] - 1
    return _through_time(dh, cache, upstream=lambda d, t: d[:, t] * (t == last))


@chapter.mistake(
    rnn_backward,
    "weights_overwritten",
    "`dWx`, `dWh` and `db` are those of the first time step alone. All steps share the weights, so "
    "their gradients add up.",
    "`+=` where `=` stands.",
)
def rnn_backward_weights_overwritten(dh, cache):
    return _through_time(dh, cache, add=False)


@chapter.mistake(
    rnn_backward,
    "mean_over_time",
    "The gradients of the weights are T times too small: it looks like a mean over the steps.",
    "Add the steps up, and do not divide.",
)
def rnn_backward_mean_over_time(dh, cache):
    dx, dh0, *weights = rnn_backward(dh, cache)
    return (dx, dh0, *(g / dh.shape[1] for g in weights))


@chapter.mistake(
    rnn_backward,
    "carried_kept",
    "The carried gradient is added up over the steps. It is already the sum of all that comes from "
    "later; each step back replaces it.",
    "`carried = dprev_h`, not `+=`.",
)
def rnn_backward_carried_kept(dh, cache):
    return _through_time(dh, cache, keep=1.0)


@chapter.mistake(
    rnn_backward,
    "first_to_last",
    "The walk goes from the first step to the last. A gradient flows against the time.",
    "`for t in reversed(range(T))`.",
)
def rnn_backward_first_to_last(dh, cache):
    dx, dh0, *weights = _through_time(dh[:, ::-1], cache[::-1])
    return (dx[:, ::-1], dh0, *weights)


@chapter.mistake(
    rnn_backward,
    "dh0_forgotten",
    "`dh0` is zero. What is carried out of the first step belongs to h0.",
    "Return the carried gradient that is left after the loop.",
)
def rnn_backward_dh0_forgotten(dh, cache):
    dx, dh0, *weights = rnn_backward(dh, cache)
    return (dx, np.zeros_like(dh0), *weights)


@chapter.mistake(
    rnn_backward,
    "dh0_of_first_state",
    "`dh0` is the gradient of the FIRST state, before the step back to h0.",
    "The step at t = 0 has a way back as well: its `dprev_h` is dh0.",
)
def rnn_backward_dh0_of_first_state(dh, cache):
    dx, _, *weights = rnn_backward(dh, cache)
    later = _through_time(dh[:, 1:], cache[1:])[1] if dh.shape[1] > 1 else 0
    return (dx, dh[:, 0] + later, *weights)


# --- the loss of a sequence ----------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="loss, dx",
    difficulty=3,
    minutes=11,
    hints=(
        "At every step of every sequence it is the softmax loss of chapter 04. What do the mask "
        "and the sizes change?",
        "Flatten N and T into one axis, take the softmax over V, and pick the probability of the "
        "right word. Multiply each loss by its mask, add all up, divide by N.",
        "`p` softmax over the last axis; `loss = -(mask * log(p of y)).sum() / N`; "
        "`dx = p`, minus 1 at the right word, times `mask[:, :, None] / N`. The whole answer "
        "stands in `solutions/10_rnn`.",
    ),
    afterthought="A batch holds names of 3 and of 30 letters. Whose gradient is larger, with this "
    "loss and with a mean per letter?",
)
def temporal_softmax_loss(x, y, mask):
    """Softmax cross-entropy at every step: SUMMED over time, averaged over the N sequences.

    Parameters
    ----------
    x : (N, T, V) array
        Scores for each word of the vocabulary.
    y : (N, T) int array
        The right word of each step.
    mask : (N, T) array, bool or 0 and 1
        0 where the sequence has ended and padding stands: no loss, no gradient.

    Returns
    -------
    loss : number
    dx : (N, T, V) array
    """
    N, T, V = x.shape
    p = np.exp(x - x.max(axis=2, keepdims=True))
    p /= p.sum(axis=2, keepdims=True)  # (N, T, V)
    n, t = np.arange(N)[:, None], np.arange(T)
    loss = -(mask * np.log(p[n, t, y])).sum() / N
    p[n, t, y] -= 1
    return loss, p * mask[:, :, None] / N


@chapter.cases(temporal_softmax_loss)
def loss_cases(rng):
    for n, t, v, kind in [(3, 4, 5, float), (4, 2, 6, bool), (2, 7, 3, float), (5, 3, 4, int)]:
        y = rng.integers(0, v, (n, t))
        mask = np.arange(t) < rng.integers(1, t + 1, (n, 1))
        mask[0], mask[1] = True, np.arange(t) < 1  # one full sequence, one of length 1
        scores = rng.normal(0, 1.5, (n, t, v))
        label = f"N = {n}, T = {t}, V = {v}, mask of type {kind.__name__}"
        yield Case((scores, y, mask.astype(kind)), label=label)


def _temporal_loss(x, y, mask, loss_mask=True, grad_mask=True, loss_over=None, grad_over=None):
    N, T, _ = x.shape
    p = np.exp(x) / np.exp(x).sum(axis=2, keepdims=True)
    n, t = np.arange(N)[:, None], np.arange(T)
    loss = -((mask if loss_mask else 1) * np.log(p[n, t, y])).sum() / (loss_over or N)
    p[n, t, y] -= 1
    return loss, p * (mask[:, :, None] if grad_mask else 1) / (grad_over or N)


@chapter.mistake(
    temporal_softmax_loss,
    "mean_over_time_too",
    "Loss and gradient are T times too small: the mean is taken over time as well. The task sums "
    "over time and averages over the sequences.",
    "Divide by N only.",
)
def temporal_softmax_loss_mean_over_time_too(x, y, mask):
    both = mask.size
    return _temporal_loss(x, y, mask, loss_over=both, grad_over=both)


@chapter.mistake(
    temporal_softmax_loss,
    "mean_over_words",
    "Loss and gradient are divided by the number of words that count. That is a common choice, and "
    "not the one asked for: here the sum over time is averaged over the sequences.",
    "Divide by N.",
)
def temporal_softmax_loss_mean_over_words(x, y, mask):
    words = int(mask.sum())
    return _temporal_loss(x, y, mask, loss_over=words, grad_over=words)


@chapter.mistake(
    temporal_softmax_loss,
    "sum_over_sequences",
    "Loss and gradient are N times too large: the sum over the sequences is not divided.",
    "Divide by N.",
)
def temporal_softmax_loss_sum_over_sequences(x, y, mask):
    return _temporal_loss(x, y, mask, loss_over=1, grad_over=1)


@chapter.mistake(
    temporal_softmax_loss,
    "mask_not_used",
    "The padding counts, in the loss and in the gradient: the net would learn to predict it.",
    "Multiply both by the mask.",
)
def temporal_softmax_loss_mask_not_used(x, y, mask):
    return _temporal_loss(x, y, mask, loss_mask=False, grad_mask=False)


@chapter.mistake(
    temporal_softmax_loss,
    "gradient_without_mask",
    "The loss leaves the padding out, its gradient does not.",
    "Multiply `dx` by `mask[:, :, None]`.",
)
def temporal_softmax_loss_gradient_without_mask(x, y, mask):
    return _temporal_loss(x, y, mask, grad_mask=False)


@chapter.mistake(
    temporal_softmax_loss,
    "gradient_not_divided",
    "The gradient is N times too large beside its loss.",
    "Divide `dx` by N as well.",
)
def temporal_softmax_loss_gradient_not_divided(x, y, mask):
    return _temporal_loss(x, y, mask, grad_over=1)


@chapter.mistake(
    temporal_softmax_loss,
    "scores_masked",
    "It looks as if the SCORES are multiplied by the mask. A score of 0 is still a vote: the "
    "padding then costs log V for each step.",
    "Multiply the loss of each step by its mask.",
)
def temporal_softmax_loss_scores_masked(x, y, mask):
    return _temporal_loss(x * mask[:, :, None], y, mask, loss_mask=False, grad_mask=False)


@chapter.mistake(
    temporal_softmax_loss,
    "softmax_over_time",
    "The softmax runs over the steps. At each step the probabilities of the V words have to add "
    "up to 1.",
    "`axis=2`, the last one.",
)
def temporal_softmax_loss_softmax_over_time(x, y, mask):
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    n, t = np.arange(len(x))[:, None], np.arange(x.shape[1])
    loss = -(mask * np.log(p[n, t, y])).sum() / len(x)
    p[n, t, y] -= 1
    return loss, p * mask[:, :, None] / len(x)


# --- sampling ------------------------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="words",
    seconds=20,  # many sequences are drawn; a busy machine takes its time
    difficulty=3,
    minutes=12,
    hints=(
        "One sequence, one step at a time. What is the input of the second step?",
        "In each turn: look up the row of `W_embed`, one `rnn_step_forward` (N is 1), scores, "
        "divide by the temperature, softmax, draw. The word that was drawn is the next input.",
        "`scores = (h @ params['W_vocab'] + params['b_vocab'])[0] / temperature`, then "
        "`word = rng.choice(V, p=p)`; stop without keeping it if it is `end`. The whole answer "
        "stands in `solutions/10_rnn`.",
    ),
    afterthought="What comes out at a temperature near 0, and at a huge one?",
)
def sample(params, start, end, rng, temperature=1.0, max_len=20):
    """Draw one sequence from a recurrent language model, word by word.

    The state starts at zero and the first input is `start`. Each word is drawn from
    softmax(scores / temperature), and is the next input.

    Parameters
    ----------
    params : dict
        "W_embed" (V, D), "Wx" (D, H), "Wh" (H, H), "b" (H,), "W_vocab" (H, V), "b_vocab" (V,).
    start, end : int
        The word that begins every sequence, and the one that ends it.
    rng : numpy.random.Generator
        Every random number comes from it.
    temperature : float
        Below 1 sharper, above 1 flatter.
    max_len : int
        Stop after so many words, even without `end`.

    Returns
    -------
    words : list of int
        The words that were drawn, without `start` and without `end`.
    """
    h, word, words = np.zeros((1, len(params["b"]))), start, []
    for _ in range(max_len):
        x = params["W_embed"][[word]]  # (1, D)
        h, _ = rnn_step_forward(x, h, params["Wx"], params["Wh"], params["b"])
        scores = (h @ params["W_vocab"] + params["b_vocab"])[0] / temperature  # (V,)
        p = np.exp(scores - scores.max())
        word = int(rng.choice(len(p), p=p / p.sum()))
        if word == end:
            break
        words.append(word)
    return words


def drive_sample(sample, params, start, end, seed, temperature, max_len):
    """One sequence, as an array; an empty one as [-1]."""
    words = sample(params, start, end, np.random.default_rng(seed), temperature, max_len)
    if words is None:
        return None
    return np.array([int(word) for word in words] or [-1])


def _language(rng, v, d, h, scale):
    """A random model whose words differ much: the best word of a step wins clearly."""
    Wx, Wh, b = _cell(rng, d, h)
    return {
        "W_embed": rng.normal(0, 1.2, (v, d)),
        **{"Wx": Wx, "Wh": Wh, "b": b},
        "W_vocab": rng.normal(0, scale, (h, v)),
        "b_vocab": rng.normal(0, 0.5, v),
    }


def _next_scores(params, h, word):
    h = np.tanh(params["W_embed"][word] @ params["Wx"] + h @ params["Wh"] + params["b"])
    return h, h @ params["W_vocab"] + params["b_vocab"]


def _path(params, start, length, choose=np.argmax, carry=True, feed=True):
    """Words of the likeliest path, and the smallest lead of a winner on the way."""
    h, word, words, lead = np.zeros(len(params["b"])), start, [], np.inf
    for _ in range(length):
        h, scores = _next_scores(params, h if carry else 0 * h, word if feed else start)
        best = np.sort(scores)
        lead = min(lead, best[-1] - best[-2], 6 - np.abs(scores).max())
        word = int(choose(scores))
        words.append(word)
    return words, lead


@chapter.cases(sample)
def sample_cases(rng):
    """Nearly no temperature: the likeliest word wins every draw. Paths differ from simpler ones."""
    for v, d, h, stops in [(7, 3, 5, False), (9, 4, 6, True), (6, 5, 8, False)]:
        start, length = int(rng.integers(v)), 6
        for _ in range(3000):
            params = _language(rng, v, d, h, 1.3)
            words, lead = _path(params, start, length)
            others = [_path(params, start, length, carry=c, feed=f) for c, f in [(0, 1), (1, 0)]]
            new = [w for w in words[2:4] if w not in words[:2] and w != start]
            alone = all(other[:3] != words[:3] for other, _ in others)
            if lead > 0.3 and new and alone and len(set(words)) > 2:
                break
        free = [word for word in range(v) if word not in words and word != start]
        end = new[0] if stops or not free else free[0]
        label = f"V = {v}, D = {d}, H = {h}, temperature = 0.01"
        seed = int(rng.integers(1000))
        yield Case((params, start, end, seed, 0.01, length), drive=drive_sample, label=label)


def drive_many(sample, params, start, end, seed, temperature, count):
    """The first two words of many sequences; -1 where the sequence has ended."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(count):
        words = [int(word) for word in sample(params, start, end, rng, temperature, 2)]
        drawn.append([*words, -1, -1][:2])
    return np.array(drawn)


def has_the_right_shares(drawn, params, start, end, seed, temperature, count):
    """Is every pair of words about as frequent as the model says (4.2 deviations, and 4 draws)?"""
    v = len(params["b_vocab"])
    found = np.zeros((v, v))
    for first, second in np.asarray(drawn).tolist():
        found[first if first >= 0 else end, second if second >= 0 else end] += 1
    h, scores = _next_scores(params, np.zeros(len(params["b"])), start)
    share = np.zeros((v, v))
    for word, p in enumerate(_shares(scores, temperature)):
        after = _shares(_next_scores(params, h, word)[1], temperature)
        share[word] = p * (np.eye(v)[end] if word == end else after)
    wanted = count * share
    gap = np.abs(found - wanted)
    allowed = 4.2 * np.sqrt(wanted * (1 - share)) + 4
    rows = np.abs((found - wanted).sum(axis=1))
    row_allowed = 4.2 * np.sqrt(wanted.sum(axis=1) * (1 - share.sum(axis=1)).clip(0)) + 3
    return bool(found.sum() == count and (gap <= allowed).all() and (rows <= row_allowed).all())


def _shares(scores, temperature):
    p = np.exp((scores - scores.max()) / temperature)
    return p / p.sum()


@chapter.property(
    sample,
    "drawn_by_chance",
    "The words do not come as often as the probabilities say. Each word has to be DRAWN from "
    "softmax(scores / temperature), and to be the input of the next step.",
    accept=has_the_right_shares,
)
def sample_shares(rng):
    """One model where state and next input matter much, and one where the temperature does."""
    for v, temperature, count, gap in [
        (4, 1.0, 350, _told_by_second_word),
        (3, 3.0, 450, _told_by_temperature),
    ]:
        for _ in range(2000):
            params = _language(rng, v, 2, 5, 1.6 * temperature)
            h, first = _next_scores(params, np.zeros(5), 0)
            if _shares(first, temperature).min() > 0.05 and gap(params, h, first, v - 1) > 0.22:
                break
        label = f"{count} sequences, V = {v}, temperature = {temperature}"
        seed = int(rng.integers(1000))
        yield Case((params, 0, v - 1, seed, temperature, count), drive=drive_many, label=label)


def _told_by_temperature(params, h, first, end):
    """How much the first word's shares at temperature 3 differ from those at 1 and 9."""
    right = _shares(first, 3)
    gaps = [np.abs(_shares(first, t) - right).max() for t in (1, 9)]
    return min(gaps[0], 1.4 * gaps[1])


def _told_by_second_word(params, h, first, end):
    """How much the shares of pairs change without the state, or with another word fed in."""
    once, words = _shares(first, 1)[:end, None], range(end)

    def pairs(h, inputs):
        return once * [_shares(_next_scores(params, h, word)[1], 1) for word in inputs]

    right, best = pairs(h, words), int(np.argmax(first))
    wrongs = (pairs(0 * h, words), pairs(h, [0] * end), pairs(h, [best] * end))
    return min(np.abs(wrong - right).max() for wrong in wrongs)


def drive_roads(sample, params, start, end, seed, count):
    """Which sequences occur at all."""
    rng = np.random.default_rng(seed)
    drawn = [sample(params, start, end, rng, 1.0, 5) for _ in range(count)]
    return sorted({tuple(int(word) for word in words) for words in drawn})


@chapter.property(
    sample,
    "the_drawn_word_goes_in",
    "After two words that are about equally likely, the wrong one of two next words follows. The "
    "input of a step is the word that was drawn, not the likeliest one.",
)
def sample_roads(rng):
    """0 leads to 1 or 2 by chance; 1 always leads to 3 and 2 to 4; then comes the end, 5."""
    scores = np.full((6, 6), -40.0)  # of the next word, by the last one
    scores[0, 1], scores[0, 2] = 0.2, 0.0
    scores[1, 3] = scores[2, 4] = scores[3, 5] = scores[4, 5] = 0.0
    params = {
        "W_embed": 6 * np.eye(6),
        **{"Wx": np.eye(6), "Wh": np.zeros((6, 6)), "b": np.zeros(6)},
        "W_vocab": scores,
        "b_vocab": np.zeros(6),
    }
    args = (params, 0, 5, int(rng.integers(1000)), 40)
    yield Case(args, drive=drive_roads, label="two roads, 40 sequences")


def drive_twice(sample, params, start, end, seed, temperature, count):
    """Two generators with the same seed: the same sequences?"""
    runs = []
    for _ in range(2):
        rng = np.random.default_rng(seed)
        many = [sample(params, start, end, rng, temperature, 8) for _ in range(count)]
        runs.append([[int(word) for word in words] for words in many])
    return runs[0] == runs[1]


@chapter.property(
    sample,
    "same_seed_same_words",
    "Two generators with the same seed give different words: the draws seem to come from another "
    "source than `rng`.",
)
def sample_seeds(rng):
    params = _language(rng, 8, 3, 5, 0.3)
    args = (params, 0, 7, int(rng.integers(1000)), 1.0, 6)
    yield Case(args, drive=drive_twice, label="one seed, twice")


def _sample(params, start, end, rng, temperature=1.0, max_len=20, *, draw=None, **wrong):
    """Sampling with one thing changed."""
    h, word, words = np.zeros((1, len(params["b"]))), start, [start] * wrong.get("first", 0)
    for _ in range(max_len):
        x = params["W_embed"][[word if wrong.get("feed", True) else start]]
        prev = h if wrong.get("carry", True) else 0 * h
        h, _ = rnn_step_forward(x, prev, params["Wx"], params["Wh"], params["b"])
        scores = (h @ params["W_vocab"] + params["b_vocab"])[0]
        scores = wrong.get("cool", lambda s, t: s / t)(scores, temperature)
        p = np.exp(scores - scores.max())
        p /= p.sum()
        word = draw(p, rng) if draw else int(rng.choice(len(p), p=p))
        if word == end and not wrong.get("keep_end") and wrong.get("stop", True):
            break
        words.append(word)
        if word == end and wrong.get("stop", True):
            break
    return words


for _key, _message, _remedy, _wrong in (
    (
        "always_the_likeliest",
        "The same words come every time: it looks like `argmax`. That is greedy decoding; a name "
        "would be invented once and never again.",
        "`rng.choice(len(p), p=p)`.",
        {"draw": lambda p, rng: int(np.argmax(p))},
    ),
    (
        "all_words_alike",
        "All words come equally often: the probabilities are computed and not used for the draw.",
        "`rng.choice(len(p), p=p)`.",
        {"draw": lambda p, rng: int(rng.integers(len(p)))},
    ),
    (
        "temperature_without_effect",
        "The temperature has no effect. Dividing the PROBABILITIES by it has none either: they are "
        "made to add up to 1 again.",
        "Divide the scores, before the softmax.",
        {"cool": lambda s, t: s},
    ),
    (
        "temperature_multiplied",
        "A low temperature makes the draws wilder: the scores are multiplied by it.",
        "`scores / temperature`.",
        {"cool": lambda s, t: s * t},
    ),
    (
        "state_not_carried",
        "Every step begins with a state of zeros: the net sees the last word and nothing before.",
        "Hand the new state on to the next step.",
        {"carry": False},
    ),
    (
        "word_not_fed_back",
        "The input of every step is `start`: the net never learns what was drawn.",
        "The word that was drawn is the next input.",
        {"feed": False},
    ),
    (
        "end_included",
        "`end` stands at the end of the list. It is a stop sign, not a word.",
        "Leave the loop before keeping it.",
        {"keep_end": True},
    ),
    (
        "end_ignored",
        "The sequence goes on behind `end`.",
        "Stop as soon as `end` is drawn.",
        {"stop": False},
    ),
    (
        "start_included",
        "`start` stands in front of the list. It is a signal to begin, not a word.",
        "Begin with an empty list.",
        {"first": 1},
    ),
    (
        "another_generator",
        "The same seed gives other words: the draws come from another source than `rng`, such as "
        "`np.random.choice`.",
        "`rng.choice`, with the `rng` that is handed in.",
        {"draw": lambda p, rng: int(np.random.default_rng().choice(len(p), p=p))},
    ),
):

    def _wrong_sample(params, start, end, rng, temperature=1.0, max_len=20, _wrong=_wrong):
        return _sample(params, start, end, rng, temperature, max_len, **_wrong)

    chapter.mistake(sample, _key, _message, _remedy)(_wrong_sample)


# --- debug: a character model, five bugs planted -------------------------------------------------

DEBUG_STUB = '''def debug_char_model(x, y, W_embed, h0, Wx, Wh, b, W_vocab):
    """Loss of a character model on N sequences, and all its gradients.

    Five bugs in five lines. The loss is meant to be summed over T and averaged over the N
    sequences. x, y int (N, T); W_embed (V, D); h0 (N, H); W_vocab (H, V).
    Returns loss, dW_embed, dWx, dWh, db, dW_vocab.
    """
    N, T = x.shape
    # forward
    h, p, loss = {-1: h0}, {}, 0.0  # the state before the first step is h[-1]
    for t in range(T):
        h[t] = np.tanh(W_embed[x[:, t]] @ Wx + h[t - 1] @ Wh + b)
        scores = h[t] @ W_vocab
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p[t] = e / e.sum(axis=1, keepdims=True)
        loss -= np.log(p[t][np.arange(N), y[:, t]]).sum() / (N * T)
    # backward
    dW_embed, dWx, dWh = np.zeros_like(W_embed), np.zeros_like(Wx), np.zeros_like(Wh)
    db, dW_vocab, carried = np.zeros_like(b), np.zeros_like(W_vocab), np.zeros_like(h0)
    for t in reversed(range(T)):
        dscores = p[t].copy()
        dscores[np.arange(N), y[:, t]] -= 1
        dscores /= N
        dW_vocab = h[t].T @ dscores
        dh = dscores @ W_vocab.T
        da = dh * (1 - h[t] ** 2)
        db += da.sum(axis=0)
        dWx += W_embed[x[:, t]].T @ da
        dWh += h[t].T @ da
        carried = da @ Wh.T
        dW_embed[x[:, t]] += da @ Wx.T
    return loss, dW_embed, dWx, dWh, db, dW_vocab
'''


def _char_model(x, y, W_embed, h0, Wx, Wh, b, W_vocab, bugs=()):
    """The model of the debug exercise with only the named bugs left in."""
    N, T = x.shape
    h, p, loss = [h0], [], 0.0
    for t in range(T):
        h.append(np.tanh(W_embed[x[:, t]] @ Wx + h[-1] @ Wh + b))
        e = np.exp(h[-1] @ W_vocab)
        p.append(e / e.sum(axis=1, keepdims=True))
        loss -= np.log(p[t][np.arange(N), y[:, t]]).sum() / (N * T if "mean" in bugs else N)
    grads = [np.zeros_like(w) for w in (W_embed, Wx, Wh, b, W_vocab)]
    carried = np.zeros_like(h0)
    for t in reversed(range(T)):
        new, old = h[t + 1], h[t]
        dscores = p[t].copy()
        dscores[np.arange(N), y[:, t]] -= 1
        dscores /= N * T if "means" in bugs else N
        grads[4] = new.T @ dscores + (0 if "overwritten" in bugs else grads[4])
        dh = dscores @ W_vocab.T + (0 if "carry" in bugs else carried)
        da = dh * (1 - new**2)
        grads[3] += da.sum(axis=0)
        grads[1] += W_embed[x[:, t]].T @ da
        grads[2] += (new if "state" in bugs else old).T @ da
        carried = da @ (Wh if "forth" in bugs else Wh.T)
        if "repeats" in bugs:
            grads[0][x[:, t]] += da @ Wx.T
        else:
            np.add.at(grads[0], x[:, t], da @ Wx.T)
    return (loss, *grads)


@chapter.exercise(
    points=6,
    returns="loss, dW_embed, dWx, dWh, db, dW_vocab",
    difficulty=4,
    minutes=18,
    title="Debug: a character model, five bugs",
    stub=DEBUG_STUB,
    hints=(
        "Compare the slope of the loss with the gradients, from the scores towards the input: "
        "`dW_vocab` first. Which of the two is T times too small?",
        "Make time short: with T = 1 nothing is carried and nothing added up. What breaks at T = "
        "2? `dW_embed` is the last: try letters that differ, then equal ones.",
        "One line each: the divisor of the loss, `dW_vocab`, `dh`, `dWh`, and the sum over "
        "repeated letters (`np.add.at`). The whole answer stands in `solutions/10_rnn`.",
    ),
    afterthought="Which of the five bugs could a longer training have hidden?",
)
def debug_char_model(x, y, W_embed, h0, Wx, Wh, b, W_vocab):
    """Loss of a character model on N sequences, and all its gradients.

    Five bugs in five lines. The loss is meant to be summed over T and averaged over the N
    sequences. x, y int (N, T); W_embed (V, D); h0 (N, H); W_vocab (H, V).
    Returns loss, dW_embed, dWx, dWh, db, dW_vocab.
    """
    N, T = x.shape
    # forward
    h, p, loss = {-1: h0}, {}, 0.0  # the state before the first step is h[-1]
    for t in range(T):
        h[t] = np.tanh(W_embed[x[:, t]] @ Wx + h[t - 1] @ Wh + b)
        scores = h[t] @ W_vocab
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p[t] = e / e.sum(axis=1, keepdims=True)
        loss -= np.log(p[t][np.arange(N), y[:, t]]).sum() / N
    # backward
    dW_embed, dWx, dWh = np.zeros_like(W_embed), np.zeros_like(Wx), np.zeros_like(Wh)
    db, dW_vocab, carried = np.zeros_like(b), np.zeros_like(W_vocab), np.zeros_like(h0)
    for t in reversed(range(T)):
        dscores = p[t].copy()
        dscores[np.arange(N), y[:, t]] -= 1
        dscores /= N
        dW_vocab += h[t].T @ dscores
        dh = dscores @ W_vocab.T + carried
        da = dh * (1 - h[t] ** 2)
        db += da.sum(axis=0)
        dWx += W_embed[x[:, t]].T @ da
        dWh += h[t - 1].T @ da
        carried = da @ Wh.T
        np.add.at(dW_embed, x[:, t], da @ Wx.T)
    return loss, dW_embed, dWx, dWh, db, dW_vocab


@chapter.cases(debug_char_model)
def debug_cases(rng):
    for n, t, v, d, h in [(5, 3, 4, 2, 6), (4, 5, 3, 6, 2)]:  # n > v: letters repeat in a step
        Wx, Wh, b = _cell(rng, d, h)
        text = rng.integers(0, v, (2, n, t))
        h0, W_embed = rng.uniform(-1, 1, (n, h)), rng.normal(0, 1, (v, d))
        args = (*text, W_embed, h0, Wx, Wh, b, rng.normal(0, 1, (h, v)))
        yield Case(args, label=f"N = {n}, T = {t}, V = {v}, D = {d}, H = {h}")


# In the order in which measuring finds them: from the scores back to the letters.
PLANTED = {
    "mean": "Between the slope of the loss and the gradients lies a factor T. Over what is this "
    "loss a mean, and over what was a sum asked for?",
    "overwritten": "With T = 1 `dW_vocab` fits the loss; with T = 2 it does not: it looks as if "
    "one step is left of all. The steps share `W_vocab`.",
    "carry": "`dW_vocab` fits the loss, `db` does only with T = 1. A state is read by the next "
    "step too: what comes back from there?",
    "state": "`db` and `dWx` fit the loss, `dWh` does not. Which state was multiplied by Wh in the "
    "forward pass?",
    "repeats": "All gradients fit the loss but `dW_embed`, and that one fits as long as no letter "
    "comes twice in a step. `dW_embed[ids] += ...` keeps only one of equal ids.",
}


def _planted(bugs):
    def model(x, y, W_embed, h0, Wx, Wh, b, W_vocab):
        return _char_model(x, y, W_embed, h0, Wx, Wh, b, W_vocab, bugs)

    return model


for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(
            debug_char_model, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        )(_planted(_bugs))

chapter.mistake(
    debug_char_model,
    "fits_but_is_per_step",
    "Loss and gradients fit each other, and both are means over time. A sum over time was asked "
    "for.",
    "Divide both by N only.",
)(_planted(("mean", "means")))
chapter.mistake(
    debug_char_model,
    "carried_forth",
    "Something is carried now, through `Wh` instead of its transpose.",
    "`carried = da @ Wh.T`.",
)(_planted(("forth",)))


# --- more: words in, scores out ------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="out, cache",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "Each number in x names a row of W.",
        "An array of ints as index gives an array of rows.",
        "`out = W[x]`; the cache holds x and the shape of W. The whole answer stands in "
        "`solutions/10_rnn`.",
    ),
    afterthought="A one-hot vector times W gives the same row. Why is the lookup used?",
)
def word_embedding_forward(x, W):
    """Look up a vector for each word.

    Parameters
    ----------
    x : (N, T) int array
        Numbers of words, 0 to V - 1.
    W : (V, D) array
        One row for each word.

    Returns
    -------
    out : (N, T, D) array
    cache
        Whatever `word_embedding_backward` needs.
    """
    return W[x], (x, W.shape)


@chapter.cases(word_embedding_forward)
def embedding_cases(rng):
    for n, t, v, d in [(3, 4, 2, 5), (2, 5, 7, 3), (4, 3, 6, 2)]:
        label = f"N = {n}, T = {t}, V = {v}, D = {d}"
        yield Case((rng.integers(0, v, (n, t)), rng.normal(0, 1, (v, d))), label=label)


for _key, _message, _remedy, _lookup in (
    (
        "time_first",
        "The vectors are right and the axes are not: time stands first.",
        "`W[x]` has the axes of x, then D.",
        lambda x, W: W[x.T],
    ),
    (
        "counted_from_one",
        "Each word got the row before its own: it looks as if words were counted from 1.",
        "`W[x]`.",
        lambda x, W: W[x - 1],
    ),
    (
        "flat",
        "The vectors of all words stand in one long list, (N T, D).",
        "Keep the axes N and T.",
        lambda x, W: W[x.ravel()],
    ),
    (
        "summed_over_time",
        "The vectors of a sequence are added up. Then the order of its words is lost.",
        "`W[x]`, without a sum.",
        lambda x, W: W[x].sum(axis=1),
    ),
):

    def _wrong_lookup(x, W, _lookup=_lookup):
        return _lookup(x, W), (x, W.shape)

    chapter.mistake(word_embedding_forward, _key, _message, _remedy)(_wrong_lookup)


@chapter.exercise(
    points=2,
    returns="dW",
    gradient_of=word_embedding_forward,
    difficulty=2,
    minutes=6,
    optional=True,
    hints=(
        "A word that stands twice in the batch sends two gradients to the same row.",
        "`dW[x] += dout` keeps only one of them: NumPy reads, adds and writes each row once.",
        "`dW = np.zeros(...)`, then `np.add.at(dW, x, dout)`. The whole answer stands in "
        "`solutions/10_rnn`.",
    ),
    afterthought="Which rows of W does a step of plain gradient descent leave alone?",
)
def word_embedding_backward(dout, cache):
    """Gradient of the lookup: each row collects what arrives at every place of its word.

    Parameters
    ----------
    dout : (N, T, D) array
    cache
        From `word_embedding_forward`.

    Returns
    -------
    dW : (V, D) array
    """
    x, shape = cache
    dW = np.zeros(shape)
    np.add.at(dW, x, dout)
    return dW


@chapter.mistake(
    word_embedding_backward,
    "repeats_lost",
    "A word that comes several times got the gradient of one place only. `dW[x] += dout` writes "
    "each row once.",
    "`np.add.at(dW, x, dout)`.",
)
def word_embedding_backward_repeats_lost(dout, cache):
    x, shape = cache
    dW = np.zeros(shape)
    dW[x] += dout
    return dW


@chapter.mistake(
    word_embedding_backward,
    "mean_over_repeats",
    "The rows are divided by how often their word comes. Gradients of one weight add up.",
    "Leave out the division.",
)
def word_embedding_backward_mean_over_repeats(dout, cache):
    counts = np.bincount(cache[0].ravel(), minlength=cache[1][0])
    return word_embedding_backward(dout, cache) / np.maximum(counts, 1)[:, None]


@chapter.mistake(
    word_embedding_backward,
    "gradient_of_the_rows",
    "This is the gradient of the vectors that were looked up, (N, T, D); asked for is that of W.",
    "Collect it in an array like W.",
)
def word_embedding_backward_gradient_of_the_rows(dout, cache):
    return dout


@chapter.exercise(
    points=1,
    returns="out, cache",
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "The same fully connected layer at every step of every sequence.",
        "`@` works on the last axis: (N, T, D) @ (D, M) is (N, T, M).",
        "`out = x @ w + b`, and the cache is (x, w). The whole answer stands in "
        "`solutions/10_rnn`.",
    ),
    afterthought="What would a separate w for each step cost, and what could it not do?",
)
def temporal_affine_forward(x, w, b):
    """A fully connected layer at every time step, with the same weights.

    Parameters
    ----------
    x : (N, T, D) array
    w : (D, M) array
    b : (M,) array

    Returns
    -------
    out : (N, T, M) array
    cache
        Whatever `temporal_affine_backward` needs.
    """
    return x @ w + b, (x, w)


@chapter.cases(temporal_affine_forward)
def temporal_affine_cases(rng):
    for n, t, d, m in [(3, 4, 2, 5), (2, 5, 3, 4), (4, 3, 6, 2)]:
        args = rng.normal(0, 1, (n, t, d)), rng.normal(0, 1, (d, m)), rng.normal(0, 1, m)
        yield Case(args, label=f"N = {n}, T = {t}, D = {d}, M = {m}")


for _key, _message, _remedy, _layer in (
    (
        "no_bias",
        "The bias is missing.",
        "Add `b`.",
        lambda x, w, b: x @ w,
    ),
    (
        "flat",
        "The numbers are right and the axes are not: N and T are one axis, (N T, M).",
        "Reshape back to (N, T, M).",
        lambda x, w, b: (x @ w + b).reshape(-1, len(b)),
    ),
    (
        "time_and_batch_mixed",
        "The steps of different sequences are mixed up: it looks like a reshape to (T, N, M), "
        "which does not swap axes but cuts the numbers anew.",
        "Reshape to (N, T, M), in the order of x.",
        lambda x, w, b: (x @ w + b).reshape(x.shape[1], x.shape[0], -1).transpose(1, 0, 2),
    ),
    (
        "summed_over_time",
        "The steps are added up. Each of them needs its own output.",
        "Leave out the sum.",
        lambda x, w, b: x.sum(axis=1) @ w + b,
    ),
):

    def _wrong_layer(x, w, b, _layer=_layer):
        return _layer(x, w, b), (x, w)

    chapter.mistake(temporal_affine_forward, _key, _message, _remedy)(_wrong_layer)


@chapter.exercise(
    points=2,
    returns="dx, dw, db",
    gradient_of=temporal_affine_forward,
    difficulty=2,
    minutes=7,
    optional=True,
    hints=(
        "N sequences of T steps are N T examples for one layer.",
        "Flatten x to (N T, D) and dout to (N T, M); then it is `affine_backward`.",
        "`dx = dout @ w.T`, `dw = x.reshape(-1, D).T @ dout.reshape(-1, M)`, "
        "`db = dout.sum(axis=(0, 1))`. The whole answer stands in `solutions/10_rnn`.",
    ),
    afterthought="Both axes are summed away in dw and db. What does that have to do with sharing?",
)
def temporal_affine_backward(dout, cache):
    """Gradients of `temporal_affine_forward`.

    Parameters
    ----------
    dout : (N, T, M) array
    cache
        From `temporal_affine_forward`.

    Returns
    -------
    dx : (N, T, D) array
    dw : (D, M) array
    db : (M,) array
    """
    x, w = cache
    rows = x.reshape(-1, x.shape[2])  # (N T, D)
    return dout @ w.T, rows.T @ dout.reshape(len(rows), -1), dout.sum(axis=(0, 1))


for _key, _message, _remedy, _change in (
    (
        "bias_per_step",
        "`db` has one row for each step. The bias is shared by all steps.",
        "Sum over N and T: axes 0 and 1.",
        lambda dout, dx, dw, db: (dx, dw, dout.sum(axis=0)),
    ),
    (
        "mean_over_time",
        "`dw` and `db` are T times too small: it looks like a mean over the steps.",
        "Sum over the steps.",
        lambda dout, dx, dw, db: (dx, dw / dout.shape[1], db / dout.shape[1]),
    ),
    (
        "dx_flat",
        "`dx` holds the right numbers in the shape (N T, D).",
        "Reshape it to x.shape.",
        lambda dout, dx, dw, db: (dx.reshape(-1, dx.shape[2]), dw, db),
    ),
    (
        "last_step_only",
        "`db` counts the last step only.",
        "Sum over all steps.",
        lambda dout, dx, dw, db: (dx, dw, dout[:, -1].sum(axis=0)),
    ),
):

    def _wrong_gradients(dout, cache, _change=_change):
        return _change(dout, *temporal_affine_backward(dout, cache))

    chapter.mistake(temporal_affine_backward, _key, _message, _remedy)(_wrong_gradients)


# --- more: truncated backpropagation through time ------------------------------------------------


@chapter.exercise(
    points=3,
    returns="dx, dWx, dWh, db",
    difficulty=3,
    minutes=12,
    optional=True,
    hints=(
        "Cut the sequence into windows. Forward, the state crosses every cut. Backward, nothing "
        "does.",
        "For each window: `rnn_forward` from the state that the window before left, then "
        "`rnn_backward` with this window's part of dh. Its dh0 is thrown away.",
        "`for s in range(0, T, window)`: `h, cache = rnn_forward(x[:, s : s + window], state, "
        "...)`, `state = h[:, -1]`, gradients from `rnn_backward(dh[:, s : s + window], cache)`; "
        "add those of the weights. The whole answer stands in `solutions/10_rnn`.",
    ),
    afterthought="How much memory do the caches need, for a text of a million letters?",
)
def truncated_bptt(x, h0, Wx, Wh, b, dh, window):
    """Gradients that look back at most to the beginning of their window.

    Forward, the state is carried through the whole sequence. Backward, the sequence is cut after
    every `window` steps, and no gradient crosses a cut.

    Parameters
    ----------
    x : (N, T, D) array
    h0 : (N, H) array
    Wx : (D, H) array
    Wh : (H, H) array
    b : (H,) array
    dh : (N, T, H) array
        Gradient that reaches each state from the loss of its own step.
    window : int
        Steps in a window; the last one is shorter if T is no multiple.

    Returns
    -------
    dx : (N, T, D) array
    dWx : (D, H) array
    dWh : (H, H) array
    db : (H,) array

    References
    ----------
    R. J. Williams, J. Peng, An efficient gradient-based algorithm for on-line training of recurrent
    network trajectories, Neural Computation 2, 1990.
    """
    state, dx, dWx, dWh, db = h0, np.zeros(x.shape), 0, 0, 0
    for s in range(0, x.shape[1], window):
        part = slice(s, s + window)
        h, cache = rnn_forward(x[:, part], state, Wx, Wh, b)
        state = h[:, -1]  # forward, the state goes on
        dx[:, part], _, *grads = rnn_backward(dh[:, part], cache)  # backward, nothing does
        dWx, dWh, db = dWx + grads[0], dWh + grads[1], db + grads[2]
    return dx, dWx, dWh, db


@chapter.cases(truncated_bptt)
def truncated_cases(rng):
    for n, t, d, h, window in [(2, 6, 4, 3, 3), (3, 7, 2, 5, 2), (4, 5, 3, 2, 4)]:
        x, h0 = rng.normal(0, 1, (n, t, d)), rng.uniform(-1, 1, (n, h))
        args = (x, h0, *_cell(rng, d, h), rng.normal(0, 1, (n, t, h)), window)
        yield Case(args, label=f"N = {n}, T = {t}, D = {d}, H = {h}, window = {window}")


def _truncated(x, h0, Wx, Wh, b, dh, window, start=lambda h, h0: h[:, -1], last=False, whole=True):
    state, dx, total = h0, np.zeros(x.shape), None
    T = x.shape[1] if whole else x.shape[1] // window * window
    for s in range(0, T, window):
        part = slice(s, s + window)
        h, cache = rnn_forward(x[:, part], state, Wx, Wh, b)
        state = start(h, h0)
        dx[:, part], _, *grads = rnn_backward(dh[:, part], cache)
        total = grads if total is None or last else [a + g for a, g in zip(total, grads)]
    return (dx, *total)


def _not_cut(x, h0, Wx, Wh, b, dh, window):
    dx, _, *weights = rnn_backward(dh, rnn_forward(x, h0, Wx, Wh, b)[1])
    return (dx, *weights)


def _each_looks_back(x, h0, Wx, Wh, b, dh, window):
    """A gradient that may pass `window` steps from each loss: another truncation."""
    _, steps = rnn_forward(x, h0, Wx, Wh, b)
    dx, total = np.zeros(x.shape), [0, 0, 0]
    for t in range(x.shape[1]):
        carried = dh[:, t]
        for k in range(t, max(t - window, -1), -1):
            step, carried, *grads = rnn_step_backward(carried, steps[k])
            dx[:, k] += step
            total = [a + g for a, g in zip(total, grads)]
    return (dx, *total)


for _key, _message, _remedy, _wrong in (
    (
        "not_truncated",
        "This is the whole gradient: it crosses the cuts.",
        "Run `rnn_backward` on each window alone.",
        _not_cut,
    ),
    (
        "state_cut_too",
        "Every window starts at h0. Only the gradient is cut; the state goes on.",
        "`state = h[:, -1]`, and the next window begins there.",
        lambda *args: _truncated(*args, start=lambda h, h0: h0),
    ),
    (
        "state_reset_to_zero",
        "Every window but the first starts at zero. Only the gradient is cut; the state goes on.",
        "`state = h[:, -1]`, and the next window begins there.",
        lambda *args: _truncated(*args, start=lambda h, h0: 0 * h0),
    ),
    (
        "last_window_only",
        "The gradients of the weights are those of the last window. All windows share the weights.",
        "Add them up.",
        lambda *args: _truncated(*args, last=True),
    ),
    (
        "short_window_dropped",
        "The last window is shorter than the others, and it is missing.",
        "`range(0, T, window)`; a slice that reaches beyond the end is shorter, and no error.",
        lambda *args: _truncated(*args, whole=False),
    ),
    (
        "window_for_each_loss",
        "Each loss looks back over `window` steps of its own. That is a truncation too; here the "
        "sequence is cut into windows, and a gradient stops at the cut.",
        "One `rnn_backward` for each window.",
        _each_looks_back,
    ),
):

    def _wrong_truncation(x, h0, Wx, Wh, b, dh, window, _wrong=_wrong):
        return _wrong(x, h0, Wx, Wh, b, dh, window)

    chapter.mistake(truncated_bptt, _key, _message, _remedy)(_wrong_truncation)


# --- more: a convolution over time ---------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="out, cache",
    difficulty=3,
    minutes=12,
    optional=True,
    hints=(
        "How many zeros must stand in front, so that the first output sees no future?",
        "Put `(K - 1) * dilation` zeros in front of each sequence. Tap k then meets the steps from "
        "`k * dilation` on.",
        "`xp = np.pad(x, ((0, 0), (pad, 0), (0, 0)))`, then the sum over k of "
        "`xp[:, k * dilation : k * dilation + T] @ w[k]`, plus b. The whole answer stands in "
        "`solutions/10_rnn`.",
    ),
    afterthought="Four layers with K = 2 and dilations 1, 2, 4, 8: how far back does the last "
    "output see?",
)
def conv1d_forward(x, w, b, conv_param):
    """A causal convolution over time: output t sees step t and what came before.

    out[:, t] = b + sum over k of x[:, t - (K - 1 - k) dilation] @ w[k]; steps before the first
    one are zero. The last tap, w[K - 1], meets the present step.

    Parameters
    ----------
    x : (N, T, D) array
    w : (K, D, M) array
        K taps.
    b : (M,) array
    conv_param : dict
        May hold "dilation", the distance between two taps (1 if it does not).

    Returns
    -------
    out : (N, T, M) array
    cache
        Whatever a backward function would need.

    References
    ----------
    A. van den Oord and others, WaveNet: a generative model for raw audio, arXiv 1609.03499, 2016.
    """
    K, T, dilation = len(w), x.shape[1], conv_param.get("dilation", 1)
    xp = np.pad(x, ((0, 0), ((K - 1) * dilation, 0), (0, 0)))  # zeros in front only
    out = b + sum(xp[:, k * dilation : k * dilation + T] @ w[k] for k in range(K))
    return out, (x, w, conv_param)


@chapter.cases(conv1d_forward)
def conv1d_cases(rng):
    for n, t, d, m, k, param in [
        (2, 5, 4, 3, 3, {}),
        (3, 7, 2, 4, 3, {"dilation": 2}),
        (1, 9, 3, 2, 5, {"dilation": 1}),
        (2, 4, 3, 5, 2, {"dilation": 3}),
    ]:
        args = rng.normal(0, 1, (n, t, d)), rng.normal(0, 1, (k, d, m)), rng.normal(0, 1, m), param
        label = f"N = {n}, T = {t}, D = {d}, M = {m}, K = {k}, conv_param = {param}"
        yield Case(args, label=label)


def _conv1d(x, w, b, dilation=1, front=None):
    K, T = len(w), x.shape[1]
    reach = (K - 1) * dilation
    front = reach if front is None else front
    xp = np.pad(x, ((0, 0), (front, reach - front), (0, 0)))
    return b + sum(xp[:, k * dilation : k * dilation + T] @ w[k] for k in range(K))


for _key, _message, _remedy, _conv in (
    (
        "sees_the_future",
        "The zeros stand on both sides: an output sees steps that come after it. For a model that "
        "predicts the next step this is cheating.",
        "All `(K - 1) * dilation` zeros in front.",
        lambda x, w, b, g: _conv1d(x, w, b, g, (len(w) - 1) * g // 2),
    ),
    (
        "future_only",
        "The zeros stand behind: an output sees the present and the FUTURE.",
        "All zeros in front.",
        lambda x, w, b, g: _conv1d(x, w, b, g, 0),
    ),
    (
        "taps_reversed",
        "The taps stand in the reverse order: here `w[K - 1]` meets the present step, not `w[0]`.",
        "Tap k meets the step (K - 1 - k) * dilation back.",
        lambda x, w, b, g: _conv1d(x, w[::-1], b, g),
    ),
    (
        "dilation_ignored",
        "The taps stand side by side: the dilation has no effect.",
        "Step `k * dilation`, and `(K - 1) * dilation` zeros.",
        lambda x, w, b, g: _conv1d(x, w, b, 1),
    ),
    (
        "no_bias",
        "The bias is missing.",
        "Add `b`.",
        lambda x, w, b, g: _conv1d(x, w, 0, g),
    ),
    (
        "present_left_out",
        "The outputs are one step late: output t does not see step t.",
        "`(K - 1) * dilation` zeros in front, not one more.",
        lambda x, w, b, g: _conv1d(np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1], w, b, g),
    ),
):

    def _wrong_conv(x, w, b, conv_param, _conv=_conv):
        return _conv(x, w, b, conv_param.get("dilation", 1)), None

    chapter.mistake(conv1d_forward, _key, _message, _remedy)(_wrong_conv)


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "rnn_q1",
    "What does one step of a plain (Elman) recurrent layer compute its new hidden state from?",
    choices={
        "a": "the input of this step and the previous OUTPUT",
        "b": "the inputs of all steps, weighted",
        "c": "the input of this step and the previous hidden state",
        "d": "the input of this step, the previous hidden state and the previous output",
    },
    answer="c",
    wrong={
        "a": "Feeding the output back is another design, a Jordan network.",
        "b": "Earlier inputs are not kept. What is left of them is in the state.",
        "d": "The output is read off the state. In an Elman layer it is not fed back.",
    },
    explanation="h_t = tanh(x_t Wx + h_(t-1) Wh + b). The state is all that the layer remembers. "
    "When a language model samples, the word that it drew comes back as the next INPUT.",
)
chapter.quiz(
    "rnn_q2",
    "Inputs of size D = 10, states of size H = 64, sequences of T = 50 steps. How many parameters "
    "do Wx, Wh and b have in all? Answer with a number.",
    answer=4800,
    wrong={
        240000: "That counts a set of weights for each step. All steps share one set.",
        4736: "The bias is missing: 64 more.",
        704: "That is Wx and b. The states have a matrix of their own.",
        4160: "That is Wh and b. The inputs have a matrix of their own.",
        4864: "One bias of 64 is enough; this counts two.",
    },
    explanation="10 * 64 + 64 * 64 + 64 = 4800, whatever T is. Sharing over time is why one net "
    "can read sequences of any length.",
)
chapter.quiz(
    "rnn_q3",
    "Wh is used at each of T steps. What is its gradient?",
    choices={
        "a": "the gradient of the last step, which has seen everything",
        "b": "the sum over all steps of what each use contributes",
        "c": "the mean over the steps",
        "d": "T matrices, one for each step",
    },
    answer="b",
    wrong={
        "a": "Each use of the weight moves the loss, the early ones too.",
        "c": "Nothing divides by T, unless the loss does.",
        "d": "That would be the gradients of T untied copies. They are added up, since the copies "
        "are one matrix.",
    },
    explanation="Nudge a shared weight, and it moves at all of its places at once: the effects add "
    "up. The lesson checks it against T untied copies.",
)
chapter.quiz(
    "rnn_q4",
    "`x` has shape (8, 20, 5): 8 sequences of 20 steps. The state has 7 numbers. Which shape does "
    "`h` of `rnn_forward` have? Answer with a tuple.",
    answer=(8, 20, 7),
    wrong={
        (8, 7): "That is one state. There is one after each of the 20 steps.",
        (20, 8, 7): "Here sequences stand first, then time.",
        (8, 21, 7): "h0 is not among them.",
        (8, 20, 5): "5 is the size of an input.",
    },
    explanation="One state of 7 numbers after each of 20 steps, for each of 8 sequences.",
)
chapter.quiz(
    "rnn_q5",
    "A recurrent layer WITHOUT tanh, whose Wh is 0.9 times a rotation. By what factor does the "
    "length of a gradient change on its way back through 50 steps? Answer with a number.",
    answer=0.9**50,
    wrong={
        45: "That is 0.9 times 50. Each step multiplies.",
        0.9: "That is one step.",
        1: "The rotation keeps lengths; the 0.9 does not.",
        0.02: "That is one over 50. Each step multiplies by 0.9.",
    },
    rtol=0.02,
    explanation="0.9**50 = 0.005: each step back multiplies by the transpose of Wh. With 1.1 it is "
    "117. A tanh in between can only make it smaller, since its slope is at most 1.",
)
chapter.quiz(
    "rnn_q6",
    "A text says: RNNs capture long-term dependencies, and LSTM and GRU solve the exploding "
    "gradient. What is right?",
    choices={
        "a": "both halves are",
        "b": "the first half: a state can hold anything for any time",
        "c": "the second half: gates can not explode",
        "d": "neither: plain RNNs learn long lags poorly, gates help against VANISHING, and "
        "explosion is met by clipping",
    },
    answer="d",
    wrong={
        "a": "The lesson measures how a plain RNN fails when the lag grows.",
        "b": "What a state could hold and what gradient descent finds are two things.",
        "c": "The gates of an LSTM hold recurrent weights too, and these can be large.",
    },
    explanation="Clipping the global norm (chapter 06) limits the step when a gradient explodes. "
    "Chapter 11 shows what gates do for long lags, and where they end.",
)
chapter.quiz(
    "rnn_q7",
    "A language model gives each of 27 letters the same probability at every step. What is its "
    "perplexity? Answer with a number.",
    answer=27,
    wrong={
        3.2958: "That is log 27, the loss for each letter. Perplexity is exp of it.",
        0.037037: "That is the probability of a letter.",
        1: "A perplexity of 1 would be a model that is always sure and always right.",
        4.7549: "That is the loss in bits. Perplexity is 2 to the power of it.",
    },
    rtol=1e-3,
    explanation="exp(mean loss per letter) = exp(log 27) = 27: as unsure as among 27 equal "
    "choices. The mean runs over letters that count, not over padding.",
)
chapter.quiz(
    "rnn_q8",
    "Truncated BPTT with windows of 10 steps. The state is carried from window to window. What is "
    "lost?",
    choices={
        "a": "the gradient that would cross a cut: a link over more than 10 steps is used if it is "
        "there, but not learned",
        "b": "nothing, since the state is carried",
        "c": "the state: each window starts at zero",
        "d": "the sharing: each window has weights of its own",
    },
    answer="a",
    wrong={
        "b": "The values are right, and the gradient is not the whole one.",
        "c": "It is carried; that is why only a part is lost.",
        "d": "All windows add to the same gradients.",
    },
    explanation="Forward everything passes, backward nothing crosses a cut. In return, memory and "
    "time for each update no longer grow with the length of the text.",
)
chapter.quiz(
    "rnn_q9",
    "Four causal convolutions over time on top of each other, K = 3 taps each, dilations 1, 2, 4 "
    "and 8. How many steps does one output see, itself included? Answer with a number.",
    answer=31,
    wrong={
        9: "That is without dilation: 1 + 4 * 2.",
        15: "That is with 2 taps: 1 + (1 + 2 + 4 + 8) would be 16.",
        30: "The present step is missing.",
        45: "Two of three taps look back: 2 * (1 + 2 + 4 + 8), and 1.",
        24: "Each layer adds (K - 1) * dilation.",
    },
    explanation="1 + 2 * (1 + 2 + 4 + 8) = 31. A convolution sees a fixed stretch, all steps at "
    "once; a recurrent layer sees everything before, one step after the other.",
)
chapter.quiz(
    "rnn_q10",
    "Sequences of text are to be handled by a recurrent net. Which order of work is right?",
    choices={
        "a": "pad to one length, train, build the vocabulary from all data, mask",
        "b": "average the embeddings of each text, then feed them to the net",
        "c": "split; build the vocabulary on the training part, with a sign for unknown words; "
        "turn text into numbers; pad and mask; embed; net",
        "d": "give each word its number in the alphabet, scaled to 0 to 1, as input",
    },
    answer="c",
    wrong={
        "a": "A vocabulary from all data has seen the test set; and numbers are needed before "
        "training.",
        "b": "An average has no order any more, and the net nothing to read.",
        "d": "A scaled number says that neighbours in the alphabet mean nearly the same.",
    },
    explanation="Numbers are names here, not amounts: the embedding gives each word a vector that "
    "is learned. The mask keeps padding out of loss and gradient.",
)
chapter.quiz(
    "rnn_q11",
    "What happens to the samples of a language model as the temperature goes towards 0?",
    choices={
        "a": "all words become equally likely",
        "b": "the likeliest word is taken at every step: always the same text",
        "c": "the model becomes surer, and its perplexity on held-out text improves",
        "d": "the words get shorter",
    },
    answer="b",
    wrong={
        "a": "That is the other end, a huge temperature.",
        "c": "The draws change. The model that is measured stays the same.",
        "d": "They may; what the temperature does is to sharpen each draw.",
    },
    explanation="scores / temperature: differences grow without limit, and the softmax becomes an "
    "argmax. Greedy is not the likeliest TEXT, only the likeliest word each time.",
)
chapter.quiz(
    "rnn_q12",
    "A review is to be judged as friendly or not. How is a recurrent net used for it?",
    choices={
        "a": "it can not be: it needs one label for each word",
        "b": "it predicts the next word, and the loss is the mood",
        "c": "the words are sorted first, so that the order does not matter",
        "d": "it reads word by word; a softmax on the last state (or on a mean of the states) "
        "gives the label, and the gradient flows back through time",
    },
    answer="d",
    wrong={
        "a": "The loss may sit on one step only; `dh` is then zero at the others.",
        "b": "That is a language model. It has no label.",
        "c": "The order is what the net is there for: 'not bad, good' and 'not good, bad'.",
    },
    explanation="Many to one. One label for each step (tagging) and many to many (a language "
    "model, or translation in chapter 11) differ only in where losses sit and what is fed in.",
)
