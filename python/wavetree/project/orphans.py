"""What killed processes and deleted things leave in a project's folder, and how it is deleted.

A file that is being written and the folder of a task that is being computed are locked by the process
that does so. The system frees these locks when the process ends, however it ends, so what is locked is
never deleted, and what is not is never waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from wavetree.arrays import TEMPORARY, read_arrays
from wavetree.project.disk_use import FileCount, size_of
from wavetree.project.store import Store
from wavetree.simulation.restart import RESTART
from wavetree.sites.folder import JobFolder
from wavetree.sites.once import LOCK
from wavetree.sites.pool import LIMITS, Pool
from wavetree.sites.slurm import MEMBERS

__all__ = ["Orphans", "delete"]

# A process writes a mesh, or the input of a task, shortly before it stores that it needs them.
_GRACE_SECONDS = 60.0
_log = logging.getLogger("wavetree")


def delete(paths: Iterable[Path]) -> FileCount:
    """Delete files, and folders of tasks, but for those that a running process holds."""
    deleted = FileCount()
    for path in paths:
        with _unlocked(path / LOCK if path.is_dir() else path) as free:
            if not free:
                continue
            size = size_of([path])
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            deleted += size
    return deleted


class Orphans:
    """Files of a project that nothing refers to.

    Parameters
    ----------
    folder
        The project's folder.
    store
        Its database.

    Notes
    -----
    Orphans are temporary files whose writer has died; and, once they are a minute old, meshes and folders of
    iterations that the database does not mention, and results of tasks that are neither mentioned nor
    `needed`, with the misfits and gradients that came from them; what sites keep of jobs whose results were
    taken over; and restart files of runs that are done. Volume models and external data are kept.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store

    def temporary(self) -> list[Path]:
        """Return the files that somebody began to write, but died."""
        found = []
        for file in sorted(self._folder.rglob(f".*{TEMPORARY}")):
            with _unlocked(file) as free:
                found += [file] if free else []
        return found

    def unmentioned(self) -> list[Path]:
        """Return meshes and folders of iterations that the database does not mention."""
        mentioned = self._store.mentioned_digests()
        files = (f for f in sorted(self._folder.glob("meshes/*")) if f.suffix in (".h5", ".xdmf"))
        meshes = [file for file in files if file.stem not in mentioned]
        known = {f"{problem}/{number:04d}" for problem, number, _ in self._store.iteration_ids()}
        nodes = sorted(self._folder.glob("inversions/*/*"))
        return _old([*meshes, *(node for node in nodes if f"{node.parent.name}/{node.name}" not in known)])

    def finished_jobs(self) -> list[Path]:
        """Return folders of job arrays and queues that nothing is left of, and restart files of done runs."""
        folders = sorted(self._folder.glob("jobs/*/*"))
        arrays = [one for one in folders if (one / MEMBERS).is_file() and not self._is_used(one)]
        queues = [one for one in folders if (one / LIMITS).is_file() and Pool(one).is_idle]
        restarts = sorted(self._folder.glob(f"results/*/*/{RESTART}"))
        done = [file for file in restarts if self._status(file.parent.name) == "done"]
        return _old([*arrays, *queues, *done])

    def _is_used(self, array: Path) -> bool:
        """Whether a job of an array may still run, or has failed, which what it printed may explain."""
        for name in (Path(line).name for line in (array / MEMBERS).read_text().splitlines()):
            if self._status(name) in ("issued", "failed"):
                found = JobFolder.read(self._folder / "results" / name[:2] / name)
                if found is not None and found.place.get("array") == array.name:
                    return True
        return False

    def _status(self, task: str) -> str | None:
        record = self._store.find_task(task)
        return None if record is None else record.status

    def unneeded(self, needed: Collection[str]) -> list[Path]:
        """Return folders of tasks and files of misfits that nothing refers to.

        Parameters
        ----------
        needed
            Digests of tasks that are needed besides those that the database mentions.
        """
        kept = self._store.mentioned_digests() | set(needed)
        kept |= {task for forward, task in self._store.gradient_tasks() if forward in kept}
        tasks = [path for path in sorted(self._folder.glob("results/*/*")) if path.name not in kept]
        misfits = sorted(self._folder.glob("adjoint_sources/*/*.h5"))
        spared = {None, *kept}
        return _old([*tasks, *(file for file in misfits if _forward_of(file) not in spared)])


def _old(paths: Iterable[Path]) -> list[Path]:
    limit, old = time.time() - _GRACE_SECONDS, []
    for path in paths:
        with contextlib.suppress(OSError):
            newest = max(file.stat().st_mtime for file in (path, *path.rglob("*")))
            old += [path] if newest < limit else []
    return old


def _forward_of(file: Path) -> str | None:
    """The forward task that a misfit was computed from; None where that cannot be said."""
    try:
        forward = read_arrays(file, [])[1].get("forward")
    except ValueError:
        return None
    return None if forward is None else str(forward)


@contextlib.contextmanager
def _unlocked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file for a while, if nobody else does; yield whether that is so.

    A file that does not exist is locked by nobody; where there are no locks, nothing is known to be free.
    """
    with contextlib.ExitStack() as stack:
        try:
            fcntl.flock(stack.enter_context(path.open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except FileNotFoundError:
            free = True
        except OSError:
            free = False
        yield free
