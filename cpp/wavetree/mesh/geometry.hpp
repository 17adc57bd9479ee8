// Reference-to-physical map of curved elements, evaluated at GLL points.
#pragma once

#include <vector>

#include "wavetree/basis/gll.hpp"
#include "wavetree/mesh/mesh.hpp"

namespace wavetree {

// x(ξ) = Σ_s l_s(ξ) x_s with the Lagrange polynomials of the shape nodes, which stand at the GLL
// points of the shape order.
class Geometry {
  public:
    Geometry(const Mesh& mesh, int order);

    int n_nodes() const { return n_nodes_; }

    // Coordinates of the GLL nodes of element e: x[node * dim + d] [m].
    void coordinates(Index e, double* x) const;

    // Jacobians: dx_dxi[(node * dim + d) * dim + a] = ∂x_d/∂ξ_a.
    void jacobians(Index e, double* dx_dxi) const;

    const Mesh& mesh() const { return mesh_; }
    const Gll& gll() const { return gll_; }

    // Quadrature weight of a node: product of the 1-D weights.
    double weight(int node) const { return weights_[static_cast<std::size_t>(node)]; }

  private:
    // Sum factorisation of one scalar field from shape nodes to GLL nodes; `derivative_axis` < 0
    // interpolates, otherwise differentiates along that axis.
    void evaluate(const double* shape_values, int derivative_axis, double* out) const;
    template <int n_shape_points>
    void evaluate_fixed(const double* shape_values, int derivative_axis, double* out) const;

    const Mesh mesh_;
    Gll gll_;
    int n_nodes_;
    std::vector<double> interpolation_, derivative_;  // (order + 1, shape_order + 1)
    std::vector<double> weights_;
};

// Inverse of a dim × dim Jacobian and its determinant.
double invert(int dim, const double* dx_dxi, double* dxi_dx);

// Coordinates of all element nodes: (n_elements, n_nodes, dim) [m].
std::vector<double> node_coordinates(const Geometry& geometry);

// Coefficients of x_d = Σ_m c[d * 2^dim + m] ξ^(m & 1) η^(m >> 1 & 1) ζ^(m >> 2) through corners (2^dim, dim).
void multilinear_map(int dim, const double* corners, double* c);

// Its Jacobian dx_dxi[d * dim + a] at ξ.
void multilinear_jacobian(int dim, const double* c, const double* xi, double* dx_dxi);

// Geometric factors of a whole mesh. Throws InputError that names the element and its corners
// where the Jacobian determinant is not positive.
struct Factors {
    explicit Factors(const Geometry& geometry);

    std::vector<double> mass_weights;    // (n_elements, n_nodes): quadrature weight times detJ [m^dim]
    std::vector<GeometryClass> classes;  // (n_elements), to rounding
};

// One node of a side.
struct SideNode {
    int node;          // element-local
    double weight;     // quadrature weight times surface element [m^(dim-1)]
    double normal[3];  // outward unit normal
};
std::vector<SideNode> side_quadrature(const Geometry& geometry, const Side& side);

}  // namespace wavetree
