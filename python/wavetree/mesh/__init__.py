"""Meshes: elements, fields, side sets, generators and files."""

from wavetree.mesh.box import box_mesh
from wavetree.mesh.dof_map import DofMap
from wavetree.mesh.from_domain import MeshResolution, mesh_from_domain, resolved_frequency
from wavetree.mesh.gradient import density_mesh, gradient_mesh
from wavetree.mesh.mesh import Mesh

__all__ = [
    "DofMap",
    "Mesh",
    "MeshResolution",
    "box_mesh",
    "density_mesh",
    "gradient_mesh",
    "mesh_from_domain",
    "resolved_frequency",
]
