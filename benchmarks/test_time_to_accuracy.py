"""The time-to-accuracy benchmark at small size: its exact records, its search, its gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import time_to_accuracy
from time_to_accuracy import Settings, fastest, gradient_seconds, make_model, run, table
from ultrasound import Event, cube, ring

SETTINGS = Settings(order=5, count=18, width=2.25, reflection=0.99)


def short(event: Event) -> Event:
    """An event of few receivers whose records end before anything returns from the sides."""
    return replace(event, receivers=event.receivers[::20], duration=50e-6)


def test_geometry() -> None:
    for index in range(5):
        event = ring(index)
        distances = np.linalg.norm(event.receivers - event.source, axis=1)
        assert len(distances) == 100 and distances.min() >= 0.015 * (1 - 1e-12)
        assert np.allclose(np.linalg.norm(event.receivers, axis=1), 0.04)


def test_exact_records_solve_the_wave_equation() -> None:
    """In a circle around the source: u_tt/c² − Δu = 0, by differences of sixth order at two spacings."""
    event = ring()
    weights = np.array([1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90])
    offsets = np.arange(-3, 4)
    residuals = []
    for step in (1.6e-3, 0.8e-3):
        place = event.source + np.array([0.013, 0.011])
        points = [place + step * k * axis for axis in np.eye(2) for k in offsets]
        times = 45e-6 + step / event.velocity * offsets
        u = replace(event, receivers=np.array(points)).exact(times).reshape(2, 7, 7)
        second = [weights @ u[axis, :, 3] for axis in (0, 1)], weights @ u[0, 3]
        residuals.append(abs(second[1] - sum(second[0])) / np.abs(second[0]).max())
    assert residuals[1] < 1e-6 and residuals[1] < 0.03 * residuals[0]


def test_trapezoidal_rule_has_converged() -> None:
    event, times = ring(), np.linspace(0.0, 150e-6, 31)
    exact = event.exact(times)
    assert np.abs(event.exact(times, 24) - exact).max() < 1e-12 * np.abs(exact).max()


def test_one_percent(benchmark: Any) -> None:
    event = ring()
    found = run(event, SETTINGS)
    assert found.error < 1e-2
    assert run(event, replace(SETTINGS, count=12)).error > 2.0 * found.error
    model = make_model(event, SETTINGS)
    benchmark.extra_info["point updates"] = found.points * found.steps
    benchmark(lambda: model.simulation(event).run())


def test_three_dimensions() -> None:
    coarse, fine = (run(cube(), Settings(4, count, 1.5, 0.99)).error for count in (4, 7))
    assert fine < 0.1 and coarse > 4.0 * fine


def test_search_keeps_the_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_to_accuracy, "REFLECTIONS", (0.99,))
    event = short(ring())
    results = fastest(event, 2e-2, orders=[4], repeats=2)
    assert results and all(result.error <= 2e-2 for result in results)
    assert [result.event for result in results] == sorted(result.event for result in results)
    assert all(0.0 < result.loop < result.event for result in results)
    assert len(table(event, results).splitlines()) == 2 + len(results)


@pytest.mark.parametrize("interval", [None, 2])
def test_gradient_of_five_events(interval: int | None) -> None:
    found = gradient_seconds(Settings(4, 8, 1.0, 0.99), 1, interval)
    assert found.whole > found.forward > 0.0
    assert found.storage.startswith("full" if interval is None else "subsampled")
