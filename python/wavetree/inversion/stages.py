"""The stages of an iteration: each takes a node and returns the next one, or None while it has to wait.

A stage writes files under names that follow from the node, the same bytes however often it is repeated, and
changes nothing else; its result is stored in one transaction afterwards. Killed in between, it is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from wavetree.inversion.batches import control_of, with_batch
from wavetree.inversion.gradient import gradient_stage, preconditioner_stage
from wavetree.inversion.node import Node, Origin, StateRecord, Trial
from wavetree.inversion.place import Place, advance_pipeline, ended, finished
from wavetree.inversion.settings import NodeSettings
from wavetree.optimize import Method, Step, Verdict, subset_scale

__all__ = ["first_node", "next_node", "run_stage"]

Changes = tuple[str, ...]
_log = logging.getLogger("wavetree")


def first_node(now: float) -> Node:
    """Return a node at the prior."""
    return Node(created=now)


def next_node(
    node: Node,
    now: float,
    settings: NodeSettings | None = None,
    changed: Changes = (),
    at_prior: bool = False,
) -> Node:
    """Return a child of a finished node: at its accepted trial, or at the same model without history.

    Parameters
    ----------
    node
        The parent.
    now
        When it is added [s since 1970].
    settings
        Those of the child; the parent's when None.
    changed
        What differs so that the history is dropped, in words.
    at_prior
        Whether the child begins at the prior of its settings, which then holds the parent's model.
    """
    settings = settings or node.settings
    child = Node(
        now, settings=settings, changed=changed, batch=node.batch, unstable_trials=node.unstable_trials
    )
    if "batches" in changed:
        child = replace(child, batch=None)
    if node.outcome != "accepted":
        child = replace(child, model_file=node.model_file, mesh=node.mesh)
    else:
        assert node.state is not None
        trial, group = node.trials[-1], node.control_group
        origin = Origin(
            node.state, trial, len(node.trials) - 1, group, node.control_file, node.control_misfit
        )
        child = replace(child, origin=origin, control_group=group, model_file=trial.file, mesh=trial.mesh)
        # Those of a part of the events, or of another misfit, are not the child's.
        if group is None and node.batch is None and not changed:
            child = replace(child, misfits=trial.misfits)
    if at_prior:
        child = replace(child, model_file=None, mesh=None)
    return child


def run_stage(node: Node, place: Place) -> Node | None:
    """Run the stage that a node is in and return the next node, None if there are tasks to wait for."""
    return _STAGES[node.stage](node, place)


def _initialize(node: Node, place: Place) -> Node:
    problem = place.problem
    node = with_batch(node, problem)
    if node.model_file is None:
        file = place.write("model.h5", {"model": problem.mapping.prior})
        return replace(node, model_file=file, mesh=problem.fixed.mesh, stage="misfit_and_gradient")
    assert node.mesh is not None
    if not problem.project.meshes.path(node.mesh).is_file():
        # A branch begins at a model whose mesh was deleted with what its iteration left.
        node = replace(node, mesh=problem.store_model(place.read(node.model_file)["model"]).mesh)
    node = _postprocessed(node, place)
    if not node.is_open:
        return node
    if node.origin is None or node.changed:
        return replace(node, stage="misfit_and_gradient")
    assert node.mesh is not None
    if node.origin.trial.misfits is None:
        return replace(node, stage="misfit_and_gradient")
    events = list(node.origin.trial.misfits)
    pipeline = place.pipeline(node.mesh, events)
    lost = sum(not problem.has_result(pipeline, event) for event in events)
    if lost:
        _log.info(
            "Wavefields of %d of %d events, deleted, lost or kept in another way, are computed again.",
            lost, len(events),
        )  # fmt: skip
    return replace(node, recomputed=lost, stage="gradient")


def _postprocessed(node: Node, place: Place) -> Node:
    """The node at what the user's function makes of the accepted model; as it is if there is no function."""
    problem = place.problem
    if node.origin is None or node.model_file is None:
        return node
    accepted = place.read(node.model_file)["model"]
    model = problem.mapping.postprocess(accepted)
    if model is accepted:
        return node
    stored = problem.store_model(model)
    if stored.refusal is not None:
        what = "the model that postprocess_model_update returned cannot be simulated"
        return ended(node, place, f"stopped: {what}, {stored.refusal}")
    file = place.write("model.h5", {"model": model})
    _log.info("The model went through postprocess_model_update; its misfit is computed anew.")
    changed = (*node.changed, "the model (by postprocess_model_update)")
    return replace(node, model_file=file, mesh=stored.mesh, misfits=None, changed=changed)


def _check_convergence(node: Node, place: Place) -> Node:
    """The end that needs no preconditioned gradient: nothing to follow."""
    if not node.silent:
        return replace(node, stage="preconditioner")
    reason = f"the adjoint sources of all {len(node.misfits or ())} events are zero"
    if node.misfit == 0.0:
        return ended(node, place, f"converged: the misfit is 0, {reason}")
    return ended(node, place, f"stopped: the misfit is {node.misfit:.6g}, but {reason}")


def _propose(node: Node, place: Place) -> Node | None:
    """The next step and the trial model."""
    problem = place.problem
    assert node.model_file is not None
    if not problem.advance_illumination():
        return None
    state = problem.state_files.load(_stored(node))
    step = problem.method.propose(state, problem.space)
    done = problem.method.converged(state, step, problem.precision, problem.space)
    if done is not None:
        return ended(node, place, done)
    model = place.read(node.model_file)["model"] + step.update
    arrays, scalars = step.to_arrays()
    file = place.write(f"trial_{len(node.trials)}.h5", {"model": model, **arrays})
    stored = problem.store_model(model)
    trial = Trial(file, scalars, stored.mesh, stored.refusal, stored.unstable)
    stage = "misfit" if stored.mesh is not None and problem.method.tests_steps else "accept_or_reject"
    return replace(node, trials=(*node.trials, trial), stage=stage)


def _misfit(node: Node, place: Place) -> Node | None:
    """Misfits of the trial; its forward runs store what the next gradient needs."""
    trial = node.trials[-1]
    assert trial.mesh is not None
    events = node.control_group or node.events
    pipeline = place.pipeline(trial.mesh, events, len(node.trials) - 1)
    if not advance_pipeline(pipeline, pipeline.advance_misfits):
        return None
    misfits = {event: misfit.misfit for event, misfit in pipeline.misfits().items()}
    place.problem.release(trial.mesh)
    weight = subset_scale(len(place.problem.fixed.events), len(misfits))
    return replace(node.with_trial(misfits=misfits, weight=weight), stage="accept_or_reject")


def _accept_or_reject(node: Node, place: Place) -> Node:
    method, trial = place.problem.method, node.trials[-1]
    stored = _stored(node)
    state = place.problem.state_files.load(stored)
    step = place.step(trial)
    verdict = method.judge(state, step, _trial_misfit(node, method), control_of(node, place, state, step))
    if trial.refusal is not None:
        reason = f"rejected: the trial model cannot be simulated, {trial.refusal}; the radius shrinks"
        verdict = replace(verdict, reason=f"{reason} to {verdict.radius:.6g}")
    _log_verdict(node, step, verdict)
    node = node.with_trial(verdict=verdict.to_attributes())
    if verdict.accepted:
        return replace(node, stage="finalize_iteration", reason=verdict.reason)
    place.disposal.of_trial(trial)
    if trial.unstable:
        node = replace(node, unstable_trials=node.unstable_trials + 1)
        if node.unstable_trials > 1:
            return _with_half_the_time_step(node, place)
    state = method.reject(state, step, verdict)
    node = replace(node, state=place.problem.state_files.at_same_point(state, stored), stage="propose")
    return node if state.stopped is None else ended(node, place, state.stopped)


def _trial_misfit(node: Node, method: Method) -> float | None:
    """Misfit of the newest trial; NaN if it cannot be simulated, None if the method does not ask for it."""
    trial = node.trials[-1]
    return trial.misfit if method.tests_steps or trial.refusal is not None else None


def _with_half_the_time_step(node: Node, place: Place) -> Node:
    """Begin again at the same model with a misfit of finer time steps, which is another function."""
    settings = replace(node.settings, time_step_divisor=2 * node.settings.time_step_divisor)
    step = place.problem.prior_setup.time_axis.dt / 2.0
    _log.warning(
        "Models need a smaller time step again: it is halved to %g s, misfit and gradient are computed anew, "
        "and the curvature history is dropped.", step,
    )  # fmt: skip
    place.problems.settle(place.problem.name, settings, place.problem.fixed.events)
    place.disposal.of_wavefields(node)
    return replace(
        node, settings=settings, changed=("time step",), unstable_trials=0, misfits=None,
        validation_misfits=None, derivative_file=None, control_file=None, state=None,
        stage="misfit_and_gradient",
    )  # fmt: skip


def _finalize_iteration(node: Node, place: Place) -> Node:
    return finished(node, place, "accepted", node.reason)


def _stored(node: Node) -> StateRecord:
    assert node.state is not None
    return node.state


def _log_verdict(node: Node, step: Step, verdict: Verdict) -> None:
    old, new = node.misfits or {}, node.trials[-1].misfits
    actual = "---" if verdict.actual_reduction is None else f"{verdict.actual_reduction:.6g}"
    _log.info(
        "pred = %.6g, ared = %s, norm_update = %.6g, tr_radius = %.6g.",
        step.predicted_reduction, actual, step.norm, step.radius,
    )  # fmt: skip
    if new is not None:
        old_misfit = node.misfit if node.control_misfit is None else node.control_misfit
        _log.info(
            "Old misfit of the control group: %.6g, new misfit: %.6g.", old_misfit, verdict.trial_misfit
        )
        better = sum(new[event] < old[event] for event in new)
        _log.info("%d out of %d events improved.", better, len(new))
    _log.info("%s.", verdict.reason[:1].upper() + verdict.reason[1:])


_STAGES: dict[str, Callable[[Node, Place], Node | None]] = {
    "initialize": _initialize,
    "misfit_and_gradient": gradient_stage,
    "gradient": gradient_stage,
    "check_convergence": _check_convergence,
    "preconditioner": preconditioner_stage,
    "propose": _propose,
    "misfit": _misfit,
    "accept_or_reject": _accept_or_reject,
    "finalize_iteration": _finalize_iteration,
}
