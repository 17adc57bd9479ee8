"""The problems whose time steps are timed, with what a point costs and the speed that is aimed at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wavetree.errors import unknown_name

__all__ = ["CASES", "MESHES", "ORDER", "VARIANTS", "Case", "find_cases"]

ORDER = 4
# Meshes of the same box, and as many events on the first as a vector register has numbers.
MESHES = {
    "box": "structured box",
    "deformed": "structured, deformed",
    "unstructured": "unstructured, deformed",
}
VARIANTS = {**MESHES, "events": "structured box, events in lanes"}


@dataclass(frozen=True)
class Case:
    """Waves in a box with absorbing edges, of so many elements per axis.

    Attributes
    ----------
    name
        What users choose it by.
    dim
        Number of space dimensions.
    solid
        Elastic waves in place of acoustic ones.
    n
        Elements per axis, those of the sponge among them.
    quick
        The same for a short look.
    flops, n_bytes
        Operations, and bytes in float32, that a time step of order 4 needs per element node.
    goals
        Million element-node updates per second and core, by variant, on the machine that `machine` describes.
    machine
        Multiply-adds [10⁹ flop/s] and copy bandwidth [10⁹ B/s] of that machine for a problem of this size.
    """

    name: str
    dim: int
    solid: bool
    n: int
    quick: int
    flops: float
    n_bytes: float
    goals: Mapping[str, float]
    machine: tuple[float, float]

    @property
    def title(self) -> str:
        """What readers see."""
        return f"{self.dim}-D {'elastic' if self.solid else 'acoustic'}"

    def n_points(self, n: int) -> int:
        """Return the element nodes of a mesh of n elements per axis."""
        return (n * (ORDER + 1)) ** self.dim

    def bytes_per_point(self, precision: str) -> float:
        """Return what a time step moves per element node [B]."""
        return self.n_bytes * (2.0 if precision == "float64" else 1.0)


# One core of a shared machine with AVX-512: 212 GFLOP/s in float32; 28 GB/s up to 64 MB, 16 GB/s beyond.
_CACHED, _MEMORY = (212.0, 28.0), (212.0, 16.0)
# Of the box's speed that deformed elements in the same order are to keep.
_DEFORMED = {False: 0.55, True: 0.7}


def _goals(solid: bool, box: float, unstructured: float, events: float) -> dict[str, float]:
    deformed = _DEFORMED[solid] * box
    return {"box": box, "deformed": deformed, "unstructured": unstructured, "events": events}


CASES = (
    Case("acoustic2d", 2, False, 300, 60, 30, 17, _goals(False, 1500, 800, 2000), _CACHED),
    Case("elastic2d", 2, True, 300, 60, 69, 31, _goals(True, 750, 380, 1000), _MEMORY),
    Case("acoustic3d", 3, False, 32, 12, 44, 15, _goals(False, 1100, 320, 1500), _CACHED),
    Case("elastic3d", 3, True, 32, 12, 147, 35, _goals(True, 260, 140, 330), _MEMORY),
    Case("acoustic3d-large", 3, False, 48, 16, 44, 15, _goals(False, 750, 320, 1500), _MEMORY),
    Case("elastic3d-large", 3, True, 48, 16, 147, 35, _goals(True, 220, 140, 330), _MEMORY),
)


def find_cases(names: Iterable[str] | None = None) -> tuple[Case, ...]:
    """Return cases by name.

    Parameters
    ----------
    names
        Their names, or ``["all"]``; None for all but the large ones, which take minutes and 7 GB.

    Raises
    ------
    ValueError
        If there is no such case.
    """
    if names is None:
        return tuple(case for case in CASES if not case.name.endswith("-large"))
    wanted, known = list(names), {case.name: case for case in CASES}
    if wanted == ["all"]:
        return CASES
    for name in wanted:
        if name not in known:
            raise unknown_name("case", name, [*known, "all"])
    return tuple(known[name] for name in wanted)
