#include "wavetree/operators/point.hpp"

#include "wavetree/basis/gll.hpp"

namespace wavetree {

// The basis functions of one element at one point, with their derivatives by x.
class PointBasis {
  public:
    PointBasis(const Location& location, int dim, int order, int highest)
        : at_(location), dim_(dim), order_(order), highest_(highest) {
        const Gll gll(order);
        for (int d = 0; d < dim; ++d) {
            lagrange(gll.points, location.reference[d], line_[0][d]);
            lagrange_derivative(gll.points, location.reference[d], line_[1][d]);
            lagrange_second_derivative(gll.points, location.reference[d], line_[2][d]);
        }
    }

    int n_nodes() const { return n_local_nodes(order_, dim_); }
    int n_derivatives() const { return n_space_derivatives(dim_, highest_); }

    // l and its derivatives, in the order of the coefficients of `PointRows`.
    void evaluate(int node, double* out) const {
        double first[3];  // ∂l/∂ξ_a
        out[0] = derivative(node, -1, -1);
        for (int d = 0; d < dim_; ++d) out[1 + d] = 0.0;
        for (int a = 0; a < dim_; ++a) {
            first[a] = derivative(node, a, -1);
            for (int d = 0; d < dim_; ++d) out[1 + d] += first[a] * at_.dxi_dx[a * dim_ + d];
        }
        if (highest_ < 2) return;
        static constexpr int pairs[2][6][2] = {{{0, 0}, {1, 1}, {0, 1}},
                                               {{0, 0}, {1, 1}, {2, 2}, {1, 2}, {0, 2}, {0, 1}}};
        for (int k = 1 + dim_; k < n_derivatives(); ++k) {
            const auto [d, e] = pairs[dim_ - 2][k - 1 - dim_];
            out[k] = 0.0;
            for (int a = 0; a < dim_; ++a) {
                out[k] += first[a] * at_.d2xi_dx2[(a * dim_ + d) * dim_ + e];
                for (int b = 0; b < dim_; ++b)
                    out[k] += derivative(node, a, b) * at_.dxi_dx[a * dim_ + d] * at_.dxi_dx[b * dim_ + e];
            }
        }
    }

  private:
    // l differentiated by ξ_a and ξ_b; −1 is neither.
    double derivative(int node, int a, int b) const {
        double product = 1.0;
        for (int d = 0; d < dim_; ++d)
            product *= line_[(d == a) + (d == b)][d][node / power(order_ + 1, d) % (order_ + 1)];
        return product;
    }

    const Location& at_;
    int dim_, order_, highest_;
    double line_[3][3][max_order + 1];  // by how often it is differentiated, then by axis
};

PointOperator::PointOperator(const Mesh& mesh, const DofMap& dofs, int order, int n_components, const PointRows& rows) {
    const auto locations = locate_in(mesh, rows.elements, rows.positions, rows.n_points);
    const Index n_coefficients = n_components * n_space_derivatives(mesh.dim, rows.highest);
    for (Index row = 0; row < rows.n_rows; ++row) {
        const Location& location = locations[static_cast<std::size_t>(rows.point[row])];
        if (location.element < 0) {
            begin_.push_back(begin_.back());
            continue;
        }
        const PointBasis basis(location, mesh.dim, order, rows.highest);
        add_row(basis, &dofs.element_dofs[location.element * basis.n_nodes()], n_components,
                rows.coefficients + row * n_coefficients);
    }
}

void PointOperator::add_row(const PointBasis& basis, const Index* element_dofs, int n_components,
                            const double* coefficients) {
    double derivatives[10];
    const int n = basis.n_derivatives();
    for (int node = 0; node < basis.n_nodes(); ++node) {
        basis.evaluate(node, derivatives);
        for (int c = 0; c < n_components; ++c) {
            double weight = 0.0;
            for (int k = 0; k < n; ++k) weight += coefficients[c * n + k] * derivatives[k];
            if (weight == 0.0) continue;
            values_.push_back(element_dofs[node] * n_components + c);
            weights_.push_back(weight);
        }
    }
    begin_.push_back(static_cast<Index>(values_.size()));
}

}  // namespace wavetree
