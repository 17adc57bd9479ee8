"""What an inversion stores on its way and no longer needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from wavetree.inversion.node import Node, Trial
from wavetree.inversion.problem import InverseProblem
from wavetree.project.disk_use import FileCount
from wavetree.project.orphans import delete

__all__ = ["Disposal"]


@dataclass(frozen=True)
class Disposal:
    """Deletes what can be computed again from what is kept.

    Attributes
    ----------
    problem
        The inverse problem.
    policy
        None deletes the wavefields of rejected trials and finished iterations, True their simulations and
        meshes too, False nothing.
    iteration_id
        The iteration that disposes; it knows itself what it still needs.
    """

    problem: InverseProblem
    policy: bool | None = None
    iteration_id: int | None = None

    def of_trial(self, trial: Trial) -> FileCount:
        """Delete what a rejected trial leaves."""
        return self._delete([trial.mesh])

    def of_iterate(self, node: Node) -> FileCount:
        """Delete what a finished iteration leaves at its own model."""
        return self._delete([node.mesh])

    def of_wavefields(self, node: Node) -> FileCount:
        """Delete the wavefields at an iterate whose mesh is still needed."""
        return replace(self, policy=None if self.policy else self.policy).of_iterate(node)

    def of_nodes(self, nodes: Iterable[Node]) -> FileCount:
        """Delete what the finished ones among all nodes leave."""
        return self._delete(_left_behind(nodes))

    def files(self, nodes: Iterable[Node]) -> list[Path]:
        """Return what `of_nodes` would delete: files, and folders of tasks."""
        return self._files(_left_behind(nodes))

    def _delete(self, meshes: Iterable[str | None]) -> FileCount:
        meshes = list(meshes)
        deleted = delete(self._files(meshes))
        for mesh in meshes:
            if mesh is not None:
                self.problem.release(mesh)
        return deleted

    def _files(self, meshes: Iterable[str | None]) -> list[Path]:
        if self.policy is False:
            return []
        in_use = self._in_use()
        chosen = dict.fromkeys(mesh for mesh in meshes if mesh is not None and mesh not in in_use)
        return [file for mesh in chosen for file in self._of_model(mesh)]

    def _of_model(self, mesh: str) -> list[Path]:
        pipelines = [self.problem.pipeline(mesh, self.problem.name)]
        if self.problem.fixed.validation:
            pipelines.append(self.problem.validation_pipeline(mesh, self.problem.name))
        # The simulations of the prior are those of a simulation configuration, which users know.
        if not self.policy or mesh == self.problem.fixed.mesh:
            return pipelines[0].wavefields()
        file = self.problem.project.meshes.path(mesh)
        files = [path for path in (file, file.with_suffix(".xdmf")) if path.is_file()]
        return [*files, *(path for pipeline in pipelines for path in pipeline.results())]

    def _in_use(self) -> set[str | None]:
        """Models of open iterations, and priors, of all inverse problems: equal ones share their files."""
        project, found = self.problem.project, set()
        for name in project.inversions.list():
            for record in project.store.list_iterations(name):
                node = Node.from_document(record.document)
                found |= {node.settings.base}
                if node.is_open and (name, record.id) != (self.problem.name, self.iteration_id):
                    found |= {trial.mesh for trial in node.trials if trial.judged is None}
                    # The newest trial may be the accepted one, the model of the iteration to come.
                    found |= {node.trials[-1].mesh} if node.stage == "finalize_iteration" else set()
                    found |= {node.mesh}
        return found


def _left_behind(nodes: Iterable[Node]) -> list[str | None]:
    """Models of finished iterations and rejected trials."""
    found = []
    for node in nodes:
        found += [] if node.is_open else [node.mesh]
        found += [t.mesh for t in node.trials if t.judged is not None and not t.judged.accepted]
    return found
