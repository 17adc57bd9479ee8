"""Which steps of a wavefield are stored, and that sums over them stand for sums over all steps."""

from __future__ import annotations

import numpy as np
import pytest

from wavetree.simulation.wavefield import extra_steps, smooth_adjoint_sources, storage_schedule

INTERVALS = [1, 2, 3, 5, 10]


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("n_steps", [1, 7, 100, 101])
def test_every_nth_step_is_stored_back_from_the_last(n_steps, interval):
    steps, weights = storage_schedule(n_steps, interval)
    assert (steps.dtype, weights.dtype) == (np.int64, np.float64)
    assert steps[-1] == n_steps
    assert 1 <= steps[0] <= interval
    np.testing.assert_array_equal(np.diff(steps), interval)
    np.testing.assert_array_equal(weights, interval)


def correlate(field: np.ndarray, adjoint: np.ndarray, interval: int) -> tuple[float, float]:
    """Σ_k u_k q_k over all steps and as the stored steps give it; q is zero after the last sample."""
    n = len(adjoint)
    steps, weights = storage_schedule(n - 1 + extra_steps(interval), interval)
    smooth = smooth_adjoint_sources(adjoint[None], interval)[0]
    assert len(smooth) == n + extra_steps(interval)
    return float(np.sum(field[:n] * adjoint)), float(np.sum(weights * field[steps] * smooth[steps]))


def bounded(n: int, bandwidth: float, generator: np.random.Generator) -> np.ndarray:
    """A field of random phases below a frequency [cycles a step], at rest in its first and last eighth."""
    t = np.arange(n)
    frequencies = bandwidth * np.sqrt(generator.uniform(0.0, 1.0, 50))
    phases = generator.uniform(0.0, 2 * np.pi, 50)
    waves = np.cos(2 * np.pi * frequencies[:, None] * t + phases[:, None]).sum(axis=0)
    ramp = np.clip(8 * np.minimum(t, n - 1 - t) / n - 1, 0.0, 1.0)
    return waves * np.sin(0.5 * np.pi * ramp) ** 4


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("kind", ["jump", "noise"])
def test_stored_steps_stand_for_all_where_they_resolve_the_field(kind, interval):
    """For any adjoint field: one that ends with a jump, and noise of every frequency."""
    rng = np.random.default_rng(interval)
    # Content up to 0.3 of the stored rate, the ramp's edges with it below 0.38.
    field = bounded(4000, 0.3 / interval, rng)
    n = 2500  # the adjoint field ends in the middle of the forward one
    adjoint = rng.standard_normal(n) if kind == "noise" else np.ones(n)
    exact, stored = correlate(field, adjoint, interval)
    tolerance = 0.0 if interval == 1 else 2e-4
    assert abs(stored - exact) <= tolerance * np.linalg.norm(field[:n]) * np.linalg.norm(adjoint) + 1e-12


def test_unresolved_fields_are_lost():
    field = np.cos(2 * np.pi * 0.23 * np.arange(800))  # 2.3 of the stored rate
    exact, stored = correlate(field, field[:400], 10)
    assert abs(stored) < 0.05 * abs(exact)


def test_polynomials_pass_the_filter():
    """Away from the ends low degrees are kept: the kernel has unit sum and is even."""
    n = np.linspace(-1.0, 1.0, 1001)
    for interval in (2, 5, 10):
        inside = slice(2 * extra_steps(interval), -2 * extra_steps(interval))
        for degree in (0, 1):
            kept = smooth_adjoint_sources(n[None] ** degree, interval)[0]
            np.testing.assert_allclose(kept[:1001][inside], (n**degree)[inside], atol=1e-12)


def test_the_filter_keeps_low_and_removes_high_frequencies(record_property):
    for interval in (2, 5, 10):
        impulse = np.zeros((1, 4001))
        impulse[0, 2000] = 1.0
        response = np.abs(np.fft.rfft(smooth_adjoint_sources(impulse, interval)[0]))
        frequencies = np.fft.rfftfreq(4001 + extra_steps(interval)) * interval  # of the stored rate
        kept = np.abs(response[frequencies < 0.38] - 1.0).max()
        left = response[frequencies > 0.62].max()
        record_property(f"interval {interval}", [float(kept), float(left)])
        assert kept < 4e-4
        assert left < 4e-4


def test_media_without_receivers_have_no_samples():
    assert smooth_adjoint_sources(np.zeros((0, 30)), 3).shape == (0, 30 + extra_steps(3))


def test_storing_all_changes_nothing():
    samples = np.random.default_rng(1).standard_normal((2, 30))
    assert smooth_adjoint_sources(samples, 1) is samples
    assert extra_steps(1) == 0


@pytest.mark.parametrize("interval", [0, -3])
def test_bad_intervals_are_refused(interval):
    with pytest.raises(ValueError, match=rf"interval is {interval}; expected at least 1"):
        storage_schedule(100, interval)
