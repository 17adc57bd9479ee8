"""How finely a mesh resolves the shortest waves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree.mesh import Mesh
from wavetree.mesh.from_domain import POINTS_PER_WAVELENGTH, points_per_wavelength
from wavetree.simulation.medium import slowest_velocity
from wavetree.simulation.validation.places import place_of

__all__ = ["Resolution", "check_resolution"]


@dataclass(frozen=True)
class Resolution:
    """Points along the shortest wave in every element.

    Attributes
    ----------
    name
        What the mesh belongs to.
    mesh
        The mesh with its medium.
    frequency
        Frequency of the shortest wave [Hz].
    points_per_wavelength
        (nelem,); see `wavetree.mesh.from_domain.points_per_wavelength`.
    """

    name: str
    mesh: Mesh
    frequency: float
    points_per_wavelength: np.ndarray

    expected = POINTS_PER_WAVELENGTH
    """Points per wavelength at which an element resolves a wave."""

    @property
    def passed(self) -> bool:
        """Whether all elements resolve the wave."""
        return not self.coarse.size

    @property
    def coarse(self) -> np.ndarray:
        """Elements with too few points, the coarsest first (n,)."""
        order = np.argsort(self.points_per_wavelength, kind="stable")
        return order[self.points_per_wavelength[order] < self.expected * (1.0 - 1e-9)]

    @property
    def resolved_frequency(self) -> float:
        """Highest frequency that all elements resolve [Hz]."""
        return float(self.frequency * self.points_per_wavelength.min() / self.expected)

    def worst(self, number: int = 3) -> list[int]:
        """Return the elements with the fewest points, the coarsest first."""
        return [int(e) for e in np.argsort(self.points_per_wavelength, kind="stable")[:number]]

    def __str__(self) -> str:
        points, n = self.points_per_wavelength, self.mesh.nelem
        quantiles = f"{points.min():.3g} to {points.max():.3g}, median {np.median(points):.3g}"
        verdict = "ok" if self.passed else "TOO COARSE"
        share = 100.0 * self.coarse.size / n
        lines = [
            f"Resolution of {self.name!r} at {self.frequency:.4g} Hz: {verdict}",
            f"    {n} elements of order {self.mesh.tensor_order}: {quantiles} points per wavelength",
            f"    below {self.expected:g}: {self.coarse.size} elements ({share:.3g} %)",
            f"    all elements resolve up to {self.resolved_frequency:.4g} Hz",
        ]
        velocity = slowest_velocity(self.mesh)
        for element in self.worst():
            lines.append(
                f"    {points[element]:.3g} points in {place_of(self.mesh, element)}, slowest wave "
                f"{velocity[element]:.5g} m/s"
            )
        return "\n".join(lines)

    def plot(self) -> Any:
        """Draw the points per wavelength on the mesh, with their distribution, and return the figure."""
        from wavetree.viz.validation import plot_resolution

        return plot_resolution(self)


def check_resolution(mesh: Mesh, frequency: float, name: str = "mesh") -> Resolution:
    """Return how finely a mesh resolves the shortest waves of a frequency.

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    frequency
        Highest frequency of interest [Hz].
    name
        What the mesh belongs to.

    Raises
    ------
    ValueError
        If the frequency is not positive.
    """
    if not (np.isfinite(frequency) and frequency > 0.0):
        raise ValueError(f"frequency is {frequency}; expected a positive number [Hz].")
    points = points_per_wavelength(mesh, slowest_velocity(mesh), frequency)
    return Resolution(name, mesh, float(frequency), points)
