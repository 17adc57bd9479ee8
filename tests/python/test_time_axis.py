"""The largest stable time step against dense eigenvalues, and the time axes made from it."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import shuffled, sinusoidal
from simulations import BOUNDARIES, UNIT, evolve, medium_box, simulate, with_medium
from wavetree.data.resample import SampleAxis
from wavetree.errors import SimulationFailed
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import make_core
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step, resolve
from wavetree.survey.stf import Delta, Ricker


def exact_limit(mesh: Mesh, boundary: str) -> float:
    """2/sqrt(λ_max) from the dense matrix M⁻¹K, whose columns are accelerations of unit fields."""
    core = make_core(mesh, BOUNDARIES[boundary], "float64", 1)
    dt, n = 1e-6, core.compiled.n_dofs(0)
    rest = np.zeros((n, 1))
    columns = [(unit - evolve(core, dt, 1, [unit[:, None]], [rest])[0][:, 0]) / dt**2 for unit in np.eye(n)]
    return float(2.0 / np.sqrt(np.linalg.eigvals(np.array(columns).T).real.max()))


@pytest.mark.parametrize("boundary", ["interior", "dirichlet"])
@pytest.mark.parametrize("deformation", [None, sinusoidal])
@pytest.mark.parametrize("order", range(1, 9))
def test_the_largest_step_is_that_of_the_dense_eigenvalue(order, deformation, boundary, record_property):
    mesh = medium_box(order, (4, 3) if order < 5 else (3, 2), deformation=deformation)
    mesh = shuffled(mesh, np.random.default_rng(0))
    ratio = maximum_time_step(mesh, BOUNDARIES[boundary]) / exact_limit(mesh, boundary)
    record_property("ratio", ratio)
    assert 0.99 < ratio <= 1.0


@pytest.mark.parametrize(("order", "counts"), [(3, (4, 12)), (3, (2, 2)), (4, (4, 6)), (4, (2, 2))])
def test_clusters_of_eigenvalues_do_not_lift_the_step(order, counts):
    mesh = with_medium(box_mesh(UNIT, counts), order)  # constant: the largest eigenvalues lie close together
    assert 0.99 < maximum_time_step(mesh) / exact_limit(mesh, "interior") <= 1.0


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_steps_just_below_the_largest_are_stable(precision, boundary):
    mesh = medium_box(4, deformation=sinusoidal)
    limit = maximum_time_step(mesh, BOUNDARIES[boundary])
    axis = TimeAxis(-7e-4, 0.999 * limit, 20000)
    simulation = simulate(mesh, boundary, time_axis=axis, precision=precision)
    records = np.abs(simulation.run().data["phi"])
    early, late = records[..., 500:1000].max(), records[..., -500:].max()
    # Closed boxes keep their waves, and the rigid one may drift: nothing holds its mean. An instability of
    # 0.1 % in the step would grow by exp(0.09 n) in n steps.
    assert late < 100 * early


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_steps_above_the_largest_blow_up(boundary):
    mesh = medium_box(4, deformation=sinusoidal)
    limit = maximum_time_step(mesh, BOUNDARIES[boundary])
    axis = TimeAxis(-7e-4, 1.05 * limit, 20000)
    with pytest.raises(
        SimulationFailed,
        match=r"(no longer finite|silent) at time step \d+, most of",
    ):
        simulate(mesh, boundary, time_axis=axis, precision="float32").run()


def test_the_layers_of_a_sponge_count():
    mesh = medium_box(4)  # elements of 1/4 by 1/3; two layers of 1/4 below
    closed, surrounded = (maximum_time_step(mesh, BOUNDARIES[name]) for name in ("interior", "sponge"))
    assert 0.7 * closed < surrounded < closed


# -- axes --------------------------------------------------------------------------------------


def axis_of(mesh: Mesh, *stfs, **options) -> TimeAxis:
    span = WaveformSimulationConfiguration(**{"end_time_in_seconds": 1e-3, **options})
    return resolve(mesh, stfs or (Ricker(2000.0),), span)


def test_axes_hold_together():
    axis = TimeAxis(-0.5, 0.25, 6)
    np.testing.assert_array_equal(axis.times, [-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0])
    assert (axis.n_samples, axis.end) == (7, 1.0)


def test_the_default_step_divides_the_span():
    mesh = medium_box(3)
    axis = axis_of(mesh)
    assert axis.start == Ricker(2000.0).default_start_time()
    assert axis.end == pytest.approx(1e-3, rel=1e-13)
    limit = 0.9 * maximum_time_step(mesh)
    assert axis.dt <= limit < axis.dt * axis.n_steps / (axis.n_steps - 1)


def test_the_earliest_source_starts():
    late, early = Ricker(2000.0), Ricker(500.0)
    assert axis_of(medium_box(2), late, early).start == early.default_start_time()
    assert axis_of(medium_box(2), late, early, start_time_in_seconds=-1e-4).start == -1e-4
    assert axis_of(medium_box(2), Delta()).start == 0.0


def test_a_given_step_is_taken_as_it_is():
    axis = axis_of(medium_box(2), start_time_in_seconds=0.0, time_step_in_seconds=1e-5)
    assert (axis.start, axis.dt, axis.n_steps) == (0.0, 1e-5, 100)
    # An end between two steps is passed, not cut.
    assert axis_of(medium_box(2), start_time_in_seconds=0.0, time_step_in_seconds=9.9e-6).n_steps == 102


@pytest.mark.parametrize(("start", "npts"), [(-8e-4, 10), (0.0, 1002)])
def test_receivers_have_to_lie_within(start: float, npts: int):
    axis = SampleAxis(start, 1e6, npts)
    message = (
        rf"receiver_time_axis is from {start:g} s to .* s, but the simulation is from -0\.00066\d* s to "
        r"0\.001 s; expected an axis within"
    )
    with pytest.raises(ValueError, match=message):
        axis_of(medium_box(2), receiver_time_axis=axis)
    given = axis_of(medium_box(2))
    with pytest.raises(ValueError, match=message):
        simulate(medium_box(2), end=1e-3, time_axis=given, receiver_time_axis=axis)
    within = SampleAxis(given.start, 1000 / (given.end - given.start), 1001)  # ends included
    assert axis_of(medium_box(2), receiver_time_axis=within) == given


def test_bad_spans_are_refused():
    mesh = medium_box(2)
    with pytest.raises(ValueError, match=r"end_time_in_seconds is -0.01, but the wavelet starts at -0.000"):
        axis_of(mesh, end_time_in_seconds=-0.01)
    with pytest.raises(
        ValueError, match=r"time_step_in_seconds is 0.0005, larger than the largest stable step"
    ):
        axis_of(mesh, time_step_in_seconds=5e-4)
