"""Shared by all tests: no windows, the place of the checkout, a small project."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from projects import small_project
from wavetree.project.project import Project

os.environ.setdefault("MPLBACKEND", "Agg")

# A shell starts background jobs with SIGINT ignored, and children inherit that: tests that interrupt would
# wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def checkout() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = small_project(tmp_path / "project")
    yield p
    p.close()
