// Elastic waves in a fully anisotropic solid, displacement u:
//
//     ρ u_tt = ∇·σ + f,   σ_I = Σ_J C_IJ e_J                                                      (1)
//
// in Voigt form: I = xx, yy, xy in two dimensions (plane strain), xx, yy, zz, yz, xz, xy in three; e holds
// the engineering shear 2 ε. Impedance of an absorbing edge with the unit normal n, exact at normal
// incidence for the three waves that travel along n:
//
//     σ·n = −Z u_t,   Z = (ρ Γ)^(1/2),   Γ_ik = Σ_jl c_ijkl n_j n_l                               (2)
#pragma once

#ifndef WAVETREE_INLINE
#define WAVETREE_INLINE inline
#endif

#include <cmath>

#include "wavetree/core/symmetric.hpp"
#include "wavetree/core/types.hpp"

namespace wavetree {

struct Anisotropic {
    static constexpr PhysicsId id = PhysicsId::anisotropic;
    static constexpr bool is_isotropic_scalar = false;
    static constexpr const char* name = "anisotropic";
    template <int Dim>
    static constexpr int n_components = Dim;
    template <int Dim>
    static constexpr int n_voigt = Dim * (Dim + 1) / 2;
    // Upper triangle of C, row by row.
    template <int Dim>
    static constexpr int n_stiffness = n_voigt<Dim> * (n_voigt<Dim> + 1) / 2;

    // Row and column of the tensor component that stands at a Voigt index.
    template <int Dim>
    static constexpr int row(int voigt) {
        return voigt < Dim ? voigt : (Dim == 2 ? 0 : (voigt == 3 ? 1 : 0));
    }
    template <int Dim>
    static constexpr int column(int voigt) {
        return voigt < Dim ? voigt : (Dim == 2 ? 1 : (voigt == 5 ? 1 : 2));
    }

    // e_J of a displacement gradient.
    template <int Dim, class V>
    static WAVETREE_INLINE void strain(const V (&gradient)[Dim][Dim], V (&e)[n_voigt<Dim>]) {
        for (int i = 0; i < Dim; ++i) e[i] = gradient[i][i];
        for (int i = Dim; i < n_voigt<Dim>; ++i)
            e[i] = gradient[row<Dim>(i)][column<Dim>(i)] + gradient[column<Dim>(i)][row<Dim>(i)];
    }

    // Stress of equation (1).
    template <int Dim, class V>
    static WAVETREE_INLINE void flux(const V (&gradient)[Dim][Dim], const V* k, V (&out)[Dim][Dim]) {
        constexpr int n = n_voigt<Dim>;
        V e[n], s[n];
        strain(gradient, e);
        for (int i = 0; i < n; ++i) s[i] = V{};
        int at = 0;
        for (int i = 0; i < n; ++i)
            for (int j = i; j < n; ++j, ++at) {
                s[i] += k[at] * e[j];
                if (j != i) s[j] += k[at] * e[i];
            }
        for (int i = 0; i < n; ++i) out[row<Dim>(i)][column<Dim>(i)] = out[column<Dim>(i)][row<Dim>(i)] = s[i];
    }

    // ∂(∇λ:σ(∇u))/∂C_IJ.
    template <int Dim, class V>
    static WAVETREE_INLINE void flux_derivative(const V (&u)[Dim][Dim], const V (&lambda)[Dim][Dim], V* out) {
        constexpr int n = n_voigt<Dim>;
        V e[n], f[n];
        strain(u, e), strain(lambda, f);
        int at = 0;
        for (int i = 0; i < n; ++i)
            for (int j = i; j < n; ++j, ++at) out[at] = j == i ? e[i] * f[i] : e[i] * f[j] + e[j] * f[i];
    }

    // f(index of C_IJ in the upper triangle, row i, column k, factor) over the terms of Γ_ik.
    template <int Dim, class F>
    static void for_christoffel(const double* n, F&& f) {
        constexpr int nv = n_voigt<Dim>;
        for (int i = 0; i < nv; ++i)
            for (int j = 0; j < nv; ++j) {
                const int low = i < j ? i : j, high = i < j ? j : i, at = low * nv - low * (low - 1) / 2 + high - low;
                const int pairs[2][2] = {{row<Dim>(i), column<Dim>(i)}, {column<Dim>(i), row<Dim>(i)}};
                const int others[2][2] = {{row<Dim>(j), column<Dim>(j)}, {column<Dim>(j), row<Dim>(j)}};
                for (int a = 0; a < (i < Dim ? 1 : 2); ++a)
                    for (int b = 0; b < (j < Dim ? 1 : 2); ++b)
                        f(at, pairs[a][0], others[b][0], n[pairs[a][1]] * n[others[b][1]]);
            }
    }

    // Eigenvalues z and eigenvectors of Z.
    template <int Dim>
    static void decompose(const double* p, const double* n, double (&z)[Dim], double (&vectors)[Dim * Dim]) {
        double a[Dim * Dim] = {};
        for_christoffel<Dim>(n,
                             [&](int at, int i, int k, double factor) { a[i * Dim + k] += p[0] * p[1 + at] * factor; });
        eigen_symmetric<Dim>(a, vectors);
        for (int i = 0; i < Dim; ++i) z[i] = std::sqrt(a[i * Dim + i]);
    }

    // Equation (2); p = (ρ, C_IJ).
    template <int Dim>
    static void impedance(const double* p, const double* n, double* Z) {
        double z[Dim], v[Dim * Dim];
        decompose<Dim>(p, n, z, v);
        for (int i = 0; i < Dim; ++i)
            for (int j = 0; j < Dim; ++j) {
                Z[i * Dim + j] = 0.0;
                for (int k = 0; k < Dim; ++k) Z[i * Dim + j] += v[i * Dim + k] * z[k] * v[j * Dim + k];
            }
    }

    // g += ∂(by_Z : Z)/∂p. The derivative X by Z² solves Z X + X Z = by_Z: X_ij = by_Z_ij / (z_i + z_j) in
    // the eigenvectors' basis.
    template <int Dim>
    static void impedance_derivative(const double* p, const double* n, const double* by_Z, double* g) {
        double z[Dim], v[Dim * Dim], x[Dim * Dim] = {};
        decompose<Dim>(p, n, z, v);
        for (int a = 0; a < Dim; ++a)
            for (int b = 0; b < Dim; ++b) {
                double rotated = 0.0;
                for (int i = 0; i < Dim; ++i)
                    for (int j = 0; j < Dim; ++j)
                        rotated += 0.5 * (by_Z[i * Dim + j] + by_Z[j * Dim + i]) * v[i * Dim + a] * v[j * Dim + b];
                for (int i = 0; i < Dim; ++i)
                    for (int j = 0; j < Dim; ++j)
                        x[i * Dim + j] += v[i * Dim + a] * v[j * Dim + b] * rotated / (z[a] + z[b]);
            }
        for_christoffel<Dim>(n, [&](int at, int i, int k, double factor) {
            g[0] += x[i * Dim + k] * p[1 + at] * factor;
            g[1 + at] += x[i * Dim + k] * p[0] * factor;
        });
    }
};

}  // namespace wavetree
