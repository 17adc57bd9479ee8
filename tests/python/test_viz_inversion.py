"""Figures of inversions: trees of any shape, what is known of them, and what can be chosen."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import inversions
from test_viz import drawn, overlaps, words
from wavetree.inversion.iteration import Iteration, IterationTree
from wavetree.project.project import Project
from wavetree.viz import notebook
from wavetree.viz.history import draw_misfit, path_through
from wavetree.viz.inversion import plot_history
from wavetree.viz.tree import branches, draw_tree, layout, plot_tree


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two iterations and one on a branch from the first."""
    p = inversions.make_project(tmp_path_factory.mktemp("viz") / "project")
    assert p.inversions.run(inversions.NAME, 2) == 2
    p.inversions.add_iteration(inversions.NAME, preceding_iteration_id=0)
    p.inversions.iterate(inversions.NAME, iteration_id=3)
    yield p
    p.close()


@pytest.fixture(scope="module")
def first(project: Project) -> Iteration:
    return project.inversions.get_iteration(inversions.NAME, 0)


def tree(first: Iteration, parents: Sequence[int | None], n_events: int = 5) -> list[Iteration]:
    """Iterations whose misfit falls by 0.8 a step; every third has two rejected trials."""
    nodes: list[Iteration] = []
    trial = first.trials[0]
    for k, parent in enumerate(parents):
        depth = 0 if parent is None else round(np.log(nodes[parent].misfit / n_events) / np.log(0.8)) + 1
        children = tuple(child for child, other in enumerate(parents) if other == k)
        changes: dict[str, Any] = {
            "id": k, "parent": parent, "children": children, "accepted": True if children else None,
            "misfit": n_events * 0.8**depth,
            "misfits": {f"event_{e:04d}": 0.8**depth for e in range(n_events)},
            "trials": (dataclasses.replace(trial, accepted=False),) * (2 if k % 3 == 0 else 0) + (trial,),
            "radius": None if parent is None else 1.0, "ratio": None if parent is None else 0.9,
        }  # fmt: skip
        nodes.append(dataclasses.replace(first, **changes))
    return nodes


def large(first: Iteration, n_events: int = 5) -> list[Iteration]:
    """30 iterations: 20 to 25 branch off from 8, 26 to 29 from 14; one has stopped, one has converged."""
    parents: list[int | None] = [None, *range(29)]
    parents[20], parents[26] = 8, 14
    nodes = tree(first, parents, n_events)
    nodes[19] = dataclasses.replace(nodes[19], accepted=False, reason="stopped after 6 rejected steps")
    nodes[25] = dataclasses.replace(nodes[25], accepted=False, reason="converged: nothing is left")
    return nodes


# Trees


def test_first_children_stay_in_the_row_of_their_parent(first: Iteration) -> None:
    nodes = tree(first, [None, 0, 1, 1, 0, 3, 4, 2])
    assert layout(nodes) == {
        0: (0, 0), 1: (1, 0), 2: (2, 0), 7: (3, 0), 3: (2, 1), 5: (3, 1), 4: (1, 2), 6: (2, 2),
    }  # fmt: skip
    assert [[n.id for n in row] for row in branches(nodes)] == [[0, 1, 2, 7], [1, 3, 5], [0, 4, 6]]
    assert [n.id for n in path_through(nodes)] == [0, 1, 2, 7]
    assert [n.id for n in path_through(nodes, 3)] == [0, 1, 3, 5]
    assert [n.id for n in path_through(nodes, 4)] == [0, 4, 6]
    assert layout([]) == {} and branches([]) == [] == path_through([])


def test_lines_between_iterations_do_not_cross(first: Iteration) -> None:
    """Lines down at half a step meet no line and no iteration but those of the same parent."""
    generator = np.random.default_rng(3)
    for _ in range(20):
        nodes = tree(first, [None, *(int(generator.integers(0, k)) for k in range(1, 25))])
        place, parent = layout(nodes), {node.id: node.parent for node in nodes}
        assert len(set(place.values())) == len(nodes)
        for node in nodes[1:]:
            (x0, y0), (x1, y1) = place[parent[node.id] or 0], place[node.id]
            assert x1 == x0 + 1 and y1 >= y0
            passed = [k for k, (x, y) in place.items() if x == x1 and y0 < y < y1]
            assert {parent[k] for k in passed} <= {node.parent}


def test_iterations_are_drawn_by_state_and_misfit(first: Iteration) -> None:
    nodes = large(first)
    nodes[29] = dataclasses.replace(nodes[29], misfit=None, misfits=None)
    figure = plot_tree(nodes)
    axes = figure.axes[0]
    marks = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert len(marks) == 30
    place = layout(nodes)
    np.testing.assert_array_equal([m.get_offsets()[0] for m in marks], [place[n.id] for n in nodes])
    colors = [m.get_facecolor()[0] for m in marks]
    assert tuple(colors[29]) == to_rgba("white")
    np.testing.assert_array_equal(colors[20], colors[9], err_msg="equal misfits")
    assert not np.array_equal(colors[9], colors[10])
    corners = [len(m.get_paths()[0].vertices) for m in marks]
    assert corners[19] == corners[25] == corners[29] == 5 < corners[0], "squares and a diamond among circles"
    np.testing.assert_allclose(marks[19].get_edgecolor()[0], to_rgba("#C00000"))
    said = words(figure)
    assert {str(k) for k in range(30)} <= set(said) and said.count("2×") == 10
    assert {"step accepted", "open", "stopped", "converged", "rejected trials", "misfit χ"} <= set(said)


def test_the_chosen_iteration_has_a_ring(first: Iteration) -> None:
    _, axes = pyplot.subplots()
    draw_tree(axes, tree(first, [None, 0, 0]), chosen=2)
    *marks, ring = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert len(marks) == 3 and tuple(ring.get_offsets()[0]) == (1, 1) and len(ring.get_facecolor()) == 0


@pytest.mark.parametrize("n_events", [7, 20, 100])
def test_no_text_lies_on_other_text_in_a_large_tree(first: Iteration, n_events: int) -> None:
    assert overlaps(plot_history(large(first, n_events))) == []


def test_no_text_lies_on_other_text_in_a_long_tree(first: Iteration) -> None:
    assert overlaps(plot_history(tree(first, [None, *range(79)]))) == []


def test_trees_draw_themselves(project: Project) -> None:
    found = project.inversions.tree(inversions.NAME)
    figure = found.plot()
    assert isinstance(figure, Figure) and {"0", "4", "open", "step accepted"} <= set(words(figure))
    assert isinstance(IterationTree("empty", ()).plot(), Figure)


# Histories


def lines(axes: Any) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_misfits_are_relative_to_the_first_on_every_branch(first: Iteration) -> None:
    _, axes = pyplot.subplots()
    draw_misfit(axes, tree(first, [None, 0, 1, 0]))
    found = lines(axes)
    np.testing.assert_allclose(found["to iteration 2"], [[0, 100], [1, 80], [2, 64]])
    np.testing.assert_allclose(found["to iteration 3"], [[0, 100], [1, 80]])
    assert axes.get_yscale() == "log" and axes.get_title() == "misfit, χ₀ = 5"


def test_of_different_events_the_misfit_per_event_is_drawn(first: Iteration) -> None:
    nodes = tree(first, [None, 0, 1])
    fewer = dict.fromkeys(list(nodes[1].misfits or {})[:2], 0.6)
    nodes[1] = dataclasses.replace(nodes[1], misfits=fewer, misfit=1.2)
    _, axes = pyplot.subplots()
    draw_misfit(axes, nodes)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [100, 60, 64])
    assert axes.get_title() == "misfit per event, χ₀ = 1"


def test_misfits_of_events_that_are_not_inverted_are_dashed(first: Iteration) -> None:
    nodes = tree(first, [None, 0])
    for node, misfits in zip(nodes, ({"a": 2.0, "b": 2.0}, {"a": 1.0, "b": 2.0}), strict=True):
        object.__setattr__(node, "validation_misfits", misfits)
    _, axes = pyplot.subplots()
    draw_misfit(axes, nodes)
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    np.testing.assert_allclose(lines(axes)["not inverted"], [[0, 100], [1, 75]])


def test_many_events_are_a_matrix_with_gaps(first: Iteration) -> None:
    nodes = tree(first, [None, 0, 1], 9)
    batch: Mapping[str, float] = {"event_0002": 0.5, "event_0007": 0.25}
    nodes[2] = dataclasses.replace(nodes[2], misfits=batch)
    figure = plot_history(nodes)
    (matrix,) = [c for axes in figure.axes for c in axes.collections if isinstance(c, QuadMesh)
                 if "events" in axes.get_title()]  # fmt: skip
    shown = np.ma.filled(matrix.get_array().reshape(9, 3), np.nan)
    expected = np.full((9, 3), np.nan)
    expected[:, :2], expected[2, 2], expected[7, 2] = (100.0, 80.0), 50.0, 25.0
    np.testing.assert_allclose(shown, expected)
    assert "event_0008" in words(figure) and "χ / χ₀ of the event [%]" in words(figure)


def test_an_inversion_without_figures_can_be_drawn(first: Iteration) -> None:
    nothing = dict.fromkeys(("misfit", "misfits", "gradient_norm", "accepted"))
    assert isinstance(plot_history([dataclasses.replace(first, children=(), **nothing)]), Figure)
    assert isinstance(plot_history([]), Figure)
    zero = dataclasses.replace(first, children=(), misfit=0.0, misfits={"a": 0.0}, accepted=False)
    assert isinstance(plot_history([zero]), Figure)
    assert overlaps(plot_history(tree(first, [None]))) == []


# Models and gradients of iterations


def test_any_iteration_can_be_shown(project: Project) -> None:
    figure = project.viz.nb.inversion(inversions.NAME, 1)
    model = project.inversions.get_model(inversions.NAME, 1)
    change = project.inversions.get_model(inversions.NAME, 1, absolute=False)
    gradient = project.inversions.get_gradient(inversions.NAME, 1)
    fields = [mesh.element_nodal_fields[k] for k in ("VP", "RHO") for mesh in (model, change, gradient)]
    for shown, wanted in zip(drawn(figure), fields, strict=True):
        np.testing.assert_allclose(shown.get_array(), wanted.ravel(), rtol=1e-12, atol=1e-9)
    assert {"VP of iteration 1", "gradient by RHO at iteration 1"} <= set(words(figure))
    assert "events on the way to iteration 2" in words(figure) and overlaps(figure) == []


def test_an_iteration_without_gradient_says_so(project: Project) -> None:
    figure = project.viz.nb.inversion(inversions.NAME, 4)
    assert words(figure).count("iteration 4 has no gradient yet") == 2 and len(drawn(figure)) == 4
    newest = words(project.viz.nb.inversion(inversions.NAME))
    assert {"VP of iteration 4", "gradient by VP at iteration 3"} <= set(newest)


# Notebooks


def test_outside_of_notebooks_a_figure_is_returned(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not notebook.has_widgets()

    class Shell:
        kernel = None

        def get_ipython(self) -> Any:
            return self

    shell = Shell()
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not notebook.has_widgets() and isinstance(project.viz.nb.inversion(inversions.NAME), Figure)
    shell.kernel = object()  # type: ignore[assignment]
    monkeypatch.setattr(notebook.importlib.util, "find_spec", lambda name: None)
    assert not notebook.has_widgets()
    monkeypatch.setattr(notebook.importlib.util, "find_spec", lambda name: name)
    assert notebook.has_widgets()


def test_in_notebooks_the_iteration_is_chosen_from_a_menu(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    widgets = pytest.importorskip("ipywidgets")
    monkeypatch.setattr("wavetree.viz.project.has_widgets", lambda: True)
    shown: list[list[str]] = []
    monkeypatch.setattr(widgets.Output, "append_display_data", lambda _, figure: shown.append(words(figure)))
    box = project.viz.nb.inversion(inversions.NAME)
    menu = box.children[0]
    assert [text for text, _ in menu.options] == [
        "newest", "0 (finished)", "1 (finished)", "2 (initialize)", "3 (finished)", "4 (initialize)",
    ]  # fmt: skip
    menu.value = 1
    assert len(shown) == 2 and pyplot.get_fignums() == [], "closed, else notebooks would show them twice"
    assert "VP of iteration 4" in shown[0] and "VP of iteration 1" in shown[1]
    assert isinstance(project.viz.nb.inversion(inversions.NAME, 1), Figure), "one is named"
