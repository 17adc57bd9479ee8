"""Checks of simulations before they run: resolution, time step, memory, geometry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from analytic.media import Fluid, Solid
from fill import fill
from media_projects import seabed
from meshes import make_mesh
from projects import event, misfit, simulation
from wavetree.mesh import Mesh, box_mesh
from wavetree.project.project import Project
from wavetree.simulation.configuration import (
    EventConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WavefieldCompression,
    WaveformSimulationConfiguration,
)
from wavetree.simulation.core import make_core
from wavetree.simulation.medium import fastest_velocity, medium
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step
from wavetree.simulation.validation import check_geometry, check_resolution, check_time_step
from wavetree.simulation.validation.time_step import element_limits
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point2D, SideSetPoint2D
from wavetree.survey.source.cartesian import ScalarPoint2D, VectorPoint2D
from wavetree.survey.stf import Delta, Ricker

WATER, ROCK = Fluid(vp=1500.0, rho=1000.0), Solid(vp=3000.0, vs=1700.0, rho=2200.0)


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def filled(mesh: Mesh, order: int = 4, **changes: object) -> Mesh:
    return medium(fill(mesh, order, WATER, **changes), order)  # type: ignore[arg-type]


# -- resolution ------------------------------------------------------------------------------------


def test_points_per_wavelength() -> None:
    """v k / (f h): 4 intervals on 0.5 m with a wave of 1500/2000 m, and twice as many where it is faster."""
    mesh = filled(box_mesh(((0.0, 2.0), (0.0, 1.0)), (4, 2)), other=ROCK, where=np.arange(8) == 3)
    found = check_resolution(mesh, 2000.0, "m")
    expected = np.full(8, 6.0)
    expected[3] = 1700.0 * 4 / (2000.0 * 0.5)
    np.testing.assert_allclose(found.points_per_wavelength, expected)
    assert found.passed and found.resolved_frequency == pytest.approx(2400.0)
    coarse = check_resolution(mesh, 2600.0, "m")
    assert not coarse.passed and coarse.coarse.tolist() == [0, 1, 2, 4, 5, 6, 7]
    text = str(coarse).splitlines()
    assert text[0] == "Resolution of 'm' at 2600 Hz: TOO COARSE"
    assert text[2] == "    below 5: 7 elements (87.5 %)"
    assert text[4] == "    4.62 points in element 0 at (0.25, 0.25) m, slowest wave 1500 m/s"
    with pytest.raises(ValueError, match="frequency is 0.0; expected a positive number"):
        check_resolution(mesh, 0.0)


# -- time step -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("order", [1, 2, 4, 7])
def test_the_limit_of_a_single_brick_is_exact(dim: int, order: int) -> None:
    mesh = filled(box_mesh(((0.0, 1.0), (0.0, 0.7), (0.0, 1.9))[:dim], (1,) * dim), order)
    (limit,) = element_limits(mesh)
    # The solver's own bound keeps half a percent and the residual of Lanczos in hand.
    assert 0.985 < maximum_time_step(mesh) / limit <= 1.0


@pytest.mark.parametrize("kind", ["box", "sheared", "sinusoidal", "perturbed"])
@pytest.mark.parametrize("dim", [2, 3])
def test_the_smallest_limit_is_near_that_of_the_mesh(kind: str, dim: int) -> None:
    mesh = filled(make_mesh(kind, dim))
    assert 0.93 < maximum_time_step(mesh) / element_limits(mesh).min() < 1.6


def test_the_elements_that_set_the_step() -> None:
    """One column of elements is five times narrower: it sets the step, and without it that were longer."""

    def squeezed(points: np.ndarray) -> np.ndarray:
        x = np.interp(points[:, 0], [0.0, 0.4, 0.5, 1.0], [0.0, 0.46, 0.48, 1.0])
        return np.stack([x, points[:, 1]], axis=1)

    mesh = filled(box_mesh(((0.0, 1.0), (0.0, 1.0)), (10, 10), deformation=squeezed))
    found = check_time_step(mesh, (), TimeAxis(0.0, 1e-6, 10), "m")
    x = mesh.get_element_centroid()[:, 0]
    assert sorted(found.setting) == np.flatnonzero((x > 0.46) & (x < 0.48)).tolist()
    assert found.passed and found.maximum_time_step >= found.limits.min()
    assert not check_time_step(mesh, (), TimeAxis(0.0, 1e-2, 10)).passed
    even = check_time_step(filled(box_mesh(((0.0, 1.0), (0.0, 1.0)), (10, 10))), (), found.time_axis)
    assert even.setting.size == 100 and even.gain == pytest.approx(1.0)
    lines = str(found).splitlines()
    assert lines[0] == "Time step of 'm': ok" and "10 of 100 elements set it" in lines[2]


def test_fastest_waves() -> None:
    mesh = filled(box_mesh(((0.0, 1.0), (0.0, 1.0)), (2, 1)), other=ROCK, where=[False, True])
    np.testing.assert_allclose(fastest_velocity(mesh), np.repeat([[1500.0], [3000.0]], 25, axis=1))
    for dim in (2, 3):
        turned = box_mesh(((0.0, 1.0),) * dim, (1,) * dim)
        along, across = (3600.0, 3200.0)
        values = {"VPV": along, "VPH": across, "VSV": 1700.0, "VSH": 1700.0, "ETA": 1.0, "RHO": 2200.0}
        for name, value in values.items():
            turned.attach_field(name, np.full((1, 2**dim), value))
        np.testing.assert_allclose(fastest_velocity(medium(turned, 1)), along)


# -- memory ----------------------------------------------------------------------------------------


def test_memory_is_what_is_written(project: Project) -> None:
    """Records, wavefield and gradient take what was forecast, and a few KiB more in their files."""
    compression = WavefieldCompression(forward_wavefield_sampling_interval=3)
    found = project.actions.validation.memory("initial", wavefield_compression=compression)
    project += misfit()
    project.actions.inversion.compute_gradients("initial", "L2", wavefield_compression=compression)
    folder = project.simulations.get_simulation_output_directory("initial", "event_0000")
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.h5")}
    forecast = {
        "waveforms.h5": found.records,
        f"wavefield_{found.storage.label}.h5": found.storage.memory_in_bytes,
    }
    for name, size in forecast.items():
        assert size <= sizes[name] <= size + 30_000
    gradients = list((project.path / "results").rglob("gradient.h5"))
    assert len(gradients) == 2 and found.gradient <= gradients[0].stat().st_size <= found.gradient + 30_000
    mesh = found.mesh + 2 * (found.records + found.gradient + found.storage.memory_in_bytes)
    assert found.gradient_disk == mesh and found.n_events == 2
    assert "subsampled wavefield (every 3 steps)" in str(found)
    assert found.gradient_memory > found.forward_memory > found.plan.memory_in_bytes


def test_memory_of_a_run_counts_what_python_keeps() -> None:
    mesh = filled(box_mesh(((0.0, 1.0), (0.0, 1.0)), (20, 10)))
    axis, ricker = TimeAxis(0.0, 1e-6, 10), Ricker(1e3)
    source = ScalarPoint2D(x=0.5, y=0.5, f=1.0, source_time_function=ricker)
    span = WaveformSimulationConfiguration(end_time_in_seconds=1e-5)
    plan, nodes = Simulation(mesh, [source], [], span, time_axis=axis).plan(), 200 * 25
    compiled = make_core(medium(mesh, 4), (), "float32", 1).compiled.memory_in_bytes
    # Two fields, two coefficients and the sponge's origin, in 8 bytes; few points, corners and sides.
    kept = plan.memory_in_bytes - compiled - 5 * 8 * nodes
    assert 0 < kept < 0.1 * 5 * 8 * nodes
    # Stiffness sums of 4 bytes; 2 coefficients twice and 2 parameters three times; two sums by degree of
    # freedom, and two fields, in which some places are free.
    fields = plan.gradient_in_bytes - 4 * nodes - 8 * (2 * 2 + 3 * 2) * nodes - 16 * 81 * 41
    assert fields == 2 * plan.snapshot_in_bytes
    assert 4 * 81 * 41 <= plan.snapshot_in_bytes < 1.1 * 4 * 81 * 41


# -- geometry --------------------------------------------------------------------------------------


def sea() -> Mesh:
    mesh = box_mesh(((0.0, 1.0), (-0.5, 0.5)), (4, 4))
    return filled(mesh, other=ROCK, where=mesh.get_element_centroid()[:, 1] < 0.0)


def receiver(code: str, y: float, *fields: str, x: float = 0.5) -> Point2D:
    return Point2D(x=x, y=y, station_code=code, fields=list(fields))


def test_places_and_problems() -> None:
    sources = [ScalarPoint2D(x=0.2, y=0.2, f=1.0), VectorPoint2D(x=0.2, y=0.2, fx=1.0, fy=0.0)]
    receivers = [
        receiver("a", 0.3, "phi"),
        receiver("b", -0.3, "phi"),
        receiver("c", 0.0, "phi", "displacement"),  # on the sea bed, which has both
        receiver("d", 0.0, "velocity"),
        receiver("e", 0.7, "phi"),
        SideSetPoint2D((0.3, 0.1), direction="y", side_set_name="y1", station_code="f", fields=["phi"]),
        SideSetPoint2D((1.3, 0.1), direction="y", side_set_name="y1", station_code="g", fields=["phi"]),
    ]
    mesh = sea()
    mesh.find_side_sets()
    found = check_geometry(mesh, [Event(sources, receivers=receivers, event_name="e")], "sea")
    assert [point.name for point in found.problems] == ["1", "XX.b.", "XX.e.", "XX.g."]
    texts = [point.problem for point in found.problems]
    assert "the vector source at (0.2, 0.2) lies in a fluid" in texts[0]
    assert "records 'phi' but lies in a solid" in texts[1]
    assert "0.2" in texts[2] and "cannot be moved onto side set 'y1'" in texts[3]
    assert found.points[7].location == (0.3, 0.5) and found.points[4].medium in ("fluid", "solid")
    assert [found.count("source", m) for m in ("fluid", "solid", None)] == [2, 0, 0]
    assert found.count("receiver", None) == 2
    text = str(found).splitlines()
    assert text[0] == "Geometry of 'sea' with 1 event: 4 PROBLEMS"
    assert text[1] == "    x 0 to 1 m, y -0.5 to 0.5 m; 8 fluid and 8 solid elements"
    good = check_geometry(mesh, [Event(sources[:1], receivers=receivers[:1])])
    assert good.passed and not good.problems


def test_what_is_found_is_what_simulations_refuse(tmp_path: Path) -> None:
    p = seabed(tmp_path / "p")
    p += Event([ScalarPoint2D(x=0.5, y=0.2, f=1.0)], receivers=[receiver("a", -0.2, "phi")], event_name="bad")
    p += Event([ScalarPoint2D(x=0.5, y=0.2, f=1.0)], receivers=[receiver("a", 0.2, "phi")], event_name="good")
    found = p.actions.validation.geometry("s")
    assert {point.event for point in found.problems} == {"bad"}
    with pytest.raises(ValueError, match="bad") as error:
        p.simulations.launch("s")
    assert found.problems[0].problem in str(error.value)
    assert p.actions.validation.geometry("s", "good").passed
    p.close()


# -- through a project -----------------------------------------------------------------------------


def test_a_project_has_them_all(project: Project) -> None:
    validation = project.actions.validation
    resolution = validation.resolution("initial")
    assert resolution.frequency == 25000.0 and resolution.name == "initial"
    assert resolution.points_per_wavelength.min() == pytest.approx(4 * 1500.0 / (25000.0 * 0.2 / 4))
    assert validation.resolution(simulation("initial"), 1e5).frequency == 1e5
    step = validation.time_step("initial")
    assert step.time_axis == project.simulations.setup("initial").time_axis
    assert step.passed and step.time_axis.dt < 0.9 * step.maximum_time_step * (1 + 1e-12)
    with pytest.raises(ValueError, match="simulation configuration 'initail'"):
        validation.time_step("initail")


def test_frequencies_of_given_meshes(project: Project) -> None:
    mesh = project.simulations.get_mesh("initial")
    span = WaveformSimulationConfiguration(1e-4)
    for name, wavelet in (("ricker", Ricker(5000.0)), ("delta", Delta())):
        events = EventConfiguration(wavelet, waveform_simulation_configuration=span)
        project += UnstructuredMeshSimulationConfiguration(
            name, unstructured_mesh=mesh, event_configuration=events
        )
    found = project.actions.validation.resolution("ricker")
    assert found.frequency == pytest.approx(Ricker(5000.0).maximum_frequency())
    with pytest.raises(ValueError, match="frequency_in_hertz is None and a wavelet of 'delta' has all"):
        project.actions.validation.resolution("delta")


@pytest.mark.parametrize("dim", [2, 3])
def test_figures(dim: int, tmp_path: Path) -> None:
    mesh = make_mesh("box", dim)
    solid = mesh.get_element_centroid()[:, -1] < 0.5
    mesh = filled(mesh, 2, other=ROCK, where=solid)
    resolution = check_resolution(mesh, 3000.0, "m").plot()
    assert resolution.axes[0].get_title() == "m at 3 kHz" or dim == 3
    step = check_time_step(mesh, (), TimeAxis(0.0, 1e-6, 10), "m").plot()
    labels = [
        text.get_text() for axes in step.axes if axes.get_legend() for text in axes.get_legend().get_texts()
    ]
    assert labels[0] == "step: 1 µs" and labels[1].startswith("largest stable step: ")
    if dim == 2:
        found = check_geometry(mesh, [event(0)], "m").plot()
        labels = [text.get_text() for text in found.axes[0].get_legend().get_texts()]
        assert labels == ["2 receivers", "1 source", "3 cannot be simulated", "fluid", "solid"]


def test_figure_of_memory(project: Project) -> None:
    found = project.actions.validation.memory("initial")
    figure = found.plot()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0].startswith("memory of one gradient: ") and titles[1].startswith("disk, 2 gradients: ")
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    unit = {"KiB": 1024.0, "MiB": 1024.0**2}[titles[0].split()[-1]]
    assert sum(widths) * unit == pytest.approx(found.gradient_memory)
