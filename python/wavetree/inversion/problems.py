"""The inverse problems behind the nodes of a project's trees: one for every set of settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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
        self._made: dict[tuple[str, str], tuple[list[str | None], InverseProblem]] = {}

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

    def settle(
        self,
        name: str,
        settings: NodeSettings = _OWN,
        events: Sequence[str] | None = None,
        besides: int | None = None,
    ) -> FixedParts:
        """Find what nodes with these settings are fixed to and keep it, unless a node has them already.

        Parameters
        ----------
        name
            Name of the inverse problem.
        settings
            The settings.
        events
            Names of the events that are inverted where the configuration names none; see `settled_parts`.
        besides
            Id of a node that does not count, for its settings are being replaced.

        Raises
        ------
        ValueError
            If the settings do not fit the project's events, models or misfits.
        ConflictError
            If what results depend on has changed since they were settled.
        """
        known = self._project.store.get_note(_key(name, settings))
        if known is None or not self._has_node(name, settings, besides):
            configuration = self.configuration(name, settings)
            fixed = settled_parts(self._project, configuration, settings, events)
            problem = InverseProblem(self._project, configuration, fixed)
            problem.space  # noqa: B018 (finds bad input)
            self._project.store.set_note(_key(name, settings), dataclasses.asdict(fixed))
            self._made.pop((name, settings.digest()), None)
        return self.of(name, settings).fixed

    def of(self, name: str, settings: NodeSettings = _OWN) -> InverseProblem:
        """Return the inverse problem of nodes with these settings; kept while nothing in it has changed."""
        configuration = self.configuration(name, settings)
        fixed = self.fixed(name, settings)
        used = [("simulation_configuration", configuration.prior_model), (_KIND, name)]
        references = reference_models(configuration.preconditioner)
        used += [("simulation_configuration", model) for model in references]
        used += [("misfit_configuration", configuration.misfit_configuration)]
        used += [("event", event) for event in (*fixed.events, *fixed.validation)]
        digests = self._project.store.entity_digests()
        made_of = [digests.get(entity) for entity in used]
        key = (name, settings.digest())
        if self._made.get(key, ([], None))[0] != made_of:
            self._made[key] = (made_of, InverseProblem(self._project, configuration, fixed))
        return self._made[key][1]

    def release(self, name: str) -> None:
        """Forget pipelines of an inverse problem of which nothing runs any more."""
        for (problem, _), (_, made) in self._made.items():
            if problem == name:
                made.release()

    def forget(self, name: str) -> None:
        """Forget what the nodes of an inverse problem were fixed to."""
        for made in [made for made in self._made if made[0] == name]:
            del self._made[made]
        for key in [_key(name), *self._project.store.list_notes(f"{_key(name)}/")]:
            self._project.store.delete_note(key)

    def forget_unused(self, name: str, settings: NodeSettings) -> None:
        """Forget what nodes with these settings were fixed to if no node has them any more."""
        if settings != _OWN and not self._has_node(name, settings):
            self._made.pop((name, settings.digest()), None)
            self._project.store.delete_note(_key(name, settings))

    def _has_node(self, name: str, settings: NodeSettings, besides: int | None = None) -> bool:
        """Whether nodes have these settings; all of a tree refer to its own."""
        records = [r for r in self._project.store.list_iterations(name) if r.id != besides]
        if settings == _OWN:
            return bool(records)
        return any(Node.from_document(record.document).settings == settings for record in records)


def _key(name: str, settings: NodeSettings = _OWN) -> str:
    return f"inverse_problem/{name}" + ("" if settings == _OWN else f"/{settings.digest()}")
