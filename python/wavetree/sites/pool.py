"""A queue of jobs in a folder, and the worker processes of one machine that work it off.

Nobody manages the pool: workers take jobs while cores and memory allow it and end when there are none left,
so it needs no process of its own and outlives all others. A file of the queue is a job that waits; who takes
it renames it, which only one can do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wavetree.process import is_alive, module_places, name_process
from wavetree.sites.folder import read_json, write_json

__all__ = ["LIMITS", "Limits", "Pool"]

LIMITS = "limits.json"
"""File in the folder of a queue that says what its jobs may use."""

# The next job may come soon: imports, and meshes that are in a worker's memory, are worth a short wait.
_LINGER_SECONDS = 3.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What the jobs of a pool may use together: cores, and memory [bytes] as far as jobs say theirs."""

    cores: int
    memory_in_bytes: int


class Pool:
    """The queue, and who works it off.

    Parameters
    ----------
    home
        Its folder, of one machine alone.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._queue, self._taken, self._workers = (home / name for name in ("queue", "taken", "workers"))

    @property
    def log_file(self) -> Path:
        """What the workers print, nothing as a rule."""
        return self.home / "workers.log"

    @property
    def is_idle(self) -> bool:
        """Whether no job waits and no worker lives, as far as can be told from this machine."""
        workers = [read_json(path) for path in self._workers.glob("[0-9]*")]
        return not any(self._queue.glob("[0-9]*")) and all(is_alive(one) is False for one in workers if one)

    # What those do who have jobs

    def set_limits(self, limits: Limits) -> None:
        """Say what the jobs may use; it counts for those that have not begun."""
        for folder in (self._queue, self._taken, self._workers):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(self.home / LIMITS, dict(vars(limits)))

    def reserve(self) -> str:
        """Return the name of a place at the end of the queue."""
        return f"{time.time_ns():020d}-{os.getpid()}"

    def put(self, name: str, folder: Path, threads: int, memory_in_bytes: int) -> None:
        """Queue the job of a folder at a place."""
        content = {"folder": os.fspath(folder), "threads": threads, "memory_in_bytes": memory_in_bytes}
        write_json(self._queue / name, content)

    def withdraw(self, name: str) -> bool:
        """Take a job out of the queue and return whether it still waited there."""
        try:
            (self._queue / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def waits(self, name: str) -> bool:
        """Whether a job waits in the queue."""
        return (self._queue / name).exists()

    def taker(self, name: str) -> bool:
        """Whether a living worker has taken a job."""
        return any(_worker_of(path) in self._living() for path in self._taken.glob(f"{name}.*"))

    def staff(self) -> list[subprocess.Popen[bytes]]:
        """Start as many workers as the queue needs, and forget dead ones; return those that were started."""
        living = self._living()
        for path in self._taken.glob("[0-9]*"):
            if _worker_of(path) not in living:
                path.unlink(missing_ok=True)
        n_jobs = sum(1 for folder in (self._queue, self._taken) for _ in folder.glob("[0-9]*"))
        wanted = min(n_jobs, self._limits().cores)
        return [self._start() for _ in range(wanted - len(living))]

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        if places := module_places():
            environment["PYTHONPATH"] = places
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "wavetree.worker", "--pool", os.fspath(self.home)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home,
                start_new_session=True, env=environment,
            )  # fmt: skip
        self._register(process.pid)
        return process

    # What workers do

    def work_off(self, run: Callable[[Path], bool]) -> None:
        """Take jobs and run them until there are none left for a while, or `run` returns False."""
        idle_since = time.monotonic()
        self._register(os.getpid())
        try:
            while time.monotonic() - idle_since < _LINGER_SECONDS or self._stays():
                taken = self._take()
                if taken is None:
                    time.sleep(_LOOK_SECONDS)
                    continue
                goes_on = run(Path(read_json(taken)["folder"]))
                taken.unlink(missing_ok=True)
                if not goes_on:
                    return
                idle_since = time.monotonic()
        finally:
            self._unregister()

    def _stays(self) -> bool:
        """Sign off; sign on again if a job was queued by somebody who still saw this worker."""
        self._unregister()
        if not any(self._queue.glob("[0-9]*")):
            return False
        self._register(os.getpid())
        return True

    def _take(self) -> Path | None:
        """Take the first job of the queue if there is room for it beside those that run."""
        with self._locked():
            waiting = sorted(self._queue.glob("[0-9]*"))
            if not waiting:
                return None
            wanted, limits = read_json(waiting[0]), self._limits()
            living = self._living()
            running = [read_json(p) for p in self._taken.glob("[0-9]*") if _worker_of(p) in living]
            for name, limit in vars(limits).items():
                key = "threads" if name == "cores" else name
                used = sum(int(one.get(key, 0)) for one in running)
                if running and used + int(wanted.get(key, 0)) > limit:
                    return None
            taken = self._taken / f"{waiting[0].name}.{os.getpid()}"
            try:
                waiting[0].rename(taken)
            except FileNotFoundError:
                return None
            return taken

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other workers from taking jobs at the same time, which might be too many together."""
        with (self.home / "lock").open("w") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _limits(self) -> Limits:
        return Limits(**read_json(self.home / LIMITS))

    def _register(self, process: int) -> None:
        write_json(self._workers / str(process), name_process(process))

    def _unregister(self) -> None:
        (self._workers / str(os.getpid())).unlink(missing_ok=True)

    def _living(self) -> set[int]:
        living = set()
        for path in self._workers.glob("[0-9]*"):
            said = read_json(path)
            if said and is_alive(said):
                living.add(int(path.name))
            elif said:
                path.unlink(missing_ok=True)
        return living


def _worker_of(taken: Path) -> int:
    return int(taken.name.rpartition(".")[2])
