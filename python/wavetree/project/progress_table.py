"""What is seen while tasks are waited for: a bar and a table of the tasks, or lines in the log."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from typing import Any

from tqdm.auto import tqdm

from wavetree.project.task_state import TaskState

__all__ = ["ProgressTable", "describe", "summarise"]

_MOST_ROWS = 16
# Tasks that are over sooner are not worth a table, which would only flicker.
_FIRST_SECONDS = 1.0
_LOG_SECONDS = 10.0
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
_ROW = "{desc}"
_WIDTH = 24
_ORDER = ("running", "failed", "queued", "cancelled", "finished")
_log = logging.getLogger("wavetree")


class ProgressTable:
    """Shows how far tasks are, in a terminal or notebook; elsewhere it says so in the log now and then.

    Parameters
    ----------
    total
        What `show` is told when all is done.
    description
        What is waited for.
    """

    def __init__(self, total: float, description: str) -> None:
        self._description = description
        self._bar = tqdm(total=total, desc=description, disable=None, leave=False, bar_format=_BAR)
        self._rows: list[Any] = []
        self._states: dict[str, TaskState] = {}
        self._begun = self._logged = time.monotonic()
        self._said = ""

    @property
    def is_shown(self) -> bool:
        """Whether somebody looks: what is shown should be renewed often."""
        return not self._bar.disable

    def show(self, done: float, states: dict[str, TaskState]) -> None:
        """Renew what is seen.

        Parameters
        ----------
        done
            How much of the total is done.
        states
            States of tasks by label. Tasks that were named before and are not any more have finished.
        """
        ended = {label: TaskState("done", 1.0) for label, state in self._states.items() if _goes_on(state)}
        self._states = self._states | ended | states
        now = time.monotonic()
        if self.is_shown:
            self._bar.n = min(done, self._bar.total)
            if now - self._begun > _FIRST_SECONDS:
                self._show_rows()
            self._bar.refresh()
        elif now - self._logged > _LOG_SECONDS and self._states:
            self._logged, line = now, summarise(self._states)
            if line != self._said:
                _log.info("%s: %s.", self._description, line)
            self._said = line

    def close(self) -> None:
        """Remove it."""
        for row in reversed(self._rows):
            row.close()
        self._bar.close()

    def _show_rows(self) -> None:
        chosen = sorted(self._states.items(), key=lambda item: _ORDER.index(_word(item[1])))[:_MOST_ROWS]
        shown = {label for label, _ in chosen}
        lines = [describe(label, state) for label, state in self._states.items() if label in shown]
        if len(self._states) > len(lines):
            lines.append(f"  ... {summarise(self._states)} in all")
        while len(self._rows) < len(lines):
            row = tqdm(total=1, disable=None, leave=False, position=len(self._rows) + 1, bar_format=_ROW)
            self._rows.append(row)
        for row, line in zip(self._rows, [*lines, *[""] * len(self._rows)], strict=False):
            row.set_description_str(line)


def describe(label: str, state: TaskState) -> str:
    """Return the line of a task: its label, state, percent and when it is likely to end, or its message."""
    text = f"  {label:<32} {_word(state):<9}"
    if state.state == "running":
        filled = round(_WIDTH * state.progress)
        text += f" {state.progress:4.0%} |{'█' * filled}{' ' * (_WIDTH - filled)}| {_remaining(state)}"
    return (text + (f" {state.message}" if state.message else "")).rstrip()


def summarise(states: dict[str, TaskState]) -> str:
    """Return how many tasks are in which state, and when those that run are likely to have ended."""
    counts = Counter(map(_word, states.values()))
    parts = [f"{counts[word]} {word}" for word in reversed(_ORDER) if counts[word]]
    running = [state for state in states.values() if state.state == "running"]
    if running:
        parts[-1] += f" ({sum(state.progress for state in running) / len(running):.0%}"
        latest = max(running, key=_seconds_left)
        parts[-1] += f", {left})" if (left := _remaining(latest)) else ")"
    return ", ".join(parts)


def _goes_on(state: TaskState) -> bool:
    return state.state in ("queued", "running")


def _word(state: TaskState) -> str:
    words = {"done": "finished", "new": "queued", "interrupted": "queued"}
    return words.get(state.state, state.state)


def _seconds_left(state: TaskState) -> float:
    """Time to the end at the speed so far [s]; infinite where that cannot be said."""
    if state.started is None or state.progress < 0.01:
        return math.inf
    return (time.time() - state.started) * (1.0 / state.progress - 1.0)


def _remaining(state: TaskState) -> str:
    seconds = _seconds_left(state)
    if math.isinf(seconds):
        return ""
    if seconds < 100.0:
        return f"about {seconds:.0f} s left"
    end = time.localtime(time.time() + seconds)
    return f"until about {time.strftime('%H:%M' if seconds < 12 * 3600 else '%a %H:%M', end)}"
