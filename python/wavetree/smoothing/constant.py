"""Smoothing with the same lengths everywhere."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

import numpy as np

from wavetree.config import configuration
from wavetree.mesh import Mesh
from wavetree.ranks import Ranks
from wavetree.smoothing.diffusion import Operator, diagonal_covariance, diffusion_operator
from wavetree.smoothing.smoothing import Length, Lengths, Smoothing, length_by_axis

__all__ = ["ConstantSmoothing", "smoother"]


@configuration
class ConstantSmoothing(Smoothing):
    """Smoothing with the same standard deviation everywhere.

    Parameters
    ----------
    smoothing_lengths_in_meters
        Per parameter the standard deviation σ [m] of the Gaussian, or one per axis ``(σ_x, σ_y)``,
        ``(σ_x, σ_y, σ_z)`` in three dimensions; 0 leaves the field as it is.
    """

    argument: ClassVar[str] = "smoothing_lengths_in_meters"

    smoothing_lengths_in_meters: Lengths
    _: KW_ONLY

    def operator(self, name: str, mesh: Mesh, order: int, threads: int = 1) -> Operator:
        """Return the operator of one parameter on the continuous nodes of an order of a mesh."""
        return smoother(mesh, order, self.smoothing_lengths_in_meters[name], threads)


def smoother(
    mesh: Mesh, order: int, length: Length, threads: int = 1, ranks: Ranks | None = None
) -> Operator:
    """Return the smoothing operator of one standard deviation on the continuous nodes of a mesh.

    Parameters
    ----------
    mesh
        The mesh.
    order
        Order of the nodes.
    length
        Standard deviation σ [m], or one per axis of the mesh.
    threads
        Number of threads; it does not change the result.
    ranks
        As for `diffusion_operator`.

    Raises
    ------
    ValueError
        If there are not as many lengths as the mesh has axes.
    """
    sigma = length_by_axis(length, mesh.dim)[:, None, None]
    shape = (mesh.dim, mesh.nelem, (order + 1) ** mesh.dim)
    covariance = diagonal_covariance(np.broadcast_to(sigma, shape))
    return diffusion_operator(mesh, order, covariance, threads, ranks)
