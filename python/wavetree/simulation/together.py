"""Several events on one mesh in the lanes of one compiled simulation, each with the results it has alone.

Lanes do not see each other: what comes out of one has the same bits whatever runs beside it, and in which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from wavetree import _core
from wavetree.data.event_data import EventData
from wavetree.errors import SimulationFailed
from wavetree.simulation.passes import AdjointPass, ForwardPass
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.source_derivative import AdjointResult
from wavetree.simulation.storage import AdjointRun, ForwardRun, Snapshots
from wavetree.simulation.storage_plan import StoragePlan

__all__ = ["adjoint_together", "do_adjoint_passes", "do_forward_passes", "run_together"]

Pass = TypeVar("Pass", ForwardPass, AdjointPass)
Result = TypeVar("Result")


def run_together(
    simulations: Sequence[Simulation], storage: int | StoragePlan | None = None, control: Any = None
) -> list[EventData | SimulationFailed]:
    """Run simulations in the lanes of their core and return the records of each.

    Parameters
    ----------
    simulations
        Simulations of one mesh and time axis, made with ``core=c.lanes[k]`` for their places k = 0, 1, ...
        in a group; `c` is one core with events in lanes. After its last lane another group begins.
    storage
        Keep the wavefields for `adjoint_together`: every how many steps, or a plan for snapshots in full
        precision; None keeps none.
    control
        `wavetree._core.Control` that shows the progress of a group and can cancel.

    Returns
    -------
    list
        Of every simulation what its `run` returns, or the error if it failed: the others are not concerned.

    Raises
    ------
    Cancelled
        If the control asked for it.
    ValueError
        If they cannot run together.
    """
    control = control or _core.Control()
    result: list[EventData | SimulationFailed] = []
    for group in _groups(simulations):
        ready = [one.forward_pass(storage, control) for one in group]
        errors = do_forward_passes(ready)
        ends = zip(group, ready, strict=True)
        result += [errors.get(k) or one.end_forward(done) for k, (one, done) in enumerate(ends)]
    return result


def adjoint_together(
    simulations: Sequence[Simulation],
    adjoint_sources: Sequence[Mapping[str, np.ndarray]],
    control: Any = None,
) -> list[AdjointResult | SimulationFailed]:
    """Return the derivatives of the misfit of each simulation, from adjoint runs in lanes.

    Parameters
    ----------
    simulations
        As for `run_together`, which has kept their wavefields.
    adjoint_sources
        Of every simulation; see `Simulation.adjoint`.
    control
        `wavetree._core.Control` that shows the progress of a group and can cancel.

    Returns
    -------
    list
        Of every simulation what its `adjoint` returns, or the error if it failed.

    Raises
    ------
    Cancelled
        If the control asked for it.
    ValueError
        If they cannot run together, or as `Simulation.adjoint`.
    """
    control = control or _core.Control()
    result: list[AdjointResult | SimulationFailed] = []
    given = iter(adjoint_sources)
    for group in _groups(simulations):
        ready = [one.adjoint_pass(next(given), control) for one in group]
        state, errors = do_adjoint_passes(ready)
        ends = zip(group, ready, strict=True)
        result += [errors.get(k) or one.end_adjoint(done, state) for k, (one, done) in enumerate(ends)]
    return result


def do_forward_passes(passes: Sequence[ForwardPass]) -> dict[int, SimulationFailed]:
    """Do forward runs of one group together and return the errors of those that failed, by lane.

    Raises
    ------
    Cancelled
        If the control asked for it.
    ValueError
        If they cannot run together.
    """
    stores = _stores(passes)

    def attempt(loud: set[int], state: Any) -> None:
        runs = [one.run if lane in loud else _silent_forward(one) for lane, one in enumerate(passes)]
        joined = _joined_forward(runs)
        joined.advance(state, joined.n_samples, stores)

    _, errors = _try(passes, passes[0].run.start, attempt)
    return errors


def do_adjoint_passes(passes: Sequence[AdjointPass]) -> tuple[Any, dict[int, SimulationFailed]]:
    """Do adjoint runs of one group together; return the last state and the errors by lane.

    Raises
    ------
    Cancelled
        If the control asked for it.
    ValueError
        If they cannot run together.
    """
    stores = _stores(passes)

    def attempt(loud: set[int], state: Any) -> None:
        runs = [one.run if lane in loud else _silent_adjoint(one) for lane, one in enumerate(passes)]
        _joined_adjoint(runs).go_back(state, 0, stores)

    return _try(passes, passes[0].run.start, attempt)


def _groups(simulations: Sequence[Simulation]) -> list[Sequence[Simulation]]:
    if not simulations:
        return []
    n = simulations[0].n_lanes
    return [simulations[k : k + n] for k in range(0, len(simulations), n)]


def _stores(passes: Sequence[Pass]) -> list[Any]:
    """The compiled stores of passes, none if nothing is kept; refuses passes that do not fit together."""
    first = passes[0].run
    for lane, one in enumerate(passes):
        core = one.run.core
        if core.compiled is not first.core.compiled or core.lane != lane:
            which = "the same" if core.compiled is first.core.compiled else "another"
            raise ValueError(
                f"simulation {lane} of a group is in lane {core.lane} of {which} core; expected lane {lane} "
                f"of the same: make it with core=c.lanes[{lane}]."
            )
        if one.run.n_samples != first.n_samples or _dt(one.run) != _dt(first):
            raise ValueError(
                f"simulation {lane} of a group has {one.run.n_samples} steps of {_dt(one.run):g} s, the "
                f"first {first.n_samples} of {_dt(first):g} s; expected the same time axis."
            )
    kept = [one.store for one in passes if one.store is not None]
    stores = [store.store for store in kept if isinstance(store, Snapshots)]
    if len(stores) < len(kept):
        raise ValueError(
            "storage is quantised or has checkpoints; expected every step, or every few, in full precision: "
            "run the others one by one."
        )
    return stores


def _dt(run: ForwardRun | AdjointRun) -> float:
    return run.dt if isinstance(run, ForwardRun) else run.forward.dt


def _try(
    passes: Sequence[Pass], start: Callable[[], Any], attempt: Callable[[set[int], Any], None]
) -> tuple[Any, dict[int, SimulationFailed]]:
    """Repeat a run without the lanes that failed, until it succeeds or there are none left."""
    errors: dict[int, SimulationFailed] = {}
    loud = set(range(len(passes)))
    state = start()
    while loud:
        try:
            attempt(loud, state)
            break
        except SimulationFailed as error:
            lost = _not_finite(passes, state) & loud or _failing_alone(loud, start, attempt)
            errors |= dict.fromkeys(lost, error)
            loud -= lost
            state = start()
    passes[0].run.control.progress = 1.0
    return state, errors


def _not_finite(passes: Sequence[Pass], state: Any) -> set[int]:
    core = passes[0].run.core

    def is_finite(lane: int) -> bool:
        fields = (core.compiled.field(state, part, True, lane) for part in range(len(core.parts)))
        return all(np.isfinite(field).all() for field in fields)

    return {lane for lane in range(len(passes)) if not is_finite(lane)}


def _failing_alone(
    loud: set[int], start: Callable[[], Any], attempt: Callable[[set[int], Any], None]
) -> set[int]:
    """The lanes that fail without the others: the energy, which is looked at as a sum, does not say which."""
    lost = set()
    for lane in loud:
        try:
            attempt({lane}, start())
        except SimulationFailed:
            lost.add(lane)
    return lost or loud


def _silent_forward(one: ForwardPass) -> ForwardRun:
    return replace(one.run, driving=[np.zeros_like(samples) for samples in one.run.driving], source_end=0)


def _silent_adjoint(one: AdjointPass) -> AdjointRun:
    n = one.run.n_samples
    return replace(one.run, receivers=[r.series(np.zeros((r.points.n_rows, n))) for r in one.operators])


def _joined_forward(runs: Sequence[ForwardRun]) -> ForwardRun:
    return replace(
        runs[0],
        operators=[operator for run in runs for operator in run.operators],
        driving=[samples for run in runs for samples in run.driving],
        receivers=[series for run in runs for series in run.receivers],
        source_end=max(run.source_end for run in runs),
    )


def _joined_adjoint(runs: Sequence[AdjointRun]) -> AdjointRun:
    return replace(
        runs[0],
        receivers=[series for run in runs for series in run.receivers],
        sources=[series for run in runs for series in run.sources],
    )
