// Where a forward run leaves its field for the adjoint run.
#pragma once

#include <algorithm>
#include <vector>

#include "wavetree/core/types.hpp"

namespace wavetree {

// Snapshots u_k at chosen steps k, one row each, in memory that the caller owns (and may map to a
// file). `weights` make the sum over the stored steps the sum over all of them.
template <class Real>
struct WavefieldStore {
    std::vector<Index> steps;     // ascending
    std::vector<double> weights;  // one per step; all 1 if every step is stored
    Real* snapshots;              // (n_stored, n_values): the values of each medium, one after the other
    Index n_values;

    Real* row(Index i) const { return snapshots + i * n_values; }

    // Row of step k, or −1.
    Index find(Index k) const {
        const auto it = std::lower_bound(steps.begin(), steps.end(), k);
        return it != steps.end() && *it == k ? it - steps.begin() : -1;
    }
};

}  // namespace wavetree
