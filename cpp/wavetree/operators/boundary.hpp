// Boundary conditions, applied by side: each turns a list of element sides into nodal data.
#pragma once

#include <vector>

#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/geometry.hpp"

namespace wavetree {

// One node of an absorbing side: the damping of its dof gains weight * Z(material of that node, normal).
struct ImpedanceNode {
    Index element;
    SideNode at;
};

std::vector<ImpedanceNode> impedance_nodes(const Geometry& geometry, const std::vector<Side>& sides);

// Dofs on the given sides, ascending, where the field is held at zero.
std::vector<Index> dirichlet_dofs(const Geometry& geometry, const DofMap& dofs, const std::vector<Side>& sides);

}  // namespace wavetree
