"""Names of element blocks, and how they are stored beside numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

__all__ = ["checked_block_names", "packed_names", "unpacked_names"]


def checked_block_names(names: Mapping[int, str]) -> dict[int, str]:
    """Return names by number in ascending order, or refuse them with a ValueError."""
    for number, name in names.items():
        if int(number) != number or not isinstance(name, str) or not name:
            raise ValueError(
                f"block_names has {name!r} for {number!r}; expected a non-empty text for a whole number."
            )
    return {int(number): names[number] for number in sorted(names)}


def packed_names(names: Mapping[int, str]) -> np.ndarray:
    """Return names as UTF-8 bytes (n,) uint8 of a JSON list of [number, name]."""
    return np.frombuffer(json.dumps(list(names.items()), ensure_ascii=False).encode(), dtype=np.uint8)


def unpacked_names(data: np.ndarray) -> dict[int, str]:
    """Return the names that `packed_names` stored, or refuse other data with a ValueError."""
    try:
        return {int(number): str(name) for number, name in json.loads(np.asarray(data).tobytes().decode())}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"array 'block_names' cannot be read ({error}); expected UTF-8 JSON, a list of [number, name]."
        ) from error
