"""What an inversion stores on its way and no longer needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wavetree.inversion.node import Node, Trial
from wavetree.inversion.problem import InverseProblem
from wavetree.project.runner import Task

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

    def of_trial(self, trial: Trial) -> int:
        """Delete what a rejected trial leaves and return the bytes freed."""
        return self._of_model(trial.mesh)

    def of_iterate(self, node: Node) -> int:
        """Delete what a finished iteration leaves at its own model and return the bytes freed."""
        return self._of_model(node.mesh)

    def of_nodes(self, nodes: Iterable[Node]) -> int:
        """Delete what the finished ones among all nodes leave and return the bytes freed."""
        freed = 0
        for node in nodes:
            if not node.is_open:
                freed += self.of_iterate(node)
            rejected = [
                trial for trial in node.trials if trial.judged is not None and not trial.judged.accepted
            ]
            freed += sum(self.of_trial(trial) for trial in rejected)
        return freed

    def _of_model(self, mesh: str | None) -> int:
        if mesh is None or self.policy is False:
            return 0
        pipeline = self.problem.pipeline(mesh, self.problem.name)
        freed = pipeline.delete_wavefields()
        # The simulations of the prior are those of a simulation configuration, which users know.
        if self.policy and mesh != self.problem.fixed.mesh and mesh not in self._in_use():
            runner, file = self.problem.project.runner, self.problem.project.meshes.path(mesh)
            tasks: list[Task] = [*pipeline.problem.forward_tasks.values(), *pipeline.adjoint_tasks.values()]
            for path in (file, file.with_suffix(".xdmf"), *(runner.folder(task) for task in tasks)):
                freed += _delete(path)
        self.problem.release(mesh)
        return freed

    def _in_use(self) -> set[str | None]:
        """Models of open iterations of all inverse problems: equal ones share their files."""
        project, found = self.problem.project, set()
        for name in project.entities.list("inverse_problem_configuration"):
            for record in project.store.list_iterations(name):
                node = Node.from_document(record.document)
                if node.is_open and (name, record.id) != (self.problem.name, self.iteration_id):
                    found |= {trial.mesh for trial in node.trials if trial.judged is None}
                    # The newest trial may be the accepted one, the model of the iteration to come.
                    found |= {node.trials[-1].mesh} if node.stage == "finalize_iteration" else set()
                    found |= {node.mesh}
        return found


def _delete(path: Path) -> int:
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        shutil.rmtree(path, ignore_errors=True)
        return size
    size = path.stat().st_size if path.is_file() else 0
    path.unlink(missing_ok=True)
    return size
