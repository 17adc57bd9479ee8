"""The table of speeds and the choice between events in lanes and one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wavetree.benchmark import measure_speeds
from wavetree.benchmark import speeds as measuring
from wavetree.simulation.core import default_instruction_set
from wavetree.simulation.speeds import DEFAULT_SPEEDS, KINDS, Load, Speed, SpeedTable, read_speeds

KIND = "2-D fluid"


def table(lanes: float = 2.0, sums: float = 1.0) -> SpeedTable:
    """One by one at speed 1, lanes together at some multiple of it."""
    many = (Speed(steps=lanes, sums=sums),) * 4
    return SpeedTable("a test", alone=(Speed(steps=1.0, sums=1.0),) * 4, lanes=many)


@pytest.mark.parametrize(
    ("n_events", "cores", "pays"),
    [
        (1, 1, False),
        (4, 1, False),  # 8 lanes at twice the speed take 4 units, as 4 events do
        (5, 1, True),  # 4 units against 5
        (8, 1, True),
        (9, 1, True),  # 8 units, with a tenth 8.8, against 9
        (10, 2, True),  # two groups side by side: 4 units against 5
        (8, 2, False),  # one core idle: 4 units against 4
        (16, 2, True),
        (16, 16, False),  # one by one all run at a time
    ],
)
def test_lanes_pay_where_all_is_done_sooner(n_events: int, cores: int, pays: bool) -> None:
    speeds = table()
    assert speeds.lanes_pay(KIND, Load(n_events, cores), 8) is pays


def test_sums_of_gradients_count_by_the_interval() -> None:
    """2/2 + 1/(k/10) against 2 + 1/k for an event: full lanes pay from k = 4 on."""
    speeds = table(lanes=2.0, sums=0.1)
    pays = {k: speeds.lanes_pay(KIND, Load(8, 1, k), 8) for k in (None, 1, 5, 20)}
    assert pays == {None: True, 1: False, 5: False, 20: True}


def test_without_lanes_there_is_nothing_to_choose() -> None:
    assert not table(lanes=100.0).lanes_pay(KIND, Load(100, 1), 1)
    assert table().least_events(KIND, 1, 1, None) is None


def test_the_least_number_of_events_is_that_from_which_on_lanes_pay() -> None:
    assert table().least_events(KIND, 8, 1, None) == 5
    assert table().least_events(KIND, 8, 2, None) == 9
    assert table(lanes=0.9).least_events(KIND, 8, 1, None) is None


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of simulation '2-D fluids'; did you mean '2-D fluid'"):
        table().speed("2-D fluids", True)
    with pytest.raises(ValueError, match="steps"):
        Speed(steps=0.0, sums=1.0)


def test_the_table_is_that_of_the_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "speeds.json"
    monkeypatch.setenv("WAVETREE_SPEEDS", str(file))
    assert read_speeds() == DEFAULT_SPEEDS
    own = replace(DEFAULT_SPEEDS, source="here")
    file.write_text(json.dumps(own.to_dict()))
    assert read_speeds() == own
    file.write_text("{")
    with pytest.raises(ValueError, match="speeds.json' cannot be read: .* 'wavetree measure-speeds'"):
        read_speeds()
    file.write_text(json.dumps(DEFAULT_SPEEDS.alone[0].to_dict()))
    with pytest.raises(ValueError, match="holds a Speed; expected a table of speeds"):
        read_speeds()


def test_readers_see_speeds_and_choice() -> None:
    lines = table().to_text(8, 2).splitlines()
    assert lines[1] == "chosen on 2 cores, 8 lanes: from how many events on they run in lanes"
    assert [line[:10].strip() for line in lines[3:]] == list(KINDS)
    assert lines[3].split()[2:] == ["0", "/", "0", "0", "/", "0", "9", "11"]


@pytest.mark.skipif(default_instruction_set() == "base", reason="lanes are for wide registers")
def test_speeds_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_SIZES", {2: 20, 3: 8})
    monkeypatch.setattr(measuring, "_ROUNDS", 1)
    found = measure_speeds(seconds=0.005)
    for kind in KINDS:
        for in_lanes in (False, True):
            speed = found.speed(kind, in_lanes)
            assert 1e6 < speed.steps < 1e11 and speed.sums > 1e5
    assert found.speed("2-D fluid", False).steps > found.speed("3-D solid", False).steps
