// Diffusion du/dt = ∇·(T ∇u) with a symmetric tensor T, the generator of smoothing.
#pragma once

#ifndef WAVETREE_INLINE
#define WAVETREE_INLINE inline
#endif

#include "wavetree/core/types.hpp"

namespace wavetree {

struct Diffusion {
    static constexpr PhysicsId id = PhysicsId::diffusion;
    static constexpr bool is_isotropic_scalar = false;
    template <int Dim>
    static constexpr int n_components = 1;
    // Upper triangle of T, row by row: xx, xy, yy in 2-D.
    template <int Dim>
    static constexpr int n_stiffness = Dim * (Dim + 1) / 2;

    template <int Dim, class V>
    static WAVETREE_INLINE void flux(const V (&gradient)[1][Dim], const V* k, V (&out)[1][Dim]) {
        for (int d = 0; d < Dim; ++d) out[0][d] = V{};
        int i = 0;
        for (int row = 0; row < Dim; ++row)
            for (int column = row; column < Dim; ++column, ++i) {
                out[0][row] += k[i] * gradient[0][column];
                if (column != row) out[0][column] += k[i] * gradient[0][row];
            }
    }
};

}  // namespace wavetree
