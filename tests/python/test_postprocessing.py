import json

import numpy as np
import pytest

from mappings import dot_defect, prior, random_parameters, slopes_of
from wavetree.config import load
from wavetree.errors import WavetreeError
from wavetree.mapping import BoundMapping, Mapping
from wavetree.mapping.nodes import node_positions
from wavetree.mesh import Mesh, box_mesh

Fields = dict[str, np.ndarray]


def mix(update: Fields, coordinates: np.ndarray) -> Fields:
    x = coordinates[:, 0]
    return {"VP": (1.0 + x) * update["VP"] + 0.3 * update["RHO"], "RHO": np.cumsum(update["RHO"]) / len(x)}


def mix_transposed(derivative: Fields, coordinates: np.ndarray) -> Fields:
    x = coordinates[:, 0]
    summed = np.cumsum(derivative["RHO"][::-1])[::-1] / len(x)
    return {"VP": (1.0 + x) * derivative["VP"], "RHO": 0.3 * derivative["VP"] + summed}


def clipped(update: Fields, coordinates: np.ndarray) -> Fields:
    return {name: np.clip(values, -10.0, 10.0) for name, values in update.items()}


def bind(functions: object, scaling: str = "absolute", mesh: Mesh | None = None) -> BoundMapping:
    configured = Mapping(
        scaling, inversion_parameters=["VP", "RHO"], postprocess_model_update=functions, inversion_mesh=mesh
    )
    return configured.bind(prior(np.random.default_rng(1)))


@pytest.mark.parametrize("scaling", ["absolute", "relative_deviation_from_prior", "logarithmic"])
@pytest.mark.parametrize("order", [None, 2])
def test_a_pair_is_part_of_the_map(scaling: str, order: int | None) -> None:
    generator = np.random.default_rng(2)
    mesh = None if order is None else box_mesh(((0.0, 1.0), (0.0, 0.6)), (2, 2), shape_order=order)
    bound, free = bind((mix, mix_transposed), scaling, mesh), bind(None, scaling, mesh)
    p = random_parameters(bound, generator)
    update = mix(free.unpack(p - free.prior), node_positions(bound.inversion_mesh))
    expected = free.forward(free.prior + free.pack(update))
    for name, values in bound.forward(p).items():
        assert np.abs(values - expected[name]).max() < 1e-9
    assert dot_defect(bound, generator, p) < 1e-13
    np.testing.assert_allclose(slopes_of(bound, generator, p), 2.0, atol=0.02)
    assert bound.postprocess(p) is p


def test_one_function_is_applied_when_asked() -> None:
    bound, free = bind(clipped), bind(None)
    p = random_parameters(bound, np.random.default_rng(3))
    for name, values in bound.forward(p).items():
        assert np.array_equal(values, free.forward(p)[name]), "it is no part of the map"
    change = bound.postprocess(p) - bound.prior
    assert np.abs(p - bound.prior).max() > 50.0 and np.abs(change).max() == pytest.approx(10.0, abs=1e-9)
    assert free.postprocess(p) is p


def test_a_function_gets_copies() -> None:
    def destroys(update: Fields, coordinates: np.ndarray) -> Fields:
        result = {name: values.copy() for name, values in update.items()}
        coordinates[:] = 0.0
        for values in update.values():
            values[:] = 0.0
        return result

    bound = bind((destroys, destroys))
    p = random_parameters(bound, np.random.default_rng(4))
    before = p.copy()
    bound.forward(p)
    assert np.array_equal(p, before)


def test_pairs_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="'mix' and 'mix' are not a pair of transposes, ⟨forward"):
        bind((mix, mix))
    with pytest.raises(ValueError, match="'clipped' is not linear"):
        bind((clipped, clipped))


def test_results_that_are_no_update_are_refused() -> None:
    def nothing(update: Fields, coordinates: np.ndarray) -> None:
        return None

    def short(update: Fields, coordinates: np.ndarray) -> Fields:
        return {name: values[:3] for name, values in update.items()}

    def lacks(update: Fields, coordinates: np.ndarray) -> Fields:
        return {"VP": update["VP"]}

    def other(update: Fields, coordinates: np.ndarray) -> Fields:
        return {**update, "RO": update["RHO"]}

    for function, message in [
        (nothing, "'nothing' returned NoneType; expected a dictionary"),
        (short, r"returned for 'VP' an array of shape \(3,\), 0 values of it not finite"),
        (lacks, "returned no 'RHO'; expected VP, RHO"),
        (other, "'RO'; did you mean 'RHO'"),
    ]:
        bound = bind(function)
        with pytest.raises(ValueError, match=message):
            bound.postprocess(bound.prior)
    with pytest.raises(ValueError, match=r"expected a pair of functions \(forward, adjoint\)"):
        bind("smooth")


def test_functions_are_kept_by_their_hash() -> None:
    for functions in (clipped, (mix, mix_transposed)):
        configured = Mapping(
            "absolute", inversion_parameters=["VP", "RHO"], postprocess_model_update=functions
        )
        stored = load(json.loads(json.dumps(configured.to_dict())))
        assert stored == configured
    document = configured.to_dict()
    document["postprocess_model_update"][0]["source_digest"] = "0" * 64
    with pytest.raises(WavetreeError, match="'mix' is not in memory"):
        load(document).bind(prior(np.random.default_rng(1)))
