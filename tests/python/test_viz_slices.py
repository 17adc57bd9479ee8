"""Figures of hexes: slices on the true mesh, and what lies in space seen along the axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from meshes import make_mesh
from test_viz import overlaps, words
from wavetree.domain import dim3
from wavetree.mesh import Mesh, box_mesh, gradient_mesh
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point3D
from wavetree.survey.source.cartesian import ScalarPoint3D
from wavetree.viz import slices
from wavetree.viz.domain import draw_positions, plot_domain
from wavetree.viz.mesh import plot_field, plot_models
from wavetree.viz.slices import cut, panels
from wavetree.viz.style import new_figure


def areas(corners: np.ndarray) -> np.ndarray:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def medium(kind: str = "sinusoidal", shape_order: int = 2, n: int = 3) -> Mesh:
    """A mesh whose VP is linear in space."""
    mesh = make_mesh(kind, 3, shape_order, n, np.random.default_rng(1))
    mesh.attach_field("VP", 1500.0 + mesh.node_coordinates(4) @ np.array([100.0, 200.0, 300.0]))
    return mesh


@pytest.mark.parametrize("position", [0.0, 0.25, 1 / 3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_covers_the_square_once(axis: int, position: float) -> None:
    mesh = medium()
    corners, values = cut(mesh, mesh.element_nodal_fields["VP"], axis, position)
    assert areas(corners).sum() == pytest.approx(1.0, rel=2e-3)  # chords of the curved faces
    assert np.abs(corners - 0.5).max() < 0.5 + 1e-9
    weights = np.delete([100.0, 200.0, 300.0], axis)
    expected = 1500.0 + corners @ weights + position * (100.0, 200.0, 300.0)[axis]
    np.testing.assert_allclose(values, expected, rtol=1e-8)  # linear functions are linear on the slice


def test_slices_of_a_ball_are_discs() -> None:
    mesh = medium("disc", 4, 4)
    for position in (0.0, 0.3, -0.6):
        corners, _ = cut(mesh, mesh.element_nodal_fields["VP"], 2, position)
        assert areas(corners).sum() == pytest.approx(
            np.pi * (1 - position**2), rel=1e-2
        )  # chords, up to 15 cells across


def test_jumps_between_elements_are_kept() -> None:
    mesh = box_mesh([(0, 1)] * 3, (2, 1, 1))
    values = np.repeat([[1.0], [2.0]], 8, axis=1)
    corners, colours = cut(mesh, values, 1, 0.4)
    left = corners[..., 0].mean(axis=1) < 0.5
    assert set(colours[left].ravel()) == {1.0}
    assert set(colours[~left].ravel()) == {2.0}


def test_large_meshes_are_cut_at_a_lower_order(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = medium("box")
    many = len(cut(mesh, mesh.element_nodal_fields["VP"], 0, 0.4)[0])
    monkeypatch.setattr(slices, "_MOST_CELLS", 20)  # as many elements as the plane meets
    few, values = cut(mesh, mesh.element_nodal_fields["VP"], 0, 0.4)
    assert len(few) < many / 10
    assert areas(few).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(values, 1540.0 + few @ np.array([200.0, 300.0]))


@pytest.mark.parametrize("kind", ["nodal", "elemental", "element-nodal"])
def test_fields_of_every_kind_are_drawn(kind: str) -> None:
    mesh = medium()
    sizes = {"nodal": mesh.n_points, "elemental": mesh.nelem, "element-nodal": (mesh.nelem, 125)}
    mesh.attach_field("part", np.full(sizes[kind], 7.0))
    figure = plot_field(mesh, "part")
    for panel in figure.axes[0].child_axes[:3]:
        assert set(np.asarray(panel.collections[0].get_array())) == {7.0}


def test_axes_and_colours_say_what_they_show() -> None:
    mesh = box_mesh([(0, 2000), (0, 1200), (-800, 0)], (2, 2, 2))
    mesh.attach_field("VP", np.linspace(1500.0, 2500.0, 8))
    figure = plot_field(mesh, "VP", at=(500.0, 300.0, -100.0))
    assert {"x [m]", "y [m]", "z [m]", "VP [m/s]", "VP"} <= set(words(figure))
    assert overlaps(figure) == []
    xy, zy, xz = figure.axes[0].child_axes[:3]
    assert [p.get_xlim() for p in (xy, zy, xz)] == [(0, 2000), (-800, 0), (0, 2000)]
    assert [p.get_ylim() for p in (xy, zy, xz)] == [(0, 1200), (0, 1200), (-800, 0)]
    # A metre is as long in every panel and along every axis.
    figure.draw_without_rendering()
    boxes = [panel.get_window_extent() for panel in (xy, zy, xz)]
    sizes = np.array([(box.width, box.height) for box in boxes])
    scales = sizes / [(2000, 1200), (800, 1200), (2000, 800)]
    np.testing.assert_allclose(scales, scales[0, 0], rtol=1e-6)


def test_gradients_are_densities_per_volume() -> None:
    mesh = medium()
    gradient = gradient_mesh(mesh, {"VP": np.ones((mesh.nelem, 125))})
    assert "∂χ/∂VP [misfit / (m/s) / m³]" in words(plot_field(gradient, "VP"))
    assert "FemMassMatrix [m³]" in words(plot_field(gradient, "FemMassMatrix"))


def test_models_side_by_side_have_the_same_colours() -> None:
    figure = plot_models({"one": medium(), "other": medium("box")})
    drawn = [axes.child_axes[k].collections[0] for axes in figure.axes[:2] for k in range(3)]
    assert len({field.get_clim() for field in drawn}) == 1
    assert {"one: VP", "other: VP"} <= set(words(figure))
    assert overlaps(figure) == []


@pytest.mark.parametrize("at", [(0.5, 0.5, 1.1), (0.5, 0.5), (np.nan, 0.0, 0.0)])
def test_slices_outside_the_mesh_are_refused(at: Any) -> None:
    with pytest.raises(
        ValueError, match=r"at is .*; expected a point \(x, y, z\) inside the mesh's bounds, x 0 to 1"
    ):
        medium().plot("VP", at=at)


def events() -> list[Event]:
    places = [(0.2, 0.3, 0.4), (0.5, 0.6, 0.9), (0.7, 0.1, 0.8)]
    receivers = [
        Point3D(x=x, y=y, z=z, station_code=f"A{k}", fields=["phi"]) for k, (x, y, z) in enumerate(places)
    ]
    return [Event(sources=ScalarPoint3D(x=0.5, y=0.5, z=0.1, f=1.0), receivers=receivers)]


def test_sources_and_receivers_are_seen_along_the_axes() -> None:
    axes = new_figure(5, 5).add_subplot()
    made = panels(axes, [(0, 1)] * 3)
    draw_positions(axes, events())
    places = np.array([r.location for r in events()[0].receivers])
    for panel, shown in zip(made, ((0, 1), (2, 1), (0, 2)), strict=True):
        receivers, sources = panel.collections
        np.testing.assert_array_equal(receivers.get_offsets(), places[:, shown])
        assert len(sources.get_offsets()) == 1
    assert axes.get_legend_handles_labels()[1] == ["3 receivers", "1 source"]


def test_a_box_is_drawn_with_what_is_in_it() -> None:
    figure: Figure = plot_domain(dim3.BoxDomain(0, 1, 0, 1, 0, 1), events=events())
    assert {"x [m]", "y [m]", "z [m]", "domain", "3 receivers", "1 source"} <= set(words(figure))
    assert overlaps(figure) == []
    assert all(len(panel.patches) == 1 for panel in figure.axes[0].child_axes)
