"""The misfit of a simulation as a function of its medium."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.errors import unknown_name
from wavetree.misfit.l2 import l2
from wavetree.model.parameters import UNITS
from wavetree.simulation.checkpoint_schedule import best_shape
from wavetree.simulation.medium import parameter_set, parameter_values
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage_plan import StoragePlan, checkpoints_plan

__all__ = ["SimulationMisfit", "exact_storage_plans"]

Misfit = Callable[[np.ndarray, np.ndarray, float], tuple[float, np.ndarray]]


@runtime_checkable
class RecordsMisfit(Protocol):
    """A misfit of all records of an event, such as a misfit configuration."""

    def evaluate(
        self, synthetic: EventData, observed: EventData
    ) -> tuple[float, dict[str, np.ndarray], bool]:
        """Return the misfit, the adjoint sources by field and whether the records are equal."""


# A fluid in parameters of solids has several moduli that must agree within 1 %
# (`wavetree.model.anisotropic.FLUID_TOLERANCE`).
_EQUAL_MODULI = 0.1
# Central differences of this order on both sides, of changes up to 2.4 %: they err by less than the rounding
# of the records, so that a linearised run needs no second implementation of the scheme.
_HALF_ORDER, _STEP = 6, 4e-3


def exact_storage_plans(simulation: Simulation) -> list[StoragePlan]:
    """Return plans for `Simulation.run` with which gradients have the same bits.

    Returns
    -------
    list
        Every step in memory; then states to compute it again from, within less and less memory.
    """
    run, full = simulation.stored_run, simulation.storage_plan(1)
    plans = [full]
    for part in (2, 6, 20):
        n_states, n_snapshots = best_shape(full.n_snapshots, max(1, full.n_snapshots // part))
        plans.append(checkpoints_plan(run, n_snapshots, n_states))
    return plans


class SimulationMisfit:
    """The misfit of a simulation as a function of its medium, with its derivative.

    Parameters
    ----------
    simulation
        The set-up, of any parameter set and receiver fields; its time axis is kept for every medium, so that
        the misfit is one smooth function.
    observed
        Records to compare with.
    misfit
        From synthetic and observed records (n_components, n_samples) of one receiver and the sampling rate
        [Hz] to the misfit and its adjoint source, summed over all receivers and fields, with observed
        records in number and sampling those of the simulation; or a misfit of all records, such as a misfit
        configuration.
    storage
        How the wavefield is kept, as for `Simulation.run`; the derivative is exact for 1, every step, and for
        `exact_storage_plans`.
    parameters
        Names of the parameters that change; all of the medium when None.

    Raises
    ------
    ValueError
        If a parameter is not one of the medium.

    Examples
    --------
    Certify the gradient of a set-up::

        misfit = SimulationMisfit(simulation, observed)
        here = np.zeros(misfit.size)
        direction = generator.standard_normal(misfit.size)
        taylor_slopes(misfit, misfit.gradient(here), here, direction, 10.0 ** -np.arange(2, 6))

    Notes
    -----
    As a function of one flat vector p (size,) the medium is m + s p, m the simulation's own: the values of
    all elements and nodes, one parameter after the other. The scale s is m itself, so that p has no unit and
    VP and RHO count alike, but

    - where m = 0, as C16 of most solids, the largest parameter of that unit at the node;
    - 0 where the medium would be another one: for VS and all else that fluids do not have;
    - a tenth of m for moduli that must agree in a fluid, as VPV and VPH.
    """

    def __init__(
        self,
        simulation: Simulation,
        observed: EventData,
        misfit: Misfit | RecordsMisfit = l2,
        storage: int | StoragePlan = 1,
        parameters: Iterable[str] | None = None,
    ) -> None:
        self._simulation, self._observed = simulation, observed
        self._misfit, self._storage = misfit, storage
        known = parameter_set(simulation.mesh).names
        names = known if parameters is None else tuple(parameters)
        for name in names:
            if name not in known:
                raise unknown_name("parameter of the medium", name, known)
        fields, scales = simulation.mesh.element_nodal_fields, _scales(simulation)
        self.material = {name: fields[name] for name in names}
        self.scale = {name: scales[name] for name in names}

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(values.size for values in self.material.values())

    @property
    def simulation(self) -> Simulation:
        """The set-up."""
        return self._simulation

    def parts(self) -> dict[str, slice]:
        """Return where the parameters are in the flat vector, by name."""
        ends = np.cumsum([values.size for values in self.material.values()])
        return {
            name: slice(int(end) - m.size, int(end))
            for (name, m), end in zip(self.material.items(), ends, strict=True)
        }

    # -- as a function of the flat vector -------------------------------------------------------

    def __call__(self, change: np.ndarray) -> float:
        """Return the misfit of the medium m + s p for changes p (size,)."""
        return self.value(self._changed(change))

    def gradient(self, change: np.ndarray) -> np.ndarray:
        """Return the derivative by the changes p (size,) at p."""
        return self._flat(self.derivative(self._changed(change)))

    def linearised(self, direction: np.ndarray) -> dict[str, np.ndarray]:
        """Return the derivative of the records along a direction, by field (n_receivers, n_components, n).

        Notes
        -----
        By central differences of order 12 at the simulation's own medium; 12 runs.
        """
        k = np.arange(1, _HALF_ORDER + 1)
        powers = 2.0 * np.arange(_HALF_ORDER)[:, None] + 1.0
        weights = np.linalg.solve(k[None, :] ** powers, 0.5 * (powers[:, 0] == 1.0)) / _STEP

        def records(factor: float) -> Mapping[str, np.ndarray]:
            return self._with(self._changed(factor * _STEP * direction)).run().data

        total: dict[str, np.ndarray] = {}
        for factor, weight in zip((*k, *-k), (*weights, *-weights), strict=True):
            for field, values in records(float(factor)).items():
                total[field] = total.get(field, 0.0) + weight * values
        return total

    def transposed(self, samples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the transpose of `linearised` applied to samples by field: (size,)."""
        every = self._simulation.configuration.receiver_sampling_interval_in_time_steps
        simulation = self._with(self.material)
        simulation.run(self._storage)
        # ∂χ/∂u_n = dt f†_n: the derivative for f† is the transpose applied to dt f†.
        return self._flat(simulation.derivative(samples)) / (every * simulation.time_axis.dt)

    # -- as a function of the medium ------------------------------------------------------------

    def value(self, material: Mapping[str, np.ndarray]) -> float:
        """Return the misfit of a medium, parameter name to (nelem, n_nodes)."""
        return self._compare(self._with(material).run())[0]

    def derivative(self, material: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the derivative by every value of a medium, parameter name to (nelem, n_nodes)."""
        simulation = self._with(material)
        return simulation.derivative(self._compare(simulation.run(self._storage))[1])

    def _changed(self, change: np.ndarray) -> dict[str, np.ndarray]:
        if np.shape(change) != (self.size,):
            raise ValueError(f"change has shape {np.shape(change)}; expected ({self.size},).")
        return {
            name: m + self.scale[name] * change[part].reshape(m.shape)
            for (name, m), part in zip(self.material.items(), self.parts().values(), strict=True)
        }

    def _flat(self, derivative: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([(scale * derivative[name]).ravel() for name, scale in self.scale.items()])

    def _with(self, material: Mapping[str, np.ndarray]) -> Simulation:
        given = self._simulation
        mesh = given.mesh.copy()
        for name, values in material.items():
            if name not in self.material:
                raise unknown_name("parameter of the medium", name, self.material)
            mesh.attach_field(name, values)
        return Simulation(
            mesh,
            given.sources,
            given.receivers,
            given.configuration,
            given.boundary_conditions,
            given.precision,
            time_axis=given.time_axis,
            event_name=given.event_name,
        )

    def _compare(self, synthetic: EventData) -> tuple[float, dict[str, np.ndarray]]:
        """The misfit of all receivers and fields, and the adjoint sources by field."""
        if isinstance(self._misfit, RecordsMisfit):
            return self._misfit.evaluate(synthetic, self._observed)[:2]
        total, adjoint_sources = 0.0, {}
        for field, records in synthetic.data.items():
            observed = self._observed.data[field]
            if observed.shape != records.shape:
                raise ValueError(
                    f"observed records of {field!r} have shape {observed.shape}; expected {records.shape}, "
                    "that of the simulation's."
                )
            rate = synthetic.sampling_rate_in_hertz
            results = [self._misfit(u, d, rate) for u, d in zip(records, observed, strict=True)]
            total += sum(value for value, _ in results)
            adjoint_sources[field] = np.stack([source for _, source in results])
        return total, adjoint_sources


def _scales(simulation: Simulation) -> dict[str, np.ndarray]:
    """What a change of 1 is of every parameter; see `SimulationMisfit`."""
    parameters, values = parameter_set(simulation.mesh), parameter_values(simulation.mesh)
    fluid, result = parameters.is_fluid(values), {}
    for name in parameters.names:
        alike = [other for other in parameters.names if UNITS[other] == UNITS[name]]
        largest = np.max([np.abs(values[other]) for other in alike], axis=0)
        scale = np.where(values[name] == 0.0, largest, values[name])
        if name in parameters.solid_only:
            scale = np.where(fluid, 0.0, scale)
        elif len([other for other in alike if other not in parameters.solid_only]) > 1:
            scale = np.where(fluid, _EQUAL_MODULI * scale, scale)
        result[name] = scale
    return result
