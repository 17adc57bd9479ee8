"""Meshes: elements, fields, side sets, generators and files."""

from wavetree.mesh.box import box_mesh
from wavetree.mesh.disc import disc_mesh
from wavetree.mesh.dof_map import DofMap
from wavetree.mesh.extraction import extract_model_to_regular_grid
from wavetree.mesh.from_domain import MeshResolution, mesh_from_domain, resolved_frequency
from wavetree.mesh.from_file import read_mesh_file
from wavetree.mesh.gradient import density_mesh, gradient_mesh
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.quality import MeshQuality
from wavetree.mesh.report import MeshReport
from wavetree.mesh.ring import cap_mesh, ring_mesh, sector_mesh

__all__ = [
    "DofMap",
    "Mesh",
    "MeshQuality",
    "MeshReport",
    "MeshResolution",
    "box_mesh",
    "cap_mesh",
    "density_mesh",
    "disc_mesh",
    "extract_model_to_regular_grid",
    "gradient_mesh",
    "mesh_from_domain",
    "read_mesh_file",
    "resolved_frequency",
    "ring_mesh",
    "sector_mesh",
]
