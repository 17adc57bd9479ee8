#include "wavetree/operators/boundary.hpp"

#include <algorithm>

#include "wavetree/core/errors.hpp"

namespace wavetree {

namespace {

void check(const Mesh& mesh, const Side& side) {
    if (side.element < 0 || side.element >= mesh.n_elements || side.side < 0 || side.side >= 2 * mesh.dim)
        throw InputError("side (" + std::to_string(side.element) + ", " + std::to_string(side.side) +
                         ") does not exist; the mesh has " + std::to_string(mesh.n_elements) + " elements with " +
                         std::to_string(2 * mesh.dim) + " sides each");
}

}  // namespace

std::vector<ImpedanceNode> impedance_nodes(const Geometry& geometry, const std::vector<Side>& sides) {
    std::vector<ImpedanceNode> result;
    for (const Side& side : sides) {
        check(geometry.mesh(), side);
        for (const SideNode& at : side_quadrature(geometry, side)) result.push_back({side.element, at});
    }
    return result;
}

std::vector<Index> dirichlet_dofs(const Geometry& geometry, const DofMap& dofs, const std::vector<Side>& sides) {
    std::vector<Index> result;
    for (const Side& side : sides) {
        check(geometry.mesh(), side);
        for (int node : side_nodes(geometry.gll().n() - 1, geometry.mesh().dim, side.side))
            result.push_back(dofs.element_dofs[side.element * geometry.n_nodes() + node]);
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
}

}  // namespace wavetree
