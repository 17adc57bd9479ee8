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

// The flux of a physics as a full tensor, flux_(c,d) = Σ_(k,l) at[c][d][k][l] ∂u_k/∂x_l.
struct FluxTensor {
    double at[3][3][3][3];
};

// From the stiffness coefficients at one point: M1; λ and μ; the upper triangle of the Voigt matrix or of a
// tensor of diffusion, row by row.
FluxTensor flux_tensor(PhysicsId physics, int dim, const std::vector<double>& coefficients);

int n_components(PhysicsId physics, int dim);

// Integrals over all elements, K u by flux tensors.
class Reference {
  public:
    Reference(const Mesh& mesh, int order);

    const DofMap& dofs() const { return dofs_; }
    // Σ_q w_q detJ_q density_q per dof; density: (n_elements, n_nodes), or all 1
    std::vector<double> mass(const double* density = nullptr) const;
    // (n_dofs, dim), from the element that comes last
    std::vector<double> coordinates() const;
    // K u, with coefficients (n_coefficients, n_elements, n_nodes) and u (n_dofs, n_components)
    std::vector<double> stiffness(PhysicsId physics, const std::vector<double>& coefficients,
                                  const std::vector<double>& u) const;

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
    std::vector<double> weights_;  // (n_nodes)
    // At every node, by axis: derivatives along ξ of all shape functions of the mesh and of the order.
    std::vector<std::array<std::vector<double>, 3>> shape_slopes_, slopes_;
};

}  // namespace wavetree::tests
