"""Box domains."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from meshes import bent
from wavetree.config import load
from wavetree.domain import box_domain, dim2, dim3
from wavetree.mesh import box_mesh
from wavetree.model.volume.cartesian import GenericModel


def test_box_domain():
    box = dim2.BoxDomain(x0=-1, x1=2.0, y0=0, y1=1)
    assert box.bounds == ((-1.0, 2.0), (0.0, 1.0))
    assert box.dim == 2
    assert load(box.to_dict()) == box == dim2.BoxDomain(-1, 2, 0, 1)
    assert str(box) == "BoxDomain2D\n    x0: -1.0\n    x1: 2.0\n    y0: 0.0\n    y1: 1.0"


def test_from_bounds_mesh_and_model():
    expected = dim2.BoxDomain(x0=0.0, x1=2.0, y0=0.0, y1=1.0)
    assert dim2.BoxDomain.from_bounds([(0.0, 2.0), (0.0, 1.0)]) == expected
    assert dim2.BoxDomain.from_mesh(box_mesh([(0.0, 2.0), (0.0, 1.0)], (2, 2), shape_order=3)) == expected
    x, y = np.linspace(0, 2, 3), np.linspace(0, 1, 4)
    data = {name: (("x", "y"), np.ones((3, 4))) for name in ("vp", "rho")}
    model = GenericModel("model", xr.Dataset(data, coords={"x": x, "y": y}))
    assert dim2.BoxDomain.from_volume_model(model) == expected
    ring = dim2.BoxDomain.from_mesh(box_mesh([(0, 1), (0, 1)], (4, 4), shape_order=4, deformation=bent))
    np.testing.assert_allclose(ring.bounds, ((0.0, 2.0), (0.0, 2.0)), atol=1e-15)


def test_box_domain_in_three_dimensions():
    box = dim3.BoxDomain(x0=-1, x1=2.0, y0=0, y1=1, z0=-3, z1=0)
    assert box.bounds == ((-1.0, 2.0), (0.0, 1.0), (-3.0, 0.0))
    assert box.dim == 3
    assert (
        load(box.to_dict())
        == box
        == dim3.BoxDomain(-1, 2, 0, 1, -3, 0)
        == dim3.BoxDomain.from_bounds(box.bounds)
    )
    assert box != dim3.BoxDomain(-1, 2, 0, 1, -3, 1)
    assert str(box).splitlines() == [
        "BoxDomain3D",
        *(f"    {n}: {v}" for n, v in box.to_dict().items() if n != "type"),
    ]
    assert box.contains([[0.0, 0.5, -3.0], [0.0, 0.5, 0.1], [2.1, 0.5, -1.0]]).tolist() == [
        True,
        False,
        False,
    ]


def test_a_domain_has_the_dimensions_of_what_it_covers():
    cube = box_mesh([(0.0, 2.0), (0.0, 1.0), (-1.0, 0.5)], (2, 2, 1), shape_order=2)
    expected = dim3.BoxDomain(x0=0.0, x1=2.0, y0=0.0, y1=1.0, z0=-1.0, z1=0.5)
    assert (
        dim3.BoxDomain.from_mesh(cube)
        == dim3.BoxDomain.from_volume_model(cube)
        == box_domain(cube)
        == expected
    )
    square = box_mesh([(0.0, 2.0), (0.0, 1.0)], (2, 2))
    assert box_domain(square) == dim2.BoxDomain.from_mesh(square)
    with pytest.raises(
        ValueError, match=r"bounds has shape \(2, 2\); expected \(\(x0, x1\), \(y0, y1\), \(z0, z1\)\)"
    ):
        dim3.BoxDomain.from_mesh(square)
    with pytest.raises(
        ValueError, match=r"bounds has shape \(3, 2\); expected \(\(x0, x1\), \(y0, y1\)\), shape"
    ):
        dim2.BoxDomain.from_mesh(cube)


def test_contains():
    box = dim2.BoxDomain(x0=0.0, x1=2.0, y0=0.0, y1=1.0)
    inside = box.contains([[0.0, 0.0], [2.0, 1.0], [1.0, 1.1], [-0.1, 0.5]])
    assert inside.tolist() == [True, True, False, False]
    assert bool(box.contains((1.0, 0.5)))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (((0.0, 0.0), (0.0, 1.0)), "x0 is 0 and x1 is 0; expected x0 < x1"),
        (((0.0, 1.0), (1.0, 0.0)), "y0 is 1 and y1 is 0; expected y0 < y1"),
        (((0.0, 1.0), (0.0, 1.0), (1.0, 1.0)), "z0 is 1 and z1 is 1; expected z0 < z1"),
        (((0.0, np.inf), (1.0, 0.0)), "x1=inf is not valid: expected a finite number"),
        (
            ((0.0, 1.0, 2.0), (1.0, 0.0, 3.0)),
            r"bounds has shape \(2, 3\); expected \(\(x0, x1\), \(y0, y1\)\)",
        ),
    ],
)
def test_bad_domains_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        (dim3 if len(bounds) == 3 else dim2).BoxDomain.from_bounds(bounds)


def test_unknown_arguments_are_refused():
    with pytest.raises(ValueError, match="z0"):
        dim2.BoxDomain(x0=0.0, x1=1.0, y0=0.0, y1=1.0, z0=1.0)
