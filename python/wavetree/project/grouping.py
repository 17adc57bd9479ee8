"""Which tasks are done together, in one job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from wavetree.process import machine_bytes
from wavetree.project.task_state import Task
from wavetree.simulation.cost import cost_of
from wavetree.sites.protocol import GroupTask

__all__ = ["in_groups"]

Entry = TypeVar("Entry")

# Of the machine's memory that the tasks of one job may take; one task may take more.
_MEMORY_SHARE = 0.4


def in_groups(entries: Iterable[Entry], task_of: Callable[[Entry], Task]) -> list[list[Entry]]:
    """Return entries in lists whose tasks can be done together, the others in lists of their own.

    Parameters
    ----------
    entries
        Whatever has a task.
    task_of
        Returns the task of an entry.

    Notes
    -----
    What comes out of a task does not depend on the others of its list, so neither order nor number matter.
    """
    open_lists: dict[str, list[Entry]] = {}
    result: list[list[Entry]] = []
    for entry in entries:
        task = task_of(entry)
        group = task.group if isinstance(task, GroupTask) else None
        current = open_lists.get(group) if group is not None else None
        if current is None or not _has_room([task_of(one) for one in current], task):
            current = []
            result.append(current)
            if group is not None:
                open_lists[group] = current
        current.append(entry)
    return result


def _has_room(tasks: Sequence[Task], task: Task) -> bool:
    assert isinstance(task, GroupTask)
    memory = sum(cost_of(one).memory_in_bytes for one in (*tasks, task))
    return len(tasks) < task.group_size and memory <= _MEMORY_SHARE * machine_bytes()
