"""Where a stage works: the inverse problem, the iteration's folder and its pipelines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wavetree.arrays import read_arrays, write_arrays
from wavetree.inversion.disposal import Disposal
from wavetree.inversion.node import Node, Trial
from wavetree.inversion.problem import InverseProblem
from wavetree.inversion.problems import Problems
from wavetree.optimize import Step
from wavetree.project.pipeline import Pipeline

__all__ = ["Place", "advance_pipeline", "ended", "finished"]

_log = logging.getLogger("wavetree")


@dataclass(frozen=True)
class Place:
    """What a stage works with besides the node.

    Attributes
    ----------
    problem
        The inverse problem with the node's settings.
    problems
        Finds inverse problems with others.
    iteration_id
        Id of the node.
    delete_disposable_files
        See `Disposal`.
    """

    problem: InverseProblem
    problems: Problems
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

    def step(self, trial: Trial) -> Step:
        """Read the step of a trial."""
        arrays = {name: array for name, array in self.read(trial.file).items() if name != "model"}
        return Step.from_arrays(arrays, dict(trial.step))

    def label(self, trial: int | None = None) -> str:
        """Return what users read in the labels of simulations of the node's model or of a trial."""
        label = f"{self.problem.name}, iteration {self.iteration_id}"
        return label if trial is None else f"{label}, trial {trial}"

    def pipeline(self, mesh: str, events: Sequence[str] | None = None, trial: int | None = None) -> Pipeline:
        """Return the pipeline of events (all when None) at the node's model or at a trial."""
        return self.problem.pipeline(mesh, self.label(trial), events)


def advance_pipeline(pipeline: Pipeline, advance: Callable[[], bool]) -> bool:
    """Advance a pipeline, say how many tasks that issued, and return whether it is done."""
    before = pipeline.issued
    done = advance()
    if pipeline.issued > before:
        number = pipeline.issued - before
        _log.info("%d %s issued.", number, "task" if number == 1 else "tasks")
    return done


def finished(node: Node, place: Place, outcome: str, reason: str) -> Node:
    """Return the node at its end; what it leaves that can be computed again is disposed of."""
    node = replace(node, outcome=outcome, reason=reason, stage="finished")
    place.disposal.of_iterate(node)
    return node


def ended(node: Node, place: Place, reason: str) -> Node:
    """Return the node at an end without an accepted step, for a reason that says if it has converged."""
    return finished(node, place, "converged" if reason.startswith("converged") else "stopped", reason)
