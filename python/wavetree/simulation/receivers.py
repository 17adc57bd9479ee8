"""Receivers of a simulation: from the core's samples to records, and the transpose."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wavetree.mesh.interpolation import basis_weights
from wavetree.simulation import dispersion
from wavetree.simulation.core import Core
from wavetree.simulation.placement import check_receivers
from wavetree.simulation.rows import Operator, Rows, symmetric_pairs
from wavetree.survey.receiver.fields import FIELDS, ReceiverField
from wavetree.survey.receiver.receiver import PointReceiver

__all__ = ["Receivers", "differentiations"]

_BY_PLACE = ("gradient-of-phi", "strain", "stress", "gradient-of-displacement")


@dataclass(frozen=True)
class _Group:
    """The rows of one field: (n_receivers, n_components) in one part."""

    field: ReceiverField
    part: int
    rows: np.ndarray


class Receivers:
    """What the receivers of a simulation read from the wavefield.

    Parameters
    ----------
    core
        The compiled simulation.
    receivers
        Receivers with a place inside the domain.

    Raises
    ------
    ValueError
        If a receiver records a field that the medium at its place does not have.
    """

    def __init__(self, core: Core, receivers: Sequence[PointReceiver]) -> None:
        self._core, self._receivers = core, list(receivers)
        check_receivers(core.mesh, self._receivers)
        rows = [Rows() for _ in core.parts]
        numbers: dict[str, list[np.ndarray]] = {}
        for fields, alike in itertools.groupby(self._receivers, key=lambda receiver: receiver.fields):
            positions = [receiver.location for receiver in alike]
            for medium in dict.fromkeys(FIELDS[name].medium for name in fields):
                row_names, coefficients, derivatives = _rows_at_a_point(fields, medium, core.mesh.dim)
                added = rows[core.media.index(medium)].add(positions, coefficients, derivatives)
                for name in dict.fromkeys(row_names):
                    numbers.setdefault(name, []).append(added[:, [name == one for one in row_names]])
        self._operators = [row.compile(core, part) for part, row in enumerate(rows)]
        self._n_rows = [len(row) for row in rows]
        self._groups = {
            name: _Group(FIELDS[name], core.media.index(FIELDS[name].medium), np.concatenate(added))
            for name, added in numbers.items()
        }
        self._elasticity = self._interpolate_elasticity() if "stress" in self._groups else None

    @property
    def operators(self) -> list[Operator]:
        """The compiled rows of every part."""
        return self._operators

    @property
    def fields(self) -> list[str]:
        """Names of the recorded fields."""
        return list(self._groups)

    def samples(self, n_samples: int) -> list[np.ndarray]:
        """Return arrays (n_rows, n_samples) that a run writes into, one per part."""
        return [np.zeros((n, n_samples)) for n in self._n_rows]

    def records(self, samples: Sequence[np.ndarray], filtered: bool) -> dict[str, np.ndarray]:
        """Return the records by field, (n_receivers, n_components, n_samples).

        Parameters
        ----------
        samples
            What a run has written, (n_rows, n_samples) per part.
        filtered
            Whether the dispersion of the time stepping is removed.
        """
        result = {}
        for name, group in self._groups.items():
            values = samples[group.part][group.rows]
            if filtered:
                values = dispersion.filter_records(values, velocity=group.field.time_derivative == 1)
            result[name] = self._stress(values) if name == "stress" else values
        return result

    def shapes(self, n_samples: int) -> dict[str, tuple[int, int, int]]:
        """Return the shapes of records of n_samples by field."""
        return {name: (*group.rows.shape, n_samples) for name, group in self._groups.items()}

    def adjoint(
        self, adjoint_sources: Mapping[str, np.ndarray], n_samples: int, filtered: bool
    ) -> list[np.ndarray]:
        """Apply the transpose of `records`: (n_rows, n_samples) per part.

        Parameters
        ----------
        adjoint_sources
            By field, (n_receivers, n_components, n_samples).
        n_samples
            Number of samples.
        filtered
            As for `records`.
        """
        result = self.samples(n_samples)
        for name, values in adjoint_sources.items():
            group = self._groups[name]
            if name == "stress":
                values = np.einsum("rji,rjn->rin", self._voigt(), values)
            if filtered:
                velocity = group.field.time_derivative == 1
                values = dispersion.filter_records_transpose(values, velocity=velocity)
            result[group.part][group.rows] = values
        return result

    # -- stress --------------------------------------------------------------------------------

    def _stress(self, strain: np.ndarray) -> np.ndarray:
        """C:ε of strains ε (n_receivers, n_components, n_samples) in Voigt order."""
        return np.einsum("rij,rjn->rin", self._voigt(), strain)

    def _voigt(self) -> np.ndarray:
        """C at the receivers that multiplies ε itself (n_receivers, n_voigt, n_voigt)."""
        assert self._elasticity is not None
        return self._elasticity.tensor * _engineering(self._core.mesh.dim)

    def stress_derivative(
        self, samples: Sequence[np.ndarray], adjoint: np.ndarray, filtered: bool
    ) -> np.ndarray:
        """Return how the misfit depends on the stiffness at the receivers, besides the wavefield's own.

        Parameters
        ----------
        samples
            What the forward run wrote, (n_rows, n_samples) per part.
        adjoint
            Adjoint source of the stress (n_receivers, n_components, n_samples), times the sampling interval.
        filtered
            As for `records`.

        Returns
        -------
        np.ndarray
            Derivative by the coefficients of the solid, (n_coefficients, n_elements, n_nodes).
        """
        group, elasticity = self._groups["stress"], self._elasticity
        assert elasticity is not None
        strain = samples[group.part][group.rows]
        if filtered:
            strain = dispersion.filter_records(strain)
        by_tensor = np.einsum("rin,rjn->rij", adjoint, strain) * _engineering(self._core.mesh.dim)
        by_coefficient = _by_coefficient(self._core.parts[group.part].physics, by_tensor, self._core.mesh.dim)
        result = np.zeros(self._core.parts[group.part].coefficients.shape)
        for k, values in enumerate(by_coefficient.T):
            np.add.at(result[k], elasticity.elements, values[:, None] * elasticity.weights)
        return result

    def _interpolate_elasticity(self) -> _Elasticity:
        group, core = self._groups["stress"], self._core
        positions = np.array([r.location for r in self._receivers if "stress" in r.fields])
        elements, reference = core.locate(group.part, positions)
        weights = basis_weights(core.mesh.tensor_order, reference)
        part = core.parts[group.part]
        at = np.einsum("krn,rn->rk", part.coefficients[:, elements], weights)
        return _Elasticity(elements, weights, _tensor(part.physics, at, core.mesh.dim))


@dataclass(frozen=True)
class _Elasticity:
    """Stiffness tensors (n_receivers, n_voigt, n_voigt) and from which nodes they are interpolated."""

    elements: np.ndarray
    weights: np.ndarray
    tensor: np.ndarray


def _engineering(dim: int) -> np.ndarray:
    """Factor of ε in Voigt form: C multiplies 2ε of shear."""
    return np.array([1.0 if i == j else 2.0 for i, j in symmetric_pairs(dim)])


def _tensor(physics: str, coefficients: np.ndarray, dim: int) -> np.ndarray:
    """Voigt tensors (n, n_voigt, n_voigt) of coefficients (n, n_coefficients)."""
    n = len(symmetric_pairs(dim))
    tensor = np.zeros((len(coefficients), n, n))
    if physics == "anisotropic":
        rows, columns = np.triu_indices(n)
        tensor[:, rows, columns] = tensor[:, columns, rows] = coefficients[:, 1:]
        return tensor
    tensor[:, :dim, :dim] = coefficients[:, 1, None, None]
    diagonal = np.arange(n)
    tensor[:, diagonal, diagonal] += coefficients[:, 2, None] * np.where(diagonal < dim, 2.0, 1.0)
    return tensor


def _by_coefficient(physics: str, by_tensor: np.ndarray, dim: int) -> np.ndarray:
    """Transpose of `_tensor`: (n, n_coefficients)."""
    n = len(symmetric_pairs(dim))
    result = np.zeros((len(by_tensor), 3 if physics == "elastic" else 1 + n * (n + 1) // 2))
    if physics == "anisotropic":
        rows, columns = np.triu_indices(n)
        both = by_tensor + by_tensor.transpose(0, 2, 1)
        result[:, 1:] = np.where(rows == columns, 0.5, 1.0) * both[:, rows, columns]
        return result
    diagonal = np.arange(n)
    result[:, 1] = by_tensor[:, :dim, :dim].sum(axis=(1, 2))
    result[:, 2] = (by_tensor[:, diagonal, diagonal] * np.where(diagonal < dim, 2.0, 1.0)).sum(axis=1)
    return result


@functools.cache
def _rows_at_a_point(
    fields: tuple[str, ...], medium: str, dim: int
) -> tuple[list[str], np.ndarray, list[int]]:
    """Field, coefficients (n_components, 1 + dim) and time derivative of a receiver's rows in one medium."""
    names = [name for name in fields if FIELDS[name].medium == medium]
    coefficients = [_coefficients(name, dim) for name in names]
    rows = [name for name, some in zip(names, coefficients, strict=True) for _ in some]
    return rows, np.concatenate(coefficients), [FIELDS[name].time_derivative for name in rows]


@functools.cache
def _coefficients(field: str, dim: int) -> list[np.ndarray]:
    """Rows of a field, each (n_components, 1 + dim) by value and space derivatives."""
    if FIELDS[field].medium == "fluid":
        unit = np.eye(1 + dim)[:, None]
        if field == "gradient-of-phi":
            return list(unit[1:])
        return [-unit[0] if field == "pressure" else unit[0]]
    value, slope = np.zeros((dim, dim, 1 + dim)), np.zeros((dim, dim, dim, 1 + dim))
    for i in range(dim):
        value[i, i, 0] = 1.0
        for j in range(dim):
            slope[i, j, i, 1 + j] = 1.0
    if field == "gradient-of-displacement":
        return list(slope.reshape(dim * dim, dim, 1 + dim))
    if field in ("strain", "stress"):
        return [0.5 * (slope[i, j] + slope[j, i]) for i, j in symmetric_pairs(dim)]
    return list(value)


def differentiations(fields: Iterable[str]) -> int:
    """Return how many times records are differentiated by time or place, at most over the fields."""
    return max((FIELDS[name].time_derivative + (name in _BY_PLACE) for name in fields), default=0)
