"""Receivers: fields, media, side sets and collections."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from wavetree.config import load
from wavetree.mesh import box_mesh
from wavetree.survey.receiver.cartesian import (
    Point2D,
    Point3D,
    SideSetHorizontalPointCollection2D,
    SideSetPoint2D,
    SideSetPoint3D,
    SideSetVerticalPointCollection2D,
)
from wavetree.survey.receiver.fields import FIELDS

MESH = box_mesh(((0.0, 1.0), (0.0, 2.0)), (2, 2))


def test_components_of_every_field() -> None:
    expected = {
        "phi": ("A", "A"),
        "phi_t": ("A", "A"),
        "phi_tt": ("A", "A"),
        "pressure": ("A", "A"),
        "gradient-of-phi": ("XY", "XYZ"),
        "displacement": ("XY", "XYZ"),
        "velocity": ("XY", "XYZ"),
        "acceleration": ("XY", "XYZ"),
        "strain": ("012", "012345"),
        "stress": ("012", "012345"),
        "gradient-of-displacement": ("0123", "012345678"),
    }
    assert {n: tuple("".join(f.components(d)) for d in (2, 3)) for n, f in FIELDS.items()} == expected
    fluid = {name for name, field in FIELDS.items() if field.medium == "fluid"}
    assert fluid == {"phi", "phi_t", "phi_tt", "pressure", "gradient-of-phi"}
    assert {n: f.time_derivative for n, f in FIELDS.items() if f.time_derivative} == {
        "phi_t": 1,
        "phi_tt": 2,
        "pressure": 2,
        "velocity": 1,
        "acceleration": 2,
    }


def test_receivers_stand_in_one_medium() -> None:
    both = Point2D(x=0, y=0, station_code="a", fields=["phi", "displacement"])
    for medium, other in (("fluid", "displacement"), ("solid", "phi")):
        with pytest.raises(
            ValueError, match=rf"'XX\.a\.' records '{other}' but lies in a {medium}, which has no"
        ):
            both.check_medium(medium)
    Point3D(x=0, y=0, z=1, station_code="a", fields=["phi", "pressure"]).check_medium("fluid")
    SideSetPoint2D(
        (0, 0), direction="x", side_set_name="x0", station_code="a", fields=["strain"]
    ).check_medium("solid")


def test_points_in_space() -> None:
    receiver = Point3D(x=1, y=2, z=3, station_code="a", location_code="00", fields=["stress"])
    assert receiver.location == (1.0, 2.0, 3.0) and receiver.dim == 3 and receiver.name == "XX.a.00"
    assert load(json.loads(json.dumps(receiver.to_dict()))) == receiver and receiver.resolve(None) is receiver
    with pytest.raises(ValueError, match="Point3D: argument 'z' is missing"):
        Point3D(x=1, y=2, station_code="a", fields=["stress"])


def test_side_sets_give_the_plain_receiver() -> None:
    options: dict[str, Any] = {"network_code": "AB", "station_code": "s", "location_code": "01"}
    given = SideSetPoint2D(
        (0.3, 0.0), direction="y", side_set_name="y1", offset=-0.5, fields=["phi", "velocity"], **options
    )
    found = given.resolve(MESH)
    assert found == Point2D(x=0.3, y=1.5, fields=["phi", "velocity"], **options)
    assert load(json.loads(json.dumps(given.to_dict()))) == given and given.name == found.name == "AB.s.01"
    cube = box_mesh(((0.0, 1.0), (0.0, 2.0), (0.0, 3.0)), (2, 2, 2))
    deep = SideSetPoint3D((0.3, 0.4, 9.0), direction="x", side_set_name="x1", fields=["phi"], **options)
    with pytest.raises(
        ValueError, match=r"receiver 'AB\.s\.01': point \(0\.3, 0\.4, 9\.0\) .* 'x1'.* 6 m from"
    ):
        deep.resolve(cube)
    with pytest.raises(
        ValueError, match=r"receiver 'AB\.s\.01': point \(0\.3, 0\.0\) .*expected 3 coordinates"
    ):
        given.resolve(cube)


def test_collections_on_side_sets() -> None:
    x = np.linspace(0.1, 0.9, 5)
    top = SideSetHorizontalPointCollection2D(
        x=x, side_set_name="y1", offset=-0.25, station_code="T", fields=["velocity"]
    )
    left = SideSetVerticalPointCollection2D(
        y=2 * x, x=0.1, side_set_name="x0", network_code="L", fields=["phi"]
    )
    assert [r.name for r in top] == [f"XX.T{k:04d}." for k in range(5)] and len(top) == 5 == len(
        top._receivers
    )
    places = np.array([receiver.resolve(MESH).location for receiver in top])
    np.testing.assert_array_equal(places, np.column_stack([x, np.full(5, 1.75)]))
    places = np.array([receiver.resolve(MESH).location for receiver in left])
    np.testing.assert_allclose(places, np.column_stack([np.zeros(5), 2 * x]), rtol=0, atol=1e-16)
    assert [r.name for r in left][1] == "L.0001."
    for collection in (top, left):
        assert load(json.loads(json.dumps(collection.to_dict()))) == collection


def test_the_height_of_a_collection_chooses_between_sides() -> None:
    mesh = MESH.copy()
    mesh.side_sets["both"] = np.concatenate([mesh.side_sets["y0"], mesh.side_sets["y1"]])
    for height, expected in ((0.3, 0.0), (1.7, 2.0)):
        (one,) = SideSetHorizontalPointCollection2D(x=[0.5], y=height, side_set_name="both", fields=["phi"])
        assert one.resolve(mesh).location == pytest.approx((0.5, expected), abs=1e-15)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x": []}, "positions=() is empty"),
        ({"x": [0.1, float("nan")]}, "x[1]=nan is not valid"),
        ({"x": "wide"}, "x='wide' is not valid"),
        ({"fields": ["displacment"]}, "unknown receiver field 'displacment'; did you mean 'displacement'"),
        ({"station_code": "a.b"}, "station_code: code 'a.b' has a dot"),
        ({"direction": "y"}, "unknown argument 'direction'"),
    ],
)
def test_bad_collections_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as caught:
        SideSetHorizontalPointCollection2D(
            **{"x": [0.1], "side_set_name": "y1", "fields": ["phi"], **changes}
        )
    assert text in str(caught.value)
