"""The small ultrasound event that the benchmarks run, and its exact records; needs NumPy alone.

u_tt/c² − Δu = s(t) δ(x − x_s) in a homogeneous medium without bounds, with a Ricker wavelet s. The potential
φ of wavetree is ρ u for a scalar source of strength 1. A ring of receivers surrounds the middle of the box in
2-D; in 3-D the box is smaller and the time shorter.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Event:
    """One source and its receivers.

    Attributes
    ----------
    bounds
        Of the box that is of interest, (smallest, largest) coordinate per axis [m].
    source
        Position (dim,) [m].
    receivers
        Positions (n, dim) [m].
    duration
        End of the records, which begin at 0 [s].
    frequency
        Centre frequency of the wavelet [Hz], whose peak stands at 1.5 periods.
    velocity
        c [m/s].
    """

    bounds: tuple[tuple[float, float], ...]
    source: np.ndarray
    receivers: np.ndarray
    duration: float
    frequency: float = 100e3
    velocity: float = 1500.0

    @property
    def delay(self) -> float:
        """When the wavelet has its peak [s]."""
        return 1.5 / self.frequency

    @property
    def wavelength(self) -> float:
        """Wavelength of the centre frequency [m]."""
        return self.velocity / self.frequency

    def wavelet(self, times: np.ndarray) -> np.ndarray:
        """Return s at times [s]."""
        a = (np.pi * self.frequency * (times - self.delay)) ** 2
        return (1.0 - 2.0 * a) * np.exp(-a)

    def exact(self, times: np.ndarray, points_per_period: int = 8) -> np.ndarray:
        """Return u at the receivers, (n, n_times).

        Notes
        -----
        3-D: s(t − r/c)/(4πr). 2-D: ∫ s(t − τ) H(τ − r/c) / (2π √(τ² − r²/c²)) dτ, with τ = (r/c) cosh θ

            (1/2π) ∫ s(t − (r/c) cosh θ) dθ,  0 < θ < ∞,

        whose integrand is even and smooth: the trapezoidal rule converges faster than any power of the step.
        """
        arrivals = np.linalg.norm(self.receivers - self.source, axis=1) / self.velocity
        if len(self.bounds) == 3:
            scale = 1.0 / (4.0 * np.pi * self.velocity * arrivals[:, None])
            return scale * self.wavelet(times - arrivals[:, None])
        different, index = np.unique(arrivals.round(15), return_inverse=True)
        return np.array([self._exact_2d(times, arrival, points_per_period) for arrival in different])[index]

    def _exact_2d(self, times: np.ndarray, arrival: float, points_per_period: int) -> np.ndarray:
        end = np.arccosh(max(times[-1], arrival) / arrival + 1.0)
        step = 1.0 / (points_per_period * self.frequency * arrival * np.sinh(end))
        theta = np.linspace(0.0, end, 2 + int(end / step))
        weights = np.full(theta.size, theta[1] / (2.0 * np.pi))
        weights[0] *= 0.5
        return self.wavelet(times[:, None] - arrival * np.cosh(theta)) @ weights

    def error(self, records: np.ndarray, times: np.ndarray) -> float:
        """Return ‖u − exact‖ / ‖exact‖ of records (n, n_times), over all receivers and times."""
        exact = self.exact(times)
        return float(np.linalg.norm(records - exact) / np.linalg.norm(exact))


@functools.cache
def ring(index: int = 0) -> Event:
    """Return one of five 2-D events: a source on a ring, 100 receivers on it at least 15 mm away."""
    radius, angle = 0.04, 0.4 * np.pi * index
    nearest = 2.0 * np.arcsin(0.5 * 0.015 / radius)
    angles = angle + np.linspace(nearest, 2.0 * np.pi - nearest, 100)
    return Event(
        ((-0.06, 0.06), (-0.08, 0.08)),
        radius * np.array([np.cos(angle), np.sin(angle)]),
        radius * np.stack([np.cos(angles), np.sin(angles)], axis=1),
        150e-6,
    )


@functools.cache
def cube() -> Event:
    """Return the 3-D event: 100 receivers on a circle in a cube, beside the source."""
    radius, angles = 0.025, np.linspace(0.0, 2.0 * np.pi, 100, endpoint=False)
    receivers = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(100, 0.01)], axis=1)
    return Event(((-0.03, 0.03),) * 3, np.array([0.0, 0.005, -0.015]), receivers, 60e-6)
