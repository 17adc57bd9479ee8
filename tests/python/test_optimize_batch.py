"""Mini-batches: draws, control groups, growth, and what they save on a sum of many events."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from minimisation import Problem, drive, plain
from wavetree.config import load
from wavetree.optimize import (
    LBFGS,
    Batch,
    BatchSelection,
    Control,
    Method,
    MetricVector,
    Point,
    SteepestDescent,
    TrustRegion,
    subset_scale,
    weighted_inner,
)

NAMES = [f"event_{i}" for i in range(20)]


def batch_of(gradients: np.ndarray) -> tuple[Batch, dict[str, MetricVector]]:
    """A batch of events with gradients as rows, without a preconditioner."""
    names = NAMES[: len(gradients)]
    vectors = {name: MetricVector(g, g) for name, g in zip(names, gradients, strict=True)}
    return BatchSelection(len(names)).first(names), vectors


def angle(a: np.ndarray, b: np.ndarray) -> float:
    cosine = float(a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return math.degrees(math.acos(min(cosine, 1.0)))


def test_first_batch_is_drawn_by_the_seed_and_ordered_as_the_problem() -> None:
    first = BatchSelection(6, seed=3).first(NAMES)
    assert first == BatchSelection(6, seed=3).first(NAMES)
    assert len({BatchSelection(6, seed=seed).first(NAMES).events for seed in range(10)}) == 10
    assert list(first.events) == [name for name in NAMES if name in first.events]
    assert len(first.events) == first.size == 6 and first.control_group == () and first.number == 0
    assert first.times_used == first.last_used | dict.fromkeys(first.events, 1)
    assert BatchSelection(100).first(NAMES).events == tuple(NAMES)


def test_every_event_gets_its_turn_and_waits_equally_long() -> None:
    selection = BatchSelection(6, seed=1)
    batch = selection.first(NAMES)
    for _ in range(60):
        control = batch.events[:2]
        following = selection.next(batch, control, NAMES, 0)
        new = set(following.events) - set(control)
        assert following.control_group == control and set(control) <= set(following.events)
        assert len(following.events) == 6 and len(new) == 4
        waited = {name: batch.last_used.get(name, -1) for name in NAMES if name not in following.events}
        assert max(batch.last_used.get(name, -1) for name in new) <= min(waited.values())
        batch = following
    assert min(batch.times_used.values()) >= 10 and len(batch.times_used) == 20
    assert sum(batch.times_used.values()) == 61 * 6


def test_draws_depend_on_the_seed_among_equals_only() -> None:
    batches = []
    for seed in range(8):
        selection = BatchSelection(5, seed=seed)
        batch = selection.first(NAMES[:8])
        batch = selection.next(batch, batch.events[:2], NAMES[:8], 0)
        batches.append(batch.events)
        # the three that were never used are in
        assert len(batch.times_used) == 8
    assert len(set(batches)) > 4


def test_batch_grows_with_its_control_group_and_with_rejections() -> None:
    selection = BatchSelection(6)
    first = selection.first(NAMES)
    sizes = {(3, 0): 6, (4, 0): 8, (6, 0): 12, (2, 1): 9, (2, 4): 9, (6, 2): 12}
    for (control, rejections), size in sizes.items():
        batch = selection.next(first, first.events[:control], NAMES, rejections)
        assert batch.size == len(batch.events) == size, (control, rejections)
    assert "size kept" in selection.next(first, first.events[:3], NAMES, 0).reason
    assert "50% new beside a control group of 6" in selection.next(first, first.events, NAMES, 0).reason
    assert "2 rejected" in selection.next(first, first.events[:2], NAMES, 2).reason
    large = selection.next(selection.next(first, first.events, NAMES, 0), NAMES[:0], NAMES, 3)
    assert large.size == 18
    everything = selection.next(large, large.events, NAMES, 0)
    assert everything.events == tuple(NAMES) and "at most 20" in everything.reason
    limited = BatchSelection(6, maximum_batch_size=7)
    assert len(limited.next(first, first.events[:2], NAMES, 1).events) == 7


def test_events_may_come_and_go() -> None:
    selection = BatchSelection(6)
    first = selection.first(NAMES)
    control = first.events[:2]
    fewer = [name for name in NAMES if name in control or name not in first.events]
    batch = selection.next(first, control, [*fewer, "new"], 0)
    assert set(batch.events) <= {*fewer, "new"} and len(batch.events) == 6 and batch.n_events == 17
    with pytest.raises(ValueError, match="event of the control group, not in the events, 'event_"):
        selection.next(first, first.events[:1], [n for n in NAMES if n != first.events[0]], 0)
    with pytest.raises(ValueError, match="event of the control group, not in the batch, 'evnt'"):
        selection.next(first, ["evnt"], NAMES, 0)
    for events, words in (([], "events is empty"), (["a", "a"], "twice")):
        with pytest.raises(ValueError, match=words):
            selection.first(events)


@pytest.mark.parametrize(
    ("limit", "size"), [(20.0, 8), (21.0, 7), (31.0, 6), (44.0, 5), (46.0, 4), (80.0, 2)]
)
def test_control_group_of_orthogonal_gradients(limit: float, size: int) -> None:
    """m of n orthogonal gradients of equal length: cos = √(m/n)."""
    batch, gradients = batch_of(np.eye(8))
    selection = BatchSelection(8, control_group_angle_in_degrees=limit)
    group = selection.control_group(batch, gradients, weighted_inner(np.ones(8)))
    assert len(group.events) == size
    assert group.angle_in_degrees == pytest.approx(math.degrees(math.acos(math.sqrt(size / 8))), abs=1e-6)
    assert f"control group of {size} of 8 events" in group.reason


def test_control_group_leaves_out_what_is_redundant_in_the_metric() -> None:
    """Event by event the removal is the best one, its angle that of the metric, found here by brute force."""
    rng = np.random.default_rng(7)
    n, weights = 12, rng.uniform(0.5, 2.0, 12)
    R = rng.standard_normal((n, n))
    S = (R @ R.T + np.eye(n)) * weights
    root = np.linalg.cholesky(weights[:, None] * S)
    inner = weighted_inner(weights)
    raw = rng.standard_normal((7, n)) + 1.0
    names = NAMES[:7]
    batch = BatchSelection(7).first(names)
    gradients = {name: MetricVector(S @ g, g) for name, g in zip(names, raw, strict=True)}
    seen = set()
    for limit in (1.0, 5.0, 10.0, 20.0, 40.0):
        selection = BatchSelection(7, control_group_angle_in_degrees=limit, minimum_control_group_size=1)
        group = selection.control_group(batch, gradients, inner)
        coordinates = raw @ root
        kept = list(range(7))
        while len(kept) > 1:
            angles = [
                angle(coordinates[[j for j in kept if j != i]].sum(axis=0), coordinates.sum(axis=0))
                for i in kept
            ]
            if min(angles) > limit:
                break
            kept.remove(kept[int(np.argmin(angles))])
        assert group.events == tuple(names[i] for i in kept)
        reached = angle(coordinates[kept].sum(axis=0), coordinates.sum(axis=0))
        assert group.angle_in_degrees == pytest.approx(reached, abs=1e-5) and reached <= limit
        seen.add(len(kept))
    assert len(seen) >= 3


def test_repeated_and_zero_gradients_are_removed_down_to_the_minimum() -> None:
    g = np.array([1.0, 2.0])
    batch, gradients = batch_of(np.array([g, g, g, 0.0 * g, g]))
    inner = weighted_inner(np.ones(2))
    group = BatchSelection(5, minimum_control_group_size=2).control_group(batch, gradients, inner)
    assert len(group.events) == 2 and group.angle_in_degrees < 1e-5 and "not less than 2" in group.reason


@pytest.mark.parametrize(
    "settings", [{"control_group_angle_in_degrees": 0.0}, {"minimum_control_group_size": 1000}]
)
def test_control_group_can_be_the_batch(settings: dict[str, Any]) -> None:
    g = np.array([1.0, 2.0])
    batch, gradients = batch_of(np.array([g, g, 0.0 * g]))
    group = BatchSelection(3, **settings).control_group(batch, gradients, weighted_inner(np.ones(2)))
    assert group.events == batch.events and group.angle_in_degrees == 0.0
    zero = {name: MetricVector(0.0 * g, 0.0 * g) for name in batch.events}
    group = BatchSelection(3).control_group(batch, zero, weighted_inner(np.ones(2)))
    assert group.events == batch.events and "zero" in group.reason


def test_batch_that_may_not_grow_leaves_room_for_new_events() -> None:
    selection = BatchSelection(8, maximum_batch_size=8, control_group_angle_in_degrees=1.0)
    batch = selection.first(NAMES)
    gradients = {name: MetricVector(g, g) for name, g in zip(batch.events, np.eye(8), strict=True)}
    group = selection.control_group(batch, gradients, weighted_inner(np.ones(8)))
    assert len(group.events) == 4 and group.angle_in_degrees == pytest.approx(45.0)
    following = selection.next(batch, group.events, NAMES, 0)
    assert len(set(following.events) - set(batch.events)) == 4
    everything = selection.first(list(batch.events))
    group = selection.control_group(everything, gradients, weighted_inner(np.ones(8)))
    assert len(group.events) == 8


def test_stored_batch_continues_with_the_same_draws() -> None:
    selection = BatchSelection(6, seed=9)
    batch = stored = selection.first(NAMES)
    for _ in range(10):
        stored = Batch.from_document(json.loads(json.dumps(stored.to_document(), allow_nan=False)))
        assert stored == batch
        batch = selection.next(batch, batch.events[:3], NAMES, 0)
        stored = selection.next(stored, stored.events[:3], NAMES, 0)
    document = batch.to_document()
    for name in document:
        with pytest.raises(ValueError, match=f"stored batch lacks '{name}'"):
            Batch.from_document({k: v for k, v in document.items() if k != name})
    with pytest.raises(ValueError, match="unknown entry of a stored batch 'evnts'; did you mean 'events'"):
        Batch.from_document({**document, "evnts": []})


def test_scale_is_exactly_one_for_all_events() -> None:
    assert all(subset_scale(n, n) == 1.0 for n in range(1, 200))
    assert subset_scale(100, 8) == 12.5
    for subset in (0, 5):
        with pytest.raises(
            ValueError, match=f"n_subset is {subset}, expected a number from 1 to n_events, 4"
        ):
            subset_scale(4, subset)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"initial_batch_size": 0}, "initial_batch_size=0"),
        ({"initial_batch_size": 9, "maximum_batch_size": 8}, "maximum_batch_size is 8, expected at least"),
        (
            {"initial_batch_size": 3, "maximum_batch_size": 8, "minimum_control_group_size": 8},
            "maximum_batch_size is 8, expected more than minimum_control_group_size, 8",
        ),
        ({"initial_batch_size": 3, "control_group_angle_in_degrees": 90.0}, "control_group_angle_in_degrees"),
        ({"initial_batch_size": 3, "seed": -1}, "seed"),
    ],
)
def test_bad_configuration(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BatchSelection(**arguments)


def test_configuration_is_stored() -> None:
    selection = BatchSelection(4, maximum_batch_size=9, control_group_angle_in_degrees=20.0, seed=5)
    assert load(selection.to_dict()) == selection != BatchSelection(4)


# -- a sum of many events ------------------------------------------------------------------------


class Events:
    """Travel times between two rings, mildly non-linear, as 48 events with 24 data each."""

    def __init__(self) -> None:
        n, count = 12, 48
        axis = (np.arange(n) + 0.5) / n
        points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        sources, receivers = self._ring(count), self._ring(24)
        offsets = points[:, None] - points[None]
        self.S = np.exp(-np.sum(offsets**2, axis=-1) / (2.0 * 0.08**2))
        rng = np.random.default_rng(0)
        model = np.linalg.cholesky(self.S + 1e-6 * np.eye(n * n)) @ rng.standard_normal(n * n)
        self.rays = [np.array([self._ray(points, s, r) for r in receivers]) for s in sources]
        self.data = [self._time(ray @ model) for ray in self.rays]
        self.names = [f"event_{i}" for i in range(count)]
        problem = plain(lambda x: (0.0, x), n * n, 0.1)
        self.space = problem.space.__class__(
            problem.space.inner, lambda g: self.S @ g, problem.space.blocks, problem.space.initial_change
        )

    @staticmethod
    def _ring(count: int) -> np.ndarray:
        angles = 2.0 * np.pi * np.arange(count) / count
        return 0.5 + 0.45 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)

    @staticmethod
    def _ray(points: np.ndarray, source: np.ndarray, receiver: np.ndarray) -> np.ndarray:
        d = receiver - source
        t = np.clip((points - source) @ d / (d @ d + 1e-9), 0.0, 1.0)
        ray: np.ndarray = np.exp(-np.sum((points - source - t[:, None] * d) ** 2, axis=1) / 0.01) / 12.0
        return ray

    @staticmethod
    def _time(q: np.ndarray) -> np.ndarray:
        return q + 0.3 * np.sin(3.0 * q)

    def misfit(self, name: str, x: np.ndarray) -> float:
        i = self.names.index(name)
        r = self._time(self.rays[i] @ x) - self.data[i]
        return 0.5 * float(r @ r)

    def gradient(self, name: str, x: np.ndarray) -> np.ndarray:
        i = self.names.index(name)
        q = self.rays[i] @ x
        gradient: np.ndarray = self.rays[i].T @ (
            (self._time(q) - self.data[i]) * (1.0 + 0.9 * np.cos(3.0 * q))
        )
        return gradient

    def total(self, values: dict[str, Any], chosen: Sequence[str]) -> Any:
        total = None
        for name in chosen:
            total = values[name] if total is None else total + values[name]
        return subset_scale(len(self.names), len(chosen)) * total


class Iterate(NamedTuple):
    cost: int
    x: np.ndarray


def iterate(events: Events, selection: BatchSelection, method: Method, iterations: int) -> list[Iterate]:
    """Mini-batches as the stages of an inversion use them; cost counts simulations of an event."""
    x = np.zeros(144)
    batch = selection.first(events.names)
    misfits = {e: events.misfit(e, x) for e in batch.events}
    gradients = {e: events.gradient(e, x) for e in batch.events}
    cost = 2 * len(batch.events)

    def point(chosen: Sequence[str], m: dict[str, float], g: dict[str, np.ndarray]) -> Point:
        return events.space.point(events.total(m, chosen), events.total(g, chosen))

    state = method.begin(point(batch.events, misfits, gradients), events.space)
    path = [Iterate(cost, x)]
    for _ in range(iterations):
        vectors = {e: MetricVector(events.space.precondition(g), g) for e, g in gradients.items()}
        group = selection.control_group(batch, vectors, events.space.inner).events
        rejections = 0
        while True:
            step = method.propose(state, events.space)
            figures = events.total(misfits, group), events.total(gradients, group)
            control = Control.of(*figures, state, step, events.space)
            trial = {e: events.misfit(e, x + step.update) for e in group}
            cost += len(group)
            verdict = method.judge(state, step, events.total(trial, group), control)
            if verdict.accepted:
                break
            rejections += 1
            state = method.reject(state, step, verdict)
        x = x + step.update
        batch = selection.next(batch, group, events.names, rejections)
        old = misfits, gradients
        misfits = {e: events.misfit(e, x) for e in batch.events}
        gradients = {e: events.gradient(e, x) for e in batch.events}
        cost += 2 * len(batch.events) - len(group)
        common = [e for e in batch.events if e in old[0]]
        ends = point(common, *old), point(common, misfits, gradients)
        new = point(batch.events, misfits, gradients)
        state = method.accept(state, step, verdict, new, events.space, ends)
        path.append(Iterate(cost, x))
    return path


@pytest.fixture(scope="module")
def events() -> Events:
    return Events()


@pytest.mark.parametrize("method", [TrustRegion(), LBFGS(), SteepestDescent()])
def test_batch_and_control_group_of_all_events_is_the_deterministic_method(
    events: Events, method: Method
) -> None:
    path = iterate(events, BatchSelection(48, minimum_control_group_size=48), method, 8)

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        misfits = {e: events.misfit(e, x) for e in events.names}
        gradients = {e: events.gradient(e, x) for e in events.names}
        return events.total(misfits, events.names), events.total(gradients, events.names)

    problem, accepted, trials = Problem(function, events.space, np.ones(144)), 0, 0
    while accepted < 8:
        trials += 1
        run = drive(problem, np.zeros(144), trials, method)
        accepted = sum(verdict.accepted for verdict in run.verdicts)
    assert run.x.tobytes() == path[-1].x.tobytes()


def test_batches_reach_the_misfit_of_all_events_with_fewer_simulations(events: Events) -> None:
    def total(x: np.ndarray) -> float:
        return sum(events.misfit(e, x) for e in events.names)

    everything = iterate(events, BatchSelection(48, minimum_control_group_size=48), TrustRegion(), 10)
    target = total(everything[-1].x)
    assert target < 0.05 * total(np.zeros(144))
    for seed in range(3):
        path = iterate(events, BatchSelection(6, seed=seed), TrustRegion(), 40)
        reached = next(it.cost for it in path if total(it.x) <= target)
        assert reached <= 0.35 * everything[-1].cost
        # and they go on: the batch grows where the control group does
        assert total(path[-1].x) < 0.65 * target and path[-1].cost < everything[-1].cost
