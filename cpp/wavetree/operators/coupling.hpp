// The interface of a fluid and a solid: one surface matrix B and its transpose.
//
// With n out of the solid, the traction on the solid is σ·n = φ_tt n, the normal displacement of the fluid
// that of the solid; both enter as surface integrals over the same nodes:
//
//     M_s u_tt + K_s u = B φ_tt,   M_f φ_tt + K_f φ = −Bᵀ u,   B_(i,d),j = Σ weight n_d                 (1)
#pragma once

#include <vector>

#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/geometry.hpp"

namespace wavetree {

// Sides that elements of `inner` have in common with elements that are not, seen from the inner ones.
// inner: (n_elements), 1 or 0.
std::vector<Side> interface_sides(const Mesh& mesh, const std::vector<char>& inner);

class Coupling {
  public:
    // map: the numbering of the whole mesh; fluid, solid: number of its dofs in the two media.
    Coupling(const Geometry& geometry, const DofMap& map, const std::vector<Side>& solid_sides,
             const std::vector<Index>& fluid, const std::vector<Index>& solid);
    explicit Coupling(int dim) : dim_(dim) {}

    bool empty() const { return nodes_.empty(); }

    // scale · Bᵀ u by add(dof, 0, amount), with u(dof, component).
    template <class U, class Add>
    void to_fluid(double scale, U&& u, Add&& add) const {
        for (const Node& node : nodes_) {
            double sum = 0.0;
            for (int d = 0; d < dim_; ++d) sum += node.weight[d] * static_cast<double>(u(node.solid, d));
            add(node.fluid, 0, scale * sum);
        }
    }

    // scale · B φ by add(dof, component, amount), with φ(dof).
    template <class U, class Add>
    void to_solid(double scale, U&& phi, Add&& add) const {
        for (const Node& node : nodes_) {
            const double value = scale * static_cast<double>(phi(node.fluid));
            for (int d = 0; d < dim_; ++d) add(node.solid, d, value * node.weight[d]);
        }
    }

    // Dofs of the interface, as the fluid and as the solid number them.
    std::vector<Index> fluid_dofs() const { return dofs(&Node::fluid); }
    std::vector<Index> solid_dofs() const { return dofs(&Node::solid); }

  private:
    struct Node {
        Index fluid, solid;  // dofs of the two media at one place
        double weight[3];    // Σ weight n_d over the sides that meet here
    };
    std::vector<Index> dofs(Index Node::* which) const {
        std::vector<Index> result;
        for (const Node& node : nodes_) result.push_back(node.*which);
        return result;
    }
    int dim_;
    std::vector<Node> nodes_;
};

}  // namespace wavetree
