import json
from dataclasses import KW_ONLY, FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from pydantic import Field, PositiveFloat, model_validator

from wavetree.config import Configuration, configuration, load


@configuration
class Inner(Configuration):
    frequency: PositiveFloat
    _: KW_ONLY
    shift: float | None = None


@configuration
class Outer(Configuration):
    name: str
    _: KW_ONLY
    parts: tuple[Inner, ...] = ()
    choice: int | bool | None = None
    table: dict[str, Any] = Field(default_factory=dict)
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> "Outer":
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}; swap them")
        return self


def message(cls: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ValueError) as caught:
        cls(*args, **kwargs)
    assert type(caught.value) is ValueError
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    return str(caught.value)


def test_round_trip_through_json() -> None:
    value = Outer("a", parts=[Inner(1, shift=0.1), Inner(2)], table={"w": [1.0, {"b": None}]})
    again = load(json.loads(json.dumps(value.to_dict())))
    assert again == value and hash(again) == hash(value) and again.digest() == value.digest()
    assert isinstance(again.parts, tuple) and again.parts[1].shift is None


def test_equality_and_digest_follow_content_only() -> None:
    assert Inner(1) == Inner(1.0) == Inner(np.float32(1.0)) and len({Inner(1), Inner(1.0), Inner(2)}) == 2
    assert Inner(1) != Inner(1, shift=0.0) and Inner(1).digest() != Inner(1, shift=0.0).digest()
    assert Inner(1) != "Inner"
    table = {"w": np.arange(3.0)}
    assert Outer("a", table=table) == Outer("a", table={"w": [0.0, 1.0, 2.0]})
    assert replace(Inner(1), frequency=2.0) == Inner(2)
    changed = replace(Inner(1), shift=3.0)
    assert changed.digest() == Inner(1, shift=3.0).digest()


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Inner(1).shift = 2.0


def test_error_names_argument_value_and_expectation() -> None:
    text = message(Inner, -3)
    assert text == "Inner: frequency=-3 is not valid: expected greater than 0; change frequency."
    assert "Inner: argument 'frequency' is missing" in message(Inner)
    text = message(Inner, 1, shfit=2)
    assert "unknown argument 'shfit'; did you mean 'shift'?" in text and "'frequency'" in text
    assert "only 'frequency' may be given without its name; write the name of 2.0." in message(Inner, 1, 2.0)
    assert "expected a finite number" in message(Inner, float("nan"))


def test_error_of_nested_union_and_joint_checks() -> None:
    assert "Outer: parts[1]='x' is not valid: expected " in message(Outer, "a", parts=[Inner(1), "x"])
    text = message(Outer, "a", choice="many")
    assert text.count("choice=") == 1 and "valid integer" in text and " or " in text
    assert message(Outer, "a", low=2.0) == "Outer: low=2.0 must be below high=1.0; swap them"
    both = message(Outer, 3, hihg=2)
    assert "name=3" in both and "did you mean 'high'?" in both


def test_load_of_unknown_type_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown configuration type 'Iner'; did you mean 'Inner'?"):
        load({"type": "Iner", "frequency": 1.0})
    with pytest.raises(ValueError, match="frequency=-1.0"):
        load({"type": "Inner", "frequency": -1.0})


def test_prints_as_one_block() -> None:
    text = str(Outer("a", parts=[Inner(k + 1) for k in range(20)]))
    assert text.splitlines()[0] == "Outer" and "    parts: 20 x Inner" in text.splitlines()
    assert "name='a'" in repr(Outer("a"))
