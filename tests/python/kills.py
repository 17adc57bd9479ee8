"""Inversions in processes that are killed at random instants, one alone or two at one project."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from inversions import EVENTS, NAME, fingerprint, make_project
from wavetree.project.project import Project

ITERATIONS = 3
BRANCHES = (1, 2)  # ids of the two branches' first iterations

# Imports once, then forks a process for every line that it reads, "PATH|ITERATION|SECONDS": one that advances
# the branch that the iteration is on (all when it is negative) and is killed after that time (never when that
# is negative). Starting the interpreter takes longer than the inversion. It prints exit code and duration.
_NURSERY = f"""
import logging, os, signal, sys, time
from wavetree.project.project import Project
logging.getLogger("wavetree").setLevel(logging.ERROR)

def advance(p, branch):
    if branch < 0:
        left = {ITERATIONS} - sum(i.accepted is not None for i in p.inversions.tree({NAME!r}))
        return left and p.inversions.run({NAME!r}, left)
    tree = {{i.id: i for i in p.inversions.tree({NAME!r})}}
    done = 0
    while tree[branch].children:
        branch, done = tree[branch].children[0], done + 1
    if done < {ITERATIONS}:
        p.inversions.run({NAME!r}, {ITERATIONS} - done, iteration_id=branch)

for line in sys.stdin:
    path, branch, seconds = line.strip().split("|")
    start, child = time.monotonic(), os.fork()
    if child == 0:
        advance(Project(path), int(branch))
        os._exit(0)
    if float(seconds) >= 0.0:
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
            [sys.executable, "-c", _NURSERY], env=environment, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, path: Path, branch: int = -1, killed_after: float = -1.0) -> None:
        """Start a process; see `wait`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}|{branch}|{killed_after}\n")

    def wait(self) -> tuple[int, float]:
        """Return exit code (negative: signal) and duration [s] of the process that was started."""
        assert self._process.stdout is not None
        code, duration = self._process.stdout.readline().split()
        return int(code), float(duration)

    def run(self, path: Path, branch: int = -1, killed_after: float = -1.0) -> tuple[int, float]:
        """Start a process and wait for its end."""
        self.start(path, branch, killed_after)
        return self.wait()

    def close(self) -> None:
        self._process.communicate()


def begin(path: Path) -> Path:
    """Make a project with iteration 0."""
    p = make_project(path)
    p.inversions.add_iteration(NAME)
    p.close()
    return path


def begin_branches(path: Path) -> Path:
    """Make a project with two open iterations, children of iteration 0, the second one of a single event."""
    p = make_project(path)
    assert p.inversions.iterate(NAME)
    p.inversions.add_iteration(NAME, 0, events=[EVENTS[0]])
    p.close()
    return path


def result(path: Path) -> list[Any]:
    """All numbers of an inversion without branches."""
    p = Project(path)
    found = fingerprint(p, range(ITERATIONS + 1))
    p.close()
    return found


def branch_results(path: Path) -> list[Any]:
    """All numbers of both branches, whatever the ids of their iterations are."""
    p = Project(path)
    tree = {i.id: i for i in p.inversions.tree(NAME)}
    found = []
    for number in BRANCHES:
        line = [number]
        while tree[line[-1]].children:
            line += tree[line[-1]].children[:1]
        found.append([entry for entry in fingerprint(p, line) if not isinstance(entry, int)])
    p.close()
    return found


def stage(path: Path) -> str:
    """The stage of the first iteration that is open."""
    p = Project(path)
    open_ones = [i for i in p.inversions.tree(NAME) if i.accepted is None]
    p.close()
    return f"{open_ones[0].id} {open_ones[0].stage}" if open_ones else "none"


def check_database(path: Path) -> None:
    database = sqlite3.connect(path / "wavetree.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def leftovers(path: Path) -> list[Path]:
    """Files that only a killed process can have left."""
    return sorted(file for file in path.rglob("*") if ".part" in file.suffixes or file.name.endswith(".part"))


def random_times(generator: np.random.Generator, duration: float) -> float:
    return float(generator.uniform(0.0, 0.6 * duration))


def kill_one(folder: Path, kills: int, generator: np.random.Generator) -> dict[str, Any]:
    """Kill an inversion that many times, starting a new one whenever one ends, and compare all results.

    Returns
    -------
    dict
        Number of kills and of inversions, and the stages at which they were killed.
    """
    nursery = Nursery()
    nursery.run(begin(folder / "warm"))
    undisturbed = begin(folder / "undisturbed")
    code, duration = nursery.run(undisturbed)
    assert code == 0
    expected = result(undisturbed)
    done, rounds, stages = 0, 0, set()
    while done < kills:
        path = begin(folder / f"killed_{rounds}")
        rounds += 1
        while done < kills:
            code, _ = nursery.run(path, killed_after=random_times(generator, duration))
            if code == 0:
                break
            assert code == -signal.SIGKILL
            done += 1
            check_database(path)
            stages.add(stage(path))
        assert nursery.run(path)[0] == 0
        assert result(path) == expected, f"inversion {rounds} after {done} kills"
        check_clean(path)
    nursery.close()
    return {"kills": done, "inversions": rounds, "stages": stages}


def kill_two(folder: Path, kills: int, generator: np.random.Generator) -> dict[str, Any]:
    """The same of two processes at one project, each on a branch of its own, both killed."""
    nurseries = [Nursery(), Nursery()]
    undisturbed = begin_branches(folder / "undisturbed")
    durations = [nurseries[0].run(undisturbed, branch) for branch in BRANCHES]
    assert [code for code, _ in durations] == [0, 0]
    duration = max(seconds for _, seconds in durations)
    expected = branch_results(undisturbed)
    done, rounds = 0, 0
    while done < kills:
        path = begin_branches(folder / f"killed_{rounds}")
        rounds += 1
        codes = [1, 1]
        while done < kills and codes != [0, 0]:
            for nursery, branch in zip(nurseries, BRANCHES, strict=True):
                nursery.start(path, branch, random_times(generator, 2.0 * duration))
            codes = [nursery.wait()[0] for nursery in nurseries]
            assert set(codes) <= {0, -signal.SIGKILL}, codes
            done += sum(code != 0 for code in codes)
            check_database(path)
        for nursery, branch in zip(nurseries, BRANCHES, strict=True):
            nursery.start(path, branch)
        assert [nursery.wait()[0] for nursery in nurseries] == [0, 0]
        assert branch_results(path) == expected, f"inversion {rounds} after {done} kills"
        check_clean(path)
    for nursery in nurseries:
        nursery.close()
    return {"kills": done, "inversions": rounds}


def check_clean(path: Path) -> None:
    """What killed processes left is found by `delete_disposable_files`, and only that is deleted."""
    p = Project(path)
    number = len(p.inversions.tree(NAME)) - 1
    before = fingerprint(p, range(number + 1))
    p.inversions.delete_disposable_files(NAME)
    assert not leftovers(path)
    assert p.store.list_notes("lease/") == {}
    assert fingerprint(p, range(number + 1)) == before
    p.close()
    check_database(path)
