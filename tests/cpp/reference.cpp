#include "reference.hpp"

#include <algorithm>

#include "wavetree/basis/gll.hpp"

namespace wavetree::tests {

std::vector<double> shape_functions(int order, int dim, const double* xi, int derivative_axis) {
    const Gll gll(order);
    std::vector<double> result(static_cast<std::size_t>(power(order + 1, dim)), 1.0), line(gll.points.size());
    for (int d = 0; d < dim; ++d) {
        (d == derivative_axis ? lagrange_derivative : lagrange)(gll.points, xi[d], line.data());
        for (std::size_t i = 0; i < result.size(); ++i)
            result[i] *= line[static_cast<int>(i) / power(order + 1, d) % (order + 1)];
    }
    return result;
}

std::array<double, 3> map_point(const Mesh& mesh, Index e, const double* xi) {
    std::array<double, 3> x{};
    const auto values = shape_functions(mesh.shape_order, mesh.dim, xi);
    for (std::size_t s = 0; s < values.size(); ++s)
        for (int d = 0; d < mesh.dim; ++d) x[d] += values[s] * mesh.points[mesh.element(e)[s] * mesh.dim + d];
    return x;
}

std::array<double, 3> node_position(int order, int dim, int node) {
    const Gll gll(order);
    std::array<double, 3> xi{};
    for (int d = 0; d < dim; ++d) xi[d] = gll.points[node / power(order + 1, d) % (order + 1)];
    return xi;
}

int n_components(PhysicsId physics, int dim) {
    return physics == PhysicsId::elastic || physics == PhysicsId::anisotropic ? dim : 1;
}

namespace {

// Entry (row, column) of a symmetric n × n matrix in its upper triangle, row by row.
int triangle(int n, int row, int column) {
    const int low = std::min(row, column), high = std::max(row, column);
    int at = 0;
    for (int i = 0; i < low; ++i) at += n - i;
    return at + high - low;
}

double elastic_entry(double lambda, double mu, int c, int d, int k, int l) {
    return lambda * (c == d) * (k == l) + mu * ((c == k) * (d == l) + (c == l) * (d == k));
}

double voigt_entry(const std::vector<double>& C, int dim, std::array<int, 2> row, std::array<int, 2> column) {
    static constexpr int plane[2][2] = {{0, 2}, {2, 1}}, space[3][3] = {{0, 5, 4}, {5, 1, 3}, {4, 3, 2}};
    const auto voigt = [&](auto pair) { return dim == 2 ? plane[pair[0]][pair[1]] : space[pair[0]][pair[1]]; };
    return C[triangle(dim == 2 ? 3 : 6, voigt(row), voigt(column))];
}

}  // namespace

FluxTensor flux_tensor(PhysicsId physics, int dim, const std::vector<double>& m) {
    FluxTensor t{};
    const int n = n_components(physics, dim);
    for (int c = 0; c < n; ++c)
        for (int d = 0; d < dim; ++d)
            for (int k = 0; k < n; ++k)
                for (int l = 0; l < dim; ++l)
                    t.at[c][d][k][l] = physics == PhysicsId::acoustic    ? m[0] * (d == l)
                                       : physics == PhysicsId::diffusion ? m[triangle(dim, d, l)]
                                       : physics == PhysicsId::elastic   ? elastic_entry(m[0], m[1], c, d, k, l)
                                                                         : voigt_entry(m, dim, {c, d}, {k, l});
    return t;
}

Reference::Reference(const Mesh& mesh, int order)
    : mesh_(mesh), order_(order), n_nodes_(n_local_nodes(order, mesh.dim)), dofs_(make_dof_map(mesh, order)) {
    const Gll gll(order);
    for (int node = 0; node < n_nodes_; ++node) {
        const auto xi = node_position(order, mesh.dim, node);
        weights_.push_back(1.0);
        slopes_.emplace_back(), shape_slopes_.emplace_back();
        for (int d = 0; d < mesh.dim; ++d) {
            weights_.back() *= gll.weights[node / power(order + 1, d) % (order + 1)];
            slopes_.back()[d] = shape_functions(order, mesh.dim, xi.data(), d);
            shape_slopes_.back()[d] = shape_functions(mesh.shape_order, mesh.dim, xi.data(), d);
        }
    }
}

Reference::Quadrature Reference::quadrature(Index e, int node) const {
    const int dim = mesh_.dim;
    double J[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};  // ∂x_d/∂ξ_a at [d][a]; the plane is a slice of space
    for (int a = 0; a < dim; ++a)
        for (int d = 0; d < dim; ++d) {
            const auto& slope = shape_slopes_[node][a];
            J[d][a] = 0.0;
            for (std::size_t s = 0; s < slope.size(); ++s)
                J[d][a] += slope[s] * mesh_.points[mesh_.element(e)[s] * dim + d];
        }
    // Rows of J⁻¹ are cross products of the columns of J, over det J.
    const auto cross = [&](int a, int d) {
        const int a1 = (a + 1) % 3, a2 = (a + 2) % 3, d1 = (d + 1) % 3, d2 = (d + 2) % 3;
        return J[d1][a1] * J[d2][a2] - J[d2][a1] * J[d1][a2];
    };
    const double det = J[0][0] * cross(0, 0) + J[1][0] * cross(0, 1) + J[2][0] * cross(0, 2);
    Quadrature result{det * weights_[node], {}};
    for (int d = 0; d < dim; ++d) {
        result.gradient[d].assign(static_cast<std::size_t>(n_nodes_), 0.0);
        for (int a = 0; a < dim; ++a) {
            const double factor = cross(a, d) / det;
            for (int i = 0; i < n_nodes_; ++i) result.gradient[d][i] += factor * slopes_[node][a][i];
        }
    }
    return result;
}

std::vector<double> Reference::mass(const double* density) const {
    std::vector<double> mass(static_cast<std::size_t>(dofs_.n_dofs));
    for (Index e = 0; e < mesh_.n_elements; ++e)
        for (int n = 0; n < n_nodes_; ++n) {
            const Index at = e * n_nodes_ + n;
            mass[dofs_.element_dofs[at]] += quadrature(e, n).weight * (density ? density[at] : 1.0);
        }
    return mass;
}

std::vector<double> Reference::coordinates() const {
    std::vector<double> result(static_cast<std::size_t>(dofs_.n_dofs * mesh_.dim));
    for (Index e = 0; e < mesh_.n_elements; ++e)
        for (int n = 0; n < n_nodes_; ++n) {
            const auto x = map_point(mesh_, e, node_position(order_, mesh_.dim, n).data());
            for (int d = 0; d < mesh_.dim; ++d) result[dofs_.element_dofs[e * n_nodes_ + n] * mesh_.dim + d] = x[d];
        }
    return result;
}

std::vector<double> Reference::stiffness(PhysicsId physics, const std::vector<double>& coefficients,
                                         const std::vector<double>& u) const {
    const int dim = mesh_.dim, n = n_components(physics, dim);
    const Index n_material = mesh_.n_elements * n_nodes_;
    std::vector<double> result(u.size()), m(coefficients.size() / static_cast<std::size_t>(n_material));
    for (Index e = 0; e < mesh_.n_elements; ++e)
        for (int node = 0; node < n_nodes_; ++node) {
            const Index at = e * n_nodes_ + node, *dofs = &dofs_.element_dofs[e * n_nodes_];
            for (std::size_t k = 0; k < m.size(); ++k) m[k] = coefficients[k * n_material + at];
            const auto q = quadrature(e, node);
            double gradient[3][3] = {}, flux[3][3] = {};
            for (int c = 0; c < n; ++c)
                for (int d = 0; d < dim; ++d)
                    for (int i = 0; i < n_nodes_; ++i) gradient[c][d] += q.gradient[d][i] * u[dofs[i] * n + c];
            const FluxTensor t = flux_tensor(physics, dim, m);
            for (int c = 0; c < n; ++c)
                for (int d = 0; d < dim; ++d)
                    for (int k = 0; k < n; ++k)
                        for (int l = 0; l < dim; ++l) flux[c][d] += t.at[c][d][k][l] * gradient[k][l];
            for (int i = 0; i < n_nodes_; ++i)
                for (int c = 0; c < n; ++c)
                    for (int d = 0; d < dim; ++d) result[dofs[i] * n + c] += q.weight * q.gradient[d][i] * flux[c][d];
        }
    return result;
}

}  // namespace wavetree::tests
