"""Which time steps of a forward field are stored, and what the adjoint field needs to fit to them.

The gradient is a sum over all time steps k of u_k q_k, with q from the adjoint field. The forward field is
band-limited by its wavelet, so every s-th step of it is enough: u = W U with W band-limited interpolation of
the stored steps. The sum is then Σ_m U_m (Wᵀq)_m, and Wᵀ is a low-pass filter on q, which a record's abrupt
end and its noise make as broad as the mesh allows, followed by taking every s-th step. The scheme does not
change with time, so filtering the adjoint sources filters q, at no cost in the time loop.
"""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["extra_steps", "kernel", "smooth_adjoint_sources", "storage_schedule"]

_HALF_WIDTH = 10  # of the interpolation, in stored steps
_SHAPE = 7.0  # Kaiser window: 4e-4 of the amplitude outside the band


def extra_steps(interval: int) -> int:
    """Return how many steps a run goes on beyond the last sample when every `interval`-th step is stored.

    The interpolation needs stored steps on both sides of a step.
    """
    return _HALF_WIDTH * interval if interval > 1 else 0


def storage_schedule(n_steps: int, interval: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored time steps and their weights in the sum over all steps.

    Parameters
    ----------
    n_steps
        Number of time steps of the run, `extra_steps` included.
    interval
        Every `interval`-th step is stored, counted back from the last.

    Returns
    -------
    steps, weights
        Ascending int64 within 1 to n_steps, and float64, shape (n_stored,).

    Raises
    ------
    ValueError
        If the interval is not positive.

    Examples
    --------
    >>> storage_schedule(7, 3)
    (array([1, 4, 7]), array([3., 3., 3.]))
    """
    if interval < 1:
        raise ValueError(f"interval is {interval}; expected at least 1.")
    steps = np.arange(n_steps, 0, -interval, dtype=np.int64)[::-1].copy()
    return steps, np.full(len(steps), float(interval))


@functools.lru_cache(maxsize=16)
def kernel(interval: int) -> np.ndarray:
    """Return what adjoint sources are convolved with, (2 extra_steps(interval) + 1,) values, read-only.

    Notes
    -----
    sinc(n/s)/s under a Kaiser window of ±10 s steps, of unit sum.
    """
    n_extra = extra_steps(interval)
    offsets = np.arange(-n_extra, n_extra + 1)
    values = np.sinc(offsets / interval) / interval * np.kaiser(len(offsets), _SHAPE)
    values /= values.sum()
    values.setflags(write=False)
    return values


def smooth_adjoint_sources(samples: np.ndarray, interval: int) -> np.ndarray:
    """Return adjoint sources without the content that every `interval`-th step cannot hold.

    Parameters
    ----------
    samples
        Adjoint sources (n_receivers, n_samples), at all steps.
    interval
        Every `interval`-th step of the forward field is stored; 1 returns the samples as they are.

    Returns
    -------
    np.ndarray
        Shape (n_receivers, n_samples + extra_steps(interval)).

    Notes
    -----
    Convolution with the interpolation's `kernel`. It keeps content below 0.38/(s dt) within 4e-4 and removes
    that above 0.62/(s dt); between them, where the stored field is not resolved, the gradient errs by the
    share that the field has there, see `wavetree.simulation.storage_error`.
    """
    n_extra = extra_steps(interval)
    if n_extra == 0:
        return samples
    if len(samples) == 0:  # of which fftconvolve loses the second axis
        return np.zeros((0, samples.shape[1] + n_extra))
    # Its import takes half as long as that of all else together, and most runs do without.
    from scipy.signal import fftconvolve

    return np.ascontiguousarray(fftconvolve(samples, kernel(interval)[None], axes=1)[:, n_extra:])
