"""Accuracy of simulations against analytical solutions, symmetries, and what they refuse."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from meshes import shuffled, sinusoidal
from simulations import RHO, UNIT, VP, evolve, medium_box, receivers, relative, simulate, source, with_medium
from wavetree.errors import SimulationFailed
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing, HomogeneousDirichlet
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import instruction_sets, make_core
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step
from wavetree.survey.receiver.cartesian import Point2D, SideSetPoint2D
from wavetree.survey.source.cartesian import (
    ScalarPoint2D,
    ScalarPoint3D,
    SideSetScalarPoint2D,
    VectorPoint2D,
)
from wavetree.survey.stf import Ricker

SPAN = WaveformSimulationConfiguration(end_time_in_seconds=1e-3)

# -- standing waves ----------------------------------------------------------------------------


class StandingWave:
    """cos(3πx) cos(2πy) cos(ωt) in the rigid unit square, on a mesh of n by n elements."""

    def __init__(self, order: int, n: int, deformation=None) -> None:
        mesh = with_medium(box_mesh(UNIT, (n, n), shape_order=4, deformation=deformation), order)
        self.core = make_core(mesh, (), "float64", threads=1)
        dofs = mesh.dof_map(order)
        x = np.zeros((dofs.n_dofs, 2))
        x[dofs.element_dofs] = mesh.node_coordinates(order)
        self.mode = np.cos(3 * np.pi * x[:, 0]) * np.cos(2 * np.pi * x[:, 1])
        self.mass = mesh.get_mass_matrix(order)
        self.omega = VP * np.pi * np.hypot(3, 2)
        self.limit = self.core.compiled.maximum_time_step()

    def error(self, periods: float, courant: float, discrete: bool) -> float:
        """Error after some periods, relative to the amplitude.

        Central differences keep a mode a mode and change its frequency to sin(ω_d dt/2) = ω dt/2; against
        that discrete wave only the error of the elements is left.
        """
        end = periods * 2 * np.pi / self.omega
        n_steps = int(np.ceil(end / (courant * self.limit)))
        dt = end / n_steps
        omega = 2 / dt * np.arcsin(self.omega * dt / 2) if discrete else self.omega
        velocity = (1 - np.cos(omega * dt)) / dt * self.mode  # at step -1/2
        field = evolve(self.core, dt, n_steps, [self.mode[:, None]], [velocity[:, None]])[0][:, 0]
        return self._norm(field - np.cos(omega * end) * self.mode) / self._norm(self.mode)

    def _norm(self, field: np.ndarray) -> float:
        return float(np.sqrt(self.mass @ field**2))


BOX_COUNTS = {
    1: (24, 32, 48, 64),
    2: (8, 12, 16, 24),
    3: (6, 8, 12, 16),
    4: (4, 6, 8, 12),
    5: (4, 5, 6, 8),
    6: (2, 3, 4, 5, 6),
    7: (2, 3, 4, 5),
    8: (2, 3, 4, 5),
}
CURVED_COUNTS = {1: (16, 24, 32), 2: (8, 12, 16), 3: (6, 8, 12), 4: (5, 7, 10), 5: (4, 6, 8), 6: (4, 6, 8)}
CURVED_COUNTS |= {7: (4, 5, 6), 8: (4, 5, 6)}


@pytest.mark.parametrize("deformation", [None, sinusoidal])
@pytest.mark.parametrize("order", range(1, 9))
def test_standing_wave_converges_with_the_mesh(order, deformation, record_property):
    counts = (CURVED_COUNTS if deformation else BOX_COUNTS)[order]

    def error(n: int) -> float:
        wave = StandingWave(order, n, deformation)
        # At four phases: at a single one the error of a phase or an amplitude may be hidden.
        return float(np.sqrt(np.mean([wave.error(4 + k / 4, 0.5, True) ** 2 for k in range(1, 5)])))

    errors = np.array([error(n) for n in counts])
    rate = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    record_property("rate", float(rate))
    assert (errors > 1e-10).all(), errors  # rounding must not flatten the fit
    assert rate >= order + 0.9, (rate, errors)
    assert errors[-1] < 0.1


def test_standing_wave_is_exact_to_1e_10_at_high_order():
    assert StandingWave(8, 6).error(5.125, 0.5, True) < 1e-10


def test_time_steps_are_of_second_order(record_property):
    wave = StandingWave(8, 5)
    courants = np.array([0.8, 0.4, 0.2, 0.1])
    errors = [wave.error(5.125, courant, False) for courant in courants]
    rates = np.diff(np.log(errors)) / np.diff(np.log(courants))
    record_property("rates", rates.tolist())
    np.testing.assert_allclose(rates, 2.0, atol=0.05)


# -- Green's function --------------------------------------------------------------------------

FREQUENCY = 5e4
WAVELENGTH = VP / FREQUENCY


@functools.cache
def green_records(precision: str, corrected: bool) -> tuple[np.ndarray, np.ndarray]:
    """Records 5 wavelengths away in an unbounded medium, and what they should be.

    Order 4, 2 elements per wavelength of 2.5 times the centre frequency, the default time step.
    """
    size = WAVELENGTH / 2.5 / 2
    extent = ((-WAVELENGTH, 6 * WAVELENGTH), (-3 * WAVELENGTH, 3 * WAVELENGTH))
    counts = [int(np.ceil((high - low) / size)) for low, high in extent]
    mesh = with_medium(box_mesh(extent, counts), 4)
    span = WaveformSimulationConfiguration(
        end_time_in_seconds=5 * WAVELENGTH / VP + 2 / FREQUENCY,
        precision=precision,
        temporal_dispersion_correction=corrected,
    )
    around = Absorbing(["x0", "x1", "y0", "y1"], width_in_meters=3.5 * WAVELENGTH, reference_velocity=VP)
    start = source(0.0123 * WAVELENGTH, 0.0234 * WAVELENGTH, FREQUENCY, 1.0)
    end = receivers((5 * WAVELENGTH, 0.1 * WAVELENGTH))
    simulation = Simulation(mesh, [start], end, span, [around])
    distance = np.hypot(end[0].x - start.x, end[0].y - start.y)
    stf = start.source_time_function
    return simulation.run().data["phi"][0, 0], green_function(simulation.time_axis, stf, distance)


def green_function(axis: TimeAxis, stf: Ricker, distance: float) -> np.ndarray:
    """φ(t) = ρ/(2π) ∫ s(t − r/c cosh q) dq from 0 on, solution of φ_tt/(ρc²) = Δφ/ρ + s δ (e.g. Morse &
    Feshbach 1953, eq. 7.3.15, with τ = r/c cosh q)."""
    reach = np.arccosh(np.maximum(1.0, (axis.times - axis.start) * VP / distance))
    nodes, weights = np.polynomial.legendre.leggauss(400)
    q = 0.5 * reach[:, None] * (nodes + 1.0)
    values = stf.evaluate(axis.times[:, None] - distance / VP * np.cosh(q))
    return RHO / (2 * np.pi) * 0.5 * reach * (values @ weights)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_green_function(precision, record_property):
    records, exact = green_records(precision, True)
    error, ratio = relative(records, exact), float(np.vdot(records, exact) / np.vdot(exact, exact))
    record_property("error", error)
    assert error < 1e-3
    assert ratio == pytest.approx(1.0, abs=1e-3)  # the absolute amplitude


def test_green_function_needs_the_filters(record_property):
    error = relative(*green_records("float64", False))
    record_property("error", error)
    assert error > 0.02


def test_float32_follows_float64(record_property):
    error = relative(green_records("float32", True)[0], green_records("float64", True)[0])
    record_property("error", error)
    assert error < 1e-4


# -- symmetries and equivalences ---------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_threads_do_not_change_a_bit(precision):
    # More unknowns than one chunk of the threads' loops, so that there is something to share.
    mesh = medium_box(4, (40, 30), deformation=sinusoidal)
    axis = TimeAxis(-1e-4, 0.9 * maximum_time_step(mesh), 100)
    runs = []
    for threads in (1, 2, 3):
        simulation = simulate(mesh, "absorbing", threads=threads, precision=precision, time_axis=axis)
        records = simulation.run(simulation.n_steps).data["phi"]
        runs.append((records, simulation.wavefield))
    assert runs[0][1].shape[1] > 2 * 8192
    assert min(np.abs(values).max() for values in runs[0]) > 0
    for run in runs[1:]:
        for values, expected in zip(run, runs[0], strict=True):
            assert values.dtype == precision
            np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize("instruction_set", instruction_sets())
def test_instruction_sets_agree(instruction_set, order):
    mesh = shuffled(medium_box(order, deformation=sinusoidal), np.random.default_rng(1))
    for precision, rounding in (("float32", 2e-6), ("float64", 1e-13)):
        options = {"precision": precision, "end": 1e-3}
        best = simulate(mesh, "sponge", **options).run().data["phi"]
        simulation = simulate(mesh, "sponge", instruction_set=instruction_set, **options)
        assert simulation._core.compiled.instruction_set == instruction_set
        assert relative(simulation.run().data["phi"], best) < rounding


@pytest.mark.parametrize("boundary", ["interior", "dirichlet", "absorbing", "sponge"])
@pytest.mark.parametrize("order", range(1, 9))
def test_reciprocity(order, boundary):
    mesh = shuffled(medium_box(order, deformation=sinusoidal), np.random.default_rng(2))
    span = WaveformSimulationConfiguration(end_time_in_seconds=1.5e-3, precision="float64")
    places = ((0.21, 0.33), (0.74, 0.62))
    there, back = (
        Simulation(mesh, [source(*a)], receivers(b), span, simulate(mesh, boundary).boundary_conditions)
        .run()
        .data["phi"]
        for a, b in (places, places[::-1])
    )
    assert relative(back, there) < 1e-12


def test_numbering_does_not_matter():
    mesh = medium_box(4, deformation=sinusoidal)
    other = shuffled(mesh, np.random.default_rng(3))
    first, second = (simulate(m, "sponge").run().data["phi"] for m in (mesh, other))
    assert relative(second, first) < 1e-12


def test_sources_add_up():
    mesh = medium_box(3)
    one, two = source(0.3, 0.4, f=1.0), source(0.7, 0.6, f=-2.0)
    span = WaveformSimulationConfiguration(end_time_in_seconds=1e-3, precision="float64")
    records = [
        Simulation(mesh, sources, receivers((0.5, 0.5)), span).run().data["phi"]
        for sources in ([one, two], [one], [two])
    ]
    assert relative(records[1] + records[2], records[0]) < 1e-13


def test_receivers_keep_every_nth_sample():
    mesh = medium_box(4)
    every_one, every_three = (simulate(mesh, receiver_sampling_interval_in_time_steps=n) for n in (1, 3))
    full, sparse = every_one.run(), every_three.run()
    np.testing.assert_array_equal(sparse.data["phi"], full.data["phi"][..., ::3])
    assert sparse.sampling_rate_in_hertz == pytest.approx(full.sampling_rate_in_hertz / 3, rel=1e-14)
    assert full.sampling_rate_in_hertz == pytest.approx(1 / every_one.time_axis.dt, rel=1e-14)
    assert full.start_time_in_seconds == every_one.time_axis.start
    assert full.data["phi"].shape == (3, 1, every_one.time_axis.n_samples)


def test_storing_the_wavefield_does_not_change_the_records():
    simulation = simulate(medium_box(4), "sponge", precision="float32")
    plain = simulation.run().data["phi"]
    for interval in (1, 4):
        np.testing.assert_array_equal(simulation.run(interval).data["phi"], plain)
        assert np.isfinite(simulation.wavefield).all()


def test_the_plan_says_what_the_run_does():
    simulation = simulate(medium_box(4), "sponge", precision="float32")
    plan = simulation.plan()
    assert plan.n_steps == simulation.n_steps > plan.time_axis.n_steps  # the filter needs some more
    assert plan.n_elements > simulation.mesh.nelem
    simulation.run(1)
    assert simulation.wavefield.nbytes == plan.snapshot_in_bytes * plan.n_steps
    assert plan.time_axis.dt <= 0.9 * plan.maximum_time_step
    for words in ("SimulationPlan", f"{plan.n_elements} elements of order 4", "MiB a snapshot"):
        assert words in str(plan)


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "places"), [([source(1.2, 0.4)], receivers((0.5, 0.5))), ([source()], receivers((1.2, 0.4)))]
)
def test_positions_outside_are_refused(sources, places):
    with pytest.raises(ValueError, match=r"\(1\.2.*, 0\.4.*\).*outside") as error:
        Simulation(medium_box(4), sources, places, SPAN)
    assert "0.2" in str(error.value)  # the nearest distance


@pytest.mark.parametrize("missing", ["VP", "RHO"])
def test_missing_fields_are_refused(missing):
    mesh = medium_box(4)
    del mesh.element_nodal_fields[missing]
    with pytest.raises(ValueError, match=rf"no field '{missing}', only .*; expected VP \[m/s\] and RHO"):
        simulate(mesh)


@pytest.mark.parametrize("bad", [0.0, -1500.0])
def test_velocities_that_are_not_positive_are_refused(bad):
    mesh = medium_box(2)
    values = mesh.element_nodal_fields["VP"].copy()
    values[7, 4] = bad
    mesh.attach_field("VP", values)
    message = (
        rf"field 'VP' of the mesh is {bad:g} m/s in element 7 at \(0.875, 0.5\) m and not positive at 1 "
    )
    with pytest.raises(ValueError, match=message):
        simulate(mesh)


def test_nan_is_refused():
    mesh = medium_box(2)
    values = mesh.element_nodal_fields["VP"].copy()
    values[7, 4] = np.nan
    with pytest.raises(ValueError, match=r"'VP' has 1 values that are NaN or infinite.*\(7, 4\)"):
        mesh.attach_field("VP", values)


def test_inverted_elements_are_refused():
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 0], [0.5, 0.9]], dtype=float)
    with pytest.raises(ValueError, match=r"element 1\b.*\(1, 0\).*\(0\.5, 0\.9\)"):
        Mesh(points, [[0, 1, 2, 3], [1, 4, 3, 5]])


def test_unknown_side_sets_are_refused():
    for condition in (HomogeneousDirichlet(["y2"]), Absorbing(["y2"])):
        with pytest.raises(ValueError, match=r"unknown side set 'y2'; did you mean 'y[01]'\?") as error:
            Simulation(medium_box(2), [source()], [], SPAN, [condition])
        assert "'x0', 'x1', 'y0', 'y1'" in str(error.value)


def test_time_steps_above_the_bound_are_refused():
    mesh = medium_box(4)
    largest = simulate(mesh).maximum_time_step
    simulate(mesh, time_step_in_seconds=0.999 * largest)
    with pytest.raises(ValueError, match=r"larger than the largest stable step") as error:
        simulate(mesh, time_step_in_seconds=1.001 * largest)
    assert f"{1.001 * largest:g}" in str(error.value)
    assert f"{largest:g}" in str(error.value)


def test_sources_without_a_time_function_are_refused():
    with pytest.raises(ValueError, match=r"source at \(0.3, 0.4\) has no source_time_function"):
        Simulation(medium_box(2), [ScalarPoint2D(x=0.3, y=0.4, f=1.0)], [], SPAN)


@pytest.mark.parametrize(
    ("sources", "fields", "text"),
    [
        (
            [VectorPoint2D(x=0.3, y=0.4, fx=1.0, fy=0.0)],
            ["phi"],
            r"vector source at \(0.3, 0.4\) lies in a fluid",
        ),
        ([source()], ["velocity"], r"receiver 'XX.A.' records 'velocity' but lies in a fluid"),
        (
            [ScalarPoint3D(x=0.3, y=0.4, z=0.0, f=1.0)],
            ["phi"],
            "ScalarPoint3D .* has 3 dimensions, the mesh 2",
        ),
    ],
)
def test_what_the_medium_does_not_have_is_refused(sources, fields, text):
    receiver = Point2D(x=0.5, y=0.5, station_code="A", fields=fields)
    with pytest.raises(ValueError, match=text):
        Simulation(medium_box(2), sources, [receiver], SPAN)


def test_points_on_side_sets_are_points_of_the_mesh():
    mesh = medium_box(4)
    on_side = SideSetScalarPoint2D(
        (0.3, 0.0), direction="y", side_set_name="y1", offset=-0.2, f=1e3, source_time_function=Ricker(2000.0)
    )
    top = SideSetPoint2D((0.6, 0.0), direction="y", side_set_name="y1", station_code="A0", fields=["phi"])
    found = Simulation(mesh, [on_side], [top], SPAN).run()
    plain = Simulation(mesh, [source(y=0.8)], receivers((0.6, 1.0)), SPAN).run()
    assert found.receivers == plain.receivers and np.abs(plain.data["phi"]).max() > 0.0
    np.testing.assert_array_equal(found.data["phi"], plain.data["phi"])


def test_ends_before_the_start_are_refused():
    span = WaveformSimulationConfiguration(end_time_in_seconds=-1e-3)
    with pytest.raises(ValueError, match=r"end_time_in_seconds is -0.001, but the wavelet starts at -0.000"):
        Simulation(medium_box(2), [source()], [], span)


def test_unknown_precisions_are_refused():
    with pytest.raises(ValueError, match=r"unknown precision 'float46'; did you mean 'float64'"):
        Simulation(medium_box(2), [source()], [], SPAN, precision="float46")


def test_unknown_instruction_sets_are_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"instruction set is 'neon'; this build on this processor has "):
        simulate(medium_box(2), instruction_set="neon")
    monkeypatch.setenv("WAVETREE_ISA", "v5")
    with pytest.raises(ValueError, match=r"unknown instruction set in WAVETREE_ISA 'v5'") as error:
        simulate(medium_box(2))
    assert all(f"'{name}'" in str(error.value) for name in instruction_sets())
    monkeypatch.setenv("WAVETREE_ISA", instruction_sets()[-1])
    assert simulate(medium_box(2))._core.compiled.instruction_set == instruction_sets()[-1]


def test_gradients_need_a_stored_field():
    simulation = simulate(medium_box(2))
    adjoint_sources = {"phi": simulation.run().data["phi"]}
    for ask in (lambda: simulation.wavefield, lambda: simulation.gradient(adjoint_sources)):
        with pytest.raises(ValueError, match=r"no wavefield is stored; run with storage=1"):
            ask()


def test_bad_adjoint_sources_are_refused():
    simulation = simulate(medium_box(2))
    records = simulation.run(1).data["phi"]
    with pytest.raises(ValueError, match=r"\['phi'\] has shape \(3, 1, 7\); expected \(3, 1, \d+\)"):
        simulation.derivative({"phi": records[..., :7]})
    with pytest.raises(ValueError, match=r"unknown receiver field 'phy'; did you mean 'phi'"):
        simulation.derivative({"phy": records})
    with pytest.raises(ValueError, match=r"adjoint_sources is empty; expected those of 'phi'"):
        simulation.derivative({})
    records[1, 0, 3] = np.nan
    with pytest.raises(ValueError, match=r"\['phi'\] is NaN or infinite, first at receiver 'XX.A1.'"):
        simulation.derivative({"phi": records})


def test_foreign_wavefields_are_refused():
    simulation = simulate(medium_box(2))
    simulation.run(1)
    field = simulation.wavefield
    for wrong in (field[1:], field.astype("float32")):
        with pytest.raises(ValueError, match=r"belongs to another simulation or storage plan"):
            simulation.restore({"wavefield": wrong}, 1)
    with pytest.raises(ValueError, match=r"interval is 0; expected at least 1"):
        simulation.run(0)


def test_sponges_are_refused_where_they_cannot_be_built():
    with pytest.raises(ValueError, match=r"width_in_meters is 0.5 but there is no reference_velocity"):
        Absorbing(["x0"], width_in_meters=0.5)
    curved = medium_box(2, deformation=lambda p: p + 0.05 * np.sin(np.pi * p[:, ::-1]))
    condition = Absorbing(["x0"], width_in_meters=0.5, reference_velocity=VP)
    with pytest.raises(ValueError, match=r"side set 'x0' is not a plane normal to an axis"):
        Simulation(curved, [source()], [], SPAN, [condition])


def test_runs_that_blow_up_fail():
    mesh = medium_box(2)
    largest = simulate(mesh).maximum_time_step
    simulation = simulate(mesh, time_axis=TimeAxis(0.0, 1.2 * largest, 3000))
    with pytest.raises(SimulationFailed, match=r"no longer finite at time step \d+, most of all at \("):
        simulation.run()
    short = simulate(mesh, time_axis=TimeAxis(-1e-4, 30 * largest, 40), precision="float32")
    with pytest.raises(SimulationFailed, match=r"no longer finite at time step \d+"):
        short.run()  # the last step is looked at too
    assert issubclass(SimulationFailed, RuntimeError)
