"""Transducers of finite size as sources and receivers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import j1

from analytic.media import Fluid
from fill import fill
from wavetree.config import load
from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis, interpolation_matrix
from wavetree.data.transducer_records import TransducerRecords
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.delay import Delayed
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source.cartesian import ScalarPoint2D, VectorPoint3D
from wavetree.survey.stf import Delta, Ricker
from wavetree.survey.transducer import Transducer, joined, linear_array

WATER = Fluid(vp=1500.0, rho=1000.0)
RICKER = Ricker(20e3)


def directivity(transducer: Transducer, direction: np.ndarray, k: float) -> complex:
    """Far field in a direction (dim,), Σ w exp(−ikx·d), of wave number k."""
    return complex(np.array(transducer.weights) @ np.exp(-1j * k * np.array(transducer.points) @ direction))


# -- shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
def test_the_far_field_of_a_line_is_a_sinc(angle: float) -> None:
    """2.5 wavelengths wide, 10 points: sin(x)/x with x = k a/2 sin θ."""
    element = Transducer.line("a", (-0.0125, 0.0), (0.0125, 0.0), 10)
    k = 2.0 * np.pi / 0.01
    found = directivity(element, np.array([np.sin(angle), np.cos(angle)]), k)
    assert found == pytest.approx(np.sinc(0.025 / 0.01 * np.sin(angle)), abs=1e-7)
    assert element.center == pytest.approx((0.0, 0.0), abs=1e-17)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 2.0), (1.0, -2.0, 0.5)])
def test_the_far_field_of_a_disc_is_a_bessel_function(normal: tuple[float, float, float]) -> None:
    """2 J1(x)/x with x = k a sin θ, a two wavelengths."""
    disc = Transducer.disc("a", (0.1, 0.2, 0.3), normal, 0.02, 8)
    k, axis = 2.0 * np.pi / 0.01, np.array(normal) / np.linalg.norm(normal)
    across = np.linalg.svd(axis[None])[2][1]
    for angle in (1e-6, 0.2, 0.7):
        direction = np.cos(angle) * axis + np.sin(angle) * across
        found = directivity(disc, direction, k) * np.exp(1j * k * np.array(disc.center) @ direction)
        x = k * 0.02 * np.sin(angle)
        assert found == pytest.approx(2.0 * j1(x) / x, abs=1e-6)
    assert disc.center == pytest.approx((0.1, 0.2, 0.3)) and sum(disc.weights) == pytest.approx(1.0)


def test_arcs() -> None:
    arc = Transducer.arc("a", (1.0, 2.0), 0.5, (0.0, np.pi), 12)
    points = np.array(arc.points) - (1.0, 2.0)
    np.testing.assert_allclose(np.hypot(*points.T), 0.5)
    # The mean of sin over half a circle.
    assert arc.center == pytest.approx((1.0, 2.0 + 0.5 * 2.0 / np.pi), abs=1e-12)


def test_delays() -> None:
    element = Transducer.line("a", (-0.01, 0.0), (0.01, 0.0), 5)
    focused = element.focused((0.0, 0.03), 1500.0)
    x = np.array(element.points)
    arrival = np.array(focused.delays) + np.hypot(x[:, 0], 0.03) / 1500.0
    np.testing.assert_allclose(arrival, arrival[0], rtol=1e-14)
    assert min(focused.delays) == 0.0
    steered = element.steered((1.0, 1.0), 1500.0)
    np.testing.assert_allclose(np.diff(steered.delays), np.diff(x[:, 0]) * np.sqrt(0.5) / 1500.0, rtol=1e-12)
    assert element.delayed(1e-6).delays == (1e-6,) * 5
    assert load(steered.to_dict()) == steered


def test_linear_arrays() -> None:
    """32 elements of 0.9 mm, 1 mm apart."""
    elements = linear_array("E", ((-0.0155, 0.0), (0.0155, 0.0)), 32, 0.9e-3, 3)
    np.testing.assert_allclose([e.center[0] for e in elements], -0.0155 + 1e-3 * np.arange(32), atol=1e-15)
    assert np.ptp([p[0] for p in elements[0].points]) < 0.9e-3 and elements[31].name == "E0031"
    whole = joined("array", [e.delayed(1e-7 * k) for k, e in enumerate(elements)])
    assert len(whole.points) == 96 and sum(whole.weights) == pytest.approx(32.0)
    assert whole.delays[::3] == tuple(1e-7 * k for k in range(32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Transducer("a", points=[[0.0, 0.0]], weights=[1.0, 2.0], delays=[0.0]),
            "1 points, 2 weights",
        ),
        (lambda: Transducer("a", points=[[0.0]], weights=[1.0], delays=[0.0]), "two or three coordinates"),
        (lambda: Transducer("a", points=[[0.0, 0.0]], weights=[1.0], delays=[-1.0]), "expected none below 0"),
        (lambda: Transducer.line("a", (0.0, 0.0), (1.0, 0.0, 0.0), 3), "expected as many coordinates"),
        (lambda: Transducer.line("a", (0.0, 0.0), (1.0, 0.0), 0), "count is 0; expected at least 1"),
        (lambda: Transducer.arc("a", (0.0, 0.0), 0.0, (0.0, 1.0), 3), "radius is 0.0; expected a positive"),
        (lambda: Transducer.disc("a", (0.0,) * 3, (0.0,) * 3, 1.0, 3), "normal is .* not all zero"),
        (lambda: linear_array("a", ((0.0, 0.0), (0.0, 0.0)), 3, 1.0), "expected at least 2 elements between"),
        (
            lambda: Transducer.line("a", (0.0, 0.0), (1.0, 0.0), 2).focused((0.0,), 1.0),
            "expected 2 coordinates",
        ),
        (lambda: Transducer.line("a", (0.0, 0.0), (1.0, 0.0), 2).steered((0.0, 0.0), 1.0), "not all zero"),
        (lambda: Transducer.line("a", (0.0, 0.0), (1.0, 0.0), 2).steered((0.0, 1.0), 0.0), "velocity is 0.0"),
        (
            lambda: Transducer.line("a", (0.0, 0.0), (1.0, 0.0), 2).receivers(Point3D, ["phi"]),
            "'a' has 2 dimensions and a Point3D 3",
        ),
    ],
)
def test_bad_transducers_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


# -- sources ---------------------------------------------------------------------------------------


def test_delayed_functions() -> None:
    times = np.linspace(-1e-4, 3e-4, 50)
    late = Delayed(RICKER, delay_in_seconds=1.234e-5)
    np.testing.assert_array_equal(late.evaluate(times), RICKER.evaluate(times - 1.234e-5))
    assert late.default_start_time() == RICKER.default_start_time() + 1.234e-5
    assert (late.maximum_frequency(), late.center_frequency) == (RICKER.maximum_frequency(), 20e3)
    shifted = Ricker(20e3, time_shift_in_seconds=1.234e-5)
    np.testing.assert_allclose(late.evaluate(times), shifted.evaluate(times), rtol=1e-12)
    assert Delayed(Delta(), delay_in_seconds=0.5).evaluate(np.arange(4.0)).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert load(late.to_dict()) == late
    assert len(late.plot().axes) == 2


def test_sources_of_a_transducer() -> None:
    element = Transducer.disc("a", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.1, 2).focused((0.0, 0.0, 1.0), 1500.0)
    sources = element.sources(VectorPoint3D, RICKER, fx=0.0, fy=0.0, fz=-3.0)
    assert sum(s.fz for s in sources) == pytest.approx(-3.0) and len(sources) == 18
    assert [s.location for s in sources] == [tuple(p) for p in element.points]
    record = Event(sources, receivers=element.receivers(Point3D, ["velocity"]), event_name="shot")
    assert load(record.to_dict()) == record
    delays = [getattr(s.source_time_function, "delay_in_seconds", 0.0) for s in sources]
    assert delays == list(element.delays)


def tank() -> Mesh:
    return fill(box_mesh(((0.0, 0.2), (0.0, 0.1)), (6, 3)), 4, WATER)


SPAN = WaveformSimulationConfiguration(1.5e-4, start_time_in_seconds=-7e-5, precision="float64")


def test_a_focused_line_fires_as_its_points_do_one_after_the_other() -> None:
    """The record of the transducer is the sum of its points' records, each shifted by band-limited delays."""
    element = Transducer.line("a", (0.05, 0.02), (0.05, 0.08), 4).focused((0.12, 0.05), 1500.0)
    receivers = [Point2D(x=0.12, y=0.05, station_code="focus", fields=["phi"])]
    together = Simulation(tank(), element.sources(ScalarPoint2D, RICKER, f=2.0), receivers, SPAN).run()
    rate, expected = together.sampling_rate_in_hertz, 0.0
    for point, weight, delay in zip(element.points, element.weights, element.delays, strict=True):
        source = ScalarPoint2D(x=point[0], y=point[1], f=2.0 * weight, source_time_function=RICKER)
        alone = Simulation(tank(), [source], receivers, SPAN).run().data["phi"][0, 0]
        positions = np.arange(len(alone)) - delay * rate
        shifted = interpolation_matrix(len(alone), np.clip(positions, 0.0, None)) @ alone
        expected = expected + np.where(positions < 0.0, 0.0, shifted)
    found = together.data["phi"][0, 0]
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(found).max())


# -- receivers -------------------------------------------------------------------------------------


def transducers() -> list[Transducer]:
    elements = linear_array("E", ((0.14, 0.03), (0.14, 0.07)), 2, 0.015, 3)
    return [elements[0].focused((0.05, 0.05), 1500.0), elements[1].delayed(3.3e-6)]


def test_combine_and_spread_are_transposes() -> None:
    operator, generator = TransducerRecords(transducers(), 1e6, 200), np.random.default_rng(0)
    u, d = generator.standard_normal((6, 2, 200)), generator.standard_normal((2, 2, 200))
    left, right = np.vdot(operator.combine(u), d), np.vdot(u, operator.spread(d))
    assert abs(left - right) < 1e-13 * np.linalg.norm(u) * np.linalg.norm(d)


def test_records_are_weighted_and_delayed() -> None:
    """Of a band-limited signal at all points the record is Σ w s(t − τ), as near as interpolation is."""
    elements, axis = transducers(), SampleAxis(-8e-5, 1e6, 250)
    operator = TransducerRecords(elements, 1e6, 250)
    signal = np.broadcast_to(RICKER.evaluate(axis.times), (6, 1, 250))
    found = operator.combine(signal)
    for element, record in zip(elements, found[:, 0], strict=True):
        late = [
            w * RICKER.evaluate(axis.times - t) for w, t in zip(element.weights, element.delays, strict=True)
        ]
        np.testing.assert_allclose(record, np.sum(late, axis=0), atol=1e-6)


def recorded(mesh: Mesh) -> tuple[Simulation, TransducerRecords]:
    elements = transducers()
    receivers = [r for element in elements for r in element.receivers(Point2D, ["phi"])]
    source = ScalarPoint2D(x=0.05, y=0.05, f=1.0, source_time_function=RICKER)
    axis = Simulation(tank(), [source], receivers, SPAN).time_axis
    simulation = Simulation(mesh, [source], receivers, SPAN, time_axis=axis)
    return simulation, TransducerRecords(elements, 1.0 / axis.dt, axis.n_samples)


def test_gradients_through_transducers() -> None:
    """χ = ½ dt Σ d² of the transducers' records: its derivative along a direction, by central differences."""
    mesh, direction = tank(), np.random.default_rng(3).uniform(-1.0, 1.0, (18, 25))

    def misfit(step: float) -> float:
        changed = mesh.copy()
        changed.attach_field("VP", mesh.element_nodal_fields["VP"] + step * direction)
        simulation, operator = recorded(changed)
        d = operator.combine(simulation.run().data["phi"])
        return 0.5 * simulation.time_axis.dt * float((d**2).sum())

    simulation, operator = recorded(mesh)
    d = operator.combine(simulation.run(storage=1).data["phi"])
    derivative = simulation.derivative({"phi": operator.spread(d)})["VP"]
    difference = (misfit(1e-2) - misfit(-1e-2)) / 2e-2
    assert float((derivative * direction).sum()) == pytest.approx(difference, rel=1e-6)


def test_event_data_of_transducers() -> None:
    elements = transducers()
    receivers = [r for element in elements for r in element.receivers(Point2D, ["phi"], "AR")]
    values = np.random.default_rng(1).standard_normal((6, 1, 100))
    data = EventData("e", receivers, {"phi": values}, 0.0, 1e6)
    operator = TransducerRecords(elements, 1e6, 100)
    found = operator.event_data(data)
    assert found.receiver_names == ["AR.E0000.", "AR.E0001."]
    np.testing.assert_array_equal(found.data["phi"], operator.combine(values))
    assert found.receivers[0].location == pytest.approx((0.14, 0.03))  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="has 5 receivers that are not the 6 points of the transducers"):
        operator.event_data(EventData("e", receivers[:5], {"phi": values[:5]}, 0.0, 1e6))
    with pytest.raises(ValueError, match=r"2e\+06 samples per second; expected 1e\+06"):
        operator.event_data(EventData("e", receivers, {"phi": values}, 0.0, 2e6))
    with pytest.raises(ValueError, match=r"values has shape \(6, 1, 99\); expected \(6, n_components, 100\)"):
        operator.combine(values[..., :99])
    with pytest.raises(ValueError, match=r"a delay is .* but records last 4e-06 s; expected longer records"):
        TransducerRecords([elements[1].delayed(1e-5)], 1e6, 5)
