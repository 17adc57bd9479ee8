"""The example of an ultrasound array: times of rays, picked arrivals, and the measured capture."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("WAVETREE_SHARED", ROOT.parent / "shared"))
CAPTURE = SHARED / "data" / "ndt_array_fmc_synaptus" / "ArrayCuBlockStationary.mat"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location(
        "ultrasound_array", ROOT / "examples" / "ultrasound_array.py"
    )
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:  # dataclasses look their module up
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def test_rays_take_the_shortest_time_and_obey_snells_law(example):
    point, water = np.array([[3.3e-3, -7.0e-3]]), 12.0e-3
    times, sines = example.times_to(point, water, 4660.0)
    for k in (0, 9, 31):
        away = point[0, 0] - example.ARRAY[k]
        shortest = minimize_scalar(
            lambda x, away=away: np.hypot(water, x) / 1480.0 + np.hypot(7.0e-3, away - x) / 4660.0,
            bounds=sorted((0.0, away)),
            method="bounded",
            options={"xatol": 1e-12},
        )
        assert times[k, 0] == pytest.approx(shortest.fun, rel=1e-12)
        in_copper = (abs(away) - water * np.tan(np.arcsin(sines[k, 0]))) / 7.0e-3
        assert np.sin(np.arctan(in_copper)) / 4660.0 == pytest.approx(sines[k, 0] / 1480.0, rel=1e-6)


def test_echoes_of_walls_and_holes_straight_below_an_element(example):
    below = float(example.ARRAY[10])
    setup = example.Setup(12.0e-3, 20.0e-3, True, ((below, -9.0e-3),))
    found = {name: times[10, 10] for name, (times, _) in example.echoes(setup).items()}
    front = 2.0 * 12.0e-3 / 1480.0
    assert found["front wall"] == pytest.approx(front, rel=1e-12)
    assert found["back wall"] == pytest.approx(front + 2.0 * 20.0e-3 / 4660.0, rel=1e-12)
    assert found["hole 1"] == pytest.approx(front + 2.0 * 8.0e-3 / 4660.0, rel=1e-9)
    for times, _ in example.echoes(setup).values():  # reciprocity
        np.testing.assert_allclose(times, times.T, rtol=1e-12)


def test_wall_echo_is_that_of_the_mirrored_element(example):
    """The ray to a wall and back ends on the line half way between, wherever the other points of the wall."""
    setup = example.Setup(12.0e-3, 20.0e-3, True, ())
    wall = np.stack([np.linspace(-16e-3, 16e-3, 3201), np.full(3201, -20.0e-3)], axis=1)
    times, _ = example.times_to(wall, 12.0e-3, 4660.0)
    assert example.wall_times(setup, 20.0e-3)[0][3, 24] == pytest.approx(
        (times[3] + times[24]).min(), rel=1e-9
    )


def test_lateness_of_noisy_and_clipped_bursts(example):
    times = np.arange(1200) / 50e6
    late = np.array([[-1.3, 0.0, 0.7, 5.0]]) * example.PERIOD
    records = 4.0 * example.burst(times - 12e-6 - late[..., None])
    records[0, 2] = np.clip(records[0, 2], -1.0, 1.0)  # as amplifiers do
    records += 0.05 * np.random.default_rng(7).standard_normal(records.shape)
    found = example.lateness(times, records, np.full((1, 4), 12e-6), least=0.3)
    np.testing.assert_allclose(found[0, :3], late[0, :3], atol=0.1 * example.PERIOD)
    assert np.isnan(found[0, 3])  # beyond the span there is nothing but noise


@pytest.mark.data
def test_measured_arrivals_are_those_of_rays(example):
    if not CAPTURE.is_file():
        pytest.skip(f"{CAPTURE} is not there")
    times, records = example.read_capture(CAPTURE)
    assert records.shape == (32, 32, 1250)
    assert times[0] == pytest.approx(28e-6)
    delay, setup = example.calibrate(times, records, 8.0)
    # The toolbox that the capture comes from takes 0.7 µs.
    assert delay == pytest.approx(0.7e-6, abs=0.5 * example.PERIOD)
    rest = (slice(None), slice(1, None, 2))
    for name, least_share in (("front wall", 1.0), ("hole 1", 0.98), ("hole 2", 0.9)):
        expected, alone = (values[rest] for values in example.echoes(setup)[name])
        late = example.lateness(times - delay, records[rest], expected, 8.0, example.AVERAGED)
        seen = late[alone & np.isfinite(late)] / example.PERIOD
        assert len(seen) > 100
        assert np.mean(np.abs(seen) < 1.0) >= least_share
