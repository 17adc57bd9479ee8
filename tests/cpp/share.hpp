// What each of several ranks has of a tank.
#pragma once

#include <utility>
#include <vector>

#include "media.hpp"
#include "wavetree/mesh/halo.hpp"

namespace wavetree::tests {

// Of every side where the solid of a tank meets its fluid: the two elements, in this order.
std::vector<std::pair<Index, Index>> pairs_that_meet(const Tank& tank);

// Rank of every element of a tank. Ranks lie side by side along x but for this part of the elements, which may lie
// anywhere. Every rank has an element, and a side where fluid and solid meet both its elements on one rank.
std::vector<int> random_split(const Tank& tank, int n_ranks, double stray, Random& random);

// Values (n_coefficients, n_all, n_nodes) of some elements.
std::vector<double> some_elements(const std::vector<double>& values, const std::vector<Index>& elements,
                                  std::size_t n_all, std::size_t n_nodes);

// Elements and points are numbered at random on every rank.
class Share {
  public:
    Share(const Tank& tank, const std::vector<int>& split, int rank, const Ranks* ranks);

    MeshSetup mesh() const;
    std::vector<MediumSetup> media() const;
    // Rows of the whole tank: those in elements of other ranks are there without element.
    std::vector<Rows> rows(const std::vector<Rows>& all) const;

    const Ghosts& ghosts() const { return ghosts_; }
    const OwnedMesh& with_ghosts() const { return part_.owned; }
    // Of this rank's elements in a medium, their numbers within that of the whole tank.
    const std::vector<Index>& elements(std::size_t medium) const { return places_[medium]; }
    // Dofs of a medium of the whole tank, by dof of this rank's.
    template <class Real>
    std::vector<Index> dofs(const Simulation<Real>& whole, const Simulation<Real>& own, std::size_t medium) const {
        const auto &from = own.medium(medium), &to = whole.medium(medium);
        std::vector<Index> result(static_cast<std::size_t>(from.n_dofs()), -1);
        for (std::size_t k = 0; k < places_[medium].size(); ++k)
            for (Index node = 0; node < to.n_nodes(); ++node)
                result[from.element_dofs()[k * to.n_nodes() + node]] =
                    to.element_dofs()[places_[medium][k] * to.n_nodes() + node];
        return result;
    }

  private:
    void number_elements(const Tank& tank, const std::vector<int>& split, int rank, Random& random);
    void number_points(const Tank& tank, Random& random);
    void take_medium(const Tank& tank, std::size_t m);
    Index local(std::size_t m, Index place) const;  // of an element of the tank's medium in this rank's, or −1

    const Ranks* ranks_;
    Tank part_;  // this rank's elements and behind them the ghosts; its media have the former
    Ghosts ghosts_;
    std::vector<std::vector<Index>> places_, ghosts_in_;
};

}  // namespace wavetree::tests
