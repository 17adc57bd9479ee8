"""Who advances an iteration: one process at a time, and what is left of a dead one is taken over.

A lease only spares work and confusion. That nobody overwrites what somebody else has stored is the business
of the iterations' revisions, which hold even if two processes believe that they have the lease.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from typing import Any

from wavetree.errors import ProjectError
from wavetree.process import is_alive, name_process
from wavetree.project.store import Store

__all__ = ["Lease", "end_dead_leases", "lease_key"]

# Tokens of the leases that this process holds.
_held: set[str] = set()

_BEAT_SECONDS = 10.0
# A process on another host cannot be asked whether it lives: this many seconds without a sign say no.
_STALE_SECONDS = 120.0


class Lease:
    """The right to advance an iteration.

    Parameters
    ----------
    store
        The project's database.
    problem
        Name of the inverse problem.
    iteration_id
        The iteration.

    Notes
    -----
    The holder is named by host, boot of the host, process and the process's start time, so that neither a
    process of the same number nor the same process before a restart is taken for it, and gives a sign of life
    every 10 s. It is dead if its host is this one and the process is gone, or if there was no sign for 120 s.
    """

    def __init__(self, store: Store, problem: str, iteration_id: int) -> None:
        self._store = store
        self._key = lease_key(problem, iteration_id)
        self._mine: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def acquire(self) -> str | None:
        """Take the lease; return None if it is held now, else who has it in words."""
        if self._mine is not None:
            return None
        found = self._store.get_note(self._key)
        if found is not None and _alive(found):
            return f"process {found['process']} on {found['host']}"
        mine = {**name_process(), "token": uuid.uuid4().hex, "beat": time.time()}
        if not self._store.swap_note(self._key, found, mine):
            return "another process, which has just taken it"
        self._mine = mine
        _held.add(mine["token"])
        threading.Thread(target=self._beat, name="wavetree-lease", daemon=True).start()
        return None

    def release(self) -> None:
        """Give the lease back; nothing happens if it is not held."""
        self._ended.set()
        with self._lock:
            mine, self._mine = self._mine, None
        if mine is None:
            return
        _held.discard(mine["token"])
        # On a full disk the note stays; the token says that nobody holds it.
        with contextlib.suppress(ProjectError):
            if self._store.get_note(self._key) == mine:
                self._store.delete_note(self._key)

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            with self._lock:
                if self._mine is None:
                    return
                sign = {**self._mine, "beat": time.time()}
                try:
                    if not self._store.swap_note(self._key, self._mine, sign):
                        return  # taken over: what this process stores next is refused by its revision
                except ProjectError:
                    continue  # a full disk, for example; the next sign may get through
                self._mine = sign


def end_dead_leases(store: Store) -> None:
    """Delete the notes of processes that died while they held an iteration, when it had ended already."""
    for key in store.list_notes("lease/"):
        problem, _, number = key.removeprefix("lease/").rpartition("/")
        lease = Lease(store, problem, int(number))
        if lease.acquire() is None:
            lease.release()


def lease_key(problem: str, iteration_id: int) -> str:
    """Return the key of the note that holds the lease of an iteration."""
    return f"lease/{problem}/{iteration_id}"


def _alive(holder: dict[str, Any]) -> bool:
    mine = name_process()
    if all(holder[key] == mine[key] for key in mine):
        return holder["token"] in _held
    alive = is_alive(holder)
    return time.time() - holder["beat"] < _STALE_SECONDS if alive is None else alive
