#include "wavetree/solver/medium.hpp"

#include <array>

#include "wavetree/kernels/parallel.hpp"

namespace wavetree {

namespace {

constexpr int max_components = 3;
using Block = std::array<double, max_components * max_components>;

Block multiply(int n, const Block& a, const Block& b) {
    Block c{};
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            for (int k = 0; k < n; ++k) c[i * n + j] += a[i * n + k] * b[k * n + j];
    return c;
}

Block inverse(int n, const Block& a) {
    Block out{};
    if (n == 1)
        out[0] = 1.0 / a[0];
    else
        invert(n, a.data(), out.data());
    return out;
}

}  // namespace

template <class Real>
Mesh Medium<Real>::select_mesh(const Mesh& mesh, const std::vector<Index>& elements, std::vector<Index>& connectivity) {
    const Index n = mesh.n_shape_nodes();
    connectivity.reserve(elements.size() * static_cast<std::size_t>(n));
    for (Index e : elements) connectivity.insert(connectivity.end(), mesh.element(e), mesh.element(e) + n);
    Mesh selected = mesh;
    selected.n_elements = static_cast<Index>(elements.size()), selected.connectivity = connectivity.data();
    return selected;
}

template <class Real>
Medium<Real>::Medium(const MeshSetup& mesh, const MediumSetup& setup, const DofMap& map)
    : physics_(physics_traits(setup.physics, mesh.mesh.dim)),
      elements_(setup.elements),
      geometry_(select_mesh(mesh.mesh, elements_, connectivity_), mesh.order),
      factors_(geometry_),
      map_(select(map, geometry_.n_nodes(), elements_, number_)),
      stiffness_({physics_.id, physics_.n_components, physics_.n_stiffness, geometry_, factors_, map_,
                  mesh.instruction_set, mesh.threads},
                 setup.coefficients + static_cast<Index>(elements_.size()) * geometry_.n_nodes()) {
    assemble(setup);
    factors_.dxi_dx = {};  // the stiffness has its own
}

template <class Real>
Index Medium<Real>::add_block(Index dof) {
    const int n = n_components();
    if (block_of_[dof] < 0) {
        block_of_[dof] = static_cast<Index>(block_dof_.size());
        block_dof_.push_back(dof);
        block_damping_.resize(block_damping_.size() + n * n, 0.0);
    }
    return block_of_[dof];
}

template <class Real>
void Medium<Real>::assemble(const MediumSetup& setup) {
    const Index n = geometry_.mesh().n_elements * geometry_.n_nodes();
    const int n_c = n_components(), n_p = 1 + physics_.n_stiffness;
    if (setup.sponge_rate) sponge_rate_.assign(setup.sponge_rate, setup.sponge_rate + n);
    mass_.assign(static_cast<std::size_t>(n_dofs()), 0.0);
    damping_.assign(sponge_rate_.empty() ? 0 : mass_.size(), 0.0);
    free_.assign(mass_.size(), 1);
    for (Index i = 0; i < n; ++i) {
        const double m = factors_.mass_weights[i] * setup.coefficients[i];
        mass_[map_.element_dofs[i]] += m;
        if (!sponge_rate_.empty()) damping_[map_.element_dofs[i]] += 2.0 * sponge_rate_[i] * m;
    }
    impedance_ = impedance_nodes(geometry_, setup.absorbing);
    block_of_.assign(mass_.size(), -1);
    double Z[max_components * max_components];
    for (const ImpedanceNode& node : impedance_) {
        const Index i = node.element * geometry_.n_nodes() + node.at.node, block = add_block(map_.element_dofs[i]);
        for (int k = 0; k < n_p; ++k) impedance_coefficients_.push_back(setup.coefficients[k * n + i]);
        impedance_block_.push_back(block);
        physics_.impedance(&impedance_coefficients_[impedance_coefficients_.size() - n_p], node.at.normal, Z);
        for (int k = 0; k < n_c * n_c; ++k) block_damping_[block * n_c * n_c + k] += node.at.weight * Z[k];
    }
    for (std::size_t b = 0; b < block_dof_.size() && !damping_.empty(); ++b)
        for (int c = 0; c < n_c; ++c) block_damping_[(b * n_c + c) * n_c + c] += damping_[block_dof_[b]];
    for (Index dof : dirichlet_dofs(geometry_, map_, setup.dirichlet)) free_[dof] = 0;
}

template <class Real>
std::size_t Medium<Real>::memory_in_bytes() const {
    const std::size_t nodes = map_.element_dofs.size(), dim = geometry_.mesh().dim;
    const std::size_t batches = nodes * (sizeof(Dof) + sizeof(Real) * (physics_.n_stiffness + dim * dim));
    const std::size_t setup = nodes * (sizeof(Index) + (sponge_rate_.empty() ? 8 : 16));
    return batches + setup + static_cast<std::size_t>(stiffness_.size()) * 5 * sizeof(Real) + mass_.size() * 24;
}

template <class Real>
std::vector<double> Medium<Real>::coordinates() const {
    const int dim = geometry_.mesh().dim;
    const auto by_element = node_coordinates(geometry_);
    std::vector<double> x(mass_.size() * dim);
    for (std::size_t i = 0; i < map_.element_dofs.size(); ++i)
        std::copy_n(&by_element[i * dim], dim, &x[map_.element_dofs[i] * dim]);
    return x;
}

template <class Real>
PointOperator Medium<Real>::points(const PointRows& rows) const {
    return {geometry_.mesh(), map_, geometry_.gll().n() - 1, n_components(), rows};
}

template <class Real>
Field<Real> Medium<Real>::rest() const {
    Field<Real> field;
    for (auto* x : {&field.u, &field.w, &field.r}) x->assign(static_cast<std::size_t>(stiffness_.size()), Real(0));
    return field;
}

// With P = M + dt C/2 the new velocity of a block is w⁺ = P⁻¹ ((M − dt C/2) w − dt r). The nodes are
// stepped as if they had no damping, w⁺ = w − dt/M r', with the damping force in r' = r + C (w⁺ + w)/2.
template <class Real>
Scheme<Real> Medium<Real>::scheme(double dt) const {
    const int n = n_components();
    Scheme<Real> scheme{dt, {}, {}, {}, {}};
    for (auto* x : {&scheme.a, &scheme.b}) x->assign(static_cast<std::size_t>(n_values()), Real(0));
    for (Index i = 0; i < n_values(); ++i) {
        const Index dof = i / n;
        if (!free_[dof]) continue;  // a = b = 0 holds the field at zero
        const double half = damping_.empty() || block_of_[dof] >= 0 ? 0.0 : 0.5 * dt * damping_[dof];
        scheme.a[i] = static_cast<Real>((mass_[dof] - half) / (mass_[dof] + half));
        scheme.b[i] = static_cast<Real>(dt / (mass_[dof] + half));
    }
    for (std::size_t b = 0; b < block_dof_.size(); ++b) {
        Block damping{}, plus{}, minus{}, identity{};
        std::copy_n(&block_damping_[b * n * n], n * n, damping.begin());
        for (int i = 0; i < n; ++i) identity[i * n + i] = 1.0;
        const double m = mass_[block_dof_[b]];
        for (int i = 0; i < n * n; ++i) {
            plus[i] = m * identity[i] + 0.5 * dt * damping[i];
            minus[i] = m * identity[i] - 0.5 * dt * damping[i];
        }
        const Block p = inverse(n, plus), by_r = multiply(n, damping, p), by_w = multiply(n, p, minus);
        Block sum = by_w;
        for (int i = 0; i < n * n; ++i) sum[i] += identity[i];
        const Block h = multiply(n, damping, sum);
        for (int i = 0; i < n * n; ++i) {
            scheme.g.push_back(static_cast<Real>(identity[i] - 0.5 * dt * by_r[i]));
            scheme.h.push_back(static_cast<Real>(0.5 * h[i]));
        }
    }
    return scheme;
}

template <class Real>
void Medium<Real>::prepare(Field<Real>& field, const Scheme<Real>& scheme) const {
    const int n = n_components();
    parallel_ranges(stiffness_.threads(), static_cast<Index>(block_dof_.size()), [&](Index begin, Index end) {
        for (Index b = begin; b < end; ++b) {
            Real* r = &field.r[block_dof_[b] * n];
            const Real* w = &field.w[block_dof_[b] * n];
            Real next[max_components] = {};
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j)
                    next[i] += scheme.g[(b * n + i) * n + j] * r[j] + scheme.h[(b * n + i) * n + j] * w[j];
            std::copy_n(next, n, r);
        }
    });
}

template <class Real>
void Medium<Real>::update(Field<Real>& field, const Scheme<Real>& scheme) const {
    const Update<Real> update{field.u.data(),  field.w.data(),  field.r.data(),
                              scheme.a.data(), scheme.b.data(), static_cast<Real>(scheme.dt)};
    const auto kernel = update_kernel<Real>(stiffness_.kernel_set());
    parallel_ranges(stiffness_.threads(), n_values(), [&](Index begin, Index end) { kernel(update, begin, end); });
    stiffness_.spread(field.u.data());
}

template <class Real>
GradientSums<Real> Medium<Real>::sums() const {
    GradientSums<Real> sums;
    sums.mass.assign(mass_.size(), 0.0);
    sums.damping.assign(damping_.size(), 0.0);
    sums.blocks.assign(block_damping_.size(), 0.0);
    sums.stiffness.assign(static_cast<std::size_t>(stiffness_.gradient_size()), Real(0));
    sums.forward.assign(static_cast<std::size_t>(stiffness_.size()), Real(0));
    return sums;
}

template <class Real>
void Medium<Real>::accumulate(const Field<Real>& adjoint, const Scheme<Real>& scheme, double weight,
                              GradientSums<Real>& sums) const {
    const int n = n_components();
    stiffness_.spread(sums.forward.data());
    stiffness_.accumulate(static_cast<Real>(weight), sums.forward.data(), adjoint.u.data(), sums.stiffness.data());
    const auto velocity = [&](Index i) { return adjoint.w[i] + 0.5 * scheme.dt * acceleration(adjoint, scheme, i); };
    parallel_ranges(stiffness_.threads(), n_dofs(), [&](Index begin, Index end) {
        for (Index dof = begin; dof < end; ++dof)
            for (Index i = dof * n; i < (dof + 1) * n; ++i) {
                const double u = weight * sums.forward[i];
                sums.mass[dof] += u * acceleration(adjoint, scheme, i);
                if (!damping_.empty()) sums.damping[dof] += u * velocity(i);
            }
    });
    for (std::size_t b = 0; b < block_dof_.size(); ++b)
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; ++j)
                sums.blocks[(b * n + i) * n + j] +=
                    weight * sums.forward[block_dof_[b] * n + i] * velocity(block_dof_[b] * n + j);
}

template <class Real>
void Medium<Real>::gradient(const GradientSums<Real>& sums, double* out) const {
    const Index n = geometry_.mesh().n_elements * geometry_.n_nodes();
    const int n_c = n_components(), n_p = 1 + physics_.n_stiffness;
    std::fill_n(out, n * n_p, 0.0);
    stiffness_.add_gradient(factors_, sums.stiffness.data(), out + n);
    for (Index i = 0; i < n; ++i) {
        const Index dof = map_.element_dofs[i];
        const double damping = sponge_rate_.empty() ? 0.0 : 2.0 * sponge_rate_[i] * sums.damping[dof];
        out[i] += factors_.mass_weights[i] * (sums.mass[dof] + damping);
    }
    std::vector<double> by_Z(static_cast<std::size_t>(n_c * n_c)), g(static_cast<std::size_t>(n_p));
    for (std::size_t k = 0; k < impedance_.size(); ++k) {
        const ImpedanceNode& node = impedance_[k];
        for (int i = 0; i < n_c * n_c; ++i) by_Z[i] = node.at.weight * sums.blocks[impedance_block_[k] * n_c * n_c + i];
        std::fill(g.begin(), g.end(), 0.0);
        physics_.impedance_derivative(&impedance_coefficients_[k * n_p], node.at.normal, by_Z.data(), g.data());
        for (int p = 0; p < n_p; ++p) out[p * n + node.element * geometry_.n_nodes() + node.at.node] += g[p];
    }
    for (Index i = 0; i < n * n_p; ++i) out[i] = -out[i];
}

template class Medium<float>;
template class Medium<double>;

}  // namespace wavetree
