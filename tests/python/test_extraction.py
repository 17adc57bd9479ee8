"""Fields of meshes on rectilinear grids."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import wavetree
from meshes import KINDS, bent, make_mesh
from wavetree.domain import BoxDomain2D
from wavetree.mesh import MeshResolution, box_mesh, extract_model_to_regular_grid, mesh_from_domain
from wavetree.model.volume.cartesian import GenericModel


def grid(dim: int, low: float = 0.0, high: float = 1.0, n: int = 9) -> dict[str, np.ndarray]:
    return {axis: np.linspace(low, high, n + k) for k, axis in enumerate("xyz"[:dim])}


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_linear_functions_are_exact(kind: str, dim: int) -> None:
    """Coordinates are polynomials of the geometry's order in every element, whatever its shape."""
    mesh = make_mesh(kind, dim, generator=np.random.default_rng(1))
    weights = np.array([2.0, -3.0, 0.5])[:dim]
    mesh.attach_field("n", mesh.points @ weights)
    mesh.attach_field("e", mesh.node_coordinates(4) @ weights)
    data = extract_model_to_regular_grid(mesh, grid(dim, -0.2, 1.2))
    exact = sum(w * data[axis] for w, axis in zip(weights, "xyz", strict=False))
    for name in ("n", "e"):
        inside = ~np.isnan(data[name])
        assert 0.1 < float(inside.mean()) < 0.9
        np.testing.assert_allclose(data[name].where(inside, 0.0), exact.where(inside, 0.0), atol=1e-11)


@pytest.mark.parametrize("dim", [2, 3])
def test_inside_is_what_the_mesh_locates(dim: int) -> None:
    mesh = box_mesh(
        ((0.0, 1.0), (0.0, 1.0), (0.0, 0.5))[:dim], (3, 3, 2)[:dim], shape_order=3, deformation=bent
    )
    mesh.attach_field("index", np.arange(float(mesh.nelem)))
    data = extract_model_to_regular_grid(mesh, {**grid(dim, -0.11, 2.3, 17), "z": [0.11, 0.3, 0.6]})
    radius = np.hypot(data["x"], data["y"])
    ring = (radius > 1.0) & (radius < 2.0) & (data["x"] > 0.0) & (data["y"] > 0.0)
    if dim == 3:
        ring = ring & (data["z"] < 0.5)
    near = (abs(radius - 1.0) < 1e-3) | (abs(radius - 2.0) < 1e-3)  # the mesh's circles are polynomials
    assert near.sum() <= 4
    agree = np.isnan(data["index"]) != ring
    assert (agree | near).all()
    points = np.argwhere(~np.isnan(data["index"].values))
    places = np.stack([data[axis].values[points[:, k]] for k, axis in enumerate(data["index"].dims)], axis=1)
    elements, _ = mesh.locate(places)
    np.testing.assert_array_equal(data["index"].values[tuple(points.T)], elements)


def test_polynomials_are_exact_up_to_the_order() -> None:
    mesh = box_mesh(((0.0, 1.0), (-1.0, 0.0)), (2, 3))
    x, y = np.moveaxis(mesh.node_coordinates(5), -1, 0)
    mesh.attach_field("VP", x**5 * y**4 - y**5)
    data = extract_model_to_regular_grid(
        mesh, {"x": np.linspace(0, 1, 31), "y": np.linspace(-1, 0, 17)}, ["VP"]
    )
    exact = data["x"] ** 5 * data["y"] ** 4 - data["y"] ** 5
    np.testing.assert_allclose(data["VP"], exact, atol=1e-13)


def test_smooth_fields_converge_with_the_order_of_the_elements() -> None:
    errors = []
    for n in (8, 16, 32):
        mesh = make_mesh("sinusoidal", 2, 4, n)
        places = mesh.node_coordinates(3)
        mesh.attach_field("VP", np.sin(3.0 * places[..., 0] + places[..., 1]))
        data = extract_model_to_regular_grid(mesh, grid(2, 0.0, 1.0, 50), "VP")
        errors.append(float(abs(data["VP"] - np.sin(3.0 * data["x"] + data["y"])).max()))
    assert np.log2(errors[1] / errors[2]) > 3.8


def test_models_come_back_from_meshes_that_hold_them() -> None:
    """Elements of whole grid cells have the bilinear function exactly: grid to mesh to grid."""
    x = np.linspace(0.0, 400.0, 9)
    generator = np.random.default_rng(0)
    fields = {name: (("x", "y"), generator.uniform(1500.0, 2000.0, (9, 9))) for name in ("vp", "rho")}
    model = GenericModel("m", xr.Dataset(fields, coords={"x": x, "y": x}))
    domain = BoxDomain2D(x0=0.0, x1=400.0, y0=0.0, y1=400.0)
    frequency = model.slowest_velocity(model.bounds) / 50.0
    mesh = mesh_from_domain(domain, model, MeshResolution(frequency, elements_per_wavelength=1.0))
    assert mesh.nelem == 64
    back = extract_model_to_regular_grid(mesh, model.data)
    np.testing.assert_allclose(back["VP"], model.data["vp"], rtol=1e-5)  # sampled a hair inside the elements
    again = GenericModel("m", back.rename(VP="vp", RHO="rho"))
    places = generator.uniform(0.0, 400.0, (100, 2))
    np.testing.assert_allclose(again.evaluate(places)["RHO"], model.evaluate(places)["RHO"], rtol=1e-5)


def test_jumps_belong_to_the_lower_element() -> None:
    mesh = box_mesh(((0.0, 2.0), (0.0, 1.0)), (2, 1))
    mesh.attach_field("VP", np.array([1.0, 2.0]))
    data = extract_model_to_regular_grid(mesh, {"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0]})
    assert data["VP"].values.tolist() == [[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]
    assert wavetree.extract_model_to_regular_grid is extract_model_to_regular_grid


@pytest.mark.parametrize(
    ("coordinates", "fields", "message"),
    [
        ({"x": [0.0]}, None, r"coordinates has \['x'\]; expected x, y: add 'y'"),
        ({"x": [0.0, 0.0], "y": [0.0]}, None, "coordinate 'x' does not increase"),
        ({"x": [[0.0]], "y": [0.0]}, None, r"coordinate 'x' has shape \(1, 1\); expected \(n,\)"),
        ({"x": [np.nan], "y": [0.0]}, None, "finite numbers"),
        ({"x": [0.0], "y": [0.0]}, ["VQ"], "field of the mesh.*'VP'"),
    ],
)
def test_bad_input_is_refused(coordinates: dict, fields: list[str] | None, message: str) -> None:
    mesh = box_mesh(((0.0, 1.0), (0.0, 1.0)), (1, 1))
    mesh.attach_field("VP", np.ones(1))
    with pytest.raises(ValueError, match=message):
        extract_model_to_regular_grid(mesh, coordinates, fields)
