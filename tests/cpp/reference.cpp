#include "reference.hpp"

#include <cmath>

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

Reference::Reference(const Mesh& mesh, int order)
    : mesh_(mesh), order_(order), n_nodes_(n_local_nodes(order, mesh.dim)), dofs_(make_dof_map(mesh, order)) {}

Reference::Quadrature Reference::quadrature(Index e, int node) const {
    const int dim = mesh_.dim;
    const Gll gll(order_);
    const auto xi = node_position(order_, dim, node);
    double J[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};  // ∂x_d/∂ξ_a at [d][a]; the plane is a slice of space
    std::array<std::vector<double>, 3> along;
    for (int a = 0; a < dim; ++a) {
        const auto slope = shape_functions(mesh_.shape_order, dim, xi.data(), a);
        for (int d = 0; d < dim; ++d) {
            J[d][a] = 0.0;
            for (std::size_t s = 0; s < slope.size(); ++s)
                J[d][a] += slope[s] * mesh_.points[mesh_.element(e)[s] * dim + d];
        }
        along[a] = shape_functions(order_, dim, xi.data(), a);
    }
    // Rows of J⁻¹ are cross products of the columns of J, over det J.
    const auto cross = [&](int a, int d) {
        const int a1 = (a + 1) % 3, a2 = (a + 2) % 3, d1 = (d + 1) % 3, d2 = (d + 2) % 3;
        return J[d1][a1] * J[d2][a2] - J[d2][a1] * J[d1][a2];
    };
    const double det = J[0][0] * cross(0, 0) + J[1][0] * cross(0, 1) + J[2][0] * cross(0, 2);
    Quadrature result{det, {}};
    for (int d = 0; d < dim; ++d) {
        result.weight *= gll.weights[node / power(order_ + 1, d) % (order_ + 1)];
        result.gradient[d].assign(static_cast<std::size_t>(n_nodes_), 0.0);
        for (int i = 0; i < n_nodes_; ++i)
            for (int a = 0; a < dim; ++a) result.gradient[d][i] += cross(a, d) / det * along[a][i];
    }
    return result;
}

std::vector<double> Reference::mass() const {
    std::vector<double> mass(static_cast<std::size_t>(dofs_.n_dofs));
    for (Index e = 0; e < mesh_.n_elements; ++e)
        for (int n = 0; n < n_nodes_; ++n) mass[dofs_.element_dofs[e * n_nodes_ + n]] += quadrature(e, n).weight;
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

std::vector<double> Reference::stiffness(const std::vector<double>& coefficients, const std::vector<double>& u) const {
    const int dim = mesh_.dim;
    const Index n = mesh_.n_elements * n_nodes_;
    const bool scalar = static_cast<Index>(coefficients.size()) == n;
    std::vector<double> result(u.size());
    for (Index e = 0; e < mesh_.n_elements; ++e)
        for (int node = 0; node < n_nodes_; ++node) {
            const auto q = quadrature(e, node);
            const Index* dofs = &dofs_.element_dofs[e * n_nodes_];
            double gradient[3] = {}, flux[3] = {};
            for (int d = 0; d < dim; ++d)
                for (int i = 0; i < n_nodes_; ++i) gradient[d] += q.gradient[d][i] * u[dofs[i]];
            for (int row = 0; row < dim; ++row)
                for (int column = 0; column < dim; ++column) {
                    const int low = std::min(row, column), high = std::max(row, column);
                    const int entry = low * dim - low * (low - 1) / 2 + high - low;
                    if (scalar && row != column) continue;
                    flux[row] += coefficients[(scalar ? 0 : entry * n) + e * n_nodes_ + node] * gradient[column];
                }
            for (int i = 0; i < n_nodes_; ++i)
                for (int d = 0; d < dim; ++d) result[dofs[i]] += q.weight * q.gradient[d][i] * flux[d];
        }
    return result;
}

}  // namespace wavetree::tests
