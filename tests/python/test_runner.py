import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wavetree.arrays import write_arrays
from wavetree.errors import Cancelled, SimulationFailed
from wavetree.project.runner import Runner
from wavetree.project.store import Store
from wavetree.simulation.restart import RESTART
from wavetree.sites.local import LocalSite

OTHER_PROCESS = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


@dataclass
class FakeTask:
    """Writes its outputs after calling `work(n)` with the number of the attempt."""

    name: str
    work: Callable[[int, Any], None] = lambda attempt, control: None
    outputs: tuple[str, ...] = ("out",)
    kind: str = "forward"
    attempts: list[int] = field(default_factory=list)
    threads: int = 0

    @property
    def label(self) -> str:
        return f"{self.name} of model"

    def digest(self) -> str:
        return self.name.ljust(64, "0")

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        self.threads = threads
        self.attempts.append(len(self.attempts) + 1)
        self.work(len(self.attempts), control)
        for name in self.outputs:
            (folder / name).write_text(self.name)


def until_cancelled(attempt: int, control: Any) -> None:
    while not control.cancelled:
        time.sleep(0.005)
    raise Cancelled("stopped")


def fail_until(last: int) -> Callable[[int, Any], None]:
    def work(attempt: int, control: Any) -> None:
        if attempt <= last:
            raise RuntimeError(f"energy grows, attempt {attempt}")

    return work


def bad_input(attempt: int, control: Any) -> None:
    raise ValueError("receiver outside")


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    site = LocalSite(2)
    yield Runner(Store(tmp_path / "wavetree.sqlite"), tmp_path / "results", site)
    site.shutdown()


def test_results_are_made_once(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    tasks = [FakeTask("a"), FakeTask("b")]
    assert runner.issue(tasks, threads=2) == 2
    assert runner.wait(tasks, timeout=10)
    assert (runner.folder(tasks[0]) / "out").read_text() == "a" and tasks[0].threads == 2
    assert runner.folder(tasks[0]) == runner.results / "a0" / tasks[0].digest()
    assert runner.issue(tasks) == 0 and runner.state(tasks[0]).state == "done"
    assert "Nothing to be done: a of model, b of model (2) are computed already" in caplog.text
    assert tasks[0].attempts == [1]
    record = runner.store.find_task(tasks[0].digest())
    assert record is not None and record.status == "done" and record.label == "a of model"


def test_attempts_that_come_further_do_not_count(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    """Each has to do a hundredth of the work, so that none goes on for ever."""
    parts = [0.2, 0.5, 0.505, 0.9]

    def cut_off(attempt: int, control: Any) -> None:
        part = parts[min(attempt, len(parts)) - 1]
        write_arrays(runner.folder(task) / RESTART, {}, {"step": round(1000 * part), "n_steps": 1000})
        raise RuntimeError("its time is up")

    task = FakeTask("a", cut_off)
    runner.issue([task])
    with pytest.raises(SimulationFailed, match="its time is up"):
        runner.wait([task], timeout=10)
    assert len(task.attempts) == 3 + 4, "three came further"
    assert [f"goes on from {p} %" in caplog.text for p in (20, 50, 51, 90)] == [True, True, False, True]
    assert caplog.text.count("trying again") == 3


def test_a_running_task_is_not_started_again(runner: Runner) -> None:
    gate = threading.Event()
    task = FakeTask("a", lambda attempt, control: gate.wait(10) and None)
    assert [runner.issue([task]), runner.issue([task, task])] == [1, 0]
    assert not runner.wait([task], timeout=0.02)
    gate.set()
    assert runner.wait([task], timeout=10) and task.attempts == [1]


def test_more_outputs_of_a_running_task_follow(runner: Runner) -> None:
    gate = threading.Event()
    few = FakeTask("a", lambda attempt, control: gate.wait(10) and None)
    more = FakeTask("a", outputs=("out", "field"))
    runner.issue([few])
    runner.issue([more])
    gate.set()
    assert runner.wait([more], timeout=10) and few.attempts == [1] and more.attempts == [1]
    assert runner.issue([few]) == 0


def test_outputs_that_are_asked_for_meanwhile_are_all_made(runner: Runner) -> None:
    gate = threading.Event()
    running = FakeTask("a", lambda attempt, control: gate.wait(10) and None)
    others = [FakeTask("a", outputs=("out", name)) for name in ("field", "volume", "field")]
    for task in (running, *others):
        runner.issue([task])
    gate.set()
    assert runner.wait(others, timeout=10)
    assert [task.attempts for task in others] == [[1], [1], []]


def test_lost_outputs_are_made_again(runner: Runner) -> None:
    task = FakeTask("a", outputs=("out", "field"))
    runner.issue([task])
    assert runner.wait([task], timeout=10)
    (runner.folder(task) / "field").unlink()
    assert runner.state(task).state == "new" and runner.issue([task]) == 1
    assert runner.wait([task], timeout=10) and task.attempts == [1, 2]


def test_failures_are_repeated_three_times(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    lucky = FakeTask("lucky", fail_until(3))
    runner.issue([lucky])
    assert runner.wait([lucky], timeout=10) and lucky.attempts == [1, 2, 3, 4]
    assert "lucky of model failed (attempt 1 of 4), trying again: energy grows, attempt 1" in caplog.text


def test_a_failed_event_is_named_and_costs_only_itself(runner: Runner) -> None:
    bad, good = FakeTask("event_0003", fail_until(9)), FakeTask("event_0004")
    runner.issue([bad, good])
    with pytest.raises(SimulationFailed, match="1 of 2 simulations failed") as caught:
        runner.wait([bad, good], timeout=10)
    text = str(caught.value)
    assert "event_0003 of model: energy grows, attempt 4" in text and str(runner.log_file(bad)) in text
    assert "event_0004" not in text and "The results of the others are kept" in text
    assert bad.attempts == [1, 2, 3, 4] and runner.is_done(good)
    assert runner.log_file(bad).read_text().count("Traceback") == 4
    # Another process knows of it, and issuing again starts anew.
    later = Runner(runner.store, runner.results, LocalSite(1))
    assert later.state(bad).state == "failed"
    bad.work = fail_until(0)
    assert runner.issue([bad]) == 1 and runner.wait([bad], timeout=10)


def test_bad_input_is_not_repeated(runner: Runner) -> None:
    task = FakeTask("a", bad_input)
    runner.issue([task])
    with pytest.raises(SimulationFailed, match="receiver outside"):
        runner.wait([task], timeout=10)
    assert task.attempts == [1]


def test_a_task_that_writes_nothing_has_failed(runner: Runner) -> None:
    task = FakeTask("a")
    task.run = lambda folder, control, threads: None  # type: ignore[method-assign]
    runner.issue([task])
    with pytest.raises(SimulationFailed, match="it ended without writing out"):
        runner.wait([task], timeout=10)


def test_wall_time_reaches_the_site(runner: Runner) -> None:
    task = FakeTask("a", until_cancelled)
    runner.issue([task], wall_time=0.02)
    with pytest.raises(SimulationFailed, match=r"wall_time_in_seconds_per_job = 0\.02"):
        runner.wait([task], timeout=10)


def test_cancel_stops_and_issue_resumes(runner: Runner) -> None:
    tasks = [FakeTask(k, until_cancelled) for k in "abc"]
    runner.issue(tasks)
    assert runner.cancel(tasks[:1]) == 1 and runner.state(tasks[0]).state == "cancelled"
    assert runner.cancel() == 2 and not runner.wait(tasks, timeout=10)
    assert [runner.state(t).state for t in tasks] == ["cancelled"] * 3
    for task in tasks:
        task.work = fail_until(0)
    runner.issue(tasks)
    assert runner.wait(tasks, timeout=10)


def test_interrupt_while_waiting_cancels_promptly(runner: Runner) -> None:
    tasks = [FakeTask(k, until_cancelled) for k in "abc"]
    runner.issue(tasks)
    main = threading.main_thread().ident
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runner.wait(tasks, timeout=30)
    assert time.monotonic() - start < 1.5
    assert [runner.state(t).state for t in tasks] == ["cancelled"] * 3


def test_interrupted_tasks_of_a_dead_process_are_seen(runner: Runner) -> None:
    task = FakeTask("a", until_cancelled)
    runner.issue([task])
    later = Runner(runner.store, runner.results, LocalSite(1))
    assert later.state(task).state == "interrupted" and later.state(FakeTask("b")).state == "new"
    assert not later.wait([task], timeout=10), "nobody in this process works on it"


def test_another_process_that_computes_the_same_is_awaited(runner: Runner) -> None:
    task = FakeTask("a")
    folder = runner.folder(task)
    folder.mkdir(parents=True)
    code = [sys.executable, "-c", OTHER_PROCESS, str(folder / ".lock")]
    with subprocess.Popen(code, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        runner.issue([task])
        assert not runner.wait([task], timeout=0.3) and task.attempts == []
        (folder / "out").write_text("theirs")
        other.kill()
    assert runner.wait([task], timeout=10)
    runner.site.wait([task.digest()], 10)
    assert task.attempts == [] and (folder / "out").read_text() == "theirs"


def test_block_returns_when_nothing_is_left_to_wait_for(runner: Runner) -> None:
    calls: list[int] = []

    def advance() -> bool:
        calls.append(1)
        return False

    assert not runner.block(advance, lambda: 0.0, 1) and calls == [1]
    task = FakeTask("a", lambda attempt, control: time.sleep(0.02))
    runner.issue([task])

    def advance_task() -> bool:
        runner.poll()
        return runner.is_done(task)

    assert runner.block(advance_task, lambda: 0.0, 1, ping=30, timeout=30)


def test_block_looks_again_if_a_task_ended_while_it_looked(runner: Runner) -> None:
    """Two who wait for the same task: the second look takes note of its end, the first has not."""
    task, seen = FakeTask("a"), []
    runner.issue([task])

    def advance() -> bool:
        seen.append(runner.is_done(task))
        runner.site.wait([task.digest()], 10)
        runner.poll()
        return seen[-1]

    assert runner.block(advance, lambda: 0.0, 1, timeout=30) and seen == [False, True]


def test_of_equal_tasks_the_one_with_more_outputs_is_issued(runner: Runner) -> None:
    few, many = FakeTask("a"), FakeTask("a", outputs=("out", "wavefield"))
    assert runner.issue([many, few]) == 1
    assert runner.wait([many, few], timeout=10) and few.attempts == [] and many.attempts == [1]
