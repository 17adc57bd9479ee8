#include "wavetree/operators/coupling.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace wavetree {

namespace {

using Corners = std::array<Index, 4>;  // sorted; −1 beyond the two corners of an edge

Corners side_corners(const Mesh& mesh, const Side& side) {
    const auto corners = corner_nodes(mesh.shape_order, mesh.dim);
    Corners key{-1, -1, -1, -1};
    int n = 0;
    for (std::size_t c = 0; c < corners.size(); ++c)
        if (static_cast<int>(c >> (side.side / 2) & 1) == side.side % 2)
            key[n++] = mesh.element(side.element)[corners[c]];
    std::sort(key.begin(), key.end());
    return key;
}

}  // namespace

std::vector<Side> interface_sides(const Mesh& mesh, const std::vector<char>& inner) {
    std::map<Corners, Side> sides;
    for (Index e = 0; e < mesh.n_elements; ++e)
        for (int s = 0; inner[e] && s < 2 * mesh.dim; ++s) sides[side_corners(mesh, {e, s})] = {e, s};
    std::vector<Side> found;
    for (Index e = 0; e < mesh.n_elements; ++e)
        for (int s = 0; !inner[e] && s < 2 * mesh.dim; ++s)
            if (const auto it = sides.find(side_corners(mesh, {e, s})); it != sides.end()) found.push_back(it->second);
    return found;
}

Coupling::Coupling(const Geometry& geometry, const DofMap& map, const std::vector<Side>& solid_sides,
                   const std::vector<Index>& fluid, const std::vector<Index>& solid)
    : dim_(geometry.mesh().dim) {
    std::map<Index, Node> nodes;  // by dof of the whole mesh, so that their order depends on the mesh alone
    for (const Side& side : solid_sides)
        for (const SideNode& at : side_quadrature(geometry, side)) {
            const Index dof = map.element_dofs[side.element * geometry.n_nodes() + at.node];
            Node& node = nodes.try_emplace(dof, Node{fluid[dof], solid[dof], {}}).first->second;
            for (int d = 0; d < dim_; ++d) node.weight[d] += at.weight * at.normal[d];
        }
    for (const auto& entry : nodes) nodes_.push_back(entry.second);
}

}  // namespace wavetree
