"""Band filters as operators, in misfits, in gradients and as settings of iterations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inversions import EVENTS, NAME, make_project
from projects import misfit
from wavetree.config import content_digest, load
from wavetree.data.frequency_band import FrequencyBand
from wavetree.misfit import MisfitConfiguration
from wavetree.project.project import Project

BANDS = [
    FrequencyBand(None, 8.0),
    FrequencyBand(6.0, None, taper=0.2),
    FrequencyBand(3.0, 12.0, taper=1.0),
    FrequencyBand(0.01, 200.0),
]


def fourth_power(u: np.ndarray, d: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    return float(np.sum((u - d) ** 4)) / rate, 4 * (u - d) ** 3


def configured(function: Any, band: FrequencyBand | None) -> MisfitConfiguration:
    return MisfitConfiguration(
        "m", observed_data="x", misfit_function=function, receiver_field="phi", frequency_band=band
    )


# The operator


@pytest.mark.parametrize("band", BANDS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 37, 400])
def test_it_is_its_own_transpose(band: FrequencyBand, n: int) -> None:
    x, y = np.random.default_rng(n).standard_normal((2, 3, 2, n))
    fx, fy = band.apply(x, 40.0), band.apply(y, 40.0)
    assert fx.shape == x.shape and fx.dtype == np.float64
    assert abs(np.vdot(fx, y) - np.vdot(x, fy)) <= 1e-14 * np.linalg.norm(x) * np.linalg.norm(y)
    assert np.linalg.norm(fx) <= (1.0 + 1e-14) * np.linalg.norm(x), "the gain is 1 at most"


@pytest.mark.parametrize("band", BANDS, ids=str)
def test_it_is_padded_convolution_with_the_response(band: FrequencyBand) -> None:
    """Pᵀ C P written out: the cosine series of the response over a period of four records."""
    n, rate = 25, 50.0
    lags = np.arange(n)[:, None] - np.arange(n)
    k = np.arange(4 * n)
    gain = band.response(np.minimum(k, 4 * n - k) * rate / (4 * n))
    matrix = np.cos(2.0 * np.pi * lags[..., None] * k / (4 * n)) @ gain / (4 * n)
    x = np.random.default_rng(0).standard_normal((2, n))
    np.testing.assert_allclose(band.apply(x, rate), x @ matrix, atol=1e-13)


def test_gain() -> None:
    band = FrequencyBand(2.0, 10.0, taper=0.4)
    f = np.array([0.0, 1.2, 1.6, 2.0, 5.0, 10.0, 12.0, 14.0, 100.0])
    np.testing.assert_allclose(band.response(f), [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0], atol=1e-15)
    np.testing.assert_array_equal(band.response(-f), band.response(f))
    assert FrequencyBand(None, 10.0).response(np.zeros(1)) == FrequencyBand(2.0, None).response(f)[-1] == 1.0


@pytest.mark.parametrize(("frequency", "gain"), [(1.0, 0.0), (5.0, 1.0), (12.0, 0.5), (20.0, 0.0)])
def test_waves_pass_without_delay(frequency: float, gain: float) -> None:
    rate = 80.0
    t = np.arange(4000) / rate - 25.0
    wave = np.sin(2.0 * np.pi * frequency * t) * np.exp(-((t / 5.0) ** 2))
    filtered = FrequencyBand(2.0, 10.0, taper=0.4).apply(wave, rate)
    np.testing.assert_allclose(filtered, gain * wave, atol=0.02)


@pytest.mark.parametrize(
    ("band", "early", "late"),
    [(FrequencyBand(None, 8.0), 0.02, 0.002), (FrequencyBand(4.0, 8.0), 0.08, 0.01)],
)
def test_ripples_before_a_spike_are_as_small_as_is_said(
    band: FrequencyBand, early: float, late: float
) -> None:
    rate, spike = 400.0, np.zeros(4001)
    spike[2000] = 1.0
    filtered = np.abs(band.apply(spike, rate))
    periods = 8.0 * (2000 - np.arange(4001)) / rate
    for distance, bound in ((2.0, early), (4.0, late)):
        assert 0.5 * bound < filtered[periods > distance].max() / filtered.max() < bound


def test_the_length_of_the_record_hardly_matters() -> None:
    band, rate = FrequencyBand(2.0, 8.0), 100.0
    short = np.random.default_rng(1).standard_normal(300)
    long = np.concatenate([short, np.zeros(5000)])
    error = np.abs(band.apply(long, rate)[:300] - band.apply(short, rate)).max()
    assert error < 2e-3 * np.abs(band.apply(short, rate)).max()


def test_bad_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="minimum_in_hertz and maximum_in_hertz are both None; give one"):
        FrequencyBand()
    with pytest.raises(ValueError, match=r"minimum_in_hertz=8 is not below maximum_in_hertz=8; expected it"):
        FrequencyBand(8.0, 8.0)
    with pytest.raises(ValueError, match=r"maximum_in_hertz=-1\.0 is not valid"):
        FrequencyBand(None, -1.0)
    with pytest.raises(ValueError, match=r"taper=0\.0 is not valid"):
        FrequencyBand(None, 1.0, taper=0.0)
    with pytest.raises(ValueError, match=r"minimum_in_hertz=80 of the frequency band: nothing passes of"):
        FrequencyBand(80.0, None).apply(np.ones(10), 50.0)


# Misfits and gradients


@pytest.mark.parametrize("function", ["L2", fourth_power])
def test_misfits_compare_what_passes(function: Any) -> None:
    band, rate = FrequencyBand(2.0, 8.0), 40.0
    u, d = np.random.default_rng(0).standard_normal((2, 3, 2, 60))
    value, source = configured(function, band).evaluate_arrays(u, d, rate)
    plain, plain_source = configured(function, None).evaluate_arrays(
        band.apply(u, rate), band.apply(d, rate), rate
    )
    assert value == plain
    np.testing.assert_array_equal(source, band.apply(plain_source, rate))


@pytest.mark.parametrize("function", ["L2", fourth_power])
def test_adjoint_source_is_the_derivative(function: Any) -> None:
    rate, misfit = 40.0, configured(function, FrequencyBand(2.0, 8.0))
    u, d, v = np.random.default_rng(0).standard_normal((3, 3, 2, 60))
    value, source = misfit.evaluate_arrays(u, d, rate)
    steps = 10.0 ** np.arange(-2, -5, -1)
    rest = [
        abs(misfit.evaluate_arrays(u + h * v, d, rate)[0] - value - h * np.vdot(source, v) / rate)
        for h in steps
    ]
    np.testing.assert_allclose(np.diff(np.log10(rest)) / np.diff(np.log10(steps)), 2.0, atol=0.02)


def test_without_a_band_nothing_is_named_otherwise() -> None:
    band, plain = configured("L2", BANDS[0]), configured("L2", None)
    stored = {
        "type": "MisfitConfiguration", "name": "m", "observed_data": "x", "misfit_function": "L2",
        "receiver_field": "phi", "extra_kwargs_misfit_function": {},
    }  # fmt: skip
    assert plain.digest() == content_digest(stored) and load(stored) == plain != band
    assert load(json.loads(json.dumps(band.to_dict()))) == band
    assert configured("L2", BANDS[1]).digest() != band.digest()


def test_the_gradient_with_a_band_is_the_derivative(project: Project) -> None:
    """The chain from medium to misfit: dot product at rounding, Taylor remainders of second order."""
    project += misfit()
    low = FrequencyBand(4000.0, 9000.0)
    project += MisfitConfiguration("low", observed_data="true", receiver_field="phi", frequency_band=low)
    actions = project.actions.inversion
    found = actions.check_gradient("initial", "low", "event_0000", parameters=["VP"])
    assert found.passed and found.dot_product_defect <= 1e-12
    assert len(found.taylor) == 2 and min(test.decades for test in found.taylor) >= 3.0
    chi, part = (actions.compute_misfits("initial", name, "event_0000") for name in ("L2", "low"))
    assert 0.05 * chi["event_0000"] < part["event_0000"] < 0.95 * chi["event_0000"]


# Settings of iterations


def test_bands_from_low_to_high(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    low, high = FrequencyBand(None, 8000.0), FrequencyBand(None, 14000.0)
    p = make_project(tmp_path / "p", frequency_band=low)
    for name, band in (("low", low), ("high", high)):
        p += MisfitConfiguration(name, observed_data="true", receiver_field="phi", frequency_band=band)
    actions = p.actions.inversion
    assert p.inversions.run(NAME, 2) == 2
    assert p.inversions.get_misfits(NAME)[0] == actions.compute_misfits("initial", "low", EVENTS)
    with caplog.at_level("INFO", "wavetree"):
        p.inversions.add_iteration(NAME, frequency_band=high)
    assert "Iteration 2 of 'inversion' has other settings: frequency_band." in caplog.text
    assert p.inversions.iterate(NAME)
    second, third, fourth = (p.inversions.get_iteration(NAME, k) for k in (1, 2, 3))
    assert third.changed == ("frequency band",) and third.settings.frequency_band == high
    assert fourth.changed == () and fourth.settings.frequency_band == high, "children inherit it"
    assert second.settings.frequency_band == low and second.settings.misfit_configuration == "L2"
    assert sum((third.misfits or {}).values()) > sum((second.misfits or {}).values()), "more is compared"
    p.inversions.add_iteration(NAME, 1, misfit_configuration="high", frequency_band=None)
    assert p.inversions.iterate(NAME, iteration_id=4)
    assert p.inversions.get_iteration(NAME, 4).misfits == third.misfits, "either says the same"
    p.close()
