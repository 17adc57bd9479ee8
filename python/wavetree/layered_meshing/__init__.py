"""Meshes of layers of materials between flat and curved interfaces, topography among them."""

from wavetree.layered_meshing import interface
from wavetree.layered_meshing.from_domain import mesh_from_domain
from wavetree.layered_meshing.model import LayeredModel, MeshingProtocol
from wavetree.mesh import MeshResolution
from wavetree.simulation.boundary import AbsorbingBoundaryParameters

__all__ = [
    "AbsorbingBoundaryParameters",
    "LayeredModel",
    "MeshResolution",
    "MeshingProtocol",
    "interface",
    "mesh_from_domain",
]
