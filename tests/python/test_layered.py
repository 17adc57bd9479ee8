"""Meshes between curved interfaces: how exact they are, and that elements stay as they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from layers import changing, flat, slab, wavy
from simulations import relative
from wavetree.mesh import Mesh
from wavetree.mesh.layered import layered_mesh
from wavetree.mesh.rows import Row
from wavetree.mesh.side_sets import facet_nodes
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source.cartesian import ScalarPoint2D, ScalarPoint3D
from wavetree.survey.stf import Ricker


def two_layers(dim: int, n: int, shape_order: int) -> Mesh:
    """Two layers on the unit square or cube with n fine elements a side, the interface and the top curved."""
    bounds = [(0.0, 1.0)] * (dim - 1)
    upper = [Row((n,) * (dim - 1), (n,) * (dim - 1), 1.0)] * (n // 2)
    lower = changing(3, dim, n // 3, above=0, below=max(1, n // 6))
    interfaces = [wavy(0.0, 0.1), wavy(-0.5, 0.1), flat(-1.0)]
    return layered_mesh(bounds, [upper, lower], interfaces, shape_order=shape_order)


def exact_volumes(dim: int) -> np.ndarray:
    """Those of both layers: 0.5 and 0.5 + ∫ 0.1 Π sin(2 x + 0.3)."""
    wave = 0.1 * (0.5 * (np.cos(0.3) - np.cos(2.3))) ** (dim - 1)
    return np.array([0.5, 0.5 + wave])


def errors(dim: int, n: int, shape_order: int) -> tuple[float, float]:
    """Of the volume of the lower layer, and of the interface's height between the nodes."""
    mesh = two_layers(dim, n, shape_order)
    layer = mesh.elemental_fields["layer"]
    volumes = np.array([mesh.mass_weights(8)[layer == k].sum() for k in (0, 1)])
    upper = facet_nodes(dim, 8)[-1]
    places = mesh.node_coordinates(8)[layer == 1][:, upper].reshape(-1, dim)
    heights = wavy(-0.5, 0.1)(places[:, :-1])
    # Of the patterns in the lower layer only the elements that touch the interface.
    place_error = np.abs(places[:, -1] - heights)
    touching = np.abs(places.reshape(-1, len(upper), dim)[..., -1] - heights.reshape(-1, len(upper)))
    ends = touching[:, [0, -1]].max(axis=1) < 1e-12
    assert ends.sum() == n ** (dim - 1)
    wanted = np.repeat(ends, len(upper))
    return float(np.abs(volumes - exact_volumes(dim)).max()), float(place_error[wanted].max())


@pytest.mark.parametrize(("dim", "shape_order", "counts"), [
    *[(2, order, (6, 12, 24)) for order in (1, 2)], (2, 3, (6, 12)), (2, 4, (6, 12)),
    (3, 1, (6, 12)), (3, 2, (6, 12)), (3, 4, (6, 12)),
])  # fmt: skip
def test_geometry_converges(dim, shape_order, counts, record_property):
    """Heights with order g + 1; volumes with 2 g, those of GLL quadrature over the interface."""
    found = np.array([errors(dim, n, shape_order) for n in counts])
    rates = np.log2(found[:-1] / np.maximum(found[1:], 1e-16))[-1]
    record_property("rates", rates.tolist())
    assert found[-1, 0] < 1e-13 or rates[0] > 2 * shape_order - 0.2
    assert rates[1] > shape_order + 1 - 0.2


def test_nodes_lie_on_interfaces():
    mesh = two_layers(2, 12, 4)
    nodes = mesh.points[mesh.connectivity[mesh.side_sets["y1"][:, 0]]]
    top = nodes[:, facet_nodes(2, 4)[3]].reshape(-1, 2)
    np.testing.assert_array_equal(top[:, 1], wavy(0.0, 0.1)(top[:, :1]))
    assert mesh.bounds[0] == (0.0, 1.0)
    assert mesh.bounds[1][0] == -1.0


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_random_interfaces_invert_nothing(seed, dim):
    """Interfaces with bumps as wide as two of the coarse elements: det J is positive."""
    generator = np.random.default_rng(seed)
    x = np.linspace(0.0, 4.0, 5)
    shapes = [make_interp_spline(x, generator.uniform(-0.25, 0.25, 5)) for _ in range(4)]

    def interface(k: int):
        return lambda h: shapes[k](h[:, 0]) - k + (0.1 * np.sin(3 * h[:, 1]) if dim == 3 else 0.0)

    coarse = 8 // dim
    plain = [Row((3 * coarse,) * (dim - 1), (3 * coarse,) * (dim - 1), 1.0)] * 2
    layers = [plain, changing(3, dim, coarse, 1, 1), changing(3, dim, coarse, 1, 1, upside_down=True)]
    mesh = layered_mesh(
        [(0.0, float(coarse))] * (dim - 1), layers, [interface(k) for k in range(4)], shape_order=4
    )
    assert mesh.quality().scaled_jacobian.min() > 0.01
    assert mesh.check().passed
    np.testing.assert_array_equal(np.unique(mesh.elemental_fields["layer"]), [0, 1, 2])


@pytest.mark.parametrize(
    ("dim", "factor"), [(2, 2), (2, 3), (3, 2), pytest.param(3, 3, marks=pytest.mark.slow)]
)
def test_waves_pass_where_elements_become_wider(dim, factor):
    """What a point in the fine part sends comes to both parts as it does in equal elements of half the size.

    The wavelength is that of five coarse elements: all of them as wide would be wrong by up to 4e-4, and with
    the patterns it is no more. At four coarse elements both are wrong by 2e-3.
    """
    n, wavelength = (12 if dim == 2 else 6), 5.0
    across = (n,) * (dim - 1)
    wider = changing(factor, dim, n, (n // 3 + 1) * factor, 0)
    wider += [Row(across, across, 1.0)] * round(n - sum(row.height for row in wider))
    even = [Row(tuple(2 * k for k in across), tuple(2 * k for k in across), 0.5)] * (2 * n)
    source, receiver = ((ScalarPoint2D, Point2D), (ScalarPoint3D, Point3D))[dim - 2]
    places = n * np.array([[0.25, 0.7, -0.1], [0.7, 0.3, -0.3], [0.25, 0.4, -0.7], [0.75, 0.6, -0.9]])
    span = WaveformSimulationConfiguration(
        1.2 * n, start_time_in_seconds=-1.34 * wavelength, time_step_in_seconds=0.027, precision="float64"
    )

    def at(place: np.ndarray) -> dict[str, float]:
        return dict(zip("xyz", place[[0, 2] if dim == 2 else [0, 1, 2]].tolist(), strict=False))

    shot = source(
        **at(n * np.array([0.42, 0.5, -0.17])), f=1.0, source_time_function=Ricker(1.0 / wavelength)
    )

    def record(rows: list[Row]) -> np.ndarray:
        mesh = slab(rows, length=n)
        for name in ("VP", "RHO"):
            mesh.attach_field(name, np.ones((mesh.nelem, 5**dim)))
        receivers = [receiver(**at(p), station_code=f"{k}", fields=["phi"]) for k, p in enumerate(places)]
        return Simulation(mesh, [shot], receivers, span).run().data["phi"]

    expected = record(even)
    found = record(wider)
    for ours, theirs in zip(found, expected, strict=True):
        assert relative(ours, theirs) < 1e-3


def test_interfaces_that_cross_are_refused():
    rows = [Row((4,), (4,), 1.0)]
    dipping = lambda h: -0.5 + 1.2 * h[:, 0]  # noqa: E731
    with pytest.raises(
        ValueError,
        match=r"the interface below layer 0 lies 0.7 m above the one on top of it at x = 1 m; expect",
    ):
        layered_mesh([(0.0, 1.0)], [rows, rows], [flat(0.0), dipping, flat(-1.0)])


def test_interfaces_that_bend_too_much_are_refused():
    spike = lambda h: 30.0 * np.exp(-(((h[:, 0] - 0.43) / 0.02) ** 2))  # noqa: E731
    with pytest.raises(
        ValueError, match=r"the interfaces bend too much for elements of this size: .* Smooth"
    ):
        layered_mesh([(0.0, 1.0)], [changing(3, 2, 3, 0, 0)], [spike, flat(-0.2)], shape_order=4)
