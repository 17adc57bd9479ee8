"""Advances one iteration of the tree, one transaction a stage."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from wavetree.errors import SimulationFailed
from wavetree.inversion.lease import Lease
from wavetree.inversion.node import Node
from wavetree.inversion.place import Place
from wavetree.inversion.problems import Problems
from wavetree.inversion.stages import next_node, run_stage
from wavetree.project.store import IterationRecord, Store

__all__ = ["OpenIteration", "advance_all"]

_log = logging.getLogger("wavetree")


def advance_all(opened: Sequence[OpenIteration]) -> bool:
    """Advance iterations and return whether all are finished.

    Raises
    ------
    SimulationFailed
        The first failure, when none of the other iterations waits for simulations any more.
    """
    failure, finished = None, True
    for iteration in opened:
        try:
            finished &= iteration.advance()
        except SimulationFailed as error:
            failure = failure or error
    if failure is not None and finished:
        raise failure
    return finished


class OpenIteration:
    """An iteration that is being advanced by this process, or waited for while another one does.

    Parameters
    ----------
    store
        The project's database.
    problems
        Finds the inverse problem with the iteration's settings.
    record
        The iteration as it is stored.
    delete_disposable_files
        What is deleted on the way; see `wavetree.inversion.disposal.Disposal`.
    """

    def __init__(
        self,
        store: Store,
        problems: Problems,
        record: IterationRecord,
        delete_disposable_files: bool | None = None,
    ) -> None:
        self._store = store
        self._problems = problems
        self._disposal = delete_disposable_files
        self._load(record)
        self._announced = ""
        self._since = time.monotonic()
        self._lease = Lease(store, record.problem, record.id)
        self._told = False

    @property
    def progress(self) -> float:
        """The part that is done of what it waits for, 0 to 1."""
        node, place = self._node, self._place
        mesh = node.trials[-1].mesh if node.stage == "misfit" else node.mesh
        if not node.is_open or mesh is None:
            return 1.0
        gradients = node.stage != "misfit"
        pipeline = place.pipeline(mesh, node.events if gradients else node.control_group or node.events)
        events = len(pipeline.problem.events)
        return pipeline.progress(gradients) / (2 * events if gradients else events)

    @property
    def is_held_elsewhere(self) -> bool:
        """Whether another process advances it."""
        return self._told

    def advance(self) -> bool:
        """Run stages until there are tasks to wait for and return whether the iteration is finished.

        While another process advances it, nothing is done; what that process has stored is gone on with.
        """
        if not self._node.is_open:
            return True
        holder = self._lease.acquire()
        if holder is not None:
            self._tell(holder)
            return False
        if self._told:
            self._told, self._since = False, time.monotonic()
        self._load(self._store.load_iteration(self._record.problem, self._record.id))
        while self._node.is_open:
            stage = self._node.stage
            if stage != self._announced:
                _log.info("Current stage: %s.", stage)
                self._announced = stage
            place = self._place
            node = run_stage(self._node, place)
            if node is None:
                return False
            self._save(node)
            _log.info("Task %s processed.", stage)
            if node.is_open and place.problem.project.runner.is_time_up():
                return False
        return True

    def release(self) -> None:
        """Let other processes advance it."""
        self._lease.release()

    @property
    def _place(self) -> Place:
        problem = self._problems.of(self._record.problem, self._node.settings)
        return Place(problem, self._problems, self._record.id, self._disposal)

    def _load(self, record: IterationRecord) -> None:
        self._record = record
        self._node = Node.from_document(record.document)

    def _tell(self, holder: str) -> None:
        if not self._told:
            _log.info(
                "Iteration %d of %r is being advanced by %s; it goes on here when that ends.",
                self._record.id, self._record.problem, holder,
            )  # fmt: skip
        self._told = True

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
