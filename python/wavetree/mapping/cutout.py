"""Cut-outs: where the update is taken out around sources and receivers."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["cutout_weights"]


def cutout_weights(nodes: np.ndarray, points: np.ndarray, radius: float) -> np.ndarray:
    """Return weights that vanish at points and are 1 beyond a radius of all of them.

    Parameters
    ----------
    nodes
        Where weights are wanted (n, dim) [m].
    points
        Positions of sources or receivers (n_points, dim) [m]; equal ones count once.
    radius
        Radius [m].

    Returns
    -------
    numpy.ndarray
        Weights (n,) in [0, 1].

    Notes
    -----
    w(x) = Π_i s(|x − x_i| / R) with s(t) = t³(10 − 15t + 6t²) for t < 1, else 1. s has two continuous
    derivatives at t = 1 and begins with t³, so w has two in space. Where several points are near each other
    the product falls below the smallest of its factors; beyond R of all of them it is 1.
    """
    points = np.unique(points, axis=0)
    near = cKDTree(nodes).sparse_distance_matrix(cKDTree(points), radius, output_type="ndarray")
    t = near["v"] / radius
    # In the order of the points, for products of floating-point numbers depend on it.
    order = np.lexsort((near["j"], near["i"]))
    weights = np.ones(len(nodes))
    np.multiply.at(weights, near["i"][order], _step(t[order]))
    return weights


def _step(t: np.ndarray) -> np.ndarray:
    return np.clip(t**3 * (10.0 - 15.0 * t + 6.0 * t**2), 0.0, 1.0)
