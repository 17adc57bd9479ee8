"""Projects whose events run in lanes: what is chosen, that it stays, and results as of single events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inversions import NAME
from inversions import make_project as make_inversion
from projects import EVENT_CONFIGURATION, WAVEFORMS, event, misfit, run, simulation, small_project
from simulations import relative
from wavetree.project.project import Project
from wavetree.simulation.core import default_instruction_set
from wavetree.simulation.speeds import DEFAULT_SPEEDS, Speed, SpeedTable
from wavetree.simulation.task import ForwardTask
from wavetree.sites.settings import LocalSettings
from wavetree.survey.event import Event
from wavetree.survey.source.cartesian.collections import ScalarPoint2DRing

LANES = SpeedTable(
    "in which lanes cost nothing",
    alone=(Speed(steps=1e6, sums=1e6),) * 4,
    lanes=(Speed(steps=1e12, sums=1e12),) * 4,
)
lanes_only = pytest.mark.skipif(default_instruction_set() == "base", reason="lanes are for wide registers")


def project(path: Path, n_events: int = 3) -> Project:
    p = small_project(path)
    for k in range(2, n_events):
        p += event(k)
    p += misfit()
    p.set_speeds(LANES)
    return p


def in_lanes(p: Project, name: str = "initial") -> bool:
    (chosen,) = {task.events_in_lanes for task in p.simulations.tasks(name).values()}
    return chosen


def test_a_project_keeps_the_table_that_it_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = small_project(tmp_path / "p")
    p.close()
    monkeypatch.setenv("WAVETREE_SPEEDS", str(tmp_path / "none"))
    (tmp_path / "none").write_text("not read any more")
    p = Project(tmp_path / "p")
    assert not in_lanes(p) and p.store.get_note("speeds") == DEFAULT_SPEEDS.to_dict()
    p.close()


@lanes_only
def test_the_choice_is_made_once(tmp_path: Path) -> None:
    p = project(tmp_path / "p")
    assert in_lanes(p)
    p.set_speeds(DEFAULT_SPEEDS)
    p += event(5)
    p.close()
    p = Project(tmp_path / "p")
    assert in_lanes(p) and len(p.simulations.tasks("initial")) == 4
    assert not in_lanes(p, "true"), "which was not chosen before"
    p.close()


@lanes_only
@pytest.mark.parametrize("change", ["precision", "order"])
def test_what_has_no_kernels_runs_one_by_one(tmp_path: Path, change: str) -> None:
    p = project(tmp_path / "p")
    double = replace(WAVEFORMS, precision="float64")
    exact = replace(EVENT_CONFIGURATION, waveform_simulation_configuration=double)
    p += simulation(
        "other", **({"event_configuration": exact} if change == "precision" else {"tensor_order": 2})
    )
    assert not in_lanes(p, "other")
    p.close()


@lanes_only
def test_records_and_gradients_are_those_of_single_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    run_group = ForwardTask.run_group

    def counted(self, tasks, *rest, **options):
        sizes.append(len(tasks))
        return run_group(self, tasks, *rest, **options)

    monkeypatch.setattr(ForwardTask, "run_group", counted)
    found = []
    for lanes in (True, False):
        p = project(tmp_path / f"{lanes}")
        if not lanes:
            p.set_speeds(DEFAULT_SPEEDS)
        run(p, "true", "initial")
        gradients = p.actions.inversion.compute_gradients("initial", "L2")
        data = [p.waveforms.get("initial", f"event_{k:04d}")[0].data["phi"] for k in range(3)]
        found.append((data, gradients))
        p.close()
    assert sizes == [3, 3, 3], "true, initial, and initial with its wavefields; none of the second project"
    for one, other in zip(found[0][0], found[1][0], strict=True):
        assert 0.0 < relative(one, other) < 2e-5
    for name, one in found[0][1].items():
        for parameter in ("VP", "RHO"):
            fields = (g.element_nodal_fields[parameter] for g in (one, found[1][1][name]))
            assert relative(*fields) < 1e-4


@lanes_only
def test_an_inversion_of_five_events_comes_to_the_same(tmp_path: Path) -> None:
    misfits = []
    for lanes in (True, False):
        p = make_inversion(tmp_path / f"{lanes}", events=None)
        receivers = p.events.get_all()[0].receivers
        for k, source in enumerate(ScalarPoint2DRing(x=0.0, y=0.0, radius=0.03, count=3, f=1.0)):
            p += Event(sources=[source], receivers=receivers, event_name=f"further_{k}")
        if lanes:
            p.set_speeds(LANES)
        for _ in range(2):
            assert p.inversions.iterate(NAME)
        tree = p.inversions.tree(NAME)
        misfits.append([iteration.misfit for iteration in tree.iterations if iteration.misfit])
        p.close()
    assert len(misfits[0]) >= 2 and misfits[0] != misfits[1]
    np.testing.assert_allclose(misfits[0], misfits[1], rtol=1e-4)


@lanes_only
def test_a_group_at_a_site_goes_on_without_the_program(tmp_path: Path) -> None:
    expected = []
    for processes in ("never", "always"):
        p = project(tmp_path / processes)
        p += LocalSettings(processes=processes)
        p.simulations.launch("initial")
        if processes == "always":
            folders = [
                p.simulations.get_simulation_output_directory("initial", f"event_{k:04d}") for k in range(3)
            ]
            p.close()
            p = Project(tmp_path / processes)
            assert p.simulations.query(block=True)
            logs = [(folder / "log.txt").read_text() for folder in folders]
            assert sum("in the job of" in log for log in logs) == 2, "one job for three"
        else:
            assert p.simulations.query(block=True)
        expected.append([p.waveforms.get("initial", f"event_{k:04d}")[0].data["phi"] for k in range(3)])
        p.close()
    for one, other in zip(*expected, strict=True):
        np.testing.assert_array_equal(one, other)
