"""Slopes by finite differences, with a measured bound of their error.

The output is contracted with weights u and one input moves along a direction v, so that one
number is compared instead of a table. The step is chosen by measurement: three steps with
Richardson extrapolation show the truncation error, seven neighbouring points the rounding
noise (More and Wild, "Estimating computational noise", 2011), and one-sided slopes the kinks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

RIGHT = 1e-8  # largest relative difference of a right gradient
SHARP = 1e-6  # coarsest resolution at which "right" may be said
SURE = 50.0  # "wrong" is said of a difference this many times the resolution
FIRST_STEP, LEAP = 2.0**-7, 2.0**6  # steps are relative to the size of the input
SMALLEST_STEP, LARGEST_STEP = 2.0**-38, 2.0**12


def directional_derivative(
    f: Callable[..., Any], inputs: dict[str, np.ndarray], u: Any, name: str, v: np.ndarray
) -> tuple[float, float]:
    """Derivative of <u, f(**inputs)> along v in one input, and how well it is known.

    Parameters
    ----------
    f
        Called with the values of `inputs` in order; returns an array (or number).
    inputs
        Values by name; inputs[name] holds floats.
    u : array of f's output shape
    name
        The input that moves.
    v : array of inputs[name]'s shape

    Returns
    -------
    value : float
        nan if f is not finite near the inputs.
    resolution : float
        Measured bound of the error: truncation + rounding + kinks. It can be trusted where f
        varies on the scale of its inputs; a narrow step far from 0 can pass unseen.
    """
    x, v, u = np.asarray(inputs[name], float), np.asarray(v, float), np.asarray(u, float)
    if not v.any():
        return 0.0, 0.0

    def output(point: dict[str, np.ndarray]) -> np.ndarray:
        return np.asarray(f(*point.values()), float)

    stretch = size(x) / size(v)  # steps are relative to the input's size
    with np.errstate(all="ignore"):
        inputs = {**inputs, name: x}
        line = Line(output, inputs, u, name, v * stretch, output(inputs))
        line = replace(line, noise=line.measured_noise())
        slopes = {}
        step = FIRST_STEP
        while step not in slopes and SMALLEST_STEP < step < LARGEST_STEP:
            slope = slopes[step] = line.slope(step)
            if slope.blur <= 1e-12 * slope.size:
                break
            step *= 8.0 if slope.noise > slope.truncation + slope.kink else 1 / 8.0
    finite = {step: slope for step, slope in slopes.items() if np.isfinite(slope.blur)}
    if not finite:
        return float("nan"), float("inf")
    step, best = min(finite.items(), key=lambda item: item[1].blur)
    uneven = (2.0**-51 / step + 2.0**-50) * best.size  # x + t v is rounded entry by entry
    return best.value / stretch, (best.blur + uneven) / stretch


@dataclass(frozen=True)
class _Slope:
    """A slope at zero with its three errors; `size` is the scale to judge them by."""

    value: float
    truncation: float
    kink: float
    noise: float
    size: float

    @property
    def blur(self) -> float:
        return self.truncation + self.kink + self.noise


@dataclass(frozen=True)
class Judgement:
    """ok, wrong, zero (nothing moves), kink or noisy; errors relative, `gap` absolute."""

    kind: str
    error: float = 0.0
    resolution: float = 0.0
    gap: float = 0.0


@dataclass(frozen=True)
class Line:
    """<u, f> as one input moves along v: t -> <u, f(..., x + t v, ...)>."""

    output: Callable[[dict[str, np.ndarray]], np.ndarray]
    inputs: dict[str, np.ndarray]
    u: np.ndarray
    name: str
    v: np.ndarray
    base: np.ndarray  # the output at t = 0
    noise: float = 0.0

    def at(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        x = self.inputs[self.name] + t * self.v
        return self.output({**self.inputs, self.name: x}), x

    def measured_noise(self) -> float:
        """Standard deviation of rounding in <u, f>, from fourth differences of 7 points."""
        for spacing in (2.0**-40, 2.0**-22, 2.0**-8):  # the wider ones see float32 and float16
            outputs = [self.at(j * spacing)[0] for j in range(-3, 4)]
            sums = np.array([np.sum(self.u * y) for y in outputs])
            if np.ptp(sums) > 0:
                break
        fourth = np.diff(sums, 4)  # smooth parts vanish; the variance of noise grows 70 times
        measured = np.sqrt(np.mean(fourth**2) / 70.0)
        moves = np.ptp(sums) > 0  # what stands still may happen to be short numbers
        unit = roundoff(outputs[0], outputs[-1]) if moves else 2.0**-53
        least = unit * np.sqrt(np.sum((self.u * self.base) ** 2))
        return float(np.nanmax([measured, least]))

    def slope(self, step: float, claimed: np.ndarray | None = None) -> _Slope:
        """Slope by Richardson extrapolation from step, step/2 and step/4.

        With a claimed gradient, the slope of <u, f> - <claimed, x>: zero if it is right.
        """
        ratios, jumps, steepest = [], [], 0.0
        for t in (step, step / 2, step / 4):
            (ahead, x_ahead), (behind, x_behind) = self.at(t), self.at(-t)
            taken = x_ahead - x_behind  # differs from 2 t v by rounding
            rise = float(np.sum(self.u * (ahead - behind)))
            if claimed is None:
                run = 2 * t * float(np.sum(taken * self.v) / np.sum((2 * t * self.v) * self.v))
                ratios.append(rise / run)
            else:
                ratios.append((rise - float(np.sum(claimed * taken))) / (2 * t))
            bend = (ahead - self.base) + (behind - self.base)
            jumps.append(float(np.sum(self.u * bend)) / (2 * t))
            steepest = np.fmax(steepest, abs(rise) / (2 * t))
        fourth = [(4 * ratios[1] - ratios[0]) / 3, (4 * ratios[2] - ratios[1]) / 3]
        value = (16 * fourth[1] - fourth[0]) / 15
        # What remains of the bend when its smooth part, odd in t, has been extrapolated away.
        bends = [2 * jumps[1] - jumps[0], 2 * jumps[2] - jumps[1]]
        size = steepest if claimed is None else max(steepest, _norm(claimed * self.v))
        kink = abs(8 * bends[1] - bends[0]) / 7
        return _Slope(value, abs(value - fourth[1]), kink, 32 * self.noise / step, float(size))

    def judge(self, claimed: np.ndarray) -> Judgement:
        """Does the claimed gradient predict the slope? The step moves until that is clear."""
        step, seen, last = FIRST_STEP, {}, Judgement("noisy", np.nan, np.nan)
        sharpest = last
        while step not in seen and SMALLEST_STEP < step < LARGEST_STEP:
            slope = seen[step] = self.slope(step, claimed)
            gap, size = abs(slope.value), max(slope.size, 1e-300)
            if not np.isfinite(slope.blur) or not np.isfinite(gap):
                step /= LEAP
                continue
            if slope.size <= 4 * slope.noise and step >= FIRST_STEP:
                last = Judgement("zero")
                step *= LEAP  # nothing stands out of the noise: look further away
                continue
            kind = "kink" if slope.kink > max(slope.truncation, slope.noise) else "noisy"
            last = Judgement(kind, gap / size, slope.blur / size, slope.value)
            if gap <= RIGHT * size + slope.noise and slope.blur <= SHARP * size:
                return replace(last, kind="ok")
            if gap > RIGHT * size and gap > SURE * slope.blur:
                # Where f is rounded, the gap grows as the step shrinks; a mistake's does not.
                seen_before = all(
                    gap <= 1.05 * abs(s.value) + SURE * s.blur
                    for s in seen.values()
                    if np.isfinite(s.blur)
                )
                if seen_before and self._stays(slope.value, step, claimed):
                    return replace(last, kind="wrong")
                last = replace(last, kind="kink")
            if not last.resolution >= sharpest.resolution:  # nan before the first one
                sharpest = last
            step *= LEAP if slope.noise > slope.truncation + slope.kink else 1 / LEAP
        return last if last.kind == "zero" else sharpest

    def _stays(self, gap: float, step: float, claimed: np.ndarray) -> bool:
        """Is the gap the same at ever smaller steps, down to the noise?

        A function far narrower than its input is large looks flat at every larger step.
        """
        near = self.slope(step / LEAP, claimed)
        while abs(near.value - gap) <= 0.05 * abs(gap) + 3 * near.noise:
            step /= LEAP
            if 32 * self.noise / (step / LEAP) > 0.05 * abs(gap) or step / LEAP < SMALLEST_STEP:
                return True
            near = self.slope(step / LEAP, claimed)
        return False


def roundoff(*outputs: np.ndarray) -> float:
    """Unit roundoff of the precision these values passed through."""
    for kind, unit in ((np.float16, 2.0**-11), (np.float32, 2.0**-24)):
        if all(np.array_equal(y.astype(kind).astype(float), y) for y in outputs):
            return unit
    return 2.0**-53


def _norm(x: np.ndarray) -> float:
    return float(np.sqrt(np.sum(x * x)))


def size(x: np.ndarray) -> float:
    """Root mean square; 1 if all is zero."""
    return float(np.sqrt(np.mean(x * x))) or 1.0
