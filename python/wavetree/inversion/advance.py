"""Advances one iteration of the tree, one transaction a stage."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from wavetree.inversion.node import Node
from wavetree.inversion.problem import InverseProblem
from wavetree.inversion.stages import Place, next_node, run_stage
from wavetree.project.store import IterationRecord, Store

__all__ = ["OpenIteration"]

_log = logging.getLogger("wavetree")


class OpenIteration:
    """An iteration that is being advanced.

    Parameters
    ----------
    problem
        The inverse problem.
    record
        The iteration as it is stored.
    delete_disposable_files
        What is deleted on the way; see `wavetree.inversion.disposal.Disposal`.
    """

    def __init__(
        self, problem: InverseProblem, record: IterationRecord, delete_disposable_files: bool | None = None
    ) -> None:
        self._record = record
        self._node = Node.from_document(record.document)
        self._place = Place(problem, record.id, delete_disposable_files)
        self._store: Store = problem.project.store
        self._announced = ""
        self._since = time.monotonic()

    @property
    def progress(self) -> float:
        """The part that is done of what it waits for, 0 to 1."""
        node = self._node
        mesh = node.trials[-1].mesh if node.stage == "misfit" else node.mesh
        if not node.is_open or mesh is None:
            return 1.0
        gradients = node.stage != "misfit"
        events = len(self._place.problem.fixed.events)
        return self._place.pipeline(mesh).progress(gradients) / (2 * events if gradients else events)

    def advance(self) -> bool:
        """Run stages until there are tasks to wait for and return whether the iteration is finished."""
        while self._node.is_open:
            stage = self._node.stage
            if stage != self._announced:
                _log.info("Current stage: %s.", stage)
                self._announced = stage
            node = run_stage(self._node, self._place)
            if node is None:
                return False
            self._save(node)
            _log.info("Task %s processed.", stage)
        return True

    def _save(self, node: Node) -> None:
        now = time.monotonic()
        node = replace(node, seconds=node.seconds + now - self._since)
        self._since = now
        if node.outcome == "accepted":
            child = next_node(node, time.time()).to_document()
            self._record, added = self._store.finish_iteration(self._record, node.to_document(), child)
            _log.info(
                "Iteration %d of %r is finished, iteration %d added.",
                self._record.id, self._record.problem, added.id,
            )  # fmt: skip
        else:
            self._record = self._store.save_iteration(self._record, node.to_document())
            if not node.is_open:
                _log.info(
                    "Iteration %d of %r is finished: %s.", self._record.id, self._record.problem, node.reason
                )
        self._node = node
