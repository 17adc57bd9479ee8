from __future__ import annotations

import numpy as np
import pytest

from wavetree.data.resample import SampleAxis, interpolation_matrix, resample, resample_transpose
from wavetree.testing import dot_product_defect


def waves(times: np.ndarray, rate: float, samples_per_period: float) -> np.ndarray:
    """Sines and cosines of many phases and periods down to the shortest one, (n_waves, n_times)."""
    frequencies = np.linspace(0.0, rate / samples_per_period, 40)
    phase = 2 * np.pi * np.outer(frequencies, times)
    return np.concatenate([np.sin(phase), np.cos(phase)])


@pytest.mark.parametrize("n", [48, 200])
def test_error_inside_and_at_the_ends(n: int) -> None:
    axis = SampleAxis(-0.3, 50.0, n)
    target = SampleAxis(-0.3, 50.0 * np.pi, int((n - 1) * np.pi) + 1)
    error = np.abs(resample(waves(axis.times, 50.0, 6.0), axis, target) - waves(target.times, 50.0, 6.0)).max(
        axis=0
    )
    assert error.max() <= 1e-6  # up to the very ends, where the signal is not zero
    assert error.argmax() < 10 or error.argmax() > error.size - 10
    if n > 100:
        inside = (target.times > axis.times[30]) & (target.times < axis.times[-30])
        assert error[inside].max() <= 1e-7


def test_short_records_converge_with_sampling() -> None:
    axis, target = SampleAxis(0.0, 1.0, 16), SampleAxis(0.25, 1.0, 15)
    coarse, fine = (
        np.abs(resample(waves(axis.times, 1.0, p), axis, target) - waves(target.times, 1.0, p)).max()
        for p in (6.0, 24.0)
    )
    assert fine < 1e-5 and fine <= coarse < 1e-3


def test_shared_samples_are_returned_unchanged() -> None:
    values = np.random.default_rng(0).standard_normal((3, 2, 100))
    axis = SampleAxis(-1e-5, 1 / 3.7e-7, 100)
    np.testing.assert_array_equal(resample(values, axis, axis), values)
    part = SampleAxis(axis.times[10], axis.sampling_rate_in_hertz / 2, 40)
    np.testing.assert_array_equal(resample(values, axis, part), values[..., 10:90:2])
    assert resample(values[0, 0].astype(np.float32), axis, axis).dtype == np.float64


@pytest.mark.parametrize("npts", [1, 30, 400])
def test_the_transpose_is_one(npts: int) -> None:
    axis, target = SampleAxis(-0.3, 50.0, 200), SampleAxis(-0.2871, npts / 3.9, npts)
    generator = np.random.default_rng(npts)
    x, y = generator.standard_normal((3, 2, 200)), generator.standard_normal((3, 2, npts))
    defect = dot_product_defect(
        lambda v: resample(v, axis, target), lambda v: resample_transpose(v, axis, target), x, y
    )
    assert defect < 1e-15
    with pytest.raises(ValueError, match=rf"shape \(3, 2, 200\) do not fit to an axis of {npts} samples"):
        resample_transpose(x, axis, target)


def test_noise_is_not_blown_up() -> None:
    positions = np.linspace(0.0, 299.0, 2000)
    norm = np.sqrt(interpolation_matrix(300, positions).power(2).sum(axis=1))
    inside = (positions > 30) & (positions < 269)
    assert norm[inside].max() <= 1.0 and norm.max() < 12.0


def test_long_record_is_cheap() -> None:
    axis = SampleAxis(0.0, 1.0, 20000)
    assert resample(np.ones((2, 20000)), axis, SampleAxis(0.5, 1.0, 19999)).shape == (2, 19999)


@pytest.mark.parametrize(("start", "npts"), [(-0.01, 10), (0.0, 101), (0.5, 97)])
def test_axis_must_be_covered(start: float, npts: int) -> None:
    axis = SampleAxis(0.0, 100.0, 100)
    with pytest.raises(
        ValueError, match=r"records from 0 s to 0\.99 s do not cover .*; provide longer records"
    ):
        resample(np.zeros(100), axis, SampleAxis(start, 100.0, npts))


def test_bad_axes_and_shapes() -> None:
    with pytest.raises(ValueError, match="sampling_rate_in_hertz=-1.0 is not a positive number"):
        SampleAxis(0.0, -1.0, 3)
    with pytest.raises(ValueError, match="npts=0 is not a positive whole number"):
        SampleAxis(0.0, 1.0, 0)
    with pytest.raises(ValueError, match="start_time_in_seconds=nan is not finite"):
        SampleAxis(float("nan"), 1.0, 3)
    with pytest.raises(ValueError, match=r"shape \(4,\) do not fit to an axis of 5 samples"):
        resample(np.zeros(4), SampleAxis(0.0, 1.0, 5), SampleAxis(0.0, 1.0, 5))
