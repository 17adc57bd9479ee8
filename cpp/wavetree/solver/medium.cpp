#include "wavetree/solver/medium.hpp"

#include <algorithm>
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
      halo_(make_halo(mesh.ranks, {map, geometry_.n_nodes(), elements_, setup.ghosts, number_, mesh.ghosts})),
      stiffness_({physics_.id, physics_.n_components, physics_.n_stiffness, geometry_, factors_, map_,
                  mesh.instruction_set, mesh.threads, mesh.lanes, &halo_},
                 setup.coefficients + static_cast<Index>(elements_.size()) * geometry_.n_nodes()) {
    assemble(setup);
}

// One block per boundary node, in the order of their places, which are then passed through once.
template <class Real>
void Medium<Real>::number_blocks() {
    for (const ImpedanceNode& node : impedance_)
        block_place_.push_back(place(node.element * geometry_.n_nodes() + node.at.node));
    block_place_ = on_any_rank(std::move(block_place_));
    block_of_.assign(mass_.size(), -1), held_of_ = block_of_;
    for (std::size_t b = 0; b < block_place_.size(); ++b) {
        block_of_[block_place_[b]] = static_cast<Index>(b);
        if (n_components() > 1) hold_place(block_place_[b]);
    }
    block_damping_.assign(block_place_.size() * n_components() * n_components(), 0.0);
}

template <class Real>
void Medium<Real>::hold_place(Index place) {
    if (held_of_[place] >= 0) return;
    held_of_[place] = static_cast<Index>(held_.size());
    held_.push_back(place);
}

template <class Real>
void Medium<Real>::hold(const std::vector<Index>& dofs) {
    for (Index place : on_any_rank(places(dofs))) hold_place(place);
}

template <class Real>
std::vector<Index> Medium<Real>::places(const std::vector<Index>& dofs) const {
    std::vector<Index> result;
    for (Index dof : dofs) result.push_back(stiffness_.numbering().place(dof));
    return result;
}

template <class Real>
void Medium<Real>::sum_shared(Index n_each, std::vector<double>& values) const {
    if (!halo_.ranks) return;
    std::vector<double> by_dof(static_cast<std::size_t>(n_dofs() * n_each));
    const auto copy = [&](auto&& one) {
        for (Index dof = 0; dof < n_dofs(); ++dof)
            for (Index k = 0; k < n_each; ++k)
                one(by_dof[dof * n_each + k], values[stiffness_.numbering().place(dof) * n_each + k]);
    };
    copy([](double& to, double from) { to = from; });
    wavetree::sum_shared(halo_, n_each, by_dof);
    copy([](double from, double& to) { to = from; });
}

template <class Real>
std::vector<Index> Medium<Real>::on_any_rank(std::vector<Index> places) const {
    if (halo_.ranks) {
        std::vector<double> named(static_cast<std::size_t>(n_places()), 0.0);
        for (Index place : places) named[place] = 1.0;
        sum_shared(1, named);
        for (Index dof = 0; dof < n_dofs(); ++dof)
            if (const Index place = stiffness_.numbering().place(dof); named[place] > 0.0) places.push_back(place);
    }
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return places;
}

template <class Real>
void Medium<Real>::assemble(const MediumSetup& setup) {
    const Index n = geometry_.mesh().n_elements * geometry_.n_nodes();
    if (setup.sponge_rate) sponge_rate_.assign(setup.sponge_rate, setup.sponge_rate + n);
    mass_.assign(static_cast<std::size_t>(n_places()), 0.0);
    const bool damped = n_components() == 1 && (halo_.ranks || !setup.absorbing.empty());
    damping_.assign(sponge_rate_.empty() && !damped ? 0 : mass_.size(), 0.0);
    free_.assign(mass_.size(), 0), owned_.assign(mass_.size(), halo_.ranks ? 0 : 1);
    const auto owned = halo_.owned(n_dofs());
    for (Index dof = 0; dof < n_dofs(); ++dof) {
        const Index at = stiffness_.numbering().place(dof);
        free_[at] = 1;
        if (halo_.ranks) owned_[at] = owned[dof];
    }
    for (Index i = 0; i < n; ++i) {
        const double m = factors_.mass_weights[i] * setup.coefficients[i];
        mass_[place(i)] += m;
        if (!sponge_rate_.empty()) damping_[place(i)] += 2.0 * sponge_rate_[i] * m;
    }
    sum_shared(1, mass_);
    for (std::size_t i = 0; i < mass_.size(); ++i)
        if (!free_[i]) mass_[i] = 1.0;
    add_damping(setup);
    for (Index place : on_any_rank(places(dirichlet_dofs(geometry_, map_, setup.dirichlet)))) free_[place] = 0;
    average_mass();
}

// Of absorbing sides, and the sponge's at their nodes.
template <class Real>
void Medium<Real>::add_damping(const MediumSetup& setup) {
    const Index n = geometry_.mesh().n_elements * geometry_.n_nodes();
    const int n_c = n_components(), n_p = 1 + physics_.n_stiffness;
    impedance_ = impedance_nodes(geometry_, setup.absorbing);
    number_blocks();
    double Z[max_components * max_components];
    for (const ImpedanceNode& node : impedance_) {
        const Index i = node.element * geometry_.n_nodes() + node.at.node, block = block_of_[place(i)];
        for (int k = 0; k < n_p; ++k) impedance_coefficients_.push_back(setup.coefficients[k * n + i]);
        impedance_block_.push_back(block);
        physics_.impedance(&impedance_coefficients_[impedance_coefficients_.size() - n_p], node.at.normal, Z);
        for (int k = 0; k < n_c * n_c; ++k) block_damping_[block * n_c * n_c + k] += node.at.weight * Z[k];
        if (n_c == 1) damping_[place(i)] += node.at.weight * Z[0];
    }
    sum_shared_blocks();
    if (!damping_.empty()) sum_shared(1, damping_);
    for (std::size_t b = 0; b < block_place_.size() && n_c > 1 && !damping_.empty(); ++b)
        for (int c = 0; c < n_c; ++c) block_damping_[(b * n_c + c) * n_c + c] += damping_[block_place_[b]];
}

template <class Real>
void Medium<Real>::sum_shared_blocks() {
    const Index n = n_components() * n_components();
    if (!halo_.ranks) return;
    std::vector<double> by_place(mass_.size() * static_cast<std::size_t>(n), 0.0);
    for (std::size_t b = 0; b < block_place_.size(); ++b)
        std::copy_n(&block_damping_[b * n], n, &by_place[block_place_[b] * n]);
    sum_shared(n, by_place);
    for (std::size_t b = 0; b < block_place_.size(); ++b)
        std::copy_n(&by_place[block_place_[b] * n], n, &block_damping_[b * n]);
}

template <class Real>
void Medium<Real>::average_mass() {
    double sums[2] = {0.0, 0.0};
    for (std::size_t p = 0; p < mass_.size(); ++p)
        if (free_[p] && owned_[p]) sums[0] += mass_[p], sums[1] += 1.0;
    if (halo_.ranks) halo_.ranks->sum(sums, 2);
    mean_mass_ = sums[1] > 0.0 ? sums[0] / sums[1] : 0.0;
}

template <class Real>
std::size_t Medium<Real>::memory_in_bytes() const {
    const std::size_t n = map_.element_dofs.size(), size = static_cast<std::size_t>(stiffness_.size());
    const std::size_t by_node = sizeof(Index) + sizeof(double) * (sponge_rate_.empty() ? 1 : 2);
    const std::size_t by_place = sizeof(double) + 2 * sizeof(Index) + 1 + (damping_.empty() ? 0 : sizeof(double)) +
                                 sizeof(Real) * (held_.empty() ? 2 : 3);
    return stiffness_.memory_in_bytes() + n * by_node + mass_.size() * by_place + number_.size() * sizeof(Index) +
           2 * size * sizeof(Real) + block_damping_.size() * (sizeof(double) + 2 * sizeof(Real));
}

template <class Real>
std::vector<double> Medium<Real>::coordinates() const {
    const int dim = geometry_.mesh().dim;
    const auto by_element = node_coordinates(geometry_);
    std::vector<double> x(mass_.size() * dim);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = by_element[i % dim];  // places without dof too are somewhere
    for (std::size_t i = 0; i < map_.element_dofs.size(); ++i)
        std::copy_n(&by_element[i * dim], dim, &x[place(static_cast<Index>(i)) * dim]);
    return x;
}

template <class Real>
PointOperator Medium<Real>::points(const PointRows& rows, int field) const {
    PointOperator points(geometry_.mesh(), map_, geometry_.gll().n() - 1, n_components(), rows);
    points.renumber(n_components(), [&](Index dof, int c) { return stiffness_.value(dof, c) + field; });
    return points;
}

template <class Real>
Field<Real> Medium<Real>::rest() const {
    Field<Real> field;
    for (auto* x : {&field.u, &field.z}) x->assign(static_cast<std::size_t>(stiffness_.size()), Real(0));
    field.held.assign(held_.size() * n_components() * n_fields(), Real(0));
    return field;
}

template <class Real>
Scheme<Real> Medium<Real>::scheme(double dt) const {
    Scheme<Real> scheme{dt};
    scheme.b.assign(static_cast<std::size_t>(n_places()), Real(0));
    scheme.a.assign(scheme.b.size(), Real(1));
    for (std::size_t i = 0; i < mass_.size(); ++i) {
        if (!free_[i]) continue;
        const bool block = n_components() > 1 && block_of_[i] >= 0;
        const double half = damping_.empty() || block ? 0.0 : 0.5 * dt * damping_[i];
        if (half != 0.0) scheme.a[i] = static_cast<Real>((mass_[i] - half) / (mass_[i] + half));
        scheme.b[i] = static_cast<Real>(dt * dt / (mass_[i] + half));
    }
    for (Index i = 0; i < n_places(); ++i) {
        const Index group = i / Numbering::alignment;
        if (scheme.a[i] != Real(1) && (scheme.damped.empty() || scheme.damped.back() != group))
            scheme.damped.push_back(group);
    }
    if (!held_.empty()) scheme.b_swept = scheme.b;
    for (Index place : held_) scheme.b_swept[place] = Real(0);
    if (n_components() > 1) add_blocks(scheme);
    return scheme;
}

// At a boundary node of a solid C is a matrix, and w⁺ = P⁻¹ ((M − dt C/2) w − dt r). With z = −M w / dt, and
// y = z + r after the sweep, that is z⁺ = M P⁻¹ y − dt/2 P⁻¹ C z.
template <class Real>
void Medium<Real>::add_blocks(Scheme<Real>& scheme) const {
    const int n = n_components();
    for (std::size_t b = 0; b < block_place_.size(); ++b) {
        Block damping{}, p{};
        std::copy_n(&block_damping_[b * n * n], n * n, damping.begin());
        const double m = mass_[block_place_[b]];
        for (int i = 0; i < n * n; ++i) p[i] = (i % (n + 1) == 0 ? m : 0.0) + 0.5 * scheme.dt * damping[i];
        const Block by_sum = inverse(n, p), by_before = multiply(n, by_sum, damping);
        for (int i = 0; i < n * n; ++i) {
            scheme.g.push_back(static_cast<Real>(m * by_sum[i]));
            scheme.h.push_back(static_cast<Real>(-0.5 * scheme.dt * by_before[i]));
        }
    }
}

template <class Real>
void Medium<Real>::sweep(Field<Real>& field, const Scheme<Real>& scheme) const {
    const int n = n_components(), n_f = n_fields();
    parallel_ranges(stiffness_.threads(), static_cast<Index>(held_.size()), [&](Index begin, Index end) {
        for (Index k = begin; k < end; ++k)
            for (int c = 0; c < n; ++c) {
                const Real* z = &field.z[stiffness_.value_at(held_[k], c)];
                for (int f = 0; f < n_f; ++f) field.held[(k * n + c) * n_f + f] = z[f];
            }
    });
    const auto kernels = update_kernels<Real>(stiffness_.kernel_set());
    const Real* b = (held_.empty() ? scheme.b : scheme.b_swept).data();
    const auto damp = [&](Index begin, Index end) {
        constexpr Index group = Numbering::alignment;
        auto at = std::lower_bound(scheme.damped.begin(), scheme.damped.end(), begin / group);
        while (at != scheme.damped.end() && *at * group < end) {
            const Index from = *at * group;
            Index to = from;
            for (; at != scheme.damped.end() && *at * group == to && to < end; ++at) to += group;
            stiffness_.for_values(from, to, [&](Index first, Index count, int each) {
                kernels.damp(&field.z[first], &scheme.a[from], count, each);
            });
        }
    };
    const auto advance = [&](Index begin, Index end) {
        stiffness_.for_values(begin, end, [&](Index first, Index count, int each) {
            kernels.advance(&field.u[first], &field.z[first], b + begin, count, each);
        });
    };
    const Index begin = stiffness_.numbering().interface_begin(), n_interface = n_places() - begin;
    const auto interface = [&](auto&& f) {
        parallel_ranges(stiffness_.threads(), n_interface, [&](Index i, Index j) { f(begin + i, begin + j); });
    };
    interface(damp);
    stiffness_.sweep(field.u.data(), field.z.data(), damp, advance);
    interface(advance);
}

template <class Real>
template <int n>
void Medium<Real>::damp_blocks(Field<Real>& field, const Scheme<Real>& scheme, Index begin, Index end) const {
    const int n_f = n_fields();
    for (Index b = begin; b < end; ++b) {
        const Real *g = &scheme.g[b * n * n], *h = &scheme.h[b * n * n];
        const Real* before = &field.held[held_of_[block_place_[b]] * n * n_f];
        Real* z[n];
        for (int i = 0; i < n; ++i) z[i] = &field.z[stiffness_.value_at(block_place_[b], i)];
        for (int f = 0; f < n_f; ++f) {
            Real next[n] = {};
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j) next[i] += g[i * n + j] * z[j][f] + h[i * n + j] * before[j * n_f + f];
            for (int i = 0; i < n; ++i) z[i][f] = next[i];
        }
    }
}

template <class Real>
void Medium<Real>::damp_boundary(Field<Real>& field, const Scheme<Real>& scheme) const {
    if (n_components() == 1) return;
    parallel_ranges(stiffness_.threads(), static_cast<Index>(block_place_.size()), [&](Index begin, Index end) {
        if (n_components() == 2)
            damp_blocks<2>(field, scheme, begin, end);
        else
            damp_blocks<3>(field, scheme, begin, end);
    });
}

template <class Real>
void Medium<Real>::finish(Field<Real>& field, const Scheme<Real>& scheme) const {
    const int n = n_components(), n_f = n_fields();
    parallel_ranges(stiffness_.threads(), static_cast<Index>(held_.size()), [&](Index begin, Index end) {
        for (Index k = begin; k < end; ++k)
            for (int c = 0; c < n; ++c) {
                const Index i = stiffness_.value_at(held_[k], c);
                for (int f = 0; f < n_f; ++f) field.u[i + f] -= scheme.b[held_[k]] * field.z[i + f];
            }
    });
    stiffness_.spread(field.u.data());
}

template <class Real>
double Medium<Real>::held_acceleration(const Field<Real>& field, const Scheme<Real>& scheme, Index dof,
                                       int component) const {
    const Index place = stiffness_.numbering().place(dof);
    const double change = static_cast<double>(field.z[stiffness_.value_at(place, component)]) -
                          field.held[(held_of_[place] * n_components() + component) * n_fields()];
    return -static_cast<double>(scheme.b[place]) * change / (scheme.dt * scheme.dt);
}

template <class Real>
void Medium<Real>::store(const AlignedVector<Real>& values, int field, Real* out) const {
    const int n_f = n_fields();
    for (int c = 0; c < n_components(); ++c, out += n_places()) {
        if (n_f == 1) {
            std::copy_n(&values[stiffness_.value_at(0, c)], n_places(), out);
            continue;
        }
        for (Index i = 0; i < n_places(); ++i) out[i] = values[stiffness_.value_at(i, c) + field];
    }
}

template <class Real>
void Medium<Real>::restore(const Real* from, int field, AlignedVector<Real>& values) const {
    const int n_f = n_fields();
    for (int c = 0; c < n_components(); ++c, from += n_places()) {
        if (n_f == 1) {
            std::copy_n(from, n_places(), &values[stiffness_.value_at(0, c)]);
            continue;
        }
        for (Index i = 0; i < n_places(); ++i) values[stiffness_.value_at(i, c) + field] = from[i];
    }
}

template <class Real>
GradientSums<Real> Medium<Real>::sums() const {
    GradientSums<Real> sums;
    const auto n = static_cast<std::size_t>(n_fields());
    sums.mass.assign(mass_.size() * n, 0.0);
    sums.damping.assign(damping_.size() * n, 0.0);
    sums.blocks.assign(block_damping_.size() * n, 0.0);
    sums.stiffness.assign(static_cast<std::size_t>(stiffness_.gradient_size()), Real(0));
    for (auto* x : {&sums.forward, &sums.before}) x->assign(static_cast<std::size_t>(stiffness_.size()), Real(0));
    return sums;
}

template <class Real>
void Medium<Real>::accumulate_before(const Field<Real>& adjoint, double weight, GradientSums<Real>& sums) const {
    stiffness_.spread(sums.forward.data());
    stiffness_.accumulate(static_cast<Real>(weight), sums.forward.data(), adjoint.u.data(), sums.stiffness.data());
    sums.before = adjoint.z;
}

template <class Real>
void Medium<Real>::accumulate_after(const Field<Real>& adjoint, double weight, GradientSums<Real>& sums) const {
    const int n = n_components(), n_f = n_fields();
    const bool damped = !damping_.empty();
    parallel_ranges(stiffness_.threads(), n_places(), [&](Index begin, Index end) {
        stiffness_.for_values(begin, end, [&](Index first, Index count, int each) {
            for (Index p = 0; p < count; ++p)
                for (int k = 0; k < each; ++k) {
                    const Index i = first + p * each + k, at = (begin + p) * n_f + k % n_f;
                    const double u = weight * sums.forward[i], after = adjoint.z[i], before = sums.before[i];
                    sums.mass[at] += u * (after - before);
                    if (damped) sums.damping[at] += u * (after + before);
                }
        });
    });
    for (std::size_t b = 0; b < block_place_.size(); ++b)
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; ++j)
                for (int f = 0; f < n_f; ++f) {
                    const Index at = stiffness_.value_at(block_place_[b], j) + f;
                    sums.blocks[((b * n + i) * n + j) * n_f + f] +=
                        weight * sums.forward[stiffness_.value_at(block_place_[b], i) + f] *
                        (static_cast<double>(adjoint.z[at]) + sums.before[at]);
                }
}

template <class Real>
void Medium<Real>::gradient(const GradientSums<Real>& sums, const Scheme<Real>& scheme, int field, double* out) const {
    const Index n = geometry_.mesh().n_elements * geometry_.n_nodes();
    const int n_c = n_components(), n_p = 1 + physics_.n_stiffness, n_f = n_fields();
    std::fill_n(out, n * n_p, 0.0);
    stiffness_.add_gradient(sums.stiffness.data(), field, out + n);
    // λ_tt = −b (z⁺ − z⁻) / dt² and λ_t = −b (z⁺ + z⁻) / (2 dt)
    const double by_difference = -1.0 / (scheme.dt * scheme.dt), by_sum = -0.5 / scheme.dt;
    for (Index i = 0; i < n; ++i) {
        const Index p = place(i), at = p * n_f + field;
        const double damping = sponge_rate_.empty() ? 0.0 : 2.0 * sponge_rate_[i] * by_sum * sums.damping[at];
        out[i] += factors_.mass_weights[i] * scheme.b[p] * (by_difference * sums.mass[at] + damping);
    }
    std::vector<double> by_Z(static_cast<std::size_t>(n_c * n_c)), g(static_cast<std::size_t>(n_p));
    for (std::size_t k = 0; k < impedance_.size(); ++k) {
        const ImpedanceNode& node = impedance_[k];
        const double scale = node.at.weight * by_sum * scheme.b[block_place_[impedance_block_[k]]];
        for (int i = 0; i < n_c * n_c; ++i)
            by_Z[i] = scale * sums.blocks[(impedance_block_[k] * n_c * n_c + i) * n_f + field];
        std::fill(g.begin(), g.end(), 0.0);
        physics_.impedance_derivative(&impedance_coefficients_[k * n_p], node.at.normal, by_Z.data(), g.data());
        for (int p = 0; p < n_p; ++p) out[p * n + node.element * geometry_.n_nodes() + node.at.node] += g[p];
    }
    for (Index i = 0; i < n * n_p; ++i) out[i] = -out[i];
}

template class Medium<float>;
template class Medium<double>;

}  // namespace wavetree
