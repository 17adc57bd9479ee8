"""The gradient is the derivative of the computed misfit, to rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from meshes import shuffled, sinusoidal
from simulations import BOUNDARIES, RHO, VP, medium_box, receivers, relative, simulate, source, with_medium
from wavetree import _core
from wavetree.data.event_data import EventData
from wavetree.mapping import Mapping
from wavetree.mesh import box_mesh
from wavetree.misfit.registry import MISFITS
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.rows import Operator, Rows
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.time_axis import maximum_time_step
from wavetree.simulation.wavefield import storage_schedule
from wavetree.testing import SimulationMisfit, central_difference_errors, dot_product_defect, taylor_slopes

STEPS = 10.0 ** -np.arange(3.0, 6.01, 0.5)  # three decades

CASES = [
    pytest.param(order, deformation, boundary, corrected, id=f"{order}-{shape}-{boundary}-{kind}")
    for order in (2, 4)
    for shape, deformation in (("box", None), ("curved", sinusoidal))
    for boundary in BOUNDARIES
    for kind, corrected in (("filtered", True), ("plain", False))
]


def set_up(order, deformation, boundary, corrected, **options) -> Simulation:
    mesh = medium_box(order, deformation=deformation)
    if deformation:
        mesh = shuffled(mesh, np.random.default_rng(5))
    return simulate(mesh, boundary, temporal_dispersion_correction=corrected, **options)


def noisy(records: EventData, generator: np.random.Generator) -> EventData:
    """Observed records that differ from the synthetic ones everywhere."""
    values = records.data["phi"]
    shaken = values * (1.0 + 0.3 * generator.standard_normal(values.shape))
    axis = (records.start_time_in_seconds, records.sampling_rate_in_hertz)
    return EventData(records.event_name, records.receivers, {"phi": shaken}, *axis)


def misfit_of(simulation: Simulation, generator: np.random.Generator, **options) -> SimulationMisfit:
    return SimulationMisfit(simulation, noisy(simulation.run(), generator), **options)


def flat(simulation: Simulation, derivative: dict[str, np.ndarray]) -> np.ndarray:
    """The derivative by relative changes of the medium."""
    return np.concatenate(
        [(simulation.mesh.element_nodal_fields[k] * derivative[k]).ravel() for k in ("VP", "RHO")]
    )


# -- transposes --------------------------------------------------------------------------------


def point_maps(simulation: Simulation) -> tuple[Callable, Callable, tuple, tuple]:
    """The map from the samples of two sources to the records of three receivers, and its transpose.

    The transpose runs the same scheme with sources and receivers exchanged and time reversed, which is what
    the adjoint run does: all matrices of the scheme are symmetric.
    """
    core, dt, n_steps = simulation._core, simulation.time_axis.dt, simulation.n_steps
    phi = np.array([[1.0, 0.0, 0.0]])
    there = np.array([[0.3, 0.4], [0.62, 0.21]])
    here = np.array([[0.2, 0.7], [0.55, 0.7], [0.8, 0.65]])

    def rows(places: np.ndarray) -> Operator:
        collected = Rows()
        collected.add(places, [phi])
        return collected.compile(core, 0)

    def run(sources: np.ndarray, samples: np.ndarray, receivers: np.ndarray) -> np.ndarray:
        """Records at the steps 1 to n_steps."""
        driving = np.concatenate([samples, np.zeros((len(samples), 1))], axis=1)
        records = np.zeros((len(receivers), n_steps + 1))
        series = [[rows(sources).series(driving)], [rows(receivers).series(records)]]
        state = core.compiled.start(dt)
        core.compiled.forward(
            state, n_steps + 1, *series, n_steps + 1, n_steps + 1, [], None, _core.Control()
        )
        return records[:, 1:]

    def forward(samples: np.ndarray) -> np.ndarray:
        return run(there, samples, here)

    def adjoint(records: np.ndarray) -> np.ndarray:
        return run(here, np.ascontiguousarray(records[:, ::-1]), there)[:, ::-1]

    return forward, adjoint, (2, n_steps), (3, n_steps)


@pytest.mark.parametrize(("precision", "bound"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_transpose_of_a_run_is_the_reversed_run(boundary, precision, bound):
    rng = np.random.default_rng(1)
    forward, adjoint, x, y = point_maps(set_up(4, sinusoidal, boundary, False, precision=precision))
    defect = dot_product_defect(forward, adjoint, rng.standard_normal(x), rng.standard_normal(y))
    assert defect < bound


def linearised(misfit: SimulationMisfit, change: np.ndarray) -> np.ndarray:
    """The derivative of the records along a relative change of the medium.

    By central differences of order 12, which err by less than the rounding of the records: the checks need
    no second implementation of the linearised scheme.
    """
    n, h = 6, 4e-3
    k = np.arange(1, n + 1)
    weights = np.linalg.solve(k[None, :] ** (2.0 * np.arange(n)[:, None] + 1.0), 0.5 * (np.arange(n) == 0))

    def records(scale: float) -> np.ndarray:
        return misfit._with(misfit._changed(scale * change)).run().data["phi"]

    return sum(w * (records(i * h) - records(-i * h)) for i, w in zip(k, weights, strict=True)) / h


@pytest.mark.parametrize(("order", "deformation", "boundary", "corrected"), CASES)
def test_the_gradient_is_the_transpose_of_the_linearised_run(
    order, deformation, boundary, corrected, record_property
):
    rng = np.random.default_rng(2)
    simulation = set_up(order, deformation, boundary, corrected)
    misfit = misfit_of(simulation, rng)
    x, y = rng.uniform(-1.0, 1.0, misfit.size), rng.standard_normal(simulation.run(1).data["phi"].shape)
    image = linearised(misfit, x)
    single = Simulation(
        simulation.mesh,
        simulation.sources,
        simulation.receivers,
        simulation.configuration,
        simulation.boundary_conditions,
        "float32",
        time_axis=simulation.time_axis,
    )
    single.run(1)
    for run, bound in ((simulation, 1e-12), (single, 1e-5)):
        # ∂χ/∂u_n = dt f†_n: the derivative for f† is the transpose applied to dt f†
        preimage = flat(run, run.derivative({"phi": y})) / run.time_axis.dt
        defect = dot_product_defect(lambda _: image, lambda _, g=preimage: g, x, y)
        record_property(run.precision, defect)
        assert defect < bound, (run.precision, defect)


# -- Taylor and entries ------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "deformation", "boundary", "corrected"), CASES)
def test_taylor_remainders_fall_with_the_square(order, deformation, boundary, corrected, record_property):
    rng = np.random.default_rng(3)
    misfit = misfit_of(set_up(order, deformation, boundary, corrected), rng)
    here = 0.01 * rng.uniform(-1.0, 1.0, misfit.size)
    gradient = misfit.gradient(here)
    for _ in range(2):
        slopes = taylor_slopes(misfit, gradient, here, rng.standard_normal(misfit.size), STEPS)
        record_property("slopes", slopes.tolist())
        np.testing.assert_allclose(slopes, 2.0, atol=0.02)


@pytest.mark.parametrize(("order", "deformation", "boundary", "corrected"), CASES)
def test_entries_are_those_of_central_differences(order, deformation, boundary, corrected, record_property):
    rng = np.random.default_rng(4)
    misfit = misfit_of(set_up(order, deformation, boundary, corrected), rng)
    gradient = misfit.gradient(np.zeros(misfit.size))
    half = misfit.size // 2
    for begin in (0, half):  # per parameter, relative to its own largest entry

        def function(part: np.ndarray, begin: int = begin) -> float:
            change = np.zeros(misfit.size)
            change[begin : begin + half] = part
            return misfit(change)

        errors = central_difference_errors(function, gradient[begin : begin + half], np.zeros(half), rng, 10)
        record_property("largest", float(errors.max()))
        assert errors.max() < 1e-6, (begin, errors)


@pytest.mark.parametrize("boundary", ["absorbing", "sponge"])
@pytest.mark.parametrize("misfit", MISFITS)
def test_taylor_through_every_misfit(misfit, boundary):
    rng = np.random.default_rng(5)
    simulation = set_up(4, None, boundary, True, receiver_sampling_interval_in_time_steps=3)
    function = misfit_of(simulation, rng, misfit=MISFITS[misfit])
    here = np.zeros(function.size)
    direction = rng.standard_normal(function.size)
    slopes = taylor_slopes(function, function.gradient(here), here, direction, STEPS)
    np.testing.assert_allclose(slopes, 2.0, atol=0.02)


@pytest.mark.parametrize("parameters", [("VP",), ("RHO", "VP")])
@pytest.mark.parametrize("scaling", ["absolute", "relative_deviation_from_prior", "logarithmic"])
def test_taylor_through_every_mapping(scaling, parameters):
    rng = np.random.default_rng(6)
    simulation = set_up(3, sinusoidal, "sponge", True)
    misfit = misfit_of(simulation, rng)
    mapping = Mapping(scaling=scaling, inversion_parameters=parameters).bind(simulation.mesh)
    unit = np.abs(mapping.prior) if scaling == "absolute" else np.ones(mapping.size)
    here = mapping.prior + 0.01 * unit * rng.uniform(-1.0, 1.0, mapping.size)

    def function(p: np.ndarray) -> float:
        return misfit.value(mapping.forward(p))

    gradient = mapping.adjoint(here, misfit.derivative(mapping.forward(here)))
    direction = unit * rng.standard_normal(mapping.size)
    np.testing.assert_allclose(taylor_slopes(function, gradient, here, direction, STEPS), 2.0, atol=0.02)
    errors = central_difference_errors(
        lambda q: function(unit * q), unit * gradient, here / unit, rng, count=20
    )
    assert errors.max() < 1e-6


# -- forms of the gradient ---------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_float32_gradients_follow_float64(boundary):
    gradients = []
    for precision in ("float32", "float64"):
        simulation = set_up(4, sinusoidal, boundary, True, precision=precision)
        gradients.append(simulation.derivative({"phi": simulation.run(1).data["phi"]}))
    for name in ("VP", "RHO"):
        assert relative(gradients[0][name], gradients[1][name]) < 1e-4


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_threads_do_not_change_a_bit_of_the_gradient(precision):
    mesh = medium_box(4, (40, 30), deformation=sinusoidal)
    span = {"time_step_in_seconds": 0.9 * maximum_time_step(mesh), "end": -6e-4, "precision": precision}
    gradients = []
    for threads in (1, 2, 3):
        simulation = simulate(mesh, "absorbing", threads=threads, **span)
        gradients.append(simulation.derivative({"phi": np.ones_like(simulation.run(1).data["phi"])}))
    for name in ("VP", "RHO"):
        assert np.abs(gradients[0][name]).max() > 0
        np.testing.assert_array_equal(gradients[1][name], gradients[0][name])
        np.testing.assert_array_equal(gradients[2][name], gradients[0][name])


def test_the_gradient_mesh_holds_densities():
    rng = np.random.default_rng(7)
    simulation = set_up(3, sinusoidal, "absorbing", True)
    adjoint_sources = {"phi": simulation.run(1).data["phi"]}
    raw, mesh = simulation.derivative(adjoint_sources), simulation.gradient(adjoint_sources)
    fields = mesh.element_nodal_fields
    dofs = simulation.mesh.dof_map(3)
    change = dofs.gather(rng.standard_normal(dofs.n_dofs))
    for name in ("VP", "RHO"):
        integral = np.sum(fields["FemMassMatrix"] / fields["Valence"] * fields[name] * change)
        assert integral == pytest.approx(np.sum(raw[name] * change), rel=1e-12)


def test_restored_wavefields_give_the_same_gradient():
    simulation = set_up(4, None, "sponge", True)
    for interval in (1, 3):
        adjoint_sources = {"phi": simulation.run(interval).data["phi"]}
        expected = simulation.derivative(adjoint_sources)
        other = set_up(4, None, "sponge", True)
        other.restore(simulation.stored, interval)
        for name, values in other.derivative(adjoint_sources).items():
            np.testing.assert_array_equal(values, expected[name])


# -- subsampled storage ------------------------------------------------------------------------

FREQUENCY = 5e4
WAVELENGTH = VP / FREQUENCY


def transmission(anomaly: float, axis=None, precision: str = "float64") -> Simulation:
    """Through 4 by 4 wavelengths, 2 elements per shortest wavelength, the default time step."""
    side = 4 * WAVELENGTH
    mesh = with_medium(box_mesh(((0, side), (0, side)), (20, 20)), 4)
    distance = np.linalg.norm(mesh.node_coordinates(4) - 0.5 * side, axis=-1)
    bump = anomaly * np.exp(-((distance / WAVELENGTH) ** 2))
    mesh.attach_field("VP", VP * (1 + bump))
    mesh.attach_field("RHO", RHO * (1 - bump))
    span = WaveformSimulationConfiguration(end_time_in_seconds=6 / FREQUENCY, precision=precision)
    places = receivers(*((3.4 * WAVELENGTH, y * WAVELENGTH) for y in (0.7, 1.5, 2.3, 3.1)))
    start = source(0.7 * WAVELENGTH, 1.1 * WAVELENGTH, FREQUENCY)
    around = Absorbing(["x0", "x1", "y0"], width_in_meters=WAVELENGTH, reference_velocity=VP)
    return Simulation(mesh, [start], places, span, [around], time_axis=axis)


def share_above(frequency: float) -> float:
    """Share of a Ricker wavelet in the gradient that lies above a frequency.

    Both fields of the correlation have the wavelet's spectrum S, and the mass term has two time
    derivatives: f² |S|².
    """
    f = np.linspace(0.0, 6 * FREQUENCY, 20001)
    spectrum = (f / FREQUENCY) ** 2 * np.exp(-((f / FREQUENCY) ** 2))
    weight = f**2 * spectrum**2
    return float(weight[f > frequency].sum() / weight.sum())


def test_subsampled_wavefields_keep_the_gradient_where_they_resolve_the_field(record_property):
    simulation = transmission(0.0)
    observed = transmission(0.05, simulation.time_axis).run().data["phi"]
    adjoint_sources = {"phi": simulation.run(1).data["phi"] - observed}
    full = simulation.derivative(adjoint_sources)
    errors = {}
    for interval in (2, 5, 10, 20):
        simulation.run(interval)
        gradient = simulation.derivative(adjoint_sources)
        errors[interval] = max(relative(gradient[name], full[name]) for name in ("VP", "RHO"))
        assert len(simulation.wavefield) == pytest.approx(simulation.n_steps / interval, abs=11)
    record_property("errors", errors)
    for interval in (2, 5, 10):
        # The interpolation keeps content below 0.38 of the stored rate to 1e-3; the rest may be lost.
        resolved = 0.38 / (interval * simulation.time_axis.dt)
        assert errors[interval] < 1e-3 + share_above(resolved), errors
    # 11, 5 and 2.7 stored steps per period of the centre frequency
    assert errors[5] < errors[10] < 1e-2 < errors[20]


def test_one_step_storage_is_exact():
    steps, weights = storage_schedule(50, 1)
    np.testing.assert_array_equal(steps, np.arange(1, 51))
    np.testing.assert_array_equal(weights, 1.0)


# -- the checks themselves ---------------------------------------------------------------------


def test_the_checks_notice_a_wrong_gradient():
    rng = np.random.default_rng(8)
    misfit = misfit_of(set_up(2, None, "interior", True), rng)
    here = np.zeros(misfit.size)
    right = misfit.gradient(here)
    wrong = right.copy()
    wrong[: misfit.size // 2] *= 1.001  # VP off by a thousandth
    slopes = taylor_slopes(misfit, wrong, here, rng.standard_normal(misfit.size), STEPS)
    assert slopes[-1] < 1.1
    largest = np.argmax(np.abs(right[: misfit.size // 2]))
    wrong[largest] *= 1.5
    assert central_difference_errors(misfit, wrong, here, rng, count=misfit.size).max() > 0.1
    matrix = rng.standard_normal((4, 5))
    x, y = rng.standard_normal(5), rng.standard_normal(4)
    assert dot_product_defect(lambda v: matrix @ v, lambda v: matrix.T @ v, x, y) < 1e-15
    assert dot_product_defect(lambda v: matrix @ v, lambda v: 1.001 * matrix.T @ v, x, y) > 1e-5


def test_the_checks_refuse_what_does_not_fit():
    x = np.ones(3)
    with pytest.raises(ValueError, match=r"forward\(x\) has shape \(2,\); expected \(3,\)"):
        dot_product_defect(lambda v: v[:2], lambda v: v, x, x)
    with pytest.raises(ValueError, match=r"adjoint\(y\) has shape \(2,\); expected \(3,\)"):
        dot_product_defect(lambda v: v, lambda v: v[:2], x, x)
    with pytest.raises(ValueError, match=r"forward\(x\) or y is zero"):
        dot_product_defect(lambda v: 0 * v, lambda v: v, x, x)
    with pytest.raises(
        ValueError, match=r"gradient, point and direction have the shapes \(3,\), \(3,\) and "
    ):
        taylor_slopes(np.sum, x, x, x[:2], STEPS)
    with pytest.raises(ValueError, match=r"steps has shape \(1,\); expected at least two"):
        taylor_slopes(np.sum, x, x, x, STEPS[:1])
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\); expected \(3,\), the point's"):
        central_difference_errors(np.sum, x[:2], x, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"gradient is zero"):
        central_difference_errors(np.sum, 0 * x, x, np.random.default_rng(0))


def test_simulation_misfits_refuse_what_does_not_fit():
    simulation = set_up(2, None, "interior", True)
    records = simulation.run()
    misfit = SimulationMisfit(simulation, records)
    assert misfit(np.zeros(misfit.size)) == 0.0
    with pytest.raises(ValueError, match=r"change has shape \(3,\); expected \(216,\)"):
        misfit(np.zeros(3))
    with pytest.raises(ValueError, match=r"unknown parameter of the medium 'VS'; did you mean 'VP'"):
        misfit.value({"VS": np.ones((12, 9))})
    records.data["phi"] = records.data["phi"][..., 1:]
    with pytest.raises(ValueError, match=r"observed records of 'phi' have shape .*; expected \(3, 1, \d+\)"):
        misfit(np.zeros(misfit.size))
