import numpy as np
import pytest

from mappings import dot_defect, prior, random_parameters
from wavetree.mapping import Mapping
from wavetree.mapping.cutout import cutout_weights
from wavetree.mapping.nodes import node_positions


def test_weights_rise_from_zero_to_one_at_the_radius() -> None:
    x = np.linspace(-2.0, 2.0, 4001)
    weights = cutout_weights(np.stack([x, 0.0 * x], axis=1), np.zeros((1, 2)), 0.5)
    assert weights[2000] == 0.0 and np.array_equal(weights[np.abs(x) >= 0.5], np.ones(3000 + 2))
    rising = weights[2000:2501]
    assert (np.diff(rising) >= 0.0).all() and rising[250] == pytest.approx(0.5, abs=1e-12)


def test_weights_have_two_continuous_derivatives() -> None:
    for step in (1e-3, 5e-4):
        x = np.arange(-1.0, 1.0, step)
        weights = cutout_weights(
            np.stack([x, 0.1 + 0.0 * x], axis=1), np.array([[0.0, 0.0], [0.3, 0.0]]), 0.5
        )
        third = np.diff(weights, 3) / step**3
        # A jump of the second derivative would make it grow as 1/step.
        assert np.abs(third).max() < 1200.0


def test_points_multiply_and_equal_ones_count_once() -> None:
    nodes = np.random.default_rng(1).uniform(-1.0, 1.0, (200, 3))
    points = np.array([[0.0, 0.0, 0.0], [0.3, 0.1, 0.0], [0.0, 0.0, 0.0]])
    one, two = (cutout_weights(nodes, points[k : k + 1], 0.8) for k in (0, 1))
    assert np.array_equal(cutout_weights(nodes, points, 0.8), one * two)
    assert (one < 1.0).any() and np.array_equal(cutout_weights(nodes, points[::-1], 0.8), one * two)


def test_update_vanishes_at_sources_and_receivers() -> None:
    generator = np.random.default_rng(2)
    mesh = prior(generator)
    nodes = node_positions(mesh)
    configured = Mapping(
        "absolute", inversion_parameters=["VP", "RHO"],
        source_cutout_radius_in_meters=0.2, receiver_cutout_radius_in_meters=0.1,
    )  # fmt: skip
    sources, receivers = nodes[[40]], nodes[[100, 180]]
    bound = configured.bind(mesh, sources=sources, receivers=receivers)
    p = random_parameters(bound, generator)
    update = (bound.forward(p)["VP"] - mesh.element_nodal_fields["VP"]).ravel()
    position = mesh.get_element_nodes().reshape(-1, 2)
    near = {
        kind: np.linalg.norm(position[:, None] - points, axis=2).min(axis=1)
        for kind, points in (("source", sources), ("receiver", receivers))
    }
    assert not update[np.minimum(near["source"], near["receiver"]) == 0.0].any()
    full = mesh.dof_map(4).gather(bound.unpack(p - bound.prior)["VP"]).ravel()
    far = (near["source"] >= 0.2) & (near["receiver"] >= 0.1)
    assert np.abs(update - full)[far].max() < 1e-11 and np.abs(update - full)[~far].max() > 1.0
    assert dot_defect(bound, generator, p) < 1e-13


@pytest.mark.parametrize("kind", ["source", "receiver"])
def test_positions_are_needed(kind: str) -> None:
    mesh = prior(np.random.default_rng(1))
    radius = {f"{kind}_cutout_radius_in_meters": 0.1}
    configured = Mapping("absolute", inversion_parameters=["VP"], **radius)
    assert configured.needs_positions and not Mapping("absolute", inversion_parameters=["VP"]).needs_positions
    with pytest.raises(ValueError, match=f"{kind}_cutout_radius_in_meters is given, but {kind}s is None"):
        configured.bind(mesh)
    with pytest.raises(ValueError, match=rf"{kind}s has shape \(3,\); expected finite positions \(n, 2\)"):
        configured.bind(mesh, **{f"{kind}s": np.zeros(3)})
    with pytest.raises(ValueError, match="leave no node of the mesh"):
        Mapping(
            "absolute", inversion_parameters=["VP"], **{f"{kind}_cutout_radius_in_meters": 1.0},
            region_of_interest=node_positions(mesh)[mesh.dof_map(4).element_dofs][..., 0] == 0.0,
        ).bind(mesh, **{f"{kind}s": node_positions(mesh)[node_positions(mesh)[:, 0] == 0.0]})  # fmt: skip
    with pytest.raises(ValueError, match="greater than 0"):
        Mapping("absolute", inversion_parameters=["VP"], **{f"{kind}_cutout_radius_in_meters": 0.0})
