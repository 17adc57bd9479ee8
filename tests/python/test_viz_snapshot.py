"""Figures of wavefields at one time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot

from outputs import simulate
from test_viz import overlaps
from wavetree.data.event_data import EventData
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.output import OutputConfiguration, SurfaceData, VolumeData
from wavetree.viz.snapshot import plot_snapshot

FIELDS = ("phi", "pressure", "velocity", "strain")


@pytest.fixture(scope="module", params=[2, 3])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[EventData, Mesh]:
    simulation = simulate(request.param)
    output = OutputConfiguration(
        volume_data=VolumeData(10, fields=FIELDS),
        surface_data=SurfaceData(10, fields=["phi"], side_sets=["x0"]),
    )
    return simulation.run(output=output, output_folder=tmp_path_factory.mktemp("out")), simulation.mesh


def test_a_snapshot_has_values_unit_and_time(run: tuple[EventData, Mesh]) -> None:
    data, mesh = run
    velocity = data.get_wavefield_output("volume", "velocity")
    figure = plot_snapshot(velocity, mesh, 2.1e-4, "Y")
    figure.draw_without_rendering()
    number = int(np.abs(velocity.coords["time"].values - 2.1e-4).argmin())
    axes = figure.axes[0]
    time = 1e6 * float(velocity.coords["time"][number])
    assert axes.get_title() == f"event: velocity Y at {time:.4g} µs"
    labels = [text.get_text() for text in figure.findobj(pyplot.Text)]
    assert "velocity Y [m/s]" in labels
    if mesh.dim == 2:
        drawn = axes.collections[0].get_array()
        np.testing.assert_array_equal(drawn, velocity[number, :, :, 1].values.ravel())
        assert axes.get_xlim() == tuple(mesh.bounds[0]) and axes.get_ylim() == tuple(mesh.bounds[1])
    assert not overlaps(figure)
    pyplot.close("all")


def test_scalars_need_no_component(run: tuple[EventData, Mesh]) -> None:
    data, mesh = run
    figure, axes = pyplot.subplots()
    assert plot_snapshot(data.get_wavefield_output("volume", "phi"), mesh, 0.0, ax=axes) is figure
    assert axes.get_title().startswith("event: phi at ")
    pyplot.close("all")


def test_the_other_medium_is_left_grey(run: tuple[EventData, Mesh]) -> None:
    """The fluid is at the bottom, up to a third of the height of the mesh."""
    data, mesh = run
    figure = plot_snapshot(data.get_wavefield_output("volume", "phi"), mesh, 0.0)
    assert any(text.get_text() == "phi [Pa s²]" for text in figure.findobj(pyplot.Text))
    panels = figure.axes if mesh.dim == 2 else figure.axes[0].child_axes[:3]
    assert all(panel.get_facecolor()[:3] == (0.9, 0.9, 0.9) for panel in panels[:3:2])
    if mesh.dim == 3:  # the view along y, z upwards
        assert panels[2].get_ylim() == (0.0, 2.0)
        drawn = panels[2].collections[0]._triangulation
        assert 0.6 < drawn.y.max() < 0.75 and drawn.y.min() == 0.0
    pyplot.close("all")


def test_slices_that_miss_the_medium_are_empty(run: tuple[EventData, Mesh]) -> None:
    data, mesh = run
    if mesh.dim == 3:
        figure = plot_snapshot(data.get_wavefield_output("volume", "phi"), mesh, 0.0, at=(0.5, 0.5, 1.9))
        assert [len(panel.collections) for panel in figure.axes[0].child_axes[:3]] == [0, 1, 1]
    pyplot.close("all")


def test_what_cannot_be_drawn_is_refused(run: tuple[EventData, Mesh]) -> None:
    data, mesh = run
    phi = data.get_wavefield_output("volume", "phi")
    with pytest.raises(
        ValueError, match=r"time_in_seconds is 1; expected one of the written times, -0\.00066"
    ):
        plot_snapshot(phi, mesh, 1.0)
    with pytest.raises(ValueError, match="unknown component of strain 'X'"):
        plot_snapshot(data.get_wavefield_output("volume", "strain"), mesh, 0.0, "X")
    with pytest.raises(
        ValueError, match=r"has dimensions \('time', 'facet', .*expected \(time, element, node"
    ):
        plot_snapshot(data.get_wavefield_output("surface", "phi"), mesh, 0.0)
    with pytest.raises(ValueError, match="wavefield has values in element 3, but the mesh has 1 elements"):
        plot_snapshot(phi, box_mesh([(0.0, 1.0)] * mesh.dim, (1,) * mesh.dim), 0.0)


def test_a_time_between_two_is_drawn_at_the_nearest(run: tuple[EventData, Mesh], tmp_path: Path) -> None:
    data, mesh = run
    phi = data.get_wavefield_output("volume", "phi")
    times = phi.coords["time"].values
    wanted = times[7] + 0.4 * (times[1] - times[0])
    assert f"at {1e6 * times[7]:.4g} µs" in plot_snapshot(phi, mesh, wanted).axes[0].get_title()
    pyplot.close("all")
