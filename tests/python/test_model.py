"""Background and volume models, alone, on top of each other and on meshes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from meshes import sinusoidal
from wavetree.arrays import write_arrays
from wavetree.config import load
from wavetree.mesh import acoustic_medium, box_mesh, resolved_frequency
from wavetree.model import OverlaidModel
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import GenericModel

UNIT = [(0.0, 1.0), (0.0, 1.0)]
X = np.array([0.0, 0.5, 2.0])
Y = np.array([-1.0, 0.0, 0.25, 1.0])


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
        (dataset().drop_vars("vp"), r"data has no variable 'vp', only \['rho'\]; expected 'vp'"),
        (dataset().rename(rho="density"), r"data has no variable 'rho', only \['density', 'vp'\]"),
        (dataset(vs=np.ones((3, 4))), "data has the variable 'vs'; expected only 'vp' and 'rho'"),
        (
            with_values("vp", (1, 2), np.nan),
            "'vp' of data is nan at x = 0.5, y = 0.25 m and not .* at 1 of 12 nodes",
        ),
        (with_values("rho", (0, 0), 0.0), "'rho' of data is 0.0 at x = 0, y = -1 m"),
        (with_values("vp", (2, 3), -1.0), "'vp' of data is -1.0 at x = 2, y = 1 m"),
        (dataset().isel(x=[2, 1, 0]), "coordinate 'x' of data has 3 values .*strictly increasing: sort them"),
        (dataset().isel(y=[0, 0, 1]), "coordinate 'y' of data has 3 values"),
        (dataset().isel(y=[0]), "coordinate 'y' of data has 1 values"),
        (dataset().isel(y=0), "data has no coordinate 'y' along a dimension of that name"),
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


def test_acoustic_medium_takes_every_kind_of_field():
    mesh = box_mesh(UNIT, (4, 3), shape_order=2, deformation=sinusoidal)
    mesh.attach_field("VP", 1500.0 + mesh.points[:, 0])
    mesh.attach_field("RHO", 1000.0 + np.arange(12))
    mesh.attach_field("VS", np.zeros(12))
    medium = acoustic_medium(mesh, 4)
    assert medium.tensor_order == 4
    expected = 1500.0 + mesh.node_coordinates(4)[..., 0]
    np.testing.assert_allclose(medium.element_nodal_fields["VP"], expected, rtol=1e-14)
    np.testing.assert_array_equal(
        medium.element_nodal_fields["RHO"], np.tile(1000.0 + np.arange(12), (25, 1)).T
    )
    assert "VP" in mesh.nodal_fields  # the given mesh is left alone
    again = acoustic_medium(medium, 4)
    assert again.digest() == medium.digest()
    assert acoustic_medium(medium, 6).tensor_order == 6


def test_acoustic_medium_refuses():
    mesh = box_mesh(UNIT, (4, 3))
    mesh.attach_field("VP", np.ones(12))
    with pytest.raises(ValueError, match=r"the mesh has no field 'RHO', only \['VP'\]; expected VP"):
        acoustic_medium(mesh, 4)
    density = np.ones((12, 4))
    density[5, 1] = 0.0
    mesh.attach_field("RHO", density)
    with pytest.raises(
        ValueError, match=r"'RHO' of the mesh is 0 kg/m\^3 in element 5 at \(0.5, 0.333333\) m.* at 1 of"
    ):
        acoustic_medium(mesh, 1)
    mesh.attach_field("VS", np.full(12, 700.0))
    with pytest.raises(
        ValueError, match="field 'VS' of the mesh is up to 700 m/s, a solid; expected a fluid"
    ):
        acoustic_medium(mesh, 4)


def test_resolved_frequency():
    mesh = box_mesh([(0.0, 2.0), (0.0, 1.0)], (4, 4))
    velocity = np.full((16, 25), 2000.0)
    velocity[3] = 1000.0
    mesh.attach_field("VP", velocity)
    assert resolved_frequency(mesh) == pytest.approx(1000.0 * 4 / (5 * 0.5))
    velocity[3] = 2000.0
    mesh.attach_field("VP", velocity)
    assert resolved_frequency(mesh) == pytest.approx(2000.0 * 4 / (5 * 0.5))
