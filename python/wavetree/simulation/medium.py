"""The medium of a mesh: parameter fields checked, split into fluid and solid, derivatives collected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import change_order
from wavetree.model.parameter_set import Fault, ParameterSet, Values
from wavetree.model.parameters import UNITS, find_set

__all__ = [
    "MediumPart",
    "collect",
    "fastest_velocity",
    "find_fault",
    "fluid_elements",
    "listed_values",
    "medium",
    "parameter_set",
    "parameter_values",
    "slowest_velocity",
    "split",
]


@dataclass(frozen=True)
class MediumPart:
    """Elements of one physics and their coefficients.

    Attributes
    ----------
    physics
        ``"acoustic"``, ``"elastic"`` or ``"anisotropic"``.
    elements
        Their indices (n,) int64, increasing.
    coefficients
        Coefficients of the core (n_coefficients, n, n_nodes); see `ParameterSet`.
    """

    physics: str
    elements: np.ndarray
    coefficients: np.ndarray

    @property
    def medium(self) -> str:
        """What the elements are, "fluid" or "solid"."""
        return "fluid" if self.physics == "acoustic" else "solid"


def medium(mesh: Mesh, tensor_order: int) -> Mesh:
    """Return the mesh with its parameters as element-nodal fields of the wavefield's order.

    Parameters
    ----------
    mesh
        With the fields of one parameter set, nodal, elemental or element-nodal, for example VP [m/s] and RHO
        [kg/m^3] of a fluid, and VS [m/s] besides in solids.
    tensor_order
        Order of the wavefield, 1 to 8.

    Raises
    ------
    ValueError
        If a field is missing or belongs to another set, if values are those of no medium, or if an element is
        fluid at some of its nodes and solid at others.
    """
    everything = {**mesh.nodal_fields, **mesh.elemental_fields, **mesh.element_nodal_fields}
    found = find_set(everything, mesh.dim)
    result = mesh.with_tensor_order(tensor_order)
    for name in (*found.names, *found.orientation):
        if name in mesh.elemental_fields:
            n_nodes = (tensor_order + 1) ** mesh.dim
            result.attach_field(name, np.repeat(mesh.elemental_fields[name][:, None], n_nodes, axis=1))
        elif name in mesh.nodal_fields:
            at_nodes = mesh.nodal_fields[name][mesh.connectivity]
            result.attach_field(name, change_order(at_nodes, mesh.dim, mesh.shape_order, tensor_order))
    values = parameter_values(result)
    fault = find_fault(found, values)
    if fault is not None:
        raise _refusal(result, fault, values)
    return result


def parameter_set(mesh: Mesh) -> ParameterSet:
    """Return the parameter set of a mesh that has its parameters as element-nodal fields.

    Raises
    ------
    ValueError
        If parameters are missing or belong to another set.
    """
    return find_set(mesh.element_nodal_fields, mesh.dim)


def parameter_values(mesh: Mesh) -> dict[str, np.ndarray]:
    """Return parameters and orientation of a mesh that `medium` made, (nelem, n_nodes) by name."""
    found = parameter_set(mesh)
    fields = mesh.element_nodal_fields
    return {name: fields[name] for name in (*found.names, *found.orientation) if name in fields}


def fluid_elements(mesh: Mesh, elements: np.ndarray | None = None) -> np.ndarray:
    """Say which elements of a mesh that `medium` made are fluid: bool (nelem,).

    Parameters
    ----------
    mesh
        The mesh.
    elements
        Numbers of the elements (n,) to say it of, in place of all.
    """
    values = parameter_values(mesh)
    if elements is not None:
        values = {name: value[elements] for name, value in values.items()}
    return np.asarray(parameter_set(mesh).is_fluid(values).all(axis=1))


def find_fault(parameters: ParameterSet, values: Values) -> Fault | None:
    """Return the first thing that is wrong with a medium (nelem, n_nodes), None if nothing is."""
    if parameters.shear:
        fluid = parameters.is_fluid(values)
        mixed = np.asarray(fluid.any(axis=1) & ~fluid.all(axis=1))
        if mixed.any():
            return Fault(
                parameters.shear,
                fluid & mixed[:, None],
                "zero at some nodes of an element that is solid at others",
                "shear at all nodes of an element or at none: let fluid and solid meet at a face of elements "
                "and give fields per element or element node",
            )
    return parameters.first_fault(values)


def slowest_velocity(mesh: Mesh) -> np.ndarray:
    """Return the velocity of the slowest wave in every element (nelem,) [m/s]."""
    return np.asarray(parameter_set(mesh).slowest_velocity(parameter_values(mesh)).min(axis=1))


def fastest_velocity(mesh: Mesh) -> np.ndarray:
    """Return the velocity of the fastest wave at every node (nelem, n_nodes) [m/s].

    Parameters
    ----------
    mesh
        A mesh that `medium` returned. Of anisotropic solids it is the fastest wave along an axis.
    """
    velocity = np.empty(parameter_values(mesh)[parameter_set(mesh).names[0]].shape)
    for part in split(mesh):
        c = part.coefficients
        if part.physics == "acoustic":
            squared = c[1] / c[0]
        elif part.physics == "elastic":
            squared = (c[1] + 2.0 * c[2]) / c[0]
        else:
            # C11, C22, ... in the upper triangle of the Voigt matrix, row by row.
            n = {2: 3, 3: 6}[mesh.dim]
            diagonal = [1 + i * n - i * (i - 1) // 2 for i in range(mesh.dim)]
            squared = c[diagonal].max(axis=0) / c[0]
        velocity[part.elements] = np.sqrt(squared)
    return velocity


def split(mesh: Mesh) -> list[MediumPart]:
    """Return the parts of a medium that have elements: the fluid one first, then the solid one.

    Parameters
    ----------
    mesh
        A mesh that `medium` returned.
    """
    found, values = parameter_set(mesh), parameter_values(mesh)
    parts = []
    for physics, elements in _parts(mesh, found):
        part = {name: value[elements] for name, value in values.items()}
        coefficients = np.ascontiguousarray(found.to_core(part, physics), dtype=np.float64)
        parts.append(MediumPart(physics, elements, coefficients))
    return parts


def collect(mesh: Mesh, by_part: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the derivative by every parameter, the transpose of the derivative of `split`.

    Parameters
    ----------
    mesh
        The mesh whose parts they are.
    by_part
        Derivative by the coefficients of every part, (n_coefficients, n, n_nodes), in the order of `split`.

    Returns
    -------
    dict
        (nelem, n_nodes) by parameter, zero where a parameter does not enter.

    Raises
    ------
    ValueError
        If a part is missing or has another shape.
    """
    found, values = parameter_set(mesh), parameter_values(mesh)
    parts = _parts(mesh, found)
    shape = values[found.names[0]].shape
    if len(by_part) != len(parts):
        raise ValueError(
            f"by_part has {len(by_part)} parts; expected {len(parts)}: {', '.join(p for p, _ in parts)}."
        )
    derivative = {name: np.zeros(shape) for name in found.names}
    for (physics, elements), by_core in zip(parts, by_part, strict=True):
        part = {name: value[elements] for name, value in values.items()}
        if np.shape(by_core)[1:] != (len(elements), shape[1]):
            raise ValueError(
                f"by_part of the {physics} elements has shape {np.shape(by_core)}; expected (n_coefficients, "
                f"{len(elements)}, {shape[1]})."
            )
        for name, found_part in found.chain(part, np.asarray(by_core, dtype=np.float64), physics).items():
            derivative[name][elements] = found_part
    return derivative


def listed_values(values: Values, names: Sequence[str], place: tuple[int, int]) -> str:
    """Return the values of parameters at one element and node as text, with their units."""
    texts = [f"{values[name][place]:g} {UNITS[name]}".rstrip() for name in names]
    return ", ".join(texts)


def _parts(mesh: Mesh, parameters: ParameterSet) -> list[tuple[str, np.ndarray]]:
    fluid = fluid_elements(mesh)
    parts = [("acoustic", np.flatnonzero(fluid)), (parameters.physics, np.flatnonzero(~fluid))]
    return [(physics, elements.astype(np.int64)) for physics, elements in parts if len(elements)]


def _refusal(mesh: Mesh, fault: Fault, values: Values) -> ValueError:
    element, node = (int(i) for i in np.argwhere(fault.bad)[0])
    place = ", ".join(f"{x:g}" for x in mesh.get_element_nodes()[element, node])
    one = len(fault.names) == 1
    names = repr(fault.names[0]) if one else ", ".join(fault.names)
    return ValueError(
        f"{'field' if one else 'fields'} {names} of the mesh {'is' if one else 'are'} "
        f"{listed_values(values, fault.names, (element, node))} in element {element} at ({place}) m and "
        f"{fault.problem} at {int(fault.bad.sum())} of {fault.bad.size} nodes; expected {fault.expected}."
    )
