"""Materials: classes by names, conversions, orientations, and as background models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from wavetree import material
from wavetree.config import load
from wavetree.domain import BoxDomain2D
from wavetree.mesh import MeshResolution, mesh_from_domain
from wavetree.model.parameters import SETS
from wavetree.model.volume.cartesian import GenericModel
from wavetree.simulation.configuration import ModelConfiguration
from wavetree.simulation.medium import medium, split

STEEL = {"rho": 7800.0, "vp": 5900.0, "vs": 3200.0}
SHALE = {"rho": 2500.0, "vpv": 3000.0, "vph": 3550.0, "vsv": 1581.0, "vsh": 1700.0, "eta": 0.47}


def tensor(dim: int) -> material.TensorComponents:
    return material.elastic.triclinic.TensorComponents.from_material(material.from_params(**SHALE), dim)


def test_the_class_follows_from_the_names() -> None:
    assert isinstance(material.from_params(rho=1000.0, vp=1500.0), material.acoustic.Velocity)
    assert isinstance(material.from_params(**STEEL), material.elastic.Velocity)
    assert isinstance(material.from_params(**SHALE), material.elastic.hexagonal.Velocity)
    for dim in (2, 3):
        found = material.from_params(**tensor(dim).parameters)
        assert isinstance(found, material.elastic.triclinic.TensorComponents) and found == tensor(dim)
    assert material.from_params(**STEEL) == material.elastic.Velocity.from_params(**STEEL)
    assert material.from_params(**STEEL) == material.elastic.Velocity(5900.0, vs=3200.0, rho=7800.0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "the parameters are none; expected rho, vp"),
        ({"rho": 1.0, "vs": 2.0}, r"the parameters are rho, vs; expected rho, vp \(fluid\), rho, vp, vs"),
        ({**STEEL, "vs": 5200.0}, "vp, vs = 5900, 5200: not VS.2 < 3/4 VP.2; expected"),
        ({**STEEL, "rho": np.nan}, "rho"),
        ({"rho": 1000.0, "vp": -1.0}, "AcousticVelocity: vp = -1: not positive; expected positive values"),
        ({**SHALE, "eta": 2.0}, "HexagonalVelocity: vpv, .*: without a positive definite stiffness tensor"),
        (
            {"rho": 1.0, "c11": 1.0},
            r"has no parameter 'c12', only \['c11', 'rho'\]; expected c11 \[Pa\], c12",
        ),
        ({"rho": 1.0, "vp": xr.DataArray([1.0, 0.0], dims="x")}, "vp = 0: not positive"),
    ],
)
def test_bad_parameters(params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        material.from_params(**params)


def test_conversions_keep_the_medium() -> None:
    steel = material.from_params(**STEEL)
    general = material.elastic.hexagonal.Velocity.from_material(steel)
    assert general.parameters == {
        "vpv": 5900.0,
        "vph": 5900.0,
        "vsv": 3200.0,
        "vsh": 3200.0,
        "eta": 1.0,
        "rho": 7800.0,
    }
    mu = 7800.0 * 3200.0**2
    for dim, c12 in ((2, "c12"), (3, "c23")):
        components = material.TensorComponents.from_material(general, dim).parameters
        assert components["c11"] == pytest.approx(7800.0 * 5900.0**2, rel=1e-14)
        assert components[c12] == pytest.approx(7800.0 * 5900.0**2 - 2 * mu, rel=1e-14)
        assert components["c33" if dim == 2 else "c66"] == pytest.approx(mu, rel=1e-14)
    water = material.from_params(rho=1000.0, vp=1500.0)
    assert material.elastic.Velocity.from_material(water).parameters == {
        "vp": 1500.0,
        "vs": 0.0,
        "rho": 1000.0,
    }
    assert material.acoustic.Velocity.from_material(material.elastic.Velocity.from_material(water)) == water
    with pytest.raises(ValueError, match="elastic media cannot be given as VP, RHO"):
        material.acoustic.Velocity.from_material(steel)
    with pytest.raises(ValueError, match="anisotropic media cannot be given as VP, VS, RHO"):
        material.elastic.Velocity.from_material(material.from_params(**SHALE))


def test_orientations() -> None:
    shale = material.from_params(**SHALE)
    assert material.from_params(**STEEL).with_orientation(0.3) == material.from_params(**STEEL)
    tilted = shale.with_orientation(0.3)
    assert tilted.constants(2) == {**{k.upper(): v for k, v in SHALE.items()}, "ORIENTATION": 0.3}
    assert tilted.with_orientation(0.5) == shale.with_orientation(0.5)
    rotation = Rotation.from_rotvec([0.1, 0.2, -0.3])
    turned = shale.with_orientation(rotation)
    assert turned.orientation == pytest.approx((0.1, 0.2, -0.3), rel=1e-14)
    assert turned.constants(3)["ORIENTATION_Z"] == pytest.approx(-0.3, rel=1e-14)
    with pytest.raises(
        ValueError, match="HexagonalVelocity is 3-D by its components or orientation; expected"
    ):
        turned.constants(2)
    # The tensor of a turned material is turned by the same orientation.
    for dim, one in ((2, tilted), (3, turned)):
        general = material.TensorComponents.from_material(one)
        assert general.orientation == one.orientation
        fields = [{k: np.array([v]) for k, v in m.constants(dim).items()} for m in (one, general)]
        cores = [found.to_core(values) for found, values in zip(SETS[dim][-2:], fields, strict=True)]
        np.testing.assert_allclose(cores[1], cores[0], rtol=1e-13, atol=1e-3)
    with pytest.raises(
        ValueError, match=r"orientation is 0.3 and there are 21 components; expected an angle"
    ):
        tensor(3).with_orientation(0.3)
    with pytest.raises(ValueError, match="dim is 3, but the HexagonalVelocity is 2-D"):
        material.TensorComponents.from_material(tilted, 3)


def test_materials_that_vary_in_space() -> None:
    x = xr.DataArray([0.0, 1.0, 3.0], dims="x", coords={"x": [0.0, 1.0, 3.0]})
    y = xr.DataArray([0.0, 2.0], dims="y", coords={"y": [0.0, 2.0]})
    varying = material.from_params(rho=2000.0, vp=3000.0 + x + 0 * y, vs=1500.0 + y)
    assert not varying.is_homogeneous and material.from_params(**STEEL).is_homogeneous
    with pytest.raises(
        ValueError, match="ElasticVelocity varies in space; expected numbers for a background"
    ):
        varying.constants(2)
    model = GenericModel("varying", varying.data)
    values = model.evaluate(np.array([[2.0, 1.0]]))
    assert {name: v.item() for name, v in values.items()} == {"VP": 3002.0, "VS": 1501.0, "RHO": 2000.0}
    general = material.elastic.hexagonal.Velocity.from_material(varying)
    xr.testing.assert_allclose(general.vsv, (1500.0 + y + 0 * x).transpose(*general.vsv.dims))
    assert load(json.loads(json.dumps(varying.to_dict()))) == varying
    with pytest.raises(ValueError, match="background_model is a ElasticVelocity that varies in space"):
        ModelConfiguration(background_model=varying)


@pytest.mark.parametrize(
    "chosen",
    [
        material.from_params(rho=1000.0, vp=1500.0),
        material.from_params(**STEEL),
        material.from_params(**SHALE).with_orientation(0.3),
        material.from_params(**SHALE).with_orientation((0.1, 0.2, 0.3)),
        tensor(2).with_orientation(-0.2),
        tensor(3),
    ],
    ids=lambda chosen: type(chosen).__name__,
)
def test_written_and_read_back(chosen: material.Material) -> None:
    assert load(json.loads(json.dumps(chosen.to_dict()))) == chosen
    configuration = ModelConfiguration(background_model=chosen)
    assert load(json.loads(json.dumps(configuration.to_dict()))) == configuration


def test_a_material_is_a_background_model() -> None:
    shale = material.from_params(**SHALE).with_orientation(0.3)
    domain = BoxDomain2D(x0=0.0, x1=400.0, y0=0.0, y1=300.0)
    mesh = mesh_from_domain(domain, shale, MeshResolution(10.0, elements_per_wavelength=2.0, model_order=2))
    # 1581 m/s at 10 Hz, two elements a wavelength: 79 m.
    assert mesh.nelem == 6 * 4
    (part,) = split(medium(mesh, 2))
    assert part.physics == "anisotropic" and part.coefficients.shape == (7, 24, 9)
    np.testing.assert_allclose(part.coefficients[0], 2500.0)
    assert np.abs(part.coefficients[3]).min() > 1e8  # C13 of a tilted axis
