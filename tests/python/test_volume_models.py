"""Volume models that are defined in part, along one axis, by functions or in NetCDF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from projects import DOMAIN, simulation
from wavetree.config import load
from wavetree.domain import box_domain
from wavetree.errors import ConflictError, WavetreeError
from wavetree.mesh import MeshResolution, mesh_from_domain
from wavetree.model import OverlaidModel
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import FunctionModel, GenericModel
from wavetree.project.project import Project
from wavetree.simulation.configuration import ModelConfiguration

WATER = IsotropicAcoustic(vp=1500.0, rho=1000.0)


def grid(n: int = 5, **values: np.ndarray | float) -> xr.Dataset:
    x = np.linspace(0.0, 1.0, n)
    fields = {
        k: (("x", "y"), np.broadcast_to(v, (n, n)))
        for k, v in {"vp": 2000.0, "rho": 1200.0, **values}.items()
    }
    return xr.Dataset(fields, coords={"x": x, "y": x})


# -- interpolation -----------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_interpolation_is_of_second_order(dim: int) -> None:
    """The error of sin(2 x_1 + ...) with spacing h is that of its second derivatives, h²/8 Σ 2² · 100."""
    axes, positions = "xyz"[:dim], np.random.default_rng(0).uniform(0.0, 1.0, (2000, max(dim, 2)))
    errors = []
    for n in (11, 21, 41):
        x = np.linspace(0.0, 1.0, n)
        mesh = np.meshgrid(*[x] * dim, indexing="ij")
        values = {"vp": 1500.0 + 100.0 * np.sin(2.0 * sum(mesh)), "rho": np.full_like(mesh[0], 1e3)}
        data = xr.Dataset({k: (tuple(axes), v) for k, v in values.items()}, coords=dict.fromkeys(axes, x))
        found = GenericModel("m", data).evaluate(positions)["VP"]
        errors.append(np.abs(found - 1500.0 - 100.0 * np.sin(2.0 * positions[:, :dim].sum(axis=1))).max())
        assert errors[-1] <= dim * 400.0 / 8.0 / (n - 1) ** 2
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(rates, 2.0, atol=0.1)


# -- NaN -----------------------------------------------------------------------------------------


def test_nan_is_not_defined() -> None:
    vp = np.full((5, 5), 2000.0)
    vp[2, 2] = np.nan
    model = GenericModel("m", grid(vp=vp))
    inside = np.array([[0.1, 0.1], [0.3, 0.3], [0.25, 0.4], [0.5, 0.5], [0.5, 0.75], [0.9, 0.9]])
    # Cells around the node do not count, but their other nodes and edges do.
    assert model.contains(inside).tolist() == [True, False, True, False, True, True]
    assert (model.evaluate(inside[model.contains(inside)])["VP"] == 2000.0).all()
    with pytest.raises(ValueError, match=r"position \(0.3, 0.3\) m lies outside .*, or beside a node where"):
        model.evaluate(inside)
    assert "not defined at 1 of 25 nodes" in repr(model)
    assert model.slowest_velocity(model.bounds) == 2000.0


def test_models_are_seen_through_gaps() -> None:
    """The topmost model counts where it is defined, the one below in its gaps, the background elsewhere."""
    upper = np.full((5, 5), 3000.0)
    upper[:, 3:] = np.nan
    below = grid(vp=2000.0).sel(y=slice(0.0, 0.8))
    stack = OverlaidModel(WATER, [GenericModel("low", below), GenericModel("up", grid(vp=upper))])
    places = np.array([[0.5, 0.2], [0.5, 0.5], [0.5, 0.6], [0.5, 0.75], [0.5, 0.9], [2.0, 0.2]])
    assert stack.evaluate(places)["VP"].tolist() == [3000.0, 3000.0, 2000.0, 2000.0, 1500.0, 1500.0]
    assert stack.slowest_velocity(((0.0, 1.0), (0.0, 0.7))) == 2000.0
    assert stack.slowest_velocity(((0.0, 1.0), (0.0, 1.0))) == 1500.0
    alone = OverlaidModel(None, [GenericModel("up", grid(vp=upper))])
    with pytest.raises(ValueError, match=r"position \(0, 0.75\) m lies outside .*, or where they are not"):
        alone.slowest_velocity(((0.0, 1.0), (0.0, 1.0)))


def test_gaps_survive_files(tmp_path: Path) -> None:
    rho = np.full((5, 5), 1200.0)
    rho[0, :] = np.nan
    model = GenericModel("m", grid(rho=rho))
    model.write_h5(tmp_path / "m.h5")
    back = GenericModel.from_h5(tmp_path / "m.h5")
    assert back == model and back.digest() != GenericModel("m", grid()).digest()
    assert not back.contains(np.array([0.1, 0.5]))
    xr.testing.assert_identical(back.data, model.data)


# -- one axis --------------------------------------------------------------------------------------


def test_one_axis(tmp_path: Path) -> None:
    data = xr.Dataset({"vp": ("y", [1500.0, 2500.0]), "rho": ("y", [1e3, 2e3])}, coords={"y": [-10.0, 0.0]})
    model = GenericModel("gradient", data)
    assert (model.dim, model.dims, model.bounds) == (1, (2, 3), ((-10.0, 0.0),))
    assert model.evaluate(np.array([[7.0, -5.0], [1e6, -2.5]]))["VP"].tolist() == [2000.0, 2250.0]
    assert model.evaluate(np.array([[7.0, -5.0, 3.0]]))["RHO"].tolist() == [1500.0]
    assert not model.contains(np.array([0.0, 1.0]))
    assert model.slowest_velocity(((0.0, 1.0), (-4.0, -2.0))) == pytest.approx(2100.0)
    model.write_h5(tmp_path / "m.h5")
    assert GenericModel.from_h5(tmp_path / "m.h5") == model
    deep = GenericModel("deep", data.rename(y="z"))
    assert deep.dims == (3,)
    with pytest.raises(ValueError, match=r"coordinates has shape \(2,\); expected \(..., 3\)"):
        deep.evaluate(np.zeros(2))
    with pytest.raises(ValueError, match=r"different numbers of dimensions, \{'m': 2, 'deep': 3\}"):
        OverlaidModel(None, [GenericModel("m", grid()), deep, model])
    stack = OverlaidModel(WATER, [model, GenericModel("m", grid())])
    assert stack.evaluate(np.array([[0.5, 0.5], [0.5, -5.0], [0.5, 7.0]]))["VP"].tolist() == [
        2000.0,
        2000.0,
        1500.0,
    ]


# -- functions ---------------------------------------------------------------------------------------


def gradient(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray | float]:
    return {"vp": 1500.0 + 100.0 * y + x, "rho": 1000.0}


def disc(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray | float]:
    return {"vp": np.where(np.hypot(x, y) < 0.5, 2500.0, np.nan), "rho": 1300.0}


def test_a_function_is_sampled_at_the_nodes() -> None:
    model = FunctionModel("gradient", function=gradient)
    resolution = MeshResolution(4000.0, elements_per_wavelength=1.0, model_order=3)
    mesh = mesh_from_domain(DOMAIN, model, resolution)
    x, y = np.moveaxis(mesh.get_element_nodes(), -1, 0)
    np.testing.assert_allclose(mesh.element_nodal_fields["VP"], 1500.0 + 100.0 * y + x, atol=1e-3)
    assert (mesh.element_nodal_fields["RHO"] == 1000.0).all()
    assert model.slowest_velocity(((0.0, 1.0), (-1.0, 1.0))) == 1400.0


def test_functions_are_defined_where_they_are_numbers() -> None:
    box = ((-1.0, 1.0), (-1.0, 0.25))
    model = OverlaidModel(WATER, [FunctionModel("disc", function=disc, bounds=box)])
    places = np.array([[0.0, 0.0], [0.6, 0.0], [0.0, 0.3], [2.0, 0.0]])
    assert model.evaluate(places)["VP"].tolist() == [2500.0, 1500.0, 1500.0, 1500.0]
    assert model.slowest_velocity(((-0.1, 0.1), (-0.1, 0.1))) == 2500.0
    alone = FunctionModel("disc", function=disc)
    with pytest.raises(ValueError, match=r"position \(0.6, 0\) m lies where the volume model 'disc' is not"):
        alone.evaluate(places)
    assert alone.slowest_velocity(((-1.0, 1.0), (-1.0, 1.0))) == 2500.0
    with pytest.raises(ValueError, match="holds no position where the model is defined"):
        alone.slowest_velocity(((1.0, 2.0), (1.0, 2.0)))


def test_functions_are_told_apart_by_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(factor: float) -> FunctionModel:
        def function(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray | float]:
            return {"vp": factor + 0.0 * x, "rho": 1000.0}

        return FunctionModel("m", function=function)

    assert scaled(1500.0) == scaled(1500.0) and scaled(1500.0).digest() != scaled(1600.0).digest()
    record = load(scaled(1500.0).to_dict())
    assert record == scaled(1500.0)
    monkeypatch.setattr("wavetree.user_function._known", {})  # another process
    with pytest.raises(WavetreeError, match="identified, never stored"):
        record.evaluate(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bounds": ((0.0, 1.0),)}, r"bounds is .* expected \(\(x0, x1\), \(y0, y1\)\)"),
        ({"bounds": ((1.0, 0.0), (0.0, 1.0))}, "each increasing"),
        ({"bounds": ((0.0, 1.0),) * 3}, "'gradient' cannot be called with the coordinates"),
        ({"function": np.sin}, "no source text"),
        ({"name": "a/b"}, "name='a/b' is not valid"),
    ],
)
def test_bad_function_models_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FunctionModel(**{"name": "m", "function": gradient, **changes})


def test_bad_values_of_functions_are_refused() -> None:
    def negative(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        return {"vp": x, "rho": 1.0 + 0.0 * x}

    def short(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        return {"vp": np.ones(3), "rho": np.ones(3)}

    places = np.array([[1.0, 0.0], [-2.0, 0.0]])
    with pytest.raises(ValueError, match=r"'negative' returned vp = -2 at \(-2, 0\) m: not positive"):
        FunctionModel("m", function=negative).evaluate(places)
    with pytest.raises(ValueError, match=r"'short' returned 'vp' of shape \(3,\); expected \(2,\)"):
        FunctionModel("m", function=short).evaluate(places)
    with pytest.raises(ValueError, match=r"expected \(..., 2\), for the function 'short'"):
        FunctionModel("m", function=short).evaluate(np.zeros((1, 3)))


def test_a_project_keeps_what_identifies_a_function(tmp_path: Path) -> None:
    p = Project.from_domain(tmp_path / "p", DOMAIN)
    p += FunctionModel("gradient", function=gradient)
    p += simulation("s", model_configuration=ModelConfiguration(volume_models="gradient"))
    digest = p.simulations.get_mesh("s").digest()
    p.close()
    p = Project(tmp_path / "p")
    assert p.simulations.get_mesh("s").digest() == digest  # the mesh is there, the function is not asked for
    p += FunctionModel("gradient", function=gradient)
    with pytest.raises(ConflictError, match="function.source_digest"):
        p += FunctionModel("gradient", function=disc)
    grid_model = GenericModel("gradient", grid())
    with pytest.raises(ConflictError, match="type"):
        p += grid_model
    p.close()


def test_models_without_a_box_make_no_domain() -> None:
    data = xr.Dataset({"vp": ("y", [1500.0, 2500.0]), "rho": ("y", [1e3, 2e3])}, coords={"y": [-10.0, 0.0]})
    for model in (FunctionModel("f", function=gradient), GenericModel("g", data)):
        with pytest.raises(ValueError, match="expected those of two or three axes: give the domain itself"):
            box_domain(model)


# -- NetCDF -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["scipy", "netcdf4"])
def test_netcdf(engine: str, tmp_path: Path) -> None:
    if engine == "netcdf4":
        pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    data = grid(vp=np.arange(25.0).reshape(5, 5) + 1500.0)
    data.to_netcdf(tmp_path / "m.nc", engine=engine)
    assert GenericModel("m", tmp_path / "m.nc") == GenericModel("m", data)
    assert GenericModel("m", str(tmp_path / "m.nc")).data.identical(GenericModel("m", data).data)


def test_bad_netcdf_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="is not a file; expected a NetCDF file"):
        GenericModel("m", tmp_path / "none.nc")
    bad = tmp_path / "bad.nc"
    bad.write_text("hello")
    with pytest.raises(ValueError, match=r"begins with b'hell'; expected a NetCDF file"):
        GenericModel("m", bad)
    grid().to_netcdf(bad, engine="scipy")
    bad.write_bytes(bad.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"cannot read '.*bad\.nc' as NetCDF 3"):
        GenericModel("m", bad)
    bad.write_bytes(b"\x89HDF")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="NetCDF 4, which needs netCDF4 or h5netcdf: install one"):
        GenericModel("m", bad)
