"""Starts Python on ranks, for the tests of this folder."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys

import pytest

from wavetree.sites.mpiexec import Mpiexec, find_mpiexec

# Set in the processes that mpiexec has started.
INSIDE = "WAVETREE_TEST_RANKS"
SECONDS = 600


def launcher() -> Mpiexec:
    """mpiexec, or the end of the test."""
    found = find_mpiexec() if importlib.util.find_spec("mpi4py") else None
    if found is None:
        pytest.skip("needs mpi4py and an mpiexec: pip install '.[test]' brings both")
    return found


def start(n_ranks: int, words: list[str], seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a Python command line on ranks of one thread each."""
    mpiexec = launcher()
    environment = mpiexec.environment({**os.environ, "OMP_NUM_THREADS": "1", INSIDE: str(n_ranks)})
    environment.pop("PYTEST_ADDOPTS", None)  # what starts several processes itself is not for ranks
    command = mpiexec.command(n_ranks, [sys.executable, *words])
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # the launcher ends its ranks, those in its group end with it
        output, errors = process.communicate()
        errors += f"\nended after {seconds:g} s"
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
