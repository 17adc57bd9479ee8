// Points inside elements: source injection and receiver sampling are one operator and its transpose.
#pragma once

#include <vector>

#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/locate.hpp"

namespace wavetree {

// R with (R u)_p = Σ_n l_n(ξ_p) u_n over the nodes of the element that holds point p.
class PointOperator {
  public:
    // positions: (n, dim) [m]
    PointOperator(const Mesh& mesh, const DofMap& dofs, int order, const double* positions, Index n);

    Index n_points() const { return n_points_; }

    // values_p = (R u)_p
    template <class Real>
    void sample(const Real* u, double* values) const {
        for (Index p = 0; p < n_points_; ++p) {
            double sum = 0.0;
            for (Index i = p * n_nodes_; i < (p + 1) * n_nodes_; ++i)
                sum += weights_[i] * static_cast<double>(u[dofs_[i]]);
            values[p] = sum;
        }
    }

    // f += scale · Rᵀ values
    template <class Real>
    void inject(double scale, const double* values, Real* f) const {
        for (Index p = 0; p < n_points_; ++p)
            for (Index i = p * n_nodes_; i < (p + 1) * n_nodes_; ++i)
                f[dofs_[i]] += static_cast<Real>(scale * weights_[i] * values[p]);
    }

  private:
    Index n_points_;
    int n_nodes_;
    std::vector<Dof> dofs_;        // (n_points, n_nodes)
    std::vector<double> weights_;  // (n_points, n_nodes)
};

}  // namespace wavetree
