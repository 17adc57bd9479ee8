"""Events of a project whose sources and receivers are transducers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projects import DOMAIN, misfit, run, simulation
from wavetree.config import load
from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis
from wavetree.data.transducer_records import EventRecords, TransducerRecords
from wavetree.errors import ConflictError
from wavetree.inversion import InverseProblemConfiguration
from wavetree.mapping import Mapping
from wavetree.optimize import TrustRegion
from wavetree.project.project import Project
from wavetree.simulation.configuration import EventConfiguration, WaveformSimulationConfiguration
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.receiver.receiver import Receiver
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker
from wavetree.survey.transducer import Transducer, linear_array
from wavetree.testing import SimulationMisfit, dot_product_defect, taylor_slopes

RICKER = Ricker(8000.0)
CONFIGURATION = EventConfiguration(
    RICKER,
    waveform_simulation_configuration=WaveformSimulationConfiguration(
        1.6e-4, time_step_in_seconds=2.8e-6, precision="float64", receiver_sampling_interval_in_time_steps=2
    ),
)


def array() -> list[Transducer]:
    """Two elements, one focused and one late."""
    first, second = linear_array("E", ((0.06, -0.04), (0.06, 0.04)), 2, 0.03, 3)
    return [first.focused((-0.02, 0.0), 1500.0), second.delayed(7.3e-6)]


def receivers() -> list[Receiver]:
    """A transducer, a point that records another field too, another transducer."""
    first, second = array()
    point = Point2D(x=0.06, y=0.0, station_code="point", fields=["phi", "phi_t"])
    return [first.receiver(["phi"]), point, second.receiver(["phi"], "AR")]


def event(**changes: Any) -> Event:
    element = Transducer.line("S", (-0.06, -0.02), (-0.06, 0.02), 3).focused((0.0, 0.01), 1500.0)
    values = {"receivers": receivers(), "event_name": "event_0000"} | changes
    return Event(element.sources(ScalarPoint2D, RICKER, f=1.0), **values)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = Project.from_domain(tmp_path / "project", DOMAIN)
    p += event()
    p += simulation("initial", event_configuration=CONFIGURATION)
    p += simulation("true", 1520.0, event_configuration=CONFIGURATION)
    yield p
    p.close()


def points_of_event() -> Event:
    """The same event with the points as receivers, which the transducers' records are made of by hand."""
    return event(receivers=event().points, event_name="points")


def by_hand(points: EventData) -> np.ndarray:
    """The records of `receivers` from those of `points_of_event`."""
    first, second = array()
    phi, axis = points.data["phi"], points.axis
    of_array = TransducerRecords([first, second], axis.sampling_rate_in_hertz, axis.npts)
    elements = of_array.combine(phi[[0, 1, 2, 4, 5, 6]])
    return np.stack([elements[0], phi[3], elements[1]])


def test_events_with_transducers_are_stored(project: Project) -> None:
    again = Project(project.path)
    assert again.events.get("event_0000") == event()
    assert load(event().to_dict()) == event()
    again += event()  # identical content
    with pytest.raises(ConflictError, match=r"receivers\[0\].transducer.delays\[0\]"):
        again += event(receivers=[array()[0].delayed(1e-6).receiver(["phi"]), *receivers()[1:]])
    assert event().receiver_names == ["XX.E0000.", "XX.point.", "AR.E0001."]
    assert [point.name for point in event().points[2:5]] == ["XX.E0000.0002", "XX.point.", "AR.E0001.0000"]
    disc = Transducer.disc("D", (0.0, 0.0, 1.0), (0.0, 0.0, 1.0), 0.1, 2).receiver(["velocity"])
    assert (disc.dim, disc.location) == (3, pytest.approx((0.0, 0.0, 1.0)))
    assert len(disc.points()) == 18 and {type(point).__name__ for point in disc.points()} == {"Point3D"}


def test_records_are_those_of_the_elements(project: Project) -> None:
    project += points_of_event()
    run(project, "true")
    (found,) = project.waveforms.get("true", "event_0000")
    (points,) = project.waveforms.get("true", "points")
    assert found.get_receiver_names("phi") == event().receiver_names
    np.testing.assert_array_equal(found.data["phi"], by_hand(points))
    np.testing.assert_array_equal(found.data["phi_t"], points.data["phi_t"])
    assert found.receivers == list(event().receivers)
    assert found.to_obspy()[0].stats.wavetree.location == pytest.approx((0.06, -0.04))
    assert len(found.plot(receiver_field="phi", plot_types=["shotgather", "wiggles"]).axes) >= 2
    project.viz.nb.simulation_setup(simulation_configuration="true", events="event_0000")
    assert "3 sources" in str(project.actions.validation.geometry("true", "event_0000"))


def test_misfits_compare_records_of_elements(project: Project) -> None:
    """With measured records of the elements, of which one is missing, as with synthetic ones."""
    project += points_of_event()
    run(project, "true", "initial")
    u, d = (by_hand(project.waveforms.get(name, "points")[0]) for name in ("initial", "true"))
    measured = project.waveforms.get("true", "event_0000")[0]
    expected = 0.5 * ((u - d) ** 2).sum(axis=(1, 2)) / measured.sampling_rate_in_hertz
    project += misfit()
    compute = project.actions.inversion.compute_misfits
    assert compute("initial", "L2", "event_0000") == {"event_0000": pytest.approx(expected.sum(), rel=1e-12)}
    # The records of an element as any receiver's, wherever it is said to stand.
    places = [Point2D(x=0.06, y=0.04, network_code="AR", station_code="E0001", fields=["phi"])]
    places.append(Point2D(x=0.06, y=-0.04, station_code="E0000", fields=["phi"]))
    axis = measured.axis
    data = EventData("event_0000", places, {"phi": d[[2, 0]]}, axis.times[0], axis.sampling_rate_in_hertz)
    project.waveforms.add_external("measured", "event_0000", data)
    project += misfit("measured", "EXTERNAL_DATA:measured")
    found = compute("initial", "measured", "event_0000")
    assert found == {"event_0000": pytest.approx(expected[[0, 2]].sum(), rel=1e-12)}


def test_gradients_are_the_derivative(project: Project) -> None:
    """The gradient of the tasks, through files, against the misfit that `check_gradient` differentiates."""
    project += misfit()
    gradient = project.actions.inversion.compute_gradients("initial", "L2")
    problem = project.actions.inversion.problem("initial", "L2", gradients=True)
    pipeline = project.pipeline(problem)
    assert gradient is not None and pipeline.advance_gradients()
    raw = pipeline.gradients()["event_0000"]
    task, generator = problem.forward_tasks["event_0000"], np.random.default_rng(2)
    given, records = task.simulation(), task.records()
    observed = project.waveforms.get("true")[0]

    class Elements:
        def evaluate(self, synthetic: EventData, measured: EventData) -> Any:
            chi, source, same = misfit().evaluate(records.combine(synthetic), measured)
            return chi, records.spread(source), same

    chain = SimulationMisfit(given, observed, Elements())
    here, direction = np.zeros(chain.size), generator.standard_normal(chain.size)
    own = np.concatenate([(chain.scale[name] * raw[name]).ravel() for name in chain.scale])
    np.testing.assert_allclose(own, chain.gradient(here), rtol=0.0, atol=1e-12 * np.abs(own).max())
    slopes = taylor_slopes(chain, own, here, direction, 10.0 ** -np.arange(2.0, 5.5, 0.5))
    np.testing.assert_allclose(slopes, 2.0, atol=0.02)


def test_the_certificate_of_a_project_with_transducers(project: Project) -> None:
    project += misfit()
    certificate = project.actions.inversion.check_gradient("initial", "L2", parameters=["VP"])
    assert certificate.passed, str(certificate)


def test_inversions_go_down(project: Project) -> None:
    """An iteration with cut-outs around the points of the transducers, where the update has to vanish."""
    project += misfit()
    mapping = Mapping("absolute", inversion_parameters=["VP"], receiver_cutout_radius_in_meters=0.008)
    project += InverseProblemConfiguration(
        "inversion",
        prior_model="initial",
        events=["event_0000"],
        misfit_configuration="L2",
        mapping=mapping,
        method=TrustRegion(initial_trust_region_linf=5.0),
    )
    project.inversions.run("inversion", n_iterations=1)
    first, second = (project.inversions.get_iteration("inversion", k) for k in (0, 1))
    assert 0.0 < second.misfit < 0.9 * first.misfit
    model = project.inversions.get_model("inversion", 1)
    change = model.element_nodal_fields["VP"] - 1500.0
    nodes = model.node_coordinates(4)
    for point in event().points:
        distance = np.linalg.norm(nodes - np.array(point.location), axis=2)  # type: ignore[attr-defined]
        assert np.abs(change[distance < 0.003]).max(initial=0.0) < 0.5 * np.abs(change).max()
    assert np.abs(change).max() > 1.0


def test_combine_and_spread_are_transposes() -> None:
    """Of a mix of transducers and points, which record different fields."""
    axis, generator = SampleAxis(-1e-4, 2e5, 150), np.random.default_rng(4)
    records = EventRecords(receivers(), axis)
    points = event().points
    shapes = {"phi": (7, 1, 150), "phi_t": (1, 1, 150)}
    split = np.cumsum([7 * 150])

    def forward(flat: np.ndarray) -> np.ndarray:
        parts = np.split(flat, split)
        values = {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        found = records.combine(EventData("e", points, values, axis.times[0], 2e5))
        return np.concatenate([found.data[name].ravel() for name in shapes])

    def transpose(flat: np.ndarray) -> np.ndarray:
        phi, phi_t = np.split(flat, [3 * 150])
        found = records.spread({"phi": phi.reshape(3, 1, 150), "phi_t": phi_t.reshape(1, 1, 150)})
        return np.concatenate([found[name].ravel() for name in shapes])

    x, y = generator.standard_normal(8 * 150), generator.standard_normal(4 * 150)
    assert dot_product_defect(forward, transpose, x, y) < 1e-14


def test_what_does_not_fit_is_refused(project: Project) -> None:
    late = [array()[0].delayed(1.0).receiver(["phi"])]
    project += event(receivers=late, event_name="late")
    with pytest.raises(ValueError, match=r"receiver 'XX.E0000.': a delay is 1\S* s, but records last"):
        project.simulations.launch("initial", "late")
    wide = Transducer.line("wide", (0.06, 0.0), (0.06, 0.3), 3).receiver(["phi"])
    with pytest.raises(
        ValueError, match=r"receiver 1 of event 'wide' at \(0.06, 0.15\) m lies 0.05 m outside"
    ):
        project += event(receivers=[wide], event_name="wide")
    with pytest.raises(ValueError, match="code 'a.b' has a dot"):
        Transducer.line("a.b", (0.0, 0.0), (1.0, 0.0), 2).receiver(["phi"])
    with pytest.raises(ValueError, match="unknown receiver field 'psi'"):
        array()[0].receiver(["psi"])
    with pytest.raises(ValueError, match="receiver 'XX.E0000.' is a transducer of 3 points; expected"):
        receivers()[0].resolve(None)  # type: ignore[arg-type]
    records = EventRecords(receivers(), SampleAxis(0.0, 1e6, 10))
    alone = EventData("e", event().points[:1], {"phi": np.zeros((1, 1, 10))}, 0.0, 1e6)
    with pytest.raises(ValueError, match="has 1 receivers and 10 samples; expected the 7 points"):
        records.combine(alone)
