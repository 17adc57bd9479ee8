"""Illumination: its integral, its sampling in time, its task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import storage_cases
from simulations import RHO, VP
from test_task import SPAN, every, make_task, medium_box
from wavetree.arrays import read_arrays
from wavetree.config import load
from wavetree.errors import Cancelled
from wavetree.mesh import box_mesh
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.illumination import compute_illumination, sampling_interval
from wavetree.simulation.illumination_task import IlluminationTask
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.task import make_control
from wavetree.survey.receiver.cartesian import Point3D
from wavetree.survey.source.cartesian import ScalarPoint3D
from wavetree.survey.stf import Delta, Ricker

FIELDS = {"fluid": ["phi_tt"], "solid": ["velocity"], "both": ["phi_tt", "velocity"]}


def from_output(simulation: Simulation, medium: str, folder: Path) -> np.ndarray:
    """The illumination from the fields of all time steps."""
    request = {"sampling_interval_in_time_steps": 1, "fields": FIELDS[medium]}
    data = simulation.run(output=OutputConfiguration(volume_data=request), output_folder=folder)
    fields = simulation.mesh.element_nodal_fields
    weight = {"phi_tt": 1.0 / (fields["RHO"] * fields["VP"] ** 2), "velocity": fields["RHO"]}
    found = np.zeros(fields["VP"].shape)
    for name in FIELDS[medium]:
        output = data.get_wavefield_output("volume", name).load()
        elements = output.coords["element"].values
        squares = (output.astype(np.float64) ** 2).transpose("element", ..., "component", "time")
        sums = squares.sum(("component", "time")).values * simulation.time_axis.dt
        found[elements] = weight[name][elements] * sums
    return found


@pytest.mark.parametrize(("medium", "dim"), [("fluid", 2), ("solid", 2), ("both", 2), ("both", 3)])
def test_it_is_the_integral_over_all_time_steps(tmp_path, medium, dim, record_property):
    """Though sampled at some of them; a sponge around the domain is left out."""
    n = 8 if dim == 2 else 3
    simulation = storage_cases.make(medium, dim, n=n, periods=4)
    found, expected = compute_illumination(simulation), from_output(simulation, medium, tmp_path)
    assert found.shape == (simulation.mesh.nelem, 5**dim)
    assert found.min() > 0.0
    error = np.abs(found - expected)
    record_property("error", float(error.max() / expected.max()))
    assert error.max() < 1e-3 * expected.max()
    # Where the wave has only just come at the end, the samples say less of it.
    assert np.median(error / expected) < 2e-3 and np.max(error / expected) < 0.05


def test_a_spherical_wave_decays_with_the_square_of_the_distance(record_property):
    """φ = ρ f s(t − r/v)/(4πr), so that H = ρ f²/(v² (4πr)²) ∫ s_tt² dt, before the sides reflect."""
    frequency = 1500.0
    wavelength = VP / frequency
    stf, side = Ricker(frequency), 4.0 * wavelength
    mesh = box_mesh(((0.0, side),) * 3, (13, 13, 13))
    for name, value in (("VP", VP), ("RHO", RHO)):
        mesh.attach_field(name, np.full((mesh.nelem, 5**3), value))
    middle = dict.fromkeys("xyz", 0.5 * side)
    source = ScalarPoint3D(**middle, f=2.0, source_time_function=stf)
    receiver = Point3D(**middle, station_code="A", fields=["phi"])
    span = WaveformSimulationConfiguration(1.9 / frequency, temporal_dispersion_correction=False)
    found = compute_illumination(Simulation(mesh, [source], [receiver], span))
    times = np.linspace(-3.0, 3.0, 6001) / frequency
    step = times[1] - times[0]
    second = np.gradient(np.gradient(stf.evaluate(times), step), step)
    r = np.linalg.norm(mesh.node_coordinates(4) - 0.5 * side, axis=-1)
    near = (r > 0.2 * wavelength) & (r < 0.5 * wavelength)
    expected = RHO * 4.0 / (VP * 4.0 * np.pi * r[near]) ** 2 * step * np.sum(second**2)
    error = np.abs(found[near] / expected - 1.0).max()
    record_property("error", float(error))
    assert near.sum() > 1000
    assert error < 0.02


def test_it_grows_with_the_square_of_the_source():
    simulation = storage_cases.make("fluid", 2, n=6, periods=2)
    strong = Simulation(
        simulation.mesh,
        [replace(source, f=3.0 * source.f) for source in simulation.sources],
        simulation.receivers,
        simulation.configuration,
        simulation.boundary_conditions,
        time_axis=simulation.time_axis,
    )
    np.testing.assert_allclose(
        compute_illumination(strong), 9.0 * compute_illumination(simulation), rtol=1e-10
    )


def test_periods_of_the_highest_frequency_are_sampled_four_times():
    simulation = storage_cases.make("both", 2, n=8, periods=2)
    shortest = 1.0 / Ricker(storage_cases.FREQUENCY).maximum_frequency()
    interval = sampling_interval(simulation)
    assert interval > 2
    assert interval * simulation.time_axis.dt <= shortest / 4.0 < (interval + 1) * simulation.time_axis.dt
    # Without a highest frequency every step is needed.
    assert sampling_interval(storage_cases.make("fluid", 2, n=6, periods=2, stf=Delta())) == 1


def test_every_step_gives_the_sum_over_all_of_them(tmp_path):
    simulation = storage_cases.make("fluid", 2, n=8, periods=4)
    assert sampling_interval(simulation) == 1
    expected = from_output(simulation, "fluid", tmp_path)
    np.testing.assert_allclose(compute_illumination(simulation), expected, rtol=1e-6)  # written in float32


# -- the task ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mesh():
    return medium_box(3)


def test_the_task_writes_the_illumination(tmp_path, mesh):
    task = IlluminationTask(make_task(tmp_path, mesh))
    expected = compute_illumination(task.forward.simulation())
    for threads in (1, 2):
        task.run(tmp_path / str(threads), make_control(), threads)
        arrays, _ = read_arrays(tmp_path / str(threads) / "illumination.h5")
        np.testing.assert_array_equal(arrays["illumination"], expected)
    assert task.kind == "illumination" and task.label == "illumination of e of initial_model"


def test_the_digest_is_that_of_the_forward_run_and_no_other_task(tmp_path, mesh):
    forward = make_task(tmp_path, mesh)
    task = IlluminationTask(forward)
    assert task.digest() == IlluminationTask(replace(forward, storage=every(4), simulation_name="x")).digest()
    assert task.digest() != forward.digest()
    longer = replace(SPAN, end_time_in_seconds=2e-3)
    for change in ({"n_steps": 91}, {"waveform_simulation_configuration": longer}):
        assert IlluminationTask(replace(forward, **change)).digest() != task.digest()
    assert load(task.to_dict()) == task


def test_the_task_can_be_cancelled_and_shows_its_progress(tmp_path, mesh):
    task, control = IlluminationTask(make_task(tmp_path, mesh)), make_control()
    task.run(tmp_path, control)
    assert control.progress == 1.0
    control.cancel()
    with pytest.raises(Cancelled):
        task.run(tmp_path / "cancelled", control)
    assert not (tmp_path / "cancelled" / "illumination.h5").exists()
