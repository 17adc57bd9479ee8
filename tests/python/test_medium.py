"""The medium of a mesh: checks, fluid and solid parts, and the derivative by its fields."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import sinusoidal
from wavetree.mesh import Mesh, box_mesh
from wavetree.model.parameters import SETS, find_set
from wavetree.simulation.medium import (
    collect,
    fluid_elements,
    medium,
    parameter_set,
    parameter_values,
    slowest_velocity,
    split,
)

UNIT = [(0.0, 1.0), (0.0, 1.0)]
BOXES = {2: (UNIT, (4, 3)), 3: ([*UNIT, (0.0, 2.0)], (2, 2, 3))}
FLUID = [0, 1, 2, 3]


def mixed_mesh(names: tuple[str, ...], dim: int, order: int = 2) -> Mesh:
    """A box whose first elements are fluid if the set has solids; every parameter varies everywhere."""
    generator = np.random.default_rng(1)
    mesh = box_mesh(*BOXES[dim])
    shape = (mesh.nelem, (order + 1) ** dim)
    velocities = {
        "VP": generator.uniform(2500.0, 3000.0, shape),
        "VS": generator.uniform(1200.0, 1500.0, shape),
        "RHO": generator.uniform(2000.0, 2200.0, shape),
    }
    found = find_set(names, dim)
    velocities["VS"][FLUID if found.shear else slice(None)] = 0.0
    start = find_set(velocities, dim)
    for name, values in start.convert(velocities, found).items():
        mesh.attach_field(name, values)
    for name in found.orientation:
        mesh.attach_field(name, generator.uniform(-1.0, 1.0, shape))
    return mesh


CASES = [pytest.param(found, id=f"{dim}D-{found.names[0]}") for dim in (2, 3) for found in SETS[dim]]


# -- fields ----------------------------------------------------------------------------------------


def test_every_kind_of_field_is_taken():
    mesh = box_mesh(UNIT, (4, 3), shape_order=2, deformation=sinusoidal)
    mesh.attach_field("VP", 1500.0 + mesh.points[:, 0])
    mesh.attach_field("RHO", 1000.0 + np.arange(12))
    mesh.attach_field("VS", np.zeros(12))
    made = medium(mesh, 4)
    assert made.tensor_order == 4
    expected = 1500.0 + mesh.node_coordinates(4)[..., 0]
    np.testing.assert_allclose(made.element_nodal_fields["VP"], expected, rtol=1e-14)
    densities = np.tile(1000.0 + np.arange(12), (25, 1)).T
    np.testing.assert_array_equal(made.element_nodal_fields["RHO"], densities)
    np.testing.assert_array_equal(made.element_nodal_fields["VS"], np.zeros((12, 25)))
    assert "VP" in mesh.nodal_fields  # the given mesh is left alone
    assert medium(made, 4).digest() == made.digest()
    assert medium(made, 6).tensor_order == 6
    assert fluid_elements(made).all() and [part.physics for part in split(made)] == ["acoustic"]


def test_orientations_are_brought_to_the_order_too():
    mesh = mixed_mesh(SETS[2][-2].names, 2, order=1)
    mesh.attach_field("ORIENTATION", mesh.points[:, 1])
    made = medium(mesh, 3)
    np.testing.assert_allclose(
        parameter_values(made)["ORIENTATION"], made.node_coordinates(3)[..., 1], atol=1e-15
    )


# -- parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", CASES)
def test_parts_are_fluid_then_solid(found):
    made = medium(mixed_mesh(found.names, found.dim), 2)
    assert parameter_set(made) == found
    parts = split(made)
    assert [part.physics for part in parts] == list(dict.fromkeys(["acoustic", found.physics]))
    sizes = {"acoustic": 2, "elastic": 3, "anisotropic": {2: 7, 3: 22}[found.dim]}
    values = parameter_values(made)
    for part in parts:
        assert part.elements.dtype == np.int64 and part.coefficients.dtype == np.float64
        assert part.coefficients.flags.c_contiguous
        assert part.coefficients.shape == (sizes[part.physics], len(part.elements), 3**found.dim)
        here = {name: value[part.elements] for name, value in values.items()}
        np.testing.assert_array_equal(part.coefficients, found.to_core(here, part.physics))
    together = np.concatenate([part.elements for part in parts])
    np.testing.assert_array_equal(np.sort(together), np.arange(made.nelem))
    if found.shear:
        assert parts[0].elements.tolist() == FLUID
        np.testing.assert_array_equal(np.flatnonzero(fluid_elements(made)), FLUID)


def test_parts_without_elements_are_left_out():
    mesh = box_mesh(UNIT, (4, 3))
    for name, value in (("VP", 3000.0), ("VS", 1500.0), ("RHO", 2000.0)):
        mesh.attach_field(name, np.full(12, value))
    (part,) = split(medium(mesh, 1))
    assert part.physics == "elastic" and part.elements.tolist() == list(range(12))
    np.testing.assert_array_equal(part.coefficients[:, 0, 0], [2000.0, 9e9, 4.5e9])


@pytest.mark.parametrize("found", CASES)
def test_collected_derivative_is_that_of_the_parts(found):
    """d/dh of Σ_parts g · coefficients(m + h q) by complex step equals Σ derivative · q."""
    generator = np.random.default_rng(2)
    made = medium(mixed_mesh(found.names, found.dim), 2)
    parts = split(made)
    by_part = [generator.standard_normal(p.coefficients.shape) for p in parts]
    for part, by_core in zip(parts, by_part, strict=True):
        by_core /= np.abs(part.coefficients).max(axis=(1, 2), keepdims=True) + 1.0 * (
            part.physics != "acoustic"
        )
    derivative = collect(made, by_part)
    assert list(derivative) == list(found.names)
    values = parameter_values(made)
    total = expected = size = 0.0
    for name in found.names:
        assert derivative[name].shape == (made.nelem, 3**found.dim)
        direction = generator.standard_normal(derivative[name].shape) * np.abs(values[name]).max()
        for part, by_core in zip(parts, by_part, strict=True):
            here = {k: v[part.elements] for k, v in values.items()}
            moved = here[name] + 1e-30j * direction[part.elements]
            core = found.to_core({**here, name: moved}, part.physics)
            expected += float(np.sum(by_core * core.imag) / 1e-30)
        total += float(np.sum(derivative[name] * direction))
        size += float(np.sum(np.abs(derivative[name] * direction)))
        if name in found.solid_only:
            assert not derivative[name][FLUID].any()
            assert derivative[name].any() or (name == "VSH" and found.dim == 2)
    assert abs(total - expected) <= 1e-13 * size


def test_collect_refuses_other_parts():
    made = medium(mixed_mesh(("VP", "VS", "RHO"), 2), 2)
    with pytest.raises(ValueError, match="by_part has 1 parts; expected 2: acoustic, elastic"):
        collect(made, [np.zeros((2, 4, 9))])
    with pytest.raises(ValueError, match=r"elastic elements has shape \(3, 4, 9\); expected .* 8, 9\)"):
        collect(made, [np.zeros((2, 4, 9)), np.zeros((3, 4, 9))])


def test_slowest_velocity_of_every_element():
    made = medium(mixed_mesh(("VP", "VS", "RHO"), 2), 2)
    fields = made.element_nodal_fields
    expected = np.where(fluid_elements(made), fields["VP"].min(axis=1), fields["VS"].min(axis=1))
    np.testing.assert_array_equal(slowest_velocity(made), expected)


# -- bad input ---------------------------------------------------------------------------------------


def test_fields_that_are_missing_or_not_positive():
    mesh = box_mesh(UNIT, (4, 3))
    mesh.attach_field("VP", np.ones(12))
    with pytest.raises(ValueError, match=r"the mesh has no field 'RHO', only \['VP'\]; expected VP"):
        medium(mesh, 4)
    density = np.ones((12, 4))
    density[5, 1] = 0.0
    mesh.attach_field("RHO", density)
    message = (
        r"field 'RHO' of the mesh is 0 kg/m\^3 in element 5 at \(0.5, 0.333333\) m and not positive at 1 of"
    )
    with pytest.raises(ValueError, match=message):
        medium(mesh, 1)
    mesh.attach_field("MU", np.ones(12))
    with pytest.raises(ValueError, match="parameter 'MU' stands beside VP"):
        medium(mesh, 1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "VS",
            0.0,
            r"'VS' of the mesh is 0 m/s in element 7 at .* and zero at some nodes of an element that is",
        ),
        (
            "VS",
            -1.0,
            r"'VS' of the mesh is -1 m/s in element 7 at .* and negative at 1 of 108 nodes; expected",
        ),
        (
            "VS",
            2600.0,
            r"VP, VS of the mesh are 2\d{3}.* m/s, 2600 m/s in element 7 .*not VS\^2 < 3/4 VP\^2 at 1",
        ),
        (
            "ETA",
            3.0,
            r"VPV, .*, RHO of the mesh are 2\d{3}.* m/s, .* 3, 2.* kg/m\^3 in element 7 at \(.*\) m and ",
        ),
        (
            "C12",
            1e11,
            r"C11, .*, C33 of the mesh are .* 1e\+11 Pa.* in element 7 .* without a positive definite",
        ),
        (
            "C33",
            0.0,
            r"C13, C23, C33 of the mesh are 0 Pa, 0 Pa, 0 Pa in element 7 .* zero at some nodes of an",
        ),
    ],
)
def test_values_of_no_medium_name_element_and_place(name: str, value: float, message: str):
    sets = {"VS": ("VP", "VS", "RHO"), "ETA": SETS[2][-2].names}
    mesh = mixed_mesh(sets.get(name, SETS[2][-1].names), 2)
    assert medium(mesh, 2).digest() == mesh.digest()
    values = mesh.element_nodal_fields[name].copy()
    values[7, 4] = value
    mesh.attach_field(name, values)
    with pytest.raises(ValueError, match=message):
        medium(mesh, 2)


def test_two_velocities_of_sound_in_a_fluid():
    mesh = mixed_mesh(SETS[3][-2].names, 3)
    mesh.attach_field("VPH", mesh.element_nodal_fields["VPH"] * 1.02)
    with pytest.raises(
        ValueError, match=r"VPV, VPH .* in element 0 at .* different in a fluid at 108 of 324"
    ):
        medium(mesh, 2)
