"""How codes are tuned and compared, with a code that is known."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import compare
from common import Event, Prepared, Settings, measure, tune
from ultrasound import ring


def prepare(event: Event, settings: Settings) -> Prepared:
    """A code of order p: its relative error is (2 / cells)**p, its work grows with the cells' cube."""
    times = np.linspace(0.0, 30e-6, 31)
    exact = event.exact(times)
    n = settings["cells_per_wavelength"]

    def run() -> np.ndarray:
        return exact * (1.0 + (2.0 / n) ** settings["order"])

    return Prepared(run, times, n**2, n)


def test_tuning_takes_the_coarsest_grid_that_is_accurate() -> None:
    assert tune(prepare, [{"order": 4}], ring(), 1e-2) == {"order": 4, "cells_per_wavelength": 7}
    found = measure(prepare, ring(), {"order": 4, "cells_per_wavelength": 8}, 2)
    assert found.error == pytest.approx(0.25**4, rel=1e-9) and found.points * found.steps == 512


def test_tuning_says_when_nothing_is_accurate() -> None:
    with pytest.raises(SystemExit, match="no settings reach 1e-09"):
        tune(prepare, [{"order": 2}], ring(), 1e-9)


def test_processes_take_turns() -> None:
    pythons = compare.installed({"wavetree": sys.executable, "no_such_code": sys.executable})
    assert list(pythons) == ["wavetree"]
    settings = {"wavetree": {"order": 4, "count": 8, "width": 0.5, "reflection": 0.99, "long_step": False}}
    outcomes = compare.compare(pythons, "ring", settings, rounds=1)
    (found,) = outcomes["wavetree"]
    assert 1e-2 < found["error"] < 1.0 and found["settings"] == settings["wavetree"]
    slower = {**found, "event": 3.0 * found["event"], "settings": {"order": 8}}
    lines = compare.table({**outcomes, "other": [slower]}).splitlines()
    assert "| 1.00 |" in lines[2] and "| 3.00 | order 8 |" in lines[3]


def test_settings_that_fail_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"wavetree": {"order": 99, "count": 8, "width": 0.5}}
    found = compare.compare({"wavetree": sys.executable}, "ring", wrong, rounds=1)
    assert found == {"wavetree": []} and "99" in capsys.readouterr().err
    assert "wavetree" not in compare.table(found).split("settings |")[1]
