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
    """Rows in one part of a medium, collected for many points at a time.

    A row reads Σ_c (k_c0 u_c + Σ_d k_c,1+d ∂u_c/∂x_d + Σ_de k_c,de ∂²u_c/∂x_d∂x_e) at a point, differentiated
    by time.

    Attributes
    ----------
    positions
        Points (n, dim) [m], an array for every `add`.
    point
        Point of every row.
    coefficients
        k of every row, all (n_components, 1 + dim) or all with the second derivatives besides,
        dim (dim + 1) / 2 in the order of `symmetric_pairs`.
    time_derivative
        0, 1 or 2 for every row.
    """

    positions: list[np.ndarray] = field(default_factory=list)
    point: list[np.ndarray] = field(default_factory=list)
    coefficients: list[np.ndarray] = field(default_factory=list)
    time_derivative: list[np.ndarray] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.point))

    def add(
        self,
        positions: np.ndarray | Sequence[Sequence[float]],
        coefficients: np.ndarray | Sequence[np.ndarray],
        time_derivative: int | Sequence[int] = 0,
    ) -> np.ndarray:
        """Add the same rows at every position, point by point, and return their numbers (n, n_rows).

        Parameters
        ----------
        positions
            Points (n, dim) [m].
        coefficients
            Of the rows at a point, (n_rows, n_components, 1 + dim), or more with second derivatives.
        time_derivative
            Of every row at a point, or of all.
        """
        shape = len(positions), len(coefficients)
        first, first_point = len(self), sum(map(len, self.positions))
        each = np.broadcast_to(np.asarray(time_derivative, dtype=np.int32), shape[1])
        self.positions.append(np.asarray(positions, dtype=np.float64))
        self.point.append(np.repeat(first_point + np.arange(shape[0]), shape[1]))
        self.coefficients.append(np.tile(np.asarray(coefficients, dtype=np.float64), (shape[0], 1, 1)))
        self.time_derivative.append(np.tile(each, shape[0]))
        return first + np.arange(shape[0] * shape[1]).reshape(shape)

    def compile(self, core: Core, part: int) -> Operator:
        """Return the compiled operator.

        Raises
        ------
        ValueError
            If a position lies outside the part.
        """
        dim, n_components = core.mesh.dim, core.compiled.n_components(part)
        none = np.zeros((0, n_components, 1 + dim))
        positions = np.concatenate(self.positions or [np.zeros((0, dim))])
        elements = core.locate(part, positions)[0] if len(positions) else np.zeros(0, dtype=np.int64)
        points = core.compiled.rows(
            part,
            positions,
            core.local_elements(part, elements),
            np.concatenate(self.point or [np.zeros(0, dtype=np.int64)]),
            np.concatenate(self.coefficients or [none]),
            core.lane,
        )
        return Operator(points, np.concatenate(self.time_derivative or [np.zeros(0, dtype=np.int32)]))


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
