"""Background and volume models, alone, on top of each other and on meshes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from wavetree.arrays import write_arrays
from wavetree.config import load
from wavetree.domain import BoxDomain2D
from wavetree.mesh import Mesh, MeshResolution, box_mesh, mesh_from_domain, resolved_frequency
from wavetree.model import OverlaidModel
from wavetree.model.background.homogeneous import IsotropicAcoustic, IsotropicElastic
from wavetree.model.parameters import SETS, find_set
from wavetree.model.volume.cartesian import GenericModel
from wavetree.simulation.medium import fluid_elements, medium

UNIT = [(0.0, 1.0), (0.0, 1.0)]
X = np.array([0.0, 0.5, 2.0])
Y = np.array([-1.0, 0.0, 0.25, 1.0])
ONE = np.array([[0.2, 0.5]])


def dataset(**changes: np.ndarray) -> xr.Dataset:
    grid_x, grid_y = np.meshgrid(X, Y, indexing="ij")
    values = {"vp": 1500.0 + 10 * grid_x - 3 * grid_y + grid_x * grid_y, "rho": 1000.0 + grid_y}
    return xr.Dataset({k: (("x", "y"), v) for k, v in {**values, **changes}.items()}, coords={"x": X, "y": Y})


def constant(
    name: str, vp: float, x: tuple[float, float], y: tuple[float, float] = (0.0, 1.0)
) -> GenericModel:
    fields = {"vp": (("x", "y"), np.full((2, 2), vp)), "rho": (("x", "y"), np.full((2, 2), 2 * vp))}
    return GenericModel(name, xr.Dataset(fields, coords={"x": list(x), "y": list(y)}))


# -- background --------------------------------------------------------------------------------


def test_homogeneous_background():
    model = IsotropicAcoustic(vp=1500.0, rho=980.0)
    values = model.evaluate(np.zeros((3, 4, 2)))
    assert {name: (v.shape, v.min(), v.max()) for name, v in values.items()} == {
        "VP": ((3, 4), 1500.0, 1500.0),
        "RHO": ((3, 4), 980.0, 980.0),
    }
    assert model.slowest_velocity(((0, 1), (0, 1))) == 1500.0
    assert load(model.to_dict()) == model


@pytest.mark.parametrize("bad", [{"vp": 0.0}, {"vp": -1.0}, {"rho": np.nan}, {"rho": np.inf}, {"vs": 1.0}])
def test_homogeneous_background_refuses(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        IsotropicAcoustic(**{"vp": 1500.0, "rho": 980.0, **bad})


def test_homogeneous_solid():
    model = IsotropicElastic(vp=3000.0, vs=1500.0, rho=2000.0)
    values = model.evaluate(np.zeros((2, 3)))
    assert {name: v.tolist() for name, v in values.items()} == {
        "VP": [3000.0] * 2,
        "VS": [1500.0] * 2,
        "RHO": [2000.0] * 2,
    }
    assert model.slowest_velocity(((0, 1), (0, 1), (0, 1))) == 1500.0
    assert IsotropicElastic(vp=3000.0, vs=0.0, rho=2000.0).slowest_velocity(((0, 1), (0, 1))) == 3000.0
    assert load(model.to_dict()) == model
    with pytest.raises(ValueError, match=r"vs is 2599 and vp 3000 m/s; expected vs\^2 < 3/4 vp\^2"):
        IsotropicElastic(vp=3000.0, vs=2599.0, rho=2000.0)
    with pytest.raises(ValueError, match="vs=-1.0 is not valid"):
        IsotropicElastic(vp=3000.0, vs=-1.0, rho=2000.0)


# -- volume model ------------------------------------------------------------------------------


def test_bilinear_functions_are_reproduced():
    model = GenericModel("model", dataset())
    positions = np.random.default_rng(0).uniform((0, -1), (2, 1), (7, 5, 2))
    values = model.evaluate(positions)
    x, y = positions[..., 0], positions[..., 1]
    np.testing.assert_allclose(values["VP"], 1500.0 + 10 * x - 3 * y + x * y, rtol=1e-14)
    np.testing.assert_allclose(values["RHO"], 1000.0 + y, rtol=1e-14)
    assert values["VP"].shape == (7, 5)


def test_grid_values_and_constants_are_exact():
    model = GenericModel("model", dataset())
    nodes = np.stack(np.meshgrid(X, Y, indexing="ij"), axis=-1)
    np.testing.assert_array_equal(model.evaluate(nodes)["VP"], dataset()["vp"])
    flat = GenericModel("model", dataset(vp=np.full((3, 4), 1500.1)))
    positions = np.random.default_rng(0).uniform((0, -1), (2, 1), (100, 2))
    assert (flat.evaluate(positions)["VP"] == 1500.1).all()


def test_outside_is_an_error_beyond_rounding():
    model = GenericModel("model", dataset())
    edge = model.evaluate(np.array([[2.0 + 1e-9, 1.0 + 1e-9], [-1e-9, -1.0]]))["VP"]
    np.testing.assert_allclose(edge, model.evaluate(np.array([[2.0, 1.0], [0.0, -1.0]]))["VP"], rtol=1e-15)
    for position in [(2.00001, 0.0), (1.0, 1.1), (-0.1, 0.0), (np.nan, 0.0)]:
        with pytest.raises(
            ValueError, match=r"lies outside the volume model 'model', which covers x \(0.0, 2.0\)"
        ):
            model.evaluate(np.array([[1.0, 0.0], position]))
    with pytest.raises(ValueError, match=r"coordinates has shape \(3,\); expected \(..., 2\)"):
        model.evaluate(np.zeros(3))


def test_slowest_velocity_counts_only_the_inside():
    vp = np.full((3, 4), 1500.0)
    vp[0, 0] = 1000.0
    model = GenericModel("model", dataset(vp=vp))
    assert model.slowest_velocity(((0.0, 2.0), (-1.0, 1.0))) == 1000.0
    assert model.slowest_velocity(((0.5, 2.0), (-1.0, 1.0))) == 1500.0
    # Half way through the slow cell along both axes; the smallest value is in the corner.
    assert model.slowest_velocity(((0.25, 2.0), (-0.5, 1.0))) == pytest.approx(1500.0 - 500.0 / 4)


def test_dimensions_may_come_in_any_sequence():
    model = GenericModel("model", dataset())
    turned = GenericModel("model", dataset().transpose("y", "x"))
    assert turned == model
    assert hash(turned) == hash(model)
    assert turned.digest() == model.digest()
    xr.testing.assert_identical(turned.data, dataset())


def test_digest_and_equality():
    model = GenericModel("model", dataset())
    changed = GenericModel("model", dataset(vp=np.full((3, 4), 1500.0)))
    renamed = GenericModel("other", dataset())
    assert len({m.digest() for m in (model, changed, renamed)}) == 3
    assert model != changed
    assert model != "model"


def test_model_is_a_copy():
    data = dataset()
    model = GenericModel("model", data)
    data["vp"][:] = 1.0
    model.data["vp"][:] = 1.0
    assert model == GenericModel("model", dataset())


def test_repr():
    lines = repr(GenericModel("model", dataset())).splitlines()
    assert lines[0] == "GenericModel 'model': grid of 3 x 4 nodes"
    assert lines[1] == "    x: 0 to 2 m"
    assert lines[3] == "    vp: 1497 to 1521 m/s"


def with_values(key: str, index: tuple[int, int], value: float) -> xr.Dataset:
    data = dataset()
    data[key][index] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            dataset().drop_vars("vp"),
            r"data has no variable 'vp', only \['rho'\]; expected vp \[m/s\] and rho",
        ),
        (dataset().rename(rho="density"), r"data has no variable 'rho', only \['density', 'vp'\]"),
        (
            dataset(q=np.ones((3, 4))),
            r"data has the variable 'q'; expected only vp \[m/s\] and rho \[kg/m\^3\]: drop",
        ),
        (dataset(VS=np.ones((3, 4))), "data has the variable 'VS'; expected only vp"),
        (dataset(mu=np.ones((3, 4))), "parameter 'mu' stands beside vp .* remove mu"),
        (
            dataset(vs=np.full((3, 4), 1400.0)),
            r"'vp', 'vs' of data are 1503.0, 1400.0 at x = 0, y = -1 m and not",
        ),
        (
            with_values("vp", (1, 2), np.inf),
            "'vp' of data is inf at x = 0.5, y = 0.25 m and not .* at 1 of 12 nodes",
        ),
        (dataset(vp=np.full((3, 4), np.nan)), "data is NaN at all nodes"),
        (with_values("rho", (0, 0), 0.0), "'rho' of data is 0.0 at x = 0, y = -1 m"),
        (with_values("vp", (2, 3), -1.0), "'vp' of data is -1.0 at x = 2, y = 1 m"),
        (dataset().isel(x=[2, 1, 0]), "coordinate 'x' of data has 3 values .*strictly increasing: sort them"),
        (dataset().isel(y=[0, 0, 1]), "coordinate 'y' of data has 3 values"),
        (dataset().isel(y=[0]), "coordinate 'y' of data has 1 values"),
        (dataset().drop_vars("y"), "data has no coordinate 'y' along a dimension of that name"),
        (dataset().drop_vars("x"), "data has no coordinate 'x'"),
        (dataset().rename(y="z"), "data has no coordinate 'y'"),
        (
            dataset().assign(rho=dataset()["rho"].isel(x=0, drop=True)),
            r"'rho' of data has the dimensions \('y',\)",
        ),
        (dataset(vp=np.full((3, 4), "a")), "'vp' of data has values of type <U1; expected real numbers"),
        (dataset()["vp"], "data is a DataArray; expected an xarray.Dataset"),
    ],
)
def test_bad_data_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        GenericModel("model", data)


@pytest.mark.parametrize("name", ["", "a/b", "../a", 3, " a"])
def test_bad_names_are_refused(name):
    with pytest.raises(ValueError, match=r"name is .*; expected letters"):
        GenericModel(name, dataset())


def cube(**values: np.ndarray) -> xr.Dataset:
    z = np.array([-3.0, 0.0, 1.0, 4.0, 5.0])
    fields = {name: (("x", "y", "z"), v) for name, v in values.items()}
    return xr.Dataset(fields, coords={"x": X, "y": Y, "z": z})


def test_trilinear_functions_are_reproduced():
    x, y, z = np.meshgrid(X, Y, [-3.0, 0.0, 1.0, 4.0, 5.0], indexing="ij")
    shear = 1500.0 + 3 * x - y + 2 * z - x * y * z
    data = cube(vp=0 * x + 3000.0, vs=shear, rho=2000.0 + z)
    model = GenericModel("cube", data)
    assert model.dim == 3 and model.bounds == ((0.0, 2.0), (-1.0, 1.0), (-3.0, 5.0))
    positions = np.random.default_rng(0).uniform((0, -1, -3), (2, 1, 5), (20, 3))
    x, y, z = positions.T
    values = model.evaluate(positions)
    np.testing.assert_allclose(values["VS"], 1500.0 + 3 * x - y + 2 * z - x * y * z, rtol=1e-14)
    np.testing.assert_array_equal(values["VP"], np.full(20, 3000.0))
    assert list(values) == ["VP", "VS", "RHO"]
    assert model.slowest_velocity(model.bounds) == shear.min()
    turned = GenericModel("cube", data.transpose("z", "x", "y"))
    assert turned == model and repr(model).splitlines()[3] == "    z: -3 to 5 m"
    with pytest.raises(
        ValueError, match=r"position \(3, 0, 0\) m lies outside .* covers x \(0.0, 2.0\), y .* and z"
    ):
        model.evaluate(np.array([3.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"expected \(..., 3\)"):
        model.evaluate(np.zeros((2, 2)))


@pytest.mark.parametrize("dim", [2, 3])
def test_every_parameter_set_makes_a_model(dim, tmp_path):
    solid = {"VP": 3000.0, "VS": 1500.0, "RHO": 2000.0}
    shape, axes = (3, 2, 4)[:dim], ("x", "y", "z")[:dim]
    values = {name: np.full(shape, value) for name, value in solid.items()}
    start = find_set(values, dim)
    for found in SETS[dim][2:]:
        fields = start.convert(values, found)
        fields |= {name: np.full(shape, 0.2) for name in found.orientation}
        data = xr.Dataset(
            {name.lower(): (axes, v) for name, v in fields.items()},
            coords={axis: np.arange(float(n)) for axis, n in zip(axes, shape, strict=True)},
        )
        model = GenericModel("model", data)
        assert set(model.evaluate(np.full((1, dim), 0.5))) == set(fields)
        assert model.slowest_velocity(model.bounds) == pytest.approx(1500.0, rel=1e-12)
        model.write_h5(tmp_path / "model.h5")
        assert GenericModel.from_h5(tmp_path / "model.h5") == model


def test_file_round_trip(tmp_path):
    model = GenericModel("model", dataset())
    model.write_h5(tmp_path / "model.h5")
    back = GenericModel.from_h5(tmp_path / "model.h5")
    assert back == model
    assert back.name == "model"
    xr.testing.assert_identical(back.data, model.data)


def test_bad_files_are_refused(tmp_path):
    path = tmp_path / "model.h5"
    with pytest.raises(ValueError, match=r"path '.*model\.h5' is not a file"):
        GenericModel.from_h5(path)
    GenericModel("model", dataset()).write_h5(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"cannot use file '.*model\.h5': it is truncated"):
        GenericModel.from_h5(path)
    write_arrays(path, {}, {"format": "wavetree mesh", "version": 1})
    with pytest.raises(
        ValueError, match=r"'.*model\.h5' holds 'wavetree mesh', version 1; expected 'wavetree volume"
    ):
        GenericModel.from_h5(path)
    write_arrays(path, {"x": X}, {"format": "wavetree volume model", "version": 1, "name": "model"})
    with pytest.raises(ValueError, match=r"'.*model\.h5' lacks the array 'y' of a wavetree volume model"):
        GenericModel.from_h5(path)


# -- overlay -----------------------------------------------------------------------------------


def test_overlay_takes_the_topmost_model():
    background = IsotropicAcoustic(vp=1000.0, rho=1.0)
    model = OverlaidModel(background, [constant("a", 2000.0, (0, 2)), constant("b", 3000.0, (1, 3))])
    values = model.evaluate(np.array([[0.5, 0.5], [1.5, 0.5], [3.5, 0.5], [0.5, 2.0]]))
    assert values["VP"].tolist() == [2000.0, 3000.0, 1000.0, 1000.0]
    assert values["RHO"].tolist() == [4000.0, 6000.0, 1.0, 1.0]


def test_overlay_slowest_velocity():
    background = IsotropicAcoustic(vp=1000.0, rho=1.0)
    parts = [constant("a", 2000.0, (0, 1)), constant("b", 3000.0, (2, 3))]
    model = OverlaidModel(background, parts)
    assert model.slowest_velocity(((0, 3), (0, 1))) == 1000.0  # the gap between the models
    assert model.slowest_velocity(((0, 1), (0, 1))) == 2000.0
    assert model.slowest_velocity(((2, 3), (0.2, 0.4))) == 3000.0
    assert model.slowest_velocity(((2, 3), (0, 5))) == 1000.0
    assert OverlaidModel(background, []).slowest_velocity(((0, 1), (0, 1))) == 1000.0
    hidden = OverlaidModel(None, [constant("a", 2000.0, (0, 1)), constant("b", 3000.0, (0, 1))])
    assert hidden.slowest_velocity(((0, 1), (0, 1))) == 3000.0


def test_overlay_equals_a_single_model():
    model = GenericModel("model", dataset())
    positions = np.random.default_rng(0).uniform((0, -1), (2, 1), (50, 2))
    overlaid = OverlaidModel(None, [model])
    np.testing.assert_array_equal(overlaid.evaluate(positions)["VP"], model.evaluate(positions)["VP"])
    box = ((0.3, 1.7), (-0.3, 0.1))
    assert overlaid.slowest_velocity(box) == model.slowest_velocity(box)


def solid_model(name: str, x: tuple[float, float], y: tuple[float, float]) -> GenericModel:
    solid = {"vp": 3000.0, "vs": 1600.0, "rho": 2000.0}
    fields = {key: (("x", "y"), np.full((2, 2), value)) for key, value in solid.items()}
    return GenericModel(name, xr.Dataset(fields, coords={"x": list(x), "y": list(y)}))


def test_overlay_of_fluid_and_solid():
    fluid = IsotropicAcoustic(vp=1500.0, rho=1000.0)
    model = OverlaidModel(fluid, [solid_model("solid", (0, 1), (0, 1)), constant("lake", 1400.0, (0, 0.5))])
    values = model.evaluate(np.array([[2.0, 2.0], [0.8, 0.5], [0.2, 0.5]]))
    assert {name: v.tolist() for name, v in values.items()} == {
        "VP": [1500.0, 3000.0, 1400.0],
        "VS": [0.0, 1600.0, 0.0],
        "RHO": [1000.0, 2000.0, 2800.0],
    }
    assert model.slowest_velocity(((0, 3), (0, 1))) == 1400.0
    assert model.slowest_velocity(((2, 3), (0, 1))) == 1500.0
    assert model.slowest_velocity(((0.6, 0.9), (0.1, 0.9))) == 1600.0


def test_overlay_takes_the_most_general_parameters():
    background = IsotropicElastic(vp=3000.0, vs=1500.0, rho=2000.0)
    hexagonal = {"vpv": 3000.0, "vph": 3500.0, "vsv": 1600.0, "vsh": 1600.0, "eta": 0.9, "rho": 2500.0}
    fields = {k: (("x", "y"), np.full((2, 2), v)) for k, v in {**hexagonal, "orientation": 0.3}.items()}
    turned = GenericModel("turned", xr.Dataset(fields, coords={"x": [0.0, 1.0], "y": [0.0, 1.0]}))
    inner = solid_model("inner", (0.4, 0.6), (0.0, 1.0))
    values = OverlaidModel(background, [turned, inner]).evaluate(
        np.array([[2.0, 0.5], [0.2, 0.5], [0.5, 0.5]])
    )
    assert list(values["ORIENTATION"]) == [0.0, 0.3, 0.0]
    np.testing.assert_allclose(values["VPH"], [3000.0, 3500.0, 3000.0], rtol=1e-14)
    np.testing.assert_allclose(values["ETA"], [1.0, 0.9, 1.0], rtol=1e-14)
    found = find_set(values, 2)
    inside = found.to_core({name: v[1] for name, v in values.items()})
    np.testing.assert_array_equal(inside, found.to_core({k: v[0] for k, v in turned.evaluate(ONE).items()}))


def test_overlay_refuses_different_dimensions():
    flat = solid_model("flat", (0, 1), (0, 1))
    deep = GenericModel("deep", cube(vp=np.full((3, 4, 5), 1500.0), rho=np.full((3, 4, 5), 1000.0)))
    with pytest.raises(ValueError, match=r"different numbers of dimensions, \{'flat': 2, 'deep': 3\}"):
        OverlaidModel(None, [flat, deep])


def test_overlay_refuses():
    with pytest.raises(ValueError, match="background is None and volume_models is empty"):
        OverlaidModel(None, [])
    model = OverlaidModel(None, [constant("a", 2000.0, (0, 1)), constant("b", 2000.0, (2, 3))])
    with pytest.raises(
        ValueError, match=r"position \(1.5, 0.5\) m lies outside the volume models 'a' \(x \(0.0, 1.0\)"
    ):
        model.evaluate(np.array([[0.5, 0.5], [1.5, 0.5]]))
    with pytest.raises(ValueError, match="lies outside the volume models"):
        model.slowest_velocity(((0, 3), (0, 1)))


# -- on a mesh ------------------------------------------------------------------------------------


def test_an_interface_of_fluid_and_solid_inside_elements_is_refused():
    water = IsotropicAcoustic(vp=1500.0, rho=1000.0)
    domain = BoxDomain2D(x0=0.0, x1=90.0, y0=0.0, y1=100.0)
    resolution = MeshResolution(30.0, elements_per_wavelength=1.0, model_order=1)

    def sampled(y: tuple[float, float]) -> Mesh:
        return mesh_from_domain(
            domain, OverlaidModel(water, [solid_model("solid", (-1.0, 100.0), y)]), resolution
        )

    with pytest.raises(
        ValueError, match=r"'VS' of the mesh is 0 m/s in element 0 at \(0, 50\) m and zero at some"
    ):
        medium(sampled((-1.0, 30.0)), 1)
    assert fluid_elements(medium(sampled((200.0, 300.0)), 1)).all()
    assert not fluid_elements(medium(sampled((-1.0, 101.0)), 1)).any()


def test_resolved_frequency():
    mesh = box_mesh([(0.0, 2.0), (0.0, 1.0)], (4, 4))
    mesh.attach_field("VP", np.full((16, 25), 3000.0))
    velocity = np.full(16, 2000.0)
    velocity[3] = 1000.0
    assert resolved_frequency(mesh, velocity) == pytest.approx(1000.0 * 4 / (5 * 0.5))
    velocity[3] = 2000.0
    assert resolved_frequency(mesh, velocity) == pytest.approx(2000.0 * 4 / (5 * 0.5))
