"""An inversion that is killed again and again ends with the same bits as one that is left alone."""

from pathlib import Path

import numpy as np
import pytest

from kills import kill_one, kill_two

KILLS = 16


@pytest.mark.slow
def test_killed_at_any_instant_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    found = kill_one(tmp_path, KILLS, np.random.default_rng(20))
    assert found["kills"] == KILLS and len(found["stages"]) >= 4, found


@pytest.mark.slow
def test_two_processes_on_two_branches_killed_at_any_instant(tmp_path: Path) -> None:
    found = kill_two(tmp_path, KILLS, np.random.default_rng(21))
    assert found["kills"] >= KILLS, found
