"""Box domains."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from meshes import bent
from wavetree.config import load
from wavetree.domain import dim2
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
        (((0.0, np.inf), (1.0, 0.0)), "x1=inf is not valid: expected a finite number"),
        (
            ((0.0, 1.0, 2.0), (1.0, 0.0, 3.0)),
            r"bounds has shape \(2, 3\); expected \(\(x0, x1\), \(y0, y1\)\)",
        ),
    ],
)
def test_bad_domains_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        dim2.BoxDomain.from_bounds(bounds)


def test_unknown_arguments_are_refused():
    with pytest.raises(ValueError, match="z0"):
        dim2.BoxDomain(x0=0.0, x1=1.0, y0=0.0, y1=1.0, z0=1.0)
