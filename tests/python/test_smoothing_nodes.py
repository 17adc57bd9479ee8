"""Long lengths are smoothed on few nodes: the same operator for less."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
import pytest

from meshes import make_mesh, sinusoidal
from wavetree import _core
from wavetree.demo import INITIAL, add_entities, true_model
from wavetree.mesh import Mesh, box_mesh
from wavetree.project.project import Project
from wavetree.simulation.core import default_instruction_set
from wavetree.simulation.simulation import Simulation
from wavetree.smoothing import ConstantSmoothing, smoother
from wavetree.smoothing.coarse_nodes import CoarseNodes

UNIT = ((0.0, 1.0),) * 3
MESHES = {
    "box": box_mesh(UNIT[:2], (8, 8), shape_order=4),
    "perturbed": box_mesh(UNIT[:2], (8, 8), perturbation=0.2, generator=np.random.default_rng(1)),
    "curved": box_mesh(UNIT[:2], (8, 8), shape_order=4, deformation=sinusoidal),
    "disc": make_mesh("disc", 2, 3, 6),
    "cube": box_mesh(UNIT, (3, 3, 3), perturbation=0.2, generator=np.random.default_rng(2)),
    "curved cube": box_mesh(UNIT, (3, 3, 3), shape_order=2, deformation=sinusoidal),
}


def on_all_nodes(mesh: Mesh, order: int, sigma: float) -> _core.DiffusionOperator:
    rows, columns = np.triu_indices(mesh.dim)
    diagonal = np.where(rows == columns, 0.5 * sigma**2, 0.0)
    tensor = np.repeat(diagonal, mesh.nelem * (order + 1) ** mesh.dim).reshape(len(rows), mesh.nelem, -1)
    return _core.DiffusionOperator(
        mesh.points, mesh.connectivity, mesh.shape_order, order, tensor, default_instruction_set(), 1
    )


def longest_edge(mesh: Mesh) -> float:
    corners = mesh.node_coordinates(1).reshape(mesh.nelem, *(2,) * mesh.dim, mesh.dim)
    edges = [np.diff(corners, axis=axis).reshape(-1, mesh.dim) for axis in range(1, mesh.dim + 1)]
    return float(np.linalg.norm(np.concatenate(edges), axis=1).max())


def norm(mass: np.ndarray, operator) -> float:
    """The norm of a self-adjoint operator, by the power method."""
    field = np.random.default_rng(0).standard_normal(len(mass))
    for _ in range(12):
        field = operator(field)
        size = np.sqrt(mass @ field**2)
        field /= size
    return float(size)


@pytest.mark.parametrize("lower", [2, 3])
@pytest.mark.parametrize("name", MESHES)
def test_the_operator_is_that_of_all_nodes(name, lower, record_property):
    """Just where a lower order begins to be used, so where the difference is largest."""
    mesh, order = MESHES[name], 4
    sigma = 2.501 / lower * longest_edge(mesh)
    few, every = smoother(mesh, order, sigma), on_all_nodes(mesh, order, sigma)
    mass = mesh.get_mass_matrix(order)
    error = norm(mass, lambda a: few.apply(a) - every.apply(a))
    record_property("error", error)
    assert 1e-6 < error < 5e-3  # not the operator of all nodes itself
    a, b = np.random.default_rng(1).standard_normal((2, len(mass)))
    size = np.sqrt((mass @ a**2) * (mass @ b**2))
    assert abs((mass * a) @ few.apply(b) - (mass * few.apply(a)) @ b) < 1e-13 * size
    np.testing.assert_allclose(few.apply(np.full(len(mass), 3.0)), 3.0, rtol=1e-13)
    assert abs(mass @ few.apply(a) - mass @ a) < 1e-13 * np.sqrt(mass.sum() * (mass @ a**2))


@pytest.mark.parametrize("name", ["box", "curved cube"])
def test_short_lengths_are_smoothed_on_all_nodes(name):
    mesh = MESHES[name]
    sigma = 0.2 * longest_edge(mesh)
    field = np.random.default_rng(3).standard_normal(mesh.dof_map(4).n_dofs)
    expected = on_all_nodes(mesh, 4, sigma).apply(field)
    np.testing.assert_array_equal(smoother(mesh, 4, sigma).apply(field), expected)


@pytest.mark.parametrize("name", MESHES)
def test_interpolation_and_restriction_are_transposes(name):
    """In the lumped masses; and polynomials of the lower order come back from the nodes of the other."""
    mesh = MESHES[name]
    nodes = CoarseNodes(mesh, 4, 2)
    fine, coarse = mesh.get_mass_matrix(4), mesh.get_mass_matrix(2)
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal(len(fine)), rng.standard_normal(len(coarse))
    left, right = (fine * a) @ nodes.interpolate(b), (coarse * nodes.restrict(a)) @ b
    assert abs(left - right) < 1e-13 * np.sqrt((fine @ a**2) * (coarse @ b**2))
    x = np.zeros((2, len(fine)))
    for row, order in ((0, 4), (1, 2)):
        dofs = mesh.dof_map(order)
        x[row, dofs.element_dofs] = mesh.node_coordinates(order)[..., 0]
    if mesh.shape_order <= 2:
        np.testing.assert_allclose(nodes.interpolate(x[1, : len(coarse)]), x[0], atol=1e-13)


def test_covariances_stay_semidefinite_at_coarse_nodes():
    nodes = CoarseNodes(MESHES["box"], 4, 3)
    values = np.random.default_rng(5).uniform(size=(3, 64, 25))
    values[0], values[2] = 1.0, values[1] ** 2  # singular
    xx, xy, yy = nodes.sample(values)
    assert np.min(xx * yy - xy**2) > -1e-14


def test_smoothing_costs_a_tenth_of_a_forward_run_at_most(tmp_path: Path, record_property):
    """One field of the tutorial on one thread, medians in one process."""
    with_tutorial = Project.from_volume_model(tmp_path / "project", true_model())
    add_entities(with_tutorial)
    setup = with_tutorial.simulations.setup(INITIAL)
    event, mesh = with_tutorial.events.get("event_0000"), with_tutorial.meshes.get(setup.mesh_digest)
    simulation = setup.forward_task(event).simulation()
    with_tutorial.close()
    assert isinstance(simulation, Simulation)
    operator = ConstantSmoothing({"VP": 0.01}).build(mesh, 4)
    field = {"VP": np.random.default_rng(6).standard_normal(mesh.dof_map(4).n_dofs)}
    seconds = {"forward": [], "smoothing": []}
    for _ in range(7):
        for name, call in (("forward", simulation.run), ("smoothing", lambda: operator.apply(field))):
            begin = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - begin)
    ratio = statistics.median(seconds["smoothing"]) / statistics.median(seconds["forward"])
    record_property("ratio", ratio)
    assert ratio < 0.1
