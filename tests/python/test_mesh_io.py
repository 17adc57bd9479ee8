"""Mesh files: exact round trips, atomic writing, damaged files, XDMF."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest

from meshes import make_mesh, shuffled, sinusoidal
from wavetree.arrays import read_arrays, write_arrays
from wavetree.errors import WavetreeError
from wavetree.mesh import Mesh, box_mesh

UNIT = [(0.0, 1.0), (0.0, 1.0)]


def full_mesh(dim: int = 2, order: int = 4) -> Mesh:
    rng = np.random.default_rng(4)
    if dim == 2:
        mesh = shuffled(box_mesh(UNIT, (3, 2), shape_order=2, deformation=sinusoidal), rng)
    else:
        mesh = make_mesh("sinusoidal", 3, 2, 2, rng)
    mesh.attach_field("VP", rng.normal(size=(mesh.nelem, (order + 1) ** dim)))
    mesh.attach_field("a & <b>", rng.normal(size=mesh.nelem))
    mesh.attach_field("height", mesh.points[:, 1])
    return mesh


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("xdmf", [True, False])
def test_round_trip_is_exact(tmp_path, dim, xdmf):
    mesh = full_mesh(dim)
    mesh.write_h5(tmp_path / "mesh.h5", xdmf=xdmf)
    back = Mesh.from_h5(tmp_path / "mesh.h5")
    assert back.digest() == mesh.digest()
    assert back.shape_order == 2
    np.testing.assert_array_equal(back.element_nodal_fields["VP"], mesh.element_nodal_fields["VP"])
    assert repr(back) == repr(mesh)
    expected = ["mesh.h5", "mesh.xdmf"] if xdmf else ["mesh.h5"]
    assert sorted(os.listdir(tmp_path)) == expected


@pytest.mark.parametrize(("dim", "shape_order"), [(2, 1), (2, 3), (2, 4), (3, 1), (3, 2)])
def test_every_bit_comes_back(tmp_path, dim, shape_order):
    mesh = make_mesh("sinusoidal", dim, shape_order, 2, np.random.default_rng(9))
    odd = np.zeros((mesh.nelem, 2**dim))
    odd.flat[:5] = -0.0, 5e-324, 1.0 + 2**-52, -1.7e308, 1 / 3
    mesh.attach_field("odd values", odd)
    mesh.attach_field("block", np.arange(mesh.nelem) % 2 + 1)
    mesh.block_names = {1: "sea", 2: "fels ä"}
    mesh.side_sets["twisted"] = np.array([[1, 0], [0, 3]])
    mesh.write_h5(tmp_path / "mesh.h5")
    back = Mesh.from_h5(tmp_path / "mesh.h5")
    given, found = mesh.to_arrays(), back.to_arrays()
    assert list(found) == list(given)
    for name, array in given.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes(), name
    assert dict(back.block_names) == {1: "sea", 2: "fels ä"}
    assert back.copy().digest() == mesh.digest()
    back.block_names = {}
    assert back.digest() != mesh.digest() and "block_names" not in back.to_arrays()


def test_block_names_are_checked(tmp_path):
    mesh = full_mesh()
    for names in ({1: ""}, {1.5: "sea"}, {1: 2}):
        with pytest.raises(
            ValueError, match=r"block_names has .*; expected a non-empty text for a whole number"
        ):
            mesh.block_names = names
    arrays = {**mesh.to_arrays(), "block_names": np.frombuffer(b"[1, 2", dtype=np.uint8)}
    write_arrays(tmp_path / "mesh.h5", arrays, {"format": "wavetree mesh", "version": 1})
    with pytest.raises(ValueError, match=r"no usable mesh: array 'block_names' cannot be read"):
        Mesh.from_h5(tmp_path / "mesh.h5")


def test_a_format_of_a_newer_wavetree_is_refused(tmp_path):
    with h5py.File(tmp_path / "mesh.h5", "w") as file:
        file.attrs["format"] = "wavetree arrays 2"
    with pytest.raises(ValueError, match=r"not written by wavetree"):
        Mesh.from_h5(tmp_path / "mesh.h5")


def test_bare_mesh_round_trip(tmp_path):
    mesh = Mesh(
        [[0, 0], [1, 0], [0, 1], [1, 1]], [[0, 1, 2, 3]], side_sets={"none": np.zeros((0, 2), dtype=int)}
    )
    mesh.write_h5(tmp_path / "mesh.h5")
    back = Mesh.from_h5(tmp_path / "mesh.h5")
    assert back.digest() == mesh.digest()
    assert back.side_sets["none"].shape == (0, 2)


def test_writing_again_replaces(tmp_path):
    path = tmp_path / "mesh.h5"
    full_mesh().write_h5(path)
    mesh = box_mesh(UNIT, (1, 1))
    mesh.write_h5(path)
    assert Mesh.from_h5(path).digest() == mesh.digest()


def test_failed_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "mesh.h5"
    full_mesh().write_h5(path, xdmf=False)
    before = path.read_bytes()

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(
        WavetreeError, match=r"cannot write '.*mesh\.h5': No space left on device; nothing was lost"
    ):
        box_mesh(UNIT, (1, 1)).write_h5(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["mesh.h5"]


def test_impossible_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WavetreeError, match=r"cannot write '.*file/mesh\.h5'"):
        full_mesh().write_h5(tmp_path / "file" / "mesh.h5")


@pytest.mark.parametrize("keep", [0, 10, 100, 0.3, 0.9, 0.999])
def test_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "mesh.h5"
    full_mesh().write_h5(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r"cannot use file '.*mesh\.h5': it is truncated, damaged"):
        Mesh.from_h5(path)


def test_flipped_bits_are_noticed(tmp_path):
    mesh = full_mesh()
    path = tmp_path / "mesh.h5"
    mesh.write_h5(path, xdmf=False)
    data = bytearray(path.read_bytes())
    place = bytes(data).find(mesh.element_nodal_fields["VP"].tobytes())
    assert place > 0
    data[place + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot use file '.*mesh\.h5': it is truncated, damaged"):
        Mesh.from_h5(path)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "foreign.h5"
    with pytest.raises(ValueError, match=r"path '.*foreign\.h5' is not a file; expected an HDF5 file"):
        Mesh.from_h5(path)
    path.write_text("not HDF5 at all" * 100)
    with pytest.raises(ValueError, match=r"cannot use file '.*foreign\.h5'"):
        Mesh.from_h5(path)
    with h5py.File(path, "w") as file:
        file["points"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"cannot use file '.*foreign\.h5': .*not written by wavetree"):
        Mesh.from_h5(path)


def test_other_content_is_refused(tmp_path):
    path = tmp_path / "other.h5"
    write_arrays(path, {"a": np.zeros(3)}, {"format": "wavetree volume model"})
    with pytest.raises(
        ValueError, match=r"'.*other\.h5' holds 'wavetree volume model'; expected 'wavetree mesh'"
    ):
        Mesh.from_h5(path)
    write_arrays(path, {"a": np.zeros(3)}, {"format": "wavetree mesh", "version": 99})
    with pytest.raises(ValueError, match=r"'.*other\.h5' has version 99 of the mesh format; expected 1"):
        Mesh.from_h5(path)
    arrays = full_mesh().to_arrays()
    del arrays["connectivity"]
    write_arrays(path, arrays, {"format": "wavetree mesh", "version": 1})
    with pytest.raises(
        ValueError, match=r"'.*other\.h5' holds no usable mesh: array 'connectivity' is missing"
    ):
        Mesh.from_h5(path)
    arrays = full_mesh().to_arrays()
    arrays["connectivity"] = arrays["connectivity"] + 1
    write_arrays(path, arrays, {"format": "wavetree mesh", "version": 1})
    with pytest.raises(ValueError, match=r"'.*other\.h5' holds no usable mesh: connectivity of element"):
        Mesh.from_h5(path)


def test_arrays_keep_type_shape_and_attributes(tmp_path):
    arrays = {
        "a/b": np.arange(6, dtype=np.int32).reshape(2, 3),
        "c": np.float32([[0.1]]),
        "empty": np.zeros((0, 2)),
        "scalar": np.array(3.5),
    }
    attributes = {"name": "é", "list": [1, 2.5, None]}
    write_arrays(tmp_path / "x.h5", arrays, attributes)
    back, back_attributes = read_arrays(tmp_path / "x.h5")
    assert back_attributes == attributes
    assert sorted(back) == sorted(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
        assert back[name].shape == array.shape


@pytest.mark.parametrize("dim", [2, 3])
def test_xdmf_describes_cells_that_fill_the_mesh(tmp_path, dim):
    mesh = full_mesh(dim, order=3)
    mesh.write_h5(tmp_path / "mesh.h5")
    grid = ElementTree.parse(tmp_path / "mesh.xdmf").find("Domain/Grid")
    data = {}
    with h5py.File(tmp_path / "mesh.h5") as file:
        for item in grid.iter("DataItem"):
            name, place = item.text.split(":")
            assert name == "mesh.h5"
            data[place] = file[place][()]
            assert tuple(map(int, item.get("Dimensions").split())) == data[place].shape
    points, cells = data["/arrays/paraview/points"], data["/arrays/paraview/cells"]
    assert len(cells) == int(grid.find("Topology").get("NumberOfElements")) == mesh.nelem * 3**dim
    corners = points[cells]
    if dim == 2:  # the shoelace formula needs corners around the boundary
        x, y = corners[..., 0], corners[..., 1]
        areas = 0.5 * (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1)
        assert areas.min() > 0
        assert areas.sum() == pytest.approx(1.0, rel=1e-2)
    else:
        x_fastest = Mesh(points, cells[:, [0, 1, 3, 2, 4, 5, 7, 6]])  # refuses cells that are inside out
        assert x_fastest.mass_weights(2).sum() == pytest.approx(1.0, rel=1e-2)
    centers = {a.get("Name"): a.get("Center") for a in grid.iter("Attribute")}
    assert centers == {"VP": "Node", "a & <b>": "Cell", "height": "Node"}
    np.testing.assert_allclose(data["/arrays/paraview/node/height"], points[:, 1], atol=1e-14)
    np.testing.assert_array_equal(data["/arrays/paraview/node/VP"], mesh.element_nodal_fields["VP"].ravel())
    assert len(data["/arrays/paraview/cell/a & <b>"]) == len(cells)
