"""What was written to or read from files last, for who reads it next in this process."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import numpy as np

__all__ = ["ArrayCache", "Identity", "identity_of"]

Identity = tuple[int, ...]
Arrays = dict[str, np.ndarray]


def identity_of(file: Path | int) -> Identity | None:
    """Return what tells a file, or an open one, from all others and from itself after a change.

    Returns
    -------
    tuple or None
        Device, inode, size and time of modification; None if there is no such file.
    """
    try:
        said = os.stat(file)
    except OSError:
        return None
    return said.st_dev, said.st_ino, said.st_size, said.st_mtime_ns


class ArrayCache:
    """Arrays and a text of each of some small files; the least used are forgotten first.

    Parameters
    ----------
    capacity
        Bytes of all files together.
    largest
        Bytes of one; what files hold that have more is not kept.

    Notes
    -----
    A file that was replaced, or changed in place, has another identity: what was kept of it is not found.
    """

    def __init__(self, capacity: int, largest: int) -> None:
        self._capacity, self._largest = capacity, largest
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[Identity, Arrays, str]] = OrderedDict()
        self._bytes = 0

    def put(self, path: Path, identity: Identity | None, arrays: Mapping[str, np.ndarray], text: str) -> None:
        """Keep copies of the arrays of a file and its text, unless they are too large or it is gone."""
        size = _size(arrays, text)
        copies = {name: array.copy() for name, array in arrays.items()} if size <= self._largest else {}
        for array in copies.values():
            array.flags.writeable = False
        with self._lock:
            self._forget(str(path))
            if identity is None or size > self._largest:
                return
            self._kept[str(path)] = identity, copies, text
            self._bytes += size
            while self._bytes > self._capacity:
                self._forget(next(iter(self._kept)))

    def get(self, path: Path) -> tuple[Arrays, str] | None:
        """Return the arrays of a file, not to be written to, and its text; None if they are not kept."""
        with self._lock:
            found = self._kept.get(str(path))
            if found is None:
                return None
            if found[0] != identity_of(path):
                self._forget(str(path))
                return None
            self._kept.move_to_end(str(path))
            return found[1:]

    def _forget(self, path: str) -> None:
        if path in self._kept:
            self._bytes -= _size(*self._kept.pop(path)[1:])


def _size(arrays: Mapping[str, np.ndarray], text: str) -> int:
    return sum(array.nbytes for array in arrays.values()) + len(text)
