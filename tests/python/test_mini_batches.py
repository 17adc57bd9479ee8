"""Mini-batches with control groups: the method itself where the batch is all, and what they save."""

import itertools
import logging
import math
from pathlib import Path

import pytest

import inversions
import wavetree as wt
from many_events import N_EVENTS, NAME, configuration, make_project, n_simulations

SMALL = 8


def figures(p: wt.Project, name: str, count: int) -> list[object]:
    found: list[object] = []
    for number in range(count):
        one = p.inversions.get_iteration(name, number)
        found.append((one.misfit, one.gradient_norm, one.actual_reduction, one.ratio, one.radius))
        found += [(t.misfit, t.predicted_reduction, t.norm_update, t.reason) for t in one.trials]
        found.append(p.inversions.get_model(name, number).element_nodal_fields["VP"].tobytes())
    return found


@pytest.mark.parametrize(
    "batch",
    [
        wt.BatchSelection(SMALL, control_group_angle_in_degrees=0.0),
        wt.BatchSelection(SMALL, minimum_control_group_size=SMALL),
    ],
)
def test_a_batch_of_all_events_changes_no_bit(tmp_path: Path, batch: wt.BatchSelection) -> None:
    p = make_project(tmp_path / "p", SMALL)
    p += configuration("batches", batch=batch)
    assert p.inversions.run(NAME, 3) == p.inversions.run("batches", 3) == 3
    assert figures(p, NAME, 3) == figures(p, "batches", 3)
    p.close()


def test_batches_follow_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    batch = wt.BatchSelection(4, seed=3)
    p = make_project(tmp_path / "p", SMALL, batch=batch)
    assert p.inversions.run(NAME, 4) == 4
    tree = p.inversions.tree(NAME).iterations[:4]
    order = [f"event_{k:04d}" for k in range(SMALL)]
    for one, after in itertools.pairwise(tree):
        assert len(one.events) == 4 and set(one.control_group) <= set(after.events)
        assert list(one.events) == sorted(one.events, key=order.index) and set(one.misfits or {}) == set(
            one.events
        )
        (trial,) = one.trials
        assert set(trial.misfits or {}) == set(one.control_group)
        # The sums stand for those of all events.
        assert one.misfit == pytest.approx(SMALL / 4 * math.fsum((one.misfits or {}).values()), rel=1e-14)
        expected = SMALL / len(one.control_group) * math.fsum((trial.misfits or {}).values())
        assert trial.misfit == pytest.approx(expected, rel=1e-14)
        before = math.fsum((one.misfits or {})[event] for event in one.control_group)
        assert trial.actual_reduction == pytest.approx(
            expected - SMALL / len(one.control_group) * before, rel=1e-9
        )
    assert {event for one in tree for event in one.events} == set(order), "all have had their turn"
    assert "Control group of" in caplog.text and "Batch: first batch of 4 of 8" in caplog.text
    # Another process draws the same events, and a branch from the same iteration too.
    p.inversions.add_iteration(NAME, 1)
    p.inversions.iterate(NAME, iteration_id=5)
    assert p.inversions.get_iteration(NAME, 5).events == tree[2].events
    p.close()


def test_a_killed_or_reopened_inversion_draws_the_same_batches(tmp_path: Path) -> None:
    batch = wt.BatchSelection(3, seed=1)
    whole = make_project(tmp_path / "whole", SMALL, batch=batch)
    whole.inversions.run(NAME, 3)
    expected = figures(whole, NAME, 3)
    whole.close()
    make_project(tmp_path / "parts", SMALL, batch=batch).close()
    for _ in range(40):
        p = wt.Project(tmp_path / "parts")
        if not p.inversions.tree(NAME).iterations:
            p.inversions.add_iteration(NAME)
        p.inversions.iterate(NAME, timeout_in_seconds=0.3)
        done = len(p.inversions.tree(NAME))
        p.close()
        if done > 3:
            break
    p = wt.Project(tmp_path / "parts")
    assert figures(p, NAME, 3) == expected
    p.close()


def test_adam_takes_fresh_batches_and_tests_no_step(tmp_path: Path) -> None:
    p = make_project(
        tmp_path / "p", SMALL, batch=wt.BatchSelection(2, minimum_control_group_size=1), method=wt.Adam(6.0)
    )
    assert p.inversions.run(NAME, 6) == 6
    tree = p.inversions.tree(NAME).iterations[:6]
    for one, after in itertools.pairwise(tree[:4]):
        assert not set(one.events) & set(after.events) and one.trials[0].misfit is None and one.accepted
    full = p.actions.inversion.compute_misfits("initial", "L2")
    p.inversions.add_iteration(NAME, 5, batch=None)
    p.inversions.iterate(NAME, iteration_id=7)
    last = p.inversions.get_iteration(NAME, 7)
    assert len(last.events) == SMALL and last.misfit is not None
    assert last.misfit < 0.7 * sum(full.values())
    p.close()


def test_events_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="validation_events names 'event_0001', which is one of events too"):
        inversions.configuration(validation_events=["event_0001"])
    with pytest.raises(ValueError, match="validation_events is empty"):
        inversions.configuration(validation_events=[])


@pytest.mark.slow
def test_mini_batches_need_less_than_a_third(tmp_path: Path) -> None:
    """The misfit that ten iterations with a hundred events reach, for 30 % of their simulations."""
    smoothing = wt.ConstantSmoothing({"VP": 0.005})
    p = make_project(tmp_path / "p", preconditioner=smoothing)
    logging.getLogger("wavetree").setLevel(logging.WARNING)
    assert p.inversions.run(NAME, 10) == 10
    goal, cost = p.inversions.get_iteration(NAME, 10).misfit, n_simulations(p)
    # Forward and adjoint runs at the first iterate, a trial in each iteration, adjoint runs in all others.
    assert goal is not None and cost >= N_EVENTS * (2 + 2 * 10 - 1)
    batch = wt.BatchSelection(10)
    p += configuration("mini", preconditioner=smoothing, batch=batch)
    spent, number = 0, 0
    while spent <= 0.3 * cost:
        p.inversions.iterate("mini")
        before, spent, number = spent, n_simulations(p, "mini"), number + 1
    # The model of the last iterate within the budget, judged by all events.
    p.inversions.add_iteration("mini", number - 2, batch=None)
    branch = p.inversions.tree("mini").iterations[-1].id
    p.inversions.iterate("mini", iteration_id=branch)
    reached = p.inversions.get_iteration("mini", branch).misfit
    assert reached is not None and before <= 0.3 * cost
    first = p.inversions.get_iteration(NAME, 0).misfit
    print(f"\nall {N_EVENTS} events: misfit {goal / first:.4f} of the first after {cost} simulations")
    print(f"mini-batches: {reached / first:.4f} after {before}")
    sizes = [(len(i.events), len(i.control_group)) for i in p.inversions.tree("mini")]
    print("batch and control group:", sizes)
    assert reached <= goal
    p.close()
