"""The space that a method works in: inner product, preconditioner, and vectors that carry their dual.

The metric is P = S⁻¹ with S the preconditioner. S⁻¹ is never applied: a vector v is carried together with
P v, which is known from the start for everything that occurs (the preconditioned gradient S g has the dual g,
a difference of gradients y is the dual of S y) and follows by linearity for every combination.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from wavetree.errors import WavetreeError, unknown_name

__all__ = [
    "MetricVector",
    "Point",
    "Space",
    "check_preconditioner",
    "combine",
    "orthonormalise",
    "weighted_inner",
]

Inner = Callable[[np.ndarray, np.ndarray], float]

# A vector this close (relative) to the span of the others is dropped: v and P v agree to about 1e-15, so what
# is left of it after orthogonalisation would be rounding rather than direction.
_DEPENDENT = 3e-8
# S (P p) and p agree to about 1e-7 in the worst case; a preconditioner that has changed differs by order one.
_PRECONDITIONER_MISMATCH = 1e-3


class MetricVector(NamedTuple):
    """A vector v and its dual P v, both of shape (n,)."""

    v: np.ndarray
    Pv: np.ndarray


@dataclass(frozen=True, eq=False)
class Point:
    """Misfit and gradient at one model; copies the arrays and makes them read-only.

    Parameters
    ----------
    misfit
        The misfit χ.
    gradient
        Riesz representative g of the misfit's derivative in the space's inner product, shape (n,), float64.
    preconditioned
        S g, shape (n,), float64.

    Raises
    ------
    ValueError
        If the misfit or an entry is not finite, or shapes and types are not those above.
    """

    misfit: float
    gradient: np.ndarray
    preconditioned: np.ndarray

    def __post_init__(self) -> None:
        if not math.isfinite(self.misfit):
            raise ValueError(
                f"misfit is {self.misfit}, expected a finite number: the method cannot start from or move to "
                "a model whose simulation failed; choose another model"
            )
        object.__setattr__(self, "misfit", float(self.misfit))
        for name in ("gradient", "preconditioned"):
            object.__setattr__(self, name, _checked_vector(name, getattr(self, name)))
        if self.gradient.shape != self.preconditioned.shape:
            raise ValueError(
                f"preconditioned has {self.preconditioned.size} entries but gradient has "
                f"{self.gradient.size}; pass S g of this very gradient"
            )


@dataclass(frozen=True, eq=False)
class Space:
    """Inner product, preconditioner and parameter blocks of the space of model updates.

    Parameters
    ----------
    inner
        ⟨a, b⟩ of two vectors of shape (n,); must sum in a fixed order (see `weighted_inner`).
    precondition
        Applies S to a vector of shape (n,); linear, self-adjoint in `inner` and positive semidefinite.
    blocks
        Where each parameter lies in the vector; together the slices cover it once.
    initial_change
        Largest absolute change of each parameter in the first step, in the unit of the inversion parameter.
    sizes
        Typical absolute value of each parameter that the model is rounded to, in the unit of the inversion
        parameter (1 for a relative or logarithmic one); where it is empty, no step is too small.

    Raises
    ------
    ValueError
        If `blocks` and `initial_change` do not name the same parameters, a change or size is not positive, or
        `sizes` names other parameters.
    """

    inner: Inner
    precondition: Callable[[np.ndarray], np.ndarray]
    blocks: Mapping[str, slice]
    initial_change: Mapping[str, float]
    sizes: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("blocks is empty, expected at least one parameter with its slice")
        for name in self.initial_change:
            if name not in self.blocks:
                raise unknown_name("parameter in initial_change", name, self.blocks)
        for name in self.blocks:
            change = self.initial_change.get(name)
            if change is None or not (math.isfinite(change) and change > 0.0):
                raise ValueError(
                    f"initial_change of {name!r} is {change}, expected a positive number in the parameter's "
                    "unit; set initial_trust_region_linf"
                )
        for name, size in self.sizes.items():
            if name not in self.blocks:
                raise unknown_name("parameter in sizes", name, self.blocks)
            if not (math.isfinite(size) and size > 0.0):
                raise ValueError(
                    f"size of {name!r} is {size}, expected a positive number in the parameter's unit; "
                    "leave it out if there is none"
                )

    def point(self, misfit: float, gradient: np.ndarray) -> Point:
        """Return the point with its preconditioned gradient; applies S once.

        Raises
        ------
        ValueError
            If the gradient is not finite or not of the size that the blocks cover.
        """
        gradient = _checked_vector("gradient", gradient)
        self.check_size(gradient.size)
        return Point(misfit, gradient, self.precondition(gradient))

    def gradient_norm(self, point: Point) -> float:
        """Return √⟨g, S g⟩, the norm of the gradient in the dual of the metric.

        Raises
        ------
        ValueError
            If the preconditioner is not positive semidefinite.
        """
        square = self.inner(point.gradient, point.preconditioned)
        if square < 0.0:
            raise ValueError(
                f"<g, S g> is {square:.6g}, expected a positive number: the preconditioner is not positive "
                "semidefinite in the inner product, or `preconditioned` does not belong to `gradient`"
            )
        return math.sqrt(square)

    def check_size(self, size: int) -> None:
        """Raise ValueError unless the blocks cover a vector of that size exactly once."""
        covered = np.zeros(size, dtype=np.int64)
        for block in self.blocks.values():
            covered[block] += 1
        stops = [block.stop for block in self.blocks.values() if block.stop is not None]
        if np.any(covered != 1) or any(stop > size for stop in stops):
            listed = ", ".join(f"{name} {b.start}:{b.stop}" for name, b in self.blocks.items())
            raise ValueError(
                f"blocks ({listed}) do not cover a gradient of {size} entries exactly once; "
                "pass a gradient of the same mapping as the blocks"
            )


def weighted_inner(weights: np.ndarray) -> Inner:
    """Return ⟨a, b⟩ = Σ_i a_i w_i b_i, summed pairwise in a fixed order.

    NumPy's own summation is used, not BLAS, whose order of summation depends on the number of threads.

    Parameters
    ----------
    weights
        Positive weights w, shape (n,): lumped mass per parameter divided by the square of its scale.

    Raises
    ------
    ValueError
        If a weight is not positive and finite.
    """
    w = _checked_vector("weights", weights)
    if not np.all(w > 0.0):
        i = int(np.argmin(w))
        raise ValueError(f"weights[{i}] is {w[i]}, expected positive weights; check the mesh's mass")

    def inner(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sum(a * w * b))

    return inner


def combine(coefficients: Sequence[float] | np.ndarray, vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Return Σ_j c_j v_j of at least one vector of shape (n,), added in the order given."""
    total = coefficients[0] * vectors[0]
    for c, v in zip(coefficients[1:], vectors[1:], strict=True):
        total += c * v
    return total


def orthonormalise(vectors: Sequence[MetricVector], inner: Inner) -> tuple[list[MetricVector], np.ndarray]:
    """Return a basis, orthonormal in ⟨a, P b⟩, of the vectors' span and their coordinates in it.

    Returns
    -------
    basis
        r orthonormal vectors with their duals.
    coordinates
        Shape (r, len(vectors)): column j holds vector j; its dual has the same coordinates in the duals.

    Notes
    -----
    Gram-Schmidt, each vector orthogonalised twice, which is enough (Giraud et al. 2005, Comput. Math. Appl.
    50). Eigenvectors of the Gram matrix would be cheaper but lose half of the digits.
    """
    basis: list[MetricVector] = []
    coordinates = np.zeros((len(vectors), len(vectors)))
    for j, (v, Pv) in enumerate(vectors):
        length = math.sqrt(max(inner(v, Pv), 0.0))
        if length == 0.0:
            continue
        v, Pv = v / length, Pv / length
        for _ in range(2 if basis else 0):
            c = np.array([inner(v, u.Pv) for u in basis])
            v = v - combine(c, [u.v for u in basis])
            Pv = Pv - combine(c, [u.Pv for u in basis])
            coordinates[: len(basis), j] += length * c
        rest = math.sqrt(max(inner(v, Pv), 0.0))
        if rest > _DEPENDENT:
            coordinates[len(basis), j] = length * rest
            basis.append(MetricVector(v / rest, Pv / rest))
    return basis, coordinates[: len(basis)]


def check_preconditioner(update: np.ndarray, expected: np.ndarray) -> None:
    """Raise WavetreeError unless S (P p) is the step p that the history gives, both of shape (n,)."""
    largest = float(np.max(np.abs(expected)))
    mismatch = float(np.max(np.abs(update - expected)))
    if not mismatch <= _PRECONDITIONER_MISMATCH * largest:
        raise WavetreeError(
            f"the preconditioner does not reproduce the history: relative difference "
            f"{mismatch / largest:.3g}. It is not linear, or not the one that the state was built with; "
            "restart() after a change"
        )


def _checked_vector(name: str, value: np.ndarray) -> np.ndarray:
    """A read-only float64 copy of a finite vector."""
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} is {value!r}, expected a flat float64 array; convert it")
    if value.ndim != 1 or value.dtype != np.float64 or value.size == 0:
        raise ValueError(
            f"{name} is an array of {value.dtype} and shape {value.shape}, expected a flat, non-empty "
            "float64 array; flatten and convert it"
        )
    bad = np.flatnonzero(~np.isfinite(value))
    if bad.size:
        raise ValueError(
            f"{name} has {bad.size} entries that are not finite, the first is {value[bad[0]]} at index "
            f"{bad[0]}; check the simulations and the misfit that it comes from"
        )
    copy = np.array(value)
    copy.setflags(write=False)
    return copy
