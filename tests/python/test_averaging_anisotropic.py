"""Averages of anisotropic media over small volumes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from wavetree.domain import BoxDomain2D
from wavetree.mesh import MeshResolution, box_mesh, mesh_from_domain
from wavetree.mesh.averaging import average_model
from wavetree.model import voigt
from wavetree.model.averaging import effective_medium
from wavetree.model.parameters import SETS
from wavetree.model.volume.cartesian import GenericModel

SHARE = np.array([0.2, 0.5, 0.3])
AXES = {2: ("ORIENTATION",), 3: ("ORIENTATION_X", "ORIENTATION_Y", "ORIENTATION_Z")}


def tensors(dim: int, n: int, seed: int = 0) -> np.ndarray:
    """Random positive definite stiffnesses (n, n_voigt, n_voigt) of the order of 1e10 Pa."""
    size = len(voigt.PAIRS[dim])
    roots = np.random.default_rng(seed).standard_normal((n, size, size))
    return 1e10 * (roots @ np.swapaxes(roots, -1, -2) + np.eye(size))


def values_of(matrices: np.ndarray, rho: np.ndarray, dim: int) -> dict[str, np.ndarray]:
    return {**dict(zip(voigt.component_names(dim), voigt.to_entries(matrices, dim), strict=True)), "RHO": rho}


def matrix_of(values: dict[str, np.ndarray], dim: int) -> np.ndarray:
    return voigt.to_matrix(np.stack([values[name] for name in voigt.component_names(dim)]), dim)


def backus(rho: np.ndarray, vp: np.ndarray, vs: np.ndarray) -> np.ndarray:
    """Stiffness of a stack of isotropic layers across z (Backus 1962), exact for long waves."""
    mu, modulus = rho * vs**2, rho * vp**2
    lam = modulus - 2.0 * mu

    def mean(x: np.ndarray) -> float:
        return float(SHARE @ x)

    C = 1.0 / mean(1.0 / modulus)
    F = C * mean(lam / modulus)
    A = mean(4.0 * mu * (lam + mu) / modulus) + mean(lam / modulus) ** 2 * C
    L, N = 1.0 / mean(1.0 / mu), mean(mu)
    matrix = np.diag([A, A, C, L, L, N])
    matrix[0, 1] = matrix[1, 0] = A - 2.0 * N
    matrix[:2, 2] = matrix[2, :2] = F
    return matrix


@pytest.mark.parametrize("dim", [2, 3])
def test_the_compliance_is_averaged(dim: int) -> None:
    given, rho = tensors(dim, 3), np.array([2000.0, 2500.0, 3000.0])
    found = effective_medium(values_of(given, rho, dim), 7.0 * SHARE, dim)
    expected = np.linalg.inv(np.einsum("k,kij->ij", SHARE, np.linalg.inv(given)))
    np.testing.assert_allclose(matrix_of(found, dim), expected, rtol=1e-11)
    assert found["RHO"] == pytest.approx(SHARE @ rho, rel=1e-14)


def test_it_is_the_softest_and_exact_for_shear_across_layers() -> None:
    """Against Backus' closed form: no strain costs more, shear across the layers costs the same."""
    rho, vp = np.array([2000.0, 2400.0, 2700.0]), np.array([2500.0, 4000.0, 6000.0])
    vs = np.array([1200.0, 2300.0, 3400.0])
    mu = rho * vs**2
    given = np.moveaxis(voigt.isotropic_entries(rho * vp**2 - 2.0 * mu, mu, 3), 0, 0)
    found = matrix_of(effective_medium(values_of(voigt.to_matrix(given, 3), rho, 3), SHARE, 3), 3)
    exact = backus(rho, vp, vs)
    assert found[3, 3] == pytest.approx(exact[3, 3], rel=1e-13)
    lowest = np.linalg.eigvalsh(exact - found)[0]
    assert lowest > -1e-12 * exact[0, 0]
    arithmetic = np.einsum("k,kij->ij", SHARE, voigt.to_matrix(given, 3))
    assert np.linalg.eigvalsh(arithmetic - exact)[0] > -1e-12 * exact[0, 0]
    # Vertical P waves are at most this much slower than in the stack; the mean of stiffness is 12 % fast.
    assert np.sqrt(found[2, 2] / exact[2, 2]) > 0.96 and np.sqrt(arithmetic[2, 2] / exact[2, 2]) > 1.1


@pytest.mark.parametrize("names", ["velocities", "tensor"])
def test_isotropic_media_in_other_parameters(names: str) -> None:
    """In 3-D the rule of isotropic media, with and without a fluid among them."""
    rho, vp = np.array([2000.0, 2400.0, 1000.0]), np.array([2500.0, 4000.0, 1500.0])
    for last in (900.0, 0.0):
        vs = np.array([1200.0, 2300.0, last])
        expected = effective_medium({"VP": vp, "VS": vs, "RHO": rho}, SHARE, 3)
        if names == "velocities":
            given = {"VPV": vp, "VPH": vp, "VSV": vs, "VSH": vs, "ETA": np.ones(3), "RHO": rho}
            found = effective_medium(given, SHARE, 3)
            for name, like in (("VPV", "VP"), ("VPH", "VP"), ("VSV", "VS"), ("VSH", "VS")):
                assert found[name] == pytest.approx(expected[like], rel=1e-12)
            assert found["ETA"] == pytest.approx(1.0, rel=1e-12)
        else:
            mu = rho * vs**2
            matrices = voigt.to_matrix(voigt.isotropic_entries(rho * vp**2 - 2.0 * mu, mu, 3), 3)
            found = effective_medium(values_of(matrices, rho, 3), SHARE, 3)
            assert np.sqrt(found["C33"] / found["RHO"]) == pytest.approx(expected["VP"], rel=1e-12)
            assert np.sqrt(found["C55"] / found["RHO"]) == pytest.approx(expected["VS"], rel=1e-12)
            assert abs(found["C14"]) < 1e-6


@pytest.mark.parametrize("dim", [2, 3])
def test_hexagonal_media_stay_hexagonal(dim: int) -> None:
    """As their tensors are averaged; in 2-D VSH, which does not enter, by its own compliance."""
    hexagonal, tensor = SETS[dim][-2:]
    generator = np.random.default_rng(1)
    values = {
        "VPV": generator.uniform(3000.0, 4000.0, 3),
        "VPH": generator.uniform(3500.0, 4500.0, 3),
        "VSV": generator.uniform(1500.0, 2000.0, 3),
        "VSH": generator.uniform(1500.0, 2000.0, 3),
        "ETA": generator.uniform(0.9, 1.1, 3),
        "RHO": generator.uniform(2000.0, 3000.0, 3),
    }
    found = effective_medium(values, SHARE, dim)
    expected = effective_medium(tensor.from_core(hexagonal.to_core(values), "anisotropic"), SHARE, dim)
    again = tensor.from_core(hexagonal.to_core(found), "anisotropic")
    for name in tensor.names:
        assert again[name] == pytest.approx(expected[name], rel=1e-11, abs=1e-2)
    across = 1.0 / (SHARE @ (1.0 / (values["RHO"] * values["VSH"] ** 2)))
    assert found["VSH"] == pytest.approx(np.sqrt(across / found["RHO"]), rel=1e-11)
    turned = effective_medium({**values, **{name: np.full(3, 0.4) for name in AXES[dim]}}, SHARE, dim)
    assert {name: float(turned[name]) for name in AXES[dim]} == dict.fromkeys(AXES[dim], 0.4)
    assert {name: turned[name] for name in found} == found
    with pytest.raises(ValueError, match="ORIENTATION.* differs within the volume of a node"):
        effective_medium({**values, **{name: np.array([0.4, 0.4, 0.5]) for name in AXES[dim]}}, SHARE, dim)


@pytest.mark.parametrize("dim", [2, 3])
def test_turned_tensors_are_averaged_in_the_axes_of_the_domain(dim: int) -> None:
    given, angles = tensors(dim, 3), np.random.default_rng(2).uniform(-1.0, 1.0, (len(AXES[dim]), 3))
    values = values_of(given, np.full(3, 2000.0), dim)
    found = effective_medium({**values, **dict(zip(AXES[dim], angles, strict=True))}, SHARE, dim)
    turned = voigt.rotate(voigt.to_entries(given, dim), voigt.rotation_matrix(angles))
    plain = effective_medium(values_of(voigt.to_matrix(turned, dim), values["RHO"], dim), SHARE, dim)
    np.testing.assert_allclose(matrix_of(found, dim), matrix_of(plain, dim), rtol=1e-10)
    assert all(found[name] == 0.0 for name in AXES[dim])


def test_meshes_get_averages_of_thin_layers() -> None:
    """Of 24 layers in an element, 4, 16 and 4 of them in the subcells: all nodes have the stack's medium."""
    low = {"VPV": 2500.0, "VPH": 2700.0, "VSV": 1200.0, "VSH": 1300.0, "ETA": 1.0, "RHO": 2000.0}
    high = {"VPV": 4000.0, "VPH": 4300.0, "VSV": 2200.0, "VSH": 2400.0, "ETA": 0.95, "RHO": 2600.0}

    class Layers:
        def spacing(self, dim: int) -> np.ndarray:
            return np.full(dim, 1.0 / 128.0)

        def average(self, coordinates: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
            soft = np.floor(24.0 * coordinates[..., 1]) % 2 == 0
            return effective_medium({n: np.where(soft, low[n], high[n]) for n in low}, weights, 2)

    mesh = box_mesh([(0.0, 1.0), (0.0, 1.0)], (1, 1))
    found = average_model(mesh, 2, Layers())
    pair = {name: np.array([low[name], high[name]]) for name in low}
    whole = effective_medium(pair, np.array([0.5, 0.5]), 2)
    for name, values in found.items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-11)


def test_meshes_of_domains_are_averaged() -> None:
    """Of a random hexagonal medium on a fine grid: nodes have the averages, which vary less than samples."""
    x, generator = np.linspace(0.0, 1.0, 81), np.random.default_rng(3)
    limits = {"vpv": (3e3, 4e3), "vph": (3e3, 4e3), "vsv": (1.5e3, 2e3), "vsh": (1.5e3, 2e3)}
    limits |= {"eta": (0.95, 1.05), "rho": (2e3, 3e3)}
    fields = {name: (("x", "y"), generator.uniform(*limits[name], (81, 81))) for name in limits}
    model = GenericModel("rough", xr.Dataset(fields, coords={"x": x, "y": x}))
    domain = BoxDomain2D(x0=0.0, x1=1.0, y0=0.0, y1=1.0)
    resolution = MeshResolution(3000.0, elements_per_wavelength=1.0, model_order=4)
    mesh = mesh_from_domain(domain, model, resolution, averaging=True)
    sampled = mesh_from_domain(domain, model, resolution)
    for name, values in average_model(mesh, 4, model).items():
        found = mesh.element_nodal_fields[name]
        np.testing.assert_array_equal(found, values)
        if name != "ETA":  # which follows the spread of the moduli as well as its own
            assert found.std() < 0.6 * sampled.element_nodal_fields[name].std()
