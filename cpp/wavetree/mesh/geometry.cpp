#include "wavetree/mesh/geometry.hpp"

#include <array>
#include <cmath>
#include <utility>

#include "wavetree/core/errors.hpp"

namespace wavetree {

Geometry::Geometry(const Mesh& mesh, int order) : mesh_(mesh), gll_(order), n_nodes_(n_local_nodes(order, mesh.dim)) {
    mesh.check();
    const Gll shape(mesh.shape_order);
    const int n = gll_.n(), s = shape.n();
    interpolation_.resize(static_cast<std::size_t>(n) * s);
    derivative_.resize(static_cast<std::size_t>(n) * s);
    for (int i = 0; i < n; ++i) {
        lagrange(shape.points, gll_.points[i], &interpolation_[static_cast<std::size_t>(i) * s]);
        lagrange_derivative(shape.points, gll_.points[i], &derivative_[static_cast<std::size_t>(i) * s]);
    }
    weights_.assign(static_cast<std::size_t>(n_nodes_), 1.0);
    for (int node = 0; node < n_nodes_; ++node)
        for (int d = 0; d < mesh.dim; ++d) weights_[node] *= gll_.weights[node / power(n, d) % n];
}

void Geometry::evaluate(const double* shape_values, int derivative_axis, double* out) const {
    constexpr int max_nodes = (max_order + 1) * (max_order + 1) * (max_order + 1);
    double a[max_nodes], b[max_nodes];
    const int n = gll_.n(), s = mesh_.shape_order + 1;
    const double* from = shape_values;
    // Axis by axis: the axes before `axis` have n points already, those after still s.
    for (int axis = 0; axis < mesh_.dim; ++axis) {
        const double* matrix = (axis == derivative_axis ? derivative_ : interpolation_).data();
        const int inner = power(n, axis), outer = power(s, mesh_.dim - 1 - axis);
        double* to = axis == mesh_.dim - 1 ? out : (axis % 2 ? b : a);
        for (int o = 0; o < outer; ++o)
            for (int i = 0; i < n; ++i)
                for (int k = 0; k < inner; ++k) {
                    double sum = 0.0;
                    for (int j = 0; j < s; ++j) sum += matrix[i * s + j] * from[(o * s + j) * inner + k];
                    to[(o * n + i) * inner + k] = sum;
                }
        from = to;
    }
}

void Geometry::coordinates(Index e, double* x) const {
    const int dim = mesh_.dim, n_shape = mesh_.n_shape_nodes();
    double shape[125], values[729];
    for (int d = 0; d < dim; ++d) {
        for (int s = 0; s < n_shape; ++s) shape[s] = mesh_.points[mesh_.element(e)[s] * dim + d];
        evaluate(shape, -1, values);
        for (int node = 0; node < n_nodes_; ++node) x[node * dim + d] = values[node];
    }
}

void Geometry::jacobians(Index e, double* dx_dxi) const {
    const int dim = mesh_.dim, n_shape = mesh_.n_shape_nodes();
    double shape[125], values[729];
    for (int d = 0; d < dim; ++d) {
        for (int s = 0; s < n_shape; ++s) shape[s] = mesh_.points[mesh_.element(e)[s] * dim + d];
        for (int a = 0; a < dim; ++a) {
            evaluate(shape, a, values);
            for (int node = 0; node < n_nodes_; ++node) dx_dxi[(node * dim + d) * dim + a] = values[node];
        }
    }
}

double invert(int dim, const double* J, double* inverse) {
    if (dim == 2) {
        const double det = J[0] * J[3] - J[1] * J[2];
        inverse[0] = J[3] / det, inverse[1] = -J[1] / det;
        inverse[2] = -J[2] / det, inverse[3] = J[0] / det;
        return det;
    }
    const auto cofactor = [&](int r, int c) {
        const int r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;
        return J[r1 * 3 + c1] * J[r2 * 3 + c2] - J[r1 * 3 + c2] * J[r2 * 3 + c1];
    };
    const double det = J[0] * cofactor(0, 0) + J[1] * cofactor(0, 1) + J[2] * cofactor(0, 2);
    for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 3; ++c) inverse[r * 3 + c] = cofactor(c, r) / det;
    return det;
}

std::vector<double> node_coordinates(const Geometry& geometry) {
    const Mesh& mesh = geometry.mesh();
    const std::size_t stride = static_cast<std::size_t>(geometry.n_nodes()) * mesh.dim;
    std::vector<double> x(static_cast<std::size_t>(mesh.n_elements) * stride);
    for (Index e = 0; e < mesh.n_elements; ++e) geometry.coordinates(e, &x[e * stride]);
    return x;
}

Factors::Factors(const Geometry& geometry) {
    const Mesh& mesh = geometry.mesh();
    const int n = geometry.n_nodes(), dim = mesh.dim, block = dim * dim;
    mass_weights.resize(static_cast<std::size_t>(mesh.n_elements) * n);
    dxi_dx.resize(mass_weights.size() * block);
    std::vector<double> J(static_cast<std::size_t>(n) * block);
    for (Index e = 0; e < mesh.n_elements; ++e) {
        geometry.jacobians(e, J.data());
        double scale = 0.0, spread = 0.0;
        for (int node = 0; node < n; ++node) {
            const double det = invert(dim, &J[node * block], &dxi_dx[(e * n + node) * block]);
            if (!(det > 0.0))
                throw InputError("element " + std::to_string(e) + " is inverted or degenerate (Jacobian determinant " +
                                 std::to_string(det) + " at its node " + std::to_string(node) + "); its corners are " +
                                 mesh.corners(e) +
                                 "; expected a positive determinant: repair the element or its node order");
            mass_weights[e * n + node] = geometry.weight(node) * det;
            for (int k = 0; k < block; ++k) {
                scale = std::max(scale, std::abs(J[k]));
                spread = std::max(spread, std::abs(J[node * block + k] - J[k]));
            }
        }
        affine = affine && spread <= 1e-10 * scale;
    }
}

std::vector<SideNode> side_quadrature(const Geometry& geometry, const Side& side) {
    const Mesh& mesh = geometry.mesh();
    const int dim = mesh.dim, axis = side.side / 2, block = dim * dim;
    std::vector<double> J(static_cast<std::size_t>(geometry.n_nodes()) * block), inverse(block);
    geometry.jacobians(side.element, J.data());
    const double end_weight = geometry.gll().weights[0];
    std::vector<SideNode> result;
    for (int node : side_nodes(geometry.gll().n() - 1, dim, side.side)) {
        // Surface element of ξ_axis = const: detJ |∇ξ_axis|, along ±∇ξ_axis (Nanson's formula).
        const double det = invert(dim, &J[node * block], inverse.data());
        double square = 0.0;
        for (int d = 0; d < dim; ++d) square += inverse[axis * dim + d] * inverse[axis * dim + d];
        const double length = std::sqrt(square), outward = side.side % 2 ? 1.0 : -1.0;
        SideNode at{node, geometry.weight(node) / end_weight * det * length, {}};
        for (int d = 0; d < dim; ++d) at.normal[d] = outward * inverse[axis * dim + d] / length;
        result.push_back(at);
    }
    return result;
}

}  // namespace wavetree
