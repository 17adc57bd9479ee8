"""Models that are finer than the elements, averaged over the volume of every node."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from meshes import make_mesh
from wavetree.domain import BoxDomain2D, BoxDomain3D
from wavetree.mesh import Mesh, MeshResolution, box_mesh, mesh_from_domain
from wavetree.mesh.averaging import average_model
from wavetree.model.averaging import effective_medium
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.overlay import OverlaidModel
from wavetree.model.volume.cartesian import FunctionModel, GenericModel


def rough(dim: int, n: int, seed: int = 0) -> GenericModel:
    """A random fluid on n nodes per unit length."""
    x = np.linspace(0.0, 1.0, n)
    axes, generator = tuple("xyz"[:dim]), np.random.default_rng(seed)
    shape = (n,) * dim
    fields = {"vp": generator.uniform(1500.0, 3000.0, shape), "rho": generator.uniform(1e3, 2e3, shape)}
    return GenericModel(
        "rough", xr.Dataset({k: (axes, v) for k, v in fields.items()}, coords=dict.fromkeys(axes, x))
    )


def integral(values: np.ndarray) -> float:
    """Of the multilinear function through values on a regular grid of the unit box."""
    for _ in range(values.ndim):
        values = np.trapezoid(values, dx=1.0 / (len(values) - 1), axis=0)
    return float(values)


@pytest.mark.parametrize(("dim", "count", "order"), [(2, 3, 4), (2, 4, 1), (3, 2, 4)])
def test_mass_is_conserved(dim: int, count: int, order: int) -> None:
    """The mesh has the mass of the grid within 0.2 %, sampling at the nodes misses it by more."""
    model = rough(dim, 41)
    mesh = box_mesh([(0.0, 1.0)] * dim, [count] * dim)
    exact = integral(model.data["rho"].values)
    mass = mesh.mass_weights(order)
    averaged = abs((mass * average_model(mesh, order, model)["RHO"]).sum() / exact - 1.0)
    sampled = abs((mass * model.evaluate(mesh.node_coordinates(order))["RHO"]).sum() / exact - 1.0)
    assert averaged < 2e-3 and averaged < 0.3 * sampled


def test_the_integral_of_a_linear_function_is_exact() -> None:
    mesh = box_mesh([(0.0, 2.0), (0.0, 1.0)], (3, 2))
    model = FunctionModel(
        "f", function=lambda x, y: {"vp": 1500.0 + 0.0 * x, "rho": 1000.0 + 300.0 * x - 100.0 * y}
    )
    found = average_model(mesh, 5, model)
    # The mean of 1000 + 300 x - 100 y over the box, times its area.
    assert (mesh.mass_weights(5) * found["RHO"]).sum() == pytest.approx(
        2.0 * (1000.0 + 300.0 - 50.0), rel=1e-13
    )


def test_smooth_models_are_averaged_in_first_order() -> None:
    """Nodes lie off the middle of their subcells: the error halves with the elements."""
    model = FunctionModel(
        "f", function=lambda x, y: {"vp": 1500.0 + 100.0 * np.sin(3.0 * x + y), "rho": 1000.0}
    )
    errors = []
    for count in (4, 8, 16):
        mesh = box_mesh([(0.0, 1.0), (0.0, 1.0)], (count, count))
        exact = model.evaluate(mesh.node_coordinates(3))["VP"]
        errors.append(np.abs(average_model(mesh, 3, model)["VP"] - exact).max())
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 1.0, atol=0.15)


@pytest.mark.parametrize("dim", [2, 3])
def test_constants_stay_on_curved_elements(dim: int) -> None:
    mesh = make_mesh("disc", dim)
    model = OverlaidModel(IsotropicAcoustic(vp=1500.0, rho=1000.0), [])
    values = average_model(mesh, 4, model)
    np.testing.assert_allclose(values["VP"], 1500.0, rtol=1e-14)
    np.testing.assert_allclose(values["RHO"], 1000.0, rtol=1e-14)


def test_averages_stay_between_the_extremes() -> None:
    model = rough(2, 60)
    values = average_model(box_mesh([(0.0, 1.0), (0.0, 1.0)], (2, 2)), 4, model)
    low, high = model.data["rho"].values.min(), model.data["rho"].values.max()
    assert low < values["RHO"].min() and values["RHO"].max() < high


def test_travel_time_through_thin_layers() -> None:
    """Across thin layers waves take √(⟨ρ⟩⟨1/κ⟩), exactly what the averages give."""
    vp, rho, share = np.array([1500.0, 4000.0]), np.array([1000.0, 2500.0]), np.array([0.3, 0.7])
    found = effective_medium({"VP": vp, "RHO": rho}, share, 2)
    slowness = np.sqrt((share @ rho) * (share @ (1.0 / (rho * vp**2))))
    assert found["VP"] == pytest.approx(1.0 / slowness, rel=1e-14)
    assert found["RHO"] == pytest.approx(0.3 * 1000.0 + 0.7 * 2500.0)


@pytest.mark.parametrize("names", [("VP", "VS", "RHO"), ("LAMBDA", "MU", "RHO"), ("KAPPA", "MU", "RHO")])
def test_moduli_of_solids(names: tuple[str, ...]) -> None:
    kappa, mu, rho = np.array([1e10, 4e10]), np.array([3e9, 2e10]), np.array([2000.0, 3000.0])
    sets = {
        "KAPPA": kappa, "MU": mu, "RHO": rho, "LAMBDA": kappa - 2.0 * mu / 3.0,
        "VP": np.sqrt((kappa + 4.0 * mu / 3.0) / rho), "VS": np.sqrt(mu / rho),
    }  # fmt: skip
    share = np.array([1.0, 3.0])
    found = effective_medium({name: sets[name] for name in names}, share, 3)
    k, m, r = (4.0 / (1.0 / kappa @ share), 4.0 / (1.0 / mu @ share), rho @ share / 4.0)
    expected = {"KAPPA": k, "MU": m, "RHO": r, "LAMBDA": k - 2.0 * m / 3.0}
    expected |= {"VP": np.sqrt((k + 4.0 * m / 3.0) / r), "VS": np.sqrt(m / r)}
    assert {n: float(found[n]) for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-13)


def test_some_fluid_bears_no_shear() -> None:
    values = {"VP": np.array([3000.0, 1500.0]), "VS": np.array([1700.0, 0.0]), "RHO": np.array([2e3, 1e3])}
    assert effective_medium(values, np.array([0.5, 0.5]), 2)["VS"] == 0.0


def test_meshes_of_domains_are_averaged() -> None:
    model, domain = rough(2, 101), BoxDomain2D(x0=0.0, x1=1.0, y0=0.0, y1=1.0)
    resolution = MeshResolution(3000.0, elements_per_wavelength=1.0, model_order=4)
    mesh: Mesh = mesh_from_domain(domain, model, resolution, averaging=True)
    assert mesh.nelem == 4
    exact = average_model(mesh, 4, model)["VP"]
    np.testing.assert_array_equal(mesh.element_nodal_fields["VP"], exact)
    assert np.ptp(exact) < 0.6 * np.ptp(
        mesh_from_domain(domain, model, resolution).element_nodal_fields["VP"]
    )


def test_what_cannot_be_averaged_is_refused() -> None:
    domain, resolution = BoxDomain3D.from_bounds([(0.0, 1.0)] * 3), MeshResolution(1000.0)
    with pytest.raises(
        ValueError, match="model is a IsotropicAcoustic and averaging True; expected a model that"
    ):
        mesh_from_domain(domain, IsotropicAcoustic(vp=1500.0, rho=1.0), resolution, averaging=True)
