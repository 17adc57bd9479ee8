// Plain double-precision counterparts of what the kernels compute: dense, element by element, no sum
// factorisation. The only thing they share with the core is the GLL basis, which has tests of its own.
#pragma once

#include <array>
#include <vector>

#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/mesh.hpp"

namespace wavetree::tests {

// Values, or derivatives along `derivative_axis` >= 0, of all tensor-product Lagrange polynomials of an
// order at ξ.
std::vector<double> shape_functions(int order, int dim, const double* xi, int derivative_axis = -1);

// x(ξ) in element e.
std::array<double, 3> map_point(const Mesh& mesh, Index e, const double* xi);

// Reference coordinates of GLL node `node` of an order.
std::array<double, 3> node_position(int order, int dim, int node);

// Integrals over all elements. Coefficients are the upper triangle of a symmetric tensor T, row by row,
// or a scalar: (1 or dim (dim + 1) / 2, n_elements, n_nodes).
class Reference {
  public:
    Reference(const Mesh& mesh, int order);

    const DofMap& dofs() const { return dofs_; }
    // Σ_q w_q detJ_q per dof
    std::vector<double> mass() const;
    // (n_dofs, dim), from the element that comes last
    std::vector<double> coordinates() const;
    // K u
    std::vector<double> stiffness(const std::vector<double>& coefficients, const std::vector<double>& u) const;

  private:
    // At one quadrature node of one element: weight times detJ, and ∂l_i/∂x_d at [d][i].
    struct Quadrature {
        double weight;
        std::array<std::vector<double>, 3> gradient;
    };
    Quadrature quadrature(Index e, int node) const;

    Mesh mesh_;
    int order_, n_nodes_;
    DofMap dofs_;
};

}  // namespace wavetree::tests
