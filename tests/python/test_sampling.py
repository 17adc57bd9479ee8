"""When receivers are sampled, and the transpose of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from outputs import simulate as simulate_both
from simulations import medium_box, simulate
from wavetree.config import load
from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis, resample
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.sampling import RecordSampling
from wavetree.simulation.time_axis import TimeAxis
from wavetree.testing import SimulationMisfit, dot_product_defect, taylor_slopes

TIMES = TimeAxis(-0.5, 0.01, 120)
AXIS = SampleAxis(-2e-4, 71000.0, 100)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"receiver_sampling_interval_in_time_steps": 3},
        {"receiver_time_axis": SampleAxis(-0.33, 61.0, 50)},
        {"receiver_time_axis": SampleAxis(-0.5, 100.0, 121)},
    ],
)
def test_the_transpose_counts_in_time(options: dict) -> None:
    """⟨R x, y⟩ times the records' interval is ⟨x, Rᵀ y⟩ times the time step."""
    sampling = RecordSampling.of(WaveformSimulationConfiguration(0.7, **options), TIMES)
    generator = np.random.default_rng(1)
    x, y = generator.standard_normal((2, 3, 130)), generator.standard_normal((2, 3, sampling.axis.npts))
    ratio = 1.0 / (sampling.axis.sampling_rate_in_hertz * TIMES.dt)
    defect = dot_product_defect(sampling.sample, lambda v: sampling.adjoint(v, 130) / ratio, x, y)
    assert defect < 1e-15


def test_every_nth_sample_and_all_of_them() -> None:
    values = np.random.default_rng(2).standard_normal((2, 130))
    every = RecordSampling.of(
        WaveformSimulationConfiguration(0.7, receiver_sampling_interval_in_time_steps=7), TIMES
    )
    np.testing.assert_array_equal(every.sample(values), values[:, :121:7])
    assert every.axis == SampleAxis(-0.5, 1.0 / (7 * 0.01), 18)
    own = RecordSampling.of(
        WaveformSimulationConfiguration(0.7, receiver_time_axis=SampleAxis(-0.5, 100.0, 121)), TIMES
    )
    np.testing.assert_array_equal(own.sample(values), values[:, :121])


@pytest.mark.parametrize("corrected", [False, True])
def test_records_are_those_of_the_time_steps_interpolated(corrected: bool) -> None:
    options = {"temporal_dispersion_correction": corrected}
    steps = simulate_both(**options).run()
    own = simulate_both(receiver_time_axis=SampleAxis(-2e-4, 71000.0, 50), **options).run()
    for field, values in own.data.items():
        expected = resample(steps.data[field], steps.axis, own.axis)
        np.testing.assert_allclose(values, expected, rtol=0.0, atol=1e-13 * np.abs(expected).max())
    assert own.axis.start_time_in_seconds == -2e-4 and own.axis.sampling_rate_in_hertz == 71000.0


@pytest.mark.parametrize("corrected", [False, True])
def test_the_gradient_is_exact(corrected: bool, record_property) -> None:
    simulation = simulate(
        medium_box(3), "absorbing", receiver_time_axis=AXIS, temporal_dispersion_correction=corrected
    )
    generator = np.random.default_rng(3)
    records = simulation.run()
    assert records.data["phi"].shape == (3, 1, 100)
    shaken = records.data["phi"] * (1.0 + 0.3 * generator.standard_normal((3, 1, 100)))
    observed = EventData("event", records.receivers, {"phi": shaken}, -2e-4, 71000.0)
    misfit = SimulationMisfit(simulation, observed)
    here, direction = np.zeros(misfit.size), generator.standard_normal(misfit.size)
    steps = 10.0 ** -np.arange(3.0, 6.01, 0.5)
    slopes = taylor_slopes(misfit, misfit.gradient(here), here, direction, steps)
    record_property("slopes", slopes.round(4).tolist())
    assert np.abs(slopes - 2.0).max() < 0.02


def test_adjoint_sources_have_the_shape_of_the_records() -> None:
    simulation = simulate(medium_box(2), receiver_time_axis=AXIS)
    simulation.run(1)
    with pytest.raises(
        ValueError, match=r"has shape \(3, 1, 99\); expected \(3, 1, 100\), that of the records"
    ):
        simulation.derivative({"phi": np.zeros((3, 1, 99))})


def test_axes_are_content_of_configurations() -> None:
    made = WaveformSimulationConfiguration(1.0, receiver_time_axis=AXIS)
    rebuilt = load(json.loads(json.dumps(made.to_dict())))
    assert rebuilt == made and rebuilt.receiver_time_axis == AXIS
    other = WaveformSimulationConfiguration(1.0, receiver_time_axis=SampleAxis(-2e-4, 71000.0, 101))
    assert made != other and made != WaveformSimulationConfiguration(1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"receiver_time_axis": 3}, "receiver_time_axis=3 is not valid"),
        (
            {"receiver_time_axis": {"start_time_in_seconds": 0, "sampling_rate_in_hertz": 1, "npts": 0}},
            "receiver_time_axis: npts=0 is not a positive whole number",
        ),
        (
            {"receiver_time_axis": AXIS, "receiver_sampling_interval_in_time_steps": 2},
            "receiver_time_axis is given and receiver_sampling_interval_in_time_steps is 2; expected one of",
        ),
    ],
)
def test_bad_axes_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WaveformSimulationConfiguration(1.0, **options)
