"""Figures: what is drawn, where, and with which words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import TriMesh
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from matplotlib.text import Text

import inversions
import meshes
from wavetree.data.event_data import EventData
from wavetree.domain import BoxDomain2D
from wavetree.mesh import Mesh, box_mesh, gradient_mesh
from wavetree.project.project import Project
from wavetree.survey.event import Event, EventCollection
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import (
    MomentTensorPoint2D,
    ScalarPoint2D,
    SideSetScalarPoint2D,
    VectorPoint2D,
)
from wavetree.viz import mesh, waveforms
from wavetree.viz.domain import plot_domain
from wavetree.viz.mesh import plot_field, plot_models
from wavetree.viz.style import prefixed, scale_of, symmetric


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two iterations."""
    p = inversions.make_project(tmp_path_factory.mktemp("viz") / "project")
    assert p.inversions.run(inversions.NAME, 2) == 2
    yield p
    p.close()


def ring(order: int = 4) -> Mesh:
    """A quarter ring of 12 elements with radii 1 and 2."""
    made = box_mesh([(0, 1), (0, 1)], (3, 4), shape_order=order, deformation=meshes.bent)
    made.attach_field("VP", 1500.0 + made.node_coordinates(order)[..., 0])
    return made


def drawn(figure: Figure) -> list[TriMesh]:
    """Fields in the order in which they were drawn."""
    return [c for axes in figure.axes for c in axes.collections if isinstance(c, TriMesh)]


def texts(figure: Figure) -> list[Text]:
    """All text that is drawn; ticks beyond the ends of an axis are not."""
    found: list[Text] = []
    draw = Text.draw

    def record(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text():
            found.append(text)
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        figure.canvas.draw()
    return found


def words(figure: Figure) -> list[str]:
    """What can be read."""
    return [text.get_text() for text in texts(figure)]


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that lie on each other by more than a pixel."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    pairs = []
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[:i]:
            width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            if width > 1.0 and height > 1.0:
                pairs.append((other, one))
    return pairs


# -- meshes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 4])
def test_a_field_is_drawn_on_the_curved_elements(order: int) -> None:
    (field,) = drawn(plot_field(ring(order), "VP"))
    grid = field._triangulation
    assert len(grid.triangles) == 2 * 12 * order**2
    a, b, c = (np.stack([grid.x, grid.y])[:, grid.triangles[:, k]] for k in range(3))
    (ux, uy), (vx, vy) = b - a, c - a
    areas = 0.5 * (ux * vy - uy * vx)
    assert (areas > 0.0).all()
    # Between radii 1 and 2, the chords of an arc of angle t cut an area of 3/2 sin(t).
    arcs = np.diff(np.arctan2(grid.y, grid.x)[: (order + 1) ** 2].reshape(order + 1, order + 1)[:, 0])
    assert areas.sum() == pytest.approx(4 * 1.5 * np.sin(arcs).sum(), rel=1e-12)
    assert areas.sum() == pytest.approx(0.75 * np.pi, rel=0.01)
    np.testing.assert_array_equal(field.get_array(), ring(order).element_nodal_fields["VP"].ravel())


def test_jumps_between_elements_are_kept() -> None:
    made = box_mesh([(0, 1), (0, 1)], (2, 1))
    made.attach_field("VP", np.repeat([[1.0], [2.0]], 9, axis=1))
    (field,) = drawn(plot_field(made, "VP"))
    x, values = field._triangulation.x, np.asarray(field.get_array())
    assert sorted(set(values[x == 0.5])) == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["nodal", "elemental"])
def test_nodal_and_elemental_fields_are_drawn(kind: str) -> None:
    made = ring()
    values = np.arange(float(made.n_points if kind == "nodal" else made.nelem))
    made.attach_field("part", values)
    (field,) = drawn(plot_field(made, "part"))
    shown = np.asarray(field.get_array())
    if kind == "elemental":
        np.testing.assert_array_equal(shown.reshape(12, -1), np.repeat(values[:, None], 25, axis=1))
    else:
        np.testing.assert_array_equal(shown, values[made.connectivity].ravel())


def test_large_meshes_are_drawn_at_a_lower_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh, "_MOST_CELLS", 12 * 4)
    (field,) = drawn(plot_field(ring(), "VP"))
    assert len(field._triangulation.triangles) == 2 * 12 * 2**2
    # A field that is linear in x is so at the nodes of any order.
    np.testing.assert_allclose(field.get_array(), 1500.0 + field._triangulation.x, rtol=1e-12)


def test_axes_and_colours_say_what_they_show() -> None:
    figure = plot_field(ring(), "VP")
    assert {"x [m]", "y [m]", "VP [m/s]", "VP"} <= set(words(figure))
    assert figure.axes[0].get_aspect() == 1.0
    assert overlaps(figure) == []


def test_gradients_say_their_unit_and_have_zero_in_the_middle() -> None:
    made = ring()
    raw = {name: np.linspace(-1.0, 2.0, 300).reshape(12, 25) for name in ("VP", "RHO")}
    gradient = gradient_mesh(made, raw)
    assert "∂χ/∂VP [misfit / (m/s) / m²]" in words(plot_field(gradient, "VP"))
    figure = plot_field(gradient, "RHO")
    assert "∂χ/∂RHO [misfit / (kg/m³) / m²]" in words(figure)
    low, high = drawn(figure)[0].get_clim()
    assert low == -high and high <= np.abs(gradient.element_nodal_fields["RHO"]).max()
    assert "FemMassMatrix [m²]" in words(plot_field(gradient, "FemMassMatrix"))


def test_a_field_is_drawn_into_axes_that_are_given() -> None:
    figure, axes = pyplot.subplots(1, 2)
    assert ring().plot("VP", ax=axes[1]) is figure
    assert [len(a.collections) for a in axes] == [0, 1]


def test_models_side_by_side_have_the_same_colours() -> None:
    one, other = ring(), ring()
    other.attach_field("VP", 2.0 * other.element_nodal_fields["VP"])
    figure = plot_models({"one": one, "other": other})
    assert len({field.get_clim() for field in drawn(figure)}) == 1
    assert {"one: VP", "other: VP"} <= set(words(figure))


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown field of the mesh 'VPP'; did you mean 'VP'\?"):
        plot_field(ring(), "VPP")


# -- scales ------------------------------------------------------------------------------------


def test_a_constant_field_has_room_in_its_scale() -> None:
    scale = scale_of("VP", np.full(9, 1500.0) + 1e-9 * np.arange(9))
    assert (scale.low, scale.high) == pytest.approx((1485.0, 1515.0))


def test_a_peak_does_not_hide_the_rest_of_a_gradient() -> None:
    values = np.append(np.linspace(-1.0, 1.0, 999), 1000.0)
    scale = symmetric("g", values)
    assert -scale.low == scale.high == pytest.approx(1.0, abs=0.01)
    assert scale.extend == "both"
    assert symmetric("g", np.zeros(4)).high == 1.0


@pytest.mark.parametrize(
    ("largest", "unit", "wanted"),
    [(1.5e-4, "s", (1e6, "µs")), (1e5, "Hz", (1e-3, "kHz")), (12.0, "s", (1.0, "s")), (0.0, "s", (1.0, "s"))],
)
def test_units_get_handy_prefixes(largest: float, unit: str, wanted: tuple[float, str]) -> None:
    factor, text = prefixed(largest, unit)
    assert (factor, text) == (pytest.approx(wanted[0]), wanted[1])


def test_sources_are_drawn_by_their_kind() -> None:
    """Forces as arrows along them, of equal length; each kind with its own marker and count."""
    sources = [
        ScalarPoint2D(x=0.1, y=0.1, f=1.0),
        ScalarPoint2D(x=0.1, y=0.1, f=2.0),
        VectorPoint2D(x=0.4, y=0.5, fx=0.0, fy=-3.0),
        VectorPoint2D(x=0.6, y=0.5, fx=3e9, fy=4e9),
        VectorPoint2D(x=0.6, y=0.5, fx=0.0, fy=0.0),
        MomentTensorPoint2D(x=0.8, y=0.8, mxx=1.0, myy=1.0, mxy=0.0),
        SideSetScalarPoint2D((0.2, 0.9), direction="y", side_set_name="y1", f=1.0),
    ]
    receiver = Point2D(x=0.5, y=0.9, station_code="a", fields=["velocity"])
    figure = plot_domain(BoxDomain2D(x0=0, x1=1, y0=0, y1=1), events=[Event(sources, receivers=receiver)])
    assert {"2 sources", "3 forces", "1 moment tensor", "1 receiver"} <= set(words(figure))
    assert "scalar gradient" not in " ".join(words(figure))
    (arrows,) = [c for c in figure.axes[0].collections if isinstance(c, Quiver)]
    np.testing.assert_allclose(arrows.get_offsets(), [[0.4, 0.5], [0.6, 0.5]])
    np.testing.assert_allclose(np.column_stack([arrows.U, arrows.V]), [[0.0, -1.0], [0.6, 0.8]])
    stars = np.concatenate(
        [c.get_offsets() for c in figure.axes[0].collections if c.get_label() == "2 sources"]
    )
    np.testing.assert_array_equal(stars, [[0.1, 0.1], [0.2, 0.9]])


# -- projects ----------------------------------------------------------------------------------

FIGURES: dict[str, tuple[tuple[Any, ...], set[str]]] = {
    "domain": ((), {"x [m]", "y [m]", "2 sources", "12 receivers"}),
    "simulation_setup": (
        ("true",),
        {"VP [m/s]", "RHO [kg/m³]", "Ricker", "time [µs]", "frequency [kHz]", "limit of the mesh"},
    ),
    "waveforms": (
        (["true", "initial"],),
        {"event_0000", "event_0001", "time [µs]", "receiver", "phi [Pa s²]"},
    ),
    "gradients": (
        ("initial", "L2"),
        {"∂χ/∂VP [misfit / (m/s) / m²]", "VP: sum of 2 events", "RHO: event_0001", "∂χ/∂RHO"},
    ),
    "misfits": (("initial", "L2"), {"misfit χ", "event_0001", "L2"}),
    "model": ((["true", "initial"],), {"true: VP", "initial: RHO", "VP [m/s]", "RHO [kg/m³]"}),
    "inversion": (
        (inversions.NAME,),
        {
            *("χ / χ₀ [%]", "radius", "ratio ared / pred", "VP of iteration 2", "ΔRHO [kg/m³]", "ΔVP [m/s]"),
            *("misfit χ", "gradient by VP at iteration 1", "∂χ/∂RHO [misfit / (kg/m³) / m²]"),
        },
    ),
    "iteration": (
        (inversions.NAME, 1),
        {"VP: smoothed gradient", "RHO: accepted step", "pred", "accepted", "VP [m/s]", "ΔVP [m/s]"},
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_a_project_have_labels_with_units(project: Project, name: str) -> None:
    arguments, wanted = FIGURES[name]
    figure = getattr(project.viz.nb, name)(*arguments)
    assert isinstance(figure, Figure)
    assert wanted <= set(words(figure))


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_other_text(project: Project, name: str) -> None:
    assert overlaps(getattr(project.viz.nb, name)(*FIGURES[name][0])) == []


def test_every_event_selection_is_understood(project: Project) -> None:
    events = project.events.get_all()
    for selection in ("event_0001", events[1], [events[1]], EventCollection([events[1]])):
        assert "event_0000" not in words(project.viz.nb.waveforms("true", events=selection))
    figure = project.viz.nb.simulation_setup("true", "event_0001")
    assert "1 source" in words(figure)


def test_a_model_is_compared_with_those_of_simulations(project: Project) -> None:
    found = project.inversions.get_model(inversions.NAME, 2)
    figure = project.viz.nb.model({"truth": "true", "found": found}, "VP")
    assert {"truth: VP", "found: VP"} <= set(words(figure))
    np.testing.assert_array_equal(drawn(figure)[1].get_array(), found.element_nodal_fields["VP"].ravel())


def test_an_inversion_is_drawn_without_its_models(project: Project) -> None:
    figure = project.viz.nb.inversion(inversions.NAME, models=False)
    assert drawn(figure) == [] and "trust region" in words(figure)


def test_visualizations_is_another_name(project: Project) -> None:
    assert project.visualizations is project.viz


def test_observed_and_synthetic_records_are_shown_at_the_same_times(project: Project) -> None:
    figure = project.viz.nb.waveforms(["true", "initial"], "phi", events="event_0000")
    observed, synthetic = (project.waveforms.get(name, "event_0000")[0] for name in ("true", "initial"))
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    wanted = observed.interpolated("phi", synthetic.axis)[:, 0]
    np.testing.assert_allclose(shown[0], wanted.T, atol=1e-6 * np.abs(wanted).max())
    ((title, gain),) = [
        (text, float(text.split()[0])) for text in words(figure) if text.endswith("× difference")
    ]
    assert gain in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0), title
    np.testing.assert_allclose(shown[2], gain * (shown[1] - shown[0]), atol=1e-12)


def test_only_the_first_six_events_are_drawn(project: Project) -> None:
    (one,) = project.waveforms.get("true", "event_0000")
    figure = waveforms.plot_waveforms({"true": [one] * 8}, "phi", "A")
    assert "the first 6 of 8 events" in words(figure)
    assert sum(bool(axes.images) for axes in figure.axes) == 6


def test_records_without_common_times_are_refused(project: Project) -> None:
    (one,) = project.waveforms.get("true", "event_0000")
    later = EventData(one.event_name, one.receivers, one.data, 1.0, one.sampling_rate_in_hertz)
    with pytest.raises(ValueError, match="the records have no time in common"):
        waveforms.plot_waveforms({"one": [one], "later": [later]}, "phi", "A")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("simulation_setup", ("tru",), "unknown simulation configuration 'tru'; did you mean 'true'"),
        ("waveforms", ("tru",), "unknown simulation configuration 'tru'"),
        ("waveforms", ([],), "data is empty"),
        ("waveforms", ("true", "phy"), "unknown field of event_0000 'phy'; did you mean 'phi'"),
        ("waveforms", ("true", "phi", "X"), "unknown component of phi 'X'"),
        ("waveforms", ("true", None, None, "event_01"), "unknown event 'event_01'"),
        ("misfits", ("initial", "L3"), "unknown misfit configuration 'L3'; did you mean 'L2'"),
        ("gradients", ("initial", "L3"), "unknown misfit configuration 'L3'"),
        ("model", ([],), "models is empty"),
        ("model", ("true", "VS"), "unknown field of the mesh 'VS'"),
        ("inversion", ("inversio",), "did you mean 'inversion'"),
        ("inversion", (inversions.NAME, 7), "unknown iteration of 'inversion' 7"),
        ("iteration", (inversions.NAME, 7), "iteration"),
        ("iteration", (inversions.NAME, 2), "iteration 2 of 'inversion' has no gradient yet"),
    ],
)
def test_bad_input_is_refused(project: Project, name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(project.viz.nb, name)(*arguments)
