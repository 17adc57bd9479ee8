"""Events in lanes do what they do one by one, and not many times slower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from events_in_lanes import TutorialEvents
from wavetree.data.event_data import EventData
from wavetree.simulation.core import default_instruction_set
from wavetree.simulation.together import run_together

pytestmark = pytest.mark.skipif(default_instruction_set() == "base", reason="lanes are for wide registers")


def test_full_lanes(tmp_path: Path) -> None:
    events = TutorialEvents(tmp_path / "project", n_events=8)
    for one, other in zip(events.alone, run_together(events.lanes), strict=True):
        expected = one.run().data["phi"]
        assert isinstance(other, EventData)
        assert np.linalg.norm(other.data["phi"] - expected) < 2e-5 * np.linalg.norm(expected)
    # 16 lanes hold these 8 events half.
    assert events.forward(rounds=3).ratio > 0.3 and events.gradient(10, rounds=2).ratio > 0.25
