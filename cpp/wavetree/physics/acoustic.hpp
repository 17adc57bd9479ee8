// Acoustic waves in a fluid, scalar potential φ:
//
//     (1/(ρ vp²)) φ_tt = ∇·((1/ρ) ∇φ) + f                                                        (1)
//
// with M0 = 1/(ρ vp²), M1 = 1/ρ. Impedance of an absorbing edge: (1/ρ) ∂φ/∂n = −φ_t / (ρ vp)      (2)
#pragma once

#ifndef WAVETREE_INLINE
#define WAVETREE_INLINE inline
#endif

#include "wavetree/core/types.hpp"

namespace wavetree {

struct Acoustic {
    static constexpr PhysicsId id = PhysicsId::acoustic;
    static constexpr int n_components = 1;
    static constexpr int n_parameters = 2;
    static constexpr const char* parameters[] = {"VP", "RHO"};
    static constexpr const char* units[] = {"m/s", "kg/m^3"};
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

    static double mass(const double* p) { return 1.0 / (p[1] * p[0] * p[0]); }
    static void stiffness(const double* p, double* k) { k[0] = 1.0 / p[1]; }
    static double impedance(const double* p) { return 1.0 / (p[1] * p[0]); }

    // Chain rule from derivatives by mass, stiffness coefficient and impedance to VP and RHO, added to g.
    static void chain(const double* p, double by_mass, const double* by_stiffness, double by_impedance, double* g) {
        const double vp = p[0], rho = p[1];
        g[0] += -2.0 / (rho * vp * vp * vp) * by_mass - by_impedance / (rho * vp * vp);
        g[1] += -by_mass / (rho * rho * vp * vp) - by_stiffness[0] / (rho * rho) - by_impedance / (rho * rho * vp);
    }
};

}  // namespace wavetree
