// Acoustic waves in a fluid, scalar potential φ:
//
//     M0 φ_tt = ∇·(M1 ∇φ) + f,   M0 = 1/(ρ vp²),  M1 = 1/ρ                                       (1)
//
// Impedance of an absorbing edge: M1 ∂φ/∂n = −Z φ_t,  Z = sqrt(M0 M1) = 1/(ρ vp)                  (2)
#pragma once

#ifndef WAVETREE_INLINE
#define WAVETREE_INLINE inline
#endif

#include <cmath>

#include "wavetree/core/types.hpp"

namespace wavetree {

struct Acoustic {
    static constexpr PhysicsId id = PhysicsId::acoustic;
    static constexpr bool is_isotropic_scalar = true;
    static constexpr const char* name = "acoustic";
    template <int Dim>
    static constexpr int n_components = 1;
    template <int Dim>
    static constexpr int n_stiffness = 1;

    // Flux M1 ∇φ of equation (1).
    template <int Dim, class V>
    static WAVETREE_INLINE void flux(const V (&gradient)[1][Dim], const V* k, V (&out)[1][Dim]) {
        for (int d = 0; d < Dim; ++d) out[0][d] = k[0] * gradient[0][d];
    }

    // ∂(∇λ·flux(∇φ))/∂M1.
    template <int Dim, class V>
    static WAVETREE_INLINE void flux_derivative(const V (&u)[1][Dim], const V (&lambda)[1][Dim], V* out) {
        V sum = u[0][0] * lambda[0][0];
        for (int d = 1; d < Dim; ++d) sum += u[0][d] * lambda[0][d];
        out[0] = sum;
    }

    // Equation (2); p = (M0, M1).
    template <int Dim>
    static void impedance(const double* p, const double*, double* Z) {
        Z[0] = std::sqrt(p[0] * p[1]);
    }

    // g += ∂(by_Z · Z)/∂p.
    template <int Dim>
    static void impedance_derivative(const double* p, const double*, const double* by_Z, double* g) {
        const double z = std::sqrt(p[0] * p[1]);
        g[0] += 0.5 * by_Z[0] * p[1] / z, g[1] += 0.5 * by_Z[0] * p[0] / z;
    }
};

}  // namespace wavetree
