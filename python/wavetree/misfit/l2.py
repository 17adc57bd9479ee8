"""The waveform misfit."""

from __future__ import annotations

import numpy as np

__all__ = ["l2"]


def l2(
    data_synthetic: np.ndarray, data_observed: np.ndarray, sampling_rate_in_hertz: float
) -> tuple[float, np.ndarray]:
    """Return half the squared L2 norm of the difference of records, and its adjoint source.

    Parameters
    ----------
    data_synthetic, data_observed
        Records u and d of one receiver, shape (n_components, n_samples).
    sampling_rate_in_hertz
        Samples per second, 1/dt.

    Returns
    -------
    misfit, adjoint_source
        χ and f† of shape (n_components, n_samples).

    Notes
    -----
    χ = ½ Σ_components dt Σ_n (u_n − d_n)², f† = u − d (Tarantola 1984, Geophysics 49, 1259–1266).
    """
    difference = data_synthetic - data_observed
    return 0.5 * float(np.vdot(difference, difference)) / sampling_rate_in_hertz, difference
