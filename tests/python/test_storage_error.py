"""The error of gradients from fewer steps or digits is at most the forecast, and the forecast not far off."""

from __future__ import annotations

import numpy as np
import pytest

from storage_cases import FREQUENCY, error_found, residual
from wavetree.simulation.storage_error import ErrorForecast
from wavetree.simulation.storage_plan import interval_plan
from wavetree.survey.stf import GaussianRate, Ricker

RIPPLE = 2.5e-4
# What is recorded, and how far the intervals lie from the longest within 1e-3 that are looked at.
CASES = [
    pytest.param("fluid", 2, {}, id="fluid"),
    pytest.param("fluid", 2, {"field": "pressure"}, id="fluid-pressure"),
    pytest.param("fluid", 2, {"n": 32}, id="fluid-fine"),
    pytest.param(
        "fluid", 2, {"stf": GaussianRate(half_duration_in_seconds=1 / FREQUENCY)}, id="fluid-gaussian"
    ),
    pytest.param("solid", 2, {}, id="solid"),
    pytest.param("solid", 2, {"field": "velocity"}, id="solid-velocity"),
    pytest.param("solid", 2, {"field": "strain"}, id="solid-strain"),
    pytest.param("fluid", 3, {}, id="fluid-3d"),
    pytest.param("solid", 3, {"n": 8, "periods": 7}, id="solid-3d", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("medium", "dim", "options"), CASES)
def test_subsampling_errs_as_forecast(medium, dim, options, record_property):
    simulation, adjoint, full = residual(medium, dim, **options)
    run = simulation.stored_run
    longest = run.forecast.largest_interval(1e-3, run.n_computed // 4)
    assert longest >= 4
    for interval in (2, longest // 2, longest, longest + 1):
        plan = interval_plan(run, interval)
        found = error_found(simulation, plan, adjoint, full)
        record_property(f"{interval} found, forecast", [found, plan.expected_error])
        assert found <= plan.expected_error, (interval, found, plan.expected_error)
        # Where nothing but the filter's ripple is left, the wavelet may lie where that is low.
        assert plan.expected_error <= 3 * found or plan.expected_error <= RIPPLE, (interval, found)
        assert (plan.expected_error <= 1e-3) == (interval <= longest)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("medium", "dim", "options"),
    [("fluid", 2, {}), ("solid", 2, {}), ("coupled", 2, {"n": 12}), ("fluid", 3, {})],
)
def test_quantisation_errs_as_forecast(medium, dim, options, bits, record_property):
    """Against the same steps in full precision."""
    simulation, adjoint, _ = residual(medium, dim, **options)
    for interval in (1, 6):
        simulation.run(interval)
        same_steps = simulation.derivative(adjoint)
        found = error_found(
            simulation, interval_plan(simulation.stored_run, interval, bits), adjoint, same_steps
        )
        expected = simulation.stored_run.forecast._rounding(interval, bits)
        record_property(f"{interval} found, forecast", [found, expected])
        assert found <= expected <= 3 * found, (interval, found, expected)


def test_waves_that_change_medium_err_less():
    """The forecast takes the source's spectrum for that of all fields; φ behind a solid is lower."""
    simulation, adjoint, full = residual("coupled", 2, n=12)
    run = simulation.stored_run
    longest = run.forecast.largest_interval(1e-3, run.n_computed // 4)
    for interval in (longest // 2, longest):
        plan = interval_plan(run, interval)
        assert error_found(simulation, plan, adjoint, full) <= plan.expected_error


def test_noise_in_the_adjoint_source_stays_within_twice_the_forecast():
    simulation, adjoint, _ = residual("fluid", 2)
    rng = np.random.default_rng(1)
    noisy = {name: a * (1 + 0.3 * rng.standard_normal(a.shape)) for name, a in adjoint.items()}
    simulation.run(1)
    full = simulation.derivative(noisy)
    run = simulation.stored_run
    plan = interval_plan(run, run.forecast.largest_interval(1e-3, 100))
    assert error_found(simulation, plan, noisy, full) <= min(2 * plan.expected_error, 1e-3)


def ricker(steps_per_period: float, n: int = 1000) -> np.ndarray:
    t = np.arange(n) - 2 * steps_per_period
    return Ricker(1.0 / steps_per_period).evaluate(t)


def test_forecasts_follow_the_source():
    """Twice the steps a period, twice the interval; a second source that is slower changes nothing."""
    for dim in (2, 3):
        intervals = []
        for functions in ([40.0], [80.0], [40.0, 160.0]):
            forecast = ErrorForecast(dim, "fluid", np.array([ricker(k) for k in functions]))
            intervals.append(forecast.largest_interval(1e-3, 200))
        assert abs(intervals[1] - 2 * intervals[0]) <= 1
        assert intervals[2] == intervals[0]


def test_forecasts_grow_with_the_interval_and_the_differentiations():
    errors = np.array(
        [
            [ErrorForecast(2, "fluid", ricker(40.0)[None], d).error(interval) for interval in range(5, 12)]
            for d in range(3)
        ]
    )
    # From where the ripple of the filter no longer counts to where nothing is left.
    assert np.all(np.diff(errors, axis=1)[:, 1:] > 0)
    assert np.all(np.diff(errors, axis=0)[:, 1:] >= 0)
    assert errors.max() <= 1.0


def test_broad_sources_leave_out_no_step():
    impulse = np.zeros((1, 500))
    impulse[0, 0] = 1.0
    assert ErrorForecast(2, "fluid", impulse).largest_interval(1e-3, 100) == 1
    assert ErrorForecast(2, "fluid", impulse).error(1) == 0.0
    assert ErrorForecast(2, "fluid", np.zeros((1, 500))).error(2) == 0.0
    assert ErrorForecast(2, "fluid", ricker(40.0)[None]).error(1000) == 1.0
