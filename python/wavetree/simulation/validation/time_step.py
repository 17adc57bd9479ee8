"""What the time step of a simulation is, and which elements set it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from wavetree import _core
from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import derivative_matrix
from wavetree.mesh.jacobian import jacobians
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.medium import fastest_velocity
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step
from wavetree.simulation.validation.places import place_of

__all__ = ["TimeStepLimits", "check_time_step", "element_limits"]

_NEAR = 1.05  # of the smallest limit: elements with so small a limit set the step
_TAIL = 0.01  # share of the elements that a remark is made about


@dataclass(frozen=True)
class TimeStepLimits:
    """The largest stable time step, and that of every element on its own.

    Attributes
    ----------
    name
        What the mesh belongs to.
    mesh
        The mesh with its medium.
    time_axis
        The time axis of the simulation.
    maximum_time_step
        Largest stable step of the whole mesh with its absorbing layers and interfaces [s].
    limits
        Largest stable step of every element on its own (nelem,) [s]; see `element_limits`.
    """

    name: str
    mesh: Mesh
    time_axis: TimeAxis
    maximum_time_step: float
    limits: np.ndarray

    @property
    def passed(self) -> bool:
        """Whether the simulation's step is stable."""
        return self.time_axis.dt <= self.maximum_time_step

    @property
    def setting(self) -> np.ndarray:
        """Elements whose limit is within 5 % of the smallest, the smallest first (n,)."""
        order = np.argsort(self.limits, kind="stable")
        return order[self.limits[order] <= _NEAR * self.limits[order[0]]]

    @property
    def gain(self) -> float:
        """How much longer the step could be about, were it not for 1 % of the elements."""
        return float(np.quantile(self.limits, _TAIL) / self.limits.min())

    def __str__(self) -> str:
        axis, setting = self.time_axis, self.setting
        median = float(np.median(self.limits) / self.limits.min())
        share = 100.0 * axis.dt / self.maximum_time_step
        lines = [
            f"Time step of {self.name!r}: {'ok' if self.passed else 'UNSTABLE'}",
            (
                f"    {axis.dt:.4g} s, {share:.3g} % of the largest stable one,"
                f" {self.maximum_time_step:.4g} s; {axis.n_steps} steps"
            ),
            (
                f"    {setting.size} of {self.mesh.nelem} elements set it, the median element would be "
                f"stable up to {median:.3g} times as much"
            ),
            f"    without 1 % of the elements it could be about {self.gain:.3g} times longer",
        ]
        velocity = fastest_velocity(self.mesh).max(axis=1)
        for element in setting[:3]:
            lines.append(
                f"    {self.limits[element]:.4g} s alone in {place_of(self.mesh, int(element))}, "
                f"fastest wave {velocity[element]:.5g} m/s"
            )
        return "\n".join(lines)

    def plot(self) -> Any:
        """Draw the elements' limits on the mesh, with their distribution, and return the figure."""
        from wavetree.viz.validation import plot_time_step

        return plot_time_step(self)


def check_time_step(
    mesh: Mesh, conditions: Iterable[BoundaryCondition], time_axis: TimeAxis, name: str = "mesh"
) -> TimeStepLimits:
    """Return what the time step of a simulation is, and which elements set it.

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    conditions
        The boundary conditions.
    time_axis
        The time axis of the simulation.
    name
        What the mesh belongs to.
    """
    return TimeStepLimits(name, mesh, time_axis, maximum_time_step(mesh, conditions), element_limits(mesh))


def element_limits(mesh: Mesh) -> np.ndarray:
    """Return the largest stable time step of every element on its own (nelem,) [s].

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.

    Notes
    -----
    2/√λ with λ = α v² Σ_k |∇ξ_k|², the largest over the element's nodes; v is the fastest wave, ξ are
    reference coordinates and α is the largest eigenvalue of W⁻¹DᵀWD on the GLL points. Of rectangular and
    brick-shaped fluid elements of one medium it is the exact limit, else an estimate. The largest eigenvalue
    of an assembled operator is at most that of its elements (Irons & Treharne 1971), so that the whole mesh
    allows at least the smallest exact limit.
    """
    order = mesh.tensor_order
    chunks = jacobians(mesh.points, mesh.connectivity, mesh.shape_order, order)
    squares = np.concatenate([(np.linalg.inv(part) ** 2).sum(axis=(2, 3)) for _, part in chunks])
    rate = fastest_velocity(mesh) ** 2 * squares
    return np.asarray(2.0 / np.sqrt(_largest_eigenvalue(order) * rate.max(axis=1)))


@lru_cache(maxsize=8)
def _largest_eigenvalue(order: int) -> float:
    """Largest eigenvalue of the stiffness on [-1, 1] by the lumped mass."""
    weights, D = np.asarray(_core.gll(order)[1]), derivative_matrix(order)
    root = np.sqrt(weights)
    scaled = root[:, None] * D / root
    return float(np.linalg.eigvalsh(scaled.T @ scaled)[-1])
