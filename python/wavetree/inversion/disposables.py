"""All that inversions have left in a project's folder and nobody needs any more."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from wavetree.errors import ConflictError
from wavetree.inversion.disposal import Disposal
from wavetree.inversion.lease import end_dead_leases
from wavetree.inversion.node import Node
from wavetree.inversion.problem import InverseProblem
from wavetree.inversion.problems import Problems
from wavetree.project.disk_use import FileCount, readable_size
from wavetree.project.orphans import Orphans, delete

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Disposables"]

_log = logging.getLogger("wavetree")


class Disposables:
    """What finished iterations and rejected trials left, and orphans.

    Parameters
    ----------
    project
        The project.
    problems
        Finds inverse problems.
    """

    def __init__(self, project: Project, problems: Problems) -> None:
        self._project = project
        self._problems = problems
        names = project.entities.list("inverse_problem_configuration")
        self._begun = [name for name in names if project.store.list_iterations(name)]

    def files(self) -> list[Path]:
        """Return what `delete` would delete of all inverse problems: files, and folders of tasks."""
        found = list(self._orphans())
        for name in self._begun:
            try:
                for problem, nodes in self._nodes(name):
                    found += Disposal(problem, policy=True).files(nodes)
            except ConflictError:
                continue
        return list(dict.fromkeys(found))

    def delete(self, name: str | None = None) -> int:
        """Delete what iterations of an inverse problem left, of all when None, and orphans of all.

        Returns
        -------
        int
            Bytes freed.
        """
        deleted = FileCount()
        if name is not None:
            self._problems.of(name)
        for one in self._begun if name is None else [name]:
            for problem, nodes in self._nodes(one):
                deleted += Disposal(problem, policy=True).of_nodes(nodes)
        deleted += delete(self._orphans())
        end_dead_leases(self._project.store)
        _log.info("%d files deleted, %s freed.", deleted.n_files, readable_size(deleted.n_bytes))
        return deleted.n_bytes

    def _nodes(self, name: str) -> list[tuple[InverseProblem, list[Node]]]:
        """The iterations of an inverse problem, those with the same settings together."""
        records = self._project.store.list_iterations(name)
        groups: dict[str, list[Node]] = {}
        for node in (Node.from_document(record.document) for record in records):
            groups.setdefault(node.settings.digest(), []).append(node)
        return [(self._problems.of(name, nodes[0].settings), nodes) for nodes in groups.values()]

    def _orphans(self) -> Iterable[Path]:
        """Tasks can be told from orphans only where all inverse problems can be made ready."""
        orphans = Orphans(self._project.path, self._project.store)
        found = [*orphans.temporary(), *orphans.unmentioned(), *orphans.finished_jobs()]
        try:
            needed = {digest for name in self._begun for digest in self._needed_tasks(name)}
        except ConflictError as error:
            _log.warning("Results of deleted iterations cannot be told from others: %s", error)
            return found
        return [*found, *orphans.unneeded(needed)]

    def _needed_tasks(self, name: str) -> list[str]:
        """Forward runs of all iterations and trials of an inverse problem."""
        found = []
        for problem, nodes in self._nodes(name):
            meshes = {node.mesh for node in nodes} | {trial.mesh for node in nodes for trial in node.trials}
            pipelines = [problem.pipeline(mesh, name) for mesh in meshes if mesh is not None]
            if problem.fixed.validation:
                pipelines += [problem.validation_pipeline(mesh, name) for mesh in meshes if mesh is not None]
            problem.release()
            found += [task.digest() for task in problem.illumination_tasks.values()]
            found += [task.digest() for p in pipelines for task in p.problem.forward_tasks.values()]
        return found
