// Pointwise parts of the time step.
#pragma once

#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/table.hpp"

namespace wavetree::WAVETREE_ISA {

template <class Real>
void damp(Real* __restrict z, const Real* __restrict a, Index n, int n_values) {
    if (n_values == 1) {
        for (Index i = 0; i < n; ++i) z[i] *= a[i];
        return;
    }
    for (Index i = 0; i < n; ++i)
        for (int k = 0; k < n_values; ++k) z[i * n_values + k] *= a[i];
}

template <class Real>
void advance(Real* __restrict u, const Real* __restrict z, const Real* __restrict b, Index n, int n_values) {
    if (n_values == 1) {
        for (Index i = 0; i < n; ++i) u[i] -= b[i] * z[i];
        return;
    }
    for (Index i = 0; i < n; ++i)
        for (int k = 0; k < n_values; ++k) u[i * n_values + k] -= b[i] * z[i * n_values + k];
}

}  // namespace wavetree::WAVETREE_ISA
