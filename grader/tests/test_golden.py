"""The worked example of chapter 02 against numbers computed independently, with 60 digits."""

import json
from pathlib import Path

import numpy as np
import pytest

from grader.exercises import get
from grader.nn import two_layer_gradients

DATA = Path(__file__).parent / "data"
FINGERPRINTS = json.loads((DATA / "golden_fingerprints.json").read_text())
W1 = np.array([[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])
b1 = np.array([0.7, 0.8, 0.9])
W2 = np.array([[0.5], [0.6], [0.7]])
b2 = np.array([0.1])

# golden name -> the exercise's named mistake
NAMES = {
    "missing_A1": "missing_a1",
    "missing_1_minus_A1": "missing_one_minus_a1",
    "no_hidden_deriv": "hidden_slope",
    "sigmoid_prime_on_Z1": "slope_of_z1",
    "sigmoid_prime_on_Z2": "slope_of_z2",
    "output_deriv_missing": "output_slope",
    "no_1_over_m": "no_1_over_m",
    "m_is_features": "m_is_features",
    "missing_factor_2": "no_factor_2",
    "bce_delta_with_mse": "bce_delta",
    "sign_flipped": "sign",
    "dW2_without_A1": "dw2_without_a1",
    "dW2_uses_Z1": "dw2_uses_z1",
    "stale_order_updated_W2": "stale_w2",
    "db_mean_not_sum": "bias_mean",
    "db_axis1": "bias_axis",
}


def arguments(data):
    return np.array(data["X"]), np.array(data["Y"]), W1, b1, W2, b2


@pytest.mark.parametrize("name", ["golden_X_eye", "hard_3x2"])
def test_the_gradients_are_the_golden_ones(name):
    data = FINGERPRINTS[name]
    found = two_layer_gradients(*arguments(data))
    for value, key in zip(found, ("dW1", "db1", "dW2", "db2"), strict=True):
        right = np.array(data["ref"][key]).reshape(value.shape)
        np.testing.assert_allclose(value, right, rtol=1e-9)


@pytest.mark.parametrize("golden,ours", sorted(NAMES.items()))
def test_each_classic_bug_gives_its_fingerprint(golden, ours):
    (mistake,) = [m for m in get("two_layer_gradients").mistakes if m.key == ours]
    data = FINGERPRINTS["hard_3x2"]
    found = mistake.answer(*arguments(data))
    for value, key in zip(found, ("dW1", "db1", "dW2", "db2"), strict=True):
        wrong = np.array(data["bugs"][golden][key])
        np.testing.assert_allclose(np.ravel(value), wrong.ravel(), rtol=1e-9)


def test_ten_steps_of_descent_give_the_golden_losses():
    golden = json.loads((DATA / "golden_4_3.json").read_text())
    text = json.dumps(golden)
    assert "0.3491782326217227" in text  # the loss after ten steps, as printed in the source
    X, Y = np.eye(2), np.array([[1.0], [0.0]])
    params = [W1, b1, W2, b2]
    for _ in range(10):
        grads = two_layer_gradients(X, Y, *params)
        params = [p - 0.01 * g for p, g in zip(params, grads, strict=True)]
    a1 = 1 / (1 + np.exp(-(X @ params[0] + params[1])))
    a2 = 1 / (1 + np.exp(-(a1 @ params[2] + params[3])))
    assert ((a2 - Y) ** 2).mean() == pytest.approx(0.3491782326217227, rel=1e-9)
