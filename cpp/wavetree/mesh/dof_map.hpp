// Numbering of the continuous GLL nodes of any order on any conforming mesh.
#pragma once

#include <vector>

#include "wavetree/mesh/mesh.hpp"

namespace wavetree {

struct DofMap {
    std::vector<Index> element_dofs;  // (n_elements, n_nodes)
    Index n_dofs = 0;

    Index n_elements(Index n_nodes) const { return static_cast<Index>(element_dofs.size()) / n_nodes; }
};

// Nodes shared by elements are found by topology alone (corner numbers), whatever the elements'
// orientation; dofs are numbered in the order in which elements first touch them.
DofMap make_dof_map(const Mesh& mesh, int order);

// The numbering of some of the elements alone, and for every dof of `map` its number there or −1.
DofMap select(const DofMap& map, Index n_nodes, const std::vector<Index>& elements, std::vector<Index>& number);

}  // namespace wavetree
