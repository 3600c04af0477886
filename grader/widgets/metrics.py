"""Chapter 14: one threshold through every view of a classifier, and a class that grows rare."""

import math
from collections.abc import Callable

import numpy as np
from matplotlib.patches import Rectangle

from . import learner, style
from .controls import log_slider, slider, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

POSITIVE, NEGATIVE = style.RED, style.BLUE  # the two classes, in every view of this chapter
CELLS = [  # name, column (predicted), row (true) from below, colour
    ("TN", 0, 1, NEGATIVE),
    ("FP", 1, 1, NEGATIVE),
    ("FN", 0, 0, POSITIVE),
    ("TP", 1, 0, POSITIVE),
]


def curves(y_true: np.ndarray, y_score: np.ndarray):
    """Thresholds from high to low (inf first), with true and false positives at each."""
    t = np.append(np.inf, np.unique(y_score)[::-1])
    passed = y_score >= t[:, None]
    return t, (passed & (y_true == 1)).sum(axis=1), (passed & (y_true == 0)).sum(axis=1)


def sample(seed: int = 14):
    """Labels and scores of an imaginary screening: 40 positives, 160 negatives."""
    rng = np.random.default_rng(seed)
    y = np.repeat([1, 0], [40, 160])
    logit = rng.normal(0, 1.2, 200) + 2.4 * y - 1.4
    return y, np.round(1 / (1 + np.exp(-logit)), 3)


def own_curve(f: Callable, y_true, y_score, count: int = 2):
    """The first arrays of a learner's curve, of one length."""
    result = learner.call(f, y_true, y_score)
    name = learner.name_of(f)
    if not isinstance(result, (tuple, list)) or len(result) < count:
        raise LearnerProblem(f"`{name}` should return three arrays.")
    try:
        x, y = (np.asarray(part, dtype=float) for part in result[:2])
    except (TypeError, ValueError):
        raise LearnerProblem(f"`{name}` should return arrays of numbers.") from None
    if x.ndim != 1 or x.shape != y.shape:
        raise LearnerProblem(f"`{name}` gave arrays of shapes {x.shape} and {y.shape}.")
    return x, y


def explore_threshold(
    y_true: np.ndarray | None = None,
    y_score: np.ndarray | None = None,
    roc_curve: Callable | None = None,
    precision_recall_curve: Callable | None = None,
    predict: str | None = "The threshold goes down from the top. Which two of the four counts can "
    "only grow, and which way do the two points below travel? Say it, then drag.",
) -> Explorer:
    """Score histograms, confusion matrix, ROC and precision-recall curve under one threshold.

    Parameters
    ----------
    y_true : (N,) int array, 0 or 1; an imaginary screening if not given
    y_score : (N,) array, the higher, the more positive
    roc_curve : the learner's ``roc_curve(y_true, y_score) -> (fpr, tpr, thresholds)``, in orange
    precision_recall_curve : the learner's, in orange, as ``(precision, recall, thresholds)``
    predict : the question above the picture
    """
    if y_true is None or y_score is None:
        y_true, y_score = sample()
    y_true, y_score = np.asarray(y_true), np.asarray(y_score, dtype=float)
    n, positives = len(y_true), max(int(np.sum(y_true == 1)), 1)
    negatives = max(n - int(np.sum(y_true == 1)), 1)
    t_all, tp_all, fp_all = curves(y_true, y_score)
    recall, fpr = tp_all / positives, fp_all / negatives
    precision = tp_all[1:] / (tp_all + fp_all)[1:]
    area = float(np.trapezoid(recall, fpr))
    low, high = float(y_score.min()), float(y_score.max())
    margin = 0.02 * (high - low or 1)
    with style.rc():
        figure, (bars, table, roc, pr) = style.subplots(2, 2, size=(8.6, 5.2))
        bins = np.linspace(low, high, 25)
        for c, colour, label in ((0, NEGATIVE, "negative"), (1, POSITIVE, "positive")):
            mine = y_score[y_true == c]
            weights = np.full(len(mine), 1 / max(len(mine), 1))
            bars.hist(mine, bins, weights=weights, color=colour, alpha=0.55, label=label)
        bars.set(title="scores", xlabel="score", ylabel="share of the class")
        bars.legend(loc="upper right")
        line = bars.axvline(0, color=style.HERE, lw=2)
        boxes, texts = [], []
        for name, x, y, colour in CELLS:
            boxes.append(table.add_patch(Rectangle((x, y), 0.96, 0.94, color=colour, alpha=0.2)))
            texts.append(
                table.text(x + 0.48, y + 0.47, name, ha="center", va="center", fontsize=14)
            )
        table.set(title="confusion matrix", xlim=(0, 2), ylim=(0, 2))
        table.set_xticks([0.48, 1.48], ["predicted 0", "predicted 1"])
        table.set_yticks([1.47, 0.47], ["true 0", "true 1"])
        table.grid(False)
        table.tick_params(length=0)
        for spine in table.spines.values():
            spine.set_visible(False)
        roc.plot([0, 1], [0, 1], color=style.GREY, lw=1.2, ls=":")
        pr.axhline(positives / n, color=style.GREY, lw=1.2, ls=":")
        paths = [ax.plot([], [], color=style.REFERENCE)[0] for ax in (roc, pr)]
        dots = [
            ax.plot([0], [0], "o", ms=9, color=style.HERE, mec="white", clip_on=False)[0]
            for ax in (roc, pr)
        ]
        mine = {"color": style.LEARNER, "ls": (0, (4, 2)), "lw": 2.6}
        owns = [ax.plot([], [], **mine)[0] for ax in (roc, pr)]
        box = {"xlim": (-0.02, 1.02), "ylim": (-0.03, 1.05)}
        roc.set(title="ROC", xlabel="false positive rate", ylabel="recall", **box)
        pr.set(title="precision and recall", xlabel="recall", ylabel="precision", **box)
    picture = LiveFigure(
        figure,
        [line, *boxes, *texts, *paths, *owns, *dots],
        alt="Four views of one threshold: histograms of the scores of both classes, the confusion "
        "matrix, the point on the ROC curve and the point on the precision-recall curve.",
    )
    drawn: dict = {"problem": "", "seen": None}
    for f, own, swap in ((roc_curve, owns[0], False), (precision_recall_curve, owns[1], True)):
        if f is None:
            continue
        try:
            x, y = own_curve(f, y_true, y_score)
            own.set_data(*((y, x) if swap else (x, y)))
        except LearnerProblem as problem:
            drawn["problem"] += f" {problem}"

    def move(threshold, whole):
        seen = drawn["seen"] or [threshold, threshold]
        drawn["seen"] = seen = [min(seen[0], threshold), max(seen[1], threshold)]
        k = int(np.searchsorted(-t_all, -threshold, side="right")) - 1  # scores >= threshold pass
        tp, fp = int(tp_all[k]), int(fp_all[k])
        fn, tn = positives - tp, negatives - fp
        shares = (tn / negatives, fp / negatives, fn / positives, tp / positives)
        for patch, text, cell, count, share in zip(
            boxes, texts, CELLS, (tn, fp, fn, tp), shares, strict=True
        ):
            patch.set_alpha(0.08 + 0.72 * share)
            text.set_text(f"{cell[0]}\n{count}")
        line.set_xdata([threshold, threshold])
        visited = slice(None)
        if not whole:
            first, last = (int(np.searchsorted(-t_all, -s, side="right")) - 1 for s in seen[::-1])
            visited = slice(first, last + 1)
        paths[0].set_data(fpr[visited], recall[visited])
        ends = np.append(np.nan, precision)
        paths[1].set_data(recall[visited], ends[visited])
        dots[0].set_data([fpr[k]], [recall[k]])
        dots[1].set_data([recall[k]], [ends[k]])
        number = style.number
        right = (tp + tn) / n
        p = tp / (tp + fp) if tp + fp else 0.0
        f1 = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0
        reading = (
            f"threshold {number(threshold, 2)}: accuracy **{number(right)}**, precision "
            f"**{number(p)}**, recall **{number(recall[k])}**, specificity "
            f"**{number(tn / negatives)}**, F1 **{number(f1)}**. Area under the ROC curve: "
            f"{number(area)}, at every threshold."
        )
        return reading, drawn["problem"].strip()

    top = high + margin
    step = float(f"{(top - low + margin) / 200:.1g}")
    controls = {
        "threshold": slider("threshold", top, low - margin, top, step),
        "whole": toggle("show the whole curves", roc_curve is not None),
    }
    caption = (
        "Everybody right of the black line is predicted positive. Each cell is as dark as its "
        "share of the true class. Dotted: what guessing gives. The curves contain every threshold "
        "at once; the dots are this one."
    )
    middle = float(np.median(y_score[y_true == 1])) if np.any(y_true == 1) else top
    return explorer(
        picture, move, controls, predict, caption, still={"whole": True, "threshold": middle}
    )


# --- a class that grows rare ---------------------------------------------------------------------

X = np.linspace(-4, 8, 481)
_TAIL = np.array([0.5 * math.erfc(x / math.sqrt(2)) for x in np.linspace(-12, 12, 2401)])


def tail(x):
    """The share of a standard normal that lies above x."""
    return np.interp(x, np.linspace(-12, 12, 2401), _TAIL)


def explore_imbalance(
    metric: Callable | None = None,
    predict: str | None = "The model and its threshold stay as they are, and the positives become "
    "rare: 1 in 2, 1 in 10, 1 in 100. Which of the two curves moves? And the accuracy: up or down?",
) -> Explorer:
    """Scores of two classes while one grows rare: counts, ROC and precision-recall curve.

    The scores of the negatives are normal around 0, those of the positives around `separation`.

    Parameters
    ----------
    metric : the learner's ``metric(y_true, y_pred)``, asked about 10,000 people
    predict : the question above the picture
    """
    with style.rc():
        figure, (left, roc, pr) = style.subplots(
            1, 3, size=(8.6, 3.3), gridspec_kw={"width_ratios": [1.25, 1, 1]}
        )
        hills = [
            left.plot(X, X, color=colour, label=label)[0]
            for colour, label in ((NEGATIVE, "negative"), (POSITIVE, "positive"))
        ]
        line = left.axvline(0, color=style.HERE, lw=1.6)
        left.set(title="scores of 1000 people", xlabel="score", ylabel="people per unit of score")
        left.set(xlim=(-4, 8), ylim=(-8, 420))
        left.legend(loc="upper right")
        roc.plot([0, 1], [0, 1], color=style.GREY, lw=1.2, ls=":")
        paths = [ax.plot(X, X, color=style.REFERENCE)[0] for ax in (roc, pr)]
        base = pr.axhline(0.5, color=style.GREY, lw=1.2, ls=":")
        dots = [
            ax.plot([0], [0], "o", ms=9, color=style.HERE, mec="white", clip_on=False)[0]
            for ax in (roc, pr)
        ]
        box = {"xlim": (-0.03, 1.03), "ylim": (-0.03, 1.05)}
        roc.set(title="ROC", xlabel="false positive rate", ylabel="recall", **box)
        pr.set(title="precision, recall", xlabel="recall", ylabel="precision", **box)
    picture = LiveFigure(
        figure,
        [*hills, line, *paths, base, *dots],
        alt="Left: how many people have which score, for both classes. Middle: the ROC curve. "
        "Right: the precision-recall curve. A point marks the threshold on both curves.",
    )

    def move(share, separation, threshold):
        hill = np.exp(-0.5 * X**2) / math.sqrt(2 * math.pi)
        hills[0].set_ydata(1000 * (1 - share) * hill)
        hills[1].set_ydata(1000 * share * np.interp(X - separation, X, hill, 0, 0))
        line.set_xdata([threshold, threshold])
        t = np.append(X[::-1], threshold)  # the last entry is the threshold itself
        fpr, recall = tail(t), tail(t - separation)
        found, alarms = share * recall, (1 - share) * fpr
        precision = found / np.maximum(found + alarms, 1e-300)
        paths[0].set_data(fpr[:-1], recall[:-1])
        paths[1].set_data(recall[:-1], precision[:-1])
        base.set_ydata([share, share])
        dots[0].set_data(fpr[-1:], recall[-1:])
        dots[1].set_data(recall[-1:], precision[-1:])
        n = style.number
        area = float(tail(-separation / math.sqrt(2)))
        ap = float(np.sum(precision[1:-1] * np.diff(recall[:-1])))
        counts = [1000 * float(v[-1]) for v in (found, alarms, share - found)]
        right = 1 - float(alarms[-1]) - share + float(found[-1])
        reading = (
            f"Of 1000 people {n(1000 * share, 1)} are positive: {n(counts[0], 1)} found, "
            f"{n(counts[2], 1)} missed, {n(counts[1], 1)} false alarms. Recall "
            f"**{n(float(recall[-1]))}**, precision **{n(float(precision[-1]))}**, accuracy "
            f"**{n(right)}**; saying no to everybody: {n(1 - share)}. Area under ROC **{n(area)}**,"
            f" average precision **{n(ap)}**."
        )
        if metric is None:
            return reading
        try:
            value = _ask(metric, [round(10 * c) for c in counts])
        except LearnerProblem as problem:
            return reading, str(problem)
        return f"{reading} `{learner.name_of(metric)}` on 10,000 such people: **{n(value)}**."

    def _ask(metric, counts):
        tp, fp, fn = counts
        sizes = [tp, fp, fn, max(10000 - tp - fp - fn, 0)]
        true, pred = np.repeat([1, 0, 1, 0], sizes), np.repeat([1, 1, 0, 0], sizes)
        return float(learner.as_array(learner.call(metric, true, pred), (), metric))

    controls = {
        "share": log_slider("share of positives", 0.5, -3, -0.30103, 0.02, ".3f"),
        "separation": slider("separation", 2.0, 0.5, 4.0, 0.1, ".1f"),
        "threshold": slider("threshold", 1.5, -2.0, 6.0, 0.1, ".1f"),
    }
    caption = (
        "The ROC curve looks at each class on its own, so their ratio does not enter. The "
        "precision counts alarms from both: dotted, the precision of alarming everybody."
    )
    return explorer(picture, move, controls, predict, caption, still={"share": 0.02})
