"""What fails in an inversion costs itself alone, is named, and is repeated once its cause is gone."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inversions import EVENTS, configuration, fingerprint, make_project
from wavetree.errors import SimulationFailed, WavetreeError
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.project import Project
from wavetree.simulation.task import AdjointTask, ForwardTask

NAME = "fragile"
GOOD, BAD = EVENTS
MODE = "WAVETREE_TEST_MISFIT"


def fragile(u: np.ndarray, d: np.ndarray, rate: float) -> Any:
    """The L2 misfit, unless the environment says something else."""
    mode = os.environ.get("WAVETREE_TEST_MISFIT")
    if mode == "raises":
        raise KeyError("no such station")
    factor = float("nan") if mode == "nan" else 1.0
    return factor * 0.5 * float(np.sum((u - d) ** 2)) / rate, u - d


def make(path: Path) -> Project:
    p = make_project(path)
    p += MisfitConfiguration(NAME, observed_data="true", misfit_function=fragile, receiver_field="phi")
    p += configuration(NAME, misfit_configuration=NAME)
    return p


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make(tmp_path / "project")
    yield p
    p.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Figures and models of an iteration in which nothing fails."""
    p = make(tmp_path_factory.mktemp("expected") / "project")
    assert p.inversions.iterate(NAME)
    found = fingerprint(p, range(2), NAME)
    p.close()
    return found


@pytest.fixture
def for_bad_event(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Set what the environment says while the misfit of one of the two events is computed."""
    evaluate, modes = MisfitConfiguration.evaluate, [None]

    def evaluated(self: Any, synthetic: Any, observed: Any) -> Any:
        if synthetic.event_name == BAD and modes[-1] is not None:
            monkeypatch.setenv(MODE, modes[-1])
        try:
            return evaluate(self, synthetic, observed)
        finally:
            monkeypatch.delenv(MODE, raising=False)

    monkeypatch.setattr(MisfitConfiguration, "evaluate", evaluated)
    return modes.append


@pytest.mark.parametrize("kind", [ForwardTask, AdjointTask])
def test_a_failed_simulation(
    project: Project, expected: list[Any], monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    compute, runs, named = kind.run, [], "event_0001 of initial: no room"

    def unlucky(task: Any, *args: Any, **options: Any) -> None:
        runs.append(task.label)
        if BAD in task.label and "initial" in task.label:
            raise RuntimeError("no room")
        compute(task, *args, **options)

    monkeypatch.setattr(kind, "run", unlucky)
    with pytest.raises(SimulationFailed, match=named) as caught:
        project.inversions.iterate(NAME)
    assert "log.txt" in str(caught.value) and GOOD not in str(caught.value)
    assert "The results of the others are kept" in str(caught.value)
    assert sum(BAD in label and "initial" in label for label in runs) == 4, "tried again three times"
    assert project.inversions.get_iteration(NAME, 0).stage == "misfit_and_gradient"
    with pytest.raises(SimulationFailed, match=named):
        project.inversions.iterate(NAME)
    assert sum(GOOD in label and "initial" in label for label in runs) == 1, "done once, kept"
    monkeypatch.setattr(kind, "run", compute)
    assert project.inversions.iterate(NAME)
    assert fingerprint(project, range(2), NAME) == expected


@pytest.mark.parametrize(
    ("mode", "error", "text"),
    [
        (
            "raises",
            WavetreeError,
            "misfit_function 'fragile' at receiver 0 raised KeyError: 'no such station",
        ),
        (
            "nan",
            ValueError,
            "misfit_function 'fragile' at receiver 0 returned the misfit nan; expected a fin",
        ),
    ],
)
def test_a_failed_misfit(
    project: Project, expected: list[Any], for_bad_event: Any, caplog: pytest.LogCaptureFixture,
    mode: str, error: type[Exception], text: str,
) -> None:  # fmt: skip
    for_bad_event(mode)
    with pytest.raises(error, match=f"event 'event_0001': {text}") as caught:
        project.inversions.iterate(NAME)
    assert GOOD not in str(caught.value) and caught.value.__cause__ is not None
    assert f"The misfit of event 'event_0001' failed, the other events go on: {text}" in caplog.text
    problem = project.actions.inversion.problem("initial", NAME, EVENTS, gradients=True)
    pipeline = project.pipeline(problem)
    assert list(pipeline.misfits()) == [GOOD]
    assert project.runner.is_done(pipeline.adjoint_tasks[GOOD]), "its gradient is there"
    for_bad_event(None)
    assert project.inversions.iterate(NAME)
    assert fingerprint(project, range(2), NAME) == expected


def test_all_misfits_that_fail_are_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODE, "raises")
    with pytest.raises(WavetreeError, match=r"event 'event_0000': .*\n.*event 'event_0001': .*no such"):
        project.actions.inversion.compute_misfits("initial", NAME)


# Adjoint sources that are zero


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of events whose adjoint source is zero although their misfit is not."""
    evaluate, names = MisfitConfiguration.evaluate, []

    def evaluated(self: Any, synthetic: Any, observed: Any) -> Any:
        misfit, sources, identical = evaluate(self, synthetic, observed)
        if synthetic.event_name in names:
            sources = {name: 0.0 * values for name, values in sources.items()}
        return misfit, sources, identical

    monkeypatch.setattr(MisfitConfiguration, "evaluate", evaluated)
    return names


def test_a_silent_event_is_named_and_the_inversion_goes_on(
    project: Project, silent: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    silent.append(BAD)
    assert project.inversions.iterate(NAME)
    assert "The adjoint source is zero throughout, the gradient is zero: event_0001" in caplog.text
    assert GOOD not in caplog.text
    one = project.inversions.get_iteration(NAME, 0)
    assert one.accepted and set(one.misfits or {}) == set(EVENTS)


def test_silence_of_all_events_stops_the_inversion(
    project: Project, silent: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    silent += EVENTS
    assert project.inversions.run(NAME, 3) == 1
    assert "the gradient is zero: event_0000, event_0001" in caplog.text
    one = project.inversions.get_iteration(NAME, 0)
    assert one.accepted is False and one.trials == () and one.children == ()
    assert one.reason == (
        f"stopped: the misfit is {one.misfit:.6g}, but the adjoint sources of all 2 events are zero"
    )
