"""Derivatives of the misfit by the sources, from the adjoint field at their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavetree.mesh.interpolation import lagrange_derivative_matrix, lagrange_matrix
from wavetree.simulation.core import Core
from wavetree.simulation.rows import Operator, Rows, symmetric_pairs
from wavetree.simulation.sources import FluidMoment, Sources, SourceTerm

__all__ = ["AdjointResult", "SourceDerivative", "SourceReadings"]


@dataclass(frozen=True)
class SourceDerivative:
    """The derivative of the misfit by one source.

    Attributes
    ----------
    by_amplitude
        Misfit per unit of every amplitude, by the names of the source class: f; fx, fy[, fz]; mxx, ... An
        off-diagonal entry of a moment tensor stands for both its places.
    by_location
        Misfit per metre by x, y[, z] of the place, (dim,). Of a source on a side set it is the derivative by
        the place that it has on the mesh, as if it were free to leave it.
    by_source_time_function
        Misfit per unit of s(times), (n_times,).
    times
        The samples start + n dt of the source time function that the run evaluates, (n_times,) [s]. Those of
        the time axis come first. The ones beyond matter to the removal of the time stepping's dispersion,
        which moves high frequencies forward in time; without it their derivative is zero.

    Notes
    -----
    The derivative of the misfit by s is Σ_n by_source_time_function[n] δs(times[n]): no factor dt.

    Everything is the derivative of the computed misfit, to rounding, if every time step of the forward field
    is stored. With every s-th step the adjoint field is smoothed in time: by_source_time_function then lacks
    what lies above 0.38/(s dt), and the others what the source time function has there.

    The wavefield is smooth inside elements and has kinks on their faces. On a face, by_location is the
    one-sided derivative of the element in which the source is found.
    """

    by_amplitude: dict[str, float]
    by_location: np.ndarray
    by_source_time_function: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class AdjointResult:
    """What one adjoint run gives.

    Attributes
    ----------
    derivative
        By every element-nodal value of every parameter, parameter name to (nelem, n_nodes).
    sources
        By every source, in the order of the sources.
    """

    derivative: dict[str, np.ndarray]
    sources: list[SourceDerivative]


class SourceReadings:
    """What an adjoint run reads at the sources: one row per amplitude and one per coordinate of the place.

    Parameters
    ----------
    core
        The compiled simulation.
    sources
        Its sources.

    Notes
    -----
    χ depends on the source through F_n = r s_n with r_i = Σ (k_c0 + Σ_d k_c,1+d ∂/∂x_d) l_i(x_s) and
    ∂χ/∂F_n = λ_n, so ∂χ/∂s_n = rᵀλ_n, ∂χ/∂a = Σ_n s_n (∂r/∂a)ᵀλ_n, and the same with x_s: a coefficient
    of l_i or ∂l_i/∂x_d becomes one of ∂l_i/∂x_e or ∂²l_i/∂x_d∂x_e.
    """

    def __init__(self, core: Core, sources: Sources) -> None:
        rows = [Rows() for _ in core.parts]
        self._terms, self._rows = sources.terms, []
        for term in self._terms:
            coefficients = np.concatenate([_with_second(term.units), _moved(core, term)])
            self._rows.append(rows[term.part].add([term.source.location], coefficients)[0])
        self._operators = [row.compile(core, part) for part, row in enumerate(rows)]

    @property
    def operators(self) -> list[Operator]:
        """The compiled rows of every part."""
        return self._operators

    def samples(self, n_samples: int) -> list[np.ndarray]:
        """Return arrays (n_rows, n_samples) that an adjoint run writes λ into, one per part."""
        return [np.zeros((rows.points.n_rows, n_samples)) for rows in self._operators]

    def by_function(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """Return the derivative by the source time functions as the run takes them, (n_sources, n_samples).

        Parameters
        ----------
        samples
            λ as an adjoint run has written it, (n_rows, n_samples) per part.
        """
        result = np.zeros((len(self._rows), samples[0].shape[1]))
        for row, term, rows in zip(result, self._terms, self._rows, strict=True):
            row[:] = term.amplitudes @ samples[term.part][rows[: len(term.units)]]
        return result

    def derivatives(
        self,
        samples: Sequence[np.ndarray],
        functions: np.ndarray,
        by_evaluated: tuple[np.ndarray, np.ndarray],
    ) -> list[SourceDerivative]:
        """Return the derivative by every source.

        Parameters
        ----------
        samples
            λ as an adjoint run has written it, (n_rows, n_steps + 1) per part.
        functions
            Source time functions as the run takes them, (n_sources, n_steps).
        by_evaluated
            Times at which the source time functions are evaluated (n_times,) [s], and the derivative by the
            values there (n_sources, n_times).
        """
        times, by_value = by_evaluated
        result = []
        for term, rows, function, by_source in zip(self._terms, self._rows, functions, by_value, strict=True):
            names = term.source.amplitude_names
            values = samples[term.part][rows, : len(function)] @ function
            by_amplitude = dict(zip(names, values[: len(names)].tolist(), strict=True))
            result.append(SourceDerivative(by_amplitude, values[len(names) :], by_source, times))
        return result


def _with_second(coefficients: np.ndarray) -> np.ndarray:
    """Coefficients (n, n_components, 1 + dim) with zeros for the second derivatives."""
    dim = coefficients.shape[-1] - 1
    return np.pad(coefficients, ((0, 0), (0, 0), (0, dim * (dim + 1) // 2)))


def _moved(core: Core, term: SourceTerm) -> np.ndarray:
    """Derivative of a source's row by its place, (dim, n_components, 1 + dim + dim (dim + 1)/2)."""
    coefficients = np.tensordot(term.amplitudes, term.units, 1)
    dim = core.mesh.dim
    moved = _with_second(np.zeros((dim, *coefficients.shape)))
    number = {pair: 1 + dim + k for k, pair in enumerate(symmetric_pairs(dim))}
    for e in range(dim):
        moved[e, :, 1 + e] = coefficients[:, 0]
        for d in range(dim):
            moved[e, :, number[min(d, e), max(d, e)]] = coefficients[:, 1 + d]
    if term.moment is not None:
        slope = _gradient_of_m0(core, term.part, term.moment) / term.moment.m0
        moved[:, :, 0] += slope[:, None] * coefficients[:, 0]
    return moved


def _gradient_of_m0(core: Core, part: int, moment: FluidMoment) -> np.ndarray:
    """∂M0/∂x at a source in its element (dim,)."""
    mesh, order = core.medium_mesh, core.mesh.tensor_order
    nodes = mesh.connectivity[core.parts[part].elements[moment.element]]
    jacobian = _reference_gradient(mesh.shape_order, moment.reference) @ mesh.points[nodes]  # [a, d]
    by_reference = (
        _reference_gradient(order, moment.reference) @ core.parts[part].coefficients[0, moment.element]
    )
    return np.linalg.solve(jacobian, by_reference)


def _reference_gradient(order: int, reference: np.ndarray) -> np.ndarray:
    """Derivatives (dim, n_nodes) of an element's basis by the reference coordinates at a point (1, dim)."""
    dim = reference.shape[1]
    result = np.empty((dim, (order + 1) ** dim))
    for a in range(dim):
        values = np.ones(1)
        for d in range(dim):
            line = (lagrange_derivative_matrix if d == a else lagrange_matrix)(order, reference[:, d])[0]
            values = np.outer(line, values).ravel()
        result[a] = values
    return result
