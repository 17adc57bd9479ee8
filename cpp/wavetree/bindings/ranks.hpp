// Ranks that an object of the host language knows: reductions by its methods, messages by persistent requests.
#pragma once

#include <memory>

#include "wavetree/bindings/module.hpp"
#include "wavetree/core/ranks.hpp"
#include "wavetree/mesh/halo.hpp"

namespace wavetree::bindings {

// What one rank has of a mesh: `ranks` is a `wavetree.ranks.Ranks`, the rest that of `Ghosts`.
struct Share {
    py::object ranks;
    Array<int> ghost_rank;
    Array<Index> number;

    // n_all: elements with their ghosts.
    Ghosts ghosts(Index n_all) const {
        expect_shape(number, "number", {n_all});
        if (ghost_rank.ndim() != 1 || ghost_rank.size() > n_all) expect_shape(ghost_rank, "ghost_rank", {n_all});
        return {{ghost_rank.data(), ghost_rank.data() + ghost_rank.size()},
                {number.data(), number.data() + number.size()}};
    }
    std::unique_ptr<Ranks> bind() const;
};

}  // namespace wavetree::bindings
