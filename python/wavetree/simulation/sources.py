"""Sources of a simulation as the core's rows, with their samples."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavetree.mesh.interpolation import basis_weights
from wavetree.simulation import dispersion
from wavetree.simulation.core import Core
from wavetree.simulation.placement import source_media
from wavetree.simulation.rows import Operator, Rows, symmetric_pairs
from wavetree.simulation.time_axis import TimeAxis
from wavetree.survey.source.source import PointSource
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["FluidMoment", "SourceTerm", "Sources", "sample_functions", "silent_from"]

# Of the largest sample: what is smaller does not drive the wavefield any more.
_SILENT = 1e-6


@dataclass(frozen=True)
class FluidMoment:
    """Where a moment tensor in a fluid finds its M0: its force is f = −tr(M)/dim · M0(x_s).

    Attributes
    ----------
    element
        That in which it lies, within the part.
    reference
        Reference coordinates (1, dim).
    weights
        Of the element's nodes, (n_nodes,).
    m0
        M0 = 1/(ρ vp²) at the source [1/Pa].
    """

    element: int
    reference: np.ndarray
    weights: np.ndarray
    m0: float


@dataclass(frozen=True)
class SourceTerm:
    """What one source adds to F, linear in its amplitudes: F_n = Σ_k amplitude_k · unit_k · s_n.

    Attributes
    ----------
    source
        The source with its place.
    part
        Index of its part of the medium.
    units
        Coefficients of the row per unit of every amplitude, (n_amplitudes, n_components, 1 + dim).
    moment
        How it depends on the medium, of a moment tensor in a fluid; None of all others.
    """

    source: PointSource
    part: int
    units: np.ndarray
    moment: FluidMoment | None

    @property
    def amplitudes(self) -> np.ndarray:
        """Values of the amplitudes (n_amplitudes,)."""
        return np.array([getattr(self.source, name) for name in self.source.amplitude_names])


class Sources:
    """The sources of a simulation.

    Parameters
    ----------
    core
        The compiled simulation.
    sources
        Sources with a place inside the domain and a source time function each.

    Raises
    ------
    ValueError
        If a source has no source time function, or the medium at its place cannot have such a source.
    """

    def __init__(self, core: Core, sources: Sequence[PointSource]) -> None:
        self._core, self._sources = core, list(sources)
        parts = [core.media.index(medium) for medium in source_media(core.mesh, self._sources)]
        rows = [Rows() for _ in core.parts]
        self._row_source: list[list[int]] = [[] for _ in core.parts]
        self._terms: list[SourceTerm] = []
        for index, (source, part) in enumerate(zip(self._sources, parts, strict=True)):
            if source.source_time_function is None:
                raise ValueError(
                    f"the source at {source.location} has no source_time_function; give it one, for example "
                    "Ricker(center_frequency=...)."
                )
            term = self._term(source, part)
            rows[part].add([source.location], [np.tensordot(term.amplitudes, term.units, 1)])
            self._row_source[part].append(index)
            self._terms.append(term)
        self._operators = [row.compile(core, part) for part, row in enumerate(rows)]

    @property
    def operators(self) -> list[Operator]:
        """The compiled rows of every part."""
        return self._operators

    @property
    def terms(self) -> list[SourceTerm]:
        """What every source adds to F, in the order of the sources."""
        return self._terms

    def _term(self, source: PointSource, part: int) -> SourceTerm:
        core, dim = self._core, self._core.mesh.dim
        names = source.amplitude_names
        units = np.zeros((len(names), core.compiled.n_components(part), 1 + dim))
        moment = None
        if source.spatial_type != "moment_tensor":
            for k in range(len(names)):
                if source.spatial_type == "scalar_gradient":
                    units[k, 0, 1 + k] = 1.0
                else:
                    units[k, k, 0] = 1.0
        elif core.media[part] == "fluid":
            moment = self._fluid_moment(source, part)
            units[:dim, 0, 0] = -moment.m0 / dim  # the diagonal comes first
        else:
            for k, (i, j) in enumerate(symmetric_pairs(dim)):
                units[k, i, 1 + j] = units[k, j, 1 + i] = 1.0
        return SourceTerm(source, part, units, moment)

    def _fluid_moment(self, source: PointSource, part: int) -> FluidMoment:
        elements, reference = self._core.locate(part, np.array([source.location]))
        weights = basis_weights(self._core.mesh.tensor_order, reference)[0]
        m0 = float(weights @ self._core.parts[part].coefficients[0, elements[0]])
        return FluidMoment(int(elements[0]), reference, weights, m0)

    def evaluation_times(self, axis: TimeAxis, n_computed: int, filtered: bool) -> np.ndarray:
        """Return the times at which the source time functions are evaluated (n_evaluated,) [s].

        Parameters
        ----------
        axis, n_computed, filtered
            As for `functions`.
        """
        return _evaluation_times(axis, n_computed, filtered)

    def functions(self, axis: TimeAxis, n_computed: int, n_steps: int, filtered: bool) -> np.ndarray:
        """Return the source time functions at the computed steps (n_sources, n_steps).

        Parameters
        ----------
        axis
            Start and step.
        n_computed
            Computed samples of a run that stores nothing: the filter's length, whatever is stored.
        n_steps
            Number of steps, up to twice as many.
        filtered
            Whether the dispersion of the time stepping is removed.
        """
        return sample_functions(
            [source.source_time_function for source in self._sources], axis, (n_computed, n_steps), filtered
        )

    def functions_transpose(self, by_function: np.ndarray, n_computed: int, filtered: bool) -> np.ndarray:
        """Apply the transpose of the map from evaluated source time functions to `functions`.

        Parameters
        ----------
        by_function
            Shape (n_sources, n_steps).
        n_computed, filtered
            As for `functions`.

        Returns
        -------
        np.ndarray
            Shape (n_sources, n_evaluated), see `evaluation_times`.
        """
        padded = np.zeros((len(by_function), 2 * n_computed))
        padded[:, : by_function.shape[1]] = by_function
        if not filtered:
            return padded
        n_evaluated = dispersion.extended_length(padded.shape[1])
        rows = [dispersion.filter_source_transpose(row, n_evaluated) for row in padded]
        return np.array(rows).reshape(-1, n_evaluated)

    def samples(self, functions: np.ndarray) -> list[np.ndarray]:
        """Return the rows' samples (n_rows, n_steps) per part, from the source time functions."""
        return [
            np.ascontiguousarray(functions[rows].reshape(-1, functions.shape[1])) for rows in self._row_source
        ]

    def medium_derivative(self, functions: np.ndarray, by_function: np.ndarray) -> list[np.ndarray]:
        """Return how the misfit depends on the medium at the sources, besides the wavefield's own.

        Parameters
        ----------
        functions
            Source time functions (n_sources, n_steps).
        by_function
            Derivative by them (n_sources, n_steps): λ as the rows of the sources read it.

        Returns
        -------
        list
            Derivative by the coefficients of every part, (n_coefficients, n_elements, n_nodes).
        """
        result = [np.zeros(part.coefficients.shape) for part in self._core.parts]
        for index, term in enumerate(self._terms):
            if term.moment is not None:
                by_m0 = float(functions[index] @ by_function[index]) / term.moment.m0
                result[term.part][0, term.moment.element] += by_m0 * term.moment.weights
        return result


def sample_functions(
    functions: Sequence[SourceTimeFunction | None], axis: TimeAxis, n_steps: tuple[int, int], filtered: bool
) -> np.ndarray:
    """Return source time functions at the computed steps (n_functions, n_steps[1]).

    Parameters
    ----------
    functions
        Source time functions.
    axis
        Start and step.
    n_steps
        Computed steps of a run that stores nothing: the filter's length, whatever is stored. Then the number
        of steps asked for, up to twice as many.
    filtered
        Whether the dispersion of the time stepping is removed.
    """
    samples = np.zeros((len(functions), n_steps[1]))
    for row, function in zip(samples, functions, strict=True):
        assert function is not None
        row[:] = _sampled(function, axis, n_steps[0], filtered)[: n_steps[1]]
    return samples


@functools.lru_cache(maxsize=16)  # the events of a simulation have the same few
def _sampled(function: SourceTimeFunction, axis: TimeAxis, n_computed: int, filtered: bool) -> np.ndarray:
    values = function.evaluate(_evaluation_times(axis, n_computed, filtered))
    samples = dispersion.filter_source(values, 2 * n_computed) if filtered else np.array(values)
    samples.flags.writeable = False
    return samples


def _evaluation_times(axis: TimeAxis, n_computed: int, filtered: bool) -> np.ndarray:
    # Filtered on a length that does not depend on what is stored, for the same bits with and without.
    n_samples = 2 * n_computed
    n_evaluated = dispersion.extended_length(n_samples) if filtered else n_samples
    return np.asarray(axis.start + axis.dt * np.arange(n_evaluated))


def silent_from(functions: np.ndarray) -> int:
    """Return the step from which on all source time functions (n_sources, n_steps) stay near zero."""
    size = np.abs(functions)
    loud = (size > _SILENT * size.max(axis=1, keepdims=True)).any(axis=0)
    return int(np.flatnonzero(loud).max()) + 1 if loud.any() else 0
