"""The fields that receivers record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FIELDS", "ReceiverField"]

_AXES = {2: ("X", "Y"), 3: ("X", "Y", "Z")}
_COMPONENTS: dict[str, Mapping[int, tuple[str, ...]]] = {
    "scalar": {2: ("A",), 3: ("A",)},
    "vector": _AXES,
    "symmetric tensor": {2: tuple("012"), 3: tuple("012345")},
    "tensor": {2: tuple("0123"), 3: tuple("012345678")},
}


@dataclass(frozen=True)
class ReceiverField:
    """A field that receivers record.

    Attributes
    ----------
    name
        What users call it.
    medium
        "fluid" or "solid": where it is.
    kind
        "scalar", "vector", "symmetric tensor" or "tensor".
    time_derivative
        How often the wavefield (φ in fluids, u in solids) is differentiated by time.
    unit
        SI unit.

    Notes
    -----
    Components are called "A" (scalars), "X", "Y", "Z" (vectors), "0", "1", ... in the order xx, yy, xy or
    xx, yy, zz, yz, xz, xy (symmetric tensors; the strain is ε_xy itself, not 2ε_xy) and row by row, first
    ∂u_x/∂x, then ∂u_x/∂y (tensors).
    """

    name: str
    medium: str
    kind: str
    time_derivative: int
    unit: str

    def components(self, dim: int) -> tuple[str, ...]:
        """Return the names of the components in a number of dimensions, 2 or 3."""
        return _COMPONENTS[self.kind][dim]


FIELDS: Mapping[str, ReceiverField] = {
    field.name: field
    for field in (
        ReceiverField("phi", "fluid", "scalar", 0, "Pa s^2"),
        ReceiverField("phi_t", "fluid", "scalar", 1, "Pa s"),
        ReceiverField("phi_tt", "fluid", "scalar", 2, "Pa"),
        ReceiverField("pressure", "fluid", "scalar", 2, "Pa"),  # -phi_tt
        ReceiverField("gradient-of-phi", "fluid", "vector", 0, "Pa s^2/m"),
        ReceiverField("displacement", "solid", "vector", 0, "m"),
        ReceiverField("velocity", "solid", "vector", 1, "m/s"),
        ReceiverField("acceleration", "solid", "vector", 2, "m/s^2"),
        ReceiverField("strain", "solid", "symmetric tensor", 0, "1"),
        ReceiverField("stress", "solid", "symmetric tensor", 0, "Pa"),
        ReceiverField("gradient-of-displacement", "solid", "tensor", 0, "1"),
    )
}
"""All fields by name."""
