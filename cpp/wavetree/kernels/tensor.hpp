// Tensor-product contractions with compile-time sizes (sum factorisation).
#pragma once

#include "wavetree/kernels/lane.hpp"

namespace wavetree::WAVETREE_ISA {

WAVETREE_INLINE constexpr int ipow(int base, int exponent) {
    int result = 1;
    for (int i = 0; i < exponent; ++i) result *= base;
    return result;
}

// The derivative matrix is antisymmetric under reversal of both its indices, D[n−1−i][n−1−j] = −D[i][j], so that sums
// and differences of opposite points are differentiated apart, with half of the products (Solomonoff 1992, JCP 98):
// out[i], out[n−1−i] = S[i] ± T[i], S = A (u[j] − u[n−1−j]), T = B (u[j] + u[n−1−j]).
template <int N1, class V>
struct SplitDerivative {
    static constexpr int half = N1 / 2, middle = N1 % 2;
    V A[half + middle][half];  // the last row gives the middle point, if there is one
    V B[half][half + middle];  // the last column is by the middle point

    template <class Real>
    WAVETREE_INLINE explicit SplitDerivative(const Real* D) {
        for (int i = 0; i < half; ++i)
            for (int j = 0; j < half; ++j) {
                const Real low = D[i * N1 + j], high = D[i * N1 + N1 - 1 - j];
                A[i][j] = V{} + (low - high) / 2;
                B[i][j] = V{} + (low + high) / 2;
            }
        if constexpr (middle)
            for (int i = 0; i < half; ++i) A[half][i] = V{} + D[half * N1 + i], B[i][half] = V{} + D[i * N1 + half];
    }

    // out = D u along a line of points that lie `stride` apart.
    template <int stride>
    WAVETREE_INLINE void apply(const V* __restrict u, V* __restrict out) const {
        V d[half], s[half + middle];
#pragma GCC unroll 9
        for (int j = 0; j < half; ++j) {
            const V low = u[j * stride], high = u[(N1 - 1 - j) * stride];
            d[j] = low - high, s[j] = low + high;
        }
        if constexpr (middle) s[half] = u[half * stride];
#pragma GCC unroll 9
        for (int i = 0; i < half; ++i) {
            V S = A[i][0] * d[0], T = B[i][0] * s[0];
#pragma GCC unroll 9
            for (int j = 1; j < half; ++j) S += A[i][j] * d[j];
#pragma GCC unroll 9
            for (int j = 1; j < half + middle; ++j) T += B[i][j] * s[j];
            out[i * stride] = S + T, out[(N1 - 1 - i) * stride] = S - T;
        }
        if constexpr (middle) {
            V S = A[half][0] * d[0];
#pragma GCC unroll 9
            for (int j = 1; j < half; ++j) S += A[half][j] * d[j];
            out[half * stride] = S;
        }
    }

    // out (+)= Dᵀ f
    template <int stride, bool Add>
    WAVETREE_INLINE void apply_transpose(const V* __restrict f, V* __restrict out) const {
        V p[half + middle], q[half];
#pragma GCC unroll 9
        for (int i = 0; i < half; ++i) {
            const V low = f[i * stride], high = f[(N1 - 1 - i) * stride];
            p[i] = low + high, q[i] = low - high;
        }
        if constexpr (middle) p[half] = f[half * stride];
        const auto put = [&](int at, V value) __attribute__((always_inline)) {
            if constexpr (Add)
                out[at * stride] += value;
            else
                out[at * stride] = value;
        };
#pragma GCC unroll 9
        for (int j = 0; j < half; ++j) {
            V d = A[0][j] * p[0], s = B[0][j] * q[0];
#pragma GCC unroll 9
            for (int i = 1; i < half + middle; ++i) d += A[i][j] * p[i];
#pragma GCC unroll 9
            for (int i = 1; i < half; ++i) s += B[i][j] * q[i];
            put(j, s + d), put(N1 - 1 - j, s - d);
        }
        if constexpr (middle) {
            V s = B[0][half] * q[0];
#pragma GCC unroll 9
            for (int i = 1; i < half; ++i) s += B[i][half] * q[i];
            put(half, s);
        }
    }
};

// out(.., i, ..) = Σ_j D[i][j] in(.., j, ..) along one axis of an N1^Dim array, x fastest.
template <int N1, int Dim, int Axis, class V>
WAVETREE_INLINE void differentiate(const SplitDerivative<N1, V>& D, const V* __restrict in, V* __restrict out) {
    constexpr int inner = ipow(N1, Axis), outer = ipow(N1, Dim - 1 - Axis);
    for (int o = 0; o < outer; ++o)
        for (int k = 0; k < inner; ++k) D.template apply<inner>(in + o * N1 * inner + k, out + o * N1 * inner + k);
}

// The transpose: out(.., j, ..) (+)= Σ_i D[i][j] in(.., i, ..).
template <int N1, int Dim, int Axis, bool Add, class V>
WAVETREE_INLINE void differentiate_transpose(const SplitDerivative<N1, V>& D, const V* __restrict in,
                                             V* __restrict out) {
    constexpr int inner = ipow(N1, Axis), outer = ipow(N1, Dim - 1 - Axis);
    for (int o = 0; o < outer; ++o)
        for (int k = 0; k < inner; ++k)
            D.template apply_transpose<inner, Add>(in + o * N1 * inner + k, out + o * N1 * inner + k);
}

}  // namespace wavetree::WAVETREE_ISA
