// The element loop: gather, gradient, pointwise physics, transposed gradient, scatter.
#pragma once

#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/table.hpp"
#include "wavetree/kernels/tensor.hpp"

namespace wavetree::WAVETREE_ISA {

// Geometric factors of one batch: ∂ξ_a/∂x_d at a node.
template <GeometryClass Class, int Dim, int Nodes, class V>
struct BatchGeometry {
    static constexpr int per_batch = Dim * Dim * (Class == GeometryClass::affine ? 1 : Nodes);
    const V* factors;
    WAVETREE_INLINE V dxi_dx(int a, int d, int node) const {
        if constexpr (Class == GeometryClass::affine)
            return factors[a * Dim + d];
        else
            return factors[(a * Dim + d) * Nodes + node];
    }
};

template <class Physics, int Dim, int Order, GeometryClass Class, class Real>
struct ElementLoop {
    using V = typename Lane<Real>::Vector;
    static constexpr int W = Lane<Real>::width, N1 = Order + 1, Nodes = ipow(N1, Dim);
    static constexpr int C = Physics::template n_components<Dim>, K = Physics::template n_stiffness<Dim>;
    using BatchFactors = BatchGeometry<Class, Dim, Nodes, V>;

    // Components of a dof lie together: value (dof, c) at u[dof * C + c].
    static WAVETREE_INLINE void gather(const Dof* dofs, const Real* u, V (&out)[C][Nodes]) {
        for (int n = 0; n < Nodes; ++n)
            for (int c = 0; c < C; ++c) {
                V value;
                for (int l = 0; l < W; ++l) value[l] = u[static_cast<Index>(dofs[n * W + l]) * C + c];
                out[c][n] = value;
            }
    }

    // Lanes one after the other: elements of a batch may share dofs.
    static WAVETREE_INLINE void scatter(const Dof* dofs, const V (&in)[C][Nodes], Real* r) {
        for (int n = 0; n < Nodes; ++n)
            for (int c = 0; c < C; ++c)
                for (int l = 0; l < W; ++l) r[static_cast<Index>(dofs[n * W + l]) * C + c] += in[c][n][l];
    }

    static WAVETREE_INLINE void reference_gradient(const Real* D, const V* u, V (&g)[Dim][Nodes]) {
        differentiate<N1, Dim, 0>(D, u, g[0]);
        differentiate<N1, Dim, 1>(D, u, g[1]);
        if constexpr (Dim == 3) differentiate<N1, Dim, 2>(D, u, g[Dim - 1]);
    }

    // ∇u at one node from the derivatives along the reference axes.
    static WAVETREE_INLINE void physical(const BatchFactors& geometry, const V (&g)[C][Dim][Nodes], int n,
                                         V (&out)[C][Dim]) {
        for (int c = 0; c < C; ++c)
            for (int d = 0; d < Dim; ++d) {
                V sum = geometry.dxi_dx(0, d, n) * g[c][0][n];
                for (int a = 1; a < Dim; ++a) sum += geometry.dxi_dx(a, d, n) * g[c][a][n];
                out[c][d] = sum;
            }
    }

    static void apply(const Batches<Real>& b, BatchRange range, const Real* u, Real* r) {
        V value[C][Nodes], g[C][Dim][Nodes];
        for (Index batch = range.begin; batch < range.end; ++batch) {
            const Dof* dofs = b.dofs + batch * Nodes * W;
            const V* k = reinterpret_cast<const V*>(b.coefficients) + batch * K * Nodes;
            const BatchFactors geometry{reinterpret_cast<const V*>(b.dxi_dx) + batch * BatchFactors::per_batch};
            gather(dofs, u, value);
            for (int c = 0; c < C; ++c) reference_gradient(b.D, value[c], g[c]);
            for (int n = 0; n < Nodes; ++n) flux_at_node(geometry, k, n, g);
            for (int c = 0; c < C; ++c) {
                for (int n = 0; n < Nodes; ++n) value[c][n] = V{};
                differentiate_transpose<N1, Dim, 0>(b.D, g[c][0], value[c]);
                differentiate_transpose<N1, Dim, 1>(b.D, g[c][1], value[c]);
                if constexpr (Dim == 3) differentiate_transpose<N1, Dim, 2>(b.D, g[c][Dim - 1], value[c]);
            }
            scatter(dofs, value, r);
        }
    }

    // Replaces the reference derivatives by the flux along the reference axes (weights are in k).
    static WAVETREE_INLINE void flux_at_node(const BatchFactors& geometry, const V* k, int n, V (&g)[C][Dim][Nodes]) {
        V gradient[C][Dim], flux[C][Dim], coefficient[K];
        physical(geometry, g, n, gradient);
        for (int i = 0; i < K; ++i) coefficient[i] = k[i * Nodes + n];
        Physics::template flux<Dim>(gradient, coefficient, flux);
        for (int c = 0; c < C; ++c)
            for (int a = 0; a < Dim; ++a) {
                V sum = geometry.dxi_dx(a, 0, n) * flux[c][0];
                for (int d = 1; d < Dim; ++d) sum += geometry.dxi_dx(a, d, n) * flux[c][d];
                g[c][a][n] = sum;
            }
    }

    static void accumulate(const Batches<Real>& b, BatchRange range, Real weight, const Real* u, const Real* lambda,
                           Real* gradient) {
        V value[C][Nodes], gu[C][Dim][Nodes], gl[C][Dim][Nodes];
        for (Index batch = range.begin; batch < range.end; ++batch) {
            const Dof* dofs = b.dofs + batch * Nodes * W;
            const BatchFactors geometry{reinterpret_cast<const V*>(b.dxi_dx) + batch * BatchFactors::per_batch};
            V* out = reinterpret_cast<V*>(gradient) + batch * K * Nodes;
            gather(dofs, u, value);
            for (int c = 0; c < C; ++c) reference_gradient(b.D, value[c], gu[c]);
            gather(dofs, lambda, value);
            for (int c = 0; c < C; ++c) reference_gradient(b.D, value[c], gl[c]);
            for (int n = 0; n < Nodes; ++n) {
                V u_x[C][Dim], lambda_x[C][Dim], derivative[K];
                physical(geometry, gu, n, u_x);
                physical(geometry, gl, n, lambda_x);
                Physics::template flux_derivative<Dim>(u_x, lambda_x, derivative);
                for (int i = 0; i < K; ++i) out[i * Nodes + n] += weight * derivative[i];
            }
        }
    }
};

}  // namespace wavetree::WAVETREE_ISA
