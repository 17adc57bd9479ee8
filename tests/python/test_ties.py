import json
import logging

import numpy as np
import pytest

from mappings import dot_defect, prior, random_parameters, slopes_of
from wavetree.config import load
from wavetree.errors import WavetreeError
from wavetree.mapping import BoundMapping, Mapping
from wavetree.mesh import box_mesh
from wavetree.model.relations import Relation, brocher_vs, gardner

SCALINGS = ["absolute", "relative_deviation_from_prior", "logarithmic"]


def parabola(vp: np.ndarray) -> np.ndarray:
    return 2e-4 * (vp - 500.0) ** 2


def its_slope(vp: np.ndarray) -> np.ndarray:
    return 4e-4 * (vp - 500.0)


def tied(scaling: str = "absolute", relation: object = "gardner", **options: object) -> BoundMapping:
    configured = Mapping(scaling, inversion_parameters=["VP"], tied_parameters={"RHO": relation}, **options)
    return configured.bind(prior(np.random.default_rng(1)))


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("relation", ["gardner", (parabola, its_slope)], ids=["named", "own"])
def test_the_parameter_follows_and_the_prior_s_jumps_survive(scaling: str, relation: object) -> None:
    generator = np.random.default_rng(2)
    bound, mesh = tied(scaling, relation), prior(np.random.default_rng(1))
    f = gardner.value if relation == "gardner" else parabola
    before, p = mesh.element_nodal_fields, random_parameters(bound, generator)
    material = bound.forward(p)
    expected = before["RHO"] + f(material["VP"]) - f(before["VP"])
    assert np.abs(material["RHO"] - expected).max() < 1e-9
    assert np.abs(material["RHO"] - before["RHO"]).max() > 1.0
    assert np.array_equal(bound.forward(bound.prior)["RHO"], before["RHO"])
    assert bound.parameters == ("VP",) and bound.changing == ("VP", "RHO") and list(bound.blocks) == ["VP"]
    assert list(bound.tangent(p, p)) == ["VP", "RHO"]
    assert dot_defect(bound, generator, p) < 1e-13
    np.testing.assert_allclose(slopes_of(bound, generator, p), 2.0, atol=0.02)


def test_bounds_hold_for_what_follows() -> None:
    generator = np.random.default_rng(3)
    bound = tied(relation=(parabola, its_slope), bounds={"VP": (1200.0, 1800.0), "RHO": (850.0, 1200.0)})
    p = random_parameters(bound, generator, 0.1)
    rho = bound.forward(p)["RHO"]
    assert rho.min() > 850.0 and rho.max() < 1200.0
    assert dot_defect(bound, generator, p) < 1e-13
    np.testing.assert_allclose(slopes_of(bound, generator, p), 2.0, atol=0.02)


def test_what_does_not_enter_does_not_follow() -> None:
    mesh = box_mesh(((0.0, 2.0), (0.0, 1.0)), (2, 1))
    solid = np.array([[0.0], [1.0]])
    for name, value in {"VP": 2000.0 + 1500.0 * solid, "VS": 1500.0 * solid, "RHO": 1000.0 + solid}.items():
        mesh.attach_field(name, np.repeat(value, 4, axis=1))
    relations = {"VS": "brocher_vs", "RHO": "brocher_rho"}
    bound = Mapping("absolute", inversion_parameters=["VP"], tied_parameters=relations).bind(mesh)
    material = bound.forward(bound.prior + 100.0)
    assert not material["VS"][0].any() and (material["VS"][1] > 1500.0).all()
    assert (material["RHO"] > mesh.element_nodal_fields["RHO"]).all()
    assert dot_defect(bound, np.random.default_rng(1), bound.prior + 100.0) < 1e-13
    fluid = prior(np.random.default_rng(1))
    fluid.attach_field("VS", np.zeros((12, 25)))
    with pytest.raises(ValueError, match="tied_parameters names 'VS', but the prior is fluid throughout"):
        Mapping("absolute", inversion_parameters=["VP"], tied_parameters={"VS": "brocher_vs"}).bind(fluid)


def test_relations_are_kept_as_json_and_functions_by_their_hash() -> None:
    for relation in ("gardner", gardner, (parabola, its_slope), ("VP", parabola, its_slope)):
        configured = Mapping("absolute", inversion_parameters=["VP"], tied_parameters={"RHO": relation})
        stored = load(json.loads(json.dumps(configured.to_dict())))
        assert stored == configured
    assert Mapping("absolute", inversion_parameters=["VP"], tied_parameters={"RHO": gardner}) == Mapping(
        "absolute", inversion_parameters=["VP"], tied_parameters={"RHO": "gardner"}
    )
    document = configured.to_dict()
    document["tied_parameters"]["RHO"]["value"]["source_digest"] = "0" * 64
    with pytest.raises(WavetreeError, match="'parabola' is not in memory"):
        load(document).bind(prior(np.random.default_rng(1)))
    own = Relation("own", "RHO", "VP", (0.0, 1e4), parabola, its_slope)
    assert tied(relation=own).forward(tied().prior)["RHO"].shape == (12, 25)


def test_a_prior_out_of_the_relation_s_range_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "wavetree"):
        tied()
    (record,) = caplog.records
    assert (
        "VP lies outside 1500 to 6100, which the relation 'gardner' was made for, at" in record.getMessage()
    )


@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ({"RHO": "gardener"}, "unknown relation in tied_parameters 'gardener'; did you mean 'gardner'"),
        ({"RHO": "brocher_vs"}, "which gives VS from VP; expected a relation for RHO"),
        ({"VS": brocher_vs, "VP": gardner}, "names 'VP', which is inverted for too"),
        ({"RO": "gardner"}, "unknown parameter in tied_parameters 'RO'; did you mean 'RHO'"),
        ({"RHO": ("VS", parabola, its_slope)}, "lets 'RHO' follow 'VS', which is not inverted for"),
        ({"RHO": parabola}, "expected one of gardner, brocher_vs, brocher_rho, functions"),
    ],
)
def test_bad_ties_are_refused(relations: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mapping("absolute", inversion_parameters=["VP"], tied_parameters=relations)


def test_ties_that_do_not_fit_the_prior_are_refused() -> None:
    def number(vp: np.ndarray) -> float:
        return 1.0

    with pytest.raises(ValueError, match="does not say which of VP, VS 'RHO' follows"):
        Mapping("absolute", inversion_parameters=["VP", "VS"], tied_parameters={"RHO": (parabola, its_slope)})
    with pytest.raises(ValueError, match=r"the derivative of 'RHO' is \d+\.?\d* at 1\d+.*differences of its"):
        tied(relation=(parabola, parabola))
    with pytest.raises(ValueError, match=r"the value of 'RHO' has the shape \(\) for values \(100,\)"):
        tied(relation=(number, its_slope))
    with pytest.raises(ValueError, match="tied_parameters names 'VS', but the prior is given as VP"):
        Mapping("absolute", inversion_parameters=["VP"], tied_parameters={"VS": "brocher_vs"}).bind(
            prior(np.random.default_rng(1))
        )
