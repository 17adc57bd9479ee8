"""The command that says how fast time steps are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wavetree.benchmark import CASES, Case, Figure, Report, Settings, TimedRun, find_cases
from wavetree.benchmark.meshes import absorbing, case_mesh
from wavetree.cli import app
from wavetree.simulation.machine import MachineRates
from wavetree.simulation.sponge import extend

ACOUSTIC, ELASTIC = find_cases(["acoustic2d", "elastic3d"])
MACHINE = MachineRates(flops=60e9, copy=34e9, triad=40e9)


def figure(case: Case = ACOUSTIC, updates: float = 1e9, **options: object) -> Figure:
    given = {"bytes_per_point": case.n_bytes, "machine": MACHINE, "threads": 1, "has_goal": True}
    return Figure(case, case.n, "box", updates, **{**given, **options})


@pytest.mark.parametrize("variant", ["box", "deformed", "unstructured"])
@pytest.mark.parametrize(("dim", "n"), [(2, 20), (2, 61), (3, 9), (3, 12)])
def test_the_box_is_as_large_as_asked_for_with_its_sponge(dim: int, n: int, variant: str) -> None:
    mesh = case_mesh(dim, n, variant, solid=False)
    extended = extend(mesh, [absorbing(dim)], 4).mesh
    assert extended.nelem == n**dim
    # The deformation moves the inside alone: the domain fills the box.
    inner = n - {2: 8, 3: 4}[dim]
    assert mesh.mass_weights(4).sum() == pytest.approx(inner**dim, rel=1e-12)
    assert len(mesh.side_sets) == 2 * dim


def test_variants_are_what_they_are_called() -> None:
    box, deformed, unstructured = (case_mesh(3, 10, v, True) for v in ("box", "deformed", "unstructured"))
    np.testing.assert_array_equal(box.connectivity, deformed.connectivity)
    assert np.ptp(box.mass_weights(1)) < 1e-12 < 0.01 < np.ptp(deformed.mass_weights(1))
    # The same elements in another order, nearly all of them turned.
    rows = [np.sort(mesh.connectivity, axis=1) for mesh in (deformed, unstructured)]
    order = [np.lexsort(r.T) for r in rows]
    np.testing.assert_array_equal(rows[0][order[0]], rows[1][order[1]])
    ours, theirs = deformed.connectivity[order[0]], unstructured.connectivity[order[1]]
    assert 0.0 < (ours == theirs).all(axis=1).mean() < 0.15  # 1 of 24 turns
    assert (np.diff(order[1]) == 1).mean() < 0.1
    assert set(deformed.element_nodal_fields) == {"VP", "VS", "RHO"}


def test_meshes_that_are_all_sponge_are_refused() -> None:
    with pytest.raises(ValueError, match=r"n is 5; expected at least 6 elements, with the sponge's\."):
        case_mesh(3, 5, "box", False)


def test_variants_have_the_same_waves() -> None:
    # The energy of a wave that starts from a source does not know how elements are ordered and shaped.
    energies = []
    for variant in ("box", "deformed", "unstructured"):
        run = TimedRun(ACOUSTIC, 20, variant, Settings(precision="float64"))
        energies.append(run.simulation.energy()[300])
    assert energies[1] == pytest.approx(energies[0], rel=0.03)
    assert energies[2] == pytest.approx(energies[1], rel=1e-12)


def test_steps_go_on_and_start_anew() -> None:
    run = TimedRun(ELASTIC, 6, "deformed", Settings(), 2000)
    assert run.n_points == 30**3
    assert run.advance(3) > 0.0
    assert run.state.step == 3
    for _ in range(3):
        run.advance(900)
    assert run.state.step == 900
    values = np.zeros((2, run.core.compiled.n_values), dtype=np.float32)
    run.core.compiled.save(run.state, values)
    # Edges absorb the noise, but nowhere does it fall to numbers that are too small for normal ones.
    assert 1e-30 < np.abs(values[0]).max() < 1e-2


def test_shares_of_bound_and_goal() -> None:
    # 60 GFLOP/s for 30 flops and 34 GB/s for 17 B: both allow 2000 million updates.
    found = figure()
    assert (found.flops, found.bandwidth, found.bound) == pytest.approx((30e9, 17e9, 2e9))
    assert found.share_of_bound == pytest.approx(0.5)
    assert found.share_of_goal == pytest.approx(1000 / 1500)
    # The goal stands for a machine with 28 GB/s, that is 28 / 34 of this one's bound.
    assert found.share_of_scaled_goal == pytest.approx(1000 / 1500 * 28 / 34)
    assert figure(threads=2).bound == pytest.approx(1e9)
    assert figure(ELASTIC).bound == pytest.approx(60e9 / 147)
    assert figure(has_goal=False).share_of_goal is None


def test_the_table_says_what_ran() -> None:
    report = Report([figure(), figure(ELASTIC, has_goal=False)], "float32", 1, "v3")
    text = str(report)
    assert "1 thread, v3, float32" in text
    assert "acoustic2d: 60.0 GFLOP/s, copy 34.0 GB/s, triad 40.0 GB/s over 36.5 MiB" in text
    first, second = text.splitlines()[-2:]
    assert first.split()[-6:] == ["1000", "30.0", "17.0", "50%", "67%", "55%"]
    assert second.split()[-2:] == ["–", "–"]
    assert "| 2-D acoustic | 300² | structured box | 1000 | 30.0 |" in report.to_markdown()


def test_goals_are_those_of_the_design() -> None:
    goals = {case.name: case.goals for case in CASES}
    assert goals["elastic3d"]["box"] == 260
    assert goals["elastic3d"]["deformed"] == pytest.approx(0.7 * 260)
    assert goals["acoustic2d"]["deformed"] == pytest.approx(0.55 * 1500)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wavetree.benchmark.find_cases", lambda names: (small,))
    small = Case("tiny", 2, False, 24, 12, 30, 17, ACOUSTIC.goals, (212.0, 28.0))
    file = tmp_path / "figures.json"
    done = CliRunner().invoke(app, ["benchmark", "--quick", "--json", str(file)])
    assert done.exit_code == 0, done.output
    content = json.loads(file.read_text())
    assert [f["variant"] for f in content["figures"]] == list(Settings().chosen_variants())
    for row in content["figures"]:
        assert 1e6 < row["updates_per_second_and_core"] < 1e11
        assert row["flops"] == pytest.approx(30 * row["updates_per_second_and_core"])
    assert "2-D acoustic" in done.output and "12²" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--case", "elastic4d"], "unknown case 'elastic4d'; did you mean"),
        (["--precision", "float16"], "unknown precision 'float16'"),
        (["--instruction-set", "bass"], "unknown instruction set 'bass'; did you mean 'base'?"),
        (["--threads", "0"], "threads=0 is not valid"),
    ],
)
def test_the_command_refuses(options: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["benchmark", *options])
    assert done.exit_code == 1
    assert message in done.output


def test_large_cases_have_to_be_asked_for() -> None:
    assert len(find_cases(["all"])) == len(find_cases()) + 2
    assert find_cases(["acoustic3d-large"])[0].n == 48
