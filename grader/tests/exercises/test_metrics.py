"""Chapter 14: the definitions prove themselves, and every metric agrees with scikit-learn."""

import time
import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
import sklearn.utils.class_weight as skw

from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import get, get_chapter
from grader.proof import prove
from grader.widgets import explore_imbalance, explore_threshold

CHAPTER = get_chapter("14_metrics")
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]


def answer(name):
    return get(name).answer


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    slow = ("debug_screening", "roc_curve", "best_threshold", "stratified_k_fold")
    assert prove(get(name), range(2 if name in slow else 4)) == []  # 30 were run once, for all


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(get(name)) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    fill_in = [e for e in core if e.kind != "quiz" and e.stub is None]
    assert 4 <= len(fill_in) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 90
    assert 5 <= len(QUIZ) <= 12


def test_the_right_letter_varies():
    assert len({get(name).answer for name in QUIZ if get(name).choices}) == 4


@pytest.mark.parametrize("name", TASKS)
def test_a_check_is_quick(name):
    exercise = get(name)
    attempt = LocalAttempt({name: exercise.answer})
    check_exercise(exercise, attempt)  # the cases are made once for all learners
    start = time.process_time()
    assert check_exercise(exercise, attempt).passed
    assert time.process_time() - start < 0.1


# --- scikit-learn as the oracle ------------------------------------------------------------------


def label_pairs(count=100):
    """Random labels and predictions of two classes; some have one class only."""
    rng = np.random.default_rng(1)
    for i in range(count):
        n = int(rng.integers(1, 30))
        p, q = rng.choice([0.0, 0.1, 0.5, 1.0], 2)
        yield (rng.random(n) < p).astype(int), (rng.random(n) < q).astype(int), i


def test_metrics_of_two_classes_agree_with_scikit_learn_on_100_pairs_and_degenerate_ones():
    for true, pred, i in label_pairs():
        zero = {"labels": [0, 1], "average": None, "zero_division": 0}
        p, r, f1, _ = sk.precision_recall_fscore_support(true, pred, **zero)
        for name, wanted in [
            ("accuracy", sk.accuracy_score(true, pred)),
            ("precision", p[1]),
            ("recall", r[1]),
            ("specificity", r[0]),
            ("f1_score", f1[1]),
        ]:
            assert answer(name)(true, pred) == pytest.approx(wanted), name
        beta = 0.3 + 0.02 * i
        wanted = sk.fbeta_score(true, pred, beta=beta, zero_division=0)
        assert answer("f_beta_score")(true, pred, beta) == pytest.approx(wanted)


def test_metrics_of_many_classes_agree_with_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(2)
    for _ in range(100):
        n, c = int(rng.integers(1, 40)), int(rng.integers(2, 7))
        true, pred = rng.integers(0, rng.integers(1, c + 1), n), rng.integers(0, c, n)
        table = answer("confusion_matrix")(true, pred, c)
        np.testing.assert_array_equal(table, sk.confusion_matrix(true, pred, labels=range(c)))
        average = ("macro", "micro", "weighted")[n % 3]
        found = answer("averaged_scores")(true, pred, c, average)
        wanted = sk.precision_recall_fscore_support(
            true, pred, labels=range(c), average=average, zero_division=0
        )[:3]
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        scores, k = rng.permuted(np.tile(np.arange(c), (n, 1)), axis=1), int(rng.integers(1, c + 1))
        wanted = np.mean([t in row.argsort()[::-1][:k] for t, row in zip(true, scores)])
        assert answer("top_k_accuracy")(true, scores, k) == pytest.approx(wanted)
        if c > 2 and k < c:
            found = sk.top_k_accuracy_score(true, scores, k=k, labels=range(c))
            assert found == pytest.approx(wanted)


def score_sets(count=100):
    """Labels and scores: with and without ties, all tied, one class, below 0 and above 1."""
    rng = np.random.default_rng(3)
    for i in range(count):
        n = int(rng.integers(1, 35))
        true = (rng.random(n) < rng.choice([0.0, 0.2, 0.6, 1.0], p=[0.1, 0.4, 0.4, 0.1])) * 1
        levels = [1, 3, 1000][i % 3]
        yield true, 4 * np.round(rng.random(n) * levels) / levels - 1


def test_curves_and_areas_agree_with_scikit_learn_on_100_sets_and_degenerate_ones():
    for true, score in score_sets():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of a missing class
            wanted = [np.nan_to_num(part, posinf=np.inf) for part in
                      sk.roc_curve(true, score, drop_intermediate=False)]  # fmt: skip
            p, r, t = sk.precision_recall_curve(true, score)
            ap = sk.average_precision_score(true, score)
        found = answer("roc_curve")(true, score)
        for mine, theirs in zip(found, wanted):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)
        assert answer("auc")(*found[:2]) == pytest.approx(sk.auc(*found[:2]))
        if 0 < true.sum() < len(true):
            assert answer("auc")(*found[:2]) == pytest.approx(sk.roc_auc_score(true, score))
        mine = answer("precision_recall_curve")(true, score)
        r = r if true.any() else 0 * r  # scikit-learn counts 0/0 as 1 there
        for part, theirs in zip(mine, (p[:-1], r[:-1], t)):
            np.testing.assert_allclose(part[::-1], theirs, atol=1e-12)
        assert answer("average_precision")(true, score) == pytest.approx(ap if true.any() else 0)


@pytest.mark.parametrize("name", ["roc_curve", "precision_recall_curve", "average_precision"])
def test_nan_is_refused_with_a_sentence(name):
    with pytest.raises(ValueError, match="nan"):
        answer(name)(np.array([0, 1]), np.array([0.5, np.nan]))


def test_class_weights_and_weighted_loss_agree_with_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(4)
    for _ in range(100):
        n, c = int(rng.integers(4, 30)), int(rng.integers(2, 5))
        y = np.append(rng.integers(0, c, n), np.arange(c))
        weights = answer("class_weights")(y, c)
        wanted = skw.compute_class_weight("balanced", classes=np.arange(c), y=y)
        np.testing.assert_allclose(weights, wanted)
        x = rng.normal(0, 2, (len(y), c))
        loss, dx = answer("weighted_softmax_loss")(x, y, weights)
        p = answer("softmax_forward")(x)[0]
        wanted = sk.log_loss(y, p, sample_weight=weights[y], labels=np.arange(c))
        assert loss == pytest.approx(wanted, rel=1e-9)
        v = rng.standard_normal(x.shape)
        step = [answer("weighted_softmax_loss")(x + h * v, y, weights)[0] for h in (1e-6, -1e-6)]
        assert np.sum(dx * v) == pytest.approx((step[0] - step[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_folds_are_a_partition_on_100_shapes():
    rng = np.random.default_rng(5)
    for _ in range(100):
        counts = rng.integers(1, 20, rng.integers(1, 5))
        y, k = rng.permutation(np.repeat(np.arange(len(counts)), counts)), int(rng.integers(2, 7))
        for pairs in (answer("stratified_k_fold")(y, k, rng), answer("k_fold")(len(y), k, rng)):
            pairs = list(pairs)
            assert len(pairs) == k
            np.testing.assert_array_equal(np.sort(np.concatenate([v for _, v in pairs])),
                                          np.arange(len(y)))  # fmt: skip
            for train, val in pairs:
                assert not set(train) & set(val) and len(train) + len(val) == len(y)
        folds = [val for _, val in answer("stratified_k_fold")(y, k, rng)]
        for c in range(len(counts)):
            share = [np.sum(y[val] == c) for val in folds]
            assert max(share) - min(share) <= 1


def test_resampling_keeps_rows_and_labels_together():
    rng = np.random.default_rng(6)
    for _ in range(30):
        counts = rng.integers(1, 15, 3)
        y = rng.permutation(np.repeat(np.arange(3), counts))
        X = np.column_stack([np.arange(len(y)), y])
        for name, size in (("oversample", counts.max()), ("undersample", counts.min())):
            X_new, y_new = answer(name)(X, y, rng)
            np.testing.assert_array_equal(X_new[:, 1], y_new)
            np.testing.assert_array_equal(np.bincount(y_new), [size] * 3)
        assert len(set(X_new[:, 0])) == len(X_new)
        assert set(answer("oversample")(X, y, rng)[0][:, 0]) == set(range(len(y)))


# --- what the quiz says --------------------------------------------------------------------------


def test_the_numbers_in_the_quiz_are_right():
    true, pred = np.repeat([1, 0, 1, 0], [2, 2, 3, 93]), np.repeat([1, 1, 0, 0], [2, 2, 3, 93])
    assert answer("recall")(true, pred) == get("metrics_q1").answer
    assert answer("f1_score")(true, pred) == pytest.approx(get("metrics_q2").answer)
    p, s = answer("precision")(true, pred), answer("specificity")(true, pred)
    assert 2 * p * s / (p + s) == pytest.approx(0.662, abs=5e-4)
    assert get("metrics_q4").answer == pytest.approx(9 / (9 + 99))
    true, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.4, 0.1])
    fpr, tpr, _ = answer("roc_curve")(true, score)
    assert answer("auc")(fpr, tpr) == pytest.approx(get("metrics_q6").answer)


# --- the explorers -------------------------------------------------------------------------------


def test_the_threshold_counts_what_scikit_learn_counts():
    true, score = np.array([0, 1, 1, 0, 1, 0]), np.array([0.1, 0.9, 0.4, 0.4, 0.7, 0.6])
    explorer = explore_threshold(true, score, roc_curve=answer("roc_curve"))
    explorer.controls["threshold"].value = 0.41
    pred = score >= explorer.values["threshold"]
    assert f"precision **{sk.precision_score(true, pred):.3f}**" in explorer.reading
    assert f"recall **{sk.recall_score(true, pred):.3f}**" in explorer.reading
    assert explorer.problem == ""
    explorer.close()


def test_a_learner_s_function_that_fails_becomes_a_sentence():
    broken = explore_threshold(roc_curve=lambda y_true, y_score: None)
    assert "None" in broken.problem
    broken.close()
    own = explore_imbalance(lambda y_true, y_pred: 1 / 0)
    assert "ZeroDivisionError" in own.problem
    own.close()


def test_precision_falls_with_the_share_and_the_roc_area_stays():
    explorer = explore_imbalance(answer("precision"))
    before = explorer.reading
    explorer.controls["share"].value = 0.01
    assert before.split("Area")[1].split(",")[0] == explorer.reading.split("Area")[1].split(",")[0]
    share = explorer.values["share"]
    wanted = share * 0.69146 / (share * 0.69146 + (1 - share) * 0.06681)
    assert f"precision **{wanted:.3f}**" in explorer.reading
    explorer.close()
