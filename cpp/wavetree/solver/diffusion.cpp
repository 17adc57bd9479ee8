#include "wavetree/solver/diffusion.hpp"

#include <cmath>
#include <numbers>
#include <numeric>

#include "wavetree/kernels/parallel.hpp"
#include "wavetree/physics/diffusion.hpp"
#include "wavetree/solver/time_step.hpp"

namespace wavetree {

namespace {

// Largest error of p against exp(−x/2); S errs by about twice that, well within the 0.02 that smoothing
// is allowed.
constexpr double tolerance = 1e-3;

// Chebyshev coefficients of exp(−z (1 + t)) on t in [−1, 1], by the discrete cosine sum (exact to
// rounding, as the function is entire), cut where the rest is below the tolerance, scaled to 1 at t = −1.
std::vector<double> exponential_coefficients(double z) {
    const int n = 64 + static_cast<int>(8.0 * std::sqrt(z) + 2.0 * std::min(z, 32.0));
    std::vector<double> c(static_cast<std::size_t>(n));
    for (int k = 0; k < n; ++k) {
        for (int j = 0; j < n; ++j) {
            const double angle = std::numbers::pi * (j + 0.5) / n;
            c[k] += std::exp(-z * (1.0 + std::cos(angle))) * std::cos(k * angle);
        }
        c[k] *= (k == 0 ? 1.0 : 2.0) / n;
    }
    double rest = 0.0;
    while (c.size() > 1 && rest + std::abs(c.back()) <= tolerance) rest += std::abs(c.back()), c.pop_back();
    double at_zero = 0.0;
    for (std::size_t k = 0; k < c.size(); ++k) at_zero += (k % 2 ? -1.0 : 1.0) * c[k];
    for (double& value : c) value /= at_zero;
    return c;
}

}  // namespace

DiffusionOperator::DiffusionOperator(const DiffusionSetup& setup)
    : geometry_(setup.mesh, setup.order),
      factors_(geometry_),
      map_(number_dofs(setup)),
      stiffness_({PhysicsId::diffusion, 1, setup.mesh.dim == 3 ? Diffusion::n_stiffness<3> : Diffusion::n_stiffness<2>,
                  geometry_, factors_, map_, setup.instruction_set, setup.threads, Lanes::elements, &halo_},
                 setup.tensor) {
    assemble();
}

// Numbers the elements' own dofs and finds those that other ranks have too.
DofMap DiffusionOperator::number_dofs(const DiffusionSetup& setup) {
    Mesh all = setup.mesh;
    all.n_elements += static_cast<Index>(setup.ghosts.rank.size());
    const DofMap map = make_dof_map(all, setup.order);
    std::vector<Index> own(static_cast<std::size_t>(setup.mesh.n_elements)), ghosts(setup.ghosts.rank.size()), number;
    std::iota(own.begin(), own.end(), Index{0}), std::iota(ghosts.begin(), ghosts.end(), setup.mesh.n_elements);
    DofMap selected = select(map, geometry_.n_nodes(), own, number);
    halo_ = make_halo(setup.ranks, {map, geometry_.n_nodes(), own, ghosts, number, setup.ghosts});
    return selected;
}

void DiffusionOperator::assemble() {
    const int dim = geometry_.mesh().dim;
    const auto element_coordinates = node_coordinates(geometry_);
    std::vector<double> by_dof(static_cast<std::size_t>(n_dofs()), 0.0);
    for (std::size_t i = 0; i < map_.element_dofs.size(); ++i) by_dof[map_.element_dofs[i]] += factors_.mass_weights[i];
    sum_shared(halo_, 1, by_dof);
    // A place without dof must be somewhere, and not divide by zero.
    mass_.assign(static_cast<std::size_t>(stiffness_.numbering().n_places()), 1.0);
    std::vector<double> coordinates(mass_.size() * static_cast<std::size_t>(dim));
    for (std::size_t i = 0; i < coordinates.size(); ++i) coordinates[i] = element_coordinates[i % dim];
    std::vector<char> free(mass_.size(), 0), owned(mass_.size(), 0);
    const auto owned_dofs = halo_.owned(n_dofs());
    for (std::size_t i = 0; i < map_.element_dofs.size(); ++i) {
        const Index dof = map_.element_dofs[i], place = stiffness_.numbering().place(dof);
        mass_[place] = by_dof[dof], free[place] = 1, owned[place] = owned_dofs[dof];
        for (int d = 0; d < dim; ++d) coordinates[place * dim + d] = element_coordinates[i * dim + d];
    }
    const double bound = 1.05 * largest_eigenvalue(stiffness_problem(stiffness_, {mass_, free, owned}, halo_.ranks),
                                                   rough_field(stiffness_, free, coordinates, halo_.ranks));
    if (bound <= 0.0) return;  // zero lengths: S is the identity
    // Rounded up to a coarse grid, so that rounding in the estimate cannot change the polynomial.
    largest_ = std::exp2(std::ceil(16.0 * std::log2(bound)) / 16.0);
    chebyshev_ = exponential_coefficients(0.25 * largest_);
}

void DiffusionOperator::apply(double* values) const {
    if (chebyshev_.empty()) return;
    AlignedVector<double> x(static_cast<std::size_t>(stiffness_.size()));
    for (Index dof = 0; dof < n_dofs(); ++dof) x[stiffness_.value(dof, 0)] = values[dof];
    apply_root(x);
    apply_root(x);
    for (Index dof = 0; dof < n_dofs(); ++dof) values[dof] = x[stiffness_.value(dof, 0)];
}

// x ← Σ_k c_k T_k(2 A / largest − 1) x by the three-term recurrence.
void DiffusionOperator::apply_root(AlignedVector<double>& x) const {
    AlignedVector<double> sum(x), before(x.size()), current(x), next(x.size());
    for (double& value : sum) value *= chebyshev_[0];
    for (std::size_t k = 1; k < chebyshev_.size(); ++k) {
        const double factor = k == 1 ? 1.0 : 2.0, c = chebyshev_[k];
        stiffness_.spread(current.data());
        stiffness_.apply(current.data(), next.data());
        parallel_ranges(stiffness_.threads(), static_cast<Index>(mass_.size()), [&](Index begin, Index end) {
            for (Index i = begin; i < end; ++i) {
                const double shifted = 2.0 / largest_ * next[i] / mass_[i] - current[i];
                const double value = factor * shifted - (k == 1 ? 0.0 : before[i]);
                before[i] = current[i], current[i] = value, next[i] = 0.0;
                sum[i] += c * value;
            }
        });
    }
    x.swap(sum);
}

}  // namespace wavetree
