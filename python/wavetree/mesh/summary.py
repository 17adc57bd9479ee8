"""What a mesh holds, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavetree.mesh.side_sets import AXES

if TYPE_CHECKING:
    from wavetree.mesh.mesh import Mesh

__all__ = ["summary"]


def summary(mesh: Mesh) -> list[tuple[str, str]]:
    """Return what a mesh holds as titles and texts: elements, extent, fields, blocks, side sets."""
    kind = {2: "quads", 3: "hexes"}[mesh.dim]
    extent = ", ".join(f"{a} {lo:g} to {hi:g}" for a, (lo, hi) in zip(AXES, mesh.bounds, strict=False))
    order = f"shape order {mesh.shape_order}"
    lines = [("Mesh", f"{mesh.nelem} {kind} of {order}, {mesh.n_points} points"), ("extent [m]", extent)]
    for title, fields in (
        ("nodal_fields", mesh.nodal_fields),
        ("elemental_fields", mesh.elemental_fields),
        (f"element_nodal_fields of order {mesh.tensor_order}", mesh.element_nodal_fields),
    ):
        ranges = (f"{key} {values.min():g} to {values.max():g}" for key, values in sorted(fields.items()))
        if fields:
            lines.append((title, ", ".join(ranges)))
    if mesh.block_names:
        lines.append(("blocks", ", ".join(f"{number} {name}" for number, name in mesh.block_names.items())))
    if mesh.side_sets:
        sizes = (f"{key} ({len(rows)})" for key, rows in sorted(mesh.side_sets.items()))
        lines.append(("side_sets", ", ".join(sizes)))
    return lines
