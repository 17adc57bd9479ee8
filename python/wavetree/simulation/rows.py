"""Sources and receivers as rows of the compiled point operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wavetree import _core
from wavetree.simulation.core import Core

__all__ = ["Rows", "symmetric_pairs"]


def symmetric_pairs(dim: int) -> tuple[tuple[int, int], ...]:
    """Return the tensor components in Voigt order: xx, yy, xy or xx, yy, zz, yz, xz, xy."""
    return ((0, 0), (1, 1), (0, 1)) if dim == 2 else ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass
class Rows:
    """Rows in one part of a medium, collected one by one.

    A row reads Σ_c (k_c0 u_c + Σ_d k_c,1+d ∂u_c/∂x_d + Σ_de k_c,de ∂²u_c/∂x_d∂x_e) at a point, differentiated
    by time.

    Attributes
    ----------
    positions
        Points (x, y[, z]) [m].
    point
        Point of every row.
    coefficients
        k of every row, all (n_components, 1 + dim) or all with the second derivatives besides,
        dim (dim + 1) / 2 in the order of `symmetric_pairs`.
    time_derivative
        0, 1 or 2 for every row.
    """

    positions: list[Sequence[float]] = field(default_factory=list)
    point: list[int] = field(default_factory=list)
    coefficients: list[np.ndarray] = field(default_factory=list)
    time_derivative: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.point)

    def add(
        self, position: Sequence[float], coefficients: Sequence[np.ndarray], time_derivative: int = 0
    ) -> range:
        """Add rows at a position and return their numbers."""
        first = len(self)
        self.positions.append(position)
        self.point.extend([len(self.positions) - 1] * len(coefficients))
        self.coefficients.extend(coefficients)
        self.time_derivative.extend([time_derivative] * len(coefficients))
        return range(first, len(self))

    def compile(self, core: Core, part: int) -> Operator:
        """Return the compiled operator.

        Raises
        ------
        ValueError
            If a position lies outside the part.
        """
        dim, n_components = core.mesh.dim, core.compiled.n_components(part)
        n_derivatives = self.coefficients[0].shape[-1] if self.coefficients else 1 + dim
        points = core.compiled.rows(
            part,
            np.array(self.positions, dtype=np.float64).reshape(-1, dim),
            np.array(self.point, dtype=np.int64),
            np.array(self.coefficients, dtype=np.float64).reshape(-1, n_components, n_derivatives),
        )
        return Operator(points, np.array(self.time_derivative, dtype=np.int32))


@dataclass(frozen=True)
class Operator:
    """Compiled rows with their time derivatives (n_rows,)."""

    points: _core.PointOperator
    time_derivative: np.ndarray

    def series(self, samples: np.ndarray) -> _core.Series:
        """Return the rows with samples (n_rows, n_samples) that a run reads or writes."""
        return _core.Series(self.points, self.time_derivative, samples)

    def adjoint_series(self, dt: float, samples: np.ndarray) -> _core.Series:
        """Return adjoint sources by samples (n_rows, n_steps) as the adjoint run takes them."""
        by_field = dt * _core.adjoint_samples(self.time_derivative, dt, np.ascontiguousarray(samples))
        return _core.Series(self.points, self.time_derivative, by_field)
