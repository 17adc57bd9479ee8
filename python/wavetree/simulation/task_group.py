"""Tasks of one group done together, one lane of a compiled simulation for each.

An event that fails has its error, and nothing else; the others are not concerned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavetree.errors import Cancelled
from wavetree.simulation.passes import AdjointPass, ForwardPass
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.together import do_adjoint_passes, do_forward_passes

if TYPE_CHECKING:
    from wavetree.simulation.task import AdjointTask, ForwardTask

__all__ = ["run_adjoint_group", "run_forward_group"]

Errors = list[Exception | None]


def run_forward_group(
    tasks: Sequence[ForwardTask], folders: Sequence[Path], control: Any, threads: int
) -> Errors:
    """Run forward tasks of one group, at most one per lane, and return the error of each that failed.

    Parameters
    ----------
    tasks, folders
        The tasks, and where the outputs of each go.
    control
        Shows progress and can cancel.
    threads
        Number of threads; it does not change the results.

    Raises
    ------
    Cancelled
        If the control asked for it.
    """
    lanes = tasks[0].core(threads).lanes
    errors: Errors = [None] * len(tasks)
    ready: list[tuple[int, Simulation, ForwardPass]] = []
    for k, task in enumerate(tasks):
        try:
            simulation = task.simulation(threads, lanes[len(ready)])
            ready.append((k, simulation, simulation.forward_pass(task.storage, control)))
        except Exception as error:  # whatever is wrong with one
            errors[k] = error
    failed = do_forward_passes([one for *_, one in ready]) if ready else {}
    for lane, (k, simulation, done) in enumerate(ready):
        errors[k] = failed.get(lane)
        if errors[k] is None:
            try:
                tasks[k].write(folders[k], simulation, simulation.end_forward(done))
            except Exception as error:
                errors[k] = error
    return errors


def run_adjoint_group(
    tasks: Sequence[AdjointTask], folders: Sequence[Path], control: Any, threads: int
) -> Errors:
    """Run adjoint tasks of one group; see `run_forward_group`."""
    lanes = tasks[0].forward.core(threads).lanes
    errors: Errors = [None] * len(tasks)
    ready: list[tuple[int, Simulation, AdjointPass]] = []
    for k, task in enumerate(tasks):
        try:
            simulation = task.restored(threads, control, lanes[len(ready)])
            ready.append((k, simulation, simulation.adjoint_pass(task.adjoint_sources(), control)))
        except Cancelled:
            raise
        except Exception as error:
            errors[k] = error
    if not ready:
        return errors
    state, failed = do_adjoint_passes([one for *_, one in ready])
    for lane, (k, simulation, done) in enumerate(ready):
        errors[k] = failed.get(lane)
        if errors[k] is None:
            try:
                tasks[k].write(folders[k], simulation.end_adjoint(done, state).derivative)
            except Exception as error:
                errors[k] = error
    return errors
