"""Where things are, in words."""

from __future__ import annotations

from wavetree.mesh import Mesh

__all__ = ["place_of"]


def place_of(mesh: Mesh, element: int) -> str:
    """Return an element and its middle as text."""
    middle = ", ".join(f"{x:.5g}" for x in mesh.get_element_centroid()[element])
    return f"element {element} at ({middle}) m"
