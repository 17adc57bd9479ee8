"""The certificate of a gradient for a simulation of a project."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.data.transducer_records import EventRecords
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.pipeline import MisfitProblem, read_event_data
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.testing import GradientCertificate, SimulationMisfit, certify_gradient, count_runs

__all__ = ["check_gradient"]

_log = logging.getLogger("wavetree")


def check_gradient(
    problem: MisfitProblem, parameters: Iterable[str] | None, generator: np.random.Generator
) -> GradientCertificate:
    """Check the gradient of misfits whose observed data exist.

    Parameters
    ----------
    problem
        The misfits, with the storage whose error is asked for.
    parameters
        Names of the parameters that change; all when None.
    generator
        Draws directions and entries.

    Raises
    ------
    ValueError
        If a parameter is unknown or the gradient is zero.
    """
    names = None if parameters is None else list(parameters)
    own, plan = problem.setup.event_configuration, problem.storage
    precision = own.waveform_simulation_configuration.precision
    exact = _misfits(problem, "float64", 1, names)
    others = {}
    if precision != "float64":
        others[f"{precision}, every step"] = _misfits(problem, precision, 1, names)
    if plan is not None and plan.numerics != [1, None]:
        others[f"{precision}, {plan.kept}"] = _misfits(problem, precision, plan, names)
    _say_cost(exact, len(others))
    events = list(problem.forward_tasks)
    shown = ", ".join(events[:3]) + (f" and {len(events) - 3} more" if len(events) > 3 else "")
    name = f"{problem.setup.name!r} by {problem.misfit_configuration.name!r} ({shown})"
    return certify_gradient(exact, generator, name, others)


def _misfits(
    problem: MisfitProblem, precision: str, storage: int | StoragePlan, parameters: list[str] | None
) -> list[SimulationMisfit]:
    """The misfits of all events with another precision and storage."""
    result = []
    for name, task in problem.forward_tasks.items():
        given = task.simulation()
        simulation = Simulation(
            given.mesh,
            given.sources,
            given.receivers,
            given.configuration,
            given.boundary_conditions,
            precision,
            time_axis=given.time_axis,
            event_name=given.event_name,
        )
        observed = read_event_data(problem.observed[name].file)
        misfit = _EventMisfit(problem.misfit_configuration, task.records())
        result.append(SimulationMisfit(simulation, observed, misfit, storage, parameters))
    return result


@dataclass(frozen=True)
class _EventMisfit:
    """The misfit of an event by the records of a simulation, in which transducers are points."""

    misfit: MisfitConfiguration
    records: EventRecords

    def evaluate(
        self, synthetic: EventData, observed: EventData
    ) -> tuple[float, dict[str, np.ndarray], bool]:
        """Return misfit, adjoint sources and whether the records are equal; see `MisfitConfiguration`."""
        misfit, adjoint_sources, identical = self.misfit.evaluate(self.records.combine(synthetic), observed)
        return misfit, self.records.spread(adjoint_sources), identical


def _say_cost(misfits: list[SimulationMisfit], n_approximations: int) -> None:
    plan = misfits[0].simulation.plan()
    n_runs = count_runs(len(misfits), len(misfits[0].material), n_approximations)
    _log.info(
        "The gradient's check takes %d runs of %d steps in float64, %.3g million element-node updates each, "
        "and stores up to %.0f MiB.",
        n_runs,
        plan.n_steps,
        plan.point_updates / 1e6,
        plan.n_steps * plan.snapshot_in_bytes / 2**20,
    )
