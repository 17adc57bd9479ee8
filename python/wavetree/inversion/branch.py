"""Branches of the tree: children whose settings differ from their parent's."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.arrays import read_arrays
from wavetree.errors import ConflictError
from wavetree.inversion.configuration import InverseProblemConfiguration
from wavetree.inversion.node import Node
from wavetree.inversion.problem import InverseProblem
from wavetree.inversion.problems import Problems
from wavetree.inversion.settings import NodeSettings, changed_settings
from wavetree.inversion.stages import first_node, next_node
from wavetree.mesh import Mesh
from wavetree.mesh.evaluation import evaluate
from wavetree.project.store import IterationRecord
from wavetree.simulation.time_axis import maximum_time_step

if TYPE_CHECKING:
    from wavetree.project.project import Project

Overrides = Mapping[str, Any]
Fields = dict[str, np.ndarray]
_log = logging.getLogger("wavetree")

__all__ = ["Branches"]


class Branches:
    """Makes the tree grow.

    Parameters
    ----------
    project
        The project.
    problems
        Finds inverse problems.
    """

    def __init__(self, project: Project, problems: Problems) -> None:
        self._project = project
        self._store = project.store
        self._problems = problems

    def begin(self, name: str, overrides: Overrides | None = None) -> None:
        """Add iteration 0 of an inverse problem, fixed to the project as it is now.

        What the tree is fixed to is stored first, and again if a kill came between.

        Raises
        ------
        ValueError
            If an override is unknown or does not fit.
        ConflictError
            If there are overrides and another process has begun it meanwhile.
        """
        node = self._root(name, overrides or {})
        try:
            record = self._store.add_iteration(name, None, node.to_document())
        except ConflictError:
            if overrides:
                raise
            _log.info("Iteration 0 of %r was added by another process.", name)
            return
        _log.info("Adding iteration %d of %r.", record.id, name)

    def add(self, parent: IterationRecord, overrides: Overrides) -> None:
        """Add a child to a finished iteration.

        Raises
        ------
        ValueError
            If the iteration is open, or an override is unknown or does not fit.
        """
        node, name = Node.from_document(parent.document), parent.problem
        if node.is_open:
            raise ValueError(
                f"preceding_iteration_id={parent.id} is an open iteration of {name!r} at stage "
                f"{node.stage!r}; finish it with p.inversions.iterate, or branch from a finished one."
            )
        child = self._child(name, node, overrides)
        record = self._store.add_iteration(name, parent.id, child.to_document())
        _log.info("Adding iteration %d of %r after iteration %d.", record.id, name, parent.id)
        if child.changed:
            _log.info("It starts without history, for it changes %s.", ", ".join(child.changed))
        elif node.outcome != "accepted":
            _log.info("It starts without history, iteration %d %s.", parent.id, node.reason)

    def change(self, newest: IterationRecord, overrides: Overrides) -> None:
        """Give an open iteration that has not been begun other settings.

        Raises
        ------
        ValueError
            If it has been begun, or an override is unknown or does not fit.
        """
        name = newest.problem
        if not overrides:
            _log.info("Iteration %d of %r is open, nothing is added.", newest.id, name)
            return
        node = Node.from_document(newest.document)
        if node.stage != "initialize":
            raise ValueError(
                f"iteration {newest.id} of {name!r} is at stage {node.stage!r}, too late for other settings; "
                "finish it with p.inversions.iterate, or branch from a finished one with "
                "preceding_iteration_id."
            )
        if newest.parent is None:
            changed = self._root(name, {**node.settings.changes(), **overrides}, newest.id)
        else:
            parent = Node.from_document(self._store.load_iteration(name, newest.parent).document)
            earlier = node.settings.changes(parent.settings)
            changed = self._child(name, parent, {**earlier, **overrides}, newest.id)
        self._store.save_iteration(newest, changed.to_document())
        self._problems.forget_unused(name, node.settings)
        _log.info("Iteration %d of %r has other settings: %s.", newest.id, name, ", ".join(overrides))

    def _root(self, name: str, overrides: Overrides, replaced: int | None = None) -> Node:
        own, configuration = NodeSettings(), self._problems.configuration(name)
        settings, _, _ = changed_settings(configuration, own, overrides)
        self._check_site(settings.apply(configuration))
        self._problems.settle(name, besides=replaced)
        self._keep_mesh(overrides)
        if settings != own:
            self._problems.settle(name, settings, besides=replaced)
        return replace(first_node(time.time()), settings=settings)

    def _child(self, name: str, parent: Node, overrides: Overrides, replaced: int | None = None) -> Node:
        """A child of a node; with another mapping or prior model, the parent's model becomes its prior."""
        own = self._problems.configuration(name)
        self._keep_mesh(overrides)
        # Made ready first: it says so if what the tree was begun with has changed since.
        before = self._problems.of(name, parent.settings).fixed.events
        settings, changed, needs_base = changed_settings(
            own, parent.settings, self._named(overrides, parent.settings.apply(own), before)
        )
        self._check_site(settings.apply(own))
        if needs_base:
            settings = _with_base(self._project, self._problems, name, settings, parent)
        self._problems.settle(name, settings, before, replaced)
        return next_node(parent, time.time(), settings, changed, at_prior=needs_base)

    def _named(
        self, overrides: Overrides, parent: InverseProblemConfiguration, events: Sequence[str]
    ) -> Overrides:
        """The overrides with the events by name where all but those held out are meant, and others than now.

        All are those that the project has now only if it is asked for, else those of the parent.
        """
        if overrides.get("events", parent.events) is not None:
            return overrides
        held_out = overrides.get("validation_events", parent.validation_events) or ()
        known = self._project.events.list() if "events" in overrides else events
        named = [name for name in known if name not in held_out]
        others = {name: value for name, value in overrides.items() if name != "events"}
        return others if named in ([], list(events)) else {**others, "events": tuple(named)}

    def _check_site(self, configuration: InverseProblemConfiguration) -> None:
        self._project.sites.check(configuration.job_submission.site_name)

    def _keep_mesh(self, overrides: Overrides) -> None:
        """Store the inversion mesh of a mapping, which the settings name by its digest."""
        mesh = getattr(overrides.get("mapping"), "inversion_mesh", None)
        if isinstance(mesh, Mesh):
            self._project.meshes.put(mesh, xdmf=False)


def _with_base(
    project: Project, problems: Problems, name: str, settings: NodeSettings, parent: Node
) -> NodeSettings:
    """The settings with a prior that holds the parent's model."""
    prior_model = settings.apply(problems.configuration(name)).prior_model
    problem = problems.of(name, parent.settings)
    material = _material(problem, parent)
    if prior_model == problem.configuration.prior_model:
        return replace(settings, base=project.meshes.put(problem.mapping.mesh(material), xdmf=False))
    mesh = project.simulations.get_mesh(prior_model)
    prior = project.simulations.get_mesh(problem.configuration.prior_model)
    _add_update(mesh, material, prior)
    setup = project.simulations.setup(prior_model)
    largest = maximum_time_step(mesh, setup.boundary_conditions)
    divisor = 1
    while setup.time_axis.dt / divisor > largest:
        divisor *= 2
    return NodeSettings(settings.overrides, project.meshes.put(mesh, xdmf=False), divisor)


def _material(problem: InverseProblem, node: Node) -> Fields:
    """The material, by parameter and at every element node, that a child of a node begins with."""
    file = node.trials[-1].file if node.outcome == "accepted" else node.model_file
    assert file is not None
    p = read_arrays(problem.project.path / file, ["model"])[0]["model"]
    return problem.mapping.forward(p)


def _add_update(mesh: Mesh, material: Fields, prior: Mesh) -> None:
    """Add what a material differs by from its prior to another mesh, which has a prior of its own."""
    lacking = [name for name in material if name not in mesh.element_nodal_fields]
    if lacking:
        raise ValueError(
            f"prior_model has no {', '.join(lacking)}, which the parent's model is given in; choose a prior "
            "in the same parameters."
        )
    update = {name: values - prior.element_nodal_fields[name] for name, values in material.items()}
    places = mesh.node_coordinates(mesh.tensor_order)
    for name, change in evaluate(prior, update, places.reshape(-1, mesh.dim)).items():
        values = mesh.element_nodal_fields[name] + change.reshape(places.shape[:2])
        mesh.attach_field(name, values)
