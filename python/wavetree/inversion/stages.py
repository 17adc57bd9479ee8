"""The stages of an iteration: each takes a node and returns the next one, or None while it has to wait.

A stage writes files under names that follow from the node, the same bytes however often it is repeated, and
changes nothing else; its result is stored in one transaction afterwards. Killed in between, it is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from wavetree.arrays import read_arrays, write_arrays
from wavetree.inversion.disposal import Disposal
from wavetree.inversion.node import Node, Origin, StateRecord, Trial
from wavetree.inversion.problem import InverseProblem
from wavetree.optimize import Point, State, Step, Verdict
from wavetree.project.pipeline import Pipeline, warn_of_misfits

__all__ = ["Place", "first_node", "next_node", "run_stage"]

_log = logging.getLogger("wavetree")


@dataclass(frozen=True)
class Place:
    """What a stage works with besides the node.

    Attributes
    ----------
    problem
        The inverse problem.
    iteration_id
        Id of the node.
    delete_disposable_files
        See `Disposal`.
    """

    problem: InverseProblem
    iteration_id: int
    delete_disposable_files: bool | None = None

    @property
    def disposal(self) -> Disposal:
        """Deletes what is no longer needed."""
        return Disposal(self.problem, self.delete_disposable_files, self.iteration_id)

    @property
    def folder(self) -> str:
        """Folder of the node's arrays, relative to the project's."""
        return f"inversions/{self.problem.name}/{self.iteration_id:04d}"

    def write(self, file: str, arrays: dict[str, np.ndarray]) -> str:
        """Write arrays into the node's folder and return the file's name relative to the project."""
        write_arrays(self.problem.project.path / self.folder / file, arrays)
        return f"{self.folder}/{file}"

    def read(self, file: str) -> dict[str, np.ndarray]:
        """Read arrays of a file that `write` named."""
        return read_arrays(self.problem.project.path / file)[0]

    def pipeline(self, mesh: str, trial: int | None = None) -> Pipeline:
        """Return the pipeline of the node's model or of a trial."""
        label = f"{self.problem.name}, iteration {self.iteration_id}"
        return self.problem.pipeline(mesh, label if trial is None else f"{label}, trial {trial}")


def first_node(now: float) -> Node:
    """Return a node at the prior."""
    return Node(created=now)


def next_node(node: Node, now: float) -> Node:
    """Return the child of a finished node: at its accepted trial, or at the same model without history."""
    if node.outcome == "accepted":
        assert node.state is not None
        trial = node.trials[-1]
        origin = Origin(node.state, trial)
        return Node(now, origin=origin, model_file=trial.file, mesh=trial.mesh, misfits=trial.misfits)
    return Node(now, model_file=node.model_file, mesh=node.mesh, misfits=node.misfits)


def run_stage(node: Node, place: Place) -> Node | None:
    """Run the stage that a node is in and return the next node, None if there are tasks to wait for."""
    return _STAGES[node.stage](node, place)


def _initialize(node: Node, place: Place) -> Node:
    problem = place.problem
    if node.model_file is None:
        file = place.write("model.h5", {"model": problem.mapping.prior})
        return replace(node, model_file=file, mesh=problem.fixed.mesh, stage="misfit_and_gradient")
    if node.origin is None:
        return replace(node, stage="misfit_and_gradient")
    assert node.mesh is not None
    pipeline = place.pipeline(node.mesh)
    lost = sum(not problem.has_result(pipeline, event) for event in problem.fixed.events)
    if lost:
        _log.warning(
            "Stored wavefields of %d of %d events were lost and are computed again.",
            lost, len(problem.fixed.events),
        )  # fmt: skip
    return replace(node, recomputed=lost, stage="gradient")


def _gradient(node: Node, place: Place) -> Node | None:
    """Misfits of all events and the sum of their gradients, in the order of the events."""
    problem = place.problem
    assert node.mesh is not None and node.model_file is not None
    pipeline = place.pipeline(node.mesh)
    if not _advance(pipeline, pipeline.advance_gradients):
        return None
    found = pipeline.misfits()
    warn_of_misfits(found, problem.misfit_configuration.observed_data)
    total: dict[str, np.ndarray] = {}
    for raw in pipeline.gradients().values():
        for name in problem.mapping.parameters:
            total[name] = total[name] + raw[name] if name in total else raw[name]
    model = place.read(node.model_file)["model"]
    file = place.write("derivative.h5", {"derivative": problem.mapping.adjoint(model, total)})
    problem.release(node.mesh)
    return replace(
        node,
        misfits={event: misfit.misfit for event, misfit in found.items()},
        silent=all(misfit.silent for misfit in found.values()),
        derivative_file=file,
        stage="check_convergence",
    )


def _check_convergence(node: Node, place: Place) -> Node:
    """The end that needs no preconditioned gradient: nothing to follow."""
    if not node.silent:
        return replace(node, stage="preconditioner")
    reason = f"the adjoint sources of all {len(node.misfits or ())} events are zero"
    if node.misfit == 0.0:
        return _finished(node, place, "converged", f"converged: the misfit is 0, {reason}")
    return _finished(node, place, "stopped", f"stopped: the misfit is {node.misfit:.6g}, but {reason}")


def _preconditioner(node: Node, place: Place) -> Node:
    """The state of the optimiser at this iterate, from the preconditioned gradient."""
    problem = place.problem
    assert node.derivative_file is not None and node.misfit is not None
    gradient = problem.riesz(place.read(node.derivative_file)["derivative"])
    point = problem.space.point(node.misfit, gradient)
    files = problem.state_files
    if node.origin is None:
        state = problem.method.begin(point, problem.space)
        stored = files.save(place.folder, state, None, None)
    else:
        parent = files.load(node.origin.state)
        state = _accepted(place, node.origin, parent, point)
        stored = files.save(place.folder, state, parent, node.origin.state)
    _log.info(
        "Number of events: %d, chi = %.6g, ||g|| = %.6g.",
        len(problem.fixed.events), node.misfit, state.gradient_norm,
    )  # fmt: skip
    _log.info("Optimiser: %s.", state.reason)
    node = replace(node, state=stored, stage="propose")
    done = problem.method.converged(state, None, problem.precision)
    return node if done is None else _finished(node, place, "converged", done)


def _accepted(place: Place, origin: Origin, parent: State, point: Point) -> State:
    verdict = origin.trial.judged
    assert verdict is not None
    problem = place.problem
    return problem.method.accept(parent, _step(place, origin.trial), verdict, point, problem.space)


def _propose(node: Node, place: Place) -> Node:
    """The next step and the trial model."""
    problem = place.problem
    assert node.model_file is not None
    state = problem.state_files.load(_stored(node))
    step = problem.method.propose(state, problem.space)
    done = problem.method.converged(state, step, problem.precision)
    if done is not None:
        return _finished(node, place, "converged", done)
    model = place.read(node.model_file)["model"] + step.update
    arrays, scalars = step.to_arrays()
    file = place.write(f"trial_{len(node.trials)}.h5", {"model": model, **arrays})
    mesh, refusal = problem.store_model(model)
    trial = Trial(file, scalars, mesh, refusal)
    return replace(node, trials=(*node.trials, trial), stage="misfit")


def _misfit(node: Node, place: Place) -> Node | None:
    """Misfits of the trial; its forward runs store what the next gradient needs."""
    trial = node.trials[-1]
    if trial.mesh is None:
        return replace(node, stage="accept_or_reject")
    pipeline = place.pipeline(trial.mesh, len(node.trials) - 1)
    if not _advance(pipeline, pipeline.advance_misfits):
        return None
    misfits = {event: misfit.misfit for event, misfit in pipeline.misfits().items()}
    place.problem.release(trial.mesh)
    return replace(node.with_trial(misfits=misfits), stage="accept_or_reject")


def _accept_or_reject(node: Node, place: Place) -> Node:
    method, trial = place.problem.method, node.trials[-1]
    stored = _stored(node)
    state = place.problem.state_files.load(stored)
    step = _step(place, trial)
    verdict = method.judge(state, step, trial.misfit)
    if trial.refusal is not None:
        reason = f"rejected: the trial model cannot be simulated, {trial.refusal}; the radius shrinks"
        verdict = replace(verdict, reason=f"{reason} to {verdict.radius:.6g}")
    _log_verdict(node, step, verdict)
    node = node.with_trial(verdict=verdict.to_attributes())
    if verdict.accepted:
        return replace(node, stage="finalize_iteration", reason=verdict.reason)
    place.disposal.of_trial(trial)
    state = method.reject(state, step, verdict)
    node = replace(node, state=place.problem.state_files.at_same_point(state, stored), stage="propose")
    return node if state.stopped is None else _finished(node, place, "stopped", state.stopped)


def _finalize_iteration(node: Node, place: Place) -> Node:
    return _finished(node, place, "accepted", node.reason)


def _finished(node: Node, place: Place, outcome: str, reason: str) -> Node:
    node = replace(node, outcome=outcome, reason=reason, stage="finished")
    place.disposal.of_iterate(node)
    return node


def _stored(node: Node) -> StateRecord:
    assert node.state is not None
    return node.state


def _step(place: Place, trial: Trial) -> Step:
    arrays = place.read(trial.file)
    return Step.from_arrays({k: v for k, v in arrays.items() if k != "model"}, dict(trial.step))


def _advance(pipeline: Pipeline, advance: Callable[[], bool]) -> bool:
    before = pipeline.issued
    done = advance()
    if pipeline.issued > before:
        number = pipeline.issued - before
        _log.info("%d %s issued.", number, "task" if number == 1 else "tasks")
    return done


def _log_verdict(node: Node, step: Step, verdict: Verdict) -> None:
    old, new = node.misfits or {}, node.trials[-1].misfits
    actual = "---" if verdict.actual_reduction is None else f"{verdict.actual_reduction:.6g}"
    _log.info(
        "pred = %.6g, ared = %s, norm_update = %.6g, tr_radius = %.6g.",
        step.predicted_reduction, actual, step.norm, step.radius,
    )  # fmt: skip
    if new is not None:
        _log.info(
            "Old misfit of the control group: %.6g, new misfit: %.6g.", node.misfit, verdict.trial_misfit
        )
        better = sum(new[event] < old[event] for event in new)
        _log.info("%d out of %d events improved.", better, len(new))
    _log.info("%s.", verdict.reason[:1].upper() + verdict.reason[1:])


_STAGES: dict[str, Callable[[Node, Place], Node | None]] = {
    "initialize": _initialize,
    "misfit_and_gradient": _gradient,
    "gradient": _gradient,
    "check_convergence": _check_convergence,
    "preconditioner": _preconditioner,
    "propose": _propose,
    "misfit": _misfit,
    "accept_or_reject": _accept_or_reject,
    "finalize_iteration": _finalize_iteration,
}
