// Geometric factors of a batch at its nodes, by geometry class: what turns derivatives along the reference axes into
// flux along the reference axes.
#pragma once

#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/table.hpp"

namespace wavetree::WAVETREE_ISA {

// ∂ξ_a/∂x_d at one node, or the adjugate of ∂x/∂ξ, its multiple by detJ.
template <int Dim, class V>
struct InverseJacobian {
    V x[Dim][Dim];
};

// ∇ξ_a·∇ξ_b at one node.
template <int Dim, class V>
struct Metric {
    V g[Dim][Dim];
};

template <bool HasMetric, int Dim, class V>
struct PointFactors {
    using Type = InverseJacobian<Dim, V>;
    static constexpr int n = Dim * Dim;
    template <class F>
    static WAVETREE_INLINE Type load(F&& at) {
        Type point;
        for (int a = 0; a < Dim; ++a)
            for (int d = 0; d < Dim; ++d) point.x[a][d] = V{} + at(a * Dim + d);
        return point;
    }
};

template <int Dim, class V>
struct PointFactors<true, Dim, V> {
    using Type = Metric<Dim, V>;
    static constexpr int n = Dim * (Dim + 1) / 2;
    template <class F>
    static WAVETREE_INLINE Type load(F&& at) {
        Type point;
        int f = 0;
        for (int a = 0; a < Dim; ++a)
            for (int b = a; b < Dim; ++b) point.g[a][b] = point.g[b][a] = V{} + at(f++);
        return point;
    }
};

// The factors at node (i, j) of plane k, asked for plane by plane and row by row.
template <GeometryClass Class, bool HasMetric, int Dim, int Order, class Real, class Data>
struct BatchGeometry;

template <bool HasMetric, int Dim, int Order, class Real, class Data>
struct BatchGeometry<GeometryClass::affine, HasMetric, Dim, Order, Real, Data> {
    using V = typename Lane<Real>::Vector;
    using Factors = PointFactors<HasMetric, Dim, V>;
    static constexpr int per_batch = Factors::n;
    typename Factors::Type point;

    WAVETREE_INLINE BatchGeometry(const Data* factors, const Real*)
        : point(Factors::load([&](int f) { return factors[f]; })) {}
    WAVETREE_INLINE void plane(int) {}
    WAVETREE_INLINE void row(int) {}
    WAVETREE_INLINE const typename Factors::Type& at(int) const { return point; }
};

template <bool HasMetric, int Dim, int Order, class Real, class Data>
struct BatchGeometry<GeometryClass::stored, HasMetric, Dim, Order, Real, Data> {
    using V = typename Lane<Real>::Vector;
    using Factors = PointFactors<HasMetric, Dim, V>;
    static constexpr int N1 = Order + 1, Nodes = Dim == 3 ? N1 * N1 * N1 : N1 * N1, per_batch = Factors::n * Nodes;
    const Data* factors;
    int node = 0;

    WAVETREE_INLINE BatchGeometry(const Data* data, const Real*) : factors(data) {}
    WAVETREE_INLINE void plane(int k) { node = k * N1 * N1; }
    WAVETREE_INLINE void row(int) {}
    WAVETREE_INLINE typename Factors::Type at(int n) const {
        return Factors::load([&](int f) { return factors[f * Nodes + node + n]; });
    }
};

// x = Σ_m c_m ξ^.. η^.. ζ^..: a column of ∂x/∂ξ is constant along its own axis and linear along the others.
template <int Order, class Real, class Data>
struct BatchGeometry<GeometryClass::multilinear, false, 2, Order, Real, Data> {
    using V = typename Lane<Real>::Vector;
    static constexpr int per_batch = 8, N1 = Order + 1;
    InverseJacobian<2, V> point;
    V by_eta[N1][2];  // ∂x/∂η at the i of a row
    const Data* c;
    const Real* points;

    WAVETREE_INLINE BatchGeometry(const Data* data, const Real* xi) : c(data), points(xi) {
        for (int i = 0; i < N1; ++i)
            for (int d = 0; d < 2; ++d) by_eta[i][d] = c[d * 4 + 2] + c[d * 4 + 3] * xi[i];
    }
    WAVETREE_INLINE void plane(int) {}
    WAVETREE_INLINE void row(int j) {
        const Real eta = points[j];
        point.x[1][1] = c[1] + c[3] * eta;
        point.x[1][0] = -(c[5] + c[7] * eta);
    }
    WAVETREE_INLINE InverseJacobian<2, V> at(int n) const {
        const int i = n % N1;
        InverseJacobian<2, V> out = point;
        out.x[0][0] = by_eta[i][1], out.x[0][1] = -by_eta[i][0];
        return out;
    }
};

template <int Order, class Real, class Data>
struct BatchGeometry<GeometryClass::multilinear, false, 3, Order, Real, Data> {
    using V = typename Lane<Real>::Vector;
    static constexpr int per_batch = 24, N1 = Order + 1;
    const Data* c;
    const Real* points;
    V by_xi0[3], by_xi1[3];      // ∂x/∂ξ = by_xi0 + η by_xi1 in a plane
    V by_eta[N1][3];             // ∂x/∂η at the i of a plane
    V by_zeta0[3], by_zeta1[3];  // ∂x/∂ζ = by_zeta0 + ξ by_zeta1 in a row
    V by_xi[3];

    WAVETREE_INLINE BatchGeometry(const Data* data, const Real* xi) : c(data), points(xi) {}
    WAVETREE_INLINE void plane(int k) {
        const Real zeta = points[k];
        for (int d = 0; d < 3; ++d) {
            const Data* m = c + d * 8;
            by_xi0[d] = m[1] + m[5] * zeta, by_xi1[d] = m[3] + m[7] * zeta;
            const V eta0 = m[2] + m[6] * zeta;
            for (int i = 0; i < N1; ++i) by_eta[i][d] = eta0 + points[i] * by_xi1[d];
        }
    }
    WAVETREE_INLINE void row(int j) {
        const Real eta = points[j];
        for (int d = 0; d < 3; ++d) {
            const Data* m = c + d * 8;
            by_xi[d] = by_xi0[d] + eta * by_xi1[d];
            by_zeta0[d] = m[4] + m[6] * eta, by_zeta1[d] = m[5] + m[7] * eta;
        }
    }
    WAVETREE_INLINE InverseJacobian<3, V> at(int n) const {
        const int i = n % N1;
        V z[3];
        for (int d = 0; d < 3; ++d) z[d] = by_zeta0[d] + points[i] * by_zeta1[d];
        const V(&x)[3] = by_xi;
        const V(&y)[3] = by_eta[i];
        InverseJacobian<3, V> out;
        for (int d = 0; d < 3; ++d) {  // rows of the adjugate: cross products of the columns
            const int e = (d + 1) % 3, f = (d + 2) % 3;
            out.x[0][d] = y[e] * z[f] - y[f] * z[e];
            out.x[1][d] = z[e] * x[f] - z[f] * x[e];
            out.x[2][d] = x[e] * y[f] - x[f] * y[e];
        }
        return out;
    }
};

}  // namespace wavetree::WAVETREE_ISA
