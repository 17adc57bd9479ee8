"""Filters against the time dispersion, on harmonic oscillators u_tt + w0² u = s(t) with time step 1."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import fft
from scipy.special import erf

from wavetree.simulation.dispersion import (
    extended_length,
    filter_records,
    filter_records_transpose,
    filter_source,
    margin,
)

Function = Callable[[np.ndarray], np.ndarray]


def ricker(steps_per_period: float) -> Function:
    center, start = 1.0 / steps_per_period, 1.6 * steps_per_period
    return lambda t: (
        (1 - 2 * (np.pi * center * (t - start)) ** 2) * np.exp(-((np.pi * center * (t - start)) ** 2))
    )


def continuous(w0: float, damping: float, source: Function, n: int) -> np.ndarray:
    """Duhamel's integral, by 16 Gauss points a step: exact to rounding."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    w = np.sqrt(w0**2 - damping**2)
    rate = 1j * w - damping
    inside = np.exp(rate * 0.5 * (1 - nodes)) * source(np.arange(n - 1)[:, None] + 0.5 * (nodes + 1))
    state, states = 0.0 + 0.0j, [0.0 + 0.0j]
    for added in inside @ (0.5 * weights):
        state = state * np.exp(rate) + added
        states.append(state)
    return np.array(states).imag / w


def stepped(w0: float, damping: float, source: np.ndarray) -> np.ndarray:
    """(u⁺ − 2u + u⁻) + c (u⁺ − u⁻)/2 + w0² u = s, which has this damping per unit time in its limit."""
    u, c = np.zeros(source.size), 2 * damping
    for n in range(source.size - 1):
        before = u[n - 1] if n else 0.0
        u[n + 1] = (source[n] + (2 - w0**2) * u[n] - (1 - c / 2) * before) / (1 + c / 2)
    return u


def corrected(w0: float, source: Function, n: int, damping: float = 0.0) -> np.ndarray:
    """What a simulation with some samples more and both filters gives."""
    total = n + margin(n)
    filtered = filter_source(source(np.arange(extended_length(total))), total)
    return filter_records(stepped(w0, damping, filtered))[:n]


@pytest.mark.parametrize("w0", [0.1, 0.3, 0.7, 1.0, 1.3, 1.5, 1.8])
def test_undamped_oscillator_rings_exactly(w0: float) -> None:
    n, source = 450, ricker(20.0)
    exact = continuous(w0, 0.0, source, n)
    scale = np.abs(exact).max()  # the oscillator still rings at the end of the record
    assert np.abs(corrected(w0, source, n) - exact).max() <= 1.5e-6 * scale
    plain = stepped(w0, 0.0, source(np.arange(n)))
    assert np.abs(plain - exact).max() >= 1e-3 * scale


def test_many_modes_up_to_the_stability_limit() -> None:
    n, source = 1000, ricker(20.0)
    modes, shapes = np.linspace(0.05, 1.9, 30), np.random.default_rng(0).standard_normal(30)
    exact = sum(a * continuous(w, 0.0, source, n) for a, w in zip(shapes, modes, strict=True))
    found = sum(a * corrected(w, source, n) for a, w in zip(shapes, modes, strict=True))
    plain = sum(a * stepped(w, 0.0, source(np.arange(n))) for a, w in zip(shapes, modes, strict=True))
    scale = np.abs(exact).max()
    assert np.abs(found - exact).max() <= 1e-6 * scale
    assert np.abs(plain - exact).max() >= 0.1 * scale


def test_source_that_never_ends() -> None:
    n = 450

    def source(t: np.ndarray) -> np.ndarray:
        return 0.5 * (1 + erf((t - 80) / 16)) * np.cos(0.3 * t)

    for w0 in (0.2, 0.8, 1.5):
        exact = continuous(w0, 0.0, source, n)
        assert np.abs(corrected(w0, source, n) - exact).max() <= 4e-6 * np.abs(exact).max()


def test_error_falls_with_the_wavelet_s_content_at_the_sampling_limit() -> None:
    n, errors = 600, []
    for steps in (8.0, 10.0, 14.0, 18.0):
        exact = continuous(0.7, 0.0, ricker(steps), n)
        errors.append(np.abs(corrected(0.7, ricker(steps), n) - exact).max() / np.abs(exact).max())
    assert errors[0] < 1e-2 and errors[1] < 2e-4 and errors[2] < 1e-6 and errors[3] < 1e-6
    assert errors == sorted(errors, reverse=True)


def test_damping_keeps_a_second_order_error() -> None:
    """The filters are exact for mass and stiffness; the damping term has its own sampling error."""
    errors = []
    for refine in (1, 2, 4):
        n, source, w0, damping = 300 * refine, ricker(25.0 * refine), 0.2 / refine, 0.02 / refine
        exact = continuous(w0, damping, source, n)
        errors.append(np.abs(corrected(w0, source, n, damping) - exact).max() / np.abs(exact).max())
    assert errors[0] < 1e-2
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(rates - 2.0) < 0.1)


@pytest.mark.parametrize("velocity", [False, True])
@pytest.mark.parametrize("n", [2, 7, 50, 451, 3000])
def test_transpose(n: int, velocity: bool) -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 5, 2, n))
    forward = filter_records(x, velocity=velocity)
    assert forward.shape == x.shape and forward.dtype == np.float64
    defect = np.vdot(forward, y) - np.vdot(x, filter_records_transpose(y, velocity=velocity))
    assert abs(defect) <= 1e-13 * np.linalg.norm(forward) * np.linalg.norm(y)


@pytest.mark.parametrize("n", [2, 33, 200])
def test_fast_transforms_against_the_sums_they_stand_for(n: int) -> None:
    rng = np.random.default_rng(2)
    records = rng.standard_normal((3, n))
    # The integral over φ as the sum over Q points that the module takes.
    size = 2 * fft.next_fast_len(3 * n // 4 + 32, real=True)
    phi, m = np.pi * np.arange(-size // 2 + 1, size // 2 + 1) / size, np.arange(n)
    inner = records @ np.exp(-2j * np.outer(m, phi))
    for velocity, weight in ((False, np.cos(phi)), (True, 1.0)):
        direct = ((weight * inner) @ np.exp(2j * np.outer(np.sin(phi), m))).real / size
        found = filter_records(records, velocity=velocity)
        assert np.abs(found - direct).max() <= 1e-11 * np.abs(direct).max()
    wave = np.exp(2j * np.outer(phi, m)).T @ np.exp(-2j * np.outer(np.sin(phi), m)) / size
    assert np.abs(filter_source(records[0], n) - (wave @ records[0]).real).max() <= 1e-11


def test_end_of_a_record_spreads_as_documented() -> None:
    for n in (450, 4000):
        total = 2 * n
        on = 0.5 * (1 + erf((np.arange(total) - 0.25 * n) / (0.05 * n)))
        error = np.abs(filter_records(on[:n]) - filter_records(on)[:n])
        root = n ** (1 / 3)
        assert 0.2 < error[-1] < 0.4
        for distance, bound in ((1, 3e-2), (2, 6e-4), (3, 6e-6), (3.5, 2e-6)):
            assert error[: n - int(distance * root)].max() <= bound
        assert error[: n - margin(n)].max() <= 0.3 / n**2 + 4e-7


def test_zero_and_constant_signals() -> None:
    assert not filter_source(np.zeros(100), 40).any() and not filter_records(np.zeros((2, 40))).any()
    impulse = np.zeros(200)
    impulse[0] = 1.0  # the time origin is where nothing moves
    np.testing.assert_allclose(filter_source(impulse, 100), impulse[:100], atol=1e-12)


def test_long_records_and_cost() -> None:
    records = np.random.default_rng(3).standard_normal((20, 20000)).astype(np.float32)
    filter_records(records[:1])
    begin = time.perf_counter()
    filtered = filter_records(records)
    assert time.perf_counter() - begin < 2.0
    np.testing.assert_allclose(filter_records(records[7]), filtered[7], rtol=0, atol=1e-9)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"samples_extended of shape \(10,\) does not extend n_samples=11"):
        filter_source(np.zeros(10), 11)
    with pytest.raises(ValueError, match=r"records of shape \(3, 0\) have no samples"):
        filter_records(np.zeros((3, 0)))
