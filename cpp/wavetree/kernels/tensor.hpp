// Tensor-product contractions with compile-time sizes (sum factorisation).
#pragma once

#include "wavetree/kernels/lane.hpp"

namespace wavetree::WAVETREE_ISA {

WAVETREE_INLINE constexpr int ipow(int base, int exponent) {
    int result = 1;
    for (int i = 0; i < exponent; ++i) result *= base;
    return result;
}

// out(.., i, ..) = Σ_j D[i][j] in(.., j, ..) along one axis of an N1^Dim array, x fastest.
template <int N1, int Dim, int Axis, class V, class Real>
WAVETREE_INLINE void differentiate(const Real* __restrict D, const V* __restrict in, V* __restrict out) {
    constexpr int inner = ipow(N1, Axis), outer = ipow(N1, Dim - 1 - Axis);
    for (int o = 0; o < outer; ++o)
        for (int k = 0; k < inner; ++k) {
            const V* line = in + o * N1 * inner + k;
            V* result = out + o * N1 * inner + k;
#pragma GCC unroll 9
            for (int i = 0; i < N1; ++i) {
                V sum = D[i * N1] * line[0];
#pragma GCC unroll 9
                for (int j = 1; j < N1; ++j) sum += D[i * N1 + j] * line[j * inner];
                result[i * inner] = sum;
            }
        }
}

// The transpose, added: out(.., j, ..) += Σ_i D[i][j] in(.., i, ..).
template <int N1, int Dim, int Axis, class V, class Real>
WAVETREE_INLINE void differentiate_transpose(const Real* __restrict D, const V* __restrict in, V* __restrict out) {
    constexpr int inner = ipow(N1, Axis), outer = ipow(N1, Dim - 1 - Axis);
    for (int o = 0; o < outer; ++o)
        for (int k = 0; k < inner; ++k) {
            const V* line = in + o * N1 * inner + k;
            V* result = out + o * N1 * inner + k;
#pragma GCC unroll 9
            for (int j = 0; j < N1; ++j) {
                V sum = D[j] * line[0];
#pragma GCC unroll 9
                for (int i = 1; i < N1; ++i) sum += D[i * N1 + j] * line[i * inner];
                result[j * inner] += sum;
            }
        }
}

}  // namespace wavetree::WAVETREE_ISA
