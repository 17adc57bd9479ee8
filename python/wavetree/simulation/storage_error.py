"""What leaving out time steps and digits of the forward field does to the gradient.

The gradient at a point is ∫ U*(f) Q(f) exp(2πi f τ) df, U and Q amplitude spectra of the forward and the
adjoint field and τ a delay that changes from point to point, so over many points its square sums to
∫ |U Q|² df. With every s-th step stored, Q passes the filter H of `smooth_adjoint_sources` and U is folded at
the stored steps' rate,

    error² = ∫ |(1 − H(f)) U(f) Q(f)|² df + Σ_j ∫ |H(f) U(f + j/s) Q(f)|² df,  0 < j < s,

relative to that sum, f in cycles a step. Rounded values err independently of each other, so the error of a
sum over n of them grows with √n, the sum with n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from wavetree.simulation.wavefield import kernel

__all__ = ["ErrorForecast"]

_BINS = 4096
_FREQUENCIES = np.arange(_BINS + 1) / (2 * _BINS)  # cycles a step
# Found in fluids and solids of two and three dimensions, from 30 to 150 steps a period of the wavelet.
_MARGIN = 2.0
_ROUNDING = {"fluid": 1.0, "solid": 2.0}
_NOISE = 0.01  # energy of what is white in adjoint sources: noise, ends of records that are not at rest
_POWER = {2: 0.5, 3: 1.0}


@dataclass(frozen=True)
class ErrorForecast:
    """What is known of the error of gradients before a run.

    Attributes
    ----------
    dim
        Dimension of the mesh.
    medium
        ``"solid"`` if there is one, else ``"fluid"``.
    functions
        Source time functions at the time steps (n_functions, n_samples).
    differentiations
        How many times records are differentiated by time or place.

    Notes
    -----
    U = f^p |S|, S the spectrum of the source time function: one power of f for the derivatives in the
    gradient, less in two dimensions, where Green's functions are f^(−1/2). Q = f^(2d) U for a misfit of
    records that are differentiated d times: once in the misfit and once by its derivative. With several
    source time functions the one that errs most counts. Adjoint sources that end abruptly or that are noise
    for more than a percent of their energy may double the error.
    """

    dim: int
    medium: str
    functions: np.ndarray
    differentiations: int = 0

    def error(self, interval: int, bits: int | None = None) -> float:
        """Return the forecast of the gradient's relative error, the largest of all parameters.

        Parameters
        ----------
        interval
            Every interval-th step is stored.
        bits
            In integers of so many bits; None for floating-point numbers.
        """
        return math.hypot(self._subsampling(interval), self._rounding(interval, bits))

    def largest_interval(self, tolerance: float, longest: int) -> int:
        """Return the largest interval up to the longest whose forecast is at most the tolerance."""
        interval = 1
        while interval < longest and self.error(interval + 1) <= tolerance:
            interval += 1
        return interval

    def _rounding(self, interval: int, bits: int | None) -> float:
        return 0.0 if bits is None else _ROUNDING[self.medium] * math.sqrt(interval) / (2 ** (bits - 1) - 1)

    def _subsampling(self, interval: int) -> float:
        if interval == 1:
            return 0.0
        filtered = kernel(interval)
        if len(filtered) > 2 * _BINS:
            return 1.0
        response = np.abs(fft.rfft(filtered, 2 * _BINS))
        found = [self._error(s, response, interval) for s in self._spectra]
        return min(1.0, _MARGIN * max(found, default=0.0))

    @cached_property
    def _spectra(self) -> list[np.ndarray]:
        """Amplitude spectra of the source time functions at 0 to 1/2 cycles a step."""
        every = -(-self.functions.shape[1] // (2 * _BINS))
        # Differences, so that functions that do not end at zero have a spectrum too.
        changes = np.diff(self.functions, prepend=0.0, axis=1)
        bins = np.abs(fft.rfft(changes, 2 * _BINS * every, axis=1))[:, ::every]
        divisors = 2.0 * np.sin(np.pi * _FREQUENCIES)
        return [s / np.where(divisors > 0.0, divisors, np.inf) for s in bins if np.any(s)]

    def _error(self, spectrum: np.ndarray, response: np.ndarray, interval: int) -> float:
        geometry = _FREQUENCIES ** _POWER[self.dim]
        source = spectrum * _FREQUENCIES ** (2 * self.differentiations)
        forward = geometry * spectrum
        adjoint = geometry * np.sqrt(source**2 + _NOISE * np.mean(source**2))
        lost = np.sum(((1.0 - response) * forward * adjoint) ** 2)
        for j in range(1, interval):
            folded = np.abs((_FREQUENCIES + j / interval + 0.5) % 1.0 - 0.5)
            at = np.rint(2 * _BINS * folded).astype(int)
            lost += np.sum((response * forward[at] * adjoint) ** 2)
        return float(np.sqrt(lost / np.sum((forward * adjoint) ** 2)))
