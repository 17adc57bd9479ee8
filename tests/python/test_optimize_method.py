"""What every method owes its driver."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest

from minimisation import Problem, drive, plain, rosenbrock, smoothed, store
from wavetree.config import load
from wavetree.optimize import (
    LBFGS,
    Adam,
    Control,
    Method,
    Space,
    SteepestDescent,
    TrustRegion,
    Verdict,
)

METHODS = [TrustRegion(), SteepestDescent(), LBFGS(), Adam()]
TESTING = [method for method in METHODS if method.tests_steps]
SIZE_NAMES = {TrustRegion: "initial_trust_region_linf", Adam: "learning_rate_linf"}


def kind(method: Method) -> str:
    return type(method).__name__


def size_name(method: Method) -> str:
    return SIZE_NAMES.get(type(method), "initial_step_linf")


every_method = pytest.mark.parametrize("method", METHODS, ids=kind)
every_testing_method = pytest.mark.parametrize("method", TESTING, ids=kind)


@every_method
def test_first_step_has_the_size_asked_for(method: Method) -> None:
    problem, x, _ = smoothed()
    for changes in ({"VP": 1e-3, "RHO": 1e9}, {"VP": 1e9, "RHO": 1e-3}, {"VP": 0.02, "RHO": 0.03}):
        space = dataclasses.replace(problem.space, initial_change=changes)
        step = method.propose(method.begin(problem.point(x), space), space)
        shares = [abs(step.update[block]).max() / changes[k] for k, block in space.blocks.items()]
        if method.tests_steps:
            assert max(shares) == pytest.approx(1.0, rel=1e-12)
        else:  # every parameter has its own size; what the preconditioner of this problem mixes is small
            assert shares[0 if changes["VP"] < changes["RHO"] else 1] > 0.9
        assert step.slope < 0.0 and step.predicted_reduction < 0.0


@every_method
@pytest.mark.parametrize("unit", [1e17, 1e-40])
def test_iterates_do_not_depend_on_the_unit_of_the_misfit(method: Method, unit: float) -> None:
    reference = drive(*smoothed()[:2], 15, method)
    scaled = drive(*smoothed(scale=unit)[:2], 15, method)
    assert [v.accepted for v in reference.verdicts] == [v.accepted for v in scaled.verdicts]
    np.testing.assert_allclose(scaled.x, reference.x, rtol=0, atol=1e-8 * abs(reference.x).max())


@every_method
def test_iterates_do_not_depend_on_the_unit_of_a_parameter(method: Method) -> None:
    reference = drive(*smoothed()[:2], 15, method)
    problem, start, _ = smoothed()
    unit = np.ones(start.size)
    unit[problem.space.blocks["RHO"]] = 1e3
    function, weights, S = problem.function, problem.weights / unit**2, problem.space.precondition

    def in_units(x: np.ndarray) -> tuple[float, np.ndarray]:
        misfit, derivative = function(x / unit)
        return misfit, derivative / unit

    def inner(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sum(a * weights * b))

    changes = {"VP": 0.05, "RHO": 0.1e3}
    space = Space(inner, lambda g: unit * S(g / unit), problem.space.blocks, changes)
    scaled = drive(Problem(in_units, space, weights), start, 15, method)
    np.testing.assert_allclose(scaled.x / unit, reference.x, rtol=0, atol=1e-8 * abs(reference.x).max())


@every_method
def test_stored_and_reloaded_at_every_stage_gives_the_same_bits(method: Method) -> None:
    for make in (smoothed, lambda: (plain(rosenbrock, 8, 0.3), np.full(8, -0.7))):
        kept, stored = (drive(*make()[:2], 30, method, keep) for keep in (lambda value: value, store))
        assert kept.x.tobytes() == stored.x.tobytes() and kept.verdicts == stored.verdicts
        pairs: list[tuple[Any, Any]] = list(
            zip([kept.state, *kept.steps], [stored.state, *stored.steps], strict=True)
        )
        for a, b in pairs:
            (arrays, attributes), (arrays2, attributes2) = a.to_arrays(), b.to_arrays()
            assert attributes == attributes2 and arrays.keys() == arrays2.keys()
            assert all(arrays[name].tobytes() == arrays2[name].tobytes() for name in arrays)


@every_method
def test_step_carries_its_dual_and_its_norm(method: Method) -> None:
    problem, x, S = smoothed()
    run = drive(problem, x, 8, method)
    for step in run.steps:
        np.testing.assert_allclose(S @ step.dual_update, step.update, atol=1e-12 * abs(step.update).max())
        norm = math.sqrt(float(np.sum(step.update * problem.weights * step.dual_update)))
        assert step.norm == pytest.approx(norm, rel=1e-9)


@every_method
def test_misfit_falls(method: Method) -> None:
    problem, x, _ = smoothed()
    run = drive(problem, x, 25, method)
    assert run.state.point.misfit < 0.75 * problem.misfit(x)
    if method.tests_steps:
        accepted = [v for v in run.verdicts if v.accepted]
        assert all(v.actual_reduction is not None and v.actual_reduction < 0.0 for v in accepted)


@every_method
def test_zero_gradient_is_the_end(method: Method) -> None:
    problem, x, _ = smoothed()
    state = store(method.begin(problem.space.point(0.0, np.zeros(x.size)), problem.space))
    assert method.converged(state, None, "float32") == "converged: the gradient is zero"
    with pytest.raises(ValueError, match=r"the gradient is zero.*ask converged\(\) first"):
        method.propose(state, problem.space)
    with pytest.raises(ValueError, match="unknown precision 'float23'"):
        method.converged(state, None, "float23")


@every_method
def test_restart_begins_anew_and_says_why(method: Method) -> None:
    problem, x, _ = smoothed()
    run = drive(problem, x, 5, method)
    fresh = method.begin(problem.point(run.x), problem.space)
    again = method.restart(run.state, problem.point(run.x), problem.space, ["misfit", "events"])
    assert dataclasses.replace(again, reason=fresh.reason).to_arrays()[1] == fresh.to_arrays()[1]
    assert again.reason.startswith("misfit, events changed: history of")
    with pytest.raises(ValueError, match="changed is empty"):
        method.restart(run.state, run.state.point, problem.space, [])


@every_method
def test_model_that_cannot_be_simulated_shortens_the_step_until_it_stops(method: Method) -> None:
    problem, x, _ = smoothed()
    state = drive(problem, x, 4, method).state
    norms = []
    while state.stopped is None:
        step = method.propose(state, problem.space)
        norms.append(step.norm)
        verdict = method.judge(state, step, math.nan)
        assert not verdict.accepted and "the trial's misfit is nan" in verdict.reason
        assert verdict.trial_misfit is None and verdict.ratio is None
        with pytest.raises(ValueError, match=r"verdict rejected the step .*reject\(\)"):
            method.accept(state, step, verdict, state.point, problem.space)
        state = store(method.reject(state, step, verdict))
    assert all(b <= 0.5 * a * (1.0 + 1e-12) for a, b in itertools.pairwise(norms))
    assert state.stopped.startswith(f"stopped after {len(norms)} rejected steps")
    with pytest.raises(ValueError, match="branch from an earlier"):
        method.propose(state, problem.space)
    with pytest.raises(ValueError, match=r"verdict accepted the step .*accept\(\)"):
        method.reject(state, step, Verdict(True, 1.0, -1.0, 1.0, True, 1.0, "accepted"))


@every_testing_method
def test_control_group_of_all_events_changes_no_bit(method: Method) -> None:
    problem, x, _ = smoothed()
    state = method.begin(problem.point(x), problem.space)
    for _ in range(15):
        step = method.propose(state, problem.space)
        gradient = state.point.gradient.copy()
        control = Control.of(state.point.misfit, gradient, state, step, problem.space)
        assert control.slope_difference == 0.0
        trial = problem.misfit(x + step.update)
        verdict = method.judge(state, step, trial, control)
        assert verdict == method.judge(state, step, trial)
        if not verdict.accepted:
            state = method.reject(state, step, verdict)
            continue
        x = x + step.update
        old, new = state.point, problem.point(x)
        plainly = method.accept(state, step, verdict, new, problem.space)
        state = method.accept(state, step, verdict, new, problem.space, (old, new))
        (arrays, attributes), (arrays2, attributes2) = plainly.to_arrays(), state.to_arrays()
        assert attributes == attributes2
        assert all(arrays[name].tobytes() == arrays2[name].tobytes() for name in arrays)


@every_testing_method
def test_control_group_is_what_a_trial_is_compared_with(method: Method) -> None:
    problem, x, _ = smoothed()
    state = drive(problem, x, 4, method).state
    step = method.propose(state, problem.space)
    gradient = 0.7 * state.point.gradient
    control = Control.of(3.0, gradient, state, step, problem.space)
    slope = problem.space.inner(gradient, step.update)
    verdict = method.judge(state, step, 3.0 + 0.4 * slope, control)
    assert verdict.accepted and verdict.actual_reduction == pytest.approx(0.4 * slope, rel=1e-12)
    curvature = step.predicted_reduction - step.slope
    predicted = slope + curvature if isinstance(method, TrustRegion) else 0.5 * slope
    assert verdict.ratio == pytest.approx(0.4 * slope / predicted, rel=1e-9)
    assert method.judge(state, step, 3.0 - 0.01 * slope, control).accepted is False


@every_testing_method
def test_step_that_leads_the_control_group_up_is_rejected(method: Method) -> None:
    problem, x, _ = smoothed()
    state = method.begin(problem.point(x), problem.space)
    step = method.propose(state, problem.space)
    control = Control.of(3.0, -state.point.gradient, state, step, problem.space)
    verdict = method.judge(state, step, 1.0, control)
    assert not verdict.accepted and verdict.ratio is None and verdict.actual_reduction == -2.0
    assert "predicted reduction" in verdict.reason and "control group is not negative" in verdict.reason
    assert verdict.radius == pytest.approx(0.5 * step.norm)


@every_testing_method
def test_curvature_is_that_of_the_common_events(method: Method) -> None:
    """y comes from the ends, however far apart the gradients of the two batches are."""
    problem, x, S = smoothed()
    space = problem.space
    state = method.begin(problem.point(x), space)
    step = method.propose(state, space)
    verdict = method.judge(state, step, state.point.misfit + step.predicted_reduction)
    y = 3.0 * step.dual_update
    old = space.point(1.0, np.ones(x.size))
    new = space.point(1.0, old.gradient + y)
    other = space.point(5.0, -7.0 * state.point.gradient)
    after = method.accept(state, step, verdict, other, space, (old, new))
    assert after.point is other and after.gamma == pytest.approx(1.0 / 3.0, rel=1e-9)
    for pair in after.history:
        np.testing.assert_allclose(pair.y.Pv, y, atol=1e-12)
        np.testing.assert_allclose(pair.y.v, S @ y, atol=1e-12)


@every_method
def test_configuration(method: Method) -> None:
    make, defaults = type(method), {"VP": 15.0, "RHO": 9.8}
    assert method.initial_change(defaults) == defaults == method.parameter_scales(defaults)
    assert make(10).initial_change(defaults) == {"VP": 10.0, "RHO": 10.0}  # type: ignore[call-arg]
    assert make(10).parameter_scales(defaults) == {"VP": 1.0, "RHO": 1.0}  # type: ignore[call-arg]
    some: Any = make({"VP": 3.0})  # type: ignore[call-arg]
    assert some.initial_change(defaults) == {"VP": 3.0, "RHO": 9.8}
    assert load(some.to_dict()) == some != method
    name = size_name(method)
    with pytest.raises(ValueError, match=f"inversion parameter in {name} 'VPP'; did you mean 'VP'"):
        make({"VPP": 3.0}).initial_change(defaults)  # type: ignore[call-arg]
    for value in (-1.0, {"VP": 0.0}):
        with pytest.raises(ValueError, match=f"{name}.*expected a positive number"):
            make(value)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=f"{name} is {{}}, expected one number"):
        make({})  # type: ignore[call-arg]
