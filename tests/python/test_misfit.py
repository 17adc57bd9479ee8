from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wavetree import user_function
from wavetree.config import load
from wavetree.data.event_data import EventData
from wavetree.errors import WavetreeError
from wavetree.misfit import MISFITS, MisfitConfiguration
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.receiver.cartesian.collections import RingPoint2D
from wavetree.user_function import UserFunction

POTENTIALS = list(RingPoint2D(x=0, y=0, radius=1, count=4, fields=["phi_t", "phi"]))
RECEIVERS = list(RingPoint2D(x=0, y=0, radius=1, count=4, fields=["phi"]))
SCALE = 2.0
_log = logging.getLogger("test")


def configured(function: Any = "L2", **kwargs: Any) -> MisfitConfiguration:
    return MisfitConfiguration(
        "m",
        observed_data="x",
        misfit_function=function,
        receiver_field="phi",
        extra_kwargs_misfit_function=kwargs,
    )


def records(values: np.ndarray, rate: float = 100.0, start: float = 0.0, first: int = 0) -> EventData:
    return EventData("e", RECEIVERS[first : first + len(values)], {"phi": values}, start, rate)


def helper(difference: np.ndarray) -> np.ndarray:
    _log.debug("called")
    return SCALE * difference


def by_helper(u: np.ndarray, d: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    return 0.5 * float(np.sum(helper(u - d) * (u - d))) / rate, helper(u - d)


def fourth_power(u: np.ndarray, d: np.ndarray, rate: float, weight: float = 1.0) -> tuple[float, np.ndarray]:
    return weight * float(np.sum((u - d) ** 4)) / rate, 4 * weight * (u - d) ** 3


@pytest.mark.parametrize("function", [*MISFITS, fourth_power, by_helper])
def test_adjoint_source_is_the_derivative(function: Any) -> None:
    rng, rate = np.random.default_rng(0), 40.0
    u, d, v = rng.standard_normal((3, 3, 2, 30))
    misfit = configured(function)
    value, source = misfit.evaluate_arrays(u, d, rate)
    steps = 10.0 ** np.arange(-1, -5, -1)
    rest = [
        abs(misfit.evaluate_arrays(u + h * v, d, rate)[0] - value - h * np.vdot(source, v) / rate)
        for h in steps
    ]
    slopes = np.diff(np.log10(rest)) / np.diff(np.log10(steps))
    assert np.all(np.abs(slopes - 2.0) < 0.1 if function is fourth_power else np.abs(slopes - 2.0) < 0.02)


def test_l2_is_the_formula() -> None:
    u, d = np.random.default_rng(1).standard_normal((2, 5, 2, 30))
    value, source = configured().evaluate_arrays(u, d, 25.0)
    assert value == pytest.approx(0.5 * ((u - d) ** 2).sum() / 25.0, rel=1e-14)
    np.testing.assert_array_equal(source, u - d)
    fine = configured().evaluate_arrays(np.repeat(u, 4, axis=2), np.repeat(d, 4, axis=2), 100.0)[0]
    assert fine == pytest.approx(value, rel=1e-14)  # the sampling rate is no part of the definition


def test_events_are_compared_by_name_and_on_the_synthetic_axis() -> None:
    def wave(times: np.ndarray) -> np.ndarray:
        return np.array([np.sin(9 * times + k) for k in range(4)])[:, None]

    u = np.random.default_rng(2).standard_normal((4, 1, 50))
    synthetic = records(u.astype(np.float32))
    fine = np.arange(900) / 700.0 - 0.1
    observed = EventData("e", [RECEIVERS[3], RECEIVERS[1]], {"phi": wave(fine)[[3, 1]]}, -0.1, 700.0)
    value, sources, identical = configured().evaluate(synthetic, observed)
    source = sources["phi"]
    expected = synthetic.data["phi"].astype(np.float64) - wave(synthetic.axis.times)
    np.testing.assert_allclose(source[[1, 3]], expected[[1, 3]], atol=1e-6)
    assert (
        source.shape == (4, 1, 50)
        and source.dtype == np.float64
        and not source[[0, 2]].any()
        and not identical
    )
    assert value == pytest.approx(0.5 * (expected[[1, 3]] ** 2).sum() / 100.0, rel=1e-6)
    assert configured().evaluate(synthetic, synthetic)[::2] == (0.0, True)


def test_every_field_is_compared_by_those_who_record_it() -> None:
    """Receivers in the fluid do not enter a misfit of velocities, whatever their number and order."""

    def several(order: list[int], seed: int) -> EventData:
        fields = (["velocity", "phi"], ["phi"], ["velocity"], ["velocity", "strain"])
        all_of_them = [Point2D(x=0, y=k, station_code=f"{k}", fields=f) for k, f in enumerate(fields)]
        rng = np.random.default_rng(seed)
        values = {k: rng.standard_normal((2, 50)) for k in (0, 2, 3)}
        receivers = [all_of_them[k] for k in order]
        data = {
            "phi": rng.standard_normal((sum(k < 2 for k in order), 1, 50)),
            "velocity": np.array([values[k] for k in order if k in values]),
        }
        return EventData("e", receivers, data, 0.0, 100.0)

    misfit = MisfitConfiguration("m", observed_data="x", receiver_field="velocity")
    synthetic, observed = several([0, 1, 2, 3], 1), several([3, 1, 0], 2)
    value, sources, identical = misfit.evaluate(synthetic, observed)
    u, d = synthetic.data["velocity"], observed.data["velocity"]
    expected = np.array([u[0] - d[1], 0 * u[1], u[2] - d[0]])
    np.testing.assert_array_equal(sources["velocity"], expected)
    assert list(sources) == ["velocity"] and not identical
    assert value == pytest.approx(0.5 * (expected**2).sum() / 100.0, rel=1e-13)
    with pytest.raises(ValueError, match="unknown field of the synthetic records 'strain'"):
        MisfitConfiguration("m", observed_data="x", receiver_field="strain").evaluate(synthetic, observed)


def test_events_that_cannot_be_compared() -> None:
    ones = np.ones((2, 1, 50))
    synthetic = records(ones)
    other_field = EventData("e", POTENTIALS[:2], {"phi_t": ones}, 0.0, 100.0)
    for observed, text in (
        (other_field, "unknown field of the observed records 'phi'"),
        (records(ones, first=2), "no receiver of the observed phi data"),
        (records(ones, start=0.1), "do not cover the time axis"),
        (
            records(np.where(np.arange(50) > 3, np.nan, ones)),
            "the observed record of receiver 0 is not finite",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            configured().evaluate(synthetic, observed)
    with pytest.raises(ValueError, match="the synthetic record of receiver 0 is not finite"):
        configured().evaluate(records(ones * np.inf), synthetic)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (1.0, r"returned float; expected \(misfit, adjoint_source\)"),
        ((1.0, np.zeros((1, 49))), r"adjoint source of shape \(1, 49\); expected \(1, 50\)"),
        ((float("nan"), np.zeros((1, 50))), "returned the misfit nan; expected a finite number"),
        (([1.0, 2.0], np.zeros((1, 50))), "expected a finite number"),
        ((1.0, np.full((1, 50), np.inf)), "an adjoint source that is not finite"),
    ],
)
def test_what_a_function_returns_is_checked(result: Any, text: str) -> None:
    def mine(u: np.ndarray, d: np.ndarray, rate: float) -> Any:
        return result

    function = UserFunction("mine", source_digest="0", function=mine)
    with pytest.raises(ValueError, match=f"misfit_function 'mine' at receiver 0 .*{text}"):
        configured(function).evaluate_arrays(np.ones((2, 1, 50)), np.ones((2, 1, 50)), 1.0)


def test_stored_without_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    misfit = configured(fourth_power, weight=3.0)
    text = json.dumps(misfit.to_dict())
    again = load(json.loads(text))
    assert again == misfit and again.digest() == misfit.digest() and "def " not in text
    data = np.ones((1, 1, 4))
    assert misfit.evaluate_arrays(data, 0 * data, 1.0)[0] == 12.0
    assert again.evaluate_arrays(data, 0 * data, 1.0)[0] == 12.0, "this process knows the function"
    monkeypatch.setattr(user_function, "_known", {})  # as in another one
    with pytest.raises(WavetreeError, match="'fourth_power' is not in memory.*Add the configuration again"):
        again.evaluate_arrays(data, data, 1.0)
    assert load(json.loads(json.dumps(configured().to_dict()))) == configured()


def test_identity_follows_source_arguments_and_closure() -> None:
    def made(power: Any, default: float = 1.0) -> Callable[..., Any]:
        def mine(u: np.ndarray, d: np.ndarray, rate: float, factor: float = default) -> Any:
            return factor * float(np.sum(np.abs(u - d) ** power)), u

        return mine

    one = configured(made(2.0)).digest()
    assert configured(made(2.0)).digest() == one
    others = [configured(f).digest() for f in (made(3.0), made(2.0, 5.0), made(2), fourth_power)]
    assert len({one, *others}) == 5
    assert configured(made(2.0), factor=1.0).digest() != one
    arrays = [configured(made(np.array(x))).digest() for x in ([1.0, 2.0], [1.0, 2.0], [1.0, 3.0])]
    assert arrays[0] == arrays[1] != arrays[2]
    nested = [configured(made({"a": [1, (x, fourth_power)]})).digest() for x in (1, 1, 2)]
    assert nested[0] == nested[1] != nested[2]
    partials = [configured(functools.partial(fourth_power, weight=w)).digest() for w in (1.0, 1.0, 2.0)]
    assert partials[0] == partials[1] != partials[2]


def test_identity_follows_globals_and_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = configured(by_helper).digest()
    assert configured(by_helper).digest() == before
    monkeypatch.setitem(globals(), "SCALE", 3.0)  # used by the helper only
    assert configured(by_helper).digest() != before


class Weighted:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, u: np.ndarray, d: np.ndarray, rate: float) -> Any:
        return self.weight, u

    def method(self, u: np.ndarray, d: np.ndarray, rate: float) -> Any:
        return 2 * self.weight, u


def test_objects_and_methods_are_functions_too() -> None:
    for pick in (lambda w: Weighted(w), lambda w: Weighted(w).method):
        digests = [UserFunction.of(pick(w)).digest() for w in (1.0, 1.0, 2.0)]
        assert digests[0] == digests[1] != digests[2]
    assert configured(Weighted(1.5)).evaluate_arrays(np.ones((2, 1, 3)), np.ones((2, 1, 3)), 1.0)[0] == 3.0


def test_functions_that_cannot_be_identified_are_refused() -> None:
    namespace: dict[str, Any] = {}
    exec("def made(u, d, rate): return 0.0, u", namespace)
    with pytest.raises(ValueError, match="function 'made': there is no source text"):
        configured(namespace["made"])
    for function in (np.dot, np.add, print, int):
        with pytest.raises(ValueError, match="there is no source text"):
            configured(function)
    pair = [lambda u, d, rate: (0.0, u), lambda u, d, rate: (1.0, u)]
    with pytest.raises(ValueError, match="several lambdas stand in one statement"):
        configured(pair[0])
    stream = iter([1.0])

    def closes_over(u: np.ndarray, d: np.ndarray, rate: float) -> Any:
        return next(stream), u

    with pytest.raises(ValueError, match="uses the closure variable 'stream' of type list_iterator"):
        configured(closes_over)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="unknown misfit function 'l2'; did you mean 'L2'"):
        configured("l2")
    with pytest.raises(
        ValueError, match=r"'fourth_power' cannot be called as f\(.*, wieght=\.\.\.\).*'wieght'"
    ):
        configured(fourth_power, wieght=1.0)
    with pytest.raises(ValueError, match="misfit_function 'L2' cannot be called"):
        configured("L2", weight=1.0)
    with pytest.raises(ValueError, match="cannot be stored as JSON"):
        configured(fourth_power, weight=object())
    with pytest.raises(ValueError, match='the key "type" is reserved'):
        configured(fourth_power, weight={"type": 1})
    with pytest.raises(ValueError, match="misfit_function=3 is not valid"):
        configured(3)
    with pytest.raises(
        ValueError, match=r"shape \(4,\) and observed ones of shape \(4,\) cannot be compared"
    ):
        configured().evaluate_arrays(np.ones(4), np.ones(4), 1.0)
    assert configured(fourth_power, weight=np.float64(2)).extra_kwargs_misfit_function == {"weight": 2.0}
