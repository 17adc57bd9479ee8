#include "wavetree/operators/stiffness.hpp"

#include <algorithm>

#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/parallel.hpp"

namespace wavetree {

namespace {

// Enough blocks to balance a few threads, few enough that interface dofs stay rare.
constexpr Index elements_per_block = 128;
constexpr Index max_blocks = 64;

}  // namespace

template <class Real>
Stiffness<Real>::Stiffness(const StiffnessSetup& setup, const double* coefficients)
    : set_(&wavetree::kernel_set(setup.instruction_set)),
      threads_(setup.threads),
      n_nodes_(setup.geometry.n_nodes()),
      n_components_(setup.n_components),
      n_coefficients_(setup.n_coefficients),
      dim_(setup.geometry.mesh().dim),
      n_dofs_(setup.dofs.n_dofs),
      n_elements_(setup.geometry.mesh().n_elements) {
    const int order = setup.geometry.gll().n() - 1;
    KernelKey key{setup.physics, dim_, order, GeometryClass::affine};
    affine_ = setup.factors.affine && find_kernels<Real>(*set_, key, kernels_);
    key.geometry = GeometryClass::stored;
    if (!affine_ && !find_kernels<Real>(*set_, key, kernels_))
        throw InputError("no kernel for dimension " + std::to_string(dim_) + ", order " + std::to_string(order));
    D_.assign(setup.geometry.gll().D.begin(), setup.geometry.gll().D.end());
    make_blocks(n_elements_);
    number_copies(setup.dofs);
    fill(setup, coefficients);
}

template <class Real>
void Stiffness<Real>::make_blocks(Index n_elements) {
    const Index n = std::clamp<Index>(n_elements / elements_per_block, 1, max_blocks), w = kernels_.width;
    for (Index i = 0; i < n; ++i) {
        const Index begin = n_elements * i / n, end = n_elements * (i + 1) / n, count = (end - begin + w - 1) / w;
        blocks_.push_back({{n_batches_, n_batches_ + count}, begin, end});
        n_batches_ += count;
    }
}

template <class Real>
template <class F>
void Stiffness<Real>::for_lanes(F&& f) const {
    for (std::size_t b = 0; b < blocks_.size(); ++b)
        for (Index e = blocks_[b].element_begin; e < blocks_[b].element_end; ++e) {
            const Index at = e - blocks_[b].element_begin;
            f(b, blocks_[b].batches.begin + at / kernels_.width, static_cast<int>(at % kernels_.width), e);
        }
}

template <class Real>
void Stiffness<Real>::number_copies(const DofMap& map) {
    std::vector<int> owner(static_cast<std::size_t>(n_dofs_), -1), seen(static_cast<std::size_t>(n_dofs_), -1);
    std::vector<Dof> local(static_cast<std::size_t>(n_dofs_));  // number within the block `seen`
    std::vector<std::pair<Dof, Dof>> copies;                    // (dof, copy)
    dofs_.assign(static_cast<std::size_t>(n_batches_ * n_nodes_ * kernels_.width), -1);
    size_ = n_dofs_;
    for_lanes([&](std::size_t b, Index batch, int lane, Index e) {
        const int block = static_cast<int>(b);
        for (int n = 0; n < n_nodes_; ++n) {
            const Index dof = map.element_dofs[e * n_nodes_ + n];
            if (seen[dof] != block) {
                seen[dof] = block;
                if (owner[dof] < 0) owner[dof] = block;
                local[dof] = static_cast<Dof>(owner[dof] == block ? dof : size_);
                if (owner[dof] != block) copies.emplace_back(static_cast<Dof>(dof), static_cast<Dof>(size_++));
            }
            dofs_[(batch * n_nodes_ + n) * kernels_.width + lane] = local[dof];
        }
    });
    std::replace(dofs_.begin(), dofs_.end(), Dof{-1}, static_cast<Dof>(size_++));
    std::sort(copies.begin(), copies.end());
    for (const auto& [dof, copy] : copies) {
        if (interface_.empty() || interface_.back() != dof) {
            interface_.push_back(dof);
            copies_begin_.push_back(static_cast<Dof>(copies_.size()));
        }
        copies_.push_back(copy);
    }
    copies_begin_.push_back(static_cast<Dof>(copies_.size()));
}

template <class Real>
void Stiffness<Real>::fill(const StiffnessSetup& setup, const double* coefficients) {
    const int w = kernels_.width, block = dim_ * dim_;
    const Factors& factors = setup.factors;
    coefficients_.assign(static_cast<std::size_t>(n_batches_ * n_coefficients_ * n_nodes_ * w), Real(0));
    const Index geometry_nodes = affine_ ? 1 : n_nodes_;
    dxi_dx_.assign(static_cast<std::size_t>(n_batches_ * block * geometry_nodes * w), Real(0));
    for_lanes([&](std::size_t, Index batch, int lane, Index e) {
        for (int k = 0; k < n_coefficients_; ++k)
            for (int n = 0; n < n_nodes_; ++n)
                coefficients_[((batch * n_coefficients_ + k) * n_nodes_ + n) * w + lane] = static_cast<Real>(
                    coefficients[(k * n_elements_ + e) * n_nodes_ + n] * factors.mass_weights[e * n_nodes_ + n]);
        for (int f = 0; f < block; ++f)
            for (Index n = 0; n < geometry_nodes; ++n)
                dxi_dx_[((batch * block + f) * geometry_nodes + n) * w + lane] =
                    static_cast<Real>(factors.dxi_dx[(e * n_nodes_ + n) * block + f]);
    });
}

template <class Real>
void Stiffness<Real>::apply(const Real* u, Real* r) const {
    const auto data = batches();
    parallel_for(threads_, static_cast<Index>(blocks_.size()),
                 [&](Index b) { kernels_.apply(data, blocks_[b].batches, u, r); });
    parallel_ranges(threads_, static_cast<Index>(interface_.size()), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i)
            for (Dof c = copies_begin_[i]; c < copies_begin_[i + 1]; ++c) {
                Real* to = r + Index{interface_[i]} * n_components_;
                Real* from = r + Index{copies_[c]} * n_components_;
                for (int k = 0; k < n_components_; ++k) to[k] += from[k], from[k] = 0;
            }
    });
}

template <class Real>
void Stiffness<Real>::spread(Real* u) const {
    parallel_ranges(threads_, static_cast<Index>(interface_.size()), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i)
            for (Dof c = copies_begin_[i]; c < copies_begin_[i + 1]; ++c)
                std::copy_n(u + Index{interface_[i]} * n_components_, n_components_,
                            u + Index{copies_[c]} * n_components_);
    });
}

template <class Real>
void Stiffness<Real>::accumulate(Real weight, const Real* u, const Real* lambda, Real* gradient) const {
    const auto data = batches();
    parallel_for(threads_, static_cast<Index>(blocks_.size()),
                 [&](Index b) { kernels_.accumulate(data, blocks_[b].batches, weight, u, lambda, gradient); });
}

template <class Real>
void Stiffness<Real>::add_gradient(const Factors& factors, const Real* gradient, double* out) const {
    for_lanes([&](std::size_t, Index batch, int lane, Index e) {
        for (int k = 0; k < n_coefficients_; ++k)
            for (int n = 0; n < n_nodes_; ++n)
                out[(k * n_elements_ + e) * n_nodes_ + n] +=
                    factors.mass_weights[e * n_nodes_ + n] *
                    static_cast<double>(
                        gradient[((batch * n_coefficients_ + k) * n_nodes_ + n) * kernels_.width + lane]);
    });
}

template class Stiffness<float>;
template class Stiffness<double>;

}  // namespace wavetree
