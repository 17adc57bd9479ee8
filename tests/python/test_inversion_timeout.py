"""Time that the inverting process itself takes: timeouts, interruptions and what runs meanwhile."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inversions import NAME, configuration
from projects import DOMAIN, event, misfit, run, simulation
from wavetree.mapping import Mapping
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.project import Project
from wavetree.project.runner import Runner
from wavetree.project.store import Store
from wavetree.simulation.task import AdjointTask
from wavetree.sites.local import LocalSite
from wavetree.smoothing import ConstantSmoothing
from wavetree.survey.source.cartesian import ScalarPoint2D

N_EVENTS, SECONDS = 12, 0.15


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the events in the order in which their misfits, each of which takes 0.15 s, are computed."""
    found: list[str] = []
    evaluate = MisfitConfiguration.evaluate

    def slow(self: Any, synthetic: Any, observed: Any) -> Any:
        time.sleep(SECONDS)
        found.append(synthetic.event_name)
        return evaluate(self, synthetic, observed)

    monkeypatch.setattr(MisfitConfiguration, "evaluate", slow)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Twelve events whose forward runs are done, with wavefields: only misfits lie before the gradients."""
    p = Project.from_domain(tmp_path / "project", DOMAIN)
    for k in range(N_EVENTS):
        source = ScalarPoint2D(x=-0.05, y=0.002 * k, f=1.0)
        p += event(0, sources=[source], event_name=f"event_{k:04d}")
    p += simulation("initial", elements_per_wavelength=0.5)
    p += simulation("true", 1520.0, elements_per_wavelength=0.5)
    p += misfit()
    p += configuration(
        events=None,
        mapping=Mapping("absolute", inversion_parameters=["VP"]),
        preconditioner=ConstantSmoothing({"VP": 0.02}),
    )
    run(p, "true")
    tasks = list(p.actions.inversion.problem("initial", "L2", gradients=True).forward_tasks.values())
    p.runner.issue(tasks)
    assert p.runner.wait(tasks, timeout=60.0)
    yield p
    p.close()


def finish_gradient(p: Project) -> None:
    """Go on until iteration 0 has its gradient."""
    for _ in range(200):
        p.inversions.iterate(NAME, timeout_in_seconds=0.3)
        if p.inversions.get_iteration(NAME, 0).gradient_norm is not None:
            return
    pytest.fail("no gradient after 200 calls")


def test_a_timeout_is_kept_to_a_second(project: Project, compared: list[str]) -> None:
    project.inversions.add_iteration(NAME)
    start = time.monotonic()
    assert not project.inversions.iterate(NAME, timeout_in_seconds=0.3)
    assert time.monotonic() - start < 1.3 < SECONDS * N_EVENTS
    assert 1 <= len(compared) < N_EVENTS
    finish_gradient(project)
    assert sorted(compared[:N_EVENTS]) == project.events.list(), "each is computed once, in whatever order"


def test_the_gradient_does_not_wait_for_all_misfits(
    project: Project, compared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, before = AdjointTask.run, []

    def noted(*args: Any, **options: Any) -> None:
        before.append(len(compared))
        compute(*args, **options)

    monkeypatch.setattr(AdjointTask, "run", noted)
    start = time.monotonic()
    project.actions.inversion.compute_gradients("initial", "L2")
    assert len(before) == len(compared) == N_EVENTS and min(before) < N_EVENTS // 2
    assert time.monotonic() - start < SECONDS * N_EVENTS + 1.5, "the pieces take no time of their own"


def test_interruption_between_misfits(project: Project, compared: list[str]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    project.inversions.add_iteration(NAME)
    threading.Timer(0.6, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        project.inversions.iterate(NAME)
    assert time.monotonic() - start < 1.6
    assert 0 < len(compared) < N_EVENTS
    finish_gradient(project)
    once_or_twice = set(compared[: N_EVENTS + 1])
    assert sorted(once_or_twice) == project.events.list(), "only the one that was interrupted is done again"


# The runner


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    site = LocalSite(2)
    yield Runner(Store(tmp_path / "wavetree.sqlite"), tmp_path / "results", site)
    site.shutdown()


def test_work_that_is_cut_short_is_gone_on_with_at_once(runner: Runner) -> None:
    pieces = []

    def advance() -> bool:
        while len(pieces) < 12:
            time.sleep(0.1)
            pieces.append(runner.is_time_up())
            if pieces[-1]:
                return False
        return True

    start = time.monotonic()
    assert runner.block(advance, lambda: 0.0, 1, ping=30.0)
    assert 1.2 <= time.monotonic() - start < 2.0 and 2 <= sum(pieces) <= 6
    pieces.clear()
    assert not runner.block(advance, lambda: 0.0, 1, ping=30.0, timeout=0.5)
    assert 3 <= len(pieces) < 12
    assert not runner.is_time_up(), "only `block` is in a hurry"
