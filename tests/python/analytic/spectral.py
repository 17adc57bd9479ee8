"""From transfer functions of frequency to records in time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

Stf = Callable[[np.ndarray], np.ndarray]
# Waves that come round the period are damped to this; at the end of the records rounding grows by its root.
WRAP_AROUND = 1e-9


def synthesize(
    transfer: Callable[[np.ndarray], np.ndarray],
    times: np.ndarray,
    stf: Stf,
    causal: bool = True,
    reach: float = 0.0,
) -> np.ndarray:
    """Return the records of a transfer function for a source time function.

    Parameters
    ----------
    transfer
        Function of the angular frequencies ω [rad/s], shape (n_omega,), complex with negative imaginary
        part if causal; it returns shape (..., n_omega), in the convention exp(+iωt).
    times
        Evenly spaced, shape (n_times,) [s]. The source must not have begun before times[0] less the records'
        length.
    stf
        Function of times, smooth; it may stay on for ever if causal.
    causal
        Whether the response follows the source. If not, the axis is padded without damping.
    reach
        Largest delay or advance [s] of a response that is not causal.

    Returns
    -------
    numpy.ndarray
        Shape (..., n_times).

    Notes
    -----
    Fourier transform of s(t) exp(−ηt), times the transfer function at ω − iη, transformed back and
    multiplied by exp(+ηt) (Phinney 1965). Sampling is refined until the
    spectrum has fallen to 1e-13 of its peak.
    """
    n, dt = times.size, (times[-1] - times[0]) / (times.size - 1)
    if not np.allclose(times, times[0] + dt * np.arange(n), rtol=0, atol=1e-6 * dt):
        raise ValueError("times are not evenly spaced")
    n_before = n + int(np.ceil(reach / dt))
    n_all = next_fast_len(2 * n_before + 2 * n, real=True)
    decay = -np.log(WRAP_AROUND) / (n_all * dt) if causal else 0.0
    refinement, spectrum = 1, None
    while spectrum is None or np.abs(spectrum[-spectrum.size // 10 :]).max() > 1e-13 * np.abs(spectrum).max():
        if spectrum is not None:
            refinement *= 2
        if refinement > 64:
            raise ValueError("the source time function is not smooth enough for the time axis")
        elapsed = dt / refinement * np.arange(n_all * refinement)
        spectrum = rfft(_source(stf, times[0] - n_before * dt, elapsed, causal) * np.exp(-decay * elapsed))
    omega = 2 * np.pi * rfftfreq(elapsed.size, dt / refinement) - 1j * decay
    used = (np.abs(spectrum) > 1e-16 * np.abs(spectrum).max()) & (omega != 0)
    response = transfer(omega[used])
    product = np.zeros((*response.shape[:-1], omega.size), dtype=complex)
    product[..., used] = response * spectrum[used]
    kept = refinement * (n_before + np.arange(n))
    return irfft(product, elapsed.size)[..., kept] * np.exp(decay * elapsed[kept])


def _source(stf: Stf, start: float, elapsed: np.ndarray, causal: bool) -> np.ndarray:
    """Return the source on the padded axis; what comes after the records is faded out."""
    values, length = np.asarray(stf(start + elapsed), dtype=float), elapsed[-1]
    peak = np.abs(values).max()
    if abs(values[0]) > 1e-9 * peak or (not causal and abs(values[-1]) > 1e-9 * peak):
        raise ValueError("the source time function has begun before, or goes on beyond, the padded time axis")
    if causal:
        phase = np.clip((elapsed / length - 0.7) / 0.3, 0.0, 1.0)
        values = values * (0.5 + 0.5 * np.cos(np.pi * phase))
    return values
