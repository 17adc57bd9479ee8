import json

import numpy as np
import pytest

from mappings import dot_defect, prior, random_parameters, slopes_of
from wavetree.config import load
from wavetree.mapping import Mapping
from wavetree.mapping.bounds import Bounds
from wavetree.mesh import box_mesh

LIMITS = {"VP": (1250.0, 1750.0), "RHO": (850.0, None)}
SCALINGS = ["absolute", "relative_deviation_from_prior", "logarithmic"]


@pytest.mark.parametrize("limits", [(1400.0, 1600.0), (1400.0, None), (None, 1600.0), (-1e3, 1500.1)])
def test_the_map_stays_inside_and_leaves_the_inside_alone(limits: tuple[float | None, float | None]) -> None:
    bounds, m0 = Bounds(*limits), 1500.0
    low, high = (limits[0] if limits[0] is not None else -np.inf), limits[1] or np.inf
    raw = np.concatenate([np.linspace(-4e3, 6e3, 5001), [m0, 1e30, -1e30, np.inf, -np.inf]])
    at = np.full(len(raw), m0)
    bounded = bounds.value(raw, at)
    finite = np.isfinite(raw)
    assert (bounded >= low).all() and (bounded <= high).all()
    near = np.abs(raw) < 1700.0
    assert (bounded[near] > low).all() and (bounded[near] < high).all(), "no bound is reached"
    inside = (raw >= m0 - 0.9 * (m0 - low)) & (raw <= m0 + 0.9 * (high - m0))
    assert np.array_equal(bounded[inside & finite], raw[inside & finite])
    assert (np.diff(bounded[:5001]) >= 0.0).all()
    assert bounds.value(at, at)[0] == m0 and bounds.derivative(at, at)[0] == 1.0


def test_the_derivative_is_exact_continuous_and_lipschitz() -> None:
    bounds, margin = Bounds(1400.0, 1600.0), 10.0
    raw = np.linspace(1200.0, 1800.0, 60001)
    at = np.full(len(raw), 1500.0)
    h = 1e-3
    difference = (bounds.value(raw + h, at) - bounds.value(raw - h, at)) / (2.0 * h)
    slope = bounds.derivative(raw, at)
    assert np.abs(slope - difference).max() < 1e-8
    assert (slope > 0.0).all() and slope.max() == 1.0
    second = np.diff(slope) / np.diff(raw)
    assert np.abs(second).max() <= 0.86 / margin
    # Continuous, for its own derivative is at most 3/μ²: it goes through 0 at the knee.
    assert np.abs(np.diff(second)).max() <= 3.1 / margin**2 * 0.01
    assert bounds.derivative(np.array([1e30, np.inf]), at[:2]).max() < 1e-60


@pytest.mark.parametrize("scaling", SCALINGS)
def test_chain_of_bounds_is_exact(scaling: str) -> None:
    generator = np.random.default_rng(4)
    mesh = prior(generator)
    bound = Mapping(scaling, inversion_parameters=["VP", "RHO"], bounds=LIMITS).bind(mesh)
    p = random_parameters(bound, generator, 0.15)
    material = bound.forward(p)
    assert material["VP"].min() > 1250.0 and material["VP"].max() < 1750.0 and material["RHO"].min() > 850.0
    free = Mapping(scaling, inversion_parameters=["VP", "RHO"]).bind(mesh).forward(p)
    for name in LIMITS:
        bent = float(np.mean(material[name] != free[name]))
        assert 0.05 < bent < 0.95, "some are bent and some are not"
    assert dot_defect(bound, generator, p) < 1e-13
    np.testing.assert_allclose(slopes_of(bound, generator, p), 2.0, atol=0.02)
    at_prior = bound.forward(bound.prior)
    assert all(np.array_equal(at_prior[k], mesh.element_nodal_fields[k]) for k in LIMITS)


def test_bounds_hold_where_a_parameter_enters() -> None:
    mesh = box_mesh(((0.0, 2.0), (0.0, 1.0)), (2, 1))
    solid = np.array([[0.0], [1.0]])
    for name, value in {"VP": 1500.0 + 1500.0 * solid, "VS": 1500.0 * solid, "RHO": 1000.0 + solid}.items():
        mesh.attach_field(name, np.repeat(value, 4, axis=1))
    bound = Mapping("absolute", inversion_parameters=["VS"], bounds={"VS": (1000.0, 1600.0)}).bind(mesh)
    vs = bound.forward(bound.prior + 500.0)["VS"]
    assert not vs[0].any() and vs[1].min() > 1590.0 and vs[1].max() < 1600.0
    with pytest.raises(
        ValueError, match=r"bounds of 'VP' are \(2000, inf\) m/s, but the prior is 1500 at \(0, 0"
    ):
        Mapping("absolute", inversion_parameters=["VP"], bounds={"VP": (2000.0, None)}).bind(mesh)


def test_a_prior_on_a_bound_is_refused() -> None:
    mesh = box_mesh(((0.0, 1.0), (0.0, 1.0)), (1, 1))
    mesh.attach_field("VP", np.array([[1500.0, 1500.0, 1500.0, 1600.0]]))
    mesh.attach_field("RHO", np.full((1, 4), 1000.0))
    configured = Mapping("absolute", inversion_parameters=["VP"], bounds={"VP": (1400.0, 1600.0)})
    with pytest.raises(
        ValueError, match=r"1600 at \(1, 1\) m and not inside at 1 of 4 nodes; expected a prior"
    ):
        configured.bind(mesh)


def test_bounds_are_kept_as_json() -> None:
    configured = Mapping("absolute", inversion_parameters=["VP", "RHO"], bounds=LIMITS)
    assert load(json.loads(json.dumps(configured.to_dict()))) == configured


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"VP": (1600.0, 1400.0)}, "bounds of 'VP' are 1600 and 1400; expected the smallest value first"),
        ({"RHO": (900.0, None)}, "unknown parameter in bounds, for it is not one that changes, 'RHO'"),
        ({"Vp": (1400.0, None)}, "'Vp'; did you mean 'VP'"),
        ({"VP": 1400.0}, "bounds"),
    ],
)
def test_bad_bounds_are_refused(bounds: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mapping("absolute", inversion_parameters=["VP"], bounds=bounds)
