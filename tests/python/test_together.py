"""Events in lanes: results per event as alone, and the same bits in every company."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulations import BOUNDARIES, RHO, UNIT, VP, medium_box, relative
from wavetree import _core
from wavetree.data.event_data import EventData
from wavetree.errors import Cancelled, SimulationFailed
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import Core, default_instruction_set, make_core, n_lanes
from wavetree.simulation.medium import medium
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.source_derivative import AdjointResult
from wavetree.simulation.storage_plan import checkpoints_plan, interval_plan
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step
from wavetree.simulation.together import adjoint_together, run_together
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D, VectorPoint2D
from wavetree.survey.stf import Ricker

ORDER = 4
pytestmark = pytest.mark.skipif(default_instruction_set() == "base", reason="lanes are for wide registers")


class Setup:
    """A mesh, its time axis, and events on it."""

    def __init__(self, solid: bool) -> None:
        self.solid = solid
        self.mesh = solid_box() if solid else medium_box(ORDER)
        self.conditions = (Absorbing(["x0", "y1"]),) if solid else BOUNDARIES["sponge"]
        self.own = medium(self.mesh, ORDER)
        self.axis = TimeAxis(-7e-4, 0.9 * maximum_time_step(self.own, self.conditions), 150)
        self.lanes = self.core(True).lanes

    def core(self, events_in_lanes: bool) -> Core:
        return make_core(self.own, self.conditions, "float32", 1, events_in_lanes=events_in_lanes)

    def simulation(self, number: int, core: Core, amplitude: float = 1e3) -> Simulation:
        x, wavelet = 0.25 + 0.06 * number, Ricker(1500.0 + 50.0 * number)
        force = {"fx": amplitude, "fy": 0.3 * amplitude} if self.solid else {"f": amplitude}
        kind = VectorPoint2D if self.solid else ScalarPoint2D
        fields = ["velocity", "stress"] if self.solid else ["phi_t"]
        places = [(0.2, 0.7), (0.8, 0.6), (0.5, 0.35)][: 2 + number % 2]
        return Simulation(
            self.mesh,
            [kind(x=x, y=0.4, source_time_function=wavelet, **force)],
            [Point2D(x=x, y=y, station_code=f"{k}", fields=fields) for k, (x, y) in enumerate(places)],
            WaveformSimulationConfiguration(end_time_in_seconds=self.axis.end),
            self.conditions,
            "float32",
            time_axis=self.axis,
            event_name=f"event {number}",
            core=core,
        )

    def together(self, numbers: Sequence[int]) -> list[Simulation]:
        cores = [self.lanes[k % len(self.lanes)] for k in range(len(numbers))]
        return [self.simulation(number, core) for number, core in zip(numbers, cores, strict=True)]


def solid_box() -> Mesh:
    mesh = box_mesh(UNIT, (4, 3), shape_order=1)
    for name, value in (("VP", VP), ("VS", 0.5 * VP), ("RHO", RHO)):
        mesh.attach_field(name, np.full((mesh.nelem, (ORDER + 1) ** 2), value))
    return mesh


@pytest.fixture(scope="module", params=[False, True], ids=["fluid", "solid"])
def setup(request: pytest.FixtureRequest) -> Setup:
    return Setup(request.param)


@pytest.fixture(scope="module")
def fluid() -> Setup:
    return Setup(False)


def adjoint_sources(simulation: Simulation, seed: int = 0) -> dict[str, np.ndarray]:
    """Something to be seen at the receivers that does not depend on the rounding of records."""
    rng, n = np.random.default_rng(seed), simulation.time_axis.n_samples
    pulse = np.exp(-(((np.arange(n) - 0.6 * n) / 8.0) ** 2))
    counts = {"phi_t": 1, "velocity": 2, "stress": 3}
    return {
        field: rng.standard_normal((len(simulation.receivers), counts[field], 1)) * pulse
        for field in simulation.receivers[0].fields
    }


def gradients(simulations: list[Simulation], **options: Any) -> tuple[list[EventData], list[AdjointResult]]:
    """Records and derivatives of events that all succeed."""
    records = run_together(simulations, **{"storage": 1, **options})
    results = adjoint_together(simulations, [adjoint_sources(s) for s in simulations])
    assert all(isinstance(one, EventData) for one in records)
    assert all(isinstance(one, AdjointResult) for one in results)
    return records, results  # type: ignore[return-value]


def assert_same_bits(one: tuple[EventData, AdjointResult], other: tuple[EventData, AdjointResult]) -> None:
    for field, values in one[0].data.items():
        np.testing.assert_array_equal(values, other[0].data[field])
    for name, values in one[1].derivative.items():
        np.testing.assert_array_equal(values, other[1].derivative[name])


def test_the_number_of_lanes_is_known_before_anything_is_compiled(fluid: Setup) -> None:
    assert n_lanes(default_instruction_set()) == len(fluid.lanes) > 1 == n_lanes("base")


@pytest.mark.parametrize("interval", [1, 5])
def test_events_together_are_as_alone(setup: Setup, interval: int) -> None:
    simulations = setup.together(range(3))
    records, results = gradients(simulations, storage=interval)
    for number, (data, result) in enumerate(zip(records, results, strict=True)):
        single = setup.simulation(number, setup.core(False))
        expected = single.run(interval)
        assert data.event_name == f"event {number}" and data.data.keys() == expected.data.keys()
        for field, values in expected.data.items():
            assert data.data[field].dtype == values.dtype and np.abs(values).max() > 0
            assert relative(data.data[field], values) < 2e-5
        wanted = single.adjoint(adjoint_sources(single))
        for name, values in wanted.derivative.items():
            assert relative(result.derivative[name], values) < 1e-4
        (found,), (source,) = result.sources, wanted.sources
        assert relative(found.by_source_time_function, source.by_source_time_function) < 1e-4
        assert relative(found.by_location, source.by_location) < 1e-4


def test_an_event_has_the_same_bits_in_every_company(setup: Setup) -> None:
    n = len(setup.lanes)
    alone = [one[0] for one in gradients(setup.together([2]))]
    last = [one[-1] for one in gradients(setup.together([*range(3, 2 + n), 2]))]
    swapped = [one[1] for one in gradients(setup.together([5, 2, 0]))]
    single = setup.simulation(2, setup.lanes[0])
    itself = single.run(1), single.adjoint(adjoint_sources(single))
    for other in (last, swapped, itself):
        assert_same_bits((alone[0], alone[1]), (other[0], other[1]))


def test_more_events_than_lanes_run_in_groups(fluid: Setup) -> None:
    n = len(fluid.lanes)
    many = gradients(fluid.together(range(n + 2)))
    few = gradients(fluid.together([n, n + 1]))
    for k in range(2):
        assert_same_bits((many[0][n + k], many[1][n + k]), (few[0][k], few[1][k]))


def test_what_is_kept_is_taken_up_in_another_lane(fluid: Setup) -> None:
    before = fluid.together([0, 1])
    _, expected = gradients(before)
    after = fluid.together([1, 0])
    for one, other in zip(after, reversed(before), strict=True):
        one.restore(other.stored, 1)
    found = adjoint_together(after, [adjoint_sources(one) for one in after])
    for one, other in zip(found, reversed(expected), strict=True):
        assert isinstance(one, AdjointResult)
        for name, values in other.derivative.items():
            np.testing.assert_array_equal(one.derivative[name], values)


# -- failures ----------------------------------------------------------------------------------


def test_one_event_that_fails_does_not_spoil_the_others(fluid: Setup) -> None:
    good = gradients(fluid.together([0, 2]))
    mixed = fluid.together([0, 1, 2])
    mixed[1] = fluid.simulation(1, fluid.lanes[1], amplitude=1e38)
    records = run_together(mixed, 1)
    assert isinstance(records[1], SimulationFailed) and "no longer finite" in str(records[1])
    for k, one in ((0, records[0]), (1, records[2])):
        assert isinstance(one, EventData)
        np.testing.assert_array_equal(one.data["phi_t"], good[0][k].data["phi_t"])


def test_one_adjoint_run_that_fails_does_not_spoil_the_others(fluid: Setup) -> None:
    expected = gradients(fluid.together([0, 1, 2]))[1]
    simulations = fluid.together([0, 1, 2])
    run_together(simulations, 1)
    sources = [adjoint_sources(one) for one in simulations]
    sources[0] = {"phi_t": 1e38 * sources[0]["phi_t"]}
    found = adjoint_together(simulations, sources)
    assert isinstance(found[0], SimulationFailed)
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert isinstance(one, AdjointResult)
        np.testing.assert_array_equal(one.derivative["VP"], other.derivative["VP"])


def test_the_event_whose_energy_grows_is_found(fluid: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the core says it for the sum of all: none of the fields has an infinite number yet."""
    simulations = fluid.together([0, 1, 2])
    compiled = type(fluid.lanes[0].compiled)
    forward = compiled.forward

    def growing(self: Any, state: Any, end: int, *rest: Any) -> None:
        forward(self, state, end, *rest)
        if np.abs(self.field(state, 0, False, 1)).max() > 0:
            raise SimulationFailed("the energy of the wavefield has grown")

    monkeypatch.setattr(compiled, "forward", growing)
    records = run_together(simulations)
    assert [isinstance(one, EventData) for one in records] == [True, False, True]


def test_a_cancelled_group_stops(fluid: Setup) -> None:
    control = _core.Control()
    control.cancel()
    with pytest.raises(Cancelled):
        run_together(fluid.together([0, 1]), control=control)


def test_progress_is_that_of_the_group(fluid: Setup) -> None:
    control = _core.Control()
    run_together(fluid.together([0, 1]), control=control)
    assert control.progress == 1.0


def test_what_does_not_fit_together_is_refused(fluid: Setup) -> None:
    first = fluid.simulation(0, fluid.lanes[0])
    with pytest.raises(ValueError, match=r"simulation 1 of a group is in lane 0 of the same core; expected"):
        run_together([first, fluid.simulation(1, fluid.lanes[0])])
    with pytest.raises(ValueError, match="simulation 1 of a group is in lane 1 of another core"):
        run_together([first, fluid.simulation(1, fluid.core(True).lanes[1])])
    other = Setup(False)
    other.axis = replace(fluid.axis, n_steps=fluid.axis.n_steps + 20)
    with pytest.raises(ValueError, match="simulation 1 of a group has .* steps"):
        run_together([first, other.simulation(1, fluid.lanes[1])])
    second = fluid.simulation(1, fluid.lanes[1])
    for plan in (interval_plan(first.stored_run, 2, 16), checkpoints_plan(first.stored_run, 20, 3)):
        with pytest.raises(ValueError, match="storage is quantised or has checkpoints"):
            run_together([first, second], plan)
    with pytest.raises(ValueError, match="the event is in lane 1; expected the first one"):
        second.run(1)
    assert run_together([]) == []
