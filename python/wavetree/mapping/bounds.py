"""Bounds of the material as a smooth pointwise map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Bounds"]

_MARGIN = 0.1  # of the way from the prior to a bound, on which the material is bent
_ROUNDING = 1e-9  # a prior nearer to a bound, relative to it, lies on it


@dataclass(frozen=True)
class Bounds:
    """A smooth map that keeps a parameter between two values.

    Parameters
    ----------
    low, high
        The bounds, in the parameter's unit; None for an open end.

    Notes
    -----
    With m₀ the prior, b a bound and μ = (b − m₀)/10, m stays as it is up to the knee c = b − μ and becomes

        B(m) = c + μ h((m − c)/μ),    h(s) = s / √(1 + s²)

    beyond, for μ > 0 at the upper and μ < 0 at the lower bound. So B(m₀) = m₀ and B'(m₀) = 1, and only
    rounding brings B onto the bound. As h(0) = 0, h'(0) = 1 and h''(0) = 0, B has two continuous derivatives;
    |B''| ≤ 0.86/|μ|. B' > 0 everywhere, and it falls with the third power of the distance, not
    exponentially, so that what was pushed against a bound is able to come back.
    """

    low: float | None
    high: float | None

    def outside(self, prior: np.ndarray) -> np.ndarray:
        """Say where a prior (...) is not inside the bounds, or on one of them: bool (...)."""
        bad = np.zeros(np.shape(prior), dtype=bool)
        for bound, sign in self._ends():
            bad |= sign * (bound - prior) <= _ROUNDING * np.maximum(np.abs(bound), np.abs(prior))
        return bad

    def value(self, raw: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the bounded material (...).

        Parameters
        ----------
        raw
            What the material would be without bounds (...).
        prior
            The prior (...), inside the bounds.
        """
        bounded = np.array(raw, dtype=np.float64)
        for bound, sign in self._ends():
            s, beyond, knee, margin = _beyond(bounded, prior, bound)
            bent = knee + margin * (s / np.hypot(1.0, s))
            # The sum may round beyond the bound.
            bounded[beyond] = np.minimum(bent, bound) if sign > 0 else np.maximum(bent, bound)
        return bounded

    def derivative(self, raw: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the derivative of `value` by its first argument (...)."""
        slope = np.ones(np.shape(raw))
        for bound, _ in self._ends():
            s, beyond, _, _ = _beyond(np.asarray(raw, dtype=np.float64), prior, bound)
            slope[beyond] = np.hypot(1.0, s) ** -3
        return slope

    def text(self) -> str:
        """Return the bounds as messages have them."""
        low = "-inf" if self.low is None else f"{self.low:g}"
        return f"({low}, {'inf' if self.high is None else f'{self.high:g}'})"

    def _ends(self) -> list[tuple[float, int]]:
        return [(b, sign) for b, sign in ((self.low, -1), (self.high, 1)) if b is not None]


def _beyond(
    raw: np.ndarray, prior: np.ndarray, bound: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The scaled distances s > 0 beyond the knee (n,), where they are (...), and their knees and margins."""
    margin = _MARGIN * (bound - prior)
    knee = bound - margin
    beyond = np.asarray((raw - knee) * np.sign(margin) > 0.0)
    # An overflow is as far away as any other large number.
    s = np.minimum((raw[beyond] - knee[beyond]) / margin[beyond], 1e100)
    return s, beyond, knee[beyond], margin[beyond]
