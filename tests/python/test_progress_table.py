"""What is seen while tasks are waited for."""

from __future__ import annotations

import logging
import time

import pytest

from wavetree.project import progress_table
from wavetree.project.progress_table import ProgressTable, describe, summarise
from wavetree.project.task_state import TaskState


def running(progress: float, seconds: float) -> TaskState:
    return TaskState("running", progress, started=time.time() - seconds)


def test_the_line_of_a_task() -> None:
    line = describe("event_0001 of initial", running(0.25, 10.0))
    assert line.startswith("  event_0001 of initial            running    25% |██████      ")
    assert line.endswith("| about 30 s left")
    assert describe("a", TaskState("queued", message="Resources")).split() == ["a", "queued", "Resources"]
    assert describe("a", TaskState("done", 1.0)).split() == ["a", "finished"]
    assert describe("a", TaskState("failed", message="energy grows")).split() == [
        "a",
        "failed",
        "energy",
        "grows",
    ]
    assert describe("a", TaskState("running")).endswith("|"), "nothing is known of its end yet"


def test_the_time_of_an_end_that_is_far_away() -> None:
    hour = time.strftime("%H:%M", time.localtime(time.time() + 3000.0))
    assert describe("a", running(0.25, 1000.0)).endswith(f"until about {hour}")


def test_a_summary_counts_and_tells_the_last_end() -> None:
    states = {
        "a": TaskState("done", 1.0),
        "b": running(0.5, 10.0),
        "c": running(0.1, 1.0),
        "d": TaskState("queued"),
        "e": TaskState("failed"),
    }
    assert summarise(states) == "1 finished, 1 queued, 1 failed, 2 running (30%, about 10 s left)"
    assert summarise({"a": TaskState("running")}) == "1 running (0%)"


def test_without_a_terminal_the_log_says_it_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    table = ProgressTable(2, "initial")
    assert not table.is_shown
    table.show(0.0, {"a": TaskState("queued")})
    assert caplog.text == "", "what is over soon is not worth a line"
    monkeypatch.setattr(progress_table, "_LOG_SECONDS", -1.0)
    for states in ({"a": TaskState("queued"), "b": TaskState("queued")}, {"b": TaskState("queued")}, {}, {}):
        table.show(0.0, states)
    table.close()
    assert [record.message for record in caplog.records] == [
        "initial: 2 queued.",
        "initial: 1 finished, 1 queued.",
        "initial: 2 finished.",
    ]
