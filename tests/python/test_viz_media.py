"""Figures of elastic and coupled projects, in two and three dimensions: legible, with the right units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot

from media_projects import configuration, misfit, rock, seabed
from test_viz import drawn, overlaps, words
from wavetree.inversion import InverseProblemConfiguration
from wavetree.mapping import Mapping
from wavetree.mesh import box_mesh
from wavetree.model import voigt
from wavetree.project.project import Project
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point3D
from wavetree.survey.source.cartesian import ScalarPoint3D
from wavetree.viz.mesh import plot_field, plot_models
from wavetree.viz.style import row_height


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def solid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    p = rock(tmp_path_factory.mktemp("viz") / "p")
    p += InverseProblemConfiguration(
        "i", prior_model="initial", misfit_configuration="L2 of velocity",
        mapping=Mapping("absolute", inversion_parameters=["VP", "VS"]),
    )  # fmt: skip
    assert p.inversions.run("i", 1) == 1
    yield p
    p.close()


@pytest.fixture(scope="module")
def seabed_3d(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    p = seabed(tmp_path_factory.mktemp("viz") / "p", 3)
    receivers = [
        Point3D(x=x, y=0.5, z=0.0, station_code=f"F{k}", fields=["pressure", "velocity"])
        for k, x in enumerate((0.4, 0.6, 0.8))
    ]
    for k, y in enumerate((0.3, 0.6)):
        p += Event(sources=[ScalarPoint3D(x=0.3, y=y, z=0.2, f=1e6)], receivers=receivers, event_name=f"e{k}")
    p += configuration("true", 1550.0)
    p += misfit("velocity")
    for name in ("s", "true"):
        p.simulations.launch(name)
    assert p.simulations.query(block=True)
    yield p
    p.close()


SPEEDS = {"VP [m/s]", "VS [m/s]"}
SOLID: dict[str, tuple[tuple[Any, ...], set[str]]] = {
    "simulation_setup": (("true",), {*SPEEDS, "RHO [kg/m³]", "2 forces", "8 receivers"}),
    "waveforms": ((["true", "initial"], "velocity", "Y"), {"velocity Y [m/s]", "5 × difference"}),
    "gradients": (("initial", "L2 of velocity"), {"∂χ/∂VS [misfit / (m/s) / m²]", "VS: e1"}),
    "model": ((["true", "initial"],), {*SPEEDS, "true: VS"}),
    "inversion": (("i",), {*SPEEDS, "ΔVS [m/s]"}),
    "iteration": (("i",), {*SPEEDS, "VS: accepted step"}),
}


@pytest.mark.parametrize("name", SOLID)
def test_figures_of_solids(solid: Project, name: str) -> None:
    arguments, wanted = SOLID[name]
    figure = getattr(solid.viz.nb, name)(*arguments)
    assert wanted <= set(words(figure))
    assert overlaps(figure) == []


def test_inversions_show_what_they_invert_for(solid: Project) -> None:
    for figure in (solid.viz.nb.inversion("i"), solid.viz.nb.iteration("i")):
        assert not any("RHO" in text for text in words(figure))


SEABED: dict[str, tuple[tuple[Any, ...], set[str]]] = {
    "simulation_setup": (("s",), {*SPEEDS, "RHO [kg/m³]", "2 sources", "3 receivers", "z [m]"}),
    "waveforms": ((["true", "s"], "velocity", "Z"), {"velocity Z [m/s]"}),
    "gradients": (("s", "L2 of velocity"), {"∂χ/∂VS [misfit / (m/s) / m³]"}),
    "model": ((["true", "s"],), {*SPEEDS, "z [m]"}),
}


@pytest.mark.parametrize("name", SEABED)
def test_figures_of_fluid_and_solid_in_three_dimensions(seabed_3d: Project, name: str) -> None:
    arguments, wanted = SEABED[name]
    figure = getattr(seabed_3d.viz.nb, name)(*arguments)
    assert wanted <= set(words(figure))
    assert overlaps(figure) == []


def test_records_have_the_unit_of_their_field(seabed_3d: Project) -> None:
    assert "pressure [Pa]" in words(seabed_3d.viz.nb.waveforms("s", "pressure"))


def test_rows_are_as_high_as_what_they_show() -> None:
    flat, square, tall = ((0.0, 4.0), (0.0, 1.0)), ((0.0, 1.0), (0.0, 1.0)), ((0.0, 1.0), (0.0, 9.0))
    assert row_height(4.0, square) == row_height(4.0, ((0.0, 1.0),) * 3) == pytest.approx(4.0)
    assert row_height(4.0, flat) == pytest.approx(0.9 + 3.1 / 4)
    assert row_height(4.0, tall) == pytest.approx(0.9 + 3.1 * 1.6)
    # Views along z, x and y of a plate of 4 x 4 x 1: (1 + 4) high and (4 + 1) wide.
    assert row_height(4.0, ((0.0, 4.0), (0.0, 4.0), (0.0, 1.0))) == pytest.approx(4.0)


@pytest.mark.parametrize("extent", [1.0, 5.0])
def test_models_of_wide_regions_have_no_room_left(extent: float) -> None:
    mesh = box_mesh([(0.0, extent), (0.0, 1.0)], (2, 2))
    mesh.attach_field("VS", np.linspace(1000.0, 2000.0, 4))
    for figure in (plot_models({"a": mesh, "b": mesh}), plot_field(mesh, "VS")):
        assert overlaps(figure) == []
        figure.canvas.draw()
        axes = figure.axes[0]
        box = axes.get_window_extent()
        assert box.width / box.height == pytest.approx(extent, rel=1e-3)
        assert box.height > 0.4 * figure.get_size_inches()[1] * figure.dpi


def test_tensors_are_drawn_in_rows(solid: Project, tmp_path: Path) -> None:
    """Seven parameters in 2-D: two rows of four."""
    from wavetree.simulation.configuration import UnstructuredMeshSimulationConfiguration

    mesh = box_mesh([(0.0, 1.0), (-0.5, 0.5)], (6, 6), shape_order=1)
    values = dict(zip(voigt.component_names(2), (30e9, 10e9, 0.0, 25e9, 0.0, 8e9), strict=True))
    for name, value in {**values, "RHO": 2500.0}.items():
        mesh.attach_field(name, np.full(36, value))
    events = solid.entities.get("simulation_configuration", "initial").event_configuration
    solid += UnstructuredMeshSimulationConfiguration("c", unstructured_mesh=mesh, event_configuration=events)
    figure = solid.viz.nb.simulation_setup("c")
    assert len(drawn(figure)) == 7 and overlaps(figure) == []
    assert {"C33 [Pa]", "RHO [kg/m³]"} <= set(words(figure))
