// The element loop: gather, gradient, pointwise physics, transposed gradient, scatter.
#pragma once

#include "wavetree/kernels/access.hpp"
#include "wavetree/kernels/element_geometry.hpp"
#include "wavetree/kernels/tensor.hpp"

namespace wavetree::WAVETREE_ISA {

// Derivatives along the reference axes at one node, and what becomes of them there.
template <class Physics, int Dim, class V>
struct Pointwise {
    static constexpr int C = Physics::template n_components<Dim>, K = Physics::template n_stiffness<Dim>;

    static WAVETREE_INLINE void physical(const InverseJacobian<Dim, V>& point, const V (&g)[C][Dim], V (&out)[C][Dim]) {
        for (int c = 0; c < C; ++c)
            for (int d = 0; d < Dim; ++d) {
                V sum = point.x[0][d] * g[c][0];
                for (int a = 1; a < Dim; ++a) sum += point.x[a][d] * g[c][a];
                out[c][d] = sum;
            }
    }

    // Replaces derivatives by the flux along the reference axes (weights are in k).
    static WAVETREE_INLINE void flux(const InverseJacobian<Dim, V>& point, const V* k, V (&g)[C][Dim]) {
        V gradient[C][Dim], flux[C][Dim];
        physical(point, g, gradient);
        Physics::template flux<Dim>(gradient, k, flux);
        for (int c = 0; c < C; ++c)
            for (int a = 0; a < Dim; ++a) {
                V sum = point.x[a][0] * flux[c][0];
                for (int d = 1; d < Dim; ++d) sum += point.x[a][d] * flux[c][d];
                g[c][a] = sum;
            }
    }
    static WAVETREE_INLINE void flux(const Metric<Dim, V>& point, const V* k, V (&g)[C][Dim]) {
        V raised[1][Dim];
        raise(point, g, raised);
        for (int a = 0; a < Dim; ++a) g[0][a] = k[0] * raised[0][a];
    }
    static WAVETREE_INLINE void raise(const Metric<Dim, V>& point, const V (&g)[C][Dim], V (&out)[C][Dim]) {
        for (int a = 0; a < Dim; ++a) {
            V sum = point.g[a][0] * g[0][0];
            for (int b = 1; b < Dim; ++b) sum += point.g[a][b] * g[0][b];
            out[0][a] = sum;
        }
    }

    static WAVETREE_INLINE void flux_derivative(const InverseJacobian<Dim, V>& point, const V (&u)[C][Dim],
                                                const V (&lambda)[C][Dim], V* out) {
        V u_x[C][Dim], lambda_x[C][Dim];
        physical(point, u, u_x);
        physical(point, lambda, lambda_x);
        Physics::template flux_derivative<Dim>(u_x, lambda_x, out);
    }
    static WAVETREE_INLINE void flux_derivative(const Metric<Dim, V>& point, const V (&u)[C][Dim],
                                                const V (&lambda)[C][Dim], V* out) {
        V raised[C][Dim];
        raise(point, u, raised);
        Physics::template flux_derivative<Dim>(raised, lambda, out);
    }
};

template <class Physics, int Dim, int Order, GeometryClass Class, Lanes Use, class Real>
struct ElementLoop {
    using A = Access<Real, Use>;
    using V = typename A::V;
    using Data = typename A::Data;
    using Point = Pointwise<Physics, Dim, V>;
    using Derivative = SplitDerivative<Order + 1, V>;
    static constexpr int W = A::W, N1 = Order + 1, Plane = N1 * N1, Nodes = ipow(N1, Dim), Planes = Nodes / Plane;
    static constexpr int C = Point::C, K = Point::K;
    // Far enough ahead that values are there in time; batches of hexes take longer.
    static constexpr int batches_ahead = Dim == 2 ? max_batches_ahead : 1;
    // A scalar that diffuses alike in all directions needs the metric only; on the fly that is more work.
    static constexpr bool metric = Physics::is_isotropic_scalar && Class != GeometryClass::multilinear;
    using Geometry = BatchGeometry<Class, metric, Dim, Order, Real, Data>;

    // A batch is worked on plane by plane, so that little more than two copies of its field live at a time.
    struct Planar {
        V z[C][Dim == 3 ? Nodes : 1];  // derivative along ζ, of all planes
        V x[C][Plane], y[C][Plane];    // along ξ and η, of one

        WAVETREE_INLINE void along_z(const Derivative& D, const V (&u)[C][Nodes]) {
            if constexpr (Dim == 3)
                for (int c = 0; c < C; ++c) differentiate<N1, 3, 2>(D, u[c], z[c]);
        }
        WAVETREE_INLINE void in_plane(const Derivative& D, const V (&u)[C][Nodes], int k) {
            for (int c = 0; c < C; ++c) {
                differentiate<N1, 2, 0>(D, u[c] + k * Plane, x[c]);
                differentiate<N1, 2, 1>(D, u[c] + k * Plane, y[c]);
            }
        }
        WAVETREE_INLINE void get(int k, int n, V (&g)[C][Dim]) const {
            for (int c = 0; c < C; ++c) {
                g[c][0] = x[c][n], g[c][1] = y[c][n];
                if constexpr (Dim == 3) g[c][Dim - 1] = z[c][k * Plane + n];
            }
        }
        WAVETREE_INLINE void set(int k, int n, const V (&g)[C][Dim]) {
            for (int c = 0; c < C; ++c) {
                x[c][n] = g[c][0], y[c][n] = g[c][1];
                if constexpr (Dim == 3) z[c][k * Plane + n] = g[c][Dim - 1];
            }
        }
    };

    static WAVETREE_INLINE void apply_batch(const Derivative& D, Geometry& geometry, const Data* k, V (&u)[C][Nodes]) {
        Planar g;
        g.along_z(D, u);
        for (int plane = 0; plane < Planes; ++plane) {
            g.in_plane(D, u, plane);
            geometry.plane(plane);
            for (int j = 0; j < N1; ++j) {
                geometry.row(j);
                for (int n = j * N1; n < (j + 1) * N1; ++n) {
                    V coefficient[K], at[C][Dim];
                    for (int i = 0; i < K; ++i) coefficient[i] = V{} + k[i * Nodes + plane * Plane + n];
                    g.get(plane, n, at);
                    Point::flux(geometry.at(n), coefficient, at);
                    g.set(plane, n, at);
                }
            }
            for (int c = 0; c < C; ++c) {
                differentiate_transpose<N1, 2, 0, false>(D, g.x[c], u[c] + plane * Plane);
                differentiate_transpose<N1, 2, 1, true>(D, g.y[c], u[c] + plane * Plane);
            }
        }
        if constexpr (Dim == 3)
            for (int c = 0; c < C; ++c) differentiate_transpose<N1, 3, 2, true>(D, g.z[c], u[c]);
    }

    static void apply(const Batches<Real>& b, const BatchRun<Real>& run, const Real* u, Real* r) {
        const Derivative D(b.D);
        V value[C][Nodes];
        const Data* factors = reinterpret_cast<const Data*>(run.geometry);
        for (Index batch = run.begin; batch < run.end; ++batch, factors += Geometry::per_batch) {
            const Dof* places = b.places + batch * Nodes;
            A::gather(b, places, u, value);
            A::template prefetch<C, Nodes>(b, places + batches_ahead * Nodes, u, r);
            Geometry geometry(factors, b.points);
            apply_batch(D, geometry, reinterpret_cast<const Data*>(b.coefficients) + batch * K * Nodes, value);
            A::scatter(b, places, value, r);
        }
    }

    static WAVETREE_INLINE void accumulate_batch(const Derivative& D, Geometry& geometry, Real weight,
                                                 const V (&u)[C][Nodes], const V (&lambda)[C][Nodes], V* out) {
        Planar gu, gl;
        gu.along_z(D, u), gl.along_z(D, lambda);
        for (int plane = 0; plane < Planes; ++plane) {
            gu.in_plane(D, u, plane), gl.in_plane(D, lambda, plane);
            geometry.plane(plane);
            for (int j = 0; j < N1; ++j) {
                geometry.row(j);
                for (int n = j * N1; n < (j + 1) * N1; ++n) {
                    V by_u[C][Dim], by_lambda[C][Dim], derivative[K];
                    gu.get(plane, n, by_u), gl.get(plane, n, by_lambda);
                    Point::flux_derivative(geometry.at(n), by_u, by_lambda, derivative);
                    for (int i = 0; i < K; ++i) out[i * Nodes + plane * Plane + n] += weight * derivative[i];
                }
            }
        }
    }

    static void accumulate(const Batches<Real>& b, const BatchRun<Real>& run, Real weight, const Real* u,
                           const Real* lambda, Real* gradient) {
        const Derivative D(b.D);
        V value[C][Nodes], adjoint[C][Nodes];
        const Data* factors = reinterpret_cast<const Data*>(run.geometry);
        for (Index batch = run.begin; batch < run.end; ++batch, factors += Geometry::per_batch) {
            const Dof* places = b.places + batch * Nodes;
            A::gather(b, places, u, value);
            A::gather(b, places, lambda, adjoint);
            Geometry geometry(factors, b.points);
            accumulate_batch(D, geometry, weight, value, adjoint, reinterpret_cast<V*>(gradient) + batch * K * Nodes);
        }
    }
};

}  // namespace wavetree::WAVETREE_ISA
