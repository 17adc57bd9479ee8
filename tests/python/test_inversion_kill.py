"""An inversion that is killed again and again ends with the same bits as one that is left alone."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inversions import NAME, fingerprint, make_project
from wavetree.project.project import Project

KILLS, ITERATIONS = 20, 3

# Imports once, then forks a process for every line that it reads, "PATH" or "PATH|SECONDS" to be killed after
# that time: starting the interpreter takes longer than the inversion. It prints exit code and duration.
NURSERY = f"""
import logging, os, signal, sys, time
from wavetree.project.project import Project
logging.getLogger("wavetree").setLevel(logging.ERROR)
for line in sys.stdin:
    path, _, seconds = line.strip().partition("|")
    start, child = time.monotonic(), os.fork()
    if child == 0:
        p = Project(path)
        left = {ITERATIONS} - sum(i.accepted is not None for i in p.inversions.tree({NAME!r}))
        if left:
            p.inversions.run({NAME!r}, left)
        os._exit(0)
    if seconds:
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, time.monotonic() - start, flush=True)
"""


class Nursery:
    """Runs the inversion of a project in a process that can be killed."""

    def __init__(self) -> None:
        # One thread, for a fork copies only the thread that calls it.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], env=environment, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, path: Path, killed_after: float | None = None) -> tuple[int, float]:
        """Return exit code (negative: signal) and duration [s]."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{path}\n" if killed_after is None else f"{path}|{killed_after}\n")
        code, duration = self._process.stdout.readline().split()
        return int(code), float(duration)

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


def begin(path: Path) -> Path:
    p = make_project(path)
    p.inversions.add_iteration(NAME)
    p.close()
    return path


def result(path: Path) -> list[object]:
    p = Project(path)
    found = fingerprint(p, ITERATIONS)
    p.close()
    return found


def stage(path: Path) -> str:
    p = Project(path)
    open_ones = [i for i in p.inversions.tree(NAME) if i.accepted is None]
    p.close()
    return f"{open_ones[0].id} {open_ones[0].stage}"


def check_database(path: Path) -> None:
    database = sqlite3.connect(path / "wavetree.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


@pytest.mark.slow
def test_killed_at_any_instant_it_ends_with_the_same_bits(tmp_path: Path, nursery: Nursery) -> None:
    generator = np.random.default_rng(20)
    undisturbed = begin(tmp_path / "undisturbed")
    nursery.run(begin(tmp_path / "warm"))
    code, duration = nursery.run(undisturbed)
    assert code == 0
    expected = result(undisturbed)
    kills, rounds, stages = 0, 0, set()
    while kills < KILLS:
        path = begin(tmp_path / f"killed_{rounds}")
        rounds += 1
        while kills < KILLS:
            code, _ = nursery.run(path, killed_after=float(generator.uniform(0.0, 0.4 * duration)))
            if code == 0:
                break
            assert code == -signal.SIGKILL
            kills += 1
            check_database(path)
            stages.add(stage(path))
        assert nursery.run(path)[0] == 0
        assert result(path) == expected, f"round {rounds} after {kills} kills"
        check_database(path)
        shutil.rmtree(path)
    assert len(stages) >= 4, f"killed only at {stages}"
