#include "wavetree/mesh/halo.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace wavetree {

std::vector<char> Halo::shared(Index n_dofs) const {
    std::vector<char> result(ranks ? static_cast<std::size_t>(n_dofs) : 0, 0);
    for (const SharedDofs& with : neighbours)
        for (Index dof : with.dofs) result[dof] = 1;
    return result;
}

std::vector<char> Halo::owned(Index n_dofs) const {
    std::vector<char> result(static_cast<std::size_t>(n_dofs), 1);
    for (const SharedDofs& with : neighbours)
        for (Index dof : with.dofs)
            if (with.rank < ranks->rank()) result[dof] = 0;
    return result;
}

// A dof is known on all ranks by the first element that has it and its place there. All that have a dof in common touch
// each other, so that every rank sees this element.
Halo make_halo(const Ranks* ranks, const HaloSetup& setup) {
    Halo halo{ranks, {}};
    if (!ranks) return halo;
    using Name = std::pair<Index, Index>;  // first element, node
    constexpr Index none = std::numeric_limits<Index>::max();
    const auto last = std::max_element(setup.number.begin(), setup.number.end());
    const Index n_dofs = last == setup.number.end() ? 0 : *last + 1;
    std::vector<Name> names(static_cast<std::size_t>(n_dofs), {none, none});  // of shared dofs only
    std::map<int, std::vector<Index>> by_rank;
    const auto first_local = static_cast<Index>(setup.all.number.size() - setup.all.rank.size());
    const auto dof_at = [&](Index e, Index node) {
        return setup.number[setup.map.element_dofs[e * setup.n_nodes + node]];
    };
    for (Index e : setup.ghosts)
        for (Index node = 0; node < setup.n_nodes; ++node)
            if (const Index dof = dof_at(e, node); dof >= 0) {
                names[dof] = std::min(names[dof], Name{setup.all.number[e], node});
                by_rank[setup.all.rank[e - first_local]].push_back(dof);
            }
    for (Index e : setup.elements)
        for (Index node = 0; node < setup.n_nodes; ++node)
            if (Name& name = names[dof_at(e, node)]; name.first != none)
                name = std::min(name, Name{setup.all.number[e], node});
    for (auto& [rank, dofs] : by_rank) {
        std::sort(dofs.begin(), dofs.end(), [&](Index a, Index b) { return names[a] < names[b]; });
        dofs.erase(std::unique(dofs.begin(), dofs.end()), dofs.end());
        halo.neighbours.push_back({rank, std::move(dofs)});
    }
    return halo;
}

template <class Real>
void HaloSum<Real>::connect(const Ranks& ranks) {
    std::vector<int> with;
    std::vector<std::size_t> bytes;
    for (const SharedDofs& one : neighbours_) {
        with.push_back(one.rank);
        bytes.push_back(one.dofs.size() * static_cast<std::size_t>(n_each_) * sizeof(Real));
    }
    exchange_ = ranks.connect(with, bytes);
}

template <class Real>
void HaloSum<Real>::start(const Real* own) {
    for (std::size_t k = 0; k < neighbours_.size(); ++k) {
        auto* out = reinterpret_cast<Real*>(exchange_->outgoing(k));
        for (Index slot : neighbours_[k].dofs) out = std::copy_n(own + slot * n_each_, n_each_, out);
    }
    exchange_->start();
}

template <class Real>
void HaloSum<Real>::finish(const Real* own, Real* sum, Index size) {
    exchange_->finish();
    std::fill_n(sum, size, Real(0));
    bool added = false;
    const auto add_own = [&] {
        for (Index i = 0; i < size; ++i) sum[i] += own[i];
        added = true;
    };
    for (std::size_t k = 0; k < neighbours_.size(); ++k) {
        if (!added && neighbours_[k].rank > rank_) add_own();
        const auto* in = reinterpret_cast<const Real*>(exchange_->incoming(k));
        for (Index slot : neighbours_[k].dofs)
            for (Index i = 0; i < n_each_; ++i) sum[slot * n_each_ + i] += *in++;
    }
    if (!added) add_own();
}

template <class Real>
std::size_t HaloSum<Real>::memory_in_bytes() const {
    std::size_t bytes = 0;
    for (const SharedDofs& with : neighbours_)
        bytes += with.dofs.size() * (sizeof(Index) + 2 * static_cast<std::size_t>(n_each_) * sizeof(Real));
    return bytes;
}

void sum_shared(const Halo& halo, Index n_each, std::vector<double>& values) {
    if (!halo.ranks) return;
    HaloSum<double> sum(halo, n_each, [](Index dof) { return dof; });
    const std::vector<double> own(values);
    sum.start(own.data());
    sum.finish(own.data(), values.data(), static_cast<Index>(values.size()));
}

template class HaloSum<float>;
template class HaloSum<double>;

}  // namespace wavetree
