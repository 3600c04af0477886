"""Every number of chapter 02's worked example, by the name it has in the lesson."""

from __future__ import annotations

from functools import cache

import numpy as np

W1 = np.array([[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])
b1 = np.array([0.7, 0.8, 0.9])
W2 = np.array([[0.5], [0.6], [0.7]])
b2 = np.array([0.1])
X = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
Y = np.array([[1.0], [0.0], [1.0]])


@cache
def intermediates(examples: int = 2) -> dict[str, np.ndarray]:
    """All values on the way forward and back.

    Parameters
    ----------
    examples : {2, 3}
        2 as in the lesson, 3 as in the exercises.
    """
    x, y = X[:examples], Y[:examples]
    Z1 = x @ W1 + b1
    A1 = 1 / (1 + np.exp(-Z1))
    Z2 = A1 @ W2 + b2
    A2 = 1 / (1 + np.exp(-Z2))
    dA2 = 2 * (A2 - y) / y.size
    dZ2 = dA2 * A2 * (1 - A2)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * A1 * (1 - A1)
    return {
        "Z1": Z1,
        "A1": A1,
        "Z2": Z2,
        "A2": A2,
        "L": ((A2 - y) ** 2).mean(),
        "dA2": dA2,
        "dZ2": dZ2,
        "dW2": A1.T @ dZ2,
        "db2": dZ2.sum(axis=0),
        "dA1": dA1,
        "dZ1": dZ1,
        "dW1": x.T @ dZ1,
        "db1": dZ1.sum(axis=0),
    }
