"""The processes that share one run: what core and Python layer ask of an MPI communicator."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import Any

import numpy as np

from wavetree.errors import RankError

__all__ = ["Connection", "Ranks", "launched", "ranks_of", "warn_if_bound"]

_TAG = 7077
# How many processes a launcher says it has started; Slurm's for those that srun started.
_LAUNCHERS = {
    "OMPI_COMM_WORLD_SIZE": "Open MPI's mpiexec",
    "PMI_SIZE": "MPICH's or Intel MPI's mpiexec",
    "MV2_COMM_WORLD_SIZE": "MVAPICH's mpiexec",
    "SLURM_STEP_NUM_TASKS": "srun",
}


class Connection:
    """Messages of fixed sizes to and from some ranks, as persistent requests that the core starts itself.

    Parameters
    ----------
    comm
        An mpi4py communicator.
    ranks
        Ranks to exchange messages with.
    n_bytes
        Length of the messages to and from each of them.

    Notes
    -----
    The handles of requests and the statuses are opaque bytes of the size that mpi4py reports, and the
    functions those of the library that it has loaded, so one build of the core runs with any MPI.
    """

    def __init__(self, comm: Any, ranks: Sequence[int], n_bytes: Sequence[int]) -> None:
        from mpi4py import MPI

        self._mpi = MPI
        self.incoming = [np.zeros(n, dtype=np.uint8) for n in n_bytes]
        self.outgoing = [np.zeros(n, dtype=np.uint8) for n in n_bytes]
        pairs = [*zip(ranks, self.incoming, strict=True)]
        self._requests = [comm.Recv_init([buffer, MPI.BYTE], rank, _TAG) for rank, buffer in pairs]
        pairs = [*zip(ranks, self.outgoing, strict=True)]
        self._requests += [comm.Send_init([buffer, MPI.BYTE], rank, _TAG) for rank, buffer in pairs]
        size = MPI._sizeof(MPI.Request)
        handles = b"".join(ctypes.string_at(MPI._addressof(request), size) for request in self._requests)
        self.requests = np.frombuffer(handles, dtype=np.uint8).copy()
        self.statuses = np.zeros(len(self._requests) * MPI._sizeof(MPI.Status), dtype=np.uint8)
        self.n_requests = len(self._requests)
        self.start_all, self.test_all = _functions()

    def free(self) -> None:
        """Give the requests back; the library keeps them until then."""
        if not self._mpi.Is_finalized():
            for request in self._requests:
                request.Free()
        self._requests = []


class Ranks:
    """The ranks of a communicator.

    Every rank must make the same calls in the same order.

    Parameters
    ----------
    comm
        An mpi4py communicator with more than one rank; see `ranks_of`.

    Notes
    -----
    An exception that leaves the program of one rank ends them all, once it is printed.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        _abort_on_exceptions()

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over ranks, value by value, the same bits on every rank."""
        return self._reduce(values, "SUM")

    def max(self, values: np.ndarray) -> np.ndarray:
        """Return the maximum over ranks, value by value."""
        return self._reduce(values, "MAX")

    def share(self, value: Any) -> Any:
        """Return the value of rank 0 on every rank."""
        return self._comm.bcast(value, root=0)

    def connect(self, ranks: Sequence[int], n_bytes: Sequence[int]) -> Connection:
        """Return a connection to some ranks."""
        return Connection(self._comm, ranks, n_bytes)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Run a block that may fail on one rank and that waits for no other; a failure is raised on all.

        Raises
        ------
        RankError
            On the ranks that have not failed themselves.
        """
        error: Exception | None = None
        try:
            yield
        except Exception as caught:
            error = caught
        texts = self._comm.allgather(None if error is None else f"{type(error).__name__}: {error}")
        if error is not None:
            raise error
        failed = [rank for rank, text in enumerate(texts) if text is not None]
        if failed:
            raise RankError(f"rank {failed[0]} has failed: {texts[failed[0]]}")

    def _reduce(self, values: np.ndarray, how: str) -> np.ndarray:
        # By way of one rank: libraries need not give the same bits to all when they sum for all at once.
        from mpi4py import MPI

        given = np.ascontiguousarray(values)
        result = np.empty_like(given)
        self._comm.Reduce(given, result, op=getattr(MPI, how), root=0)
        self._comm.Bcast(result, root=0)
        return result


def ranks_of(comm: Any, environment: Mapping[str, str] | None = None) -> Ranks | None:
    """Return the ranks of a communicator, or None where there is one rank.

    Parameters
    ----------
    comm
        An mpi4py communicator, or None.
    environment
        Where a launcher has left its variables; `os.environ` when None.

    Raises
    ------
    RankError
        If a launcher has started several processes that do not see each other.
    """
    if comm is None:
        return None
    from mpi4py import MPI

    world = int(MPI.COMM_WORLD.Get_size())
    _refuse_singletons(world, environment)
    if comm.Get_size() == 1:
        return None
    return Ranks(comm)


def warn_if_bound(threads: int) -> None:
    """Warn of more threads than the cores that the launcher leaves to this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
    if threads > cores:
        warnings.warn(
            f"threads is {threads}, but the launcher has bound this rank to {cores} core(s); start it with "
            "--bind-to none (Open MPI), or with fewer threads.",
            RuntimeWarning,
            stacklevel=2,
        )


def launched(environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Return how many processes a launcher says it has started, the variable that says so, and who it is."""
    variables = os.environ if environment is None else environment
    told = ((variables.get(name, ""), name, launcher) for name, launcher in _LAUNCHERS.items())
    known = [(int(number), name, launcher) for number, name, launcher in told if number.isdigit()]
    return max(known, default=(1, "", ""))


def _refuse_singletons(world: int, environment: Mapping[str, str] | None) -> None:
    started, name, launcher = launched(environment)
    if world > 1 or started < 2:
        return
    from mpi4py import MPI

    library = MPI.Get_library_version().split("\n")[0].strip("\0 ")
    raise RankError(
        f"{launcher} has started {started} processes ({name}={started}), but each is alone for the MPI that "
        f"mpi4py has loaded ({library}); use that library's own mpiexec, or set MPI4PY_LIBMPI to the library "
        "of this one; with srun say --mpi=pmi2 or --mpi=pmix."
    )


@cache
def _functions() -> tuple[int, int]:
    """Addresses of MPI_Startall and MPI_Testall in the library that mpi4py has loaded."""
    from mpi4py import MPI

    library = ctypes.CDLL(MPI.__file__)
    found = [
        ctypes.cast(getattr(library, f"MPI_{name}"), ctypes.c_void_p).value
        for name in ("Startall", "Testall")
    ]
    return found[0] or 0, found[1] or 0


@cache
def _abort_on_exceptions() -> None:
    """End all ranks with the message of the one that an exception has ended: the others would wait for it."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        last = traceback.format_exception_only(kind, error)[-1].strip()
        print(
            f"rank {comm.Get_rank()} of {comm.Get_size()} ends all ranks: {last}", file=sys.stderr, flush=True
        )
        sys.stdout.flush()
        comm.Abort(1)

    sys.excepthook = hook
