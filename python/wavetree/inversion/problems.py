"""The inverse problems behind the nodes of a project's trees: one for every set of settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from wavetree.inversion.configuration import InverseProblemConfiguration
from wavetree.inversion.node import Node
from wavetree.inversion.preconditioner import reference_models
from wavetree.inversion.problem import FixedParts, InverseProblem, settled_parts
from wavetree.inversion.settings import NodeSettings

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Problems"]

_KIND = "inverse_problem_configuration"
_OWN = NodeSettings()


class Problems:
    """Finds and keeps inverse problems.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._made: dict[tuple[str, str], tuple[list[str], InverseProblem]] = {}

    def configuration(self, name: str, settings: NodeSettings = _OWN) -> InverseProblemConfiguration:
        """Return the configuration of an inverse problem with a node's settings in it."""
        own: InverseProblemConfiguration = self._project.entities.get(_KIND, name)
        return settings.apply(own)

    def fixed(self, name: str, settings: NodeSettings = _OWN) -> FixedParts:
        """Return what nodes with these settings are fixed to.

        Raises
        ------
        ValueError
            If no iteration was ever added.
        """
        note = self._project.store.get_note(_key(name, settings))
        if note is None:
            raise ValueError(
                f"inverse problem {name!r} has no iterations; add one with "
                f"p.inversions.add_iteration({name!r})."
            )
        return FixedParts(**note)

    def settle(self, name: str, settings: NodeSettings = _OWN) -> FixedParts:
        """Find what nodes with these settings are fixed to and keep it, unless it is known already.

        Raises
        ------
        ValueError
            If the settings do not fit the project's events, models or misfits.
        ConflictError
            If what results depend on has changed since they were settled.
        """
        if self._project.store.get_note(_key(name, settings)) is None:
            configuration = self.configuration(name, settings)
            fixed = settled_parts(self._project, configuration, settings)
            problem = InverseProblem(self._project, configuration, fixed)
            problem.space  # noqa: B018 (finds bad input)
            self._project.store.set_note(_key(name, settings), dataclasses.asdict(fixed))
        return self.of(name, settings).fixed

    def of(self, name: str, settings: NodeSettings = _OWN) -> InverseProblem:
        """Return the inverse problem of nodes with these settings; kept while nothing in it has changed."""
        store, configuration = self._project.store, self.configuration(name, settings)
        fixed = self.fixed(name, settings)
        used = [("simulation_configuration", configuration.prior_model), (_KIND, name)]
        references = reference_models(configuration.preconditioner)
        used += [("simulation_configuration", model) for model in references]
        used += [("misfit_configuration", configuration.misfit_configuration)]
        used += [("event", event) for event in (*fixed.events, *fixed.validation)]
        made_of = [store.get_entity(kind, entity).digest for kind, entity in used]
        key = (name, settings.digest())
        if self._made.get(key, ([], None))[0] != made_of:
            self._made[key] = (made_of, InverseProblem(self._project, configuration, fixed))
        return self._made[key][1]

    def release(self, name: str) -> None:
        """Forget pipelines of an inverse problem of which nothing runs any more."""
        for (problem, _), (_, made) in self._made.items():
            if problem == name:
                made.release()

    def base_meshes(self) -> set[str]:
        """Return the digests of the priors of all nodes of all inverse problems."""
        found = set()
        for name in self._project.entities.list(_KIND):
            for record in self._project.store.list_iterations(name):
                found.add(self.fixed(name, Node.from_document(record.document).settings).mesh)
        return found

    def forget(self, name: str) -> None:
        """Forget what the nodes of an inverse problem were fixed to."""
        for made in [made for made in self._made if made[0] == name]:
            del self._made[made]
        for key in [_key(name), *self._project.store.list_notes(f"{_key(name)}/")]:
            self._project.store.delete_note(key)


def _key(name: str, settings: NodeSettings = _OWN) -> str:
    return f"inverse_problem/{name}" + ("" if settings == _OWN else f"/{settings.digest()}")
