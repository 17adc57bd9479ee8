"""How strongly the waves of a simulation pass every point of the medium."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from wavetree.simulation.core import Core
from wavetree.simulation.simulation import Simulation

__all__ = ["compute_illumination", "sampling_interval"]

# The square of a field is integrated exactly from more than two samples a period of its highest frequency,
# and the spectrum does not end at the maximum frequency of a source time function.
_SAMPLES_PER_PERIOD = 4.0


def sampling_interval(simulation: Simulation) -> int:
    """Return every how many time steps the wavefield is sampled: four times a period or more often.

    The period is that of the highest frequency of the sources; sources that are not band-limited are sampled
    at every step.
    """
    functions = [source.source_time_function for source in simulation.sources]
    highest = [None if stf is None else stf.maximum_frequency() for stf in functions]
    if None in highest:
        return 1
    frequency = max(f for f in highest if f is not None)
    return max(1, int(1.0 / (_SAMPLES_PER_PERIOD * frequency * simulation.time_axis.dt)))


def compute_illumination(simulation: Simulation, control: Any = None) -> np.ndarray:
    """Run a simulation and return the illumination of its domain.

    Parameters
    ----------
    simulation
        The simulation; its receivers do not matter.
    control
        `wavetree._core.Control` that shows the progress and can cancel the run.

    Returns
    -------
    numpy.ndarray
        H (nelem, n_nodes) [J s/m^d] at the nodes of the wavefield's order, x fastest.

    Raises
    ------
    Cancelled
        If the control asked for it.
    SimulationFailed
        If the wavefield is no longer finite.

    Notes
    -----
    H = ∫ φ_tt²/(ρ vp²) dt in fluids and ∫ ρ |u_t|² dt in solids, over the time axis. Both are twice an energy
    density, that of pressure and that of motion, equal in plane waves, so that fluid and solid compare. What
    a relative change of 1/(ρ vp²) or ρ scatters is proportional to φ_tt or u_tt, so that H, but for a
    frequency squared in solids, is the diagonal of the misfit's Hessian with receivers everywhere (Shin, Jang
    & Min 2001, Geophysical Prospecting 49, 592–606). Fields are sampled at `sampling_interval`.
    """
    axis = simulation.time_axis
    interval = sampling_interval(simulation)
    run = simulation.forward_run(axis.n_samples, None, control)
    # From the middle of each interval: fields that have not left at the end weigh as they should.
    squares = _Squares(run.core, axis.dt, np.arange(interval // 2, axis.n_samples, interval))
    replace(run, observer=squares).advance(run.start(), axis.n_samples)
    run.control.progress = 1.0
    return squares.energy() * (interval * axis.dt)


class _Squares:
    """Sums the squares of φ_tt and u_t at some time steps; an observer of the run.

    The scheme's velocity w stands half a step before the field: φ_tt = (w⁺ − w)/dt, u_t = (w⁺ + w)/2.
    """

    def __init__(self, core: Core, dt: float, steps: np.ndarray) -> None:
        self._core, self._dt, self._steps = core, dt, steps
        self._seen = 0
        self._before: list[np.ndarray] | None = None
        compiled = core.compiled
        self._sums = [np.zeros(compiled.n_dofs(part)) for part in range(len(core.parts))]

    def stops(self, begin: int, end: int) -> list[int]:
        wanted = np.union1d(self._steps, self._steps + 1)
        return [int(step) for step in wanted[(wanted > begin) & (wanted < end)]]

    def see(self, state: Any) -> None:
        if self._before is not None and state.step == self._steps[self._seen - 1] + 1:
            for part, (before, after) in enumerate(zip(self._before, self._velocities(state), strict=True)):
                fluid = self._core.media[part] == "fluid"
                value = (after - before) / self._dt if fluid else 0.5 * (after + before)
                self._sums[part] += np.sum(value * value, axis=1)
            self._before = None
        if self._seen < len(self._steps) and state.step == self._steps[self._seen]:
            self._seen += 1
            self._before = self._velocities(state)

    def _velocities(self, state: Any) -> list[np.ndarray]:
        parts = range(len(self._core.parts))
        return [self._core.compiled.field(state, part, True).astype(np.float64) for part in parts]

    def energy(self) -> np.ndarray:
        """The sums times 1/(ρ vp²) or ρ, which are the first coefficient, in the domain's elements."""
        core = self._core
        result = np.zeros((core.mesh.nelem, (core.mesh.tensor_order + 1) ** core.mesh.dim))
        for number, part in enumerate(core.parts):
            inside = part.elements < core.mesh.nelem
            sums = core.gather(number, self._sums[number])
            dofs = core.element_dofs(number)[inside]
            result[part.elements[inside]] = part.coefficients[0, inside] * sums[dofs]
        return result
