"""Volume models from arrays, raw files and SEG-Y, and the parameters that they lack."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from wavetree.model import complete
from wavetree.model.relations import brocher_vs, gardner
from wavetree.model.volume import Grid
from wavetree.model.volume.readers import (
    BinaryLayout,
    from_arrays,
    from_binary,
    from_segy,
    read_binary,
    read_segy,
)

SECTION = Grid(("depth", "x"), spacing=(10.0, 20.0), origin=(5.0, 100.0))
VP = 1500.0 + np.arange(12.0).reshape(3, 4)  # three depths, four places


def at(model: object, x: float, depth: float) -> float:
    return float(model.evaluate(np.array([x, -depth]))["VP"])  # type: ignore[attr-defined]


def test_depths_become_heights() -> None:
    model = from_arrays("m", {"vp": VP, "rho": 1000.0}, SECTION)
    assert model.bounds == ((100.0, 160.0), (-25.0, -5.0))
    assert [at(model, 100.0, 5.0), at(model, 160.0, 5.0), at(model, 120.0, 25.0)] == [1500.0, 1503.0, 1509.0]
    turned = from_arrays(
        "m", {"vp": VP.T, "rho": 1000.0}, Grid(("x", "depth"), spacing=(20.0, 10.0), origin=(100.0, 5.0))
    )
    assert turned == model


def test_grids_in_one_and_three_dimensions() -> None:
    line = from_arrays("m", {"vp": VP[:, 0], "rho": 1000.0}, Grid(("depth",), spacing=10.0))
    assert line.bounds == ((-20.0, 0.0),) and at(line, 3.0, 15.0) == 1506.0
    cube = np.arange(24.0).reshape(2, 3, 4) + 1500.0
    model = from_arrays("m", {"vp": cube, "rho": 1000.0}, Grid(("depth", "y", "x"), spacing=1.0))
    assert model.bounds == ((0.0, 3.0), (0.0, 2.0), (-1.0, 0.0))
    assert model.evaluate(np.array([3.0, 2.0, -1.0]))["VP"] == 1523.0
    assert model.evaluate(np.array([3.0, 0.0, 0.0]))["VP"] == 1503.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": ("x", "x")}, r"axes is \('x', 'x'\); expected one axis, x and y, or x, y and z"),
        ({"axes": ("y", "depth")}, "where depth may stand for the last of them"),
        ({"axes": ("x", "z")}, "expected one axis"),
        ({"axes": ("x", "up")}, "axes"),
        ({"spacing": (1.0,)}, r"spacing is \(1.0,\); expected 2 numbers"),
        ({"spacing": 0.0}, "spacing"),
        ({"origin": (1.0,)}, r"origin is \(1.0,\); expected 2 numbers"),
    ],
)
def test_bad_grids_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(**{"axes": ("x", "depth"), "spacing": 1.0, **changes})


def test_arrays_have_to_fit() -> None:
    with pytest.raises(
        ValueError, match=r"arrays have the shapes .*; expected all alike with the axes depth, x"
    ):
        from_arrays("m", {"vp": VP[0], "rho": 1000.0}, SECTION)
    with pytest.raises(ValueError, match="look at 'rho'"):
        from_arrays("m", {"vp": VP, "rho": VP.T}, SECTION)
    with pytest.raises(ValueError, match=r"parameters holds no array, only \['vp', 'rho'\]"):
        from_arrays("m", {"vp": 1500.0, "rho": 1000.0}, SECTION)


# -- completion --------------------------------------------------------------------------------------


def test_relations_complete_models() -> None:
    data = xr.Dataset({"vp": (("x", "y"), VP)}, coords={"x": np.arange(3.0), "y": np.arange(4.0)})
    whole = complete(data, rho=gardner, vs=lambda vp, rho: 0.5 * vp + 0.0 * rho)
    np.testing.assert_array_equal(whole["rho"], 310.0 * VP**0.25)
    np.testing.assert_array_equal(whole["vs"], 0.5 * VP)
    assert list(data.data_vars) == ["vp"]
    formula = complete(data, rho=lambda vp, factor=2.0: factor * vp)
    np.testing.assert_array_equal(formula["rho"], 2.0 * VP)
    assert (complete(data, rho=1000.0)["rho"] == 1000.0).all()
    model = from_arrays("m", {"vp": VP, "rho": gardner}, SECTION)
    np.testing.assert_array_equal(model.data["rho"], 310.0 * model.data["vp"] ** 0.25)


def test_bad_relations_are_refused() -> None:
    data = xr.Dataset({"vp": ("x", [1.0, 2.0])})
    with pytest.raises(ValueError, match="the relation for 'rho' needs 'velocity', but there are only 'vp'"):
        complete(data, rho=lambda velocity: velocity)
    with pytest.raises(ValueError, match="'brocher_vs' gives 'vs' from 'vp'; expected one that gives 'rho'"):
        complete(data, rho=brocher_vs)
    with pytest.raises(ValueError, match="has the variable 'vp' already"):
        complete(data, vp=1.0)
    with pytest.raises(ValueError, match=r"the relation for 'rho' returned values of shape \(\)"):
        complete(data, rho=lambda vp: vp.max())
    with pytest.raises(ValueError, match="data has no variables"):
        complete(xr.Dataset(), rho=1.0)


# -- raw files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_raw_files(dtype: str, order: str, tmp_path: Path) -> None:
    path = tmp_path / "vp.bin"
    path.write_bytes(b"header" + np.asarray(VP, dtype=dtype).tobytes(order))
    layout = BinaryLayout((3, 4), dtype=dtype, order=order, offset_in_bytes=6)
    np.testing.assert_array_equal(read_binary(path, layout), VP)
    model = from_binary("m", {"vp": path, "rho": gardner}, SECTION, layout)
    assert model == from_arrays("m", {"vp": VP, "rho": gardner}, SECTION)
    doubled = from_binary("m", {"vp": str(path), "rho": 1.0}, SECTION, layout, scale=2.0)
    np.testing.assert_array_equal(doubled.data["vp"], 2.0 * model.data["vp"])


def test_bad_raw_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vp.bin"
    with pytest.raises(ValueError, match="is not a file"):
        read_binary(path, BinaryLayout((3, 4)))
    path.write_bytes(np.float32(VP).tobytes())
    with pytest.raises(
        ValueError, match="has 48 bytes; expected 64 for 4 x 4 numbers of type '<f4' after 0 bytes"
    ):
        read_binary(path, BinaryLayout((4, 4)))
    with pytest.raises(ValueError, match="dtype is 'nothing'; expected a NumPy type"):
        BinaryLayout((4, 4), dtype="nothing")


# -- SEG-Y -------------------------------------------------------------------------------------------


def write_segy(path: Path, traces: np.ndarray) -> None:
    obspy = pytest.importorskip("obspy", reason="ObsPy, which writes SEG-Y, is not installed")
    stream = obspy.Stream([obspy.Trace(np.float32(trace), {"delta": 0.004}) for trace in traces])
    stream.write(str(path), format="SEGY", data_encoding=5)


def test_sections_in_segy(tmp_path: Path) -> None:
    path, grid = tmp_path / "vp.segy", Grid(("x", "depth"), spacing=(20.0, 10.0), origin=(100.0, 5.0))
    write_segy(path, VP.T / 1000.0)  # km/s
    np.testing.assert_array_equal(read_segy(path), np.float32(VP.T / 1000.0))
    model = from_segy("m", {"vp": path, "rho": gardner}, grid, scale=1000.0)
    np.testing.assert_allclose(
        model.data["vp"], from_arrays("m", {"vp": VP, "rho": 1.0}, SECTION).data["vp"], rtol=1e-7
    )


def test_bad_segy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vp.segy"
    with pytest.raises(ValueError, match="is not a file"):
        read_segy(path)
    write_segy(path, VP)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"cannot read '.*vp\.segy' as SEG-Y"):
        read_segy(path)


# -- real files --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(checkout: Path) -> Path:
    folder = Path(os.environ.get("WAVETREE_SHARED", checkout.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the models and recordings are not at {folder}; set WAVETREE_SHARED")
    return folder


@pytest.mark.data
def test_salt_section(shared: Path) -> None:
    """SEG/EAGE salt, n1 = 645 fastest, n3 = 150, in ft/s: water of 5000 on top, salt of 14700."""
    path, layout = shared / "seg_salt2d_specfem2d/vp.bin", BinaryLayout((645, 150), order="F")
    grid = Grid(("x", "depth"), spacing=80.0)
    model = from_binary("salt", {"vp": path, "rho": gardner}, grid, layout, scale=0.3048)
    assert model.bounds == ((0.0, 644 * 80.0), (-149 * 80.0, 0.0))
    top, all_ = model.data["vp"].sel(y=0.0), model.data["vp"]
    assert float(top.max()) == pytest.approx(5000.0 * 0.3048) == float(all_.min())
    assert float(all_.max()) == pytest.approx(14700.0 * 0.3048)


@pytest.mark.data
def test_marmousi(shared: Path) -> None:
    folder = shared / "marmousi_seistorch"
    arrays = {"vp": np.load(folder / "true_vp.npy"), "rho": np.load(folder / "rho.npy")}
    model = from_arrays("marmousi", arrays, Grid(("depth", "x"), spacing=20.0))
    assert model.bounds == ((0.0, 11200.0), (-3440.0, 0.0))
    assert model.evaluate(np.array([5000.0, 0.0]))["VP"] == pytest.approx(1500.0, rel=0.05)  # water on top
    assert model.evaluate(np.array([5000.0, -3400.0]))["VP"] > 3000.0
