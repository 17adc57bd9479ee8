// Elastic waves in an isotropic solid, displacement u:
//
//     ρ u_tt = ∇·σ + f,   σ = λ (∇·u) I + μ (∇u + ∇uᵀ)                                            (1)
//
// in two dimensions plane strain. Impedance of an absorbing edge with the unit normal n:
//
//     σ·n = −Z u_t,   Z = ρ vp n nᵀ + ρ vs (I − n nᵀ)                                             (2)
//
// with ρ vp = sqrt(ρ (λ + 2μ)) and ρ vs = sqrt(ρ μ) (Lysmer & Kuhlemeyer 1969).
#pragma once

#ifndef WAVETREE_INLINE
#define WAVETREE_INLINE inline
#endif

#include <cmath>

#include "wavetree/core/types.hpp"

namespace wavetree {

struct Elastic {
    static constexpr PhysicsId id = PhysicsId::elastic;
    static constexpr bool is_isotropic_scalar = false;
    static constexpr const char* name = "elastic";
    template <int Dim>
    static constexpr int n_components = Dim;
    template <int Dim>
    static constexpr int n_stiffness = 2;

    // Stress of equation (1); k = (λ, μ).
    template <int Dim, class V>
    static WAVETREE_INLINE void flux(const V (&gradient)[Dim][Dim], const V* k, V (&out)[Dim][Dim]) {
        V divergence = gradient[0][0];
        for (int d = 1; d < Dim; ++d) divergence += gradient[d][d];
        const V pressure = k[0] * divergence;
        for (int c = 0; c < Dim; ++c) {
            out[c][c] = pressure + (k[1] + k[1]) * gradient[c][c];
            for (int d = c + 1; d < Dim; ++d) out[c][d] = out[d][c] = k[1] * (gradient[c][d] + gradient[d][c]);
        }
    }

    // ∂(∇λ:σ(∇u))/∂(λ, μ).
    template <int Dim, class V>
    static WAVETREE_INLINE void flux_derivative(const V (&u)[Dim][Dim], const V (&lambda)[Dim][Dim], V* out) {
        V div_u = u[0][0], div_lambda = lambda[0][0], sum{};
        for (int d = 1; d < Dim; ++d) div_u += u[d][d], div_lambda += lambda[d][d];
        for (int c = 0; c < Dim; ++c)
            for (int d = 0; d < Dim; ++d) sum += lambda[c][d] * (u[c][d] + u[d][c]);
        out[0] = div_u * div_lambda, out[1] = sum;
    }

    // Equation (2); p = (ρ, λ, μ).
    template <int Dim>
    static void impedance(const double* p, const double* n, double* Z) {
        const double zp = std::sqrt(p[0] * (p[1] + 2.0 * p[2])), zs = std::sqrt(p[0] * p[2]);
        for (int i = 0; i < Dim; ++i)
            for (int j = 0; j < Dim; ++j) Z[i * Dim + j] = (zp - zs) * n[i] * n[j] + (i == j ? zs : 0.0);
    }

    // g += ∂(by_Z : Z)/∂p.
    template <int Dim>
    static void impedance_derivative(const double* p, const double* n, const double* by_Z, double* g) {
        const double modulus = p[1] + 2.0 * p[2];
        double by_zp = 0.0, trace = 0.0;
        for (int i = 0; i < Dim; ++i) {
            trace += by_Z[i * Dim + i];
            for (int j = 0; j < Dim; ++j) by_zp += by_Z[i * Dim + j] * n[i] * n[j];
        }
        const double p_part = 0.5 * by_zp / std::sqrt(p[0] * modulus);
        const double s_part = 0.5 * (trace - by_zp) / std::sqrt(p[0] * p[2]);
        g[0] += p_part * modulus + s_part * p[2];
        g[1] += p_part * p[0];
        g[2] += (2.0 * p_part + s_part) * p[0];
    }
};

}  // namespace wavetree
