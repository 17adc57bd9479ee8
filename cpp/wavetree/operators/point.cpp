#include "wavetree/operators/point.hpp"

#include "wavetree/basis/gll.hpp"

namespace wavetree {

PointOperator::PointOperator(const Mesh& mesh, const DofMap& dofs, int order, const double* positions, Index n)
    : n_points_(n), n_nodes_(n_local_nodes(order, mesh.dim)) {
    const Gll gll(order);
    for (const Location& location : locate(mesh, positions, n)) {
        double value[3][max_order + 1];
        for (int d = 0; d < mesh.dim; ++d) lagrange(gll.points, location.reference[d], value[d]);
        for (int node = 0; node < n_nodes_; ++node) {
            double weight = 1.0;
            for (int d = 0; d < mesh.dim; ++d) weight *= value[d][node / power(gll.n(), d) % gll.n()];
            dofs_.push_back(static_cast<Dof>(dofs.element_dofs[location.element * n_nodes_ + node]));
            weights_.push_back(weight);
        }
    }
}

}  // namespace wavetree
