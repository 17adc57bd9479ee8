"""Runs a task unless its outputs are there, and never twice at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from wavetree.errors import Cancelled
from wavetree.sites.protocol import GroupTask, Task

__all__ = ["LOCK", "has_outputs", "run_group_once", "run_once"]

LOCK = ".lock"
"""File in a task's folder whose lock is held by the process that computes the task."""


def run_once(task: Task, folder: Path, control: Any, threads: int) -> None:
    """Run a task unless another process has just done so; see `Task.run`."""
    with _exclusive(folder, control):
        if not has_outputs(task, folder):
            task.run(folder, control, threads=threads)


def run_group_once(
    tasks: Sequence[GroupTask], folders: Sequence[Path], control: Any, threads: int
) -> list[tuple[GroupTask, Exception]]:
    """Run those tasks of one group whose outputs are not there; return those that failed, with errors."""
    with contextlib.ExitStack() as held:
        for folder in sorted(folders):  # everybody in the same order, so that nobody waits in a circle
            held.enter_context(_exclusive(folder, control))
        pairs = zip(tasks, folders, strict=True)
        missing = [(task, folder) for task, folder in pairs if not has_outputs(task, folder)]
        if not missing:
            return []
        chosen, places = [task for task, _ in missing], [folder for _, folder in missing]
        errors = chosen[0].run_group(chosen, places, control, threads=threads)
        return [(task, error) for task, error in zip(chosen, errors, strict=True) if error is not None]


def has_outputs(task: Task, folder: Path) -> bool:
    """Whether all outputs of a task are in a folder."""
    return all((folder / name).is_file() for name in task.outputs)


@contextlib.contextmanager
def _exclusive(folder: Path, control: Any) -> Iterator[None]:
    """Hold the folder's lock, which the system frees when its holder dies, however it dies."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            if _lock(lock, control) and not _is_at(folder / LOCK, lock):
                continue  # the folder was deleted as an orphan while its lock was waited for
            yield
            return


def _lock(lock: IO[str], control: Any) -> bool:
    """Wait for a lock and return whether it is held: not on file systems without locks."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if control.cancelled:
                raise Cancelled("stopped while another process computed the same") from None
            time.sleep(0.1)
        except OSError:
            # Two processes would then write the same bytes.
            return False


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
