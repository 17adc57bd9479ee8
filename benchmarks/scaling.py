"""Time steps over ranks and threads: ``python benchmarks/scaling.py measure POINTS.json [NAME...]``.

Under mpiexec, on two cores. Again with the same file it keeps the better of both, for others may use the
machine meanwhile. ``scaling_page.py`` writes docs/scaling.md from the file.
"""

from __future__ import annotations

import ctypes
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from measurements import resident
from wavetree.benchmark import RanksRun, Settings, find_cases
from wavetree.benchmark.cases import ORDER
from wavetree.ranks import Ranks
from wavetree.simulation.core import Core
from wavetree.sites.mpiexec import find_mpiexec

CASES = ("acoustic2d", "elastic2d", "acoustic3d", "elastic3d")
# Elements per axis of one rank and of two, so that every rank has nearly the same number: to fit, to check.
FITTED = {2: ((60, 85), (120, 170), (240, 339)), 3: ((12, 15), (24, 30))}
CHECKED = {2: ((180, 255),), 3: ((16, 20), (20, 25))}
LARGE = ("elastic3d-large", (38, 48))
MESSAGES = (100, 1_000, 10_000, 50_000, 100_000, 400_000, 1_000_000)
_LOOK = 64  # a run looks at its field every so many steps
_CLEAN = 0.97  # share of the clock's time that a turn had of the processor at least, if nobody was in its way


@dataclass(frozen=True)
class Point:
    """What one kind of run of a case has taken.

    Attributes
    ----------
    case, n
        Name, and elements per axis with the sponge.
    how
        ``"one"`` and ``"threads"``: a rank alone, with one thread and two. ``"apart"``: two ranks, each with
        such a mesh of its own, that send no messages. ``"shared"``: two ranks that share its elements.
    seconds
        Of a step, the best of all turns, by what a rank had of the processor. A rank that waits keeps it
        busy, so this is the clock's time where nobody else wants the core, and about that where others do.
    clock, clean
        By the clock in the best turn, and the share of it in which ranks and threads had the processor.
    elements, points
        Elements and element nodes of the rank that has the most.
    first
        Share of its elements that go first, for they touch other ranks.
    halo, n_bytes, neighbours
        Values and bytes that it sends to other ranks in a step, and how many they are.
    resident
        Bytes that the set-up has left on rank 0.
    """

    case: str
    n: int
    how: str
    seconds: float
    clock: float
    clean: float
    elements: int
    points: int
    first: float
    halo: int
    n_bytes: int
    neighbours: int
    resident: int

    @property
    def key(self) -> tuple[str, int, str]:
        """What a point is known by."""
        return self.case, self.n, self.how


@dataclass(frozen=True)
class Message:
    """Seconds of an exchange of messages of so many bytes between two ranks, and nothing else."""

    n_bytes: int
    seconds: float


# -- under mpiexec -----------------------------------------------------------------------------


def wait_quietly(comm: Any) -> None:
    """Wait for all ranks without a loop that keeps a core busy."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(1e-3)


def wait_for_others(seconds: float) -> float:
    """Wait until no other process wants a core, so many seconds at most; return how many are left."""
    begin = time.perf_counter()
    while (left := seconds - (time.perf_counter() - begin)) > 0.0:
        if int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) <= 1:
            return left
        time.sleep(5e-3)
    return 0.0


class Turns:
    """Runs of a case that take turns on the ranks of a communicator.

    Parameters
    ----------
    comm
        An mpi4py communicator.
    case
        Name of the case.
    sizes
        Elements per axis of a rank on its own, and of what is shared.
    seconds
        That a turn takes, some.
    patience
        Seconds to wait in all for moments at which nobody else uses the machine.
    """

    def __init__(self, comm: Any, case: str, sizes: tuple[int, int], seconds: float, patience: float) -> None:
        from mpi4py import MPI

        self.comm, self._case, self._seconds, self._patience = comm, find_cases([case])[0], seconds, 0.0
        alone, (small, large) = MPI.COMM_SELF, sizes
        makers = {
            "shared": (True, partial(self._make, large, comm, 1)),
            "apart": (True, partial(self._make, small, alone, 1)),
            "one": (False, partial(self._make, large, alone, 1)),
            "threads": (False, partial(self._make, large, alone, 2)),
        }
        self.sizes = {"shared": large, "apart": small, "one": large, "threads": large}
        self.resident: dict[str, int] = {}
        self._runs = {how: self._in_turn(how, *maker) for how, maker in makers.items()}
        self._steps = {how: self._find_steps(how) for how in self._runs}
        self.best = dict.fromkeys(self._runs, (math.inf, math.inf, 0.0))
        self._patience = patience

    def _make(self, n: int, comm: Any, threads: int) -> RanksRun:
        return RanksRun(self._case, n, "deformed", Settings(threads=threads), comm)

    def _in_turn(self, how: str, together: bool, make: Callable[[], RanksRun]) -> RanksRun | None:
        before = resident("VmRSS")
        run = make() if together or self.comm.rank == 0 else None
        self.resident[how] = resident("VmRSS") - before
        wait_quietly(self.comm)
        return run

    def _find_steps(self, how: str) -> int:
        self._advance(how, 2)  # memory that is touched for the first time costs more
        n = max(4, math.ceil(self._seconds / self._advance(how, 4)[0]))
        return int(self.comm.bcast(min(4096, _LOOK * math.ceil(n / _LOOK) if n > _LOOK // 2 else n)))

    def _advance(self, how: str, n_steps: int) -> tuple[float, float, float]:
        """Seconds of a step by the processor and by the clock, and the former's share of the latter."""
        run, found = self._runs[how], (0.0, 0.0)
        if self.comm.rank == 0:
            self._patience = wait_for_others(self._patience)
        wait_quietly(self.comm)
        if run is not None:
            if how in ("shared", "apart"):
                self.comm.Barrier()
            begin = time.process_time()
            clock = run.advance(n_steps)
            taken = (time.process_time() - begin) / n_steps
            found = taken / (2 if how == "threads" else 1), clock
        wait_quietly(self.comm)
        both = [one for one in self.comm.allgather(found) if one[1] > 0.0]
        processor, clock = zip(*both, strict=True)
        # Of two ranks that wait for each other the one that had less has waited less.
        seconds = min(processor) if how == "shared" else max(processor)
        return seconds, max(clock), min(a / b for a, b in both)

    def go(self, rounds: int, most: int) -> None:
        """Give every run its turns, more of them until some were undisturbed."""
        clean = dict.fromkeys(self._runs, 0)
        for k in range(most):
            for how, steps in self._steps.items():
                seconds, clock, share = self._advance(how, steps)
                clean[how] += share > _CLEAN
                best = self.best[how]
                by_clock = min((clock, share), best[1:])
                self.best[how] = (min(seconds, best[0]), *by_clock)
            if k + 1 >= rounds and min(clean.values()) >= 3:
                break

    def points(self) -> list[Point]:
        """Return what was found; on rank 0, whose share stands for all."""
        found = []
        for how, run in self._runs.items():
            if run is not None:
                core = run.core
                n_own = core.medium_mesh.nelem if core.share is None else len(core.share.own)
                first, values = shared_values(core)
                itemsize = np.dtype(core.precision).itemsize
                sent = sum(values.values())
                amounts = (n_own, n_own * (ORDER + 1) ** self._case.dim, first, sent, sent * itemsize)
                name = self._case.name
                found.append(
                    Point(
                        name, self.sizes[how], how, *self.best[how], *amounts, len(values), self.resident[how]
                    )
                )
        return found


def shared_values(core: Core) -> tuple[float, dict[int, int]]:
    """Return the share of this rank's elements that touch others, and the values it sends to each rank."""
    if core.share is None:
        return 0.0, {}
    dofs, rank = core.element_dofs(0), core.share.partition.rank
    of_rank = dofs[core.share.own]
    own, values = np.unique(of_rank), {}
    touched = np.zeros(int(dofs.max()) + 1, dtype=bool)
    for other in core.share.neighbours:
        both = np.intersect1d(own, dofs[rank == other])
        touched[both] = True
        values[other] = len(both) * int(core.compiled.n_components(0))
    return float(touched[of_rank].any(axis=1).mean()), values


def exchange(comm: Any, n_bytes: int, n: int, batches: int) -> Message:
    """Time the exchange of messages alone, with the requests and functions that the core uses."""
    connection = Ranks(comm).connect([1 - comm.rank], [n_bytes])
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    wait_kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    start, wait = kind(connection.start_all), wait_kind(connection.wait_all)
    requests, statuses = connection.requests.ctypes.data, connection.statuses.ctypes.data
    taken = []
    for _ in range(batches):
        wait_quietly(comm)
        comm.Barrier()
        begin = time.perf_counter()
        for _ in range(n):
            start(connection.n_requests, requests)
            wait(connection.n_requests, requests, statuses)
        taken.append(comm.allreduce((time.perf_counter() - begin) / n, op=max))
    connection.free()
    return Message(n_bytes, min(taken))


def measure_here(arguments: Sequence[str]) -> None:
    """Under mpiexec with two ranks: measure a case or messages and let rank 0 print them."""
    from mpi4py import MPI

    comm, (what, *numbers) = MPI.COMM_WORLD, arguments
    if comm.size != 2:
        raise SystemExit(f"{comm.size} ranks; expected 2: mpiexec -n 2 python benchmarks/scaling.py here ...")
    if what == "messages":
        found: Sequence[Any] = [exchange(comm, n_bytes, 200, 40) for n_bytes in MESSAGES]
    else:
        small, large, rounds, most = map(int, numbers[:4])
        turns = Turns(comm, what, (small, large), *map(float, numbers[4:]))
        turns.go(rounds, most)
        found = turns.points()
    if comm.rank == 0:
        print(json.dumps([asdict(one) for one in found]))


# -- from outside ------------------------------------------------------------------------------


def launch(*arguments: object) -> list[dict[str, Any]]:
    """Run this file on two ranks and return what it prints."""
    mpiexec = find_mpiexec()
    if mpiexec is None:
        raise SystemExit("there is no mpiexec; pip install mpich brings one")
    command = mpiexec.command(2, [sys.executable, __file__, "here", *map(str, arguments)])
    environment = mpiexec.environment()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return list(json.loads(done.stdout.splitlines()[-1]))


def pairs(name: str) -> tuple[tuple[int, int], ...]:
    """Return the sizes of a case, those of the fit first."""
    dim = find_cases([name])[0].dim
    return FITTED[dim] + CHECKED[dim]


def better(one: Point, other: Point | None) -> Point:
    """Return the best of two points that are known by the same key, by processor and by clock."""
    if other is None:
        return one
    clock, clean = min((one.clock, one.clean), (other.clock, other.clean))
    return replace(one, seconds=min(one.seconds, other.seconds), clock=clock, clean=clean)


def read(file: Path) -> tuple[dict[tuple[str, int, str], Point], dict[int, Message]]:
    """Return the points and messages of a file, none if it is not there."""
    known = json.loads(file.read_text()) if file.exists() else {"points": [], "messages": []}
    points = [Point(**one) for one in known["points"]]
    return {p.key: p for p in points}, {m["n_bytes"]: Message(**m) for m in known["messages"]}


def measure(file: Path, names: Sequence[str]) -> None:
    """Measure cases by name and keep the better of what was found and what the file has."""
    for name in names:
        for small, large in () if name == "messages" else pairs(name) if name in CASES else [LARGE[1]]:
            keep(file, launch(name, small, large, 4, 10, 0.06, 10.0), [])
        if name == "messages":
            keep(file, [], launch("messages"))


def keep(file: Path, points: Sequence[dict[str, Any]], messages: Sequence[dict[str, Any]]) -> None:
    """Take what is better than in the file."""
    known, known_messages = read(file)
    for found in points:
        point = Point(**found)
        known[point.key] = better(point, known.get(point.key))
        print(point, flush=True)
    for found in messages:
        message = Message(**found)
        other = known_messages.get(message.n_bytes)
        known_messages[message.n_bytes] = other if other and other.seconds < message.seconds else message
    content = {
        "points": [asdict(p) for p in known.values()],
        "messages": [asdict(m) for m in known_messages.values()],
    }
    file.write_text(json.dumps(content, indent=1))


def main(arguments: Sequence[str]) -> None:
    """Do what the command line says."""
    match list(arguments):
        case ["here", *rest]:
            measure_here(rest)
        case ["measure", file, *names]:
            measure(Path(file), names or [*CASES, LARGE[0], "messages"])
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
