"""What runs of this process have in common, made once and kept while it is of use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Shared"]

T = TypeVar("T")


@dataclass
class _Entry(Generic[T]):
    lock: Lock = field(default_factory=Lock)
    value: T | None = None


class Shared(Generic[T]):
    """Values by key, those that were asked for last.

    Parameters
    ----------
    kept
        How many are kept.

    Notes
    -----
    Who asks for a value that another thread is making waits for it; other values can be had meanwhile.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], keep: Callable[[T], bool] = lambda value: True) -> T:
        """Return the value of a key.

        Parameters
        ----------
        key
            Everything that the value depends on.
        make
            Makes it where it is not there; what this raises passes on, and nothing is kept.
        keep
            Whether a value that was made is to be kept for others.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > self._kept:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.value is not None:
                return entry.value
            value = make()
            if keep(value):
                entry.value = value
            return value
