#include "wavetree/mesh/geometry.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "wavetree/core/errors.hpp"

namespace wavetree {

Geometry::Geometry(const Mesh& mesh, int order) : mesh_(mesh), gll_(order), n_nodes_(n_local_nodes(order, mesh.dim)) {
    if (mesh.n_elements > 0) mesh.check();  // one of several ranks may have none of a medium
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
    switch (mesh_.shape_order) {
        case 1:
            return evaluate_fixed<2>(shape_values, derivative_axis, out);
        case 2:
            return evaluate_fixed<3>(shape_values, derivative_axis, out);
        case 3:
            return evaluate_fixed<4>(shape_values, derivative_axis, out);
        default:
            return evaluate_fixed<5>(shape_values, derivative_axis, out);
    }
}

template <int s>
void Geometry::evaluate_fixed(const double* shape_values, int derivative_axis, double* out) const {
    constexpr int max_nodes = (max_order + 1) * (max_order + 1) * (max_order + 1);
    double a[max_nodes], b[max_nodes];
    const int n = gll_.n();
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

void multilinear_map(int dim, const double* corners, double* c) {
    const int n = 1 << dim;
    for (int d = 0; d < dim; ++d) {
        double* x = c + d * n;
        for (int k = 0; k < n; ++k) x[k] = corners[k * dim + d];
        for (int a = 0; a < dim; ++a)  // values at −1 and +1 become mean and half the difference
            for (int k = 0; k < n; ++k)
                if (!(k >> a & 1)) {
                    const double low = x[k], high = x[k | 1 << a];
                    x[k] = 0.5 * (low + high), x[k | 1 << a] = 0.5 * (high - low);
                }
    }
}

void multilinear_jacobian(int dim, const double* c, const double* xi, double* dx_dxi) {
    const int n = 1 << dim;
    for (int d = 0; d < dim; ++d)
        for (int a = 0; a < dim; ++a) {
            double sum = 0.0;
            for (int m = 0; m < n; ++m) {
                if (!(m >> a & 1)) continue;
                double term = c[d * n + m];
                for (int b = 0; b < dim; ++b)
                    if (b != a && (m >> b & 1)) term *= xi[b];
                sum += term;
            }
            dx_dxi[d * dim + a] = sum;
        }
}

namespace {

constexpr double rounding = 1e-10;  // relative to an element's size

// Class of an element, with the coefficients of its multilinear map.
GeometryClass classify(const Mesh& mesh, const Gll& shape, const std::vector<int>& corner_nodes, Index e, double* c) {
    const int dim = mesh.dim, n = 1 << dim;
    double corners[24], size = 0.0, bend = 0.0, twist = 0.0;
    for (int k = 0; k < n; ++k)
        std::copy_n(mesh.points + mesh.element(e)[corner_nodes[k]] * dim, dim, corners + k * dim);
    multilinear_map(dim, corners, c);
    for (int d = 0; d < dim; ++d)
        for (int m = 1; m < n; ++m) {
            const bool linear = (m & (m - 1)) == 0;
            (linear ? size : twist) = std::max(linear ? size : twist, std::abs(c[d * n + m]));
        }
    for (int s = 0; mesh.shape_order > 1 && s < mesh.n_shape_nodes(); ++s)
        for (int d = 0; d < dim; ++d) {
            double x = 0.0;
            for (int m = 0; m < n; ++m) {
                double term = c[d * n + m];
                for (int a = 0; a < dim; ++a)
                    if (m >> a & 1) term *= shape.points[s / power(shape.n(), a) % shape.n()];
                x += term;
            }
            bend = std::max(bend, std::abs(x - mesh.points[mesh.element(e)[s] * dim + d]));
        }
    if (bend > rounding * size) return GeometryClass::stored;
    return twist > rounding * size ? GeometryClass::multilinear : GeometryClass::affine;
}

double determinant(int dim, const double* J) {
    if (dim == 2) return J[0] * J[3] - J[1] * J[2];
    return J[0] * (J[4] * J[8] - J[5] * J[7]) + J[1] * (J[5] * J[6] - J[3] * J[8]) + J[2] * (J[3] * J[7] - J[4] * J[6]);
}

void refuse_inverted(const Mesh& mesh, Index e, int node, double det) {
    if (det > 0.0) return;
    throw InputError("element " + std::to_string(e) + " is inverted or degenerate (Jacobian determinant " +
                     std::to_string(det) + " at its node " + std::to_string(node) + "); its corners are " +
                     mesh.corners(e) + "; expected a positive determinant: repair the element or its node order");
}

}  // namespace

Factors::Factors(const Geometry& geometry) {
    const Mesh& mesh = geometry.mesh();
    const int n = geometry.n_nodes(), dim = mesh.dim, block = dim * dim, n1 = geometry.gll().n();
    const Gll shape(mesh.shape_order);
    const auto corners = corner_nodes(mesh.shape_order, dim);
    mass_weights.resize(static_cast<std::size_t>(mesh.n_elements) * n);
    classes.resize(static_cast<std::size_t>(mesh.n_elements));
    std::vector<double> J(static_cast<std::size_t>(n) * block);
    for (Index e = 0; e < mesh.n_elements; ++e) {
        double c[24], xi[3] = {};
        classes[e] = classify(mesh, shape, corners, e, c);
        if (classes[e] == GeometryClass::stored) geometry.jacobians(e, J.data());
        if (classes[e] == GeometryClass::affine) multilinear_jacobian(dim, c, xi, J.data());
        for (int node = 0; node < n; ++node) {
            double* at = &J[classes[e] == GeometryClass::affine ? 0 : node * block];
            for (int a = 0; a < dim; ++a) xi[a] = geometry.gll().points[node / power(n1, a) % n1];
            if (classes[e] == GeometryClass::multilinear) multilinear_jacobian(dim, c, xi, at);
            const double det = determinant(dim, at);
            refuse_inverted(mesh, e, node, det);
            mass_weights[e * n + node] = geometry.weight(node) * det;
        }
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
