"""Named arrays of a mesh: checked when they enter, read-only afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import numpy as np

from wavetree.errors import unknown_name

__all__ = ["CheckedArrays", "finite_array", "read_only"]


class CheckedArrays(MutableMapping[str, np.ndarray]):
    """A dictionary of arrays that checks what is put in and tells when it changes.

    The arrays are read-only: a changed field has to be attached anew, so that the digest of the
    mesh that holds it always belongs to its content.

    Parameters
    ----------
    kind
        What is stored, for messages, for example ``"nodal field"``.
    check
        ``check(name, data) -> array``; returns the array to keep (read-only, its own copy).
    changed
        Called after every change.
    """

    def __init__(
        self, kind: str, check: Callable[[str, Any], np.ndarray], changed: Callable[[], None]
    ) -> None:
        self._kind = kind
        self._check = check
        self._changed = changed
        self._arrays: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            # KeyError, as every mapping: `in`, `get` and `pop` with a default rest on it.
            raise KeyError(str(unknown_name(self._kind, name, self._arrays)))
        return self._arrays[name]

    def __setitem__(self, name: str, data: Any) -> None:
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(f"name of a {self._kind} is {name!r}; expected a non-empty text without '/'.")
        self._arrays[name] = self._check(name, data)
        self._changed()

    def __delitem__(self, name: str) -> None:
        self[name]  # for the message of an unknown name
        del self._arrays[name]
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def share(self, other: CheckedArrays) -> None:
        """Take over all arrays of a mesh with the same geometry; read-only arrays need no copy."""
        self._arrays.update(other._arrays)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {array.shape}' for name, array in self._arrays.items())}}}"


def read_only(array: np.ndarray) -> np.ndarray:
    """Forbid changes to an array and return it."""
    array.setflags(write=False)
    return array


def finite_array(name: str, data: Any) -> np.ndarray:
    """Return a read-only float64 copy of numbers.

    Raises
    ------
    ValueError
        If the data are not real numbers or contain NaN or infinity; the message says where.
    """
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has values of type {array.dtype}; expected real numbers.")
    array = np.array(array, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        bad = ~np.isfinite(array)
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} has {int(bad.sum())} values that are NaN or infinite, the first at index {index}; "
            "expected finite numbers."
        )
    return read_only(array)
