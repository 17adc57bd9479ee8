// The loops that measure the machine, of one instruction set (WAVETREE_ISA); compiled once for each.
#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/machine.hpp"

namespace wavetree::WAVETREE_ISA {

namespace {

// Enough to hide the latency of two units, few enough for 16 registers with a and b.
constexpr int n_chains = 12;

template <class Real>
Real multiply_add(Index n, Real a, Real b) {
    using V = typename Lane<Real>::Vector;
    V x[n_chains];
    for (int i = 0; i < n_chains; ++i) x[i] = V{} + static_cast<Real>(i);
    for (Index k = 0; k < n; ++k) {
#pragma GCC unroll 12
        for (int i = 0; i < n_chains; ++i) x[i] = a * x[i] + b;
    }
    Real sum = 0;
    for (int i = 0; i < n_chains; ++i)
        for (int l = 0; l < Lane<Real>::width; ++l) sum += x[i][l];
    return sum;
}

// Scaled, for a plain copy would become a call of memcpy, whose stores may pass the caches by.
void copy(const float* __restrict from, float* __restrict to, float scale, Index n) {
    for (Index i = 0; i < n; ++i) to[i] = scale * from[i];
}

void triad(const float* __restrict a, const float* __restrict b, float* __restrict to, float scale, Index n) {
    for (Index i = 0; i < n; ++i) to[i] = a[i] + scale * b[i];
}

template <class Real>
constexpr int flops = 2 * n_chains * Lane<Real>::width;

}  // namespace

const MachineLoops& machine_loops() {
    static const MachineLoops loops{
        &multiply_add<float>, &multiply_add<double>, flops<float>, flops<double>, &copy, &triad};
    return loops;
}

}  // namespace wavetree::WAVETREE_ISA
