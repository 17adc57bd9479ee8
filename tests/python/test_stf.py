from __future__ import annotations

import json
from pathlib import Path

import h5py
import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from wavetree.config import load
from wavetree.survey.stf import (
    Custom,
    Delta,
    FilteredHeaviside,
    GaussianRate,
    Heaviside,
    Ricker,
    SourceTimeFunction,
)

matplotlib.use("Agg")
SMOOTH = [
    Ricker(50.0),
    Ricker(2.0, time_shift_in_seconds=0.7),
    GaussianRate(0.1, time_shift_in_seconds=-0.2),
    FilteredHeaviside(8.0, time_shift_in_seconds=0.5),
]


def sampled() -> Custom:
    times = np.arange(400) / 100.0
    return Custom.from_array(Ricker(5.0).evaluate(times - 1.5), 100.0, -1.5)


def spectrum(values: np.ndarray, step: float, frequency: float) -> float:
    return float(np.abs(step * values @ np.exp(-2j * np.pi * frequency * step * np.arange(values.size))))


def test_ricker_is_the_formula() -> None:
    times = np.linspace(-0.05, 0.05, 101)
    a = (np.pi * 50 * (times - 0.01)) ** 2
    np.testing.assert_allclose(
        Ricker(50.0, time_shift_in_seconds=0.01).evaluate(times), (1 - 2 * a) * np.exp(-a)
    )
    assert Ricker(50.0).evaluate(np.array(0.0)) == 1.0 and Ricker(50.0).center_frequency == 50.0
    assert Ricker(50.0).default_start_time() * 50 == pytest.approx(-1.325, abs=1e-3)


@pytest.mark.parametrize("stf", SMOOTH, ids=lambda stf: type(stf).__name__)
def test_starts_where_it_is_a_millionth_of_its_peak(stf: SourceTimeFunction) -> None:
    start = stf.default_start_time()
    times = np.linspace(start - 2, start + 4, 600001)
    values = np.abs(stf.evaluate(times)) / np.abs(stf.evaluate(times)).max()
    assert values[times < start].max() <= 1.0001e-6
    assert values[times < start].max() >= 0.99e-6 or values[times > start][0] >= 0.99e-6


@pytest.mark.parametrize("stf", SMOOTH[:3], ids=lambda stf: type(stf).__name__)
def test_spectrum_falls_to_a_hundredth_at_the_maximum_frequency(stf: SourceTimeFunction) -> None:
    start, edge = stf.default_start_time(), stf.maximum_frequency()
    step = 1 / (8 * edge)
    values = stf.evaluate(start + step * np.arange(4000))
    peak = max(spectrum(values, step, f) for f in np.linspace(0.0, edge, 500))
    assert spectrum(values, step, edge) == pytest.approx(1e-2 * peak, rel=1e-2)


def test_gaussian_rate_has_unit_integral_and_steps_end_at_one() -> None:
    times = np.linspace(-3, 3, 6001)
    assert SMOOTH[2].evaluate(times).sum() * 1e-3 == pytest.approx(1.0, abs=1e-12)
    assert SMOOTH[2].center_frequency is None
    step = FilteredHeaviside(8.0, time_shift_in_seconds=0.5)
    assert step.evaluate(np.array([-3.0, 0.5, 3.0])) == pytest.approx([0.0, 0.5, 1.0])
    rate = np.diff(step.evaluate(times)) / 1e-3  # its rate has the filter's spectrum
    assert spectrum(rate, 1e-3, step.maximum_frequency()) == pytest.approx(1e-2, rel=1e-2)


def test_delta_has_unit_integral_and_no_moment_on_every_axis() -> None:
    for start in (0.0, -0.3, -0.32, -0.3499):
        times = start + 0.1 * np.arange(10)
        values = Delta().evaluate(times)
        assert values.sum() * 0.1 == pytest.approx(1.0) and (values * times).sum() == pytest.approx(
            0.0, abs=1e-12
        )
    assert Delta().evaluate(np.arange(3) / 4.0).tolist() == [4.0, 0.0, 0.0]
    assert Delta().default_start_time() == 0.0 and Delta().maximum_frequency() is None
    for bad in (np.array([0.0]), np.array([0.0, 1.0, 3.0]), np.array([1.0, 0.0]), np.zeros((2, 2))):
        with pytest.raises(ValueError, match="Delta: times of shape .* are not evenly spaced and increasing"):
            Delta().evaluate(bad)


def test_heaviside() -> None:
    assert Heaviside().evaluate(np.array([-1.0, 0.0, 2.0])).tolist() == [0.0, 0.5, 1.0]
    assert Heaviside().evaluate(-0.3 + 0.1 * np.arange(5)).tolist() == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert Heaviside().default_start_time() == 0.0 and Heaviside().maximum_frequency() is None


def test_custom_is_its_samples_and_interpolates_between() -> None:
    stf, ricker = sampled(), Ricker(5.0)
    assert stf.default_start_time() == -1.5
    times = np.linspace(-1.5, 2.49, 1777)
    np.testing.assert_allclose(stf.evaluate(times), ricker.evaluate(times), atol=1e-7)
    np.testing.assert_array_equal(stf.evaluate(stf.axis.times), stf.samples)
    assert stf.evaluate(np.array([-1.52, 2.51])).tolist() == [0.0, 0.0]
    assert stf.maximum_frequency() == pytest.approx(ricker.maximum_frequency(), rel=0.02)
    noise = Custom.from_array(np.random.default_rng(0).standard_normal((100, 1)), 10.0, 0.0)
    assert noise.maximum_frequency() is None


def test_custom_from_file_equals_from_array(tmp_path: Path) -> None:
    stf, file = sampled(), tmp_path / "stf.h5"
    with h5py.File(file, "w") as h5:
        for name, attributes in {
            "source": {"sampling_rate_in_hertz": 100.0, "start_time_in_seconds": -1.5},
            "nano": {"sampling_rate_in_hertz": 100.0, "start_time_in_nanoseconds": -1500000000},
            "bare": {},
        }.items():
            h5[name] = np.array(stf.samples)[:, None]
            h5[name].attrs.update(attributes)
        h5["wide"] = np.zeros((4, 3))
        h5["wide"].attrs.update({"sampling_rate_in_hertz": 100.0, "start_time_in_seconds": 0.0})
    read = Custom(file, dataset_name="source")
    assert read == stf and read.digest() == stf.digest() and Custom(str(file), dataset_name="nano") == stf
    file.rename(tmp_path / "moved.h5")
    assert load(json.loads(json.dumps(read.to_dict()))) == stf  # the file is not needed any more
    moved = tmp_path / "moved.h5"
    for dataset, text in (
        ("sauce", "unknown dataset of .*moved.h5 'sauce'; did you mean 'source'"),
        ("bare", "has no attribute 'sampling_rate_in_hertz'"),
        ("wide", r"of shape \(4, 3\) is not a function of time"),
        (None, "dataset_name is missing"),
    ):
        with pytest.raises(ValueError, match=text):
            Custom(moved, dataset_name=dataset)


def test_custom_errors(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        Custom(tmp_path / "text.h5", dataset_name="a")
    with pytest.raises(ValueError, match="does not exist; give the path"):
        Custom("nowhere.h5", dataset_name="a")
    with pytest.raises(ValueError, match="at least two samples, their rate and start are needed"):
        Custom()
    with pytest.raises(ValueError, match=r"array of shape \(2,\) is not a function of time"):
        Custom.from_array([1.0, float("nan")], 1.0, 0.0)
    with pytest.raises(ValueError, match=r"sampling_rate_in_hertz=-1\.0 is not valid"):
        Custom.from_array([1.0, 2.0], -1.0, 0.0)
    with pytest.raises(ValueError, match="filename='a.h5' and samples are both given"):
        Custom("a.h5", dataset_name="b", samples=(1.0, 2.0))


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="Ricker: center_frequency=0 is not valid: expected greater than 0"):
        Ricker(0)
    with pytest.raises(
        ValueError, match="unknown argument 'time_shift'; did you mean 'time_shift_in_seconds'"
    ):
        Ricker(1.0, time_shift=0.1)
    with pytest.raises(ValueError, match="argument 'center_frequency' is missing"):
        Ricker()


@pytest.mark.parametrize(
    "stf", [*SMOOTH, Delta(), Heaviside(), sampled()], ids=lambda stf: type(stf).__name__
)
def test_plot_and_round_trip(stf: SourceTimeFunction) -> None:
    figure = stf.plot()
    left, right = figure.axes
    assert left.get_xlabel() == "time [s]" and right.get_xlabel() == "frequency [Hz]"
    drawn = right.lines[0].get_ydata()
    assert np.isfinite(drawn).all() and drawn.max() > 0
    pyplot.close(figure)
    assert load(json.loads(json.dumps(stf.to_dict()))) == stf
