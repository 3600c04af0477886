"""Chapter 14, metrics: what is counted, over what it is divided, and on which rows.

Scores come in ties, and a curve can be written down in more than one right way. So curves are
checked by drivers that reduce them to their corners, and scores travel as tuples: the checker
moves float arrays a little to learn how exact an answer can be, and would break the ties.
"""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("14_metrics", "Metrics, validation, imbalance")

EPSILON = 1e-6  # a quotient with 1e-8 added below to avoid 0/0 is right as well
IN_FULL = "The whole answer stands in `solutions/14_metrics`."


def _declare(answer, rule, bugs):
    """Mistakes of an answer whose `rule(*args, bug=...)` can make all of them."""
    for bug, (message, remedy) in bugs.items():

        def wrong(*args, bug=bug, **kwargs):
            with np.errstate(all="ignore"):
                return rule(*args, bug=bug, **kwargs)

        chapter.mistake(answer, bug, message, remedy)(wrong)


# --- labels: cases that every metric of two classes shares ---------------------------------------


def _from_counts(rng, tp, fp, fn, tn):
    """Labels and predictions with these four counts, in a random order."""
    true = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    pred = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
    order = rng.permutation(len(true))
    return true[order], pred[order]


def label_cases(rng):
    """Four counts, all different; then the degenerate ones."""
    named = [("TP 2, FP 1, FN 3, TN 5", (2, 1, 3, 5)), ("TP 2, FP 2, FN 3, TN 93", (2, 2, 3, 93))]
    for _ in range(3):
        counts = tuple(int(n) for n in rng.permutation(np.arange(2, 17))[:4])
        named.append(("TP {}, FP {}, FN {}, TN {}".format(*counts), counts))
    n = int(rng.integers(3, 8))
    named += [
        ("no positives, and none predicted", (0, 0, 0, n)),
        ("no positives, two predicted", (0, 2, 0, n)),
        ("positives, and none predicted", (0, 0, 2, n)),
        ("positives only", (n, 0, 2, 0)),
        ("all predicted positive", (n, 2, 0, 0)),
    ]
    for label, counts in named:
        yield Case(_from_counts(rng, *counts), label=label)


def _counts(y_true, y_pred):
    true, pred = y_true == 1, y_pred == 1
    return (np.sum(true & pred), np.sum(~true & pred), np.sum(true & ~pred), np.sum(~true & ~pred))


def _quotient(a, b, bug=""):
    """a / b with 0/0 = 0, unless the bug is about that."""
    if bug == "zero_by_zero":
        return np.float64(a) / np.float64(b)
    if bug == "division_error":
        return int(a) / int(b)
    if bug == "zero_by_zero_is_one":
        return a / b if b else 1.0
    return a / b if b else 0.0


ZERO_BUGS = {
    "zero_by_zero": (
        "Where nothing is there to count, 0/0 gives nan. In this course it counts as 0.",
        "Look at the divisor first; if it is 0, return 0.0.",
    ),
    "division_error": (
        "Where nothing is there to count, the division stops with an error. Here 0/0 counts as 0.",
        "Look at the divisor first; if it is 0, return 0.0.",
    ),
    "zero_by_zero_is_one": (
        "Where nothing is there to count, the result is 1. In this course 0/0 counts as 0.",
        "If the divisor is 0, return 0.0.",
    ),
}

# Every quotient of the four counts that is taken for another one.
QUOTIENTS = {
    "accuracy": lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn),
    "precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "recall": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "missed": lambda tp, fp, fn, tn: (fn, tp + fn),
    "false_alarms": lambda tp, fp, fn, tn: (fp, fp + tn),
    "error_rate": lambda tp, fp, fn, tn: (fp + fn, tp + fp + fn + tn),
    "share_of_all": lambda tp, fp, fn, tn: (tp, tp + fp + fn + tn),
    "negative_value": lambda tp, fp, fn, tn: (tn, tn + fn),
    "false_discoveries": lambda tp, fp, fn, tn: (fp, tp + fp),
}
TAKEN_FOR = {
    "accuracy": "These values equal the accuracy, (TP + TN) / N.",
    "precision": "These values equal the precision, TP / (TP + FP): of those predicted positive.",
    "recall": "These values equal the recall, TP / (TP + FN): of those that are positive.",
    "specificity": "These values equal the specificity, TN / (TN + FP): the recall of class 0. "
    "Which class is the positive one?",
    "missed": "These values equal FN / (TP + FN), the share that is missed.",
    "false_alarms": "These values equal FP / (FP + TN), the share of false alarms among the "
    "negatives.",
    "error_rate": "These values equal the share of errors, (FP + FN) / N.",
    "share_of_all": "These values equal TP / N: divided by all examples.",
    "negative_value": "These values equal TN / (TN + FN): of those predicted negative.",
    "false_discoveries": "These values equal FP / (TP + FP), the share of the predicted positives "
    "that is wrong.",
}


def _quotient_mistakes(answer, right, remedy, taken):
    """The mistakes of a quotient: other quotients, and 0/0."""

    def rule(y_true, y_pred, bug):
        counts = _counts(y_true, y_pred)
        return _quotient(*QUOTIENTS[bug if bug in taken else right](*counts), bug)

    bugs = {bug: (TAKEN_FOR[bug], remedy) for bug in taken}
    _declare(answer, rule, bugs | (ZERO_BUGS if right != "accuracy" else {}))


# --- the table of all outcomes -------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="table",
    difficulty=1,
    minutes=8,
    hints=(
        "Every example is one count in one cell. Which row, and which column?",
        "Start with zeros of shape (C, C). For each example, add 1 at row y_true, column y_pred. "
        "`table[y_true, y_pred] += 1` on whole arrays counts a repeated cell once only.",
        "`np.add.at(table, (y_true, y_pred), 1)`, or a loop over the pairs. " + IN_FULL,
    ),
    afterthought="Which sum over this table gives the accuracy? Which one the number of examples "
    "of each true class?",
)
def confusion_matrix(y_true, y_pred, num_classes):
    """How often each true class was predicted as each class.

    Parameters
    ----------
    y_true : (N,) int array
        True classes, 0 to C - 1.
    y_pred : (N,) int array
        Predicted classes.
    num_classes : int
        C. A class may be missing from both arrays.

    Returns
    -------
    table : (C, C) array
        Entry [i, j] counts the examples of true class i that were predicted as class j.
    """
    table = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(table, (y_true, y_pred), 1)
    return table


@chapter.cases(confusion_matrix)
def confusion_cases(rng):
    yield Case((*_from_counts(rng, 2, 1, 3, 5), 2), label="two classes, N = 11")
    for n, c, used in [(23, 3, 3), (40, 5, 4), (31, 7, 5)]:
        true, pred = rng.integers(0, used, n), rng.integers(0, used, n)
        true[:4], pred[:4] = [0, 0, 1, 2], [1, 1, 0, 2]  # lopsided, and a repeated cell
        label = f"N = {n}, C = {c}" + (f", classes {used} and up never occur" if used < c else "")
        yield Case((true, pred, c), label=label)


def _confusion(y_true, y_pred, num_classes, bug):
    c = num_classes
    if bug == "size_from_data":
        c = int(max(y_true.max(), y_pred.max())) + 1
    table = np.zeros((c, c), dtype=int)
    if bug == "counted_once":
        table[y_true, y_pred] += 1
        return table
    np.add.at(table, (y_true, y_pred), 1)
    if bug == "transposed":
        return table.T
    if bug == "positive_first":
        return table[::-1, ::-1]
    if bug == "diagonal_only":
        return np.diag(np.diag(table))
    if bug == "shares":
        return table / len(y_true)
    if bug == "shares_of_rows":
        return table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return table


_declare(
    confusion_matrix,
    _confusion,
    {
        "transposed": (
            "Rows and columns are exchanged: the row is the true class, the column the predicted "
            "one.",
            "`table[y_true, y_pred]`, in this order.",
        ),
        "counted_once": (
            "Each cell holds 0 or 1: `table[y_true, y_pred] += 1` on whole arrays adds once to a "
            "cell, however often it occurs.",
            "`np.add.at(table, (y_true, y_pred), 1)`, or a loop.",
        ),
        "size_from_data": (
            "The table has as many rows as there are classes in the data. A class that does not "
            "occur has a row too.",
            "`np.zeros((num_classes, num_classes))`.",
        ),
        "positive_first": (
            "The order of the classes is turned round: class 0 comes first, in rows and columns. "
            "(Medical tables often begin with the positive class.)",
            "Entry [i, j] belongs to true class i and predicted class j.",
        ),
        "diagonal_only": (
            "Only the right predictions are counted: everything off the diagonal is 0.",
            "Count every example, at row y_true and column y_pred.",
        ),
        "shares": ("These are shares of N, where counts are asked for.", "Do not divide."),
        "shares_of_rows": (
            "Each row is divided by its sum: these are shares of the true class. Counts are asked "
            "for.",
            "Do not divide.",
        ),
    },
)


# --- recall, F1 ----------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="recall",
    difficulty=1,
    minutes=5,
    rtol=EPSILON,
    hints=(
        "Of all that ARE positive, which share was found? Predictions that say positive and are "
        "wrong do not matter here.",
        "TP counts the examples where both arrays are 1. Divide by the number of ones in y_true, "
        "and think of the case that there is none.",
        "`tp = np.sum((y_true == 1) & (y_pred == 1))`, `positives = np.sum(y_true == 1)`, "
        "`return tp / positives if positives else 0.0`. " + IN_FULL,
    ),
    afterthought="Which prediction has a recall of 1 on every data set, without looking?",
)
def recall(y_true, y_pred):
    """Of the positives, the share that is found: TP / (TP + FN). Also called sensitivity.

    Parameters
    ----------
    y_true : (N,) int array
        0 or 1. Class 1 is the positive one.
    y_pred : (N,) int array
        0 or 1.

    Returns
    -------
    recall : float
        0.0 if there are no positives.
    """
    tp = np.sum((y_true == 1) & (y_pred == 1))
    positives = np.sum(y_true == 1)
    return tp / positives if positives else 0.0


chapter.cases(recall)(label_cases)
_quotient_mistakes(
    recall,
    "recall",
    "TP / (TP + FN): divide by all that are positive in `y_true`.",
    ("specificity", "precision", "accuracy", "missed", "share_of_all", "false_alarms"),
)


@chapter.exercise(
    points=3,
    returns="f1",
    difficulty=2,
    minutes=8,
    rtol=EPSILON,
    hints=(
        "F1 is one number for two: the precision TP / (TP + FP) and the recall TP / (TP + FN).",
        "The harmonic mean of P and R is 2 P R / (P + R). It is near the smaller of the two. "
        "Written with counts it has one divisor only: 2 TP / (2 TP + FP + FN).",
        "`tp`, `fp`, `fn` with `np.sum` over conditions joined by `&`; `below = 2 * tp + fp + fn`; "
        "`return 2 * tp / below if below else 0.0`. " + IN_FULL,
    ),
    afterthought="TN occurs nowhere in the formula. What happens to F1 when a million easy "
    "negatives are added?",
)
def f1_score(y_true, y_pred):
    """The harmonic mean of precision and recall.

    Parameters
    ----------
    y_true : (N,) int array
        0 or 1. Class 1 is the positive one.
    y_pred : (N,) int array
        0 or 1.

    Returns
    -------
    f1 : float
        0.0 where precision and recall are both 0 or cannot be computed.
    """
    tp = np.sum((y_true == 1) & (y_pred == 1))
    fp = np.sum((y_true == 0) & (y_pred == 1))
    fn = np.sum((y_true == 1) & (y_pred == 0))
    below = 2 * tp + fp + fn
    return 2 * tp / below if below else 0.0


chapter.cases(f1_score)(label_cases)


def _f_score(y_true, y_pred, beta=1.0, bug=""):
    tp, fp, fn, tn = _counts(y_true, y_pred)
    if bug == "class_0":
        tp, fp, fn, tn = tn, fn, fp, tp
    p, r = _quotient(tp, tp + fp, bug), _quotient(tp, tp + fn, bug)
    if bug == "with_specificity":
        r = _quotient(tn, tn + fp)
    if bug == "arithmetic_mean":
        return (p + r) / 2
    if bug == "geometric_mean":
        return np.sqrt(p * r)
    if bug == "product":
        return p * r
    if bug == "smaller_one":
        return min(p, r)
    if bug == "accuracy":
        return (tp + tn) / len(y_true)
    if bug == "tn_for_tp":
        return _quotient(2 * tn, 2 * tn + fp + fn)
    square = {"beta_not_squared": beta, "swapped": 1 / beta**2, "f1": 1.0}.get(bug, beta**2)
    above = {"half": 1.0, "factor_missing": 1.0, "factor_2": 2.0}.get(bug, 1 + square) * p * r
    return _quotient(above, square * p + r, bug)


MEAN_BUGS = {
    "arithmetic_mean": (
        "These values equal the ordinary mean, (P + R) / 2. It is 0.5 for a model that says "
        "positive to everyone; the harmonic mean is not fooled.",
        "2 P R / (P + R).",
    ),
    "geometric_mean": (
        "These values equal the root of P times R: the geometric mean.",
        "2 P R / (P + R).",
    ),
    "product": ("These values equal P times R: the quotient is missing.", "2 P R / (P + R)."),
}

_declare(
    f1_score,
    _f_score,
    {
        **MEAN_BUGS,
        "half": (
            "These values are half of the right ones: the factor 2 is missing.",
            "2 P R / (P + R).",
        ),
        "smaller_one": ("These values equal the smaller of P and R.", "2 P R / (P + R)."),
        "with_specificity": (
            "These values fit a recall of TN / (TN + FP): that is the specificity.",
            "Recall is TP / (TP + FN).",
        ),
        "class_0": (
            "These values equal the F1 of class 0. Class 1 is the positive one here.",
            "TP counts the examples where both arrays are 1.",
        ),
        "accuracy": (TAKEN_FOR["accuracy"], "F1 leaves the true negatives out."),
        "zero_by_zero": ZERO_BUGS["zero_by_zero"],
        "division_error": ZERO_BUGS["division_error"],
    },
)


# --- ROC -----------------------------------------------------------------------------------------


def _score_sets(rng):
    """(label, y_true, scores): sixty-fourths, exact in every precision, with ties."""

    def draw(n, positives, levels, low=1, high=63):
        y = rng.permutation(np.repeat([1, 0], [positives, n - positives]))
        few = np.sort(rng.choice(np.arange(low, high), levels, replace=False))
        place = rng.normal(0, 1, n) + 1.3 * y
        rank = np.argsort(np.argsort(place)) * levels // n
        return y, tuple((few[rank] / 64).tolist())

    y = np.array([0, 1, 1, 0, 1, 0, 0])
    yield "N = 7, no ties", y, (0.125, 0.875, 0.5, 0.625, 0.25, 0.375, 0.0625)
    yield "N = 19, no ties", *draw(19, 7, 19)
    yield "N = 24 with 8 distinct scores", *draw(24, 9, 8)
    yield "N = 31, scores from -3 to 5", *draw(31, 11, 17, -190, 330)


def _degenerate_sets(rng):
    n = int(rng.integers(4, 9))
    some = tuple((rng.permutation(np.arange(3, 60))[:n] / 64).tolist())
    yield "all scores equal", np.arange(n) % 2, (0.375,) * n
    yield "no positives", np.zeros(n, int), some
    yield "positives only", np.ones(n, int), some


def drive_roc(roc_curve, y_true, scores):
    """Corners of the curve, each with the lowest score that its threshold lets through."""
    y_score = np.array(scores)
    found = roc_curve(y_true, y_score.copy())
    if found is None:
        return None, None, None
    if not isinstance(found, (tuple, list)) or len(found) < 3:
        raise TypeError("three arrays are expected: fpr, tpr, thresholds")
    if all(item is None for item in found):
        return None, None, None
    fpr, tpr, thresholds = (np.asarray(item, dtype=float) for item in found[:3])
    if fpr.ndim != 1 or not fpr.shape == tpr.shape == thresholds.shape:
        raise ValueError(
            f"fpr, tpr, thresholds have shapes {fpr.shape}, {tpr.shape}, {thresholds.shape}; "
            "three arrays with one entry for each point are expected"
        )
    passed = np.append(np.sort(y_score), np.inf)
    at = passed[np.searchsorted(passed[:-1], thresholds)]
    at[np.isnan(thresholds)] = np.nan
    points = [[float(v) for v in point] for point in zip(fpr, tpr, at)]
    if points and points[0][2] < np.inf:
        points.insert(0, [0.0, 0.0, np.inf])  # a curve may leave its start out
    corners = []
    for x, y, t in points:
        if corners and abs(x - corners[-1][0]) < 1e-7 and abs(y - corners[-1][1]) < 1e-7:
            continue
        while len(corners) > 1:
            (x0, y0, _), (x1, y1, _) = corners[-2:]
            ahead = (x1 - x0) * (x - x1) + (y1 - y0) * (y - y1) > 0
            if not ahead or abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) > 1e-7:
                break
            corners.pop()  # on the straight line between its neighbours
        corners.append([x, y, t])
    corners = np.array(corners).reshape(-1, 3)
    return corners[:, 0], corners[:, 1], corners[:, 2]


@chapter.exercise(
    points=4,
    returns="fpr, tpr, thresholds",
    difficulty=3,
    minutes=16,
    rtol=EPSILON,
    hints=(
        "Start with a threshold that nobody reaches and lower it step by step. At each step, who "
        "is predicted positive? Count the right ones and the wrong ones.",
        "The thresholds are the distinct scores, from high to low: equal scores cross it together. "
        "At each: tpr = TP / positives, fpr = FP / negatives. Put (0, 0) in front, with inf.",
        "`t = np.append(np.inf, np.unique(y_score)[::-1])`, `passed = y_score >= t[:, None]` of "
        "shape (K, N), `tp = (passed & (y_true == 1)).sum(axis=1)`, `fp` with 0 in place of 1, "
        "then divide by `max(count, 1)`. " + IN_FULL,
    ),
    afterthought="Every score is replaced by its cube. What happens to the curve, and what to the "
    "thresholds?",
)
def roc_curve(y_true, y_score):
    """The ROC curve: false and true positive rate for every threshold that makes a difference.

    An example is predicted positive where y_score >= threshold.

    Parameters
    ----------
    y_true : (N,) int array
        0 or 1. Class 1 is the positive one.
    y_score : (N,) array
        The higher, the more positive. Not only 0 to 1, and some may be equal.

    Returns
    -------
    fpr : (K,) array
        FP / (FP + TN) at each threshold; 0 where there are no negatives.
    tpr : (K,) array
        TP / (TP + FN) at each threshold; 0 where there are no positives.
    thresholds : (K,) array
        From high to low: inf, which nobody reaches, then the distinct scores. (A curve that
        leaves out points on a straight line, or its start, is accepted as well.)

    Raises
    ------
    ValueError
        If a score is nan, with a sentence.
    """
    if np.isnan(y_score).any():
        raise ValueError("y_score contains nan: such an example has no place in the order.")
    thresholds = np.append(np.inf, np.unique(y_score)[::-1])  # (K,)
    passed = y_score >= thresholds[:, None]  # (K, N)
    tp = (passed & (y_true == 1)).sum(axis=1)  # (K,)
    fp = (passed & (y_true == 0)).sum(axis=1)
    return fp / max(np.sum(y_true == 0), 1), tp / max(np.sum(y_true == 1), 1), thresholds


@chapter.cases(roc_curve)
def roc_cases(rng):
    for sets in (_score_sets, _degenerate_sets):
        for label, y, scores in sets(rng):
            yield Case((y, scores), drive=drive_roc, label=label)


def drive_nan(curve, y_true, scores):
    """Is a nan among the scores refused with a sentence?"""
    try:
        result = curve(y_true, np.array(scores))
    except NotImplementedError:
        raise
    except Exception as problem:
        if not isinstance(problem, (ValueError, AssertionError)):
            return f"stopped with {type(problem).__name__}, not with a ValueError"
        return "refused with a sentence" if len(str(problem)) > 7 else "refused without a word"
    return None if result is None else "accepted"


def nan_cases(rng):
    y = np.array([0, 1, 1, 0, 1])
    yield Case((y, (0.5, 0.25, float("nan"), 0.75, 1.0)), drive=drive_nan, label="a score is nan")


NAN_REFUSED = (
    "A score that is nan is not refused with a ValueError and a sentence. Every comparison with "
    "nan is False, so such an example would be counted as negative, and nobody would know."
)
chapter.property(roc_curve, "nan_refused", NAN_REFUSED)(nan_cases)


def _roc(y_true, y_score, bug):
    if np.isnan(y_score).any() and bug != "nan_taken":
        raise ValueError("y_score contains nan")
    pos, neg = max(np.sum(y_true == 1), 1), max(np.sum(y_true == 0), 1)
    if bug == "ties_split":
        order = np.argsort(-y_score, kind="stable")
        hit = y_true[order] == 1
        return (
            np.append(0, np.cumsum(~hit)) / neg,
            np.append(0, np.cumsum(hit)) / pos,
            np.append(np.inf, y_score[order]),
        )
    t = np.append(np.inf, np.unique(y_score)[::-1])
    if bug == "fixed_grid":
        t = np.linspace(1, 0, 11)
    if bug == "last_missing":
        t = t[:-1]
    if bug == "low_is_positive":
        t = np.append(-np.inf, np.unique(y_score))
    passed = y_score > t[:, None] if bug == "strict" else y_score >= t[:, None]
    if bug == "low_is_positive":
        passed = y_score <= t[:, None]
    tp, fp = (passed & (y_true == 1)).sum(axis=1), (passed & (y_true == 0)).sum(axis=1)
    if bug == "counts":
        return fp, tp, t
    if bug == "divided_by_all":
        return fp / len(y_true), tp / len(y_true), t
    if bug == "false_discoveries":
        return fp / np.maximum(fp + tp, 1), tp / pos, t
    if bug == "precision_for_tpr":
        return fp / neg, tp / np.maximum(fp + tp, 1), t
    if bug == "zero_by_zero":
        return fp / np.sum(y_true == 0), tp / np.sum(y_true == 1), t
    fpr, tpr = fp / neg, tp / pos
    if bug == "axes_swapped":
        return tpr, fpr, t
    if bug == "specificity":
        return 1 - fpr, tpr, t
    if bug == "rising_thresholds":
        return fpr[::-1], tpr[::-1], t[::-1]
    return fpr, tpr, t


_declare(
    roc_curve,
    _roc,
    {
        "ties_split": (
            "Equal scores are passed one after the other. No threshold parts them, so they must "
            "make one step together; the curve depends on the order of the rows otherwise.",
            "One point for each DISTINCT score: `np.unique(y_score)`.",
        ),
        "strict": (
            "An example with a score equal to the threshold is predicted negative here: it looks "
            "like `y_score > threshold`. The last threshold then lets not everybody through.",
            "Predict positive where `y_score >= threshold`.",
        ),
        "axes_swapped": (
            "fpr and tpr are exchanged.",
            "Return fpr first: it is the horizontal axis.",
        ),
        "fixed_grid": (
            "The thresholds lie on a fixed grid from 0 to 1. Scores between two of its lines are "
            "thrown together, and scores outside are lost.",
            "Take the distinct scores themselves as thresholds.",
        ),
        "last_missing": (
            "The curve does not reach (1, 1): the lowest score is no threshold.",
            "Every distinct score is a threshold, the lowest too.",
        ),
        "low_is_positive": (
            "Low scores are predicted positive: the order, or the comparison, is turned round.",
            "Positive is `y_score >= threshold`, and the thresholds fall.",
        ),
        "rising_thresholds": (
            "The points are right, but they begin at (1, 1): the thresholds rise.",
            "From high to low: `np.unique(y_score)[::-1]`.",
        ),
        "counts": (
            "These are counts, TP and FP. A rate is divided: by the positives, or the negatives.",
            "tpr = TP / positives, fpr = FP / negatives.",
        ),
        "divided_by_all": (
            "Both are divided by N. The true positive rate is a share of the positives, the false "
            "positive rate a share of the negatives.",
            "tpr = TP / positives, fpr = FP / negatives.",
        ),
        "false_discoveries": (
            "fpr is FP / (FP + TP), a share of the PREDICTED positives. The false positive rate is "
            "a share of the negatives.",
            "fpr = FP / (FP + TN).",
        ),
        "precision_for_tpr": (
            "tpr is TP / (TP + FP): that is the precision.",
            "tpr = TP / (TP + FN), the recall.",
        ),
        "specificity": (
            "The first array is 1 - fpr, the specificity.",
            "fpr = FP / negatives.",
        ),
        "zero_by_zero": (
            "With one class only, one of the rates is 0/0, and nan. Here it counts as 0.",
            "Divide by `max(count, 1)`.",
        ),
        "nan_taken": (NAN_REFUSED, "`if np.isnan(y_score).any(): raise ValueError(...)`."),
    },
)


# --- stratified folds ----------------------------------------------------------------------------


def drive_folds(k_fold, y, k, seed, by_class):
    """What the pairs (train_rows, val_rows) have in common, in words."""
    n, rng = len(y), np.random.default_rng(seed)
    pairs = k_fold(y if by_class else n, k, rng)
    if pairs is None:
        return None, None, None
    folds = []
    for pair in pairs:
        train, val = (np.asarray(part) for part in pair)
        train, val = (p.nonzero()[0] if p.dtype == bool else p.astype(int) for p in (train, val))
        folds.append((train.tolist(), val.tolist()))
        if len(folds) > k + 3:
            break  # a loop without an end
    if len(folds) != k:
        return f"{len(folds)} folds", "not judged", "not judged"
    times = np.bincount([i for _, val in folds for i in val], minlength=n)
    validated = "each row once"
    if len(times) > n:
        validated = "rows that do not exist"
    elif times.min() == times.max() != 1:
        validated = f"each row {times.max()} times"
    elif times.max() > 1:
        validated = "some rows more than once" + ", others never" * int(times.min() == 0)
    elif times.min() == 0:
        validated = "some rows never"
    trained = "all other rows"
    for train, val in folds:
        if set(train) & set(val):
            trained = "rows of the validation fold too"
        elif sorted(train + val) != list(range(n)):
            trained = "not all other rows, or some twice"
    if len(times) > n:
        return validated, "not judged", "not judged"
    share = np.array([[np.sum(y[val] == c) for _, val in folds] for c in np.unique(y)])  # (C, k)
    shares = "even"
    if (np.ptp(share, axis=1) > 1).any():
        rest = (np.ptp(share[:, :-1], axis=1) == 0).all()
        shares = "uneven: the rest lies in the last fold" if rest else "uneven"
    return validated, trained, shares


def drive_fold_seeds(k_fold, y, k, seed, by_class):
    """Does the generator decide, and it alone?"""
    runs = []
    for s in (seed, seed, seed + 1):
        pairs = k_fold(y if by_class else len(y), k, np.random.default_rng(s))
        if pairs is None:
            return None
        runs.append([np.asarray(val).tolist() for _, val in pairs])
    if runs[0] != runs[1]:
        return "two generators with the same seed give different folds"
    return "another seed, the same folds" if runs[0] == runs[2] else "drawn from rng"


def _fold_cases(by_class):
    def cases(rng):
        for counts, k, sort in [
            ((17, 6), 3, False),
            ((40, 11), 4, True),
            ((23, 9, 14), 5, True),
            ((31, 2, 7), 3, False),
        ]:
            y = np.repeat(np.arange(len(counts)), counts)
            y = y if sort else rng.permutation(y)
            if not by_class:
                y = 0 * y
            label = f"N = {len(y)}, k = {k}"
            if by_class:
                label += f", classes of {', '.join(map(str, counts))}" + ", sorted" * sort
            seed = int(rng.integers(1000))
            yield Case((y, k, seed, by_class), drive=drive_folds, label=label)

    return cases


def _fold_seeds(by_class):
    def cases(rng):
        y = rng.permutation(np.repeat([0, 1], [30, 14])) * by_class
        args = (y, 4, int(rng.integers(1000)), by_class)
        yield Case(args, drive=drive_fold_seeds, label="seeds s, s and s + 1")

    return cases


DRAWN = (
    "The folds do not follow `rng`: the same seed should give the same folds, another seed others. "
    "Rows often lie in an order that means something, so each class is shuffled first."
)


@chapter.exercise(
    points=4,
    returns="validated, trained, shares",
    difficulty=3,
    minutes=15,
    hints=(
        "Give every row a fold number first; the pairs follow from that. How are numbers dealt so "
        "that each class is spread evenly?",
        "For each class: its rows in a random order, then dealt like cards: 0, 1, ..., k - 1, 0, "
        "1, ... The counts of a class in two folds then differ by one at most.",
        "`fold = np.empty(len(y), int)`; for each `c in np.unique(y)`: `rows = "
        "rng.permutation(np.flatnonzero(y == c))`, `fold[rows] = np.arange(len(rows)) % k`; then "
        "for each `f in range(k)`: `yield np.flatnonzero(fold != f), np.flatnonzero(fold == f)`. "
        + IN_FULL,
    ),
    afterthought="The same patient has three rows. What should be dealt then, in place of rows?",
)
def stratified_k_fold(y, k, rng):
    """Cut the rows into k folds, every class spread evenly; each fold validates once.

    Parameters
    ----------
    y : (N,) int array
        The class of each row. Some classes may have fewer than k rows.
    k : int
        Number of folds.
    rng : numpy.random.Generator
        Draws which rows of a class go where.

    Yields
    ------
    train_rows, val_rows : int arrays
        Row numbers, k pairs in all. Every row is in `val_rows` of exactly one pair, and in
        `train_rows` of all others. Of each class, the numbers of rows in the folds differ by one
        at most. (A list of such pairs will do as well.)
    """
    fold = np.empty(len(y), dtype=int)
    for c in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == c))
        fold[rows] = np.arange(len(rows)) % k
    for f in range(k):
        yield np.flatnonzero(fold != f), np.flatnonzero(fold == f)


chapter.cases(stratified_k_fold)(_fold_cases(True))
chapter.property(stratified_k_fold, "drawn_from_rng", DRAWN)(_fold_seeds(True))


def _folds(y, k, rng, bug, by_class=True):
    n = len(y) if by_class else y
    y = y if by_class else np.zeros(n, int)
    fold = np.empty(n, dtype=int)
    rng = np.random.default_rng() if bug == "own_generator" else rng
    if bug == "not_stratified":
        fold[rng.permutation(n)] = np.arange(n) % k
    elif bug == "blocks":
        fold = np.arange(n) * k // n
    else:
        for c in np.unique(y):
            rows = np.flatnonzero(y == c)
            rows = rows if bug == "not_shuffled" else rng.permutation(rows)
            fold[rows] = np.arange(len(rows)) % k
            if bug in ("rest_in_the_last", "rest_dropped"):
                size = len(rows) // k
                left = k - 1 if bug == "rest_in_the_last" else -1
                fold[rows] = np.append(np.repeat(np.arange(k), size), [left] * (len(rows) % k))
    for f in range(k):
        train, val = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        if bug == "drawn_each_time":
            perm = np.concatenate(
                [rng.permutation(np.flatnonzero(y == c))[f::k] for c in np.unique(y)]
            )
            val = np.sort(perm)
            train = np.setdiff1d(np.arange(n), val)
        if bug == "train_on_all":
            train = np.arange(n)
        if bug == "rest_dropped":
            train = np.flatnonzero((fold != f) & (fold >= 0))
        yield (val, train) if bug == "pair_swapped" else (train, val)


FOLD_BUGS = {
    "train_on_all": (
        "The training rows contain the validation rows: every score would be measured on rows that "
        "the model has seen.",
        "Train on the rows whose fold is another one.",
    ),
    "pair_swapped": (
        "The pair is turned round, the small part first: each row then validates k - 1 times.",
        "`train_rows, val_rows`, in this order.",
    ),
    "rest_dropped": (
        "Rows are lost: what is left over after a division by k is in no validation fold.",
        "`np.arange(len(rows)) % k` deals all rows.",
    ),
    "rest_in_the_last": (
        "The last fold gets all that is left over after a division by k.",
        "Deal like cards: `np.arange(len(rows)) % k`.",
    ),
    "drawn_each_time": (
        "Each validation fold is drawn anew: some rows come twice, others never.",
        "Draw once, then cut.",
    ),
    "not_shuffled": (DRAWN, "`rng.permutation(rows)` before dealing."),
    "own_generator": (DRAWN, "Draw with `rng`, not with a generator of its own."),
}
_declare(
    stratified_k_fold,
    _folds,
    {
        "not_stratified": (
            "All rows are dealt together. A rare class can then be missing from a fold, and its "
            "recall would be measured on nothing.",
            "Deal the rows of each class on their own.",
        ),
        "blocks": (
            "The folds are blocks of neighbouring rows. In a sorted table a fold then holds one "
            "class only.",
            "Shuffle and deal the rows of each class on their own.",
        ),
        **FOLD_BUGS,
    },
)


# --- choosing a threshold ------------------------------------------------------------------------


def drive_best(best_threshold, y_true, scores, fp_cost, fn_cost):
    """The lowest score that the threshold lets through, and the value that comes with it."""
    y_score = np.array(scores)

    def metric(true, pred):
        true, pred = np.asarray(true), np.asarray(pred)
        if pred.shape != y_true.shape or not np.isin(pred, (0, 1)).all():
            raise ValueError("the metric was called with predictions that are not N times 0 or 1")
        if true.shape != y_true.shape or not np.isin(true, (0, 1)).all():
            raise ValueError("the metric was called with labels that are not N times 0 or 1")
        true, pred = true == 1, pred == 1
        fp, fn = int(np.sum(~true & pred)), int(np.sum(true & ~pred))
        if fp_cost or fn_cost:
            return -float(fp_cost * fp + fn_cost * fn)
        tp = int(np.sum(true & pred))
        return 2 * tp / (2 * tp + fp + fn) if tp else 0.0

    found = best_threshold(y_true, y_score.copy(), metric)
    if found is None:
        return None, None
    if not isinstance(found, (tuple, list)) or len(found) < 2:
        raise TypeError("two things are expected: threshold, value")
    if found[0] is None:
        return None, None
    passed = np.append(np.sort(y_score), np.inf)
    threshold = float(np.squeeze(found[0]))
    return passed[np.searchsorted(passed[:-1], threshold)], float(np.squeeze(found[1]))


@chapter.exercise(
    points=3,
    returns="threshold, value",
    difficulty=2,
    minutes=11,
    rtol=EPSILON,
    hints=(
        "Only finitely many thresholds make a difference. Which ones? Try them all.",
        "For each distinct score t: predict 1 where y_score >= t, and ask `metric(y_true, y_pred)` "
        "what that is worth. Keep the best.",
        "`for t in np.unique(y_score): value = metric(y_true, (y_score >= t).astype(int))`, and "
        "`if value > best: best, threshold = value, t`, starting with `best = -np.inf`. " + IN_FULL,
    ),
    afterthought="The best F1 on the rows that chose the threshold: is it a fair estimate of the "
    "F1 to come?",
)
def best_threshold(y_true, y_score, metric):
    """The threshold with the largest value of a metric. To be called with VALIDATION rows.

    An example is predicted positive where y_score >= threshold.

    Parameters
    ----------
    y_true : (N,) int array
        0 or 1.
    y_score : (N,) array
        The higher, the more positive. Not only 0 to 1, and some may be equal.
    metric : callable
        `metric(y_true, y_pred)` gives a number, the larger the better: `f1_score`, or minus a
        cost. `y_pred` are N predictions, 0 or 1.

    Returns
    -------
    threshold : float
        One of the scores. (Another number that gives the same predictions will do.)
    value : float
        The metric's value there.
    """
    threshold, best = np.inf, -np.inf
    for t in np.unique(y_score):
        value = metric(y_true, (y_score >= t).astype(int))
        if value > best:
            threshold, best = t, value
    return threshold, best


def _value_at(y, scores, t, fp_cost, fn_cost):
    tp, fp, fn, _ = _counts(y, (np.array(scores) >= t) * 1)
    if fp_cost or fn_cost:
        return -(fp_cost * fp + fn_cost * fn)
    return 2 * tp / (2 * tp + fp + fn)


@chapter.cases(best_threshold)
def threshold_cases(rng):
    for costs, which in [((0, 0), 1), ((0, 0), 3), ((1, 5), 2), ((7, 2), 3)]:
        while True:  # one best threshold, inside, and not where F1 or accuracy have theirs
            label, y, scores = list(_score_sets(rng))[which]
            levels = sorted(set(scores))
            values = [_value_at(y, scores, t, *costs) for t in (*levels, np.inf)]
            rank = np.argsort(values)
            place = rank[-1]
            others = [
                int(np.argmax([_value_at(y, scores, t, *other) for t in levels]))
                for other in ((0, 0), (1, 1))
                if other != costs
            ]
            if values[place] - values[rank[-2]] < 1e-3 or place in (0, len(levels) - 1):
                continue
            if place < len(levels) and place not in others:
                break
        goal = f"false alarm costs {costs[0]}, a miss {costs[1]}" if any(costs) else "F1"
        yield Case((y, scores, *costs), drive=drive_best, label=f"{label}; metric: {goal}")


def _best(y_true, y_score, metric, bug):
    candidates = np.unique(y_score)
    if bug == "fixed_grid":
        candidates = np.linspace(0, 1, 11)
    if bug == "half":
        candidates = np.array([0.5])
    predictions = [(y_score >= t) * 1 for t in candidates]
    if bug == "strict":
        predictions = [(y_score > t) * 1 for t in candidates]
    if bug == "low_is_positive":
        predictions = [(y_score <= t) * 1 for t in candidates]
    if bug == "accuracy":
        values = [np.mean(p == y_true) for p in predictions]
    elif bug == "labels_swapped":
        values = [metric(p, y_true) for p in predictions]
    elif bug == "scores_not_predictions":
        values = [metric(y_true, y_score) for _ in candidates]
    else:
        values = [metric(y_true, p) for p in predictions]
    i = int(np.argmin(values) if bug == "worst" else np.argmax(values))
    if bug == "index":
        return i, values[i]
    if bug == "value_first":
        return values[i], candidates[i]
    return candidates[i], values[i]


_declare(
    best_threshold,
    _best,
    {
        "half": (
            "The threshold is 0.5, whatever the scores are.",
            "Try every distinct score.",
        ),
        "fixed_grid": (
            "The candidates lie on a fixed grid from 0 to 1. The best one may lie between two of "
            "them, and scores may be below 0 or above 1.",
            "Take the distinct scores as candidates: `np.unique(y_score)`.",
        ),
        "strict": (
            "The value belongs to predictions `y_score > threshold`: with these the example on the "
            "threshold is negative.",
            "`y_score >= threshold`.",
        ),
        "low_is_positive": (
            "Low scores are predicted positive.",
            "`y_score >= threshold`.",
        ),
        "worst": (
            "This is the WORST threshold: the smallest value was taken.",
            "The metric is the larger the better.",
        ),
        "accuracy": (
            "The best accuracy was looked for: `metric` seems not to be used.",
            "Call `metric(y_true, y_pred)` for each threshold.",
        ),
        "labels_swapped": (
            "The metric got predictions and labels in the wrong order: misses and false alarms "
            "change places.",
            "`metric(y_true, y_pred)`.",
        ),
        "scores_not_predictions": (
            "The metric got the scores themselves. It needs predictions, 0 or 1.",
            "`metric(y_true, (y_score >= t).astype(int))`.",
        ),
        "index": (
            "The first item is the place in the list of thresholds, not the threshold.",
            "`thresholds[i]`.",
        ),
        "value_first": ("The two items are exchanged.", "Return threshold, value."),
    },
)


# --- debug: a screening report, five bugs planted ------------------------------------------------

DEBUG_STUB = '''def debug_screening(x_train, y_train, x_val, y_val, x_test, y_test):
    """A report on a linear screening model, with five bugs in five lines.

    Columns are standardised. The score of a row is its product with the difference of the class
    means. The threshold has the best F1 on the validation rows. Returns the scores of the test
    rows, the threshold, and recall and F1 of the test rows.
    """
    # every column to mean 0 and deviation 1, in units of the training rows
    every = np.concatenate([x_train, x_val, x_test])
    mean, std = every.mean(axis=0), every.std(axis=0)
    x_train, x_val, x_test = ((x - mean) / std for x in (x_train, x_val, x_test))
    w = x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0)
    s_val, s_test = x_val @ w, x_test @ w
    # the threshold with the best F1
    threshold, best = 0.0, -1.0
    for t in np.unique(s_test):
        hits = np.sum((s_test >= t) & (y_test == 1))
        f1 = 2 * hits / (np.sum(s_test >= t) + np.sum(y_test == 1))
        if f1 > best:
            threshold, best = t, f1
    # the report on the test rows
    pred = s_test < threshold
    tp, fp = np.sum(pred & (y_test == 1)), np.sum(pred & (y_test == 0))
    fn, tn = np.sum(~pred & (y_test == 1)), np.sum(~pred & (y_test == 0))
    precision = tp / max(tp + fp, 1)
    recall = tn / max(tn + fp, 1)
    f1 = (precision + recall) / 2
    return s_test, threshold, recall, f1
'''


def _screening(x_train, y_train, x_val, y_val, x_test, y_test, bugs=()):
    """The report with only the named bugs left in."""
    seen = np.concatenate([x_train, x_val, x_test]) if "scaler" in bugs else x_train
    mean, std = seen.mean(axis=0), seen.std(axis=0)
    x_train, x_val, x_test = ((x - mean) / std for x in (x_train, x_val, x_test))
    w = x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0)
    s_test = x_test @ w
    s, y = (s_test, y_test) if "chosen" in bugs else (x_val @ w, y_val)
    levels = np.unique(s)
    passed = s >= levels[:, None]
    f1s = 2 * (passed & (y == 1)).sum(axis=1) / (passed.sum(axis=1) + np.sum(y == 1))
    threshold = levels[np.argmax(f1s)]
    pred = s_test < threshold if "side" in bugs else s_test >= threshold
    tp, fp, fn, tn = _counts(y_test, pred * 1)
    p, r = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    if "recall" in bugs:
        r = tn / max(tn + fp, 1)
    f1 = (p + r) / 2 if "mean" in bugs else (2 * p * r / (p + r) if p + r else 0.0)
    return s_test, threshold, r, f1


@chapter.exercise(
    points=4,
    returns="scores, threshold, recall, f1",
    difficulty=3,
    minutes=15,
    title="Debug: a screening report, five bugs",
    stub=DEBUG_STUB,
    hints=(
        "Two of the bugs let the test rows leak. Change one test ROW far away: whose numbers may "
        "move? Change the test LABELS: may the threshold move?",
        "The last three lie in the report. On which side of the threshold is positive? What is "
        "recall divided by? Which mean is F1?",
        "mean and std of x_train alone; the loop over s_val and y_val; `s_test >= threshold`; "
        "tp / max(tp + fn, 1); 2 * precision * recall / (precision + recall), and 0 for 0/0. "
        + IN_FULL,
    ),
    afterthought="Two of the five made the report look better than it is, whatever the data. "
    "Which two could nobody see from the numbers alone?",
)
def debug_screening(x_train, y_train, x_val, y_val, x_test, y_test):
    """A report on a linear screening model, with five bugs in five lines.

    Columns are standardised. The score of a row is its product with the difference of the class
    means. The threshold has the best F1 on the validation rows. Returns the scores of the test
    rows, the threshold, and recall and F1 of the test rows.
    """
    # every column to mean 0 and deviation 1, in units of the training rows
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_val, x_test = ((x - mean) / std for x in (x_train, x_val, x_test))
    w = x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0)
    s_val, s_test = x_val @ w, x_test @ w
    # the threshold with the best F1
    threshold, best = 0.0, -1.0
    for t in np.unique(s_val):
        hits = np.sum((s_val >= t) & (y_val == 1))
        f1 = 2 * hits / (np.sum(s_val >= t) + np.sum(y_val == 1))
        if f1 > best:
            threshold, best = t, f1
    # the report on the test rows
    pred = s_test >= threshold
    tp, fp = np.sum(pred & (y_test == 1)), np.sum(pred & (y_test == 0))
    fn = np.sum(~pred & (y_test == 1))
    precision = tp / max(tp + fp, 1)
    recall = tp / max(tp + fn, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-300)
    return s_test, threshold, recall, f1


# In the order in which measuring finds them.
PLANTED = {
    "scaler": "Move one test row far away: the scores of all the others move too. From which rows "
    "do mean and deviation come?",
    "chosen": "The scores are right. Turn the test labels round: the threshold moves. Which rows "
    "may choose it?",
    "side": "Scores and threshold are right. Which rows are predicted positive: those above the "
    "threshold, or those below?",
    "recall": "Predictions are right, recall is not. Of all that are positive, which share is "
    "found?",
    "mean": "Recall is right, F1 is not. What does it give for a precision of 1 and a recall of 0?",
}
SUBSETS = [bugs for count in range(5, 0, -1) for bugs in combinations(PLANTED, count)]


@chapter.cases(debug_screening)
def screening_cases(rng):
    for sizes, d in [((30, 19, 23), 3), ((41, 26, 31), 4), ((28, 33, 22), 2)]:
        while True:  # until every combination of bugs gives results of its own
            args = []
            for n in sizes:
                y = rng.permutation(np.repeat([1, 0], [n // 3, n - n // 3]))
                x = rng.normal(0, 1, (n, d)) + 0.9 * y[:, None] + rng.normal(0, 0.4, d)
                args += [np.round(5 + 2 * x, 3), y]
            results = [_screening(*args, bugs=bugs) for bugs in ((), *SUBSETS)]
            keys = {(round(r[0][0], 6), *(round(float(v), 6) for v in r[1:])) for r in results}
            gaps = np.abs(results[0][0] - results[0][1])  # no test score near the threshold
            if len(keys) == len(results) and gaps.min() > 1e-3 and 0 < results[0][3] < 1:
                break
        label = f"{sizes[0]} training, {sizes[1]} validation, {sizes[2]} test rows, D = {d}"
        yield Case(tuple(args), label=label)


for _bugs in SUBSETS:
    _left = "One bug is left." if len(_bugs) == 1 else f"{len(_bugs)} bugs are left."

    def _planted(*args, bugs=_bugs):
        return _screening(*args, bugs=bugs)

    _key = "left_" + "_".join(_bugs)
    chapter.mistake(debug_screening, _key, f"{_left} {PLANTED[_bugs[0]]}")(_planted)


# --- more: the other quotients -------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="accuracy",
    difficulty=1,
    minutes=2,
    optional=True,
    rtol=EPSILON,
    hints=(
        "The share of predictions that are right, of whatever class.",
        "Compare the two arrays entry by entry; True counts as 1.",
        "`np.mean(y_true == y_pred)`. " + IN_FULL,
    ),
    afterthought="What is the accuracy of always saying the more frequent class?",
)
def accuracy(y_true, y_pred):
    """The share of right predictions.

    Parameters
    ----------
    y_true, y_pred : (N,) int arrays
        Classes; any number of them.

    Returns
    -------
    accuracy : float
    """
    return np.mean(y_true == y_pred)


@chapter.cases(accuracy)
def accuracy_cases(rng):
    yield from list(label_cases(rng))[:8]
    yield Case((rng.integers(0, 4, 23), rng.integers(0, 4, 23)), label="N = 23, four classes")


def _accuracy(y_true, y_pred, bug):
    if bug == "count":
        return np.sum(y_true == y_pred)
    if bug == "errors":
        return np.mean(y_true != y_pred)
    if bug == "percent":
        return 100 * np.mean(y_true == y_pred)
    if bug == "true_negatives_forgotten":
        return np.sum((y_true == 1) & (y_pred == 1)) / len(y_true)
    return np.mean([np.mean(y_pred[y_true == c] == c) for c in np.unique(y_true)])


_declare(
    accuracy,
    _accuracy,
    {
        "count": ("This is the number of right predictions.", "Divide by N: `np.mean`."),
        "errors": (TAKEN_FOR["error_rate"], "`y_true == y_pred`."),
        "percent": ("The values are 100 times too large: percent.", "A share lies in 0 to 1."),
        "true_negatives_forgotten": (
            "Only class 1 is counted: a right 0 is right too.",
            "`np.mean(y_true == y_pred)`.",
        ),
        "balanced": (
            "These values equal the mean of the recalls of all classes: that is the balanced "
            "accuracy, a good metric with a name of its own.",
            "`np.mean(y_true == y_pred)`.",
        ),
    },
)


@chapter.exercise(
    points=1,
    returns="precision",
    difficulty=1,
    minutes=3,
    optional=True,
    rtol=EPSILON,
    hints=(
        "Of all that were PREDICTED positive, which share is positive?",
        "TP, divided by the number of ones in y_pred.",
        "`predicted = np.sum(y_pred == 1)`, then TP / predicted, or 0.0 where nobody is predicted "
        "positive. " + IN_FULL,
    ),
    afterthought="The same test is used where the disease is ten times rarer. Which of precision "
    "and recall changes?",
)
def precision(y_true, y_pred):
    """Of the predicted positives, the share that is positive: TP / (TP + FP).

    Parameters
    ----------
    y_true, y_pred : (N,) int arrays
        0 or 1. Class 1 is the positive one.

    Returns
    -------
    precision : float
        0.0 if nobody is predicted positive.
    """
    tp = np.sum((y_true == 1) & (y_pred == 1))
    predicted = np.sum(y_pred == 1)
    return tp / predicted if predicted else 0.0


chapter.cases(precision)(label_cases)
_quotient_mistakes(
    precision,
    "precision",
    "TP / (TP + FP): divide by all that are predicted positive.",
    ("recall", "specificity", "accuracy", "negative_value", "share_of_all", "false_discoveries"),
)


@chapter.exercise(
    points=1,
    returns="specificity",
    difficulty=1,
    minutes=3,
    optional=True,
    rtol=EPSILON,
    hints=(
        "The recall of the other class: of all that are negative, which share was left alone?",
        "TN, divided by the number of zeros in y_true.",
        "TN / (TN + FP), or 0.0 where there are no negatives. " + IN_FULL,
    ),
    afterthought="How is it read off a ROC curve?",
)
def specificity(y_true, y_pred):
    """Of the negatives, the share that is predicted negative: TN / (TN + FP).

    Parameters
    ----------
    y_true, y_pred : (N,) int arrays
        0 or 1. Class 1 is the positive one.

    Returns
    -------
    specificity : float
        0.0 if there are no negatives.
    """
    tn = np.sum((y_true == 0) & (y_pred == 0))
    negatives = np.sum(y_true == 0)
    return tn / negatives if negatives else 0.0


chapter.cases(specificity)(label_cases)
_quotient_mistakes(
    specificity,
    "specificity",
    "TN / (TN + FP): divide by all that are negative in `y_true`.",
    ("recall", "precision", "accuracy", "false_alarms", "negative_value"),
)


@chapter.exercise(
    points=1,
    returns="f_beta",
    difficulty=2,
    minutes=5,
    optional=True,
    rtol=EPSILON,
    hints=(
        "F1 treats precision and recall alike. With beta above 1 recall counts more.",
        "(1 + beta^2) P R / (beta^2 P + R). With beta = 1 it must be F1.",
        "With counts: `(1 + b2) * tp / ((1 + b2) * tp + fp + b2 * fn)` where `b2 = beta**2`, and "
        "0.0 for 0/0. " + IN_FULL,
    ),
    afterthought="Towards what does it go for beta to 0, and for beta to infinity?",
)
def f_beta_score(y_true, y_pred, beta):
    """The weighted harmonic mean of precision and recall; recall counts beta times as much.

    C. J. van Rijsbergen, *Information Retrieval*, second edition, Butterworths 1979, chapter 7.

    Parameters
    ----------
    y_true, y_pred : (N,) int arrays
        0 or 1. Class 1 is the positive one.
    beta : float
        Above 0.

    Returns
    -------
    f_beta : float
        (1 + beta^2) P R / (beta^2 P + R), and 0.0 for 0/0.
    """
    tp = np.sum((y_true == 1) & (y_pred == 1))
    fp = np.sum((y_true == 0) & (y_pred == 1))
    fn = np.sum((y_true == 1) & (y_pred == 0))
    above = (1 + beta**2) * tp
    return above / (above + fp + beta**2 * fn) if tp else 0.0


@chapter.cases(f_beta_score)
def f_beta_cases(rng):
    for case, beta in zip(label_cases(rng), (2.0, 0.5, 3.0, 1.0, 0.7, 2.0, 2.0, 2.0, 2.0, 2.0)):
        yield Case((*case.args, beta), label=f"{case.label}; beta = {beta}")


_declare(
    f_beta_score,
    _f_score,
    {
        "beta_not_squared": ("beta enters without its square.", "`beta**2`, twice."),
        "swapped": (
            "beta works the wrong way: a large one favours precision. It belongs to P below.",
            "(1 + beta^2) P R / (beta^2 P + R).",
        ),
        "f1": ("These values equal F1: beta is not used.", "(1 + beta^2) P R / (beta^2 P + R)."),
        "factor_2": (
            "The factor above is 2, as in F1. Here it is 1 + beta^2.",
            "(1 + beta^2) P R / (beta^2 P + R).",
        ),
        "factor_missing": ("The factor 1 + beta^2 is missing.", "Multiply by 1 + beta^2."),
        "zero_by_zero": ZERO_BUGS["zero_by_zero"],
    },
)


# --- more: many classes --------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="precision, recall, f1",
    difficulty=3,
    minutes=12,
    optional=True,
    rtol=EPSILON,
    hints=(
        "Each class in turn is the positive one. That gives C precisions, C recalls, C F1s.",
        '"macro": their plain mean. "weighted": a mean weighted by the number of TRUE examples '
        'of each class. "micro": add TP, FP and FN of all classes first, then divide once.',
        "With the confusion matrix: tp is its diagonal, tp + fn the row sums, tp + fp the column "
        "sums. F1 of a class is 2 tp / (row + column); 0/0 counts as 0. " + IN_FULL,
    ),
    afterthought="Why are micro precision, micro recall and accuracy the same number here?",
)
def averaged_scores(y_true, y_pred, num_classes, average):
    """Precision, recall and F1 of many classes, in one number each.

    Parameters
    ----------
    y_true, y_pred : (N,) int arrays
        Classes 0 to C - 1.
    num_classes : int
        C.
    average : {"macro", "micro", "weighted"}
        "macro": the mean over the C classes; a class that does not occur counts, with 0.
        "weighted": the mean weighted by the number of true examples. "micro": from TP, FP and
        FN added up over the classes. F1 is averaged class by class, as the other two are.

    Returns
    -------
    precision, recall, f1 : float
        0/0 counts as 0.
    """
    classes = np.arange(num_classes)[:, None]
    true, pred = y_true == classes, y_pred == classes  # (C, N)
    tp, t, p = (true & pred).sum(axis=1), true.sum(axis=1), pred.sum(axis=1)  # (C,)
    if average == "micro":
        tp, t, p = tp.sum(keepdims=True), t.sum(keepdims=True), p.sum(keepdims=True)
    weights = t / t.sum() if average == "weighted" else np.full(len(t), 1 / len(t))
    return (
        weights @ (tp / np.maximum(p, 1)),
        weights @ (tp / np.maximum(t, 1)),
        weights @ (2 * tp / np.maximum(t + p, 1)),
    )


@chapter.cases(averaged_scores)
def averaged_cases(rng):
    for n, c, used, average in [
        (23, 3, 3, "macro"),
        (23, 3, 3, "micro"),
        (31, 4, 4, "weighted"),
        (37, 5, 4, "macro"),
        (29, 4, 3, "weighted"),
    ]:
        true = np.append(rng.choice(used, n - used, p=_falling(used)), np.arange(used))
        pred = np.where(rng.uniform(size=n) < 0.5, true, rng.integers(0, used, n))
        pred[-used:] = np.roll(np.arange(used), 1)
        label = f"{average}, N = {n}, C = {c}" + ", one class never occurs" * (used < c)
        yield Case((true, pred, c, average), label=label)


def _falling(count):
    shares = np.arange(count, 0, -1.0) ** 2
    return shares / shares.sum()


def _averaged(y_true, y_pred, num_classes, average, bug):
    c = np.arange(num_classes)[:, None]
    if bug == "present_classes":
        c = np.unique(np.append(y_true, y_pred))[:, None]
    true, pred = y_true == c, y_pred == c
    tp, t, p = (true & pred).sum(axis=1), true.sum(axis=1), pred.sum(axis=1)
    if bug == "rows_and_columns":
        t, p = p, t
    if (average == "micro" and bug != "micro_as_macro") or bug == "always_micro":
        tp, t, p = tp.sum(keepdims=True), t.sum(keepdims=True), p.sum(keepdims=True)
    w = np.full(len(t), 1 / len(t))
    if average == "weighted" and bug not in ("weights_ignored", "always_micro"):
        w = (p if bug == "weighted_by_predicted" else t) / len(y_true)
    pr, re = w @ _over(tp, p, bug), w @ _over(tp, t, bug)
    f1 = w @ _over(2 * tp, t + p, bug)
    return pr, re, (2 * pr * re / (pr + re) if bug == "f1_of_the_means" else f1)


def _over(a, b, bug):
    return a / b if bug == "zero_by_zero" else a / np.maximum(b, 1)


_declare(
    averaged_scores,
    _averaged,
    {
        "f1_of_the_means": (
            "F1 is computed from the mean precision and the mean recall. Here each class has an F1 "
            "of its own, and these are averaged.",
            "F1 for each class first, then the mean.",
        ),
        "rows_and_columns": (
            "Precision and recall are exchanged: rows of the confusion matrix are true classes.",
            "Recall divides by the true examples of a class, precision by the predicted ones.",
        ),
        "present_classes": (
            "Only classes that occur are averaged. Here all C classes count, with 0 if need be.",
            "Run over `range(num_classes)`.",
        ),
        "micro_as_macro": (
            '"micro" gives the mean over the classes here: that is "macro".',
            "Add up TP, FP and FN of all classes first.",
        ),
        "weights_ignored": (
            '"weighted" gives the plain mean here.',
            "Weight each class by its number of true examples.",
        ),
        "weighted_by_predicted": (
            "The weights are the numbers of PREDICTED examples.",
            "Weight each class by its number of true examples.",
        ),
        "always_micro": (
            'All counts are added up before dividing, whatever `average` says: that is "micro".',
            'For "macro" divide class by class, then take the mean.',
        ),
        "zero_by_zero": ZERO_BUGS["zero_by_zero"],
    },
)


@chapter.exercise(
    points=1,
    returns="share",
    difficulty=2,
    minutes=5,
    optional=True,
    rtol=EPSILON,
    hints=(
        "A row is right if the true class is among its k largest scores.",
        "`np.argsort(scores, axis=1)` lists the classes from the smallest score to the largest.",
        "`top = np.argsort(scores, axis=1)[:, -k:]`, then "
        "`np.mean((top == y_true[:, None]).any(axis=1))`. " + IN_FULL,
    ),
    afterthought="What is top-5 accuracy worth with 10 classes, and with 1000, for a model that "
    "guesses?",
)
def top_k_accuracy(y_true, scores, k):
    """The share of rows whose true class is among the k highest scores.

    The results of the ImageNet challenge are usually given with k = 5, among 1000 classes.

    Parameters
    ----------
    y_true : (N,) int array
        True classes.
    scores : (N, C) array
        The higher, the more likely. No two in a row are equal.
    k : int
        1 to C.

    Returns
    -------
    share : float
    """
    top = np.argsort(scores, axis=1)[:, -k:]  # (N, k)
    return np.mean((top == y_true[:, None]).any(axis=1))


@chapter.cases(top_k_accuracy)
def top_k_cases(rng):
    for n, c, k in [(7, 4, 2), (23, 5, 1), (31, 6, 3), (19, 8, 5), (11, 3, 3)]:
        scores = np.stack([rng.permutation(c) for _ in range(n)]) - c / 2 + rng.uniform(0, 0.5)
        yield Case((rng.integers(0, c, n), scores, k), label=f"N = {n}, C = {c}, k = {k}")


def _top_k(y_true, scores, k, bug):
    n, c = scores.shape
    top = np.argsort(scores, axis=1)
    rank = np.argsort(top, axis=1)[np.arange(n), y_true]  # c - 1: the highest
    if bug == "lowest":
        return np.mean(rank < k)
    if bug == "best_only":
        return np.mean(rank == c - 1)
    if bug == "k_th_only":
        return np.mean(rank == c - k)
    if bug == "one_more":
        return np.mean(rank >= c - k - 1)
    return np.sum(rank >= c - k)


_declare(
    top_k_accuracy,
    _top_k,
    {
        "lowest": (
            "The k LOWEST scores are looked at: `argsort` begins with the smallest.",
            "`[:, -k:]`.",
        ),
        "best_only": ("These values equal the plain accuracy: k is not used.", "`[:, -k:]`."),
        "k_th_only": ("Only the class in place k counts.", "All places from 1 to k: `[:, -k:]`."),
        "one_more": ("k + 1 classes are allowed.", "`[:, -k:]` takes k of them."),
        "count": ("This is a number of rows, not a share.", "Take the mean."),
    },
)


# --- more: areas and the other curve -------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="area",
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "Between two neighbouring points lies a strip with a slanted top: a trapezoid.",
        "Its width is the step in x, its height the mean of the two y.",
        "`np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)`. " + IN_FULL,
    ),
    afterthought="On a ROC curve this area is the chance that a random positive scores higher than "
    "a random negative. Which step of the curve handles ties?",
)
def auc(x, y):
    """The area under a curve of straight pieces.

    Parameters
    ----------
    x : (K,) array
        Never falling, such as fpr. Steps of different widths, some of them 0.
    y : (K,) array
        Such as tpr.

    Returns
    -------
    area : float
    """
    return np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)


@chapter.cases(auc)
def auc_cases(rng):
    for k in (4, 9, 17):
        x = np.sort(np.append(rng.uniform(0, 1, k - 2), [0.0, 1.0]))
        x[k // 2] = x[k // 2 - 1]
        y = np.sort(np.append(rng.uniform(0, 1, k - 1), 0.0))
        yield Case((x, y), label=f"K = {k}")
    yield Case((np.array([0.2, 0.5, 1.4]), np.array([0.9, 0.3, 0.6])), label="another range")


def _area(x, y, bug):
    width = np.diff(x)
    if bug == "left":
        return np.sum(width * y[:-1])
    if bug == "right":
        return np.sum(width * y[1:])
    if bug == "mean_height":
        return np.mean(y)
    if bug == "half_missing":
        return np.sum(width * (y[1:] + y[:-1]))
    if bug == "negative":
        return -np.sum(width * (y[1:] + y[:-1]) / 2)
    return np.sum(np.diff(y) * (x[1:] + x[:-1]) / 2)


_declare(
    auc,
    _area,
    {
        "left": (
            "The strips have the height of their LEFT point: the area comes out too small on a "
            "rising curve.",
            "The mean of both heights.",
        ),
        "right": (
            "The strips have the height of their RIGHT point: too large on a rising curve.",
            "The mean of both heights.",
        ),
        "mean_height": (
            "This is the mean of y: the widths of the steps seem not to be used.",
            "Multiply by `np.diff(x)`.",
        ),
        "half_missing": ("The area is twice too large: the mean has a half.", "Divide by 2."),
        "negative": ("The area is negative: the steps are taken backwards.", "`x[1:] - x[:-1]`."),
        "axes_swapped": ("x and y are exchanged: this is the area beside the curve.", "auc(x, y)."),
    },
)


def drive_pr(precision_recall_curve, y_true, scores):
    """The curve from the highest threshold to the lowest, without an added end point."""
    y_score = np.array(scores)
    found = precision_recall_curve(y_true, y_score.copy())
    if found is None:
        return None, None, None
    if not isinstance(found, (tuple, list)) or len(found) < 3:
        raise TypeError("three arrays are expected: precision, recall, thresholds")
    if all(item is None for item in found):
        return None, None, None
    p, r, t = (np.asarray(item, dtype=float) for item in found[:3])
    flat = p.ndim == r.ndim == t.ndim == 1 and t.size > 0
    if not flat or len(p) != len(r) or len(p) - len(t) not in (0, 1):
        raise ValueError(
            f"precision, recall, thresholds have shapes {p.shape}, {r.shape}, {t.shape}; three "
            "arrays with one entry for each point are expected"
        )
    if t[0] < t[-1] or (len(t) == 1 and r[0] > r[-1]):
        p, r, t = p[::-1], r[::-1], t[::-1]
    if len(p) > len(t) or t[0] > y_score.max():  # an added end: recall 0
        if abs(r[0]) > 1e-7:
            raise ValueError("the added first point has no recall of 0")
        p, r, t = p[1:], r[1:], t[len(t) - len(p) + 1 :]
    return p, r, t


@chapter.exercise(
    points=2,
    returns="precision, recall, thresholds",
    difficulty=2,
    minutes=8,
    optional=True,
    rtol=EPSILON,
    hints=(
        "The thresholds are those of the ROC curve. What is counted is the same, too.",
        "At each distinct score, from high to low: TP, and how many are predicted positive. "
        "At least one always is.",
        "`t = np.unique(y_score)[::-1]`, `passed = y_score >= t[:, None]`, `tp = (passed & (y_true "
        "== 1)).sum(axis=1)`; precision is `tp / passed.sum(axis=1)`, recall `tp / max(positives, "
        "1)`. " + IN_FULL,
    ),
    afterthought="The ROC curve never falls. Can this one rise and fall?",
)
def precision_recall_curve(y_true, y_score):
    """Precision and recall for every threshold that makes a difference.

    An example is predicted positive where y_score >= threshold.

    Parameters
    ----------
    y_true : (N,) int array
        0 or 1. Class 1 is the positive one.
    y_score : (N,) array
        The higher, the more positive. Some may be equal.

    Returns
    -------
    precision : (K,) array
        TP / (TP + FP) at each threshold.
    recall : (K,) array
        TP / (TP + FN); 0 where there are no positives.
    thresholds : (K,) array
        The distinct scores, from high to low. (The reversed order, and an added point with recall
        0, are accepted as well.)

    Raises
    ------
    ValueError
        If a score is nan, with a sentence.
    """
    if np.isnan(y_score).any():
        raise ValueError("y_score contains nan: such an example has no place in the order.")
    thresholds = np.unique(y_score)[::-1]  # (K,)
    passed = y_score >= thresholds[:, None]  # (K, N)
    tp = (passed & (y_true == 1)).sum(axis=1)  # (K,)
    return tp / passed.sum(axis=1), tp / max(np.sum(y_true == 1), 1), thresholds


@chapter.cases(precision_recall_curve)
def pr_cases(rng):
    for sets in (_score_sets, _degenerate_sets):
        for label, y, scores in sets(rng):
            yield Case((y, scores), drive=drive_pr, label=label)


chapter.property(precision_recall_curve, "nan_refused", NAN_REFUSED)(nan_cases)


def _pr(y_true, y_score, bug):
    if np.isnan(y_score).any() and bug != "nan_taken":
        raise ValueError("y_score contains nan")
    pos = max(np.sum(y_true == 1), 1)
    if bug == "ties_split":
        order = np.argsort(-y_score, kind="stable")
        tp = np.cumsum(y_true[order])
        return tp / np.arange(1, len(tp) + 1), tp / pos, y_score[order]
    t = np.unique(y_score)[::-1]
    passed = y_score > t[:, None] if bug == "strict" else y_score >= t[:, None]
    tp, all_ = (passed & (y_true == 1)).sum(axis=1), passed.sum(axis=1)
    p, r = tp / np.maximum(all_, 1), tp / pos
    if bug == "exchanged":
        return r, p, t
    if bug == "smoothed":
        return np.maximum.accumulate(p[::-1])[::-1], r, t
    if bug == "tpr_and_fpr":
        return (all_ - tp) / max(np.sum(y_true == 0), 1), r, t
    if bug == "specificity":
        return p, 1 - (all_ - tp) / max(np.sum(y_true == 0), 1), t
    return p, tp / np.sum(y_true == 1) if bug == "zero_by_zero" else r, t


_declare(
    precision_recall_curve,
    _pr,
    {
        "exchanged": ("Precision and recall are exchanged.", "Return precision first."),
        "ties_split": (
            "Equal scores are passed one after the other. No threshold parts them.",
            "One point for each distinct score.",
        ),
        "strict": (
            "An example with a score equal to the threshold is predicted negative here.",
            "`y_score >= threshold`.",
        ),
        "smoothed": (
            "The precision never rises with recall: each value is the best one to its right. "
            "Some texts plot that; the measured values are asked for.",
            "Leave out the running maximum.",
        ),
        "tpr_and_fpr": (
            "The first array is the false positive rate: this is the ROC curve.",
            "Precision is TP / (TP + FP).",
        ),
        "specificity": ("The second array is the specificity.", "Recall is TP / (TP + FN)."),
        "zero_by_zero": ZERO_BUGS["zero_by_zero"],
        "nan_taken": (NAN_REFUSED, "`if np.isnan(y_score).any(): raise ValueError(...)`."),
    },
)


def drive_scores(metric, y_true, scores):
    """A metric of labels and scores, called once."""
    return metric(y_true, np.array(scores))


@chapter.exercise(
    points=2,
    returns="ap",
    difficulty=2,
    minutes=8,
    optional=True,
    rtol=EPSILON,
    hints=(
        "A mean of the precision, weighted by how much recall each threshold adds.",
        "Walk down the thresholds. At each: precision times the gain in recall since the last one. "
        "Before the first the recall is 0.",
        "With precision and recall from high thresholds to low: "
        "`np.sum(precision * np.diff(recall, prepend=0.0))`. " + IN_FULL,
    ),
    afterthought="Which value does it have for a model that gives every example the same score?",
)
def average_precision(y_true, y_score):
    """Average precision: the sum of P_k (R_k - R_(k-1)) over the distinct scores, high to low.

    Parameters
    ----------
    y_true : (N,) int array
        0 or 1. Class 1 is the positive one.
    y_score : (N,) array
        The higher, the more positive. Some may be equal.

    Returns
    -------
    ap : float
        0.0 if there are no positives.

    Raises
    ------
    ValueError
        If a score is nan, with a sentence.
    """
    if np.isnan(y_score).any():
        raise ValueError("y_score contains nan: such an example has no place in the order.")
    passed = y_score >= np.unique(y_score)[::-1, None]  # (K, N)
    tp = (passed & (y_true == 1)).sum(axis=1)  # (K,)
    precision = tp / passed.sum(axis=1)
    recall = tp / max(np.sum(y_true == 1), 1)
    return np.sum(precision * np.diff(recall, prepend=0.0))


@chapter.cases(average_precision)
def ap_cases(rng):
    for sets in (_score_sets, _degenerate_sets):
        for label, y, scores in sets(rng):
            yield Case((y, scores), drive=drive_scores, label=label)


chapter.property(average_precision, "nan_refused", NAN_REFUSED)(nan_cases)


def _ap(y_true, y_score, bug):
    if np.isnan(y_score).any() and bug != "nan_taken":
        raise ValueError("y_score contains nan")
    pos = max(np.sum(y_true == 1), 1)
    if bug == "ties_split":
        hit = y_true[np.argsort(-y_score, kind="stable")]
        return np.sum(hit * np.cumsum(hit) / np.arange(1, len(hit) + 1)) / pos
    passed = y_score >= np.unique(y_score)[::-1, None]
    tp, all_ = (passed & (y_true == 1)).sum(axis=1), passed.sum(axis=1)
    p, r = tp / all_, tp / (np.sum(y_true == 1) if bug == "zero_by_zero" else pos)
    fpr = np.append(0, (all_ - tp) / max(np.sum(y_true == 0), 1))
    if bug == "roc_area":
        return np.trapezoid(np.append(0, r), fpr)
    if bug == "trapezoid":
        return np.trapezoid(np.append(1, p), np.append(0, r))
    if bug == "mean_precision":
        return np.mean(p)
    if bug == "first_step_lost":
        return np.sum(p[1:] * np.diff(r))
    if bug == "previous_precision":
        return np.sum(np.append(1, p[:-1]) * np.diff(r, prepend=0))
    return np.sum(p * np.diff(r, prepend=0))


_declare(
    average_precision,
    _ap,
    {
        "trapezoid": (
            "The points are joined by straight lines. Between two thresholds the precision does "
            "not follow a line; that area is too friendly.",
            "Steps: the precision at a threshold, times the gain in recall.",
        ),
        "ties_split": (
            "Equal scores are passed one after the other: the result depends on the order of the "
            "rows.",
            "One step for each distinct score.",
        ),
        "mean_precision": (
            "This is the plain mean of the precision over all thresholds.",
            "Weight each with the gain in recall.",
        ),
        "first_step_lost": (
            "The gain of the first threshold is missing: `np.diff` begins at the second.",
            "`np.diff(recall, prepend=0.0)`.",
        ),
        "previous_precision": (
            "Each gain in recall is multiplied by the precision BEFORE it.",
            "The precision at the threshold that brings the gain.",
        ),
        "roc_area": ("This is the area under the ROC curve.", "Precision over recall."),
        "zero_by_zero": ZERO_BUGS["zero_by_zero"],
        "nan_taken": (NAN_REFUSED, "`if np.isnan(y_score).any(): raise ValueError(...)`."),
    },
)


# --- more: folds without classes -----------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="validated, trained, shares",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "Shuffle the row numbers once, then deal them into k folds.",
        "N is not always a multiple of k: some folds get one row more.",
        "`fold = np.empty(n, int)`, `fold[rng.permutation(n)] = np.arange(n) % k`, then one pair "
        "for each fold number. " + IN_FULL,
    ),
    afterthought="k = N is called leave-one-out. What does it cost?",
)
def k_fold(n, k, rng):
    """Cut n rows into k folds of nearly equal size; each fold validates once.

    Parameters
    ----------
    n : int
        Number of rows.
    k : int
        Number of folds.
    rng : numpy.random.Generator
        Draws which row goes where.

    Yields
    ------
    train_rows, val_rows : int arrays
        Row numbers, k pairs in all. Every row is in `val_rows` of exactly one pair, and in
        `train_rows` of all others. The sizes of the folds differ by one at most. (A list of such
        pairs will do as well.)
    """
    fold = np.empty(n, dtype=int)
    fold[rng.permutation(n)] = np.arange(n) % k
    for f in range(k):
        yield np.flatnonzero(fold != f), np.flatnonzero(fold == f)


chapter.cases(k_fold)(_fold_cases(False))
chapter.property(k_fold, "drawn_from_rng", DRAWN)(_fold_seeds(False))


def _plain_folds(n, k, rng, bug):
    return _folds(n, k, rng, bug, by_class=False)


_declare(k_fold, _plain_folds, FOLD_BUGS)


# --- more: remedies for imbalance ----------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="weights",
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "A rare class gets a large weight, so that each class has the same total.",
        "The weight of class c goes with 1 / n_c. Scaled so that the weights of all N rows add up "
        "to N.",
        "`len(y) / (num_classes * np.bincount(y, minlength=num_classes))`. " + IN_FULL,
    ),
    afterthought="All weights are made ten times larger. What changes in training?",
)
def class_weights(y, num_classes):
    """A weight for each class, so that every class has the same total: N / (C n_c).

    Parameters
    ----------
    y : (N,) int array
        Classes 0 to C - 1, each of which occurs.
    num_classes : int
        C.

    Returns
    -------
    weights : (C,) array
    """
    return len(y) / (num_classes * np.bincount(y, minlength=num_classes))


@chapter.cases(class_weights)
def weight_cases(rng):
    for counts in [(17, 4), (3, 8), (9, 2, 25), (5, 31, 11, 7)]:
        y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        yield Case((y, len(counts)), label=f"classes of {', '.join(map(str, counts))}")


def _weights(y, num_classes, bug):
    n = np.bincount(y, minlength=num_classes)
    return {
        "shares": n / len(y),
        "not_scaled": 1 / n,
        "c_missing": len(y) / n,
        "sums_to_one": (1 / n) / (1 / n).sum(),
        "to_the_largest": n.max() / n,
        "root": np.sqrt(len(y) / (num_classes * n)),
        "per_row": (len(y) / (num_classes * n))[y],
    }[bug]


_declare(
    class_weights,
    _weights,
    {
        "shares": (
            "These are the shares of the classes: the frequent class gets the large weight.",
            "N / (C n_c).",
        ),
        "not_scaled": (
            "1 / n_c is not scaled: the weights of all rows add up to C, and the loss becomes "
            "tiny.",
            "N / (C n_c).",
        ),
        "c_missing": ("The number of classes is missing below: N / n_c.", "N / (C n_c)."),
        "sums_to_one": (
            "The weights of the CLASSES add up to 1.",
            "Those of the rows add up to N.",
        ),
        "to_the_largest": ("The most frequent class has weight 1.", "N / (C n_c)."),
        "root": ("These are the roots of the weights.", "N / (C n_c)."),
        "per_row": ("There is one weight for each row.", "One for each class: shape (C,)."),
    },
)


@chapter.exercise(
    points=2,
    returns="loss, dx",
    difficulty=3,
    minutes=10,
    optional=True,
    hints=(
        "Each row's loss and gradient is multiplied by the weight of its TRUE class. What is the "
        "mean divided by?",
        "A weighted mean is divided by the sum of the weights that took part, not by N.",
        "`s = weights[y]`, `loss = -np.sum(s * log_p[rows, y]) / s.sum()`, and for the gradient "
        "p - one_hot, times `(s / s.sum())[:, None]`. " + IN_FULL,
    ),
    afterthought="Compare with a data set in which every row is repeated weights[y] times.",
)
def weighted_softmax_loss(x, y, weights):
    """Softmax cross-entropy in which each row counts with the weight of its true class.

    Parameters
    ----------
    x : (N, C) array
        Scores.
    y : (N,) int array
        True classes.
    weights : (C,) array
        A weight for each class.

    Returns
    -------
    loss : float
        sum of weights[y] * (-log p of the true class), divided by the sum of weights[y].
    dx : (N, C) array
        Its gradient.
    """
    rows, s = np.arange(len(y)), weights[y]  # (N,)
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)
    loss = -np.sum(s * log_p[rows, y]) / s.sum()
    dx = np.exp(log_p)
    dx[rows, y] -= 1
    return loss, dx * (s / s.sum())[:, None]


@chapter.cases(weighted_softmax_loss)
def weighted_cases(rng):
    for n, c in [(5, 3), (7, 2), (4, 6)]:
        y = np.append(rng.integers(0, c, n - 2), [0, 1])
        weights = rng.uniform(0.3, 4, c)
        yield Case((rng.normal(0, 2, (n, c)), y, weights), label=f"N = {n}, C = {c}")


def _weighted(x, y, weights, bug):
    rows, s = np.arange(len(y)), weights[y]
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    below = {"divided_by_n": len(y), "divided_by_class_weights": weights.sum()}.get(bug, s.sum())
    if bug == "predicted_class":
        s = weights[p.argmax(axis=1)]
        below = s.sum()
    loss = -np.sum(s * np.log(p[rows, y])) / below
    dx = p.copy()
    dx[rows, y] -= 1
    if bug == "weights_along_columns":
        return loss, dx * weights / below
    if bug == "gradient_not_weighted":
        return loss, dx / len(y)
    if bug == "not_weighted":
        return -np.mean(np.log(p[rows, y])), dx / len(y)
    if bug == "one_after_the_weight":
        dx = p * s[:, None]
        dx[rows, y] -= 1
        return loss, dx / below
    return loss, dx * s[:, None] / below


_declare(
    weighted_softmax_loss,
    _weighted,
    {
        "divided_by_n": (
            "The sum is divided by N. Here a weighted mean is asked for: divided by the sum of the "
            "weights that took part. (Both are in use; with the first, weights change the rate.)",
            "Divide by `weights[y].sum()`.",
        ),
        "divided_by_class_weights": (
            "The sum is divided by the weights of the classes, added up once each.",
            "Divide by `weights[y].sum()`: one weight for each row.",
        ),
        "weights_along_columns": (
            "The loss is right; its gradient multiplies each COLUMN by the weight of that class. "
            "The weight belongs to the row, by its true class.",
            "`weights[y][:, None]`.",
        ),
        "gradient_not_weighted": (
            "The loss is right; its gradient is that of the loss without weights.",
            "Multiply each row of dx by its weight, too.",
        ),
        "not_weighted": ("Loss and gradient are those without weights.", "Use `weights[y]`."),
        "one_after_the_weight": (
            "The 1 at the true class is subtracted after the weighting: it needs the weight too.",
            "(p - one_hot) times the weight.",
        ),
        "predicted_class": (
            "Each row has the weight of its PREDICTED class.",
            "`weights[y]`, by the true class.",
        ),
    },
)


def drive_resample(resample, X, y, seed):
    """Counts of the classes, and which rows came, in words."""
    label_of = dict(zip(X[:, 0].tolist(), y.tolist()))  # no two rows are equal
    rows = {tuple(row) for row in X.tolist()}
    found = resample(X, y, np.random.default_rng(seed))
    if found is None:
        return None, None, None
    if not isinstance(found, (tuple, list)) or len(found) < 2:
        raise TypeError("two arrays are expected: X_new, y_new")
    if found[0] is None:
        return None, None, None
    X_new, y_new = np.asarray(found[0]), np.asarray(found[1]).astype(int)
    if X_new.ndim != 2 or y_new.ndim != 1 or len(X_new) != len(y_new):
        raise ValueError(f"X_new has shape {X_new.shape}, y_new {y_new.shape}; rows must fit")
    if any(tuple(row) not in rows for row in X_new.tolist()):
        return np.bincount(y_new), "rows that are not in X", "not judged"
    ids = X_new[:, 0].tolist()
    if any(label_of[i] != c for i, c in zip(ids, y_new.tolist())):
        return np.bincount(y_new), "rows with labels of other rows", "not judged"
    times = [ids.count(i) for i in label_of]
    kept = "all" if min(times) else "some are missing"
    once = "each once" if max(times) <= 1 else "some more than once"
    return np.bincount(y_new), "rows with their labels", f"{kept}, {once}"


def drive_resample_seeds(resample, X, y, seed):
    """Does the generator decide, and it alone? Are extra rows more than one row copied?"""
    runs = []
    for s in (seed, seed, seed + 1):
        found = resample(X.copy(), y.copy(), np.random.default_rng(s))
        if found is None:
            return None
        runs.append(sorted(np.asarray(found[0])[:, 0].tolist()))
    if runs[0] != runs[1]:
        return "two generators with the same seed give different rows"
    return "another seed, the same rows" if runs[0] == runs[2] else "drawn from rng"


def resample_cases(rng):
    for counts, d in [((13, 4), 3), ((5, 18), 2), ((9, 21, 6), 4)]:
        y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        args = (rng.standard_normal((len(y), d)), y, int(rng.integers(1000)))
        label = f"classes of {', '.join(map(str, counts))}, D = {d}"
        yield Case(args, drive=drive_resample, label=label)


def resample_seeds(rng):
    y = rng.permutation(np.repeat([0, 1], [40, 13]))
    args = (rng.standard_normal((len(y), 2)), y, int(rng.integers(1000)))
    yield Case(args, drive=drive_resample_seeds, label="seeds s, s and s + 1")


RANDOM_ROWS = (
    "The rows do not follow `rng`: the same seed should give the same rows, another seed others."
)


@chapter.exercise(
    points=2,
    returns="counts, pairs, rows",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "All rows stay. What is added to each class, and how much of it?",
        "A class with n_c rows gets max(n) - n_c more, drawn from its own rows with replacement.",
        "Collect row numbers: for each class `rows = np.flatnonzero(y == c)` and "
        "`rng.choice(rows, largest - len(rows))`; then `X[keep], y[keep]`. " + IN_FULL,
    ),
    afterthought="Oversample first, split afterwards: what lies in both parts then?",
)
def oversample(X, y, rng):
    """Repeat rows of the smaller classes until all classes are as large as the largest.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) int array
        Classes.
    rng : numpy.random.Generator
        Draws the rows that are repeated.

    Returns
    -------
    X_new : (M, D) array
        All rows of X, and repeated ones, in any order.
    y_new : (M,) array
        Their classes.
    """
    classes, counts = np.unique(y, return_counts=True)
    keep = [np.arange(len(y))]
    for c, n in zip(classes, counts):
        keep.append(rng.choice(np.flatnonzero(y == c), counts.max() - n))
    keep = np.concatenate(keep)
    return X[keep], y[keep]


@chapter.exercise(
    points=2,
    returns="counts, pairs, rows",
    difficulty=2,
    minutes=6,
    optional=True,
    hints=(
        "The smallest class keeps all its rows. The others keep as many.",
        "Drawn WITHOUT replacement: no row twice.",
        "For each class `rng.permutation(np.flatnonzero(y == c))[:smallest]`; then `X[keep], "
        "y[keep]`. " + IN_FULL,
    ),
    afterthought="What is thrown away? When does it not matter?",
)
def undersample(X, y, rng):
    """Keep as many rows of every class as the smallest class has.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) int array
        Classes.
    rng : numpy.random.Generator
        Draws the rows that are kept.

    Returns
    -------
    X_new : (M, D) array
        Rows of X, none of them twice, in any order.
    y_new : (M,) array
        Their classes.
    """
    classes, counts = np.unique(y, return_counts=True)
    keep = [rng.permutation(np.flatnonzero(y == c))[: counts.min()] for c in classes]
    keep = np.concatenate(keep)
    return X[keep], y[keep]


def _resampled(X, y, rng, bug, size):
    """Both resamplers with their bugs; `size` is np.max or np.min."""
    classes, counts = np.unique(y, return_counts=True)
    goal, keep, over = int(size(counts)), [], size is np.max
    rng = np.random.default_rng() if bug == "own_generator" else rng
    for c in classes:
        rows = np.flatnonzero(y == c)
        if bug == "first_rows":
            keep.append(np.resize(rows, goal))
        elif bug == "all_drawn":
            keep.append(rng.choice(rows, goal))
        elif bug == "goal_added":
            keep.append(np.append(rows, rng.choice(rows, goal)))
        elif bug == "binary_only":
            least = classes[np.argmin(counts)]
            more = rng.choice(rows, goal - len(rows)) if c == least else rows[:0]
            keep.append(np.append(rows, more))
        elif over:
            keep.append(np.append(rows, rng.choice(rows, goal - len(rows))))
        else:
            keep.append(rng.permutation(rows)[:goal])
    keep = np.concatenate(keep)
    if bug == "largest_class_only":
        least = counts.min()
        drop = rng.permutation(np.flatnonzero(y == classes[np.argmax(counts)]))[least:]
        keep = np.setdiff1d(np.arange(len(y)), drop)
    if bug == "labels_shuffled":
        return X[keep], y[keep][rng.permutation(len(keep))]
    if bug == "noise_added":
        return X[keep] + rng.normal(0, 0.01, X[keep].shape), y[keep]
    return X[keep], y[keep]


def _oversampled(X, y, rng, bug):
    return _resampled(X, y, rng, bug, np.max)


def _undersampled(X, y, rng, bug):
    return _resampled(X, y, rng, bug, np.min)


RESAMPLE_BUGS = {
    "labels_shuffled": (
        "Rows come with labels of other rows: X and y are not taken with the same row numbers.",
        "`X[keep], y[keep]`.",
    ),
    "own_generator": (RANDOM_ROWS, "Draw with `rng`, not with a generator of its own."),
    "first_rows": (RANDOM_ROWS + " Here the first rows of each class are taken.", "Draw them."),
}
for _answer, _rule, _more in (
    (
        oversample,
        _oversampled,
        {
            "all_drawn": (
                "Original rows are missing: all rows of a class are drawn with replacement.",
                "Keep all rows, and draw only what is missing.",
            ),
            "goal_added": (
                "Every class gets as many new rows as the largest class has.",
                "Add the largest count MINUS n_c.",
            ),
            "binary_only": (
                "Only the smallest class is filled up. With three classes the one between stays "
                "short.",
                "A loop over all classes.",
            ),
            "noise_added": (
                "The new rows are not rows of X: noise was added. That is another method.",
                "Repeat rows as they are.",
            ),
        },
    ),
    (
        undersample,
        _undersampled,
        {
            "all_drawn": (
                "Some rows come twice: they are drawn with replacement.",
                "`rng.permutation(rows)[:smallest]`.",
            ),
            "largest_class_only": (
                "Only the largest class is cut. With three classes the one between stays too "
                "large.",
                "A loop over all classes.",
            ),
        },
    ),
):
    chapter.cases(_answer)(resample_cases)
    chapter.property(_answer, "drawn_from_rng", RANDOM_ROWS)(resample_seeds)
    _declare(_answer, _rule, {**RESAMPLE_BUGS, **_more})


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "metrics_q1",
    "A screening of 100 people: TP 2, FP 2, FN 3, TN 93. What is the recall? Answer with a number.",
    answer=0.4,
    rtol=0.01,
    wrong={
        0.979: "That is TN / (TN + FP) = 93/95, the specificity. At least one text calls it "
        "recall.",
        0.5: "That is the precision: of the 4 predicted positives, 2 are.",
        0.95: "That is the accuracy.",
        0.02: "That is TP / N.",
    },
    explanation="5 are positive, 2 of them are found: 2/5. Specificity, 93/95, is the recall of "
    "the other class. Counts that differ tell the two formulas apart; symmetric ones do not.",
)
chapter.quiz(
    "metrics_q2",
    "The same screening: TP 2, FP 2, FN 3, TN 93. What is F1? Answer with a number.",
    answer=4 / 9,
    rtol=0.005,
    wrong={
        0.45: "That is the ordinary mean of 0.5 and 0.4. F1 is the harmonic one.",
        0.662: "That is what results when specificity is taken for recall.",
        0.2: "That is P times R. The quotient 2 P R / (P + R) is meant.",
        0.95: "That is the accuracy.",
    },
    explanation="2 * 0.5 * 0.4 / (0.5 + 0.4), or 2 TP / (2 TP + FP + FN) = 4/9 = 0.444. The 93 "
    "true negatives do not occur in it.",
)
chapter.quiz(
    "metrics_q3",
    "One person in 200 has a disease. A model is right for 99.5 % of a large sample. What follows?",
    choices={
        "a": "it finds nearly all of the ill",
        "b": "it is better than a model with 99 %",
        "c": "nothing yet: saying no to everybody is right for 99.5 % as well",
        "d": "nearly all of its alarms are true",
    },
    answer="c",
    wrong={
        "a": "That would be recall. A model that finds nobody has this accuracy too.",
        "b": "One with 99 % may find every ill person at the price of some false alarms.",
        "d": "That would be precision, and accuracy says nothing of it.",
    },
    explanation="Accuracy has to be compared with that of the most frequent answer. Where classes "
    "are this unequal, look at the confusion matrix, at recall and at precision.",
)
chapter.quiz(
    "metrics_q4",
    "A test has recall 0.9 and specificity 0.9. One person in 100 is ill. What is its precision? "
    "Answer with a number.",
    answer=1 / 12,
    rtol=0.02,
    wrong={
        0.9: "That would be so if as many were ill as healthy. Count among 1000 people.",
        0.5: "Count among 1000 people: 9 true alarms. How many false ones?",
        0.1: "That is the share of false alarms among the healthy.",
        0.01: "That is the share of the ill, the precision of a test that says yes to everybody.",
    },
    explanation="Among 1000: 10 are ill, 9 are found; of 990 healthy, 99 are alarmed. 9 / 108 = "
    "0.083. Recall and specificity belong to the test, precision to the test AND the population.",
)
chapter.quiz(
    "metrics_q5",
    'A text: "ROC and AUC are especially suited to imbalanced data." What does the lesson measure?',
    choices={
        "a": "neither curve depends on the class ratio",
        "b": "the ROC curve does not move when negatives are added, so it looks as good as before "
        "while most alarms become false; the precision-recall curve shows it",
        "c": "the ROC curve falls, the precision-recall curve stays",
        "d": "it is true: AUC drops as soon as one class is rare",
    },
    answer="b",
    wrong={
        "a": "Precision contains both classes: TP and FP. It moves.",
        "c": "It is the other way round: each rate of the ROC curve looks at one class only.",
        "d": "AUC is the chance that a random positive beats a random negative. How many there "
        "are does not enter.",
    },
    explanation="Not to depend on the ratio is useful for comparing rankings. For the question "
    '"how many alarms are true?" it is the wrong picture. Show both.',
)
chapter.quiz(
    "metrics_q6",
    "Positives have the scores 0.9 and 0.4, negatives 0.6, 0.4 and 0.1. What is the AUC? Answer "
    "with a number.",
    answer=0.75,
    rtol=0.005,
    wrong={
        4 / 6: "The pair (0.4, 0.4) counts one half, not 0.",
        5 / 6: "The pair (0.4, 0.4) counts one half, not 1.",
        0.25: "That is the chance that the NEGATIVE scores higher.",
        4.5: "That is the number of pairs that are won. Divide by all 6.",
    },
    explanation="Of 6 pairs of a positive and a negative, 4 are in the right order and one is a "
    "tie: 4.5 / 6. The trapezoids under the ROC curve give the same number.",
)
chapter.quiz(
    "metrics_q7",
    "Accuracy, precision, recall, F1, ROC, cross-validation: one of them is not like the others.",
    choices={
        "a": "cross-validation: it is a way to estimate any of the others, not a metric",
        "b": "accuracy: it works for many classes",
        "c": "ROC: it needs no scores",
        "d": "F1: it is a mean",
    },
    answer="a",
    wrong={
        "b": "So do the others, one class at a time.",
        "c": "It does need scores, and makes a curve of them; its area is a metric.",
        "d": "A mean of two metrics is a metric.",
    },
    explanation="A metric says what is counted. Cross-validation says on which rows: k models, "
    "each measured on the fold that it has not seen, and their mean with its spread.",
)
chapter.quiz(
    "metrics_q8",
    "5-fold cross-validation on 100 rows, to choose among 3 learning rates; then one model with "
    "the chosen rate, trained on all rows. How many models are trained? Answer with a number.",
    answer=16,
    wrong={
        5: "Five for each rate.",
        15: "And the final one.",
        3: "One for each rate would be a single split.",
        8: "5 and 3 are multiplied: every rate gets five models.",
        20: "That is the size of a fold.",
    },
    explanation="3 * 5 + 1. Each of the 15 is trained on 80 rows and measured on 20. The price of "
    "k-fold is k trainings; the gain is that every row is used for measuring, once.",
)
chapter.quiz(
    "metrics_q9",
    "The rare class is oversampled, then the table is cut into folds. What happens?",
    choices={
        "a": "nothing bad: all folds have the same class ratio",
        "b": "the scores come out too low",
        "c": "the folds have different sizes",
        "d": "copies of one row lie in training and validation; the score is too good",
    },
    answer="d",
    wrong={
        "a": "Where are the copies of a validation row?",
        "b": "The model is asked about rows that it has seen.",
        "c": "The folds are as equal as before.",
    },
    explanation="First cut, then resample the training part only. Validation and test keep the "
    "natural ratio: they stand for the world. The same holds for scaling and for the threshold.",
)
chapter.quiz(
    "metrics_q10",
    '"Cross-validation finds the best class ratio for training." What can be said?',
    choices={
        "a": "true: the ratio with the best score on the resampled folds is the right one",
        "b": "a ratio can be tried like any other setting; each try is measured on folds with the "
        "natural ratio",
        "c": "the best ratio is always 1 : 1",
        "d": "the folds themselves must have the ratio that is tried",
    },
    answer="b",
    wrong={
        "a": "Precision on resampled folds belongs to a world that does not exist.",
        "c": "The lesson tries several. It depends on data, model and metric.",
        "d": "Only the training rows are resampled.",
    },
    explanation="The class ratio is a hyper-parameter at most. Resample inside the training part "
    "of each fold, measure on the untouched one.",
)
chapter.quiz(
    "metrics_q11",
    "A trained model's threshold is lowered from 0.5 to 0.2. What can NOT happen?",
    choices={
        "a": "recall rises",
        "b": "precision falls",
        "c": "recall falls",
        "d": "accuracy stays the same",
    },
    answer="c",
    wrong={
        "a": "More examples are predicted positive, so more positives may be found.",
        "b": "Among the new alarms there may be many false ones.",
        "d": "It does if as many become right as become wrong.",
    },
    explanation="Nobody who was positive becomes negative, so TP cannot fall, and recall has a "
    "fixed divisor. The scores, the ROC curve and the AUC stay as they are. Choose the threshold "
    "on validation rows.",
)
chapter.quiz(
    "metrics_q12",
    "Cross-validation stands in many lists of remedies against overfitting. What does it do?",
    choices={
        "a": "it makes the model smaller",
        "b": "it adds data",
        "c": "it stops the training early",
        "d": "it shows overfitting and helps to choose among settings; the model itself is not "
        "changed",
    },
    answer="d",
    wrong={
        "a": "The model is the same in each fold.",
        "b": "The rows are the same; each is used for measuring once.",
        "c": "That would be early stopping, which needs a validation part too.",
    },
    explanation="It is a thermometer. The remedies are in chapter 13: more data, penalties, "
    "dropout, early stopping. Choosing among very many settings can overfit the folds as well.",
)
