"""Kills inversions 100 times in one and in two processes: ``python tests/python/kill_report.py [KILLS]``."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import numpy as np

from kills import kill_one, kill_two

if __name__ == "__main__":
    logging.getLogger("wavetree").setLevel(logging.WARNING)
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        one = kill_one(Path(folder) / "one", kills, np.random.default_rng(1))
        print(f"one process: {one['kills']} kills in {one['inversions']} inversions, all bit-identical")
        print("killed at iteration and stage:", ", ".join(sorted(one["stages"])))
        two = kill_two(Path(folder) / "two", kills, np.random.default_rng(2))
        print(f"two processes: {two['kills']} kills in {two['inversions']} projects, all bit-identical")
