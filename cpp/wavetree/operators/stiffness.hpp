// The stiffness operator K, applied element by element, never assembled.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "wavetree/core/types.hpp"
#include "wavetree/kernels/isa.hpp"
#include "wavetree/kernels/parallel.hpp"
#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/geometry.hpp"
#include "wavetree/mesh/halo.hpp"
#include "wavetree/operators/numbering.hpp"

namespace wavetree {

struct StiffnessSetup {
    PhysicsId physics;
    int n_components, n_coefficients;
    const Geometry& geometry;
    const Factors& factors;
    const DofMap& dofs;
    std::string instruction_set;  // empty: the best of this processor
    int threads;
    Lanes lanes = Lanes::elements;
    const Halo* halo = nullptr;  // null, or without ranks: there is one rank
};

// Vectors have `size()` values, at the places of `Numbering`; `value` tells where.
//
// A block of elements writes the places that it alone touches and its own copies, so blocks run on any thread without
// locks, and the copies are then added in a fixed order: the result has the same bits for every number of threads.
// Elements that touch other ranks go first; what they add to shared dofs is on its way while the others are worked on,
// and is then summed over ranks in their order.
template <class Real>
class Stiffness {
  public:
    // coefficients: (n_coefficients, n_elements, n_nodes), without quadrature weights.
    Stiffness(const StiffnessSetup& setup, const double* coefficients);

    const Numbering& numbering() const { return numbering_; }
    const KernelSet& kernel_set() const { return *set_; }
    int threads() const { return threads_; }
    int n_components() const { return n_components_; }

    // Fields side by side in a vector: 1 where lanes are elements.
    int n_fields() const { return lanes_ == Lanes::events ? order_.width : 1; }
    Index size() const { return numbering_.size() * n_components_ * n_fields(); }
    Index value_at(Index place, int component) const {
        return lanes_ == Lanes::events ? (place * n_components_ + component) * n_fields()
                                       : component * numbering_.size() + place;
    }
    // Where the value of a dof stands, of the first field; those of the others follow.
    Index value(Index dof, int component) const { return value_at(numbering_.place(dof), component); }

    Index place_of(Index value) const {
        return lanes_ == Lanes::events ? value / (n_components_ * n_fields()) : value % numbering_.size();
    }

    // Whether other ranks have a value too.
    bool is_shared(Index value) const {
        if (!shared_) return false;
        const Index place = place_of(value);
        return place >= numbering_.shared_begin() && place < numbering_.n_places();
    }
    // Adds to r what is not of K: to shared values before `apply` or `sweep`, which sum over ranks, to others after it;
    // what comes at the wrong moment is passed over, and false returned.
    enum class Moment { before, after };
    bool add(Real* r, Index value, double amount, Moment moment) const {
        const bool shared = is_shared(value);
        if (shared != (moment == Moment::before)) return false;
        if (shared) {
            const Index place = place_of(value);
            value += numbering_.first_copy(place) - place;  // lanes are elements
        }
        r[value] += static_cast<Real>(amount);
        return true;
    }

    // r += K u. `u` needs its copies up to date (`spread`); those of r are zero before and after.
    void apply(const Real* u, Real* r) const {
        sweep(u, r, [](Index, Index) {}, [](Index, Index) {});
    }

    // The same, with before(begin, end) called for ranges of places before anything is added to them, and
    // after(begin, end) when nothing more is read from u or added to r there; for the interface of blocks
    // neither is.
    template <class Before, class After>
    void sweep(const Real* u, Real* r, Before&& before, After&& after) const {
        const Index n_first = numbering_.n_first_blocks();
        const auto blocks = [&](Index begin, Index end) {
            parallel_for(threads_, end - begin,
                         [&](Index b) { sweep_block(numbering_.blocks()[begin + b], u, r, before, after); });
        };
        blocks(0, n_first);
        if (shared_) start_sum(r);
        blocks(n_first, static_cast<Index>(numbering_.blocks().size()));
        add_copies(r);
        if (shared_) finish_sum(r);
    }

    // f(first value, n places, values per place) for the values at places [begin, end).
    template <class F>
    void for_values(Index begin, Index end, F&& f) const {
        if (lanes_ == Lanes::events)
            f(value_at(begin, 0), end - begin, n_components_ * n_fields());
        else
            for (int c = 0; c < n_components_; ++c) f(value_at(begin, c), end - begin, 1);
    }

    // Copies every interface value of u to the blocks that share it.
    void spread(Real* u) const;

    // gradient += weight · ∂(λᵀ K u)/∂coefficient, in the order of the batches; see `add_gradient`.
    void accumulate(Real weight, const Real* u, const Real* lambda, Real* gradient) const;
    Index gradient_size() const { return n_batches_ * n_coefficients_ * n_nodes_ * order_.width; }

    // out (n_coefficients, n_elements, n_nodes) += the accumulated gradient of a field times quadrature weights.
    void add_gradient(const Real* gradient, int field, double* out) const;

    std::size_t memory_in_bytes() const;

  private:
    struct Run {
        Index begin, end, geometry;
        GeometryClass geometry_class;
    };

    template <class Before, class After>
    void sweep_block(const ElementBlock& block, const Real* u, Real* r, Before& before, After& after) const {
        Index begun = block.place_begin, done = block.place_begin;
        for (Index c = block.chunk_begin; c < block.chunk_end; ++c) {
            const Chunk& chunk = numbering_.chunks()[c];
            if (chunk.begun > begun) before(begun, chunk.begun), begun = chunk.begun;
            for (Index i = run_begin_[c]; i < run_begin_[c + 1]; ++i)
                kernels(runs_[i]).apply(batches(), batch_run(runs_[i]), u, r);
            if (chunk.done > done) after(done, chunk.done), done = chunk.done;
        }
    }
    // What this rank adds to shared places, and the sum over ranks: (places, values per place).
    struct Shared {
        HaloSum<Real> halo;
        std::vector<Real> own, sum;
    };
    using Copies = std::vector<std::vector<CopyRun>>;
    void share(const Halo& halo);
    std::vector<char> first_elements(const StiffnessSetup& setup) const;
    void start_sum(Real* r) const;
    void finish_sum(Real* r) const;
    // f(value at a shared place, number of it among `Shared::own`) for n shared places from `to` on, `from` in their
    // stead.
    template <class F>
    void for_shared(Index from, Index to, Index n, F&& f) const;
    void add_copies(Real* r) const;
    template <class F>
    void for_copies(const Copies& copies, F&& f) const;

    void find_kernels(const StiffnessSetup& setup);
    void code_places();
    void make_runs(const Factors& factors);
    void fill(const StiffnessSetup& setup, const double* coefficients);
    void fill_factors(const Geometry& geometry, const Run& run, Index batch, int lane, const OrderedElement& element,
                      const std::vector<int>& nodes);
    GeometryClass usable(GeometryClass geometry_class) const;
    int n_factors(GeometryClass geometry_class) const;  // per batch and lane
    const ElementKernels<Real>& kernels(const Run& run) const { return kernels_[static_cast<int>(run.geometry_class)]; }
    BatchRun<Real> batch_run(const Run& run) const { return {run.begin, run.end, geometry_.data() + run.geometry}; }
    Batches<Real> batches() const {
        return {places_.data(), lane_places_.data(), coefficients_.data(),
                D_.data(),      points_.data(),      numbering_.size()};
    }
    // Batches of the kernels in a batch of the order: one, or one per element.
    int split() const { return lanes_ == Lanes::events ? order_.width : 1; }
    // Lanes of a batch's own data.
    int data_width() const { return lanes_ == Lanes::events ? 1 : order_.width; }
    // f(batch, lane, element) for every lane that holds an element, batches and lanes as the kernels' data have them.
    template <class F>
    void for_lanes(Index begin, Index end, F&& f) const;

    const KernelSet* set_;
    Lanes lanes_;
    int threads_, n_components_, n_coefficients_, dim_, n_nodes_;
    std::array<ElementKernels<Real>, n_geometry_classes> kernels_;  // by class, where there are any
    ElementOrder order_;
    Numbering numbering_;
    Index n_elements_, n_batches_ = 0;
    std::vector<Run> runs_;
    std::vector<Index> run_begin_;  // first run of every chunk, then their number
    std::vector<double> scale_;     // (n_elements, n_nodes): what coefficients are multiplied by
    AlignedVector<Dof> places_, lane_places_;
    AlignedVector<Real> coefficients_, geometry_, D_, points_;
    std::unique_ptr<Shared> shared_;
};

}  // namespace wavetree
