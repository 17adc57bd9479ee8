// The stiffness operator K, applied element by element, never assembled.
#pragma once

#include <string>
#include <vector>

#include "wavetree/core/types.hpp"
#include "wavetree/kernels/isa.hpp"
#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/geometry.hpp"

namespace wavetree {

struct StiffnessSetup {
    PhysicsId physics;
    int n_components, n_coefficients;
    const Geometry& geometry;
    const Factors& factors;
    const DofMap& dofs;
    std::string instruction_set;  // empty: the best of this processor
    int threads;
};

// Vectors have `size()` values: the components of a dof together; first the mesh's dofs, then a private copy of
// every interface dof for each further block of elements that touches it, last a spare that padding lanes
// point at.
//
// The elements stand in blocks, whose number depends on the mesh alone. A block writes its own dofs and
// its own copies only, so blocks run on any thread without locks, and the copies are then added in
// block order: the result has the same bits for every number of threads.
template <class Real>
class Stiffness {
  public:
    // coefficients: (n_coefficients, n_elements, n_nodes), without quadrature weights.
    Stiffness(const StiffnessSetup& setup, const double* coefficients);

    int n_components() const { return n_components_; }
    Index n_values() const { return n_dofs_ * n_components_; }  // without copies and spare
    Index size() const { return size_ * n_components_; }
    int threads() const { return threads_; }
    const KernelSet& kernel_set() const { return *set_; }

    // r += K u on the dofs. `u` needs its copies up to date (`spread`); copies in r are zero before and
    // after.
    void apply(const Real* u, Real* r) const;

    // Copies every interface dof of u to the blocks that share it.
    void spread(Real* u) const;

    // gradient += weight · ∂(λᵀ K u)/∂coefficient, in the order of the batches; see `add_gradient`.
    void accumulate(Real weight, const Real* u, const Real* lambda, Real* gradient) const;
    Index gradient_size() const { return static_cast<Index>(coefficients_.size()); }

    // out (n_coefficients, n_elements, n_nodes) += the accumulated gradient times quadrature weights.
    void add_gradient(const Factors& factors, const Real* gradient, double* out) const;

  private:
    struct Block {
        BatchRange batches;
        Index element_begin, element_end;
    };
    void make_blocks(Index n_elements);
    void number_copies(const DofMap& dofs);
    void fill(const StiffnessSetup& setup, const double* coefficients);
    Batches<Real> batches() const { return {dofs_.data(), coefficients_.data(), dxi_dx_.data(), D_.data()}; }
    // f(block, batch, lane, element) for every lane that holds an element.
    template <class F>
    void for_lanes(F&& f) const;

    const KernelSet* set_;
    ElementKernels<Real> kernels_;
    int threads_, n_nodes_, n_components_, n_coefficients_, dim_;
    bool affine_ = false;
    Index n_dofs_ = 0, size_ = 0, n_elements_ = 0, n_batches_ = 0;  // size_ in dofs
    std::vector<Block> blocks_;
    std::vector<Dof> interface_, copies_begin_, copies_;  // interface dof, its copies as compressed rows
    AlignedVector<Dof> dofs_;
    AlignedVector<Real> coefficients_, dxi_dx_, D_;
};

}  // namespace wavetree
