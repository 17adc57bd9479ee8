"""Shared by all tests: no windows, the place of the checkout, a small project."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from projects import small_project
from wavetree.config import plain
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


@pytest.fixture
def record_property(record_property: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    """As pytest's, for NumPy's numbers too, which do not travel between processes."""

    def record(name: str, value: Any) -> None:
        record_property(name, plain(value))

    return record
