"""Which tasks share a job, and what becomes of each when others of its job fail or are stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wavetree.errors import Cancelled, SimulationFailed
from wavetree.project import grouping
from wavetree.project.grouping import in_groups
from wavetree.project.runner import Runner
from wavetree.project.store import Store
from wavetree.simulation.cost import Cost
from wavetree.sites.local import LocalSite


@dataclass
class GroupedTask:
    """Writes its output; `work` is called in a group and alone, and may fail."""

    name: str
    group: str | None = "lanes"
    work: Callable[[Any], None] = lambda control: None
    group_size: int = 3
    outputs: tuple[str, ...] = ("out",)
    kind: str = "forward"
    company: list[list[str]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.name} of model"

    def digest(self) -> str:
        return self.name.ljust(64, "0")

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        self.company.append([self.name])
        self.work(control)
        (folder / "out").write_text(self.name)

    def run_group(
        self, tasks: list[GroupedTask], folders: list[Path], control: Any, threads: int = 1
    ) -> list[Exception | None]:
        errors: list[Exception | None] = []
        for task, folder in zip(tasks, folders, strict=True):
            task.company.append([one.name for one in tasks])
            try:
                task.work(control)
            except Cancelled:
                raise
            except Exception as error:
                errors.append(error)
            else:
                errors.append(None)
                (folder / "out").write_text(task.name)
        return errors


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    site = LocalSite(2)
    yield Runner(Store(tmp_path / "wavetree.sqlite"), tmp_path / "results", site)
    site.shutdown()


def names(groups: list[list[GroupedTask]]) -> list[str]:
    return ["".join(task.name for task in group) for group in groups]


def test_groups_are_alike_and_as_large_as_can_be() -> None:
    kinds = zip("abcdefg", ("x", "y", "x", "x", None, "x", None), strict=True)
    tasks = [GroupedTask(name, kind) for name, kind in kinds]
    assert names(in_groups(tasks, lambda task: task)) == ["acd", "b", "e", "f", "g"]


def test_a_group_has_room_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "machine_bytes", lambda: 100)
    monkeypatch.setattr(grouping, "cost_of", lambda task: Cost(1.0, 15))
    tasks = [GroupedTask(name) for name in "abcd"]
    assert names(in_groups(tasks, lambda task: task)) == ["ab", "cd"], "at most 40 of 100 bytes"
    monkeypatch.setattr(grouping, "cost_of", lambda task: Cost(1.0, 90))
    assert names(in_groups(tasks, lambda task: task)) == ["a", "b", "c", "d"]


def test_tasks_of_a_group_run_as_one_job(runner: Runner) -> None:
    tasks = [GroupedTask(name) for name in "abcd"]
    assert runner.issue(tasks) == 4
    assert runner.wait(tasks, timeout=10)
    assert [task.company for task in tasks] == [[["a", "b", "c"]]] * 3 + [[["d"]]]
    assert [(runner.folder(task) / "out").read_text() for task in tasks] == list("abcd")
    assert "in the job of a of model and 2 others" in runner.log_file(tasks[1]).read_text()
    record = runner.store.find_task(tasks[1].digest())
    assert record is not None and record.status == "done" and record.attempts == 1


def test_all_tasks_of_a_job_show_its_progress(runner: Runner) -> None:
    gate = threading.Event()

    def half(control: Any) -> None:
        control.progress = 0.5
        assert gate.wait(10)

    tasks = [GroupedTask("a", work=half), GroupedTask("b")]
    runner.issue(tasks)
    deadline = time.monotonic() + 5
    while runner.state(tasks[1]).progress < 0.5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [runner.state(task).progress for task in tasks] == [0.5, 0.5]
    gate.set()
    assert runner.wait(tasks, timeout=10)


@pytest.mark.parametrize("error", [ValueError("receiver outside"), RuntimeError("energy grows")])
def test_one_that_fails_is_named_and_the_others_stay(runner: Runner, error: Exception) -> None:
    def fail(control: Any) -> None:
        raise error

    tasks = [GroupedTask("a"), GroupedTask("b", work=fail), GroupedTask("c")]
    runner.issue(tasks)
    with pytest.raises(SimulationFailed) as raised:
        runner.wait(tasks, timeout=10)
    assert f"1 of 3 simulations failed:\n  b of model: {error} (log:" in str(raised.value)
    assert tasks[0].company == tasks[2].company == [["a", "b", "c"]], "not computed again"
    retries = 1 if isinstance(error, ValueError) else 3
    assert tasks[1].company == [["a", "b", "c"], *[["b"]] * retries]
    assert [runner.state(task).state for task in tasks] == ["done", "failed", "done"]


def test_one_that_fails_once_is_repeated_alone(runner: Runner) -> None:
    attempts = iter([RuntimeError("energy grows"), None])

    def fail_once(control: Any) -> None:
        if (error := next(attempts)) is not None:
            raise error

    tasks = [GroupedTask("a", work=fail_once), GroupedTask("b")]
    runner.issue(tasks)
    assert runner.wait(tasks, timeout=10)
    assert tasks[0].company == [["a", "b"], ["a"]] and tasks[1].company == [["a", "b"]]


def test_a_job_that_fails_as_a_whole_is_repeated_as_one_and_then_one_by_one(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[str] = []

    def fail(self, tasks, folders, control, threads=1):
        groups.append("".join(task.name for task in tasks))
        raise MemoryError("no memory")

    monkeypatch.setattr(GroupedTask, "run_group", fail)
    tasks = [GroupedTask("a"), GroupedTask("b")]
    runner.issue(tasks)
    assert runner.wait(tasks, timeout=10)
    assert groups == ["ab", "ab"] and [task.company for task in tasks] == [[["a"]], [["b"]]]


def test_stopping_one_does_not_stop_the_others(runner: Runner) -> None:
    begun, calls = threading.Event(), []

    def wait_once(control: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            return
        begun.set()
        while not control.cancelled:
            time.sleep(0.005)
        raise Cancelled("stopped")

    tasks = [GroupedTask("a"), GroupedTask("b", work=wait_once), GroupedTask("c")]
    runner.issue(tasks)
    assert begun.wait(5)
    assert runner.cancel([tasks[2]]) == 1
    assert runner.wait(tasks[:2], timeout=10)
    assert tasks[1].company[-1] == ["b"] or tasks[1].company[-1] == ["a", "b"]
    assert runner.state(tasks[2]).state == "cancelled"


def test_stopping_all_stops_all(runner: Runner) -> None:
    begun = threading.Event()

    def until_cancelled(control: Any) -> None:
        begun.set()
        while not control.cancelled:
            time.sleep(0.005)
        raise Cancelled("stopped")

    tasks = [GroupedTask(name, work=until_cancelled) for name in "ab"]
    runner.issue(tasks)
    assert begun.wait(5) and runner.cancel() == 2
    assert [runner.state(task).state for task in tasks] == ["cancelled", "cancelled"]
