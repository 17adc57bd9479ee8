"""Backgrounds that vary along one axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wavetree.config import load
from wavetree.domain import BoxDomain2D
from wavetree.mesh import MeshResolution, mesh_from_domain
from wavetree.model import OverlaidModel
from wavetree.model.background.one_dimensional import BUILT_IN, Layered, built_in
from wavetree.model.volume.cartesian import FunctionModel
from wavetree.simulation.configuration import ModelConfiguration

LAYERS = Layered.from_layers(
    [100.0, 250.0], vp=[1500.0, 2000.0, 3000.0], rho=[1e3, 1.8e3, 2.2e3], surface=10.0
)
GRADIENT = Layered(
    heights=[0.0, 10.0], vp=[3000.0, 2000.0], vs=[1500.0, 1100.0], rho=[2200.0, 2000.0], axis="x"
)


def along(model: Layered, heights: list[float], name: str = "VP") -> list[float]:
    return model.evaluate(np.array([[7.0, h] for h in heights]))[name].tolist()


def test_constant_layers() -> None:
    assert along(LAYERS, [1e4, 10.0, -89.0, -90.0, -90.1, -239.0, -240.1, -1e5]) == (
        [1500.0] * 4 + [2000.0] * 2 + [3000.0] * 2
    )
    assert set(LAYERS.evaluate(np.zeros((2, 3)))) == {"VP", "RHO"}
    assert LAYERS.evaluate(np.array([0.0, 0.0, -300.0]))["RHO"] == 2200.0


def test_linear_layers() -> None:
    places = np.array([[-5.0, 0.0], [0.0, 0.0], [2.5, 9.0], [10.0, 0.0], [99.0, 0.0]])
    assert GRADIENT.evaluate(places)["VP"].tolist() == [3000.0, 3000.0, 2750.0, 2000.0, 2000.0]
    assert GRADIENT.evaluate(places)["VS"].tolist() == [1500.0, 1500.0, 1400.0, 1100.0, 1100.0]
    turned = Layered(
        heights=[10.0, 0.0], vp=[2000.0, 3000.0], vs=[1100.0, 1500.0], rho=[2e3, 2.2e3], axis="x"
    )
    assert turned.evaluate(places)["VS"].tolist() == GRADIENT.evaluate(places)["VS"].tolist()


def test_jumps_between_linear_layers() -> None:
    model = Layered([0.0, 10.0, 10.0, 20.0], vp=[1000.0, 2000.0, 4000.0, 3000.0], rho=[1.0] * 4)
    assert along(model, [0.0, -5.0, -10.0, -10.0 - 1e-9, -15.0, -30.0]) == pytest.approx(
        [1000.0, 1500.0, 2000.0, 4000.0, 3500.0, 3000.0], rel=1e-9
    )


def test_slowest_wave() -> None:
    assert LAYERS.slowest_velocity(((0.0, 1.0), (-1000.0, 0.0))) == 1500.0
    assert LAYERS.slowest_velocity(((0.0, 1.0), (-1000.0, -90.1))) == 2000.0
    assert GRADIENT.slowest_velocity(((0.0, 5.0), (0.0, 1.0))) == 1300.0
    # The slowest wave stands just below a jump, where no row is evaluated otherwise.
    model = Layered([0.0, 10.0, 10.0, 20.0], vp=[4000.0, 4000.0, 2000.0, 3000.0], rho=[1.0] * 4)
    box = ((0.0, 1.0), (-15.0, 0.0))
    assert model.slowest_velocity(box) == OverlaidModel(model, []).slowest_velocity(box)
    assert model.slowest_velocity(box) == pytest.approx(2000.0, rel=1e-12)


def test_layers_below_a_volume_model() -> None:
    def lens(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray | float]:
        return {"vp": np.where(np.hypot(x, y + 150.0) < 20.0, 1800.0, np.nan), "rho": 1.7e3}

    model = OverlaidModel(LAYERS, [FunctionModel("lens", function=lens)])
    places = np.array([[0.0, -150.0], [30.0, -150.0], [0.0, -300.0]])
    assert model.evaluate(places)["VP"].tolist() == [1800.0, 2000.0, 3000.0]
    assert model.slowest_velocity(((-50.0, 50.0), (-300.0, -95.0))) == 1800.0
    assert model.slowest_velocity(((-50.0, 50.0), (-300.0, -180.0))) == 2000.0


def test_interfaces_stay_sharp_on_faces_of_elements() -> None:
    domain = BoxDomain2D(x0=0.0, x1=400.0, y0=-290.0, y1=110.0)  # the interfaces at -90 and -240
    mesh = mesh_from_domain(domain, LAYERS, MeshResolution(30.0, elements_per_wavelength=1.0, model_order=2))
    assert mesh.nelem == 64
    middle = mesh.get_element_centroid()[:, 1]
    expected = np.select([middle > -90.0, middle > -240.0], [1500.0, 2000.0], 3000.0)
    np.testing.assert_array_equal(mesh.element_nodal_fields["VP"], np.repeat(expected[:, None], 9, axis=1))


def test_content() -> None:
    configuration = ModelConfiguration(LAYERS)
    assert load(configuration.to_dict()) == configuration
    assert load(GRADIENT.to_dict()) == GRADIENT != LAYERS


def test_ak135_is_that_of_travel_time_tables() -> None:
    taup = pytest.importorskip("obspy.taup", reason="ObsPy, which has the tables, is not installed")
    path = Path(taup.__file__).parent / "data/ak135.tvel"
    table = 1e3 * np.loadtxt(path, skiprows=2)[: len(BUILT_IN["ak135"])]
    np.testing.assert_allclose(np.array(BUILT_IN["ak135"]), table, rtol=1e-12)
    model = built_in("ak135", surface=100.0)
    assert along(model, [0.0, -20e3], "VS") == [3460.0, 3850.0]
    with pytest.raises(ValueError, match=r"built-in model.*'ak135'"):
        built_in("ak153")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heights": (0.0, 1.0)}, "expected exactly one of them"),
        ({"depths": None}, "expected exactly one of them"),
        ({"depths": (0.0, 1.0, 2.0)}, r"different lengths, \{'depths': 3, 'vp': 2, 'rho': 2\}"),
        ({"depths": (0.0,), "vp": (1.0,), "rho": (1.0,)}, "has 1 entries; expected at least 2"),
        ({"depths": (0.0, 2.0, 1.0), "vp": (1.0,) * 3, "rho": (1.0,) * 3}, "expected sorted places"),
        ({"depths": (1.0,) * 3, "vp": (1.0,) * 3, "rho": (1.0,) * 3}, "each at most twice"),
        ({"vp": (0.0, 1.0)}, "vp"),
        ({"vs": (1400.0, 0.1)}, r"row 0 \(depths 0\) has vp = 1500, vs = 1400: not VS\^2 < 3/4 VP\^2"),
        (
            {"vs": (0.0, 500.0)},
            "vs goes from 0 to 500 between depths 0 and 5; expected fluid and solid to meet",
        ),
    ],
)
def test_bad_tables_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layered(**{"depths": (0.0, 5.0), "vp": (1500.0, 1600.0), "rho": (1e3, 1e3), **changes})


@pytest.mark.parametrize("interfaces", [[1.0], [2.0, 1.0], [1.0, 2.0, 3.0], []])
def test_bad_interfaces_are_refused(interfaces: list[float]) -> None:
    with pytest.raises(ValueError, match="expected increasing depths, one less than layers"):
        Layered.from_layers(interfaces, vp=[1.0, 2.0, 3.0], rho=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="axis is 'z' but there are 2 dimensions"):
        Layered([0.0, 1.0], vp=[1.0, 1.0], rho=[1.0, 1.0], axis="z").evaluate(np.zeros((1, 2)))
