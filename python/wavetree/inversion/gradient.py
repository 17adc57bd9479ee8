"""The stages that find misfit and gradient at an iterate and hand them to the optimiser."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from wavetree.inversion.batches import choose_control_group, common_ends
from wavetree.inversion.node import Node
from wavetree.inversion.place import Place, advance_pipeline, ended
from wavetree.optimize import Point, State
from wavetree.project.pipeline import Pipeline, warn_of_misfits

__all__ = ["gradient_stage", "preconditioner_stage"]

_log = logging.getLogger("wavetree")


def gradient_stage(node: Node, place: Place) -> Node | None:
    """Misfits of the events and the sum of their gradients, in the order of the events."""
    problem = place.problem
    assert node.mesh is not None and node.model_file is not None
    pipeline = place.pipeline(node.mesh, node.events)
    pipelines = [(pipeline, pipeline.advance_gradients)]
    if problem.fixed.validation:
        validation = problem.validation_pipeline(node.mesh, place.label())
        pipelines.append((validation, validation.advance_misfits))
    for one, _ in pipelines:
        problem.register(one)
    # All are advanced before any is waited for, so that their tasks share the site.
    done = [advance_pipeline(one, advance) for one, advance in pipelines]
    if not all(done):
        return None
    found = pipeline.misfits()
    warn_of_misfits(found, problem.misfit_configuration.observed_data)
    file = place.write("derivative.h5", _derivatives(node, place, pipeline))
    if problem.fixed.validation:
        misfits = {event: misfit.misfit for event, misfit in validation.misfits().items()}
        node = replace(node, validation_misfits=misfits)
        _log.info("Misfit of the %d validation events: %.6g.", len(misfits), sum(misfits.values()))
    problem.release(node.mesh)
    return replace(
        node,
        misfits={event: misfit.misfit for event, misfit in found.items()},
        silent=all(misfit.silent for misfit in found.values()),
        derivative_file=file,
        stage="check_convergence",
    )


def _derivatives(node: Node, place: Place, pipeline: Pipeline) -> dict[str, np.ndarray]:
    """Derivative of the weighted misfit by the inversion parameters; with batches those of the events too."""
    mapping = place.problem.mapping
    assert node.model_file is not None
    model = place.read(node.model_file)["model"]
    total: dict[str, np.ndarray] = {}
    events = []
    for _, raw in pipeline.each_gradient():
        for name in mapping.changing:
            total[name] = total[name] + raw[name] if name in total else raw[name]
        if node.batch is not None:
            events.append(mapping.adjoint(model, raw))
    arrays = {"derivative": node.weight * mapping.adjoint(model, total)}
    return {**arrays, "events": np.stack(events)} if events else arrays


def preconditioner_stage(node: Node, place: Place) -> Node | None:
    """The state of the optimiser at this iterate, from the preconditioned gradient."""
    problem = place.problem
    assert node.derivative_file is not None and node.misfit is not None
    if not problem.advance_illumination():
        return None
    arrays = place.read(node.derivative_file)
    point = problem.space.point(node.misfit, problem.riesz(arrays["derivative"]))
    ends = common_ends(node, place, arrays)
    files = problem.state_files
    if node.origin is None:
        state = problem.method.begin(point, problem.space)
        stored = files.save(place.folder, state, None, None)
    else:
        parent = files.load(node.origin.state)
        state = _next_state(node, place, parent, point, ends)
        stored = files.save(place.folder, state, parent, node.origin.state)
    count = len(node.misfits or ())
    _log.info("Number of events: %d, chi = %.6g, ||g|| = %.6g.", count, node.misfit, state.gradient_norm)
    _log.info("Optimiser: %s.", state.reason)
    node = choose_control_group(replace(node, state=stored, stage="propose"), place, arrays)
    done = problem.method.converged(state, None, problem.precision, problem.space)
    return node if done is None else ended(node, place, done)


def _next_state(
    node: Node, place: Place, parent: State, point: Point, ends: tuple[Point, Point] | None
) -> State:
    """The state that follows the parent's; after a change of settings, a new one."""
    problem, origin = place.problem, node.origin
    assert origin is not None
    if node.changed:
        return problem.method.restart(parent, point, problem.space, node.changed)
    verdict = origin.trial.judged
    assert verdict is not None
    return problem.method.accept(parent, place.step(origin.trial), verdict, point, problem.space, ends)
