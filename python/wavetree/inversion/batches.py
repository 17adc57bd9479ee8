"""Mini-batches in the tree: which events a node takes, and what of them is compared with its neighbours'.

Misfits and gradients of some events are multiplied by the number of all events over theirs, so that numbers
of different batches compare; the factor is an exact 1 if they are all.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from wavetree.inversion.node import Node
from wavetree.inversion.place import Place
from wavetree.inversion.problem import InverseProblem
from wavetree.optimize import Batch, Control, MetricVector, Point, State, Step, subset_scale

__all__ = ["choose_control_group", "common_ends", "control_of", "with_batch"]

Arrays = Mapping[str, np.ndarray]
_log = logging.getLogger("wavetree")


def with_batch(node: Node, problem: InverseProblem) -> Node:
    """Return a node with its events, drawn from the parent's batch; unchanged without batches."""
    selection, everything = problem.configuration.batch, problem.fixed.events
    if selection is None:
        return replace(node, batch=None, events=None, control_group=None)
    kept: Sequence[str] = ()
    if node.batch is None:
        batch = selection.first(everything)
    else:
        rejections = 0 if node.origin is None else node.origin.rejections
        parent = Batch.from_document(node.batch)
        # A method that does not test its steps compares nothing, and neither needs nor leaves a group.
        tested = node.origin is None or node.origin.trial.misfits is not None
        if tested and problem.method.tests_steps:
            kept = [name for name in node.control_group or parent.events if name in everything]
        batch = selection.next(parent, kept, everything, rejections)
    _log.info("Batch: %s.", batch.reason)
    weight = subset_scale(len(everything), len(batch.events))
    return replace(
        node, batch=batch.to_document(), events=tuple(batch.events), control_group=None, weight=weight
    )


def choose_control_group(node: Node, place: Place, arrays: Arrays) -> Node:
    """Return a node with the events that its steps are judged by; unchanged without batches.

    Parameters
    ----------
    node
        The node.
    place
        Where it is.
    arrays
        The node's derivatives, those of the events too.
    """
    selection = place.problem.configuration.batch
    if selection is None or node.batch is None or not place.problem.method.tests_steps:
        return node
    space, events = place.problem.space, node.events or ()
    gradients = {}
    for event, derivative in zip(events, arrays["events"], strict=True):
        g = place.problem.riesz(derivative)
        gradients[event] = MetricVector(space.precondition(g), g)
    group = selection.control_group(Batch.from_document(node.batch), gradients, space.inner)
    _log.info("%s.", group.reason[:1].upper() + group.reason[1:])
    if set(group.events) == set(events):
        return replace(node, control_group=None, control_file=None, control_misfit=None)
    point = _point(node, place, arrays, group.events)
    content = {"gradient": point.gradient, "preconditioned": point.preconditioned}
    file = place.write("control.h5", content)
    return replace(node, control_group=tuple(group.events), control_file=file, control_misfit=point.misfit)


def control_of(node: Node, place: Place, state: State, step: Step) -> Control | None:
    """Return the control group's figures along a step, None if it is the whole batch."""
    point = _stored_point(place, node.control_file, node.control_misfit)
    if point is None:
        return None
    return Control.of(point.misfit, point.gradient, state, step, place.problem.space)


def common_ends(node: Node, place: Place, arrays: Arrays) -> tuple[Point, Point] | None:
    """Return misfit and gradient, before and after the step to a node, of the events that both batches have.

    None if these are all events of both.
    """
    origin = node.origin
    if origin is None or node.batch is None or node.changed or origin.trial.misfits is None:
        return None
    common = tuple(origin.trial.misfits)
    if origin.control_file is None and set(common) == set(node.events or ()):
        return None
    before = _stored_point(place, origin.control_file, origin.control_misfit)
    if before is None:
        before = place.problem.state_files.load(origin.state).point
    return before, _point(node, place, arrays, common)


def _point(node: Node, place: Place, arrays: Arrays, events: Sequence[str]) -> Point:
    """Weighted misfit and gradient of some events of a node."""
    rows = dict(zip(node.events or (), arrays["events"], strict=True))
    weight = subset_scale(len(place.problem.fixed.events), len(events))
    derivative = weight * np.sum([rows[event] for event in events], axis=0)
    misfit = weight * math.fsum((node.misfits or {})[event] for event in events)
    return place.problem.space.point(misfit, place.problem.riesz(derivative))


def _stored_point(place: Place, file: str | None, misfit: float | None) -> Point | None:
    if file is None or misfit is None:
        return None
    arrays = place.read(file)
    return Point(misfit, arrays["gradient"], arrays["preconditioned"])
