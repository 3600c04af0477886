"""Nets for GANs, points on a ring, and the long training whose results are shipped.

    python -m grader.gan_training        # writes datasets/gan_checkpoints.npz again

What is trained here is small: the widgets of chapter 12 train it while they are looked at.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from grader.datasets import data_path, load_digits
from grader.exercises.activations import relu_backward, relu_forward, tanh_backward, tanh_forward
from grader.exercises.backprop import affine_backward
from grader.exercises.gan import conditional_input, discriminator_loss, generator_loss
from grader.exercises.neurons import affine_forward
from grader.exercises.optimisers import adam

FILE = "gan_checkpoints.npz"
NOISE = 16
SIZES = {"digits": (NOISE, 128, 128, 64), "conditional": (NOISE + 10, 128, 128, 64)}
# Rounds of the conditional GAN whose generators are kept, and of the plain one.
KEPT = {"conditional": (500, 4_000, 20_000), "digits": (20_000,)}


class Net:
    """Affine layers with ReLU between them, trained by Adam.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers, outputs.
    rng : Generator
        Draws the weights (He's deviation).
    last : {"linear", "tanh"}
        What happens to the outputs.
    rate, beta1 : float
        Adam's learning rate and first decay.

    Attributes
    ----------
    params : dict of arrays
        W1, b1, W2, ...: views into one flat array, so that Adam runs once for all of them.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rng: np.random.Generator,
        last: str = "linear",
        rate: float = 1e-3,
        beta1: float = 0.5,
        dtype: type = np.float32,
    ):
        self.sizes, self.last, self.depth = tuple(sizes), last, len(sizes) - 1
        shapes: dict[str, tuple[int, ...]] = {}
        for k, (i, o) in enumerate(pairwise(sizes), 1):
            shapes |= {f"W{k}": (i, o), f"b{k}": (o,)}
        size = sum(int(np.prod(shape)) for shape in shapes.values())
        self.flat: np.ndarray = np.zeros(size, dtype)
        self.params: dict[str, np.ndarray] = {}
        start = 0
        for name, shape in shapes.items():
            count = int(np.prod(shape))
            self.params[name] = self.flat[start : start + count].reshape(shape)
            start += count
            if name.startswith("W"):
                self.params[name][...] = rng.normal(0, np.sqrt(2 / shape[0]), shape)
        self.config: dict = {"learning_rate": rate, "beta1": beta1}

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, list]:
        """Outputs, and what `backward` needs."""
        kept = []
        for k in range(1, self.depth + 1):
            x, layer = affine_forward(x, self.params[f"W{k}"], self.params[f"b{k}"])
            bend = None
            if k < self.depth:
                x, bend = relu_forward(x)
            elif self.last == "tanh":
                x, bend = tanh_forward(x)
            kept.append((layer, bend))
        return x, kept

    def backward(self, dout: np.ndarray, kept: list) -> tuple[np.ndarray, dict]:
        """Gradient of the inputs, and of every parameter by name."""
        grads = {}
        for k in range(self.depth, 0, -1):
            layer, bend = kept[k - 1]
            if k < self.depth:
                dout = relu_backward(dout, bend)
            elif self.last == "tanh":
                dout = tanh_backward(dout, bend)
            dout, grads[f"W{k}"], grads[f"b{k}"] = affine_backward(dout, layer)
        return dout, grads

    def update(self, grads: dict) -> None:
        """One step of Adam downhill."""
        flat = np.concatenate([grads[name].ravel() for name in self.params])
        self.flat[...], self.config = adam(self.flat, flat.astype(self.flat.dtype), self.config)


def one_round(
    G: Net,
    D: Net,
    real: np.ndarray,
    z: np.ndarray,
    d_loss_of: Callable = discriminator_loss,
    g_loss_of: Callable = generator_loss,
    labels: tuple | None = None,
    smooth: float = 1.0,
    update: tuple[bool, bool] = (True, True),
) -> tuple[float, float]:
    """One round of the game, as exercise `train_step`, with the choices of this chapter.

    Parameters
    ----------
    labels : (y_real, y_fake, num_classes), optional
        Makes it conditional: both nets get the one-hot labels.
    smooth : float
        Target of the discriminator for real examples; below 1 it may not become sure of them.
    update : pair of bool
        Whether D and G are updated.
    """

    def seen(x: np.ndarray, which: int) -> np.ndarray:
        if labels is None:
            return x
        return conditional_input(x, labels[which], labels[2])[0].astype(x.dtype)

    width = real.shape[1]
    fake, g_cache = G.forward(seen(z, 1))
    fake_seen, real_seen = seen(fake, 1), seen(real, 0)
    logits_real, real_cache = D.forward(real_seen)
    logits_fake, fake_cache = D.forward(fake_seen)
    d_loss, dreal, dfake = d_loss_of(logits_real, logits_fake)
    if update[0]:
        if smooth < 1:  # the slope of the target is a constant
            dreal = dreal + (1 - smooth) / len(dreal)
        _, grads = D.backward(dreal, real_cache)
        _, more = D.backward(dfake, fake_cache)
        D.update({name: grads[name] + more[name] for name in grads})
        logits_fake, fake_cache = D.forward(fake_seen)
    g_loss, dlogits = g_loss_of(logits_fake)
    if update[1]:
        dx, _ = D.backward(dlogits, fake_cache)
        G.update(G.backward(dx[:, :width], g_cache)[1])
    return float(d_loss), float(g_loss)


# --- points on a ring ----------------------------------------------------------------------------


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """Centres of the clusters, (modes, 2), at equal angles on a circle."""
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def ring(n: int, rng: np.random.Generator, modes: int = 8, deviation: float = 0.1) -> np.ndarray:
    """`n` points of a mixture of normal distributions on a ring, (n, 2)."""
    return ring_centres(modes)[rng.integers(modes, size=n)] + deviation * rng.normal(size=(n, 2))


# --- the digits, trained for long ----------------------------------------------------------------


def digits_to_train() -> tuple[np.ndarray, np.ndarray]:
    """The training part of the digits, pixels from -1 to 1, (1077, 64), and labels."""
    digits = load_digits()
    return (2 * digits.x_train - 1).astype(np.float32), digits.y_train


def train_digits(
    conditional: bool, rounds: int, seed: int = 0, batch: int = 64
) -> Iterator[tuple[int, Net]]:
    """Train a GAN on the digits; after every round its number and the generator."""
    rng = np.random.default_rng(seed)
    x, y = digits_to_train()
    classes = 10 if conditional else 0
    G = Net((NOISE + classes, 128, 128, 64), rng, "tanh", 5e-4, 0.0)
    D = Net((64 + classes, 128, 128, 1), rng, "linear", 5e-4, 0.0)
    for done in range(1, rounds + 1):
        rows = rng.integers(len(x), size=batch)
        z = rng.normal(size=(batch, NOISE)).astype(np.float32)
        labels = (y[rows], rng.integers(10, size=batch), 10) if conditional else None
        one_round(G, D, x[rows], z, labels=labels, smooth=0.9)
        yield done, G


def make_checkpoints(path: Path, seed: int = 0) -> None:
    """Train both GANs and write the kept generators as float16."""
    arrays: dict[str, Any] = {}
    for name, moments in KEPT.items():
        for done, net in train_digits(name == "conditional", moments[-1], seed):
            if done in moments:
                arrays[f"{name}_{done}"] = net.flat.astype(np.float16)
    np.savez_compressed(path, **arrays)


def load_generators() -> dict[str, dict[int, Net]]:
    """The shipped generators: by name ("digits", "conditional"), then by rounds of training.

    Returns
    -------
    dict of dict of Net
        ``load_generators()["conditional"][20_000].forward(x)`` gives pixels from -1 to 1.
    """
    nets: dict[str, dict[int, Net]] = {name: {} for name in KEPT}
    with np.load(data_path(FILE)) as arrays:
        for key in arrays.files:
            name, _, rounds = key.partition("_")
            net = Net(SIZES[name], np.random.default_rng(0), "tanh")
            net.flat[...] = arrays[key]
            nets[name][int(rounds)] = net
    return nets


if __name__ == "__main__":
    target = Path(__file__).resolve().parent.parent / "datasets" / FILE
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else target
    began = time.process_time()
    make_checkpoints(target)
    print(f"{target}: {target.stat().st_size} bytes, {time.process_time() - began:.0f} s")
