import json

import numpy as np
import pytest
import xarray as xr

from mappings import dot_defect, prior, random_parameters
from wavetree.config import load
from wavetree.mapping import Mapping
from wavetree.mapping.nodes import node_positions
from wavetree.mapping.region import region_weights
from wavetree.mesh import Mesh


def ramp(coordinates: np.ndarray) -> np.ndarray:
    return np.clip(coordinates[:, 0] / 0.5, 0.0, 1.0)


def left_half(coordinates: np.ndarray) -> np.ndarray:
    return coordinates[:, 0] < 0.5


def made() -> Mesh:
    return prior(np.random.default_rng(1))


def mapping(region: object) -> Mapping:
    return Mapping("absolute", inversion_parameters=["VP"], region_of_interest=region)


def weights_of(region: object, mesh: Mesh) -> np.ndarray:
    configured = mapping(region)
    stored = load(json.loads(json.dumps(configured.to_dict())))
    assert stored == configured and stored.digest() == configured.digest()
    kept = configured.region_of_interest if callable(region) else stored.region_of_interest
    return region_weights(kept, mesh)


def test_every_form_of_a_region_gives_the_same_weights() -> None:
    mesh = made()
    expected = ramp(node_positions(mesh))
    x = np.linspace(0.0, 1.0, 5)  # the ramp is linear between these
    y = np.array([0.0, 0.6])
    grid = xr.DataArray(np.tile(ramp(x[:, None]), (2, 1)), {"y": y, "x": x}, ("y", "x"))
    at_nodes = ramp(mesh.get_element_nodes().reshape(-1, 2)).reshape(mesh.nelem, -1)
    mesh.attach_field("inside", ramp(mesh.points))
    for region in (ramp, grid, at_nodes, "inside", ramp(mesh.points)):
        assert np.abs(weights_of(region, mesh) - expected).max() < 1e-14
    assert 0.0 < expected[expected > 0.0].min() < 0.1 and expected.max() == 1.0


def test_elements_outside_of_a_mask_do_not_change_at_all() -> None:
    mesh = made()
    inside = mesh.get_element_centroid()[:, 0] < 0.5
    for region in (inside, inside.astype(float)):
        bound = mapping(region).bind(mesh)
        p = random_parameters(bound, np.random.default_rng(2))
        change = bound.forward(p)["VP"] - mesh.element_nodal_fields["VP"]
        assert not change[~inside].any()
        nodes = mesh.get_element_nodes()
        assert (change[inside][nodes[inside][..., 0] < 0.499] != 0.0).all()
    assert not np.array_equal(region_weights(mapping(left_half).region_of_interest, mesh), np.ones(221))


def test_a_grid_is_zero_outside_and_counts_its_edge_as_inside() -> None:
    mesh = made()
    x = np.array([0.0, 0.5])
    weights = weights_of(xr.DataArray(np.ones((2, 2)), {"x": x, "y": x}, ("x", "y")), mesh)
    nodes = node_positions(mesh)
    assert np.abs(weights - (nodes <= 0.5 + 1e-9).all(axis=1)).max() < 1e-15


@pytest.mark.parametrize("scaling", ["absolute", "relative_deviation_from_prior", "logarithmic"])
def test_update_is_multiplied_and_the_adjoint_is_the_transpose(scaling: str) -> None:
    generator, mesh = np.random.default_rng(3), made()
    free = Mapping(scaling, inversion_parameters=["VP", "RHO"]).bind(mesh)
    bound = Mapping(scaling, inversion_parameters=["VP", "RHO"], region_of_interest=ramp).bind(mesh)
    p = random_parameters(bound, generator)
    weighted = free.prior + np.tile(ramp(node_positions(mesh)), 2) * (p - free.prior)
    for name, values in bound.forward(p).items():
        assert np.abs(values - free.forward(weighted)[name]).max() < 1e-11
    assert dot_defect(bound, generator, p) < 1e-13


def test_what_is_kept_is_text_that_differs_with_the_content() -> None:
    mask = np.arange(12) % 2 == 0
    one, same, other = mapping(mask), mapping(mask.astype(np.int8)), mapping(~mask)
    assert one == same and one != other
    assert mapping(ramp) != mapping(left_half) and mapping(ramp) == mapping(ramp)
    assert "ramp" in str(mapping(ramp))


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (np.full(12, 1.5), r"weight 1.5 at index \(0,\) and 12 of 12 weights outside \[0, 1\]"),
        (np.array([0.0, np.nan]), "weight nan at index"),
        (np.array(["a"]), "values of type <U1; expected weights"),
        ([0.0, 1.0], "is a list; expected the name of a mesh field, an array"),
        (xr.DataArray(np.ones((2, 2)), dims=("x", "z")), r"dimensions \('x', 'z'\); expected x and y"),
        (xr.DataArray(np.ones((2, 2)), dims=("x", "y")), "no coordinate 'x'; give it one"),
        (
            xr.DataArray(np.ones((2, 2)), {"x": [1.0, 0.0], "y": [0.0, 1.0]}, ("x", "y")),
            "strictly increasing: sort them",
        ),
    ],
)
def test_what_is_no_region_is_refused(region: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mapping(region)


def test_a_region_that_does_not_fit_the_mesh_is_refused() -> None:
    mesh = made()
    mesh.attach_field("inside", np.ones(12))

    def short(coordinates: np.ndarray) -> np.ndarray:
        return np.ones(3)

    def large(coordinates: np.ndarray) -> np.ndarray:
        return 1.0 + coordinates[:, 0]

    def none(coordinates: np.ndarray) -> np.ndarray:
        return np.zeros(len(coordinates))

    x = np.array([0.0, 1.0])
    cube = xr.DataArray(np.ones((2, 2, 2)), dict.fromkeys("xyz", x), ("x", "y", "z"))
    for region, message in [
        ("insid", "unknown mesh field in region_of_interest 'insid'; did you mean 'inside'?"),
        (np.ones(5), r"has shape \(5,\); expected \(n_points,\)"),
        (short, r"'short' returned the shape \(3,\) for coordinates \(221, 2\)"),
        (large, r"weight 1\.\d+ at \(0\.\d+, 0\) m and 208 of 221 weights outside"),
        (none, "weight 0 at every node"),
        (cube, "is a grid in 3 dimensions; expected 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            mapping(region).bind(mesh)
