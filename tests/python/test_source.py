"""Sources: places, amplitudes, media, side sets."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from wavetree.config import load
from wavetree.mesh import box_mesh
from wavetree.survey.source import cartesian
from wavetree.survey.source.source import Source
from wavetree.survey.stf import Ricker

VOIGT = {"mxx": 1.0, "myy": 2.0, "mzz": 3.0, "myz": 4.0, "mxz": 5.0, "mxy": 6.0}
TENSOR = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
VECTOR = {"fx": 1.0, "fy": -2.0, "fz": 3.0}


def of_dimension(values: dict[str, float], dim: int) -> dict[str, float]:
    return {name: value for name, value in values.items() if dim == 3 or "z" not in name}


def every_source(**options: Any) -> dict[str, Source]:
    """One source of each class, by its name; the side-set ones at (0.3, 0.4(, 0.5)) along the last axis."""
    made: dict[str, Source] = {}
    for dim in (2, 3):
        place = dict(zip("xyz"[:dim], (0.3, 0.4, 0.5), strict=False))
        side = {
            "point": tuple(place.values()),
            "direction": "xyz"[dim - 1],
            "side_set_name": f"{'xyz'[dim - 1]}1",
        }
        for kind, amplitudes in (
            ("Scalar", {"f": 7.0}),
            ("ScalarGradient", of_dimension(VECTOR, dim)),
            ("Vector", of_dimension(VECTOR, dim)),
            ("MomentTensor", of_dimension(VOIGT, dim)),
        ):
            name = f"{kind}Point{dim}D"
            made[name] = getattr(cartesian, name)(**place, **amplitudes, **options)
            if kind != "ScalarGradient":
                made[f"SideSet{name}"] = getattr(cartesian, f"SideSet{name}")(**side, **amplitudes, **options)
    return made


SOURCES = every_source()


def test_all_are_there() -> None:
    assert set(SOURCES) | {"collections"} == set(cartesian.__all__)


@pytest.mark.parametrize("name", SOURCES)
def test_kind_dimension_and_amplitudes(name: str) -> None:
    source = SOURCES[name]
    assert source.dim == (2 if name.endswith("2D") else 3)
    expected = {
        "scalar": np.array([7.0]),
        "scalar_gradient": np.array([1.0, -2.0, 3.0])[: source.dim],
        "vector": np.array([1.0, -2.0, 3.0])[: source.dim],
        "moment_tensor": TENSOR[: source.dim, : source.dim],
    }
    np.testing.assert_array_equal(source.amplitudes, expected[source.spatial_type])
    kind = name.removeprefix("SideSet").partition("Point")[0]
    assert source.spatial_type.replace("_", "") == kind.lower()


@pytest.mark.parametrize("name", SOURCES)
def test_round_trip_keeps_class_and_content(name: str) -> None:
    for source in (SOURCES[name], every_source(source_time_function=Ricker(3.0))[name]):
        again = load(json.loads(json.dumps(source.to_dict())))
        assert type(again) is type(source) and again == source and again.digest() == source.digest()


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("SideSet")])
def test_points_are_where_they_were_put(name: str) -> None:
    source = SOURCES[name]
    assert source.location == (0.3, 0.4, 0.5)[: source.dim]
    assert source.resolve(None) is source  # no mesh is needed


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("SideSet")])
def test_side_sets_give_the_plain_source(name: str) -> None:
    source = every_source(source_time_function=Ricker(3.0))[name]
    bounds = ((0.0, 1.0), (0.0, 2.0), (0.0, 3.0))[: source.dim]
    found = source.resolve(box_mesh(bounds, (2,) * source.dim))
    assert type(found).__name__ == name.removeprefix("SideSet")
    assert found.location == (*(0.3, 0.4)[: source.dim - 1], source.dim)  # the upper bound is the dimension
    np.testing.assert_array_equal(found.amplitudes, source.amplitudes)
    assert found.source_time_function == Ricker(3.0)


def test_offsets_go_along_the_direction() -> None:
    mesh = box_mesh(((0.0, 1.0), (0.0, 1.0)), (2, 2))

    def place(point: Any, direction: Any, side_set: str, offset: float) -> Any:
        return cartesian.SideSetVectorPoint2D(
            point, direction=direction, side_set_name=side_set, offset=offset, fx=1.0, fy=0.0
        ).resolve(mesh)

    assert place((0.3, 0.2), "y", "y1", -0.25).location == (0.3, 0.75)
    assert place((0.3, 9.0), "y", "y1", -0.25).location == (0.3, 0.75)  # from wherever it comes
    assert place((0.3, 0.2), "y", "y0", 0.25).location == (0.3, 0.25)
    assert place(np.array([0.3, 0.2]), np.array([0.0, -2.0]), "y1", 0.25).location == (0.3, 0.75)
    assert place((0.2, 0.4), (3.0, 4.0), "y1", -0.5).location == pytest.approx((0.65 - 0.3, 0.6))


def test_media_are_checked() -> None:
    fluid, solid = {"Scalar", "ScalarGradient"}, {"Vector", "MomentTensor"}
    for name, source in SOURCES.items():
        kind = name.removeprefix("SideSet").partition("Point")[0]
        for medium, kinds in (("fluid", fluid), ("solid", solid)):
            if kind in kinds:
                source.check_medium(medium)
            else:
                with pytest.raises(
                    ValueError, match=f"lies in a {medium}|lies in a fluid, which bears no shear"
                ):
                    source.check_medium(medium)
    explosion = cartesian.MomentTensorPoint3D(x=0, y=0, z=0, mxx=2, myy=2, mzz=2, myz=0, mxz=0, mxy=0)
    explosion.check_medium("fluid")
    with pytest.raises(ValueError, match=r"\(0\.3, 0\.4\), moved onto 'y1', lies in a solid"):
        SOURCES["SideSetScalarPoint2D"].check_medium("solid")
    with pytest.raises(ValueError, match="unknown medium 'water'"):
        explosion.check_medium("water")


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("ScalarPoint3D", {"z": None}, "z=None is not valid"),
        ("ScalarPoint2D", {"z": 1.0}, "unknown argument 'z'"),
        ("VectorPoint2D", {"fx": float("nan")}, "fx=nan is not valid: expected a finite number"),
        ("VectorPoint3D", {"fz": "up"}, "fz='up' is not valid"),
        ("MomentTensorPoint2D", {"mzz": 1.0}, "unknown argument 'mzz'. Known: 'mxx', 'mxy', 'myy'"),
        ("MomentTensorPoint3D", {"x": float("inf")}, "x=inf is not valid"),
        ("ScalarGradientPoint2D", {"source_time_function": 3}, "source_time_function=3 is not valid"),
        ("SideSetVectorPoint2D", {"direction": "z"}, "direction='z' is not valid: expected 'x' or 'y'"),
        ("SideSetVectorPoint3D", {"direction": (0, 0, 0)}, r"direction \(0.0, 0.0, 0.0\) has no length"),
        ("SideSetVectorPoint2D", {"direction": (1, 0, 0)}, "direction.* is not valid"),
        ("SideSetScalarPoint2D", {"point": (1.0, 2.0, 3.0)}, "point=.* is not valid"),
        ("SideSetMomentTensorPoint2D", {"side_set_name": ""}, "side_set_name='' is not valid"),
        ("SideSetMomentTensorPoint3D", {"offset": float("nan")}, "offset=nan is not valid"),
    ],
)
def test_bad_arguments_are_named(name: str, changes: dict[str, Any], text: str) -> None:
    arguments = {
        k: v for k, v in SOURCES[name].to_dict().items() if k not in ("type", "source_time_function")
    }
    with pytest.raises(ValueError, match=f"{name}: .*{text}"):
        getattr(cartesian, name)(**{**arguments, **changes})


def test_missed_side_sets_are_named() -> None:
    mesh = box_mesh(((0.0, 1.0), (0.0, 1.0)), (2, 2))
    source = cartesian.SideSetScalarPoint2D((2.0, 0.5), direction="y", side_set_name="y1", f=1.0)
    with pytest.raises(
        ValueError, match=r"point \(2\.0, 0\.5\) cannot be moved onto side set 'y1': .* 1 m from"
    ):
        source.resolve(mesh)
