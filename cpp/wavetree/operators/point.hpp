// Points inside elements: source injection and receiver sampling are one operator and its transpose.
#pragma once

#include <vector>

#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/locate.hpp"

namespace wavetree {

class PointBasis;

// What each row of a point operator reads from the field there.
struct PointRows {
    Index n_points;
    const double* positions;  // (n_points, dim) [m]
    const Index* elements;    // (n_points) in which they lie; −1: on another rank
    Index n_rows;
    const Index* point;          // (n_rows)
    const double* coefficients;  // (n_rows, n_components, n_space_derivatives): by u_c, then by ∂u_c/∂x_d, ...
    int highest = 1;             // ... with 2 then also by ∂²u_c/∂x_d∂x_e: xx, yy, xy or xx, yy, zz, yz, xz, xy
};

// 1 + dim, and dim (dim + 1) / 2 more with second derivatives.
inline int n_space_derivatives(int dim, int highest) { return 1 + dim + (highest == 2 ? dim * (dim + 1) / 2 : 0); }

// R with (R u)_row = Σ_c [ k_c0 u_c(x) + Σ_d k_c,1+d ∂u_c/∂x_d (x) + Σ_de k_c,de ∂²u_c/∂x_d∂x_e (x) ] at the
// row's point x, zero for points on other ranks. Derivatives are those inside the point's element; they jump between
// elements.
class PointOperator {
  public:
    PointOperator(const Mesh& mesh, const DofMap& dofs, int order, int n_components, const PointRows& rows);

    Index n_rows() const { return static_cast<Index>(begin_.size()) - 1; }

    // (R u)_row of a field given by its values: u(index of the value).
    template <class F>
    double sample(Index row, F&& u) const {
        double sum = 0.0;
        for (Index i = begin_[row]; i < begin_[row + 1]; ++i) sum += weights_[i] * static_cast<double>(u(values_[i]));
        return sum;
    }

    // f += scale · (Rᵀ e_row), by add(index of the value, amount).
    template <class F>
    void inject(Index row, double scale, F&& add) const {
        for (Index i = begin_[row]; i < begin_[row + 1]; ++i) add(values_[i], scale * weights_[i]);
    }

    // Fields whose value (dof, component) stands at f(dof, component) from now on.
    template <class F>
    void renumber(int n_components, F&& f) {
        for (Index& value : values_) value = f(value / n_components, static_cast<int>(value % n_components));
    }

  private:
    void add_row(const PointBasis& basis, const Index* element_dofs, int n_components, const double* coefficients);

    std::vector<Index> begin_{0};  // compressed rows
    std::vector<Index> values_;    // index of a value: dof times components plus component
    std::vector<double> weights_;
};

}  // namespace wavetree
