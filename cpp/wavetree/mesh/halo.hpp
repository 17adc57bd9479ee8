// Degrees of freedom that several ranks have, and sums over these ranks.
#pragma once

#include <memory>
#include <vector>

#include "wavetree/core/ranks.hpp"
#include "wavetree/mesh/dof_map.hpp"

namespace wavetree {

// Elements of other ranks that touch those of this one. They are listed behind these.
struct Ghosts {
    std::vector<int> rank;      // (n_ghosts)
    std::vector<Index> number;  // (n_elements + n_ghosts): of every element, the same on all ranks
};

// Dofs that this rank shares with another one, in an order that both know.
struct SharedDofs {
    int rank;
    std::vector<Index> dofs;
};

struct Halo {
    const Ranks* ranks = nullptr;        // null: there is one rank
    std::vector<SharedDofs> neighbours;  // by rank, ascending

    // 1 for dofs that other ranks have too; empty where there is one rank.
    std::vector<char> shared(Index n_dofs) const;
    // 1 for dofs that no lower rank has.
    std::vector<char> owned(Index n_dofs) const;
};

// What elements in a domain, of all that `map` numbers, share with ghosts of it.
// number: of the dofs of `map` among those of the elements, or −1; see `select`.
struct HaloSetup {
    const DofMap& map;
    Index n_nodes;
    const std::vector<Index>&elements, &ghosts;
    const std::vector<Index>& number;
    const Ghosts& all;
};
Halo make_halo(const Ranks* ranks, const HaloSetup& setup);

// Sums of `n_each` values per dof over the ranks that share it, added up in the order of the ranks.
template <class Real>
class HaloSum {
  public:
    // slot(dof): where among `own` and `sum` the values of a shared dof stand, in units of n_each.
    template <class Slot>
    HaloSum(const Halo& halo, Index n_each, Slot&& slot) : rank_(halo.ranks->rank()), n_each_(n_each) {
        for (const SharedDofs& with : halo.neighbours) {
            neighbours_.push_back({with.rank, {}});
            for (Index dof : with.dofs) neighbours_.back().dofs.push_back(slot(dof));
        }
        connect(*halo.ranks);
    }

    void start(const Real* own);
    // sum: (size), of which all is overwritten; own as it was at the start.
    void finish(const Real* own, Real* sum, Index size);

    std::size_t memory_in_bytes() const;

  private:
    void connect(const Ranks& ranks);

    int rank_;
    Index n_each_;
    std::vector<SharedDofs> neighbours_;
    std::unique_ptr<Exchange> exchange_;
};

// values (n_dofs, n_each) ← their sums over ranks; nothing where there is one rank.
void sum_shared(const Halo& halo, Index n_each, std::vector<double>& values);

}  // namespace wavetree
