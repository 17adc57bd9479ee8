"""The trust region as a driver uses it: convergence, invariances, radius rules, storage and bad input."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from minimisation import Problem, drive, plain, rosenbrock, smoothed, store
from wavetree.config import load
from wavetree.optimize import Point, Space, State, Step, TrustRegion, Verdict, weighted_inner


def step_of(**changes: Any) -> Step:
    arrays = {"update": np.array([-1.0]), "dual_update": np.array([-1.0])}
    values = {"predicted_reduction": -1.0, "slope": -2.0, "norm": 1.0, "radius": 1.0, "on_boundary": True}
    return Step(**{**arrays, **values, "multiplier": 0.0, "kkt_residual": 0.0, **changes})


def state_of(**changes: Any) -> State:
    point = Point(10.0, np.array([1.0]), np.array([1.0]))
    values = {"radius": 1.0, "gamma": 1.0, "gradient_norm": 1.0, "first_gradient_norm": 1.0}
    return State(**{"point": point, **values, **changes})


def test_first_step_is_steepest_descent_to_the_boundary() -> None:
    problem, x, S = smoothed()
    point = problem.point(x)
    state = TrustRegion().begin(point, problem.space)
    step = TrustRegion().propose(state, problem.space)
    assert step.on_boundary and step.norm == pytest.approx(state.radius, rel=1e-13)
    assert step.predicted_reduction == pytest.approx(-0.5 * state.gradient_norm * state.radius, rel=1e-13)
    expected = math.sqrt(point.gradient @ (problem.weights * (S @ point.gradient)))
    assert state.gradient_norm == pytest.approx(expected, rel=1e-13)
    direction = step.update / point.preconditioned
    np.testing.assert_allclose(direction, direction[0], rtol=1e-12)
    assert direction[0] < 0.0
    shares = [
        np.abs(step.update[block]).max() / problem.space.initial_change[name]
        for name, block in problem.space.blocks.items()
    ]
    assert max(shares) == pytest.approx(1.0, rel=1e-13) and min(shares) < 0.999


def test_block_that_reaches_its_value_first_decides() -> None:
    problem, x, _ = smoothed()
    for changes, decides in (({"VP": 1e-3, "RHO": 1e9}, "VP"), ({"VP": 1e9, "RHO": 1e-3}, "RHO")):
        space = dataclasses.replace(problem.space, initial_change=changes)
        state = TrustRegion().begin(problem.point(x), space)
        update = TrustRegion().propose(state, space).update
        assert np.abs(update[space.blocks[decides]]).max() == pytest.approx(1e-3, rel=1e-13)
        assert f"changes {decides} by at most 0.001" in state.reason


def test_quadratic_with_metric_is_minimised() -> None:
    rng = np.random.default_rng(4)
    n = 30
    weights = rng.uniform(0.5, 2.0, n)
    R = rng.standard_normal((n, n))
    S = (R @ R.T / n + 0.1 * np.eye(n)) * weights[None, :]
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (Q * np.geomspace(1.0, 30.0, n)) @ Q.T
    minimum = rng.standard_normal(n)

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        return 0.5 * float((x - minimum) @ A @ (x - minimum)) + 1.0, A @ (x - minimum)

    space = Space(weighted_inner(weights), lambda g: S @ g, {"m": slice(0, n)}, {"m": 0.1})
    problem = Problem(function, space, weights)
    x, _, steps, verdicts, done = drive(problem, np.zeros(n), 150)
    assert done is not None and done.startswith("converged")
    np.testing.assert_allclose(x, minimum, atol=1e-4)
    assert max(step.kkt_residual for step in steps) <= 1e-10
    assert sum(v.accepted for v in verdicts) > 0.9 * len(verdicts)


@pytest.mark.parametrize(("n", "limit"), [(2, 80), (50, 400)])
def test_rosenbrock_converges(n: int, limit: int) -> None:
    problem = plain(rosenbrock, n, 0.1)
    start = np.where(np.arange(n) % 2, 1.0, -1.2)
    x, state, steps, _, done = drive(problem, start, limit)
    assert done is not None and done.startswith("converged")
    assert state.point.misfit < 1e-7
    np.testing.assert_allclose(x, 1.0, atol=1e-3)
    assert max(step.kkt_residual for step in steps) <= 1e-10


def test_longer_history_takes_fewer_iterations() -> None:
    trials = []
    for size in (1, 10):
        problem = plain(rosenbrock, 12, 0.1)
        method = TrustRegion(history_size=size)
        _, state, _, verdicts, done = drive(problem, np.full(12, -0.5), 2000, method)
        assert done is not None and len(state.history) <= size
        trials.append(len(verdicts))
    assert trials[1] < trials[0]


@pytest.mark.parametrize("unit", [1e17, 1e-40])
def test_iterates_do_not_depend_on_the_unit_of_the_misfit(unit: float) -> None:
    reference = drive(*smoothed()[:2], trials=15)
    scaled = drive(*smoothed(scale=unit)[:2], trials=15)
    assert [v.accepted for v in reference[3]] == [v.accepted for v in scaled[3]]
    np.testing.assert_allclose(scaled[0], reference[0], rtol=0, atol=1e-8 * abs(reference[0]).max())
    assert scaled[1].point.misfit == pytest.approx(unit * reference[1].point.misfit, rel=1e-8)


def test_iterates_do_not_depend_on_the_unit_of_a_parameter() -> None:
    reference = drive(*smoothed()[:2], trials=15)
    problem, start, _ = smoothed()
    block, unit = problem.space.blocks["RHO"], np.ones(start.size)
    unit[block] = 1e3
    function, weights = problem.function, problem.weights / unit**2
    S = problem.space.precondition

    def in_units(x: np.ndarray) -> tuple[float, np.ndarray]:
        misfit, derivative = function(x / unit)
        return misfit, derivative / unit

    changes = {"VP": 0.05, "RHO": 0.1e3}
    space = Space(weighted_inner(weights), lambda g: unit * S(g / unit), problem.space.blocks, changes)
    scaled = drive(Problem(in_units, space, weights), start, 15)
    np.testing.assert_allclose(scaled[0] / unit, reference[0], rtol=0, atol=1e-8 * abs(reference[0]).max())


def test_semidefinite_preconditioner_leaves_what_it_mutes() -> None:
    problem, x, S = smoothed()
    mute = np.where(np.arange(x.size) % 4 == 0, 0.0, 1.0)
    space = dataclasses.replace(problem.space, precondition=lambda g: mute * (S @ (mute * g)))
    x, state, _, verdicts, _ = drive(Problem(problem.function, space, problem.weights), x, 15)
    assert np.all(x[::4] == 0.0) and np.all(x[1::4] != 0.0)
    assert sum(v.accepted for v in verdicts) >= 12 and state.point.misfit < problem.misfit(np.zeros(x.size))


def test_stored_and_reloaded_at_every_stage_gives_the_same_bits() -> None:
    for make in (smoothed, lambda: (plain(rosenbrock, 8, 0.3), np.full(8, -0.7))):
        runs = [drive(*make()[:2], trials=40, keep=keep) for keep in (lambda value: value, store)]
        (x, state, steps, verdicts, _), (x2, state2, steps2, verdicts2, _) = runs
        assert x.tobytes() == x2.tobytes() and verdicts == verdicts2 and len(state.history) > 2
        pairs: list[tuple[Any, Any]] = list(zip([state, *steps], [state2, *steps2], strict=True))
        for a, b in pairs:
            arrays, attributes = a.to_arrays()
            arrays2, attributes2 = b.to_arrays()
            assert attributes == attributes2 and arrays.keys() == arrays2.keys()
            assert all(arrays[name].tobytes() == arrays2[name].tobytes() for name in arrays)


def test_concave_misfit_is_damped_and_descends() -> None:
    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(np.sum(np.cos(x))), -np.sin(x)

    problem = plain(function, 3, 0.1)
    x, state, _, _, done = drive(problem, np.array([0.2, 0.3, 0.5]), 1)
    assert "damped" in state.reason and len(state.history) == 1
    pair = state.history[0]
    assert float(pair.s.v @ pair.y.Pv) > 0.0 and state.gamma > 0.0
    x, state, _, _, done = drive(problem, np.array([0.2, 0.3, 0.5]), 60)
    assert done is not None
    np.testing.assert_allclose(np.cos(x), -1.0, atol=1e-6)


def test_rejections_shrink_then_drop_the_history_then_stop() -> None:
    problem, x, _ = smoothed()
    method = TrustRegion()
    x, state, *_ = drive(problem, x, 6)
    assert len(state.history) >= 3
    radii, misfit = [state.radius], state.point.misfit
    for rejection in range(1, 7):
        assert state.stopped is None
        step = method.propose(state, problem.space)
        if rejection == 6:  # steepest descent, to the boundary
            cosine = -step.slope / (step.norm * state.gradient_norm)
            assert cosine == pytest.approx(1.0, rel=1e-12) and step.on_boundary
            assert step.predicted_reduction == pytest.approx(-0.5 * state.gradient_norm * state.radius)
        verdict = method.judge(state, step, misfit + 1.0)
        state = method.reject(state, step, verdict)
        radii.append(state.radius)
        assert 0.1 * step.norm * (1 - 1e-12) <= state.radius <= 0.5 * step.norm
        assert state.rejections == rejection and state.point.misfit == misfit
        assert (len(state.history) == 0) == (rejection >= 5)
        if rejection == 5:
            assert "history of" in state.reason and "steepest descent is tried" in state.reason
    assert radii == sorted(radii, reverse=True)
    assert state.stopped is not None and "stopped after 6 rejected steps" in state.stopped
    with pytest.raises(ValueError, match="the state has stopped after 6.*branch from an earlier"):
        method.propose(state, problem.space)
    again = method.restart(state, state.point, problem.space, ["events"])
    assert again.stopped is None and method.propose(again, problem.space).on_boundary


def test_acceptance_after_rejections_starts_counting_again() -> None:
    problem, x, _ = smoothed()
    method = TrustRegion()
    state = method.begin(problem.point(x), problem.space)
    for _ in range(5):
        step = method.propose(state, problem.space)
        state = method.reject(state, step, method.judge(state, step, math.nan))
    assert state.steepest_descent
    step = method.propose(state, problem.space)
    verdict = method.judge(state, step, problem.misfit(x + step.update))
    state = method.accept(state, step, verdict, problem.point(x + step.update), problem.space)
    assert state.rejections == 0 and not state.steepest_descent and len(state.history) == 1


@pytest.mark.parametrize(
    ("trial", "step", "accepted", "radius", "words"),
    [
        (9.0, {}, True, 2.0, "boundary with ratio above 0.75, radius 1 -> 2"),
        (9.5, {}, True, 1.0, "between 0.25 and 0.75, radius kept at 1"),
        (9.9, {}, True, 0.5, "ratio below 0.25, radius 1 -> 0.5"),
        (9.9, {"norm": 0.1, "on_boundary": False}, True, 0.25, "ratio below 0.25, radius 1 -> 0.25"),
        (9.0, {"norm": 0.7, "on_boundary": False}, True, 1.0, "interior, radius kept at 1"),
        (9.0, {"norm": 0.3, "on_boundary": False}, True, 0.6, "interior, radius 1 -> 0.6"),
        (9.0, {"norm": 0.1, "on_boundary": False}, True, 0.5, "interior, radius 1 -> 0.5"),
        (10.0 - 0.9e-4, {}, False, 0.5, "ratio 9e-05 not above 0.0001; radius 1 -> 0.5"),
        (11.0, {}, False, 1.0 / 3.0, "0.333 of the step's norm"),
        (1000.0, {}, False, 0.1, "ratio -990"),
        (11.0, {"norm": 0.6}, False, 0.2, "radius 1 -> 0.2"),
        (math.nan, {}, False, 0.1, "the trial's misfit is nan"),
        (math.inf, {}, False, 0.1, "the trial's misfit is inf"),
    ],
)
def test_acceptance_and_radius(
    trial: float, step: dict[str, Any], accepted: bool, radius: float, words: str
) -> None:
    verdict = TrustRegion().judge(state_of(), step_of(**step), trial)
    assert verdict.accepted == accepted and verdict.radius == pytest.approx(radius, rel=1e-12)
    assert verdict.reason.startswith("accepted" if accepted else "rejected") and words in verdict.reason
    if math.isfinite(trial):
        assert verdict.actual_reduction == trial - 10.0 and verdict.ratio == pytest.approx(10.0 - trial)
    else:
        assert verdict.actual_reduction is None and verdict.ratio is None and verdict.trial_misfit is None


def test_boundary_is_reached_within_a_millionth() -> None:
    problem = plain(lambda x: (float(x @ x), 2.0 * x), 1, 0.5)
    state = TrustRegion().begin(problem.point(np.array([1.0])), problem.space)
    length = state.gamma * state.gradient_norm
    for slack, on_boundary in ((0.5e-6, True), (2e-6, False)):
        wider = dataclasses.replace(state, radius=length / (1.0 - slack))
        assert TrustRegion().propose(wider, problem.space).on_boundary == on_boundary


def test_convergence_by_gradient_prediction_and_precision() -> None:
    method = TrustRegion()
    assert method.converged(state_of(), step_of(), "float32") is None
    assert method.converged(state_of(gradient_norm=1.1e-6), None, "float64") is None
    words = method.converged(state_of(gradient_norm=0.9e-6), None, "float64")
    assert words is not None and "gradient norm 9e-07 is at most 1e-06 of the first" in words
    for precision, limit in (("float32", 1e-6), ("float64", 1e-12)):
        words = method.converged(state_of(), step_of(predicted_reduction=-0.9 * limit), precision)
        assert words is not None and "predicted reduction" in words and precision in words
        assert method.converged(state_of(), step_of(predicted_reduction=-1.1 * limit), precision) is None
    with pytest.raises(ValueError, match="unknown precision 'float23'; did you mean 'float"):
        method.converged(state_of(), None, "float23")


def test_step_at_the_rounding_of_the_model_stops() -> None:
    method, plain_space = TrustRegion(), plain(rosenbrock, 4, 0.1).space
    space = dataclasses.replace(
        plain_space,
        blocks={"VP": slice(0, 2), "RHO": slice(2, 4)},
        initial_change={"VP": 1.0, "RHO": 1.0},
        sizes={"VP": 1500.0, "RHO": 1e3},
    )
    for precision, rounding in (("float32", 1e-7), ("float64", 1e-15)):
        for factor, stops in ((0.9, True), (1.1, False)):
            update = np.array([0.0, -1500.0, 0.5e3, 0.0]) * (factor * rounding)
            words = method.converged(state_of(rejections=3), step_of(update=update), precision, space)
            assert (words is not None) == stops
            if words is not None:
                assert words.startswith("stopped: radius 1 is at the rounding of the model in " + precision)
                assert "after 3 rejected steps" in words and "changes VP by at most" in words
            # the other parameter still changes
            update[2] = 2e3 * rounding
            assert method.converged(state_of(), step_of(update=update), precision, space) is None
    assert method.converged(state_of(), step_of(update=np.zeros(4)), "float32", plain_space) is None
    with pytest.raises(ValueError, match="unknown parameter in sizes 'VPP'; did you mean 'VP'"):
        dataclasses.replace(space, sizes={"VPP": 1.0})
    with pytest.raises(ValueError, match="size of 'VP' is 0.0, expected a positive number"):
        dataclasses.replace(space, sizes={"VP": 0.0})


@pytest.mark.parametrize(
    ("prediction", "words"),
    [(-1e-6, "5e-08 of the misfit 20, so the gradient is at the noise level"), (-1.0, "does not follow")],
)
def test_stalled_steepest_descent_says_why(prediction: float, words: str) -> None:
    state = state_of(point=Point(20.0, np.ones(1), np.ones(1)), rejections=5, steepest_descent=True)
    step = step_of(predicted_reduction=prediction)
    stopped = TrustRegion().reject(state, step, TrustRegion().judge(state, step, 21.0)).stopped
    assert stopped is not None and stopped.startswith("stopped after 6 rejected steps") and words in stopped


def test_zero_gradient_has_converged_and_proposes_nothing() -> None:
    problem, x, _ = smoothed()
    state = TrustRegion().begin(problem.space.point(0.0, np.zeros(x.size)), problem.space)
    assert TrustRegion().converged(store(state), None, "float32") == "converged: the gradient is zero"
    with pytest.raises(ValueError, match=r"the gradient is zero.*ask converged\(\) first"):
        TrustRegion().propose(state, problem.space)


def test_restart_drops_the_history_and_says_why() -> None:
    problem, x, _ = smoothed()
    method = TrustRegion()
    x, state, *_ = drive(problem, x, 5)
    fresh = method.begin(problem.point(x), problem.space)
    again = method.restart(state, problem.point(x), problem.space, ["misfit", "preconditioner"])
    assert again.history == () and again.radius == fresh.radius and again.gamma == fresh.gamma
    assert again.first_gradient_norm == again.gradient_norm
    assert f"misfit, preconditioner changed: history of {len(state.history)} pairs dropped" in again.reason
    with pytest.raises(ValueError, match="changed is empty"):
        method.restart(state, problem.point(x), problem.space, [])


def test_history_keeps_the_newest_pairs() -> None:
    problem, x, _ = smoothed()
    x, state, steps, verdicts, _ = drive(problem, x, 8, TrustRegion(history_size=3))
    accepted = [step for step, verdict in zip(steps, verdicts, strict=True) if verdict.accepted]
    assert len(state.history) == 3 and len(accepted) > 3
    for pair, step in zip(state.history, accepted[-3:], strict=True):
        np.testing.assert_array_equal(pair.s.v, step.update)


def test_accept_and_reject_take_only_their_verdicts() -> None:
    problem, x, _ = smoothed()
    method = TrustRegion()
    state = method.begin(problem.point(x), problem.space)
    step = method.propose(state, problem.space)
    good, bad = (method.judge(state, step, state.point.misfit + d) for d in (step.predicted_reduction, 1.0))
    with pytest.raises(ValueError, match=r"verdict rejected the step .*reject\(\)"):
        method.accept(state, step, bad, problem.point(x), problem.space)
    with pytest.raises(ValueError, match=r"verdict accepted the step .*accept\(\)"):
        method.reject(state, step, good)


def test_configuration() -> None:
    defaults = {"VP": 15.0, "RHO": 9.8}
    assert TrustRegion().initial_change(defaults) == defaults
    assert TrustRegion().parameter_scales(defaults) == defaults
    assert TrustRegion(10).initial_change(defaults) == {"VP": 10.0, "RHO": 10.0}
    assert TrustRegion(10).parameter_scales(defaults) == {"VP": 1.0, "RHO": 1.0}
    some = TrustRegion({"VP": 3.0})
    assert some.initial_change(defaults) == {"VP": 3.0, "RHO": 9.8}
    assert some.parameter_scales(some.initial_change(defaults)) == {"VP": 3.0, "RHO": 9.8}
    assert load(some.to_dict()) == some and some.digest() != TrustRegion().digest()
    with pytest.raises(ValueError, match="unknown inversion parameter.*'VPP'; did you mean 'VP'"):
        TrustRegion({"VPP": 3.0}).initial_change(defaults)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"initial_trust_region_linf": -1.0}, "initial_trust_region_linf is -1.0, expected a positive"),
        ({"initial_trust_region_linf": {"VP": 0.0}}, "linf of 'VP' is 0.0, expected a positive"),
        ({"initial_trust_region_linf": {}}, "expected one number, numbers per parameter or None"),
        ({"initial_trust_region_linf": math.nan}, "initial_trust_region_linf"),
        ({"history_size": 0}, "history_size"),
        ({"radius": 1.0}, "radius"),
    ],
)
def test_bad_configuration(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrustRegion(**arguments)


def test_bad_points_and_spaces() -> None:
    problem, x, _ = smoothed()
    space, g = problem.space, np.ones(x.size)
    with pytest.raises(ValueError, match="misfit is nan, expected a finite number"):
        space.point(math.nan, g)
    with pytest.raises(
        ValueError, match="gradient has 2 entries that are not finite, the first is nan at index 3"
    ):
        space.point(1.0, np.where(np.arange(x.size) % 20 == 3, np.nan, g))
    with pytest.raises(ValueError, match="gradient is an array of float32 and shape"):
        space.point(1.0, g.astype(np.float32))
    with pytest.raises(ValueError, match="gradient is None, expected a flat float64 array"):
        Point(1.0, None, g)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="preconditioned has 23 entries but gradient has 24"):
        Point(1.0, g, g[1:])
    for size in (x.size - 1, x.size + 1):
        with pytest.raises(ValueError, match=rf"blocks \(VP 0:12, RHO 12:24\) do not cover.*{size} entries"):
            space.point(1.0, np.ones(size))
    with pytest.raises(ValueError, match="initial_change of 'RHO' is None, expected a positive number"):
        dataclasses.replace(space, initial_change={"VP": 1.0})
    with pytest.raises(ValueError, match="unknown parameter in initial_change 'VS'"):
        dataclasses.replace(space, initial_change={"VP": 1.0, "RHO": 1.0, "VS": 1.0})
    with pytest.raises(ValueError, match="blocks is empty"):
        dataclasses.replace(space, blocks={}, initial_change={})
    with pytest.raises(ValueError, match=r"weights\[1\] is -2.0, expected positive weights"):
        weighted_inner(np.array([1.0, -2.0]))


def test_point_does_not_share_the_callers_arrays() -> None:
    g = np.ones(3)
    point = Point(1.0, g, g)
    g[0] = 7.0
    assert point.gradient[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        point.gradient[0] = 2.0


def test_damaged_storage_is_named() -> None:
    problem, x, _ = smoothed()
    _, state, steps, verdicts, _ = drive(problem, x, 3)
    arrays, attributes = state.to_arrays()
    for name in arrays:
        with pytest.raises(ValueError, match=f"stored state lacks '{name}'"):
            State.from_arrays({k: v for k, v in arrays.items() if k != name}, attributes)
    with pytest.raises(ValueError, match="stored state lacks 'radius'"):
        State.from_arrays(arrays, {k: v for k, v in attributes.items() if k != "radius"})
    with pytest.raises(ValueError, match="unknown entry of a stored state 'radios'; did you mean 'radius'"):
        State.from_arrays(arrays, {**attributes, "radios": 1.0})
    with pytest.raises(ValueError, match="stored step lacks 'update'"):
        Step.from_arrays({}, steps[0].to_arrays()[1])
    with pytest.raises(ValueError, match="stored verdict lacks 'ratio'"):
        Verdict.from_attributes({k: v for k, v in verdicts[0].to_attributes().items() if k != "ratio"})
