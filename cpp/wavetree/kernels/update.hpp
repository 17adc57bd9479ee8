// The time update of central differences in velocity form.
#pragma once

#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/table.hpp"

namespace wavetree::WAVETREE_ISA {

// w ← a w − b r, u ← u + dt w, r ← 0 on the values [begin, end).
template <class Real>
void update(const Update<Real>& x, Index begin, Index end) {
    Real* __restrict u = x.u;
    Real* __restrict w = x.w;
    Real* __restrict r = x.r;
    for (Index i = begin; i < end; ++i) {
        w[i] = x.a[i] * w[i] - x.b[i] * r[i];
        u[i] += x.dt * w[i];
        r[i] = 0;
    }
}

}  // namespace wavetree::WAVETREE_ISA
