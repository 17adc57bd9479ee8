#include "wavetree/operators/stiffness.hpp"

#include <algorithm>
#include <cmath>

#include "wavetree/core/errors.hpp"

namespace wavetree {

namespace {

// The inverse Jacobian in a frame's axes, of the element's own.
void turn(int dim, const Frame& frame, const double* dxi_dx, double* out) {
    for (int a = 0; a < dim; ++a)
        for (int d = 0; d < dim; ++d)
            out[a * dim + d] = (frame.reversed(a) ? -1.0 : 1.0) * dxi_dx[frame.axes[a] * dim + d];
}

// ∇ξ_a·∇ξ_b, upper triangle row by row.
void metric(int dim, const double* dxi_dx, double* out) {
    for (int a = 0; a < dim; ++a)
        for (int b = a; b < dim; ++b) {
            *out = 0.0;
            for (int d = 0; d < dim; ++d) *out += dxi_dx[a * dim + d] * dxi_dx[b * dim + d];
            ++out;
        }
}

}  // namespace

template <class Real>
Stiffness<Real>::Stiffness(const StiffnessSetup& setup, const double* coefficients)
    : set_(&wavetree::kernel_set(setup.instruction_set)),
      lanes_(setup.lanes),
      threads_(setup.threads),
      n_components_(setup.n_components),
      n_coefficients_(setup.n_coefficients),
      dim_(setup.geometry.mesh().dim),
      n_nodes_(setup.geometry.n_nodes()),
      order_(order_elements(setup.geometry.mesh(), width<Real>(*set_), first_elements(setup))),
      numbering_(order_, setup.dofs, setup.geometry.gll().n() - 1, dim_,
                 setup.halo ? setup.halo->shared(setup.dofs.n_dofs) : std::vector<char>{}),
      n_elements_(setup.geometry.mesh().n_elements) {
    find_kernels(setup);
    const Gll& gll = setup.geometry.gll();
    D_.assign(gll.D.begin(), gll.D.end());
    points_.assign(gll.points.begin(), gll.points.end());
    n_batches_ = lanes_ == Lanes::events ? n_elements_ : order_.n_batches();
    code_places();
    make_runs(setup.factors);
    fill(setup, coefficients);
    numbering_.forget_lanes();
    if (setup.halo && setup.halo->ranks) share(*setup.halo);
}

// Elements that have dofs of other ranks too.
template <class Real>
std::vector<char> Stiffness<Real>::first_elements(const StiffnessSetup& setup) const {
    if (!setup.halo || !setup.halo->ranks) return {};
    if (lanes_ == Lanes::events) throw InputError("several events at a time need one rank");
    const auto shared = setup.halo->shared(setup.dofs.n_dofs);
    std::vector<char> first(static_cast<std::size_t>(setup.geometry.mesh().n_elements), 0);
    for (std::size_t i = 0; i < setup.dofs.element_dofs.size(); ++i)
        if (shared[setup.dofs.element_dofs[i]]) first[i / static_cast<std::size_t>(n_nodes_)] = 1;
    return first;
}

template <class Real>
void Stiffness<Real>::share(const Halo& halo) {
    const auto n = static_cast<std::size_t>((numbering_.n_places() - numbering_.shared_begin()) * n_components_);
    shared_.reset(
        new Shared{{halo, n_components_, [&](Index dof) { return numbering_.place(dof) - numbering_.shared_begin(); }},
                   std::vector<Real>(n),
                   std::vector<Real>(n)});
}

template <class Real>
template <class F>
void Stiffness<Real>::for_shared(Index from, Index to, Index n, F&& f) const {
    const Index first = (to - numbering_.shared_begin()) * n_components_;
    for (int c = 0; c < n_components_; ++c)
        for (Index i = 0; i < n; ++i) f(value_at(from + i, c), first + i * n_components_ + c);
}

template <class Real>
void Stiffness<Real>::start_sum(Real* r) const {
    auto& own = shared_->own;
    std::fill(own.begin(), own.end(), Real(0));
    for (const auto& level : numbering_.shared_copies())
        for (const CopyRun& run : level)
            for_shared(run.from, run.to, run.n, [&](Index value, Index at) { own[at] += r[value], r[value] = 0; });
    shared_->halo.start(own.data());
}

template <class Real>
void Stiffness<Real>::finish_sum(Real* r) const {
    auto& sum = shared_->sum;
    shared_->halo.finish(shared_->own.data(), sum.data(), static_cast<Index>(sum.size()));
    const Index begin = numbering_.shared_begin();
    for_shared(begin, begin, numbering_.n_places() - begin, [&](Index value, Index at) { r[value] += sum[at]; });
}

template <class Real>
void Stiffness<Real>::find_kernels(const StiffnessSetup& setup) {
    const int order = setup.geometry.gll().n() - 1;
    bool found = false;
    for (GeometryClass each : {GeometryClass::affine, GeometryClass::multilinear, GeometryClass::stored})
        found = wavetree::find_kernels<Real>(*set_, {setup.physics, dim_, order, each, lanes_},
                                             kernels_[static_cast<int>(each)]);
    if (!found)
        throw InputError("no kernel for dimension " + std::to_string(dim_) + ", order " + std::to_string(order) +
                         (lanes_ == Lanes::events ? " with events in lanes" : ""));
}

template <class Real>
GeometryClass Stiffness<Real>::usable(GeometryClass geometry_class) const {
    for (; geometry_class != GeometryClass::stored;
         geometry_class = static_cast<GeometryClass>(static_cast<int>(geometry_class) + 1))
        if (kernels_[static_cast<int>(geometry_class)].apply) break;
    return geometry_class;
}

template <class Real>
int Stiffness<Real>::n_factors(GeometryClass geometry_class) const {
    if (geometry_class == GeometryClass::multilinear) return dim_ << dim_;
    const int n = kernels_[static_cast<int>(geometry_class)].metric ? dim_ * (dim_ + 1) / 2 : dim_ * dim_;
    return geometry_class == GeometryClass::affine ? n : n * n_nodes_;
}

template <class Real>
void Stiffness<Real>::code_places() {
    const auto& lanes = numbering_.lane_places();
    const Index w = order_.width, n = n_batches_ * n_nodes_;
    places_.assign(static_cast<std::size_t>(n + max_batches_ahead * n_nodes_), 0);
    for (Index i = 0; i < n && lanes_ == Lanes::events; ++i) {
        const Index e = i / n_nodes_, node = i % n_nodes_;
        places_[i] = lanes[(e / w * n_nodes_ + node) * w + e % w];
    }
    for (Index i = 0; i < n && lanes_ == Lanes::elements; ++i) {
        const Dof* at = &lanes[i * w];
        int consecutive = 1;
        while (consecutive < w && at[consecutive] == at[0] + consecutive) ++consecutive;
        const Dof row = static_cast<Dof>(lane_places_.size() / w);
        places_[i] = consecutive == w ? at[0] : ~(2 * row + (consecutive == w - 1));
        if (consecutive < w) lane_places_.insert(lane_places_.end(), at, at + w);
    }
}

template <class Real>
template <class F>
void Stiffness<Real>::for_lanes(Index begin, Index end, F&& f) const {
    const int w = order_.width;
    for (Index i = begin * (w / split()); i < std::min(end * (w / split()), static_cast<Index>(order_.lanes.size()));
         ++i)
        if (const OrderedElement& one = order_.lanes[i]; one.element >= 0)
            lanes_ == Lanes::events ? f(i, 0, one) : f(i / w, static_cast<int>(i % w), one);
}

// Batches of one class that follow each other in a chunk.
template <class Real>
void Stiffness<Real>::make_runs(const Factors& factors) {
    Index size = 0;
    for (const Chunk& chunk : numbering_.chunks()) {
        run_begin_.push_back(static_cast<Index>(runs_.size()));
        const Index end = std::min(chunk.batch_end * split(), n_batches_);
        for (Index batch = chunk.batch_begin * split(); batch < end; ++batch) {
            GeometryClass most = GeometryClass::affine;
            for_lanes(batch, batch + 1, [&](Index, int, const OrderedElement& one) {
                most = std::max(most, usable(factors.classes[one.element]));
            });
            most = usable(most);
            if (static_cast<Index>(runs_.size()) > run_begin_.back() && runs_.back().geometry_class == most)
                ++runs_.back().end;
            else
                runs_.push_back({batch, batch + 1, size, most});
            size += Index{n_factors(most)} * data_width();
        }
    }
    run_begin_.push_back(static_cast<Index>(runs_.size()));
    geometry_.assign(static_cast<std::size_t>(size), Real(0));
}

template <class Real>
void Stiffness<Real>::fill(const StiffnessSetup& setup, const double* coefficients) {
    const int w = data_width(), order = setup.geometry.gll().n() - 1;
    coefficients_.assign(static_cast<std::size_t>(n_batches_ * n_coefficients_ * n_nodes_ * w), Real(0));
    scale_ = setup.factors.mass_weights;
    parallel_for(threads_, static_cast<Index>(runs_.size()), [&](Index r) {
        const Run& run = runs_[r];
        std::array<std::vector<int>, 64> frames;
        for_lanes(run.begin, run.end, [&](Index batch, int lane, const OrderedElement& one) {
            auto& nodes = frames[one.frame.id()];
            if (nodes.empty()) nodes = frame_nodes(order, dim_, one.frame);
            const Index e = one.element;
            for (int n = 0; n < n_nodes_ && run.geometry_class == GeometryClass::multilinear; ++n) {
                const double det = scale_[e * n_nodes_ + n] / setup.geometry.weight(n);
                scale_[e * n_nodes_ + n] /= det * det;
            }
            for (int k = 0; k < n_coefficients_; ++k)
                for (int n = 0; n < n_nodes_; ++n) {
                    const Index at = e * n_nodes_ + nodes[n];
                    coefficients_[((batch * n_coefficients_ + k) * n_nodes_ + n) * w + lane] =
                        static_cast<Real>(coefficients[k * n_elements_ * n_nodes_ + at] * scale_[at]);
                }
            fill_factors(setup.geometry, run, batch, lane, one, nodes);
        });
    });
}

template <class Real>
void Stiffness<Real>::fill_factors(const Geometry& geometry, const Run& run, Index batch, int lane,
                                   const OrderedElement& one, const std::vector<int>& nodes) {
    const int w = data_width(), block = dim_ * dim_, n_corners = 1 << dim_;
    Real* out = geometry_.data() + run.geometry + (batch - run.begin) * n_factors(run.geometry_class) * w + lane;
    const Mesh& mesh = geometry.mesh();
    if (run.geometry_class == GeometryClass::multilinear) {
        const auto corners = corner_nodes(mesh.shape_order, dim_);
        double x[24], c[24];
        for (int k = 0; k < n_corners; ++k)
            std::copy_n(mesh.points + mesh.element(one.element)[corners[one.frame.corner(dim_, k)]] * dim_, dim_,
                        x + k * dim_);
        multilinear_map(dim_, x, c);
        for (int k = 0; k < dim_ * n_corners; ++k) out[k * w] = static_cast<Real>(c[k]);
        return;
    }
    const bool is_metric = kernels(run).metric;
    const int n = is_metric ? dim_ * (dim_ + 1) / 2 : block,
              n_at = run.geometry_class == GeometryClass::affine ? 1 : n_nodes_;
    thread_local std::vector<double> J;
    J.resize(static_cast<std::size_t>(n_nodes_ * block));
    geometry.jacobians(one.element, J.data());
    double inverse[9], turned[9], factors[9];
    for (int node = 0; node < n_at; ++node) {
        invert(dim_, &J[nodes[node] * block], inverse);
        turn(dim_, one.frame, inverse, turned);
        if (is_metric)
            metric(dim_, turned, factors);
        else
            std::copy_n(turned, block, factors);
        for (int f = 0; f < n; ++f) out[(f * n_at + node) * w] = static_cast<Real>(factors[f]);
    }
}

template <class Real>
template <class F>
void Stiffness<Real>::for_copies(const Copies& copies, F&& f) const {
    for (const auto& level : copies)
        parallel_for(threads_, static_cast<Index>(level.size()), [&](Index i) {
            const Index from = value_at(level[i].from, 0);
            for_values(level[i].to, level[i].to + level[i].n,
                       [&](Index to, Index n, int each) { f(to, from + (to - value_at(level[i].to, 0)), n * each); });
        });
}

template <class Real>
void Stiffness<Real>::add_copies(Real* r) const {
    for_copies(numbering_.copies(), [&](Index to, Index from, Index n) {
        for (Index i = 0; i < n; ++i) r[to + i] += r[from + i], r[from + i] = 0;
    });
}

template <class Real>
void Stiffness<Real>::spread(Real* u) const {
    for (const Copies* copies : {&numbering_.copies(), &numbering_.shared_copies()})
        for_copies(*copies, [&](Index to, Index from, Index n) { std::copy_n(u + to, n, u + from); });
}

template <class Real>
void Stiffness<Real>::accumulate(Real weight, const Real* u, const Real* lambda, Real* gradient) const {
    const auto data = batches();
    parallel_for(threads_, static_cast<Index>(runs_.size()), [&](Index r) {
        kernels(runs_[r]).accumulate(data, batch_run(runs_[r]), weight, u, lambda, gradient);
    });
}

template <class Real>
void Stiffness<Real>::add_gradient(const Real* gradient, int field, double* out) const {
    const int w = order_.width;
    std::array<std::vector<int>, 64> frames;
    const int order = static_cast<int>(points_.size()) - 1;
    for_lanes(0, n_batches_, [&](Index batch, int lane, const OrderedElement& one) {
        auto& nodes = frames[one.frame.id()];
        if (nodes.empty()) nodes = frame_nodes(order, dim_, one.frame);
        for (int k = 0; k < n_coefficients_; ++k)
            for (int n = 0; n < n_nodes_; ++n) {
                const Index at = one.element * n_nodes_ + nodes[n];
                const Real sum = gradient[((batch * n_coefficients_ + k) * n_nodes_ + n) * w +
                                          (lanes_ == Lanes::events ? field : lane)];
                out[k * n_elements_ * n_nodes_ + at] += scale_[at] * static_cast<double>(sum);
            }
    });
}

template <class Real>
std::size_t Stiffness<Real>::memory_in_bytes() const {
    return (places_.size() + lane_places_.size() + numbering_.places().size()) * sizeof(Dof) +
           (coefficients_.size() + geometry_.size()) * sizeof(Real) + scale_.size() * sizeof(double) +
           order_.lanes.size() * sizeof(OrderedElement) +
           (shared_ ? shared_->halo.memory_in_bytes() + 2 * shared_->own.size() * sizeof(Real) : 0);
}

template class Stiffness<float>;
template class Stiffness<double>;

}  // namespace wavetree
