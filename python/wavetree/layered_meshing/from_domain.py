"""Meshes of layered models."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from wavetree.layered_meshing.interface import Interface
from wavetree.layered_meshing.layers import Layer, measure_layers
from wavetree.layered_meshing.model import Bounds, LayeredModel, MeshingProtocol
from wavetree.layered_meshing.plan import equal_rows, plan_rows
from wavetree.mesh import Mesh, MeshResolution
from wavetree.mesh.checks import MAX_SHAPE_ORDER
from wavetree.mesh.from_domain import Box
from wavetree.mesh.layered import layered_mesh
from wavetree.mesh.rows import Row
from wavetree.mesh.side_sets import AXES, facet_nodes
from wavetree.model.overlay import merged
from wavetree.simulation.boundary import Absorbing, AbsorbingBoundaryParameters

__all__ = ["mesh_from_domain"]

logger = logging.getLogger("wavetree")

_FLATTEST = 0.05  # height of an element, in sizes of its layer; the time step falls with it
_FLAT = 1e-9  # of the largest extent: height differences of what is a plane


def mesh_from_domain(
    domain: Box, model: LayeredModel | MeshingProtocol, mesh_resolution: MeshResolution
) -> Mesh:
    """Mesh a layered model in a box, and sample its materials.

    Parameters
    ----------
    domain
        A box. Its upper side is not used if the model begins with an interface.
    model
        The layers, or a protocol with them.
    mesh_resolution
        How fine the mesh has to be.

    Returns
    -------
    Mesh
        With the parameters of the materials as element-nodal fields (of all materials in those of the most
        general one), the side sets x0, x1, y0, y1 (z0, z1), the last of them the top, flat or not, and
        the elemental field ``layer``, 0 for the topmost.

    Raises
    ------
    ValueError
        If interfaces cross, come so close that elements would be lower than 0.05 of their size, or bend
        too much for the elements; if a material or an interface is not given everywhere in its layer or the
        domain; if absorbing boundaries lie on topography; and if there would be more nodes than can be
        numbered.

    Notes
    -----
    In every layer edges along the axes are at most h = v_min / (f elements_per_wavelength) long, v_min the
    slowest wave of its material; sloping ones are longer by the slope. Where that saves work, the number of
    elements along the horizontal axes is doubled or tripled from one layer to the next, in rows of the layer
    with the longer waves (see `wavetree.layered_meshing.plan.plan_rows`), unless interfaces bend too much for
    it. Interfaces are faces of elements with nodes of order min(model_order, 4) on them; see
    `wavetree.mesh.layered.layered_mesh` for what lies between. Every material is sampled in its own elements
    alone.
    """
    ab = model.ab if isinstance(model, MeshingProtocol) else None
    model = model.model if isinstance(model, MeshingProtocol) else model
    bounds, order = domain.bounds, mesh_resolution.model_order
    interfaces, media = model.interfaces(bounds), model.media(bounds)
    layers = measure_layers(media, interfaces, bounds, mesh_resolution)
    mesh = _meshed(bounds[:-1], layers, interfaces, min(order, MAX_SHAPE_ORDER))
    if ab is not None:
        _refuse_topography(mesh, ab)
    parts = []
    for k, medium in enumerate(media):
        inside = np.flatnonzero(mesh.elemental_fields["layer"] == k)
        parts.append((inside, medium.evaluate(mesh.node_coordinates(order)[inside])))
    for name, values in merged(parts, (mesh.nelem, (order + 1) ** mesh.dim), mesh.dim).items():
        mesh.element_nodal_fields[name] = values
    return mesh


def _meshed(
    bounds: Bounds, layers: Sequence[Layer], interfaces: Sequence[Interface], shape_order: int
) -> Mesh:
    extents = [high - low for low, high in bounds]
    elevations = [interface.elevation for interface in interfaces]
    rows, equal = plan_rows(extents, layers), equal_rows(extents, layers)
    _refuse_low_elements(rows, layers)
    try:
        return layered_mesh(bounds, rows, elevations, shape_order=shape_order)
    except ValueError:
        if rows == equal:
            raise
    # Interfaces that bend within a wide element turn patterns over; columns bear more.
    _refuse_low_elements(equal, layers)
    logger.info(
        "Interfaces bend too much for wider elements where waves are longer: all layers have equal numbers, "
        "%d elements instead of %d.",
        *(sum(row.nelem for own in plan for row in own) for plan in (equal, rows)),
    )
    return layered_mesh(bounds, equal, elevations, shape_order=shape_order)


def _refuse_low_elements(rows: Sequence[Sequence[Row]], layers: Sequence[Layer]) -> None:
    for k, (own, layer) in enumerate(zip(rows, layers, strict=True)):
        share = min(row.lowest for row in own) / sum(row.height for row in own)
        if share * layer.thinnest < _FLATTEST * layer.size:
            raise ValueError(
                f"layer {k} is {layer.thinnest:g} m thick at {layer.place} m and {layer.thickest:g} m at "
                f"most, so that elements would be {share * layer.thinnest:.3g} m high; expected at least "
                f"{_FLATTEST:g} of their size {layer.size:g} m, which is a thickness of "
                f"{_FLATTEST * layer.size / share:.4g} m: move an interface, join the layer with its "
                "neighbour, or ask for smaller elements."
            )


def _refuse_topography(mesh: Mesh, ab: AbsorbingBoundaryParameters) -> None:
    """Refuse layers of absorbing boundaries where the mesh is no plane."""
    conditions = ab.resolve(mesh.side_sets)
    top = f"{AXES[mesh.dim - 1]}1"
    rows = mesh.side_sets[top]
    nodes = facet_nodes(mesh.dim, mesh.shape_order)[rows[:, 1]]
    heights = mesh.points[mesh.connectivity[rows[:, :1], nodes], -1]
    curved = np.ptp(heights) > _FLAT * max(high - low for low, high in mesh.bounds)
    absorbing = any(top in c.side_sets for c in conditions if isinstance(c, Absorbing) and c.width_in_meters)
    if curved and absorbing:
        raise ValueError(
            f"ab has absorbing layers at {top}, whose height varies by {np.ptp(heights):g} m; expected a "
            f"plane there: give free_surface=[{top!r}], or number_of_wavelengths=0 for the impedance "
            "condition alone."
        )
