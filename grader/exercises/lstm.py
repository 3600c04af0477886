"""Chapter 11, LSTM and GRU: cells that decide what to keep, what to take in and what to show.

A step of an LSTM has two outputs, so its backward function gets two gradients. A driver runs the
learner's own forward first, and hands its cache on.
"""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("11_lstm", "LSTM, GRU, sequence to sequence")


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _declare(exercise, make, variants):
    """One mistake for each of (key, message, remedy); `make(key)` gives the wrong function."""
    for key, message, remedy in variants:
        chapter.mistake(exercise, key, message, remedy)(make(key))


# --- one step of an LSTM -------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="next_h, next_c, cache",
    difficulty=2,
    minutes=12,
    hints=(
        "One matrix product gives the inputs of all four blocks at once, (N, 4H). Cut it into "
        "four pieces of width H, in the order i, f, o, g.",
        "The first three go through the sigmoid, the last one through tanh. The new cell is "
        "f * prev_c + i * g; what is shown of it is o * tanh(next_c).",
        "`a = x @ Wx + prev_h @ Wh + b`, `i, f, o = [1 / (1 + np.exp(-a[:, k * H : (k + 1) * H])) "
        "for k in range(3)]`, `g = np.tanh(a[:, 3 * H :])`. The whole answer stands in "
        "`solutions/11_lstm`.",
    ),
    afterthought="Which of the four blocks could be negative, and why must that be so?",
)
def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    """One step of an LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers and others 2000).

    i, f, o = sigmoid and g = tanh of the four blocks of x Wx + prev_h Wh + b;
    next_c = f * prev_c + i * g; next_h = o * tanh(next_c).

    Parameters
    ----------
    x : (N, D) array
        Inputs of this step.
    prev_h : (N, H) array
        Hidden state, what the step before showed.
    prev_c : (N, H) array
        Cell state, what the step before kept.
    Wx : (D, 4H) array
        Blocks of width H in the order i, f, o, g (input, forget, output gate, candidate).
    Wh : (H, 4H) array
        Blocks in the same order.
    b : (4H,) array
        Blocks in the same order.

    Returns
    -------
    next_h : (N, H) array
    next_c : (N, H) array
    cache
        Whatever `lstm_step_backward` needs.
    """
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b  # (N, 4H)
    gates = 1 / (1 + np.exp(-a[:, : 3 * H]))
    i, f, o = gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :]
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    t = np.tanh(next_c)
    return o * t, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, t)


def _cell(rng, n, d, h, blocks=4):
    """Inputs of a step, no two sizes equal, no gate saturated."""
    scale = 1.2 / np.sqrt(d + h)
    x, prev_h = rng.normal(0, 1, (n, d)), rng.normal(0, 0.7, (n, h))
    prev_c = rng.normal(0, 1, (n, h))
    Wx, Wh = rng.normal(0, scale, (d, blocks * h)), rng.normal(0, scale, (h, blocks * h))
    b = rng.normal(0, 0.7, blocks * h)
    return (x, prev_h, prev_c, Wx, Wh, b) if blocks == 4 else (x, prev_h, Wx, Wh, b)


SIZES = ((3, 4, 5), (5, 7, 2), (4, 3, 6))


@chapter.cases(lstm_step_forward)
def lstm_step_cases(rng):
    for n, d, h in SIZES:
        yield Case(_cell(rng, n, d, h), label=f"N = {n}, D = {d}, H = {h}")


def _step(bug):
    """A step with one bug."""
    order = {"order_i_f_g_o": "ifgo", "order_f_i_o_g": "fiog"}.get(bug, "ifog")

    def step(x, prev_h, prev_c, Wx, Wh, b):
        H = prev_h.shape[1]
        a = x @ Wx + prev_h @ Wh + (0 if bug == "bias_missing" else b)
        if bug == "input_twice":
            a = x @ Wx + b
        part = {name: a[:, k * H : (k + 1) * H] for k, name in enumerate(order)}
        i, f, o = (_sigmoid(part[name]) for name in "ifo")
        g = _sigmoid(part["g"]) if bug == "candidate_through_sigmoid" else np.tanh(part["g"])
        if bug == "gates_through_tanh":
            i, f, o = (np.tanh(part[name]) for name in "ifo")
        kept = {"hidden_for_cell": f * prev_h, "forget_missing": prev_c, "cell_lost": 0 * f}
        new = {"input_gate_missing": g, "coupled": (1 - f) * g}
        c = kept.get(bug, f * prev_c) + new.get(bug, i * g)
        seen = {"tanh_missing": c, "old_cell_shown": np.tanh(prev_c)}.get(bug, np.tanh(c))
        h = seen if bug == "output_gate_missing" else o * seen
        if bug == "output_gate_on_cell":
            c = o * c
            h = np.tanh(c)
        return (c, h, None) if bug == "returned_in_other_order" else (h, c, None)

    return step


_declare(
    lstm_step_forward,
    _step,
    (
        (
            "order_i_f_g_o",
            "These values fit the order i, f, g, o, which PyTorch and Keras use: o and g are "
            "exchanged.",
            "The blocks along 4H are i, f, o, g here: three gates, then the candidate.",
        ),
        (
            "order_f_i_o_g",
            "These values fit the order f, i, o, g: input and forget gate are exchanged.",
            "The blocks along 4H are i, f, o, g.",
        ),
        (
            "candidate_through_sigmoid",
            "The candidate g went through the sigmoid, like the gates. Such a cell can only be "
            "filled, never lowered.",
            "`g = np.tanh(...)`; the sigmoid is for i, f and o.",
        ),
        (
            "gates_through_tanh",
            "The gates went through tanh. A gate is a share between 0 and 1.",
            "Sigmoid for i, f and o; tanh for g.",
        ),
        (
            "tanh_missing",
            "next_h is o * next_c: the tanh of the cell is missing.",
            "`next_h = o * np.tanh(next_c)`.",
        ),
        (
            "old_cell_shown",
            "next_h shows the OLD cell: it looks like o * tanh(prev_c).",
            "First next_c, then next_h from it.",
        ),
        (
            "forget_missing",
            "The old cell is kept whole: it looks like prev_c + i * g, a cell without a forget "
            "gate, as it was in 1997.",
            "`next_c = f * prev_c + i * g`.",
        ),
        (
            "cell_lost",
            "The old cell is gone: next_c looks like i * g alone.",
            "`next_c = f * prev_c + i * g`.",
        ),
        (
            "hidden_for_cell",
            "The forget gate acts on prev_h: next_c looks like f * prev_h + i * g. Cell and "
            "hidden state are two things.",
            "`next_c = f * prev_c + i * g`.",
        ),
        (
            "input_gate_missing",
            "The candidate enters whole: next_c looks like f * prev_c + g.",
            "`next_c = f * prev_c + i * g`: the input gate stands before the CELL.",
        ),
        (
            "coupled",
            "next_c looks like f * prev_c + (1 - f) * g. That is a cell with one gate for both "
            "jobs; here i is a gate of its own.",
            "`next_c = f * prev_c + i * g`.",
        ),
        (
            "output_gate_missing",
            "The cell is shown whole: next_h looks like tanh(next_c).",
            "`next_h = o * np.tanh(next_c)`.",
        ),
        (
            "output_gate_on_cell",
            "The output gate changed the cell itself. It decides what is shown, not what is kept.",
            "`next_c = f * prev_c + i * g`, untouched; `next_h = o * np.tanh(next_c)`.",
        ),
        (
            "input_twice",
            "prev_h plays no part: the blocks come from x and b alone.",
            "`a = x @ Wx + prev_h @ Wh + b`.",
        ),
        ("bias_missing", "The bias b is missing.", "`a = x @ Wx + prev_h @ Wh + b`."),
        (
            "returned_in_other_order",
            "next_c came back in the place of next_h.",
            "`return next_h, next_c, cache`.",
        ),
    ),
)


# --- the way back through one step ---------------------------------------------------------------


def drive_step_backward(step_backward, dnext_h, dnext_c, x, prev_h, prev_c, Wx, Wh, b, p=None):
    """Gradients of a step, with the cache of the learner's own forward."""
    name = "lstm_step_forward" if p is None else "lstm_peephole_step_forward"
    function = getattr(step_backward, "func", step_backward)  # of a functools.partial
    names = getattr(function, "__globals__", None)
    if names is None:  # an object that can be called
        names = getattr(type(function).__call__, "__globals__", {})
    forward, cache, trouble = names.get(name), None, "is not there"
    if callable(forward):
        try:
            given = [x, prev_h, prev_c, Wx, Wh, b] + ([] if p is None else [p])
            came = forward(*[value.copy() for value in given])
            if isinstance(came, (tuple, list)) and len(came) > 2 and came[0] is not None:
                cache, trouble = came[2], ""
            else:
                trouble = "gives no next_h, next_c, cache yet"
        except NotImplementedError:
            trouble = "is not written yet"
        except Exception as problem:
            trouble = f"stopped with {type(problem).__name__}: {problem}"
    if not trouble:
        return step_backward(dnext_h, dnext_c, cache)
    try:
        found = step_backward(dnext_h, dnext_c, None)
    except NotImplementedError:
        raise
    except Exception:
        found = 0
    if found is None or isinstance(found, (tuple, list)) and all(part is None for part in found):
        return None
    raise LookupError(f"the cache of `{name}` is needed first, and `{name}` {trouble}")


@chapter.exercise(
    points=5,
    returns="dx, dprev_h, dprev_c, dWx, dWh, db",
    difficulty=4,
    minutes=22,
    hints=(
        "Walk the forward backwards, line by line. First find dc, ALL that arrives at next_c: it "
        "comes from the next step, and through next_h.",
        "dc = dnext_c + dnext_h * o * (1 - tanh(next_c)**2). Then do = dnext_h * tanh(next_c), "
        "df = dc * prev_c, di = dc * g, dg = dc * i, dprev_c = dc * f. Each goes back through its "
        "own bend: s (1 - s) for a gate, 1 - g**2 for the candidate.",
        "`da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])`"
        " is (N, 4H); from there on it is an affine layer with two inputs. The whole answer "
        "stands in `solutions/11_lstm`.",
    ),
    afterthought="With f = 1 and i = 0 in every step: what is dprev_c after a hundred steps?",
)
def lstm_step_backward(dnext_h, dnext_c, cache):
    """Gradients of one step of an LSTM.

    Parameters
    ----------
    dnext_h : (N, H) array
        What arrives at next_h.
    dnext_c : (N, H) array
        What arrives at next_c from the step after this one. What reaches it through next_h is
        not in it.
    cache
        From `lstm_step_forward`.

    Returns
    -------
    dx : (N, D) array
    dprev_h : (N, H) array
    dprev_c : (N, H) array
    dWx : (D, 4H) array
    dWh : (H, 4H) array
    db : (4H,) array
    """
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, t = cache
    dc = dnext_c + dnext_h * o * (1 - t**2)
    di, df, do, dg = dc * g, dc * prev_c, dnext_h * t, dc * i
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)


@chapter.cases(lstm_step_backward)
def lstm_step_backward_cases(rng):
    for n, d, h in SIZES:
        upstream = rng.normal(0, 1, (2, n, h))
        yield Case(
            (*upstream, *_cell(rng, n, d, h)),
            drive=drive_step_backward,
            label=f"N = {n}, D = {d}, H = {h}",
        )


def _step_back(bug):
    """The way back through a step, with one bug."""

    def back(dnext_h, dnext_c, cache):
        x, prev_h, prev_c, Wx, Wh, i, f, o, g, t = cache
        H, next_c = prev_h.shape[1], f * prev_c + i * g
        if bug == "order_i_f_g_o":  # of forward and backward alike
            turn = np.r_[0 : 2 * H, 3 * H : 4 * H, 2 * H : 3 * H]
            a = np.split(np.log(np.hstack([i, f, o]) / (1 - np.hstack([i, f, o]))), 3, axis=1)
            o, g = _sigmoid(np.arctanh(g)), np.tanh(a[2])
            t = np.tanh(f * prev_c + i * g)
        slope = {"slope_of_the_cell": 1 - next_c**2, "tanh_slope_missing": 1}.get(bug, 1 - t**2)
        shown = dnext_h * o * slope
        dc = {"later_steps_missing": shown, "hidden_path_missing": dnext_c}.get(
            bug, dnext_c + shown
        )
        di, df, do, dg = dc * g, dc * prev_c, dnext_h * t, dc * i
        if bug == "forget_sees_the_new_cell":
            df = dc * next_c
        if bug == "input_and_candidate_exchanged":
            di, dg = dg, di
        if bug == "output_sees_the_bare_cell":
            do = dnext_h * next_c
        bends = {
            "slope_of_i_missing": (1, f * (1 - f), o * (1 - o), 1 - g**2),
            "slope_of_f_missing": (i * (1 - i), 1, o * (1 - o), 1 - g**2),
            "slope_of_o_missing": (i * (1 - i), f * (1 - f), 1, 1 - g**2),
            "slope_of_g_missing": (i * (1 - i), f * (1 - f), o * (1 - o), 1),
            "slope_of_g_of_a_gate": (i * (1 - i), f * (1 - f), o * (1 - o), g * (1 - g)),
        }.get(bug, (i * (1 - i), f * (1 - f), o * (1 - o), 1 - g**2))
        parts = [d * bend for d, bend in zip((di, df, do, dg), bends, strict=True)]
        if bug == "blocks_stacked_i_f_g_o":
            parts = [parts[0], parts[1], parts[3], parts[2]]
        da = np.hstack(parts)
        if bug == "order_i_f_g_o":
            da = da[:, turn]
        dprev_c = {"cell_passed_whole": dc, "cell_misses_hidden": dnext_c * f}.get(bug, dc * f)
        db = {"bias_per_row": da, "bias_mean": da.mean(axis=0)}.get(bug, da.sum(axis=0))
        dWh = x.T @ da if bug == "Wh_from_x" else prev_h.T @ da
        if bug == "Wh_from_the_cell":
            dWh = prev_c.T @ da
        return da @ Wx.T, da @ Wh.T, dprev_c, x.T @ da, dWh, db

    return back


_SLOPE = (
    "Only the block of the {name} is wrong: it has not gone back through its {bend}.",
    "Multiply d{letter} by {slope}.",
)
_declare(
    lstm_step_backward,
    _step_back,
    (
        (
            "later_steps_missing",
            "dnext_c plays no part: only what reaches the cell through next_h is counted. The "
            "long memory is lost on the way back.",
            "`dc = dnext_c + dnext_h * o * (1 - np.tanh(next_c)**2)`.",
        ),
        (
            "hidden_path_missing",
            "What reaches the cell through next_h is missing: dc looks like dnext_c alone.",
            "`dc = dnext_c + dnext_h * o * (1 - np.tanh(next_c)**2)`.",
        ),
        (
            "tanh_slope_missing",
            "The way from next_h to the cell misses the slope of tanh: it looks like dnext_h * o.",
            "Multiply by 1 - tanh(next_c)**2.",
        ),
        (
            "slope_of_the_cell",
            "The slope of tanh looks like 1 - next_c**2. The formula 1 - t**2 wants the OUTPUT "
            "of tanh.",
            "`t = np.tanh(next_c)`, then 1 - t**2.",
        ),
        (
            "forget_sees_the_new_cell",
            "Only the block of the forget gate is wrong: it looks like dc * next_c. The gate was "
            "multiplied with the OLD cell.",
            "`df = dc * prev_c`.",
        ),
        (
            "input_and_candidate_exchanged",
            "di and dg are exchanged: in i * g the gradient of one factor is the OTHER one.",
            "`di = dc * g`, `dg = dc * i`.",
        ),
        (
            "output_sees_the_bare_cell",
            "Only the block of the output gate is wrong: it looks like dnext_h * next_c, without "
            "tanh.",
            "`do = dnext_h * np.tanh(next_c)`.",
        ),
        *(
            (
                f"slope_of_{letter}_missing",
                _SLOPE[0].format(name=name, bend=bend),
                _SLOPE[1].format(letter=letter, slope=slope),
            )
            for letter, name, bend, slope in (
                ("i", "input gate", "sigmoid", "i * (1 - i)"),
                ("f", "forget gate", "sigmoid", "f * (1 - f)"),
                ("o", "output gate", "sigmoid", "o * (1 - o)"),
                ("g", "candidate", "tanh", "1 - g**2"),
            )
        ),
        (
            "slope_of_g_of_a_gate",
            "Only the block of the candidate is wrong: it went back through g * (1 - g), the "
            "slope of a sigmoid.",
            "The candidate is a tanh: 1 - g**2.",
        ),
        (
            "blocks_stacked_i_f_g_o",
            "The four gradients are stacked in the order i, f, g, o.",
            "The blocks along 4H are i, f, o, g.",
        ),
        (
            "order_i_f_g_o",
            "These are the gradients of a cell whose blocks stand in the order i, f, g, o, "
            "forward and backward.",
            "The blocks along 4H are i, f, o, g; check `lstm_step_forward` first.",
        ),
        (
            "cell_passed_whole",
            "dprev_c is dc itself. The forget gate stood before prev_c.",
            "`dprev_c = dc * f`.",
        ),
        (
            "cell_misses_hidden",
            "dprev_c looks like dnext_c * f: what came through next_h is missing in it.",
            "`dprev_c = dc * f`, with the whole dc.",
        ),
        (
            "bias_per_row",
            "db has a row for each example. One bias serves all of them.",
            "`da.sum(axis=0)`.",
        ),
        (
            "bias_mean",
            "db is a mean over the examples. The loss has done its averaging already.",
            "`da.sum(axis=0)`.",
        ),
        (
            "Wh_from_x",
            "dWh has the shape of dWx: it looks like x.T @ da.",
            "Wh was multiplied with prev_h: `prev_h.T @ da`.",
        ),
        (
            "Wh_from_the_cell",
            "dWh looks like prev_c.T @ da. The gates see the hidden state, not the cell.",
            "`prev_h.T @ da`.",
        ),
    ),
)


# --- a whole sequence ----------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="h, cache",
    difficulty=1,
    minutes=7,
    hints=(
        "A loop over time: each step gets the hidden state AND the cell of the step before.",
        "h0 is given; the cell starts at zero, with the shape of h0. Keep next_h of every step in "
        "h[:, t], and the cache of every step in a list.",
        "`h, c = h0, np.zeros_like(h0)`; for t in range(T): `h, c, cache = "
        "lstm_step_forward(x[:, t], h, c, Wx, Wh, b)`. The whole answer stands in "
        "`solutions/11_lstm`.",
    ),
    afterthought="The sequence is cut in two, and the second half starts from h of the first. "
    "What is lost?",
)
def lstm_forward(x, h0, Wx, Wh, b):
    """An LSTM over a whole sequence. The cell starts at zero.

    Parameters
    ----------
    x : (N, T, D) array
    h0 : (N, H) array
        Hidden state before the first step.
    Wx : (D, 4H) array
        Blocks in the order i, f, o, g.
    Wh : (H, 4H) array
    b : (4H,) array

    Returns
    -------
    h : (N, T, H) array
        Hidden states of all steps.
    cache
        Whatever `lstm_backward` needs.
    """
    N, T, _ = x.shape
    h, cache = np.zeros((N, T, h0.shape[1])), []
    state, cell = h0, np.zeros_like(h0)
    for t in range(T):
        state, cell, kept = lstm_step_forward(x[:, t], state, cell, Wx, Wh, b)
        h[:, t] = state
        cache.append(kept)
    return h, cache


@chapter.cases(lstm_forward)
def lstm_cases(rng):
    for n, t, d, h in ((3, 4, 2, 5), (4, 6, 5, 2), (5, 1, 3, 4)):
        _, h0, _, Wx, Wh, b = _cell(rng, n, d, h)
        x = rng.normal(0, 1, (n, t, d))
        yield Case((x, h0, Wx, Wh, b), label=f"N = {n}, T = {t}, D = {d}, H = {h}")


def _sequence(bug):
    def forward(x, h0, Wx, Wh, b):
        steps = range(x.shape[1])
        if bug == "read_from_the_end":
            steps = steps[::-1]
        state = np.zeros_like(h0) if bug == "h0_not_used" else h0
        cell = h0 if bug == "cell_starts_at_h0" else np.zeros_like(h0)
        found = {}
        for t in steps:
            if bug == "cell_reset":
                cell = np.zeros_like(h0)
            before = h0 if bug == "h0_every_time" else state
            state, cell, _ = lstm_step_forward(x[:, t], before, cell, Wx, Wh, b)
            found[t] = cell if bug == "cells_returned" else state
            if bug == "hidden_for_cell":
                cell = state
        h = np.stack([found[t] for t in range(x.shape[1])], axis=1)
        return {"time_first": h.swapaxes(0, 1), "last_only": h[:, -1]}.get(bug, h), None

    return forward


_declare(
    lstm_forward,
    _sequence,
    (
        (
            "cell_reset",
            "The cell starts at zero in EVERY step: nothing is carried but h.",
            "Zero once, before the loop; then hand next_c on.",
        ),
        (
            "h0_not_used",
            "The first step starts from zeros, not from h0. A frequent cause is reading "
            "h[:, t - 1] at t = 0: index -1 is the last step, still empty.",
            "`state = h0` before the loop.",
        ),
        (
            "h0_every_time",
            "Every step gets h0 as its hidden state.",
            "Hand next_h on to the next step.",
        ),
        (
            "cell_starts_at_h0",
            "The cell starts at h0. It starts at zero.",
            "`cell = np.zeros_like(h0)`.",
        ),
        (
            "hidden_for_cell",
            "The hidden state is handed on as the cell.",
            "Two states go from step to step: next_h and next_c.",
        ),
        (
            "cells_returned",
            "These are the cells of all steps. The hidden states are asked for.",
            "Keep next_h in `h[:, t]`.",
        ),
        (
            "read_from_the_end",
            "The sequence was read from its end.",
            "`for t in range(T)`.",
        ),
        (
            "time_first",
            "h has shape (T, N, H). Here the examples come first: (N, T, H).",
            "`np.stack(states, axis=1)`, or fill `h[:, t]`.",
        ),
        (
            "last_only",
            "Only the last hidden state came back.",
            "Keep the state of every step: (N, T, H).",
        ),
    ),
)


@chapter.exercise(
    points=4,
    returns="dx, dh0, dWx, dWh, db",
    gradient_of=lstm_forward,
    difficulty=3,
    minutes=14,
    hints=(
        "Time runs backwards. What arrives at h[:, t]? One share from the loss at that step, one "
        "from the step after it. And the cell has a gradient of its own.",
        "Start with zeros for the hidden and the cell gradient. In step t: add dh[:, t] to the "
        "hidden one, call lstm_step_backward, keep both that come back for step t - 1, and ADD "
        "the gradients of the weights.",
        "`dx[:, t], dprev_h, dprev_c, *dweights = lstm_step_backward(dh[:, t] + dprev_h, dprev_c, "
        "cache[t])` for t from T - 1 down to 0. The whole answer stands in `solutions/11_lstm`.",
    ),
    afterthought="The loss reads the last step only. Which entries of dh are zero, and does dx "
    "of the first step vanish?",
)
def lstm_backward(dh, cache):
    """Gradients of an LSTM over a whole sequence.

    Parameters
    ----------
    dh : (N, T, H) array
        What the loss sends to each hidden state directly; what comes from later steps is not
        in it.
    cache
        From `lstm_forward`.

    Returns
    -------
    dx : (N, T, D) array
    dh0 : (N, H) array
    dWx : (D, 4H) array
    dWh : (H, 4H) array
    db : (4H,) array
    """
    dx, dweights = [], 0
    dstate, dcell = np.zeros_like(dh[:, 0]), np.zeros_like(dh[:, 0])
    for t in reversed(range(dh.shape[1])):
        dstate = dstate + dh[:, t]
        dxt, dstate, dcell, *found = lstm_step_backward(dstate, dcell, cache[t])
        dx.append(dxt)
        dweights = found if t == dh.shape[1] - 1 else [a + b for a, b in zip(dweights, found)]
    return np.stack(dx[::-1], axis=1), dstate, *dweights


def _sequence_back(bug):
    def backward(dh, cache):
        T = dh.shape[1]
        dx, total = [None] * T, None
        dstate, dcell = np.zeros_like(dh[:, 0]), np.zeros_like(dh[:, 0])
        for t in range(T) if bug == "forward_in_time" else reversed(range(T)):
            arriving = dh[:, t] + dstate
            if bug == "each_step_alone":
                arriving = dh[:, t]
            if bug == "upstream_missing" and t < T - 1:
                arriving = dstate
            if bug == "cell_gradient_dropped":
                dcell = np.zeros_like(dcell)
            if bug == "cell_and_hidden_exchanged":
                dx[t], dcell, dstate, *found = lstm_step_backward(arriving, dcell, cache[t])
            else:
                dx[t], dstate, dcell, *found = lstm_step_backward(arriving, dcell, cache[t])
            added = [a + b for a, b in zip(total or np.zeros(3), found, strict=True)]
            total = found if bug == "weights_overwritten" else added
        if bug == "weights_averaged":
            total = [value / T for value in total]
        if bug == "dh0_of_the_loss":
            dstate = dh[:, 0]
        if bug == "inputs_in_reverse":
            dx = dx[::-1]
        return np.stack(dx, axis=1), dstate, *total

    return backward


_declare(
    lstm_backward,
    _sequence_back,
    (
        (
            "each_step_alone",
            "Each step gets dh[:, t] only: what its hidden state did to later steps is missing.",
            "dh[:, t] PLUS dprev_h of the step after it.",
        ),
        (
            "cell_gradient_dropped",
            "The gradient of the cell starts at zero in every step: the path that makes the long "
            "memory is cut.",
            "Zero once, before the loop; then hand dprev_c on.",
        ),
        (
            "weights_overwritten",
            "The gradients of the weights are those of one step, the last one visited. The "
            "weights were used in every step.",
            "Add them up over time: `+=`.",
        ),
        (
            "weights_averaged",
            "The gradients of the weights are divided by T. The loss decides on averages.",
            "Add them up over time.",
        ),
        (
            "upstream_missing",
            "dh is used at the last step only.",
            "Add dh[:, t] in every step.",
        ),
        (
            "forward_in_time",
            "The loop runs from the first step to the last. Gradients come from the end.",
            "`for t in reversed(range(T))`.",
        ),
        (
            "cell_and_hidden_exchanged",
            "dprev_h and dprev_c are exchanged from step to step.",
            "lstm_step_backward gives dx, dprev_h, dprev_c, in this order.",
        ),
        (
            "dh0_of_the_loss",
            "dh0 is dh[:, 0]. It is what reaches the state BEFORE the first step.",
            "dprev_h of step 0.",
        ),
        (
            "inputs_in_reverse",
            "dx runs backwards in time: the steps were collected from the last to the first.",
            "Write into `dx[:, t]`, or turn the list round.",
        ),
    ),
)


# --- GRU -----------------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="next_h, cache",
    difficulty=2,
    minutes=10,
    hints=(
        "Two gates, r and z, from x and prev_h as before. The candidate n sees a prev_h that r "
        "has filtered.",
        "n cannot come out of the same product as the gates: r has to be known first. Take the "
        "last H columns of Wh for r * prev_h.",
        "`n = np.tanh(x @ Wx[:, 2 * H :] + (r * prev_h) @ Wh[:, 2 * H :] + b[2 * H :])`, then "
        "`z * prev_h + (1 - z) * n`. The whole answer stands in `solutions/11_lstm`.",
    ),
    afterthought="Where is the path on which a gradient passes unchanged?",
)
def gru_step_forward(x, prev_h, Wx, Wh, b):
    """One step of a gated recurrent unit (Cho and others 2014).

    r, z = sigmoid of their blocks; n = tanh(x Wx_n + (r * prev_h) Wh_n + b_n);
    next_h = z * prev_h + (1 - z) * n.

    Parameters
    ----------
    x : (N, D) array
    prev_h : (N, H) array
    Wx : (D, 3H) array
        Blocks of width H in the order r, z, n (reset gate, update gate, candidate).
    Wh : (H, 3H) array
        Blocks in the same order.
    b : (3H,) array
        Blocks in the same order.

    Returns
    -------
    next_h : (N, H) array
    cache
        Whatever `gru_step_backward` needs.
    """
    H = prev_h.shape[1]
    gates = 1 / (1 + np.exp(-(x @ Wx + prev_h @ Wh + b)[:, : 2 * H]))
    r, z = gates[:, :H], gates[:, H:]
    n = np.tanh(x @ Wx[:, 2 * H :] + (r * prev_h) @ Wh[:, 2 * H :] + b[2 * H :])
    return z * prev_h + (1 - z) * n, (x, prev_h, Wx, Wh, r, z, n)


@chapter.cases(gru_step_forward)
def gru_step_cases(rng):
    for n, d, h in SIZES:
        yield Case(_cell(rng, n, d, h, 3), label=f"N = {n}, D = {d}, H = {h}")


def _gru(bug):
    def step(x, prev_h, Wx, Wh, b):
        H = prev_h.shape[1]
        if bug == "bias_missing":
            b = 0 * b
        ax, ah = x @ Wx + b, prev_h @ Wh
        r, z = _sigmoid(ax + ah)[:, :H], _sigmoid(ax + ah)[:, H : 2 * H]
        if bug == "order_z_r_n":
            r, z = z, r
        filtered = (r * prev_h) @ Wh[:, 2 * H :]
        if bug == "reset_after_product":
            filtered = r * ah[:, 2 * H :]
        if bug == "reset_missing":
            filtered = ah[:, 2 * H :]
        n = np.tanh(ax[:, 2 * H :] + filtered)
        if bug == "candidate_through_sigmoid":
            n = _sigmoid(ax[:, 2 * H :] + filtered)
        if bug == "update_turned_round":
            z = 1 - z
        old = {"reset_on_the_state": r * prev_h}.get(bug, prev_h)
        new = {"candidate_whole": n}.get(bug, (1 - z) * n)
        return z * old + new, None

    return step


_declare(
    gru_step_forward,
    _gru,
    (
        (
            "update_turned_round",
            "z and 1 - z are exchanged: it looks like (1 - z) * prev_h + z * n, the form of some "
            "papers. Here z is the share that is KEPT.",
            "`z * prev_h + (1 - z) * n`.",
        ),
        (
            "reset_after_product",
            "The reset gate acts after the product: it looks like r * (prev_h @ Wh_n), as PyTorch "
            "does it. Here prev_h is filtered first.",
            "`(r * prev_h) @ Wh_n`.",
        ),
        (
            "reset_missing",
            "The reset gate plays no part: the candidate sees the whole prev_h.",
            "`(r * prev_h) @ Wh_n`.",
        ),
        (
            "reset_on_the_state",
            "The reset gate acts on what is kept: it looks like z * r * prev_h.",
            "r filters what the candidate sees, and nothing else.",
        ),
        (
            "order_z_r_n",
            "These values fit the order z, r, n: reset and update gate are exchanged.",
            "The blocks along 3H are r, z, n.",
        ),
        (
            "candidate_through_sigmoid",
            "The candidate went through the sigmoid.",
            "`n = np.tanh(...)`.",
        ),
        (
            "candidate_whole",
            "The candidate enters whole: it looks like z * prev_h + n.",
            "`z * prev_h + (1 - z) * n`.",
        ),
        ("bias_missing", "The bias b is missing.", "Each block has its part of b."),
    ),
)


@chapter.exercise(
    points=3,
    returns="dx, dprev_h, dWx, dWh, db",
    gradient_of=gru_step_forward,
    difficulty=4,
    minutes=20,
    optional=True,
    hints=(
        "prev_h is used in four places: kept by z, seen by r, seen by z, and filtered for n. Each "
        "sends a share back.",
        "dz = dnext_h * (prev_h - n), dn = dnext_h * (1 - z). Through tanh: dan. Then "
        "s = dan @ Wh_n.T is the gradient of r * prev_h: it gives dr = s * prev_h, and a share "
        "s * r for dprev_h.",
        "dWh is `prev_h.T` times the blocks of r and z, beside `(r * prev_h).T` times the block of "
        "n. The whole answer stands in `solutions/11_lstm`.",
    ),
    afterthought="Which of the four shares lets a gradient through a hundred steps?",
)
def gru_step_backward(dnext_h, cache):
    """Gradients of one step of a gated recurrent unit.

    Parameters
    ----------
    dnext_h : (N, H) array
        All that arrives at next_h.
    cache
        From `gru_step_forward`.

    Returns
    -------
    dx : (N, D) array
    dprev_h : (N, H) array
    dWx : (D, 3H) array
    dWh : (H, 3H) array
    db : (3H,) array
    """
    x, prev_h, Wx, Wh, r, z, n = cache
    H = prev_h.shape[1]
    dan = dnext_h * (1 - z) * (1 - n**2)
    daz = dnext_h * (prev_h - n) * z * (1 - z)
    dfiltered = dan @ Wh[:, 2 * H :].T
    dar = dfiltered * prev_h * r * (1 - r)
    gates = np.hstack([dar, daz])  # (N, 2H)
    da = np.hstack([gates, dan])  # (N, 3H)
    dprev_h = dnext_h * z + dfiltered * r + gates @ Wh[:, : 2 * H].T
    dWh = np.hstack([prev_h.T @ gates, (r * prev_h).T @ dan])
    return da @ Wx.T, dprev_h, x.T @ da, dWh, da.sum(axis=0)


def _gru_back(bug):
    def backward(dnext_h, cache):
        x, prev_h, Wx, Wh, r, z, n = cache
        H = prev_h.shape[1]
        dan = dnext_h * (1 - z) * (1 if bug == "slope_of_n_missing" else 1 - n**2)
        daz = dnext_h * (prev_h - n) * (1 if bug == "slope_of_z_missing" else z * (1 - z))
        if bug == "sign_of_z":
            daz = -daz
        if bug == "z_sees_the_old_only":
            daz = dnext_h * prev_h * z * (1 - z)
        dfiltered = dan @ Wh[:, 2 * H :].T
        dar = dfiltered * prev_h * (1 if bug == "slope_of_r_missing" else r * (1 - r))
        gates = np.hstack([dar, daz])
        da = np.hstack([gates, dan])
        shares = {
            "kept": dnext_h * z,
            "filtered": dfiltered if bug == "filter_passed_whole" else dfiltered * r,
            "gates": gates @ Wh[:, : 2 * H].T,
        }
        dprev_h = sum(share for name, share in shares.items() if bug != f"share_{name}_missing")
        seen = prev_h if bug == "Wh_without_the_filter" else r * prev_h
        dWh = np.hstack([prev_h.T @ gates, seen.T @ dan])
        return da @ Wx.T, dprev_h, x.T @ da, dWh, da if bug == "bias_per_row" else da.sum(axis=0)

    return backward


_declare(
    gru_step_backward,
    _gru_back,
    (
        (
            "share_kept_missing",
            "dprev_h misses the share dnext_h * z, the one that carries gradients far.",
            "prev_h is kept in part: add dnext_h * z.",
        ),
        (
            "share_filtered_missing",
            "dprev_h misses what comes back through the candidate.",
            "Add (dan @ Wh_n.T) * r.",
        ),
        (
            "share_gates_missing",
            "dprev_h misses what comes back through the two gates.",
            "r and z saw prev_h too: their blocks go back through Wh.",
        ),
        (
            "filter_passed_whole",
            "Only dprev_h is wrong: the share that comes through the candidate has not passed the "
            "reset gate.",
            "(dan @ Wh_n.T) * r.",
        ),
        (
            "Wh_without_the_filter",
            "Only dWh is wrong, in the block of n: that block was multiplied with r * prev_h.",
            "`(r * prev_h).T @ dan`.",
        ),
        (
            "sign_of_z",
            "The block of the update gate has the opposite sign: more z means MORE of prev_h.",
            "`dz = dnext_h * (prev_h - n)`.",
        ),
        (
            "z_sees_the_old_only",
            "The block of the update gate misses the candidate: z stands in 1 - z as well.",
            "`dz = dnext_h * (prev_h - n)`.",
        ),
        (
            "slope_of_r_missing",
            "The block of the reset gate has not gone back through its sigmoid.",
            "Multiply by r * (1 - r).",
        ),
        (
            "slope_of_z_missing",
            "The block of the update gate has not gone back through its sigmoid.",
            "Multiply by z * (1 - z).",
        ),
        (
            "slope_of_n_missing",
            "The candidate has not gone back through its tanh.",
            "Multiply by 1 - n**2.",
        ),
        ("bias_per_row", "db has a row for each example.", "`da.sum(axis=0)`."),
    ),
)


# --- more: peepholes -----------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="next_h, next_c, cache",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "The same step, and each gate gets one more term: its row of p times a cell.",
        "i and f look at prev_c, o looks at next_c. So o has to wait until next_c is there. g "
        "gets nothing.",
        "`i = sigmoid(a_i + p[0] * prev_c)`, `f = sigmoid(a_f + p[1] * prev_c)`, then next_c, then "
        "`o = sigmoid(a_o + p[2] * next_c)`. The whole answer stands in `solutions/11_lstm`.",
    ),
    afterthought="p is (3, H), not three matrices. Which cells does a gate see, then?",
)
def lstm_peephole_step_forward(x, prev_h, prev_c, Wx, Wh, b, p):
    """One step of an LSTM whose gates see the cell (Gers and Schmidhuber 2000).

    Parameters
    ----------
    x : (N, D) array
    prev_h : (N, H) array
    prev_c : (N, H) array
    Wx : (D, 4H) array
        Blocks in the order i, f, o, g.
    Wh : (H, 4H) array
    b : (4H,) array
    p : (3, H) array
        Peephole weights of i, f, o: each gate sees its own cell. i and f see prev_c, o sees
        next_c.

    Returns
    -------
    next_h : (N, H) array
    next_c : (N, H) array
    cache
        Whatever `lstm_peephole_step_backward` needs.
    """
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b  # (N, 4H)
    i = 1 / (1 + np.exp(-(a[:, :H] + p[0] * prev_c)))
    f = 1 / (1 + np.exp(-(a[:, H : 2 * H] + p[1] * prev_c)))
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    o = 1 / (1 + np.exp(-(a[:, 2 * H : 3 * H] + p[2] * next_c)))
    t = np.tanh(next_c)
    return o * t, next_c, (x, prev_h, prev_c, Wx, Wh, p, i, f, o, g, t, next_c)


def _peephole_cell(rng, n, d, h):
    return (*_cell(rng, n, d, h), rng.normal(0, 0.8, (3, h)))


PEEPHOLE_SIZES = ((4, 5, 2), (5, 2, 6), (6, 4, 5))


@chapter.cases(lstm_peephole_step_forward)
def lstm_peephole_cases(rng):
    for n, d, h in PEEPHOLE_SIZES:
        yield Case(_peephole_cell(rng, n, d, h), label=f"N = {n}, D = {d}, H = {h}")


def _peephole(bug):
    def step(x, prev_h, prev_c, Wx, Wh, b, p):
        H = prev_h.shape[1]
        order = (0, 1, 3, 2) if bug == "order_i_f_g_o" else (0, 1, 2, 3)
        a = x @ Wx + prev_h @ Wh + b
        ai, af, ao, ag = (a[:, k * H : (k + 1) * H] for k in order)
        if bug == "no_peephole":
            p = 0 * p
        if bug == "rows_f_i_o":
            p = p[[1, 0, 2]]
        seen = np.tanh(prev_c) if bug == "sees_tanh_of_the_cell" else prev_c
        seen = prev_h if bug == "sees_the_hidden_state" else seen
        i, f = _sigmoid(ai + p[0] * seen), _sigmoid(af + p[1] * seen)
        if bug == "added_after_the_sigmoid":
            i, f = _sigmoid(ai) + p[0] * prev_c, _sigmoid(af) + p[1] * prev_c
        g = np.tanh(ag)
        c = f * prev_c + i * g
        late = {"sees_tanh_of_the_cell": np.tanh(c), "sees_the_hidden_state": prev_h}.get(bug, c)
        late = prev_c if bug == "output_sees_the_old_cell" else late
        o = _sigmoid(ao + p[2] * late)
        if bug == "added_after_the_sigmoid":
            o = _sigmoid(ao) + p[2] * c
        return o * np.tanh(c), c, None

    return step


_declare(
    lstm_peephole_step_forward,
    _peephole,
    (
        (
            "output_sees_the_old_cell",
            "The output gate looks at prev_c. It comes last, and sees next_c.",
            "Compute next_c first, then o with `p[2] * next_c`.",
        ),
        (
            "no_peephole",
            "p plays no part: this is the step without peepholes.",
            "Add `p[k] * cell` inside each sigmoid.",
        ),
        (
            "rows_f_i_o",
            "The rows of p are exchanged: row 0 is for i, row 1 for f.",
            "p[0] for i, p[1] for f, p[2] for o.",
        ),
        (
            "sees_tanh_of_the_cell",
            "The gates look at tanh of the cell. A peephole shows the cell itself.",
            "`p[0] * prev_c`.",
        ),
        (
            "sees_the_hidden_state",
            "The peepholes look at prev_h. They are there to show the CELL.",
            "`p[0] * prev_c`, and `p[2] * next_c` for o.",
        ),
        (
            "added_after_the_sigmoid",
            "The peephole term is added to the gate after its sigmoid: such a gate leaves 0 to 1.",
            "Add it to the gate's input, inside the sigmoid.",
        ),
        (
            "order_i_f_g_o",
            "These values fit the order i, f, g, o.",
            "The blocks along 4H are i, f, o, g.",
        ),
    ),
)


@chapter.exercise(
    points=3,
    returns="dx, dprev_h, dprev_c, dWx, dWh, db, dp",
    difficulty=5,
    minutes=20,
    optional=True,
    hints=(
        "Start from `lstm_step_backward`. Every peephole is one more path into a cell.",
        "o comes last, so its gradient comes first: dao = dnext_h * t * o * (1 - o). Then dc gets "
        "a third share, dao * p[2].",
        "dprev_c = dc * f + dai * p[0] + daf * p[1]; dp holds the sums over the examples of "
        "dai * prev_c, daf * prev_c, dao * next_c. The whole answer stands in `solutions/11_lstm`.",
    ),
    afterthought="Without peepholes dprev_c is dc * f. What do the new shares do to the path on "
    "which a gradient passes unchanged?",
)
def lstm_peephole_step_backward(dnext_h, dnext_c, cache):
    """Gradients of one step of an LSTM with peepholes.

    Parameters
    ----------
    dnext_h : (N, H) array
    dnext_c : (N, H) array
        What arrives at next_c from the step after this one.
    cache
        From `lstm_peephole_step_forward`.

    Returns
    -------
    dx : (N, D) array
    dprev_h : (N, H) array
    dprev_c : (N, H) array
    dWx : (D, 4H) array
    dWh : (H, 4H) array
    db : (4H,) array
    dp : (3, H) array
    """
    x, prev_h, prev_c, Wx, Wh, p, i, f, o, g, t, next_c = cache
    dao = dnext_h * t * o * (1 - o)
    dc = dnext_c + dnext_h * o * (1 - t**2) + dao * p[2]
    dai, daf, dag = dc * g * i * (1 - i), dc * prev_c * f * (1 - f), dc * i * (1 - g**2)
    da = np.hstack([dai, daf, dao, dag])  # (N, 4H)
    dprev_c = dc * f + dai * p[0] + daf * p[1]
    dp = np.stack([dai * prev_c, daf * prev_c, dao * next_c]).sum(axis=1)
    return da @ Wx.T, da @ Wh.T, dprev_c, x.T @ da, prev_h.T @ da, da.sum(axis=0), dp


@chapter.cases(lstm_peephole_step_backward)
def lstm_peephole_backward_cases(rng):
    for n, d, h in PEEPHOLE_SIZES:
        upstream = rng.normal(0, 1, (2, n, h))
        yield Case(
            (*upstream, *_peephole_cell(rng, n, d, h)),
            drive=drive_step_backward,
            label=f"N = {n}, D = {d}, H = {h}",
        )


def _peephole_back(bug):
    def back(dnext_h, dnext_c, cache):
        x, prev_h, prev_c, Wx, Wh, p, i, f, o, g, t, next_c = cache
        dao = dnext_h * t * o * (1 - o)
        dc = dnext_c + dnext_h * o * (1 - t**2)
        dc = dc + (0 if bug == "output_peephole_missing" else dao * p[2])
        dai, daf, dag = dc * g * i * (1 - i), dc * prev_c * f * (1 - f), dc * i * (1 - g**2)
        da = np.hstack([dai, daf, dao, dag])
        shares = {"input": dai * p[0], "forget": daf * p[1]}
        dprev_c = dc * f
        for name, share in shares.items():
            if bug not in (f"{name}_peephole_missing", "old_cell_peepholes_missing"):
                dprev_c = dprev_c + share
        last = prev_c if bug == "dp_o_with_the_old_cell" else next_c
        dp = np.stack([dai * prev_c, daf * prev_c, dao * last])
        dp = dp if bug == "dp_per_row" else dp.sum(axis=1)
        return da @ Wx.T, da @ Wh.T, dprev_c, x.T @ da, prev_h.T @ da, da.sum(axis=0), dp

    return back


_declare(
    lstm_peephole_step_backward,
    _peephole_back,
    (
        (
            "output_peephole_missing",
            "What comes back through the peephole of the output gate is missing at next_c.",
            "dc gets a third share: dao * p[2].",
        ),
        (
            "input_peephole_missing",
            "dprev_c misses what comes back through the peephole of the input gate.",
            "Add dai * p[0].",
        ),
        (
            "forget_peephole_missing",
            "dprev_c misses what comes back through the peephole of the forget gate.",
            "Add daf * p[1].",
        ),
        (
            "old_cell_peepholes_missing",
            "dprev_c looks like dc * f: both peepholes at prev_c are missing.",
            "Add dai * p[0] + daf * p[1].",
        ),
        (
            "dp_o_with_the_old_cell",
            "Only the last row of dp is wrong: o looked at next_c.",
            "`(dao * next_c).sum(axis=0)`.",
        ),
        ("dp_per_row", "dp has an entry for each example.", "Sum over the examples: (3, H)."),
    ),
)


# --- debug: an LSTM and its gradients, four bugs planted -----------------------------------------

DEBUG_STUB = '''def debug_lstm_gradients(x, y, Wx, Wh, b, w):
    """An LSTM that reads x and predicts y from its last state; four bugs in four lines.

    loss = mean of (h_T @ w - y)**2 / 2. The forward half is right, and so is every line with dw.
    Returns loss and a dict of gradients: Wx, Wh, b, w.
    """
    N, T, _ = x.shape
    H = len(w)
    h, c = [np.zeros((N, H))], [np.zeros((N, H))]  # h[t], c[t]: before step t
    gates = []
    for t in range(T):
        a = x[:, t] @ Wx + h[t] @ Wh + b
        i, f, o = np.split(1 / (1 + np.exp(-a[:, : 3 * H])), 3, axis=1)
        g = np.tanh(a[:, 3 * H :])
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[t + 1]))
        gates.append((i, f, o, g))
    error = h[T] @ w - y
    loss = (error**2).mean() / 2

    # backward
    dw = h[T].T @ error / N
    dh, dc = np.outer(error, w) / N, np.zeros((N, H))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(T)):
        i, f, o, g = gates[t]
        dc = dc + dh * o
        di, df, do, dg = dc * g, dc * c[t + 1], dh * np.tanh(c[t + 1]), dc * i
        da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
        dWx += x[:, t].T @ da
        dWh += h[t + 1].T @ da
        db += da.sum(axis=0)
        dh = da @ Wh.T
    return loss, {"Wx": dWx, "Wh": dWh, "b": db, "w": dw}
'''


def _planted(bugs):
    """The gradients of the debug exercise with only the named bugs left in."""

    def run(x, y, Wx, Wh, b, w):
        T, H = x.shape[1], len(w)
        h, c, gates = [np.zeros((len(x), H))], [np.zeros((len(x), H))], []
        for t in range(T):
            a = x[:, t] @ Wx + h[t] @ Wh + b
            i, f, o = np.split(_sigmoid(a[:, : 3 * H]), 3, axis=1)
            g = np.tanh(a[:, 3 * H :])
            c.append(f * c[t] + i * g)
            h.append(o * np.tanh(c[t + 1]))
            gates.append((i, f, o, g))
        error = (h[T] @ w - y) / len(x)
        dh, dc = np.outer(error, w), np.zeros_like(h[0])
        dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
        for t in reversed(range(T)):
            i, f, o, g = gates[t]
            s = np.tanh(c[t + 1])
            dc = dc + dh * o * (1 if "tanh" in bugs else 1 - s**2)
            df = dc * c[t + ("forget" in bugs)]
            parts = (dc * g * i * (1 - i), df * f * (1 - f), dh * s * o * (1 - o))
            da = np.hstack([*parts, dc * i * (1 - g**2)])
            dWx += x[:, t].T @ da
            dWh += h[t + ("recurrent" in bugs)].T @ da
            db += da.sum(axis=0)
            dh = da @ Wh.T
            dc = dc if "carry" in bugs else dc * f
        loss = ((h[T] @ w - y) ** 2).mean() / 2
        return loss, {"Wx": dWx, "Wh": dWh, "b": db, "w": h[T].T @ error}

    return run


@chapter.exercise(
    points=4,
    returns="loss_and_grads",
    difficulty=3,
    minutes=14,
    title="Debug: an LSTM and its gradients, four bugs",
    stub=DEBUG_STUB,
    hints=(
        "Make it small: with T = 1 only some of the bugs can act. Compare the blocks i, f, o, g "
        "of db with finite differences, one by one.",
        "T = 1: c[0] and h[0] are zero, so the f block and dWh must be zero. Are they? And is "
        "the slope of tanh there? Then T = 2: what does dc become on its way to the step before?",
        "dc + dh * o * (1 - np.tanh(c[t + 1])**2); df = dc * c[t]; dWh += h[t].T @ da; dc = dc * f "
        "at the end of the loop. The whole answer stands in `solutions/11_lstm`.",
    ),
    afterthought="Which of the four would a training curve have shown?",
)
def debug_lstm_gradients(x, y, Wx, Wh, b, w):
    """An LSTM that reads x and predicts y from its last state; four bugs in four lines.

    loss = mean of (h_T @ w - y)**2 / 2. The forward half is right, and so is every line with dw.
    Returns loss and a dict of gradients: Wx, Wh, b, w.
    """
    N, T, _ = x.shape
    H = len(w)
    h, c = [np.zeros((N, H))], [np.zeros((N, H))]  # h[t], c[t]: before step t
    gates = []
    for t in range(T):
        a = x[:, t] @ Wx + h[t] @ Wh + b
        i, f, o = np.split(1 / (1 + np.exp(-a[:, : 3 * H])), 3, axis=1)
        g = np.tanh(a[:, 3 * H :])
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[t + 1]))
        gates.append((i, f, o, g))
    error = h[T] @ w - y
    loss = (error**2).mean() / 2

    # backward
    dw = h[T].T @ error / N
    dh, dc = np.outer(error, w) / N, np.zeros((N, H))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(T)):
        i, f, o, g = gates[t]
        dc = dc + dh * o * (1 - np.tanh(c[t + 1]) ** 2)
        di, df, do, dg = dc * g, dc * c[t], dh * np.tanh(c[t + 1]), dc * i
        da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
        dWx += x[:, t].T @ da
        dWh += h[t].T @ da
        db += da.sum(axis=0)
        dh = da @ Wh.T
        dc = dc * f
    return loss, {"Wx": dWx, "Wh": dWh, "b": db, "w": dw}


@chapter.cases(debug_lstm_gradients)
def debug_cases(rng):
    for n, t, d, h in ((4, 3, 2, 5), (3, 5, 4, 2), (6, 2, 3, 4)):
        _, _, _, Wx, Wh, b = _cell(rng, n, d, h)
        x, y, w = rng.normal(0, 1, (n, t, d)), rng.normal(0, 1, n), rng.normal(0, 1, h)
        yield Case((x, y, Wx, Wh, b, w), label=f"N = {n}, T = {t}, D = {d}, H = {h}")


# In the order in which measuring finds them: T = 1 shows the first three, T = 2 the last.
PLANTED = {
    "tanh": "With T = 1 even the blocks i and g are off: what lies between next_h and the cell?",
    "forget": "With T = 1 the cell before the step is zero, so the forget gate can have no "
    "gradient. Does its block of db say so?",
    "recurrent": "db is right where dWh is not. Which hidden state was multiplied with Wh in "
    "step t?",
    "carry": "With T = 1 all is right, with T = 2 it is not. What does dc pass on its way to the "
    "step before?",
}
for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(
            debug_lstm_gradients, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        )(_planted(_bugs))


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "lstm_q1",
    "One LSTM cell: prev_c = 2, and the four blocks come out as i = 0.5, f = 0.25, o = 1, g = -1. "
    "What is next_c? Answer with a number.",
    answer=0.0,
    wrong={
        1.5: "The candidate enters through i: 0.5 * (-1), and the old cell through f.",
        -0.5: "The old cell is missing: f * prev_c is 0.5.",
        0.75: "Input and forget gate look exchanged: 0.5 * 2 + 0.25 * (-1). f stands before the "
        "old cell, i before the candidate.",
        1.0: "The signs: 0.5 + 0.5 * (-1).",
    },
    explanation="next_c = f * prev_c + i * g = 0.5 - 0.5 = 0. The forget gate decides what is "
    "kept, the input gate what is taken in. The output gate has no say in next_c; it decides what "
    "next_h shows.",
)
chapter.quiz(
    "lstm_q2",
    "What do the gates of a standard LSTM, without peepholes, see at step t?",
    choices={
        "a": "the input x_t and the hidden state of step t - 1",
        "b": "the input x_t, the hidden state and the same gate of step t - 1",
        "c": "the input x_t and the cell of step t - 1",
        "d": "all inputs up to step t",
    },
    answer="a",
    wrong={
        "b": "A gate does not see what it was one step before; some texts print this. Only h and "
        "c go from step to step.",
        "c": "That would be a peephole. Without one, a gate sees the cell only through h.",
        "d": "Earlier inputs reach it through the hidden state only.",
    },
    explanation="a = x Wx + prev_h Wh + b, cut into four blocks: that is all. The check of dWh "
    "shows which path is used.",
)
chapter.quiz(
    "lstm_q3",
    "f = 1 and i = 0 in all steps from 10 to 60. By what factor has the gradient of the cell "
    "changed on its way from step 60 to step 10, along the cell? Answer with a number.",
    answer=1.0,
    wrong={
        0: "i = 0 closes the way for new things. The old cell passes through f.",
        50: "The factors are multiplied, not added.",
        0.0025: "A gate's sigmoid has a slope of at most 1/4, but the path along the cell does "
        "not go through it: its factor is f itself.",
    },
    explanation="dc is multiplied by f in each step: 1 ** 50 = 1. This path was called the "
    "constant error carousel. With f = 0.9 the factor is 0.005.",
)
chapter.quiz(
    "lstm_q4",
    '"An LSTM solves the problem of vanishing AND exploding gradients." Which sentence is right?',
    choices={
        "a": "Both are solved by the forget gate",
        "b": "Only exploding gradients are solved, by tanh",
        "c": "Neither: the gates are sigmoids, so the gradients vanish faster",
        "d": "Vanishing is made milder, as long as f is near 1; gradients can still explode, and "
        "are clipped",
    },
    answer="d",
    wrong={
        "a": "f is at most 1, so the cell's own path cannot explode. The other paths, through Wh, "
        "can: the lesson measures it.",
        "b": "tanh bounds the values, not the gradients: they are multiplied by Wh as well.",
        "c": "The path along the cell does not go through a sigmoid; its factor is f.",
    },
    explanation="The cell is one path of several. Gradients that go round through h and Wh are "
    "multiplied by Wh in each step, as in a plain recurrent net.",
)
chapter.quiz(
    "lstm_q5",
    "How many weights and biases has an LSTM with D = 10 inputs and H = 20 hidden units (without "
    "an output layer)? Answer with a number.",
    answer=2480,
    wrong={
        620: "That is one block: (10 + 20 + 1) * 20. There are four of them.",
        1860: "That is a GRU, with three blocks. The candidate counts too.",
        2400: "The biases are missing: 4 * 20.",
        24800: "The length of the sequence does not enter: the weights are shared over time.",
    },
    explanation="4 * (D + H + 1) * H. The same weights serve every step, so a sequence of 1000 "
    "steps needs no more of them than one of 10. A plain RNN has a quarter of it.",
)
chapter.quiz(
    "lstm_q6",
    "A GRU has no cell beside its hidden state. Where does it keep things?",
    choices={
        "a": "nowhere; that is why it forgets faster than a plain RNN",
        "b": "in the reset gate",
        "c": "in h itself: the update gate z keeps a share of it unchanged",
        "d": "in the weights",
    },
    answer="c",
    wrong={
        "a": "It keeps: next_h = z * prev_h + (1 - z) * n. A plain RNN has no such term.",
        "b": "The reset gate decides what the candidate sees of the past. It stores nothing.",
        "d": "The weights are the same for every sequence. They are memory of the training.",
    },
    explanation="With z near 1 the state and its gradient pass unchanged, as with f near 1. A "
    "plain RNN rewrites its hidden state from x_t and h_{t-1} at every step.",
)
chapter.quiz(
    "lstm_q7",
    "In a plain recurrent net a gradient shrinks by a factor of 0.9 with every step back. How much "
    "of it is left after 50 steps? Answer with a number.",
    answer=0.9**50,
    wrong={
        45: "The factor is applied 50 times: a power, not a product.",
        0: "It is small, not zero. Write 0.9**50.",
        0.1: "The factor is applied 50 times: 0.9**50.",
    },
    rtol=0.03,
    explanation="0.9 ** 50 is about 0.005. The net can still represent a long memory. What fails "
    "is learning it: the signal that would teach it arrives two hundred times weaker than the "
    "signal from the last step.",
)
chapter.quiz(
    "lstm_q8",
    'A text calls peephole connections "the unit gate". What are they?',
    choices={
        "a": "a fourth gate beside i, f and o",
        "b": "connections that let the gates see the cell",
        "c": "connections that let the cell see the input",
        "d": "another name for the candidate g",
    },
    answer="b",
    wrong={
        "a": "They open and close nothing. They are three more vectors of weights, inside the "
        "gates that are there.",
        "c": "The cell sees the input in any case, through i * g.",
        "d": "The candidate is what would be taken in. A peephole adds nothing to it.",
    },
    explanation="i and f get p_i * c_{t-1} and p_f * c_{t-1}, o gets p_o * c_t: 3 H weights more. "
    "Without them a gate that is shut by o cannot know what the cell holds.",
)
chapter.quiz(
    "lstm_q9",
    "Reviews of 3 to 40 words are to be classified as good or bad. They are padded at the end to "
    "40 words and read by an LSTM. Which hidden state should the classifier read?",
    choices={
        "a": "the one of step 40, for every review",
        "b": "the one of step 1",
        "c": "the one of each review's last real word",
        "d": "any: they all hold the whole review",
    },
    answer="c",
    wrong={
        "a": "A short review has been followed by 37 padding words by then. The net would have to "
        "learn to ignore them.",
        "b": "It has seen one word only.",
        "d": "A state knows what came before it, and nothing of what comes after.",
    },
    explanation="Many to one: the state after the last real word has read everything. Others are "
    "a mean over the real words, or padding in front. A mask does either.",
)
chapter.quiz(
    "lstm_q10",
    "Sequence to sequence with teacher forcing: what does the decoder get as its input at step t "
    "while it is TRAINED?",
    choices={
        "a": "the right output of step t",
        "b": "the right output of step t - 1",
        "c": "its own output of step t - 1",
        "d": "input number t of the encoder",
    },
    answer="b",
    wrong={
        "a": "That is what it is asked for: it would have to copy only.",
        "c": "That is how it runs later, when nobody knows the right output.",
        "d": "The encoder has read it. In this plain form the decoder gets its last state, once.",
    },
    explanation="The first input is a start sign, then each right symbol, one step late. In use, "
    "its own last symbol takes that place, so one slip can lead to the next.",
)
chapter.quiz(
    "lstm_q11",
    "A forecast of a yearly series is to be judged. Which procedure is sound?",
    choices={
        "a": "shuffle all windows, 80 % for training, 20 % for the test",
        "b": "report the error on the years that chose the number of units",
        "c": "compare with zero as the forecast",
        "d": "train on the past, choose on later years, test on the last ones, and compare with "
        "last value, seasonal value and a linear autoregression",
    },
    answer="d",
    wrong={
        "a": "Windows overlap: a test window has most of its years in training, and the future "
        "helps to predict the past.",
        "b": "Those years have been used up by the choice.",
        "c": "Anything beats zero. Last year's value is the least that a forecast must beat.",
    },
    explanation="Order matters twice: nothing from the future may be used, not even its mean and "
    "deviation. The simple rivals tell whether the net has found anything at all.",
)
chapter.quiz(
    "lstm_q12",
    "Sequences of 1000 steps. Which way of handling them can NOT compute all its steps at the same "
    "time?",
    choices={
        "a": "a recurrent layer: step t needs the state of step t - 1",
        "b": "a convolution along time",
        "c": "attention from every step to every other",
        "d": "an affine layer applied to each step",
    },
    answer="a",
    wrong={
        "b": "Each window stands for itself. Its price: far steps meet only after many layers.",
        "c": "All pairs are one matrix product. Its price grows with the square of the length.",
        "d": "Each step stands for itself, and none knows of another.",
    },
    explanation="The state is what makes a recurrent layer cheap in memory when it runs, and slow "
    "to train. Chapter 10 tries the convolution, chapter 17 attention.",
)
