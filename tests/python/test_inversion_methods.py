"""Inversions with the other methods than the trust region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inversions import NAME, configuration, make_project
from wavetree.config import load
from wavetree.optimize import LBFGS, Adam, SteepestDescent, TrustRegion
from wavetree.project.project import Project


@pytest.mark.parametrize(
    ("method", "falls_to"), [(SteepestDescent(10.0), 0.25), (LBFGS(10.0), 0.25), (Adam(5.0), 0.5)]
)
def test_misfit_falls_and_a_reopened_project_goes_on(tmp_path: Path, method: Any, falls_to: float) -> None:
    p = make_project(tmp_path / "p", method=method)
    p.inversions.add_iteration(NAME)
    p.inversions.iterate(NAME, timeout_in_seconds=100, ping_interval_in_seconds=0.1)
    p = Project(tmp_path / "p")
    for _ in range(2):
        p.inversions.iterate(NAME, timeout_in_seconds=100, ping_interval_in_seconds=0.1)
    known = [p.inversions.get_iteration(NAME, i).misfit for i in range(4)]
    misfits = [misfit for misfit in known if misfit is not None]  # untested steps leave the last one open
    assert len(misfits) >= 3 and misfits[-1] < falls_to * misfits[0]


@pytest.mark.parametrize("method", [TrustRegion(3.0), SteepestDescent(3.0), LBFGS(), Adam({"VP": 1.0})])
def test_method_of_an_inverse_problem_is_stored(method: Any) -> None:
    stored = load(configuration(method=method).to_dict())
    assert type(stored.method) is type(method) and stored.method == method


@pytest.mark.parametrize("method", ["adam", 3, {"history_size": 3}, None])
def test_what_is_no_method_is_refused(method: Any) -> None:
    with pytest.raises(
        ValueError, match=r"expected one of TrustRegion\(...\), SteepestDescent\(...\), LBFGS"
    ):
        configuration(method=method)
