"""What the runner needs to know of a task, and what is known of its state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Task", "TaskState"]


class Task(Protocol):
    """What the runner needs to know of a task."""

    @property
    def kind(self) -> str:
        """The kind, for example "forward"."""

    @property
    def label(self) -> str:
        """What users read, for example "event_0003 of initial_model"."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Files in the task's folder that exist once it is done."""

    def digest(self) -> str:
        """Hash of all that the result depends on."""

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute and write the outputs into `folder`, each complete or not at all."""


@dataclass(frozen=True)
class TaskState:
    """State of a task.

    Attributes
    ----------
    state
        "new", "queued", "running", "done", "failed", "cancelled", or "interrupted" when the process
        that issued it ended before the task did.
    progress
        The part that is done, 0 to 1.
    message
        Why it failed or what it waits for, as far as is known.
    started
        When it began to run [s since the epoch], as far as is known.
    """

    state: str
    progress: float = 0.0
    message: str = ""
    started: float | None = None
