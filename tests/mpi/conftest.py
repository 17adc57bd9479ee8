"""Tests on several ranks: outside mpiexec a file starts itself there, once per number of ranks."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import Any

import pytest
from on_ranks import INSIDE, start

ALL = "--all-ranks"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(ALL, action="store_true", help="run tests of ranks on 2, 3 and 4 of them")


@functools.cache
def outcome(file: str, n_ranks: int) -> subprocess.CompletedProcess[str]:
    """Run the tests of a file that are for so many ranks, once for all of them."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return start(n_ranks, ["-m", "pytest", *options, *([ALL] if ALL in sys.argv else []), file])


def is_for(item: pytest.Item, n_ranks: int) -> bool:
    marker = item.get_closest_marker("ranks")
    return marker is not None and (ALL in sys.argv or n_ranks in marker.args)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if INSIDE in os.environ:
        items[:] = [item for item in items if is_for(item, int(os.environ[INSIDE]))]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    marker = pyfuncitem.get_closest_marker("ranks")
    if marker is None or INSIDE in os.environ:
        return None
    for n_ranks in (2, 3, 4) if ALL in sys.argv else marker.args:
        done = outcome(os.fspath(pyfuncitem.path), n_ranks)
        passed = f"passed on all ranks: <{pyfuncitem.name}>" in done.stderr
        assert passed, f"on {n_ranks} ranks:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Inside, say what all ranks have passed, and end them all when one has failed: the others would wait."""
    if INSIDE not in os.environ:
        return
    from mpi4py import MPI

    if report.failed:
        print(f"rank {MPI.COMM_WORLD.Get_rank()}: {report.longreprtext}", file=sys.stderr, flush=True)
        MPI.COMM_WORLD.Abort(1)
    if report.when == "call" and report.passed:
        MPI.COMM_WORLD.Barrier()
        if MPI.COMM_WORLD.Get_rank() == 0:
            # Not where the ranks' progress is written into the same lines.
            print(f"passed on all ranks: <{report.nodeid.rpartition('::')[2]}>", file=sys.stderr, flush=True)


@pytest.fixture
def comm() -> Any:
    """All ranks."""
    from mpi4py import MPI

    assert MPI.COMM_WORLD.Get_size() == int(os.environ.get(INSIDE, "1"))
    return MPI.COMM_WORLD
